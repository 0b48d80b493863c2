/**
 * Follows logs of workers for as long as somebody looks on: one read of the scheduler's per log, however many look, passed on as whole lines.
 * A new leader goes on behind what is there already.
 */
import { toAppError } from "../core/errors.ts";
import { endLogTail, expireLogTails, type LogTail, readWantedTails, type WantedTail, writeTailChunk } from "../db/log-tails.ts";
import { readLastWords } from "../db/scheduler-events.ts";
import type { LeaderContext } from "./context.ts";

/** Logs that are followed at a time; the others wait until one is let go of. */
const MOST_TAILS = 64;
/** Where a log is begun with, bytes before its end. */
const TAIL_BYTES = 128 << 10;
/** A line that is longer is passed on in parts. */
const LINE_BYTES = 64 << 10;
/** Newest pieces of a log that are kept. */
const CHUNKS_KEPT = 400;
/** Pieces are collected for this long, milliseconds. */
const COLLECT_MS = 200;
const ATTEMPTS = 4;
/** What nobody wants any more is deleted every so many polls. */
const EXPIRE_POLLS = 20;

/** A read that is going on. */
interface Reading {
  readonly abort: AbortController;
  readonly done: Promise<void>;
}

/** See the file's comment. */
export class LogTails {
  readonly #context: LeaderContext;
  readonly #reading = new Map<string, Reading>();
  readonly #attempts = new Map<string, number>();
  #polls = 0;

  constructor(context: LeaderContext) {
    this.#context = context;
  }

  /** Looks which logs are wanted: begins to read, and stops reading. */
  async poll(): Promise<void> {
    const { db, term } = this.#context;
    this.#polls += 1;
    if (this.#polls % EXPIRE_POLLS === 0) await expireLogTails(db);
    const wanted = await readWantedTails(db, MOST_TAILS);
    const keys = new Set(wanted.map(keyOf));
    for (const [key, { abort }] of this.#reading) if (!keys.has(key)) abort.abort();
    for (const key of this.#attempts.keys()) if (!keys.has(key)) this.#attempts.delete(key);
    for (const tail of wanted) {
      const key = keyOf(tail);
      if (this.#reading.has(key) || this.#reading.size >= MOST_TAILS || !term.valid) continue;
      const abort = new AbortController();
      const done = this.#read(tail, AbortSignal.any([abort.signal, term.signal])).finally(() => this.#reading.delete(key));
      this.#reading.set(key, { abort, done });
    }
  }

  /** Stops reading. */
  stop(): void {
    for (const { abort } of this.#reading.values()) abort.abort();
  }

  /** Reads a log until it ends or nobody wants it. Never throws: what fails is tried again by a later poll, a few times. */
  async #read(tail: WantedTail, signal: AbortSignal): Promise<void> {
    const { db, logger } = this.#context;
    try {
      if (tail.handle === undefined) return await endLogTail(db, tail, `nothing is known of worker ${tail.worker}`);
      await this.#follow(tail, tail.handle, signal);
      if (!signal.aborted) await endLogTail(db, tail, undefined);
    } catch (thrown) {
      if (signal.aborted) return;
      await this.#failed(tail, thrown).catch((error: unknown) => logger.warn("a log was not followed", { error: toAppError(error) }));
    }
  }

  async #follow(tail: WantedTail, handle: string, signal: AbortSignal): Promise<void> {
    const { db, scheduler, clock } = this.#context;
    const lines = new LineCollector(tail.nextOffset);
    const query = { stream: tail.stream, tailBytes: TAIL_BYTES, follow: true, signal } as const;
    let over = false;
    const write = async (all: boolean): Promise<void> => {
      const piece = lines.take(all);
      if (piece !== undefined) await writeTailChunk(db, tail, piece, CHUNKS_KEPT);
    };
    const writing = (async () => {
      while (!over && !signal.aborted) {
        await write(false);
        await clock.sleep(COLLECT_MS, signal);
      }
    })();
    try {
      for await (const { offset, data } of scheduler.logs(handle, query)) {
        lines.add(offset, data);
        if (lines.full) await write(false);
        if (signal.aborted) break;
      }
    } finally {
      over = true;
      await writing;
    }
    if (!signal.aborted) await write(true);
  }

  async #failed(tail: WantedTail, thrown: unknown): Promise<void> {
    const { db } = this.#context;
    const error = toAppError(thrown);
    const key = keyOf(tail);
    const attempts = (this.#attempts.get(key) ?? 0) + 1;
    this.#attempts.set(key, attempts);
    if (error.retry !== "never" && attempts < ATTEMPTS) return;
    const words = tail.handle === undefined || tail.stream === "stdout" ? undefined : await readLastWords(db, tail.job, tail.handle);
    if (words === undefined) return endLogTail(db, tail, error.message);
    const piece = { offset: 0, nextOffset: Buffer.byteLength(words), text: `${words}\n` };
    await writeTailChunk(db, tail, piece, CHUNKS_KEPT);
    await endLogTail(db, tail, undefined);
  }
}

function keyOf({ worker, stream }: LogTail): string {
  return `${worker} ${stream}`;
}

/** Puts pieces of a log together to whole lines. */
export class LineCollector {
  #parts: Uint8Array[] = [];
  #bytes = 0;
  /** Place of the first byte of `#parts`. */
  #offset = 0;
  readonly #from: number;

  /** Bytes before `from` are known and left out. */
  constructor(from: number | undefined) {
    this.#from = from ?? 0;
  }

  /** Whether there is so much that it should be taken. */
  get full(): boolean {
    return this.#bytes >= LINE_BYTES;
  }

  /** Adds what was at `offset`. */
  add(offset: number, data: Uint8Array): void {
    const skip = Math.max(0, Math.min(data.byteLength, this.#from - offset));
    if (skip === data.byteLength) return;
    if (this.#bytes === 0) this.#offset = offset + skip;
    this.#parts.push(skip === 0 ? data : data.subarray(skip));
    this.#bytes += data.byteLength - skip;
  }

  /** Whole lines that are there, `all`: and what is left; `undefined` if there is nothing. */
  take(all: boolean): { readonly offset: number; readonly nextOffset: number; readonly text: string } | undefined {
    if (this.#bytes === 0) return undefined;
    const bytes = Buffer.concat(this.#parts);
    const end = all || (bytes.length >= LINE_BYTES && !bytes.includes(0x0a)) ? bytes.length : bytes.lastIndexOf(0x0a) + 1;
    const rest = bytes.subarray(end);
    const offset = this.#offset;
    this.#parts = rest.length === 0 ? [] : [rest];
    this.#bytes = rest.length;
    this.#offset = offset + end;
    return end === 0 ? undefined : { offset, nextOffset: offset + end, text: bytes.toString("utf8", 0, end) };
  }
}
