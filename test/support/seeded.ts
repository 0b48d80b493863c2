/**
 * Seeded test values beyond what `Prng` draws: 64-bit integers of any length, floats by their bits, decimal digits.
 */
import { Prng } from "../../src/core/prng.ts";

/** A `Prng` with draws for numbers. The same seed gives the same cases on every machine. */
export class Seeded extends Prng {
  readonly #word = new DataView(new ArrayBuffer(8));

  /** A 64-bit integer whose length in bits is uniform, so that small and huge ones are equally likely. */
  u64OfAnyLength(): bigint {
    return this.nextU64() >> BigInt(this.below(64));
  }

  /** The double with uniform bits: NaN and infinities included. */
  f64Bits(): number {
    this.#word.setUint32(0, this.nextU32());
    this.#word.setUint32(4, this.nextU32());
    return this.#word.getFloat64(0);
  }

  /** The float with uniform bits: NaN and infinities included. */
  f32Bits(): number {
    this.#word.setUint32(0, this.nextU32());
    return this.#word.getFloat32(0);
  }

  /** `length` random decimal digits. */
  digits(length: number): string {
    let text = "";
    for (; length > 8; length -= 8) text += String(this.below(1e8)).padStart(8, "0");
    return text + String(this.below(10 ** length)).padStart(length, "0");
  }
}
