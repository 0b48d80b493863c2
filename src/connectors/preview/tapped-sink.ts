/**
 * Any sink with a tap: while somebody looks at it, some of its rows are shown besides. What is shown is a sample: rows beyond the rate are
 * left out, and the sink never waits for it. Costs nothing while the tap is closed.
 */
import type { Clock } from "../../core/clock.ts";
import type { PreviewBatch, Sink, SinkCommit } from "../connector.ts";
import { splitRows } from "./rows.ts";

const SECOND_MS = 1000;

/** See the file's comment. */
export class TappedSink implements Sink {
  readonly #sink: Sink;
  readonly #send: (batch: PreviewBatch) => void;
  readonly #clock: Clock;
  /** Rows written since the slot's start: a row's number. */
  #rows = 0;
  #perSecond = 0;
  #skipped = 0;
  #windowMs = Number.NEGATIVE_INFINITY;
  #left = 0;

  constructor(sink: Sink, send: (batch: PreviewBatch) => void, clock: Clock) {
    this.#sink = sink;
    this.#send = send;
    this.#clock = clock;
  }

  /** Shows at most `rowsPerSecond` rows a second from now on; 0 closes the tap. */
  tap(rowsPerSecond: number): void {
    this.#perSecond = rowsPerSecond;
    this.#skipped = 0;
    this.#windowMs = Number.NEGATIVE_INFINITY;
  }

  open(restored: readonly SinkCommit[] | undefined): Promise<void> {
    return this.#sink.open(restored);
  }

  write(bytes: Uint8Array, rows: number): Promise<void> {
    if (this.#perSecond > 0) this.#show(bytes, rows);
    this.#rows += rows;
    return this.#sink.write(bytes, rows);
  }

  stage(epoch: number): Promise<SinkCommit | undefined> {
    return this.#sink.stage(epoch);
  }

  commit(epoch: number, staged: SinkCommit): Promise<void> {
    return this.#sink.commit(epoch, staged);
  }

  close(finished: boolean): Promise<void> {
    return this.#sink.close(finished);
  }

  #show(bytes: Uint8Array, rows: number): void {
    const nowMs = this.#clock.elapsedMs();
    if (nowMs - this.#windowMs >= SECOND_MS) {
      this.#windowMs = nowMs;
      this.#left = this.#perSecond;
    }
    const texts = this.#left > 0 ? splitRows(bytes, this.#left) : [];
    this.#left -= texts.length;
    if (texts.length > 0) this.#send({ firstRow: this.#rows, rows: texts, dropped: this.#skipped });
    this.#skipped += Math.max(0, rows - texts.length);
  }
}
