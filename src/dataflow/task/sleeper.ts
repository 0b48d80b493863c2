/**
 * How a slot waits without blocking its thread: until a connector answers, a doorbell rings, a command comes or a timer falls due. A wake-up
 * is never lost: it is remembered until the next sleep looks.
 */
import type { Doorbells } from "../exchange/doorbell.ts";

/** How many microtasks a connector's answer may take before the slot really goes to sleep. */
const MICROTASKS = 16;

/** See the file's comment. */
export class Sleeper {
  readonly #doorbells: Doorbells | undefined;
  readonly #ring = (): void => this.wake();
  #woken = false;
  #resume: (() => void) | undefined;

  /** `doorbells` undefined: the slot is alone. */
  constructor(doorbells: Doorbells | undefined) {
    this.#doorbells = doorbells;
  }

  /** Something may have become possible. */
  wake(): void {
    this.#woken = true;
    const resume = this.#resume;
    this.#resume = undefined;
    resume?.();
  }

  /** Lets the event loop turn once. */
  yield(): Promise<void> {
    this.#woken = false;
    return new Promise((resolve) => {
      setImmediate(resolve);
    });
  }

  /** Gives connectors that have their bytes at hand a chance to answer. True if something woke the slot. */
  async doze(): Promise<boolean> {
    for (let tick = 0; tick < MICROTASKS && !this.#woken; tick++) await undefined;
    return this.#take();
  }

  /** Lets the event loop turn once, for I/O that is already done. True if something woke the slot. */
  async glance(): Promise<boolean> {
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    return this.#take();
  }

  /** Sleeps for at most `ms()` milliseconds, unless `look`, called when every ring is heard, finds work. */
  async sleep(look: () => boolean, ms: () => number): Promise<void> {
    this.#doorbells?.startWaiting(this.#ring);
    if (!this.#woken && !look()) {
      const timer = setTimeout(this.#ring, ms());
      await new Promise<void>((resolve) => {
        this.#resume = resolve;
      });
      clearTimeout(timer);
    }
    this.#doorbells?.stopWaiting();
    this.#take();
  }

  #take(): boolean {
    const woken = this.#woken;
    this.#woken = false;
    return woken;
  }
}
