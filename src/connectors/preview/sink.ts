/**
 * Hands rows to whoever watches the job, no faster than they can be looked at and no more than they can be kept: what comes faster waits, so
 * that a small result is shown whole; what comes after the limit is counted and dropped. At least once; a row keeps its number over a
 * restore, so that showing it twice changes nothing.
 */

import type { Clock } from "../../core/clock.ts";
import { systemClock } from "../../core/clock.ts";
import type { PreviewOutput, Sink, SinkCommit } from "../connector.ts";
import { splitRows } from "./rows.ts";

/** Rows of one batch at most. */
const BATCH_ROWS = 500;
const SECOND_MS = 1000;

/** A preview sink of one subtask. */
export class PreviewSink implements Sink {
  readonly #output: PreviewOutput;
  readonly #clock: Clock;
  /** Rows so far, dropped ones included. */
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
    this.#dropped = Math.max(0, this.#rows - this.#output.rows);
  }

  async write(bytes: Uint8Array, rows: number): Promise<void> {
    if (this.#rows >= this.#output.rows) {
      this.#rows += rows;
      this.#dropped += rows;
      return;
    }
    // The bytes are the slot's: they are read before anything is waited for.
    const texts = splitRows(bytes);
    for (let at = 0; at < texts.length; ) {
      const left = this.#output.rows - this.#rows;
      if (left <= 0) {
        this.#rows += texts.length - at;
        this.#dropped += texts.length - at;
        return;
      }
      const room = await this.#room();
      const batch = texts.slice(at, at + Math.min(room, left, BATCH_ROWS));
      this.#output.send({ firstRow: this.#rows, rows: batch, dropped: this.#dropped });
      this.#rows += batch.length;
      this.#sentInWindow += batch.length;
      at += batch.length;
    }
  }

  /** Rows that may be sent now, at least one; waits until then. */
  async #room(): Promise<number> {
    const perSecond = Math.max(1, this.#output.rowsPerSecond);
    for (;;) {
      const nowMs = this.#clock.elapsedMs();
      if (nowMs - this.#windowMs >= SECOND_MS) {
        this.#windowMs = nowMs;
        this.#sentInWindow = 0;
      }
      const room = perSecond - this.#sentInWindow;
      if (room > 0 || this.#closed) return Math.max(1, room);
      await this.#clock.sleep(SECOND_MS - (nowMs - this.#windowMs));
    }
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
