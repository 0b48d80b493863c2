/**
 * Writes rows to standard output as they come: at least once. Writes go to the descriptor itself, because a thread's
 * `process.stdout` is relayed by the main thread and would fill memory before it pushed back.
 */
import { write } from "node:fs";
import { promisify } from "node:util";
import { systemClock } from "../../core/clock.ts";
import { externalError, toAppError } from "../../core/errors.ts";
import type { Sink } from "../connector.ts";

const STDOUT = 1;
const RETRY_MS = 2;
const writeTo = promisify(write);

/** A sink to standard output. A closed pipe fails the run as `connection-lost`. */
export function makeStdoutSink(): Sink {
  return {
    open: async () => {},
    async write(bytes) {
      for (let at = 0; at < bytes.length; ) at += await writeSome(bytes, at);
    },
    stage: async () => undefined,
    commit: async () => {},
    close: async () => {},
  };
}

/** Bytes written; 0 while a non-blocking pipe is full. */
async function writeSome(bytes: Uint8Array, at: number): Promise<number> {
  try {
    return (await writeTo(STDOUT, bytes, at, bytes.length - at)).bytesWritten;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EAGAIN") {
      await systemClock.sleep(RETRY_MS);
      return 0;
    }
    const cause = toAppError(error);
    throw externalError(cause.code, "cannot write to standard output", { detail: cause.message, cause, retry: "never" });
  }
}
