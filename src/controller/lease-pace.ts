/**
 * How long the leader lease is asked for. A machine or a database that is slow makes renewals late; a lease that is lost for it costs a
 * take-over, which makes everything slower still. So the lease grows with the lateness that was seen, and shrinks again when it is over:
 * a standby takes over quickly from a leader that is well, and later from one that was struggling. Pure.
 */

/** Lateness that is normal, milliseconds. */
const FREE_MS = 500;
/** Lateness counts so many times. */
const FACTOR = 4;
/** What is left of an old lateness at each renewal. */
const DECAY = 0.9;
/** Longest lease, milliseconds. */
export const LONGEST_LEASE_MS = 8_000;

/** See the file's comment. One for all terms of a process. */
export class LeasePace {
  readonly #shortestMs: number;
  #lateMs = 0;

  /** `shortestMs`: the lease of a leader that is well. */
  constructor(shortestMs: number) {
    this.#shortestMs = shortestMs;
  }

  /** What to ask for now, milliseconds. */
  get leaseMs(): number {
    const longestMs = Math.max(this.#shortestMs, LONGEST_LEASE_MS);
    return Math.min(longestMs, this.#shortestMs + FACTOR * Math.max(0, this.#lateMs - FREE_MS));
  }

  /** A renewal was answered so long after it was due; one that was never answered: after the whole lease. */
  renewed(lateMs: number): void {
    this.#lateMs = Math.max(lateMs, this.#lateMs * DECAY);
  }
}
