/** The end of a worker's output as text, through the scheduler, within a limit of time. */
import type { Clock } from "../core/clock.ts";
import { externalError } from "../core/errors.ts";
import type { Scheduler } from "../scheduler/scheduler.ts";
import type { LogQuery } from "../scheduler/view.ts";

/** What reading needs. */
export interface LogSource {
  readonly scheduler: Scheduler;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** What was read. */
export interface LogEnd {
  /** Bytes before the text since the worker's start, as far as they are kept. */
  readonly offset: number;
  readonly text: string;
}

/** Longest text, whatever the scheduler gives. */
const MOST_BYTES = 1 << 20;

/**
 * Reads the last `tailBytes` (0: all that is kept, up to a mebibyte) of a stream. Throws the scheduler's error, and `timeout` with
 * `retry: "backoff"` after `limitMs` milliseconds.
 */
export async function readLogEnd(
  { scheduler, clock, signal }: LogSource,
  handle: string,
  { stream, tailBytes }: Pick<LogQuery, "stream" | "tailBytes">,
  limitMs: number,
): Promise<LogEnd> {
  const abort = new AbortController();
  const over = AbortSignal.any([signal, abort.signal]);
  const late = clock.sleep(limitMs, over).then(() => {
    if (over.aborted) return undefined;
    throw externalError("timeout", `the scheduler did not give the output of worker ${handle} within ${limitMs / 1000} s`, {
      retry: "backoff",
    });
  });
  const reading = collect(scheduler.logs(handle, { stream, tailBytes, follow: false, signal: over }));
  try {
    const read = await Promise.race([reading, late]);
    return read ?? (await reading);
  } finally {
    abort.abort();
    late.catch(() => undefined);
    reading.catch(() => undefined);
  }
}

async function collect(pieces: ReturnType<Scheduler["logs"]>): Promise<LogEnd> {
  const parts: Uint8Array[] = [];
  let offset: number | undefined;
  let bytes = 0;
  for await (const piece of pieces) {
    offset ??= piece.offset;
    parts.push(piece.data);
    bytes += piece.data.byteLength;
    if (bytes >= MOST_BYTES) break;
  }
  return { offset: offset ?? 0, text: Buffer.concat(parts).toString("utf8") };
}
