/** Random scalar values with the ones that break things more often than chance would have it. */
import type { Prng } from "../../src/core/prng.ts";
import { type IntegerKind, integerRange } from "../../src/data/data-type.ts";

const CHARACTERS = [
  "a",
  "b",
  "B",
  "z",
  " ",
  "0",
  "9",
  ",",
  "%",
  "_",
  '"',
  "\\",
  "/",
  "\n",
  "\t",
  "\u0001",
  "\u007f",
  "é",
  "ß",
  "İ",
  "ñ",
  "Δ",
  "世",
  "界",
  "\uffff",
  "🌍",
  "👩‍🚀",
];
const WORDS = [
  "",
  "a",
  "ab",
  "abc",
  "NULL",
  "true",
  "false",
  "12",
  "-7",
  "1.5",
  "1e3",
  " 42 ",
  "2023-01-01T00:00:00",
  "ünïcödé",
  "日本語",
  "🎉🎊",
];
const EDGES = [2n ** 31n - 1n, 2n ** 31n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 53n + 1n, 2n ** 63n - 1n, 2n ** 64n - 1n];

/** Text of at most `length` characters, often from a short list so that keys meet again. */
export function randomText(prng: Prng, length: number): string {
  if (prng.chance(1, 2)) return prng.pick(WORDS);
  return Array.from({ length: prng.below(length + 1) }, () => prng.pick(CHARACTERS)).join("");
}

/** An integer of the kind's whole range: at its ends, at powers of two, or anywhere. */
export function randomInteger(prng: Prng, type: { readonly kind: IntegerKind }): bigint {
  const { min, max } = integerRange(type.kind);
  const edges = [min, max, min + 1n, max - 1n, ...EDGES, ...EDGES.map((edge) => -edge)].filter((edge) => edge >= min && edge <= max);
  return prng.chance(1, 2) ? prng.pick(edges) : min + (prng.nextU64() % (max - min + 1n));
}

/** A finite float of the magnitude that sums can bear: cents, integers, small fractions, now and then large. */
export function randomFloat(prng: Prng): number {
  switch (prng.below(8)) {
    case 0:
      return prng.between(-50, 50);
    case 1:
      return prng.between(-1000, 1000) / 1024;
    case 2:
      return prng.between(-1_000_000, 1_000_000) * 1e9;
    case 3:
      return prng.between(1, 9999) * 1e-9;
    default:
      return prng.between(-10_000_000, 10_000_000) / 100;
  }
}

/** The same without what DuckDB maps to other letters in other numbers (ß, İ) or reverses as one (joined emoji). */
export function randomSimpleText(prng: Prng, length: number): string {
  return randomText(prng, length).replace(/ß|İ|👩‍🚀/gu, "x");
}
