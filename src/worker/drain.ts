/**
 * When a worker whose sources are paused is empty: nothing waits anywhere and nothing has moved for a while. A pause of a second is long
 * against a row's way through the slots of all workers, so that no worker has to ask the others. Pure.
 */
import type { SlotProgress } from "../dataflow/slot-contract.ts";

/** How long nothing may have moved, milliseconds. */
const QUIET_MS = 1_000;

/** See the file's comment. */
export class Drain {
  #movement = "";
  #quietSinceMs: number;

  /** Sources have been paused at `nowMs`. */
  constructor(nowMs: number) {
    this.#quietSinceMs = nowMs;
  }

  /** Whether all rows have left the `slots` of this worker, as of `nowMs`. */
  isEmpty(slots: Iterable<SlotProgress>, nowMs: number): boolean {
    const all = [...slots];
    const movement = all.map(({ rowsRead, rowsWritten, vertices }) => [
      rowsRead,
      rowsWritten,
      ...vertices.map(({ stats }) => stats.rowsIn),
    ]);
    const waiting = all.some(({ vertices }) => vertices.some(({ queueBytes }) => queueBytes > 0));
    const text = movement.join(";");
    if (waiting || text !== this.#movement) {
      this.#movement = text;
      this.#quietSinceMs = nowMs;
    }
    return nowMs - this.#quietSinceMs >= QUIET_MS;
  }
}
