/**
 * The only door to the machine's clocks and timers. Code that needs time takes a `Clock`; tests pass a `ManualClock`, in which time stands
 * still until the test moves it. It does not know calendars: see `time.ts`.
 */
import { setTimeout as sleepFor } from "node:timers/promises";
import { NS_PER_MS } from "./time.ts";

/** Wall time, elapsed time and waiting. */
export interface Clock {
  /** Wall time in nanoseconds since 1970-01-01 UTC; may jump when the machine's clock is set. Resolution: one millisecond. */
  nowNs(): bigint;
  /** Elapsed time in milliseconds since an arbitrary origin; never goes back. For durations and deadlines. */
  elapsedMs(): number;
  /**
   * Resolves after `ms` milliseconds (>= 0), or as soon as `signal` is aborted: an abort is not an error, the caller looks at its signal.
   */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** The machine's clock. */
export const systemClock: Clock = {
  nowNs: () => BigInt(Date.now()) * NS_PER_MS,
  elapsedMs: () => performance.now(),
  sleep(ms, signal) {
    if (signal === undefined) return sleepFor(ms);
    if (signal.aborted) return Promise.resolve();
    // Not with the signal as an option: each abort would make an exception, and thousands of sleeps are aborted a second.
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        signal.removeEventListener("abort", wake);
        resolve();
      };
      const timer = setTimeout(wake, ms);
      signal.addEventListener("abort", wake, { once: true });
    });
  },
};

interface Sleeper {
  readonly wakeAtMs: number;
  readonly wake: () => void;
}

/** A clock for tests: time moves only by `advance`, which wakes sleepers in the order of their deadlines. */
export class ManualClock implements Clock {
  #elapsedMs = 0;
  readonly #startNs: bigint;
  #sleepers: Sleeper[] = [];

  /** Starts at `startNs`, nanoseconds since 1970-01-01 UTC. */
  constructor(startNs = 0n) {
    this.#startNs = startNs;
  }

  nowNs(): bigint {
    return this.#startNs + BigInt(Math.round(this.#elapsedMs * 1e6));
  }

  elapsedMs(): number {
    return this.#elapsedMs;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted === true) return Promise.resolve();
    return new Promise((resolve) => {
      const sleeper: Sleeper = { wakeAtMs: this.#elapsedMs + ms, wake: resolve };
      this.#sleepers.push(sleeper);
      signal?.addEventListener("abort", () => this.#wake(sleeper), { once: true });
    });
  }

  /** How many sleeps are pending. */
  get sleeping(): number {
    return this.#sleepers.length;
  }

  /** Lets what is ready run, then moves time forward by `ms` milliseconds; each sleeper that falls due sees its own deadline as the time and may sleep again. */
  async advance(ms: number): Promise<void> {
    const target = this.#elapsedMs + ms;
    await settle();
    for (let next = this.#nextDue(target); next !== undefined; next = this.#nextDue(target)) {
      this.#elapsedMs = next.wakeAtMs;
      this.#wake(next);
      await settle();
    }
    this.#elapsedMs = target;
  }

  #nextDue(target: number): Sleeper | undefined {
    const due = this.#sleepers.filter((sleeper) => sleeper.wakeAtMs <= target);
    return due.reduce<Sleeper | undefined>((first, s) => (first === undefined || s.wakeAtMs < first.wakeAtMs ? s : first), undefined);
  }

  #wake(sleeper: Sleeper): void {
    this.#sleepers = this.#sleepers.filter((other) => other !== sleeper);
    sleeper.wake();
  }
}

/** Lets everything that became ready run: one turn of the event loop, after all microtasks. */
function settle(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
