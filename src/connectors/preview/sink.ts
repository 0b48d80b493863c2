/**
 * Hands rows to whoever watches the job, no faster than they can be looked at and no more than they can be kept. What comes faster waits, if
 * a small result is to be shown whole, or is left out; what comes after the limit is left out, and counted. At least once; a row keeps its
 * number over a restore, so that showing it twice changes nothing.
 */
import { type Clock, systemClock } from "../../core/clock.ts";
import type { PreviewOutput, Sink, SinkCommit } from "../connector.ts";
import { splitRows } from "./rows.ts";

/** Rows of one batch at most. */
const BATCH_ROWS = 500;
/** Characters of one batch at most, unless a single row has more. */
const BATCH_CHARACTERS = 1 << 20;
const SECOND_MS = 1000;

/** A preview sink of one subtask. */
export class PreviewSink implements Sink {
  readonly #output: PreviewOutput;
  readonly #clock: Clock;
  /** Rows so far, those left out included. */
  #rows = 0;
  #dropped = 0;
  #toldDropped = 0;
  #windowMs = Number.NEGATIVE_INFINITY;
  #sentInWindow = 0;
  #closed = false;

  constructor(output: PreviewOutput, clock: Clock = systemClock) {
    this.#output = output;
    this.#clock = clock;
  }

  async open(restored: readonly SinkCommit[] | undefined): Promise<void> {
    for (const { rows } of restored ?? []) this.#rows = Math.max(this.#rows, Number(rows));
  }

  async write(bytes: Uint8Array, rows: number): Promise<void> {
    const end = this.#rows + rows;
    // The bytes are the slot's: they are read before anything is waited for.
    const left = Math.max(0, this.#output.rows - this.#rows);
    const texts = splitRows(bytes, this.#output.waits ? left : Math.min(left, this.#room()));
    while (texts.length > 0) {
      const room = this.#room();
      if (room > 0) this.#send(texts.splice(0, Math.min(room, batchSize(texts))));
      else if (this.#output.waits && !this.#closed) await this.#clock.sleep(this.#windowMs + SECOND_MS - this.#clock.elapsedMs());
      else break;
    }
    this.#dropped += end - this.#rows;
    this.#rows = end;
  }

  #send(rows: readonly string[]): void {
    this.#output.send({ firstRow: this.#rows, rows, dropped: this.#dropped });
    this.#rows += rows.length;
    this.#sentInWindow += rows.length;
    this.#toldDropped = this.#dropped;
  }

  /** Rows that may be sent in this second. */
  #room(): number {
    const nowMs = this.#clock.elapsedMs();
    if (nowMs - this.#windowMs >= SECOND_MS) {
      this.#windowMs = nowMs;
      this.#sentInWindow = 0;
    }
    return Math.max(1, this.#output.rowsPerSecond) - this.#sentInWindow;
  }

  /** Says how many rows have been left out, once it has changed. */
  #tellDropped(): void {
    if (this.#dropped === this.#toldDropped) return;
    this.#toldDropped = this.#dropped;
    this.#output.send({ firstRow: this.#rows, rows: [], dropped: this.#dropped });
  }

  async stage(): Promise<SinkCommit> {
    this.#tellDropped();
    return { rows: this.#rows };
  }

  async commit(): Promise<void> {
    // Rows have been shown already.
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#tellDropped();
  }
}

/** How many of `rows` make a batch: at least one. */
function batchSize(rows: readonly string[]): number {
  let characters = 0;
  for (let i = 0; i < Math.min(rows.length, BATCH_ROWS); i++) {
    characters += rows[i]?.length ?? 0;
    if (i > 0 && characters > BATCH_CHARACTERS) return i;
  }
  return BATCH_ROWS;
}
