/**
 * A slot of a simulated worker: a tiny exactly-once program. Its sources read the splits that fall to the subtask, its state sums what was
 * read, its sink stages rows until the next barrier. Behaves towards barriers, stops and ends as `src/dataflow/slot.ts` does.
 */
import type { SimReport } from "./messages.ts";
import { type SimManifest, SPLIT_ROWS } from "./outside.ts";

interface Split {
  readonly split: number;
  position: number;
  sum: number;
}

/** See the file's comment. */
export class SimSlot {
  readonly subtask: number;
  readonly splits: readonly Split[];
  #staged: number[] = [];
  known: number;
  injected: number;
  stopAfter = Number.POSITIVE_INFINITY;
  ready = false;
  running = false;
  endedTold = false;
  closed = false;
  /** The sink has published this epoch and all before it. */
  committed: number;
  readonly #ahead = new Set<number>();
  /** Stored reports whose epoch may not count yet. */
  readonly reports: SimReport[] = [];

  constructor(subtask: number, parallelism: number, splits: number, base: number, restored: SimManifest | undefined) {
    this.subtask = subtask;
    const own = Array.from({ length: splits }, (_, split) => split).filter((split) => split % parallelism === subtask);
    this.splits = own.map((split) => ({ split, position: restored?.positions[split] ?? 0, sum: restored?.sums[split] ?? 0 }));
    this.known = base;
    this.injected = base;
    this.committed = base;
  }

  /** Whether the state is what reading all rows up to the position gives. */
  get isConsistent(): boolean {
    return this.splits.every(({ position, sum }) => sum === (position * (position - 1)) / 2);
  }

  hasEnded(limits: readonly number[]): boolean {
    return this.splits.every(({ split, position }) => position >= (limits[split] ?? 0));
  }

  /** Reads some rows of every split. */
  read(count: number, limits: readonly number[]): void {
    if (this.injected >= this.stopAfter) return;
    for (const at of this.splits) {
      const end = Math.min(limits[at.split] ?? 0, at.position + count);
      for (; at.position < end; at.position++) {
        this.#staged.push(at.split * SPLIT_ROWS + at.position);
        at.sum += at.position;
      }
    }
  }

  /** An epoch was announced. A later stop overrides an earlier one: sources go on up to its barrier. */
  trigger(epoch: number, stop: boolean): void {
    this.known = Math.max(this.known, epoch);
    if (stop) this.stopAfter = epoch;
  }

  /** The sink has published `epoch`; commits may come in another order than epochs. */
  publish(epoch: number): void {
    this.#ahead.add(epoch);
    while (this.#ahead.delete(this.committed + 1)) this.committed++;
  }

  /** Sends the next barrier if one is due: both vertices' parts, to be stored. */
  inject(): readonly SimReport[] {
    if (this.known <= this.injected || this.injected >= this.stopAfter) return [];
    this.injected++;
    const rows = this.#staged;
    this.#staged = [];
    const positions = this.splits.map(({ split, position, sum }) => [split, position, sum] as const);
    const { injected: epoch, subtask } = this;
    return [
      { epoch, vertex: 0, subtask, positions, rows: [] },
      { epoch, vertex: 1, subtask, positions: [], rows },
    ];
  }
}
