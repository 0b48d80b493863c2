/** What a thread has written, in memory: the newest part of it, with places counted from its beginning. */
import type { Clock } from "../../core/clock.ts";
import type { LogPiece, LogQuery } from "../view.ts";

/** Bytes of one stream that are kept. */
const KEPT_BYTES = 1 << 20;
const POLL_MS = 50;

/** One stream of a thread. */
export class ThreadOutput {
  #pieces: Uint8Array[] = [];
  /** Bytes that are no longer kept. */
  #gone = 0;
  #kept = 0;
  /** Nothing more will come. */
  ended = false;

  append(data: Uint8Array): void {
    this.#pieces.push(data);
    this.#kept += data.length;
    while (this.#kept > KEPT_BYTES && this.#pieces.length > 1) {
      const length = this.#pieces.shift()?.length ?? 0;
      this.#kept -= length;
      this.#gone += length;
    }
  }

  /** As `Scheduler.logs` says. */
  async *read({ stream, tailBytes, follow, signal }: LogQuery, clock: Clock): AsyncIterable<LogPiece> {
    const end = this.#gone + this.#kept;
    let at = tailBytes === 0 ? 0 : Math.max(0, end - tailBytes);
    for (;;) {
      // Asked before reading: what was written before the end is read.
      const last = this.ended || !follow;
      for (const piece of this.#from(at)) {
        if (signal.aborted) return;
        at = piece.offset + piece.data.length;
        yield { stream, ...piece };
      }
      if (last || signal.aborted) return;
      await clock.sleep(POLL_MS, signal);
    }
  }

  *#from(at: number): Iterable<{ readonly offset: number; readonly data: Uint8Array }> {
    let begin = this.#gone;
    for (const data of [...this.#pieces]) {
      const skip = Math.max(0, at - begin);
      if (skip < data.length) yield { offset: begin + skip, data: data.subarray(skip) };
      begin += data.length;
    }
  }
}
