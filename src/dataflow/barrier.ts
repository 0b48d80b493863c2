/**
 * Alignment of barriers at one vertex of one subtask: once an input has delivered barrier k, its later frames wait until every input has
 * delivered it, so that the vertex' state at the barrier contains exactly the rows before it. An input that has ended counts as aligned
 * for every epoch. Pure.
 */
import { assert } from "../core/assert.ts";

/** The state of alignment over `inputs` numbered inputs. */
export class BarrierAligner {
  readonly #delivered: boolean[];
  readonly #ended: boolean[];
  #epoch: number | undefined;

  constructor(inputs: number) {
    this.#delivered = new Array<boolean>(inputs).fill(false);
    this.#ended = new Array<boolean>(inputs).fill(false);
  }

  /** The epoch being aligned; undefined while no barrier waits. */
  get epoch(): number | undefined {
    return this.#epoch;
  }

  /** True while frames of `input` have to wait for the other inputs' barriers. */
  blocked(input: number): boolean {
    return this.#delivered[input] === true;
  }

  /** Number of inputs whose frames wait. */
  get blockedInputs(): number {
    return this.#delivered.reduce((count, delivered) => count + (delivered ? 1 : 0), 0);
  }

  /** `input` delivered barrier `epoch`. Returns the epoch if the vertex is aligned now; all inputs are then unblocked. */
  barrier(input: number, epoch: number): number | undefined {
    assert(this.#delivered[input] !== true && this.#ended[input] !== true, `input ${input} delivered barrier ${epoch} while it must wait`);
    assert(this.#epoch === undefined || this.#epoch === epoch, `barrier ${epoch} came while barrier ${this.#epoch} is being aligned`);
    this.#epoch = epoch;
    this.#delivered[input] = true;
    return this.#complete();
  }

  /** `input` ended. Returns the epoch that this completes, if one was waiting for it. */
  end(input: number): number | undefined {
    assert(this.#delivered[input] !== true, `input ${input} ended while it must wait`);
    this.#ended[input] = true;
    return this.#complete();
  }

  #complete(): number | undefined {
    if (this.#epoch === undefined) return undefined;
    for (let i = 0; i < this.#delivered.length; i++) {
      if (this.#delivered[i] !== true && this.#ended[i] !== true) return undefined;
    }
    const epoch = this.#epoch;
    this.#epoch = undefined;
    this.#delivered.fill(false);
    return epoch;
  }
}
