/**
 * Barriers by row count (`checkpoint-every-rows`): the k-th barrier after the restored epoch stands behind the k × N-th row of every source
 * of the subtask, so that tests and replays know which rows an epoch holds. Pure.
 */
import { assert } from "../core/assert.ts";

/** Counts the rows of one source of one subtask. */
export class RowPacing {
  readonly #everyRows: number;
  readonly #baseEpoch: number;
  #rows = 0;

  /** `everyRows` 0: no barriers by rows. Counting starts at the restored epoch `baseEpoch` (0: a first start). */
  constructor(everyRows: number, baseEpoch: number) {
    this.#everyRows = everyRows;
    this.#baseEpoch = baseEpoch;
  }

  /** Rows read since the start. */
  get rows(): number {
    return this.#rows;
  }

  /** Rows that may still be read before barrier `epoch`; infinite without pacing, 0 if the source has to wait for it. */
  room(epoch: number): number {
    if (this.#everyRows === 0) return Number.POSITIVE_INFINITY;
    return Math.max(0, (epoch - this.#baseEpoch) * this.#everyRows - this.#rows);
  }

  /** `rows` were read; never more than there was room for. */
  read(rows: number): void {
    assert(rows >= 0, `${rows} rows were read`);
    this.#rows += rows;
  }
}
