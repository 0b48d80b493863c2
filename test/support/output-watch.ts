/** Watches outputs grow, so that tests can tell how long each paused. It looks often and remembers every growth; it does not read what was written. */

/** Something that grows. */
export interface Growing {
  /** Bytes so far. */
  readonly size: number;
}

const LOOK_MS = 10;

interface Watched {
  readonly output: Growing;
  size: number;
  readonly grownMs: number[];
}

/** See the file's comment. Times are milliseconds of `performance.now()`. */
export class OutputWatch {
  readonly #watched: readonly Watched[];
  readonly #timer: NodeJS.Timeout;

  /** Watches from now on. */
  constructor(outputs: readonly Growing[]) {
    this.#watched = outputs.map((output) => ({ output, size: output.size, grownMs: [performance.now()] }));
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
  }

  #look(): void {
    const nowMs = performance.now();
    for (const one of this.#watched) {
      const { size } = one.output;
      if (size === one.size) continue;
      one.size = size;
      one.grownMs.push(nowMs);
    }
  }

  /** When the output grew last. */
  lastMs(index: number): number {
    return this.#watched[index]?.grownMs.at(-1) ?? 0;
  }

  /** The longest pause of the output that reaches beyond `sinceMs`, up to now. */
  longestMs(index: number, sinceMs: number): number {
    const times = [...(this.#watched[index]?.grownMs ?? []), performance.now()];
    return Math.max(0, ...times.map((ms, i) => (ms < sinceMs ? 0 : ms - (times[i - 1] ?? ms))));
  }

  /** Looks no more. */
  stop(): void {
    clearInterval(this.#timer);
  }
}
