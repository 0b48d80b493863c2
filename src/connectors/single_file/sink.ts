/**
 * Writes one file of rows, exactly once: a checkpoint notes the file's length, a restore cuts the file back to it. Rows are
 * visible as they are written; what a failed run wrote beyond its last checkpoint is cut off by the next.
 */
import type { FileHandle } from "node:fs/promises";
import { open } from "node:fs/promises";
import { dirname } from "node:path";
import { must } from "../../core/assert.ts";
import type { AppError } from "../../core/errors.ts";
import { externalError, toAppError, userError } from "../../core/errors.ts";
import { makeFolder } from "../../storage/make-folder.ts";
import type { Sink, SinkCommit, SubtaskContext } from "../connector.ts";

/** A sink into the file that the option `path` names. Only subtask 0 writes. */
export class SingleFileSink implements Sink {
  readonly #context: SubtaskContext;
  readonly #path: string;
  #file: FileHandle | undefined;
  #regular = true;
  #length = 0;

  constructor(context: SubtaskContext) {
    this.#context = context;
    this.#path = String(context.options["path"]);
  }

  async open(restored: readonly SinkCommit[] | undefined): Promise<void> {
    if (this.#context.subtask !== 0) return;
    const length = restored?.find((c) => typeof c["length"] === "number")?.["length"];
    this.#length = Number(length ?? 0);
    try {
      makeFolder(dirname(this.#path));
      this.#file = await open(this.#path, "a+");
    } catch (error) {
      throw this.#failure(error);
    }
    const info = await this.#file.stat();
    // Devices and pipes, such as /dev/null, have no length to go back to and cannot be made durable.
    this.#regular = info.isFile();
    if (!this.#regular) return;
    const { size } = info;
    if (size < this.#length) {
      await this.close();
      throw userError(
        "state-mismatch",
        `file "${this.#path}" of table "${this.#context.table}" has ${size} bytes, but the checkpoint knows of ${this.#length}`,
        {
          hint: "Restore the file, or start over with --ignore-state.",
        },
      );
    }
    await this.#file.truncate(this.#length).catch((error: unknown) => {
      throw this.#failure(error);
    });
  }

  async write(bytes: Uint8Array): Promise<void> {
    const file = must(this.#file, "open file of the sink");
    try {
      for (let at = 0; at < bytes.length; ) at += (await file.write(bytes, at, bytes.length - at)).bytesWritten;
    } catch (error) {
      throw this.#failure(error);
    }
    this.#length += bytes.length;
  }

  async stage(): Promise<SinkCommit | undefined> {
    if (this.#file === undefined) return undefined;
    try {
      if (this.#regular) await this.#file.datasync();
    } catch (error) {
      throw this.#failure(error);
    }
    return { length: this.#length };
  }

  async commit(): Promise<void> {}

  async close(): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
  }

  /** Names the table and the file; a full disk and a refusal are said in words. */
  #failure(error: unknown): AppError {
    const cause = toAppError(error);
    const message = `cannot write file "${this.#path}" of table "${this.#context.table}"`;
    if (cause.code === "disk-full")
      return externalError("disk-full", `${message}: no space left on the device`, { hint: "Free space; the run can be resumed.", cause });
    if (cause.code === "permission-denied") {
      return userError("permission-denied", `${message}: permission denied`, {
        hint: "Choose another path, or let this user write there.",
        cause,
      });
    }
    if ((error as NodeJS.ErrnoException).code === "EISDIR") {
      return userError("invalid-option", `${message}: it is a directory`, {
        hint: "Use connector = 'filesystem' to write a directory.",
        cause,
      });
    }
    if (cause.code === "not-found" || cause.code === "already-exists") {
      return userError("not-found", `${message}: its directory cannot be made`, {
        detail: cause.message,
        hint: "Check the table's path option; it is relative to the working directory.",
        cause,
      });
    }
    return externalError(cause.code, message, { detail: cause.message, cause });
  }
}
