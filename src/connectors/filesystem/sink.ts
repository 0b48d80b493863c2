/**
 * Writes files into a directory, exactly once: one file a subtask and epoch, written under a hidden name, renamed into place
 * by the commit. A restore removes hidden files that no checkpoint knows.
 */
import type { FileHandle } from "node:fs/promises";
import { open, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { AppError } from "../../core/errors.ts";
import { externalError, toAppError, userError } from "../../core/errors.ts";
import { systemRandom } from "../../core/prng.ts";
import { makeFolder } from "../../storage/make-folder.ts";
import type { Sink, SinkCommit, SubtaskContext } from "../connector.ts";

/** Prefix of files that are not yet committed. */
const HIDDEN = ".wadi-";

/** A sink into the directory that the option `path` names. */
export class FilesystemSink implements Sink {
  readonly #context: SubtaskContext;
  readonly #root: string;
  #open: { readonly file: FileHandle; readonly hidden: string } | undefined;
  #sequence = 0;

  constructor(context: SubtaskContext) {
    this.#context = context;
    this.#root = String(context.options["path"]).replace(/^file:\/\//, "");
  }

  async open(): Promise<void> {
    try {
      makeFolder(this.#root);
      await this.#removeOwn();
    } catch (error) {
      throw this.#failure(error);
    }
  }

  /** Hidden files of this job and vertex: what a failed run left behind. Only subtask 0 cleans, before anybody writes. */
  async #removeOwn(): Promise<void> {
    const { job, vertex, run, subtask } = this.#context;
    if (subtask !== 0) return;
    const own = `${HIDDEN}${job}-${vertex}-`;
    for (const name of await readdir(this.#root)) {
      if (name.startsWith(own) && !name.startsWith(`${own}${run}-`)) await rm(join(this.#root, name), { force: true });
    }
  }

  async write(bytes: Uint8Array): Promise<void> {
    try {
      this.#open ??= await this.#create();
      for (let at = 0; at < bytes.length; ) at += (await this.#open.file.write(bytes, at, bytes.length - at)).bytesWritten;
    } catch (error) {
      throw this.#failure(error);
    }
  }

  async #create(): Promise<{ readonly file: FileHandle; readonly hidden: string }> {
    const { job, vertex, run, subtask } = this.#context;
    const hidden = join(this.#root, `${HIDDEN}${job}-${vertex}-${run}-${subtask}-${this.#sequence++}`);
    return { hidden, file: await open(hidden, "w") };
  }

  async stage(epoch: number): Promise<SinkCommit | undefined> {
    const current = this.#open;
    if (current === undefined) return undefined;
    try {
      await current.file.sync();
      await current.file.close();
    } catch (error) {
      throw this.#failure(error);
    }
    this.#open = undefined;
    const { vertex, subtask } = this.#context;
    // Unlike any other run's: a new run into a directory that has files adds to them.
    const unique = systemRandom
      .below(2 ** 32)
      .toString(36)
      .padStart(7, "0");
    const name = `part-${vertex}-${String(epoch).padStart(6, "0")}-${String(subtask).padStart(4, "0")}-${unique}.json`;
    return { hidden: current.hidden, target: join(this.#root, name) };
  }

  async commit(_epoch: number, staged: SinkCommit): Promise<void> {
    const [hidden, target] = [String(staged["hidden"]), String(staged["target"])];
    try {
      await rename(hidden, target);
    } catch (error) {
      // A commit is replayed after a restore: the file may be in place already.
      if (toAppError(error).code === "not-found" && (await exists(target))) return;
      throw this.#failure(error);
    }
    const folder = await open(this.#root, "r");
    await folder.sync().finally(() => folder.close());
  }

  async close(finished: boolean): Promise<void> {
    const current = this.#open;
    this.#open = undefined;
    await current?.file.close();
    if (current !== undefined && !finished) await rm(current.hidden, { force: true });
  }

  #failure(error: unknown): AppError {
    const cause = toAppError(error);
    const message = `cannot write directory "${this.#root}" of table "${this.#context.table}"`;
    if (cause.code === "disk-full")
      return externalError("disk-full", `${message}: no space left on the device`, { hint: "Free space; the run can be resumed.", cause });
    if (cause.code === "permission-denied" || cause.code === "already-exists" || cause.code === "not-found") {
      const hint = "Check the table's path option: it must be a directory that this user may write, or one that can be made.";
      return userError(cause.code, message, { detail: cause.message, hint, cause });
    }
    return externalError(cause.code, message, { detail: cause.message, cause });
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
