/** How much processor workers use: from the processor time that their heartbeats tell, between one and the next. */

interface Told {
  readonly cpuUs: number;
  readonly atMs: number;
}

const US_PER_MS = 1_000;
/** Two heartbeats that come closer together say nothing: they waited in the same queue. */
const LEAST_MS = 500;

/** See the file's comment. */
export class CpuMeter {
  readonly #told = new Map<string, Told>();

  /**
   * A worker has used `cpuUs` microseconds since its start (0: it does not tell), as of `atMs`. Its use since it told last, in thousandths of a
   * processor; undefined: not known.
   */
  heard(worker: string, cpuUs: number, atMs: number): number | undefined {
    if (cpuUs === 0) return undefined;
    const before = this.#told.get(worker);
    if (before !== undefined && atMs - before.atMs < LEAST_MS) return undefined;
    this.#told.set(worker, { cpuUs, atMs });
    if (before === undefined || cpuUs < before.cpuUs) return undefined;
    return Math.round(((cpuUs - before.cpuUs) / US_PER_MS / (atMs - before.atMs)) * 1_000);
  }

  /** It has ended. */
  forget(worker: string): void {
    this.#told.delete(worker);
  }
}
