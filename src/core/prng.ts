/**
 * Randomness that can be replayed. Everything random takes a `Prng`; from one seed it gives the same values on every machine, because it
 * computes in integers only. Not for secrets. `systemRandom` is the one door to real randomness.
 *
 * Generator: xoshiro128** by Blackman and Vigna, https://prng.di.unimi.it/xoshiro128starstar.c, its state filled by SplitMix32.
 */
import { randomInt } from "node:crypto";
import { assert } from "./assert.ts";

/** Where random integers come from: a seeded `Prng`, or `systemRandom`. */
export interface RandomSource {
  /** A uniform integer in 0 .. `bound` - 1; `bound` is an integer in 1 .. 2^32. */
  below(bound: number): number;
}

/** The operating system's randomness, for ids: a `Prng` has only 2^32 sequences, too few to be unique across processes. */
export const systemRandom: RandomSource = { below: (bound) => randomInt(bound) };

/** A seeded generator. Two with the same seed give the same sequence; the methods consume from one stream. */
export class Prng implements RandomSource {
  readonly #state: Uint32Array;

  /** `seed`: any 32-bit unsigned integer; print it in a test's failure. */
  constructor(seed: number) {
    let z = seed >>> 0;
    this.#state = Uint32Array.from({ length: 4 }, () => {
      z = (z + 0x9e3779b9) >>> 0;
      let t = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
      t = Math.imul(t ^ (t >>> 15), 0x735a2d97);
      return (t ^ (t >>> 15)) >>> 0;
    });
  }

  /** A uniform integer in 0 .. 2^32 - 1. */
  nextU32(): number {
    const s = this.#state as unknown as [number, number, number, number];
    const result = Math.imul(rotateLeft(Math.imul(s[1], 5), 7), 9) >>> 0;
    const shifted = s[1] << 9;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotateLeft(s[3], 11);
    return result;
  }

  /** A uniform integer in 0 .. 2^64 - 1. */
  nextU64(): bigint {
    return (BigInt(this.nextU32()) << 32n) | BigInt(this.nextU32());
  }

  /** A uniform integer in 0 .. `bound` - 1; `bound` is an integer in 1 .. 2^32. Without bias: values beyond a multiple of `bound` are redrawn. */
  below(bound: number): number {
    assert(Number.isInteger(bound) && bound >= 1 && bound <= 2 ** 32, `bound must be an integer in 1 .. 2^32, not ${bound}`);
    const limit = 2 ** 32 - (2 ** 32 % bound);
    for (;;) {
      const value = this.nextU32();
      if (value < limit) return value % bound;
    }
  }

  /** A uniform integer in `low` .. `high`, both included; the span is at most 2^32. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  /** True in `numerator` of `denominator` draws. */
  chance(numerator: number, denominator: number): boolean {
    return this.below(denominator) < numerator;
  }

  /** One of `items`, which is not empty. */
  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }

  /** `items` in a random order, as a new array (Fisher and Yates). */
  shuffle<T>(items: readonly T[]): T[] {
    const result = [...items];
    for (let i = result.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [result[i], result[j]] = [result[j] as T, result[i] as T];
    }
    return result;
  }

  /** A generator of its own stream, so that two consumers do not disturb each other's sequence. */
  fork(): Prng {
    return new Prng(this.nextU32());
  }
}

function rotateLeft(value: number, count: number): number {
  return (value << count) | (value >>> (32 - count));
}
