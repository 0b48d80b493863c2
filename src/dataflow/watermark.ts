/**
 * Event time of one vertex of one subtask: the minimum over its inputs. Inputs that are idle are left out, inputs that have ended stand at
 * the end of time. Pure: the slot feeds it what arrives and asks what follows.
 *
 * Invariant: `ns` never goes back, even when an idle input wakes up with an older watermark.
 */

/** Event time after which nothing comes: the largest i64. */
export const END_OF_TIME = 2n ** 63n - 1n;
/** Event time of an input that has said nothing yet: the smallest i64. */
export const BEFORE_TIME = -(2n ** 63n);

/** Who holds event time back: a partition of a source vertex. */
export interface Holder {
  readonly vertex: number;
  readonly partition: number;
}

/** What an update changed. */
export interface WatermarkChange {
  /** The minimum rose: `ns` and `holder` are new. */
  readonly advanced: boolean;
  /** The vertex became idle or active: `idle` is new. */
  readonly idleChanged: boolean;
}

const NO_CHANGE: WatermarkChange = { advanced: false, idleChanged: false };
const ADVANCED: WatermarkChange = { advanced: true, idleChanged: false };
const IDLE_CHANGED: WatermarkChange = { advanced: false, idleChanged: true };
const BOTH: WatermarkChange = { advanced: true, idleChanged: true };

/** The minimum over `inputs` numbered inputs. */
export class WatermarkTracker {
  readonly #ns: bigint[];
  readonly #holders: (Holder | undefined)[];
  readonly #idle: boolean[];
  readonly #ended: boolean[];
  #current = BEFORE_TIME;
  #holder: Holder | undefined;
  #allIdle = false;

  constructor(inputs: number) {
    this.#ns = new Array<bigint>(inputs).fill(BEFORE_TIME);
    this.#holders = new Array<Holder | undefined>(inputs).fill(undefined);
    this.#idle = new Array<boolean>(inputs).fill(false);
    this.#ended = new Array<boolean>(inputs).fill(false);
  }

  /** Event time of the vertex in ns; `BEFORE_TIME` if unknown, `END_OF_TIME` when all inputs have ended. */
  get ns(): bigint {
    return this.#current;
  }

  /** The holder of `ns`, as carried by the input that is behind; undefined while an input has said nothing. */
  get holder(): Holder | undefined {
    return this.#holder;
  }

  /** True while every input that has not ended is idle. */
  get idle(): boolean {
    return this.#allIdle;
  }

  /** True when every input has ended. */
  get ended(): boolean {
    return this.#ended.every((ended) => ended);
  }

  /** Number of the input that holds time back; undefined if none does. */
  get behind(): number | undefined {
    return this.#slowest();
  }

  /** Input `input` has reached `ns`; a lower value than before is ignored, but wakes the input up. */
  advance(input: number, ns: bigint, holder: Holder | undefined): WatermarkChange {
    if (ns > (this.#ns[input] as bigint)) {
      this.#ns[input] = ns;
      this.#holders[input] = holder;
    } else if (this.#idle[input] !== true) {
      return NO_CHANGE;
    }
    this.#idle[input] = false;
    return this.#update();
  }

  /** Input `input` has rows: it is not idle. */
  wake(input: number): WatermarkChange {
    if (this.#idle[input] !== true) return NO_CHANGE;
    this.#idle[input] = false;
    return this.#update();
  }

  /** Input `input` has nothing to say until it does; it no longer holds time back. */
  setIdle(input: number): WatermarkChange {
    if (this.#idle[input] === true || this.#ended[input] === true) return NO_CHANGE;
    this.#idle[input] = true;
    return this.#update();
  }

  /** Nothing comes from `input` any more. */
  end(input: number): WatermarkChange {
    this.#ended[input] = true;
    this.#idle[input] = false;
    this.#ns[input] = END_OF_TIME;
    this.#holders[input] = undefined;
    return this.#update();
  }

  /** Starts at `ns` after a restore: nothing older is ever reported. */
  restore(ns: bigint): void {
    if (ns > this.#current) this.#current = ns;
  }

  #slowest(): number | undefined {
    let slowest: number | undefined;
    for (let i = 0; i < this.#ns.length; i++) {
      if (this.#idle[i] === true || this.#ended[i] === true) continue;
      if (slowest === undefined || (this.#ns[i] as bigint) < (this.#ns[slowest] as bigint)) slowest = i;
    }
    return slowest;
  }

  #update(): WatermarkChange {
    const slowest = this.#slowest();
    const idle = slowest === undefined && this.#idle.some((i) => i);
    const idleChanged = idle !== this.#allIdle;
    this.#allIdle = idle;
    if (slowest !== undefined) this.#holder = this.#holders[slowest];
    const ns = slowest !== undefined ? (this.#ns[slowest] as bigint) : idle ? this.#current : END_OF_TIME;
    if (ns <= this.#current) return idleChanged ? IDLE_CHANGED : NO_CHANGE;
    this.#current = ns;
    return idleChanged ? BOTH : ADVANCED;
  }
}
