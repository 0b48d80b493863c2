/**
 * What accumulators of aggregates do that is more than an instruction: compensated float sums, 128-bit integer sums,
 * weighted sums with overflow, text extremes, the order of floats. `at` is the address of the accumulator in its entry.
 */
import { compareBytes, sameBytes } from "./hash.ts";
import { keepText, tableOf } from "./group-table.ts";
import { multiplyOverflows } from "./integer-math.ts";
import { freeText } from "./state-snapshot.ts";
import { highProduct } from "./wide-integer.ts";

/** Set by the sums that can overflow; the caller resets it. */
export let overflowed: bool = false;

export function clearOverflow(): void {
  overflowed = false;
}

/** sum + value × weight of signed integers; sets `overflowed` when it does not fit. */
export function addSigned(sum: i64, value: i64, weight: i64): i64 {
  if (multiplyOverflows(value, weight)) {
    overflowed = true;
    return sum;
  }
  const change = value * weight;
  const result = sum + change;
  if (((sum ^ result) & (change ^ result)) < 0) overflowed = true;
  return result;
}

/** sum + value × weight of unsigned integers; sets `overflowed` when the result is negative or does not fit. */
export function addUnsigned(sum: u64, value: u64, weight: i64): u64 {
  const factor: u64 = weight < 0 ? <u64>(0 - weight) : <u64>weight;
  if (highProduct(value, factor) != 0) {
    overflowed = true;
    return sum;
  }
  const change = value * factor;
  const result = weight < 0 ? sum - change : sum + change;
  if (weight < 0 ? change > sum : result < change) overflowed = true;
  return result;
}

/**
 * Adds `value` to the pair {f64 sum, f64 compensation} of Neumaier. The compensation of infinite sums has no meaning and
 * stays out. https://en.wikipedia.org/wiki/Kahan_summation_algorithm#Further_enhancements
 */
export function addFloat(at: usize, value: f64): void {
  const sum = load<f64>(at);
  const total = sum + value;
  store<f64>(at, total);
  if (!isFinite<f64>(total)) return;
  store<f64>(at, load<f64>(at, 8) + (abs<f64>(sum) >= abs<f64>(value) ? sum - total + value : value - total + sum), 8);
}

/** Value of a compensated pair. */
export function floatSum(at: usize): f64 {
  const sum = load<f64>(at);
  return isFinite<f64>(sum) ? sum + load<f64>(at, 8) : sum;
}

/** Adds the 128-bit integer {u64 low, i64 high} to the one at `at`. */
export function addWide(at: usize, low: u64, high: i64): void {
  const sum = load<u64>(at) + low;
  store<u64>(at, sum);
  store<i64>(at, load<i64>(at, 8) + high + <i64>(sum < low), 8);
}

/** Adds value × weight to a 128-bit sum; unsigned values by `unsigned`. */
export function addWideProduct(at: usize, value: i64, weight: i64, unsigned: bool): void {
  if (weight == 1) {
    addWide(at, <u64>value, unsigned ? 0 : value >> 63);
    return;
  }
  let high = <i64>highProduct(<u64>value, <u64>weight);
  if (!unsigned && value < 0) high -= weight;
  if (weight < 0) high -= value;
  addWide(at, <u64>value * <u64>weight, high);
}

/** True if a 128-bit sum is within i64, or u64 if `unsigned`. */
export function wideFits(at: usize, unsigned: bool): bool {
  const high = load<i64>(at, 8);
  return unsigned ? high == 0 : high == load<i64>(at) >> 63;
}

/** A 128-bit integer as the nearest float64, ties to even. */
export function wideToFloat(at: usize): f64 {
  let low = load<u64>(at);
  let high = load<u64>(at, 8);
  if (<i64>high == <i64>low >> 63) return <f64>(<i64>low);
  const negative = <i64>high < 0;
  if (negative) {
    low = 0 - low;
    high = ~high + <u64>(low == 0);
  }
  if (high == 0) return negative ? -(<f64>low) : <f64>low;
  // The top 64 bits, the rest collected in the lowest bit, round like the whole.
  const shift: u64 = 64 - clz<u64>(high);
  let top = shift == 64 ? high : (high << (64 - shift)) | (low >> shift);
  const rest = shift == 64 ? low : low << (64 - shift);
  if (rest != 0) top |= 1;
  const scale = reinterpret<f64>((1023 + shift) << 52);
  return negative ? -(<f64>top * scale) : <f64>top * scale;
}

/** Order of floats: NaN equals NaN and is greatest. */
export function floatLess(a: f64, b: f64): bool {
  if (b != b) return a == a;
  return a < b;
}

/** Makes the text at slot `slot` of entry `e` a copy of `value`. */
export function replaceText(e: usize, slot: usize, value: usize, length: usize): void {
  const t = tableOf(e);
  freeText(t, <usize>load<u32>(e + slot), <usize>load<u32>(e + slot, 4));
  store<u32>(e + slot, <u32>keepText(t, value, length));
  store<u32>(e + slot, <u32>length, 4);
}

/** Order of `value` and the text at `at`: negative, 0 or positive. */
export function compareText(value: usize, length: usize, at: usize): i32 {
  return compareBytes(value, length, <usize>load<u32>(at), <usize>load<u32>(at, 4));
}

/** True if the text at `at` is `value`. */
export function isText(value: usize, length: usize, at: usize): bool {
  return load<u32>(at, 4) == <u32>length && sameBytes(value, <usize>load<u32>(at), length);
}
