/**
 * Reads a log that another process writes and that is kept small by rotation: by a new file under the same name or by cutting it in place, the
 * older part beside it as `<path>.1`. What is older than that is gone, and places count from the oldest byte that is kept.
 */
import { closeSync, fstatSync, openSync, readSync, statSync } from "node:fs";
import type { Clock } from "../../core/clock.ts";
import type { LogPiece, LogQuery } from "../view.ts";

const PIECE_BYTES = 64 << 10;
const POLL_MS = 200;

/** What a log is read with. */
export interface LogReading {
  readonly clock: Clock;
  /** Whether whoever writes it has ended: nothing more will come. */
  readonly ended: () => boolean;
}

/** The log at `path` as `query` asks for it; a file that is not there is an empty log. */
export async function* readLog(path: string, query: LogQuery, { clock, ended }: LogReading): AsyncIterable<LogPiece> {
  const { stream, tailBytes, follow, signal } = query;
  const older = sizeOf(`${path}.1`);
  const from = tailBytes === 0 ? 0 : Math.max(0, older + sizeOf(path) - tailBytes);
  let offset = from;
  const piece = (data: Uint8Array): LogPiece => {
    offset += data.length;
    return { stream, offset: offset - data.length, data };
  };
  if (from < older) for (const data of bytesOf(`${path}.1`, from)) yield piece(data);
  const file = new FollowedFile(path, Math.max(0, from - older));
  try {
    for (;;) {
      // Asked before reading: what was written before the end is read.
      const last = !follow || ended();
      for (const data of file.read()) {
        if (signal.aborted) return;
        yield piece(data);
      }
      if (last || signal.aborted) return;
      await clock.sleep(POLL_MS, signal);
    }
  } finally {
    file.close();
  }
}

/** A file that is appended to and may be replaced or cut. */
class FollowedFile {
  readonly #path: string;
  #fd: number | undefined;
  #at: number;

  constructor(path: string, at: number) {
    this.#path = path;
    this.#at = at;
  }

  /** What is new. */
  *read(): Iterable<Uint8Array> {
    this.#fd ??= openOrUndefined(this.#path);
    if (this.#fd === undefined) return;
    const { size, ino } = fstatSync(this.#fd);
    if (size < this.#at) {
      // Cut in place: what was not read yet is in the copy.
      yield* bytesOf(`${this.#path}.1`, this.#at);
      this.#at = 0;
    }
    for (const data of bytesFrom(this.#fd, this.#at)) {
      this.#at += data.length;
      yield data;
    }
    if (statSync(this.#path, { throwIfNoEntry: false })?.ino === ino) return;
    this.close();
    this.#at = 0;
    yield* this.#next();
  }

  *#next(): Iterable<Uint8Array> {
    this.#fd = openOrUndefined(this.#path);
    if (this.#fd === undefined) return;
    for (const data of bytesFrom(this.#fd, 0)) {
      this.#at += data.length;
      yield data;
    }
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

function openOrUndefined(path: string): number | undefined {
  try {
    return openSync(path, "r");
  } catch {
    return undefined;
  }
}

function* bytesOf(path: string, from: number): Iterable<Uint8Array> {
  const fd = openOrUndefined(path);
  if (fd === undefined) return;
  try {
    yield* bytesFrom(fd, from);
  } finally {
    closeSync(fd);
  }
}

/** What there is from `from` to the end as of now. */
function* bytesFrom(fd: number, from: number): Iterable<Uint8Array> {
  for (let at = from; ; ) {
    const buffer = new Uint8Array(PIECE_BYTES);
    const count = readSync(fd, buffer, 0, buffer.length, at);
    if (count === 0) return;
    at += count;
    yield buffer.subarray(0, count);
  }
}
