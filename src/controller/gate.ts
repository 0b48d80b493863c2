/** Lets a bounded number of pieces of work run at the same time; the others wait in order. */

/** See the file's comment. */
export class Gate {
  readonly #limit: number;
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  /** `limit`: from 1. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Work that runs or waits. */
  get load(): number {
    return this.#running + this.#waiting.length;
  }

  /** Runs `work` when its turn has come; its result or error is the caller's. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#limit) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#running += 1;
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }
}
