/**
 * How the threads of a worker wake each other without blocking: one counter and one "I am waiting" flag per thread in shared memory. The
 * one who waits raises its flag, looks for work once more and then sleeps until its counter changes; the one who brings work adds to the
 * counter if the flag is up. Sequentially consistent atomics make a lost wake-up impossible: either the look finds the work or the flag is
 * seen.
 *
 * `Atomics.waitAsync` does not keep a thread alive: every slot holds its control port referenced.
 */

const INTS_PER_THREAD = 16;
const WAITING = 1;

/** Memory for `threads` doorbells. */
export function makeDoorbells(threads: number): SharedArrayBuffer {
  return new SharedArrayBuffer(threads * INTS_PER_THREAD * 4);
}

/** The doorbells as one thread, number `own`, sees them. */
export class Doorbells {
  readonly #ints: Int32Array;
  readonly #own: number;
  /** A wait is outstanding. It outlives the sleep it was made for: making and ending one costs more than the sleep. */
  #listening = false;

  constructor(memory: SharedArrayBuffer, own: number) {
    this.#ints = new Int32Array(memory);
    this.#own = own * INTS_PER_THREAD;
  }

  /** Wakes `thread` if it waits: after new bytes, room or credit for it. */
  ring(thread: number): void {
    const at = thread * INTS_PER_THREAD;
    if (Atomics.load(this.#ints, at + WAITING) === 0) return;
    Atomics.add(this.#ints, at, 1);
    Atomics.notify(this.#ints, at);
  }

  /**
   * Raises the flag. Look for work behind it, once more, then wait: `onRing` is called when the bell rings, possibly also later than
   * `stopWaiting`. One and the same function every time.
   */
  startWaiting(onRing: () => void): void {
    Atomics.store(this.#ints, this.#own + WAITING, 1);
    if (this.#listening) return;
    const result = Atomics.waitAsync(this.#ints, this.#own, Atomics.load(this.#ints, this.#own));
    if (!result.async) return onRing();
    this.#listening = true;
    const heard = (): void => {
      this.#listening = false;
      onRing();
    };
    result.value.then(heard, heard);
  }

  /** Lowers the flag: nobody needs to ring. */
  stopWaiting(): void {
    Atomics.store(this.#ints, this.#own + WAITING, 0);
  }
}
