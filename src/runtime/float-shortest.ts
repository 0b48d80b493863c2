/**
 * Finds the shortest decimal that reads back as a given float, the nearest one to it if there are several: Raffaello
 * Giulietti's Schubfach, "The Schubfach way to render doubles", with the 128-bit powers of `float-tables.ts`.
 *
 * The result may carry trailing zeros; spelling it is the concern of `number-write.ts`.
 */
import { MIN_POWER, POWERS_OF_TEN } from "./float-tables.ts";
import { highProduct } from "./wide-integer.ts";

/** The digits found, as an integer of at most 17 digits (9 for f32), perhaps with trailing zeros. */
export let shortestDigits: u64 = 0;
/** The power of ten of their last digit. */
export let shortestExponent: i32 = 0;

/** Sets `shortestDigits` and `shortestExponent` for a positive finite f64. */
export function shortestF64(value: f64): void {
  const bits = reinterpret<u64>(value);
  const fraction = bits & 0x000fffffffffffff;
  const biased = <i32>(bits >> 52);
  if (biased == 0) shortest(fraction, -1074, false);
  else shortest(fraction | 0x0010000000000000, biased - 1075, fraction == 0 && biased > 1);
}

/** Sets `shortestDigits` and `shortestExponent` for a positive finite f32. */
export function shortestF32(value: f32): void {
  const bits = reinterpret<u32>(value);
  const fraction = <u64>(bits & 0x007fffff);
  const biased = <i32>(bits >> 23);
  if (biased == 0) shortest(fraction, -149, false);
  else shortest(fraction | 0x00800000, biased - 150, fraction == 0 && biased > 1);
}

/** 10^k is exact in 128 bits for these k. */
const LAST_EXACT_POWER: i32 = 55;

/** floor(words / 2^128), its last bit also set when anything that counts was cut off (the paper's rop). */
function roundToOdd(high: u64, middle: u64): u64 {
  return high | u64(middle > 1);
}

/**
 * The shortest decimal for significand · 2^exponent, whose rounding interval is half as wide below when `narrowBelow`.
 * Names follow the paper's section 9 where it has them: k, h, and the estimates in quarters of 10^k. The interval's ends are
 * computed from its middle by adding, instead of by two more products.
 */
function shortest(significand: u64, exponent: i32, narrowBelow: bool): void {
  // floor(log10(2^exponent)), or of three quarters of it.
  const k = (exponent * 1262611 - (narrowBelow ? 524031 : 0)) >> 22;
  // exponent + floor(log2(10^-k)) + 1
  const h = <u64>(exponent + ((-k * 1741647) >> 19) + 1);
  const entry = POWERS_OF_TEN + ((<usize>(-k - MIN_POWER)) << 4);
  const powerHigh = load<u64>(entry);
  // The ceiling of 10^-k. Invariant (asserted by the generator): no low word is all ones, so this does not carry.
  const powerLow = load<u64>(entry, 8) + u64(k > 0 || k < -LAST_EXACT_POWER);

  // power · 4 · significand · 2^h, in three words.
  const factor = significand << (h + 2);
  const low = powerLow * factor;
  const product = powerHigh * factor;
  const middle = product + highProduct(powerLow, factor);
  const high = highProduct(powerHigh, factor) + u64(middle < product);
  // power · 2 · 2^h: from the middle of the interval to its ends. Invariant: 1 ≤ h + 1 ≤ 6.
  const stepLow = powerLow << (h + 1);
  const stepMiddle = (powerHigh << (h + 1)) | (powerLow >> (63 - h));
  const stepHigh = powerHigh >> (63 - h);
  const upperCarry = u64(low + stepLow < low);
  const upperSum = middle + stepMiddle;
  const upperMiddle = upperSum + upperCarry;
  const upperHigh = high + stepHigh + u64(upperSum < middle) + u64(upperMiddle < upperSum);
  const downLow = narrowBelow ? powerLow << h : stepLow;
  const downMiddle = narrowBelow ? (powerHigh << h) | (h == 0 ? 0 : powerLow >> (64 - h)) : stepMiddle;
  const downHigh = narrowBelow ? (h == 0 ? 0 : powerHigh >> (64 - h)) : stepHigh;
  const lowerBorrow = u64(low < downLow);
  const lowerDifference = middle - downMiddle;
  const lowerMiddle = lowerDifference - lowerBorrow;
  const lowerHigh = high - downHigh - u64(middle < downMiddle) - u64(lowerDifference < lowerBorrow);

  // The ends belong to the interval when the significand is even, because reading rounds ties to even.
  const odd = significand & 1;
  choose(roundToOdd(high, middle), roundToOdd(lowerHigh, lowerMiddle) + odd, roundToOdd(upperHigh, upperMiddle) - odd, k);
}

/** Picks the decimal for `value` in quarters of 10^k, within `lower` and `upper`: one digit less if that is possible. */
function choose(value: u64, lower: u64, upper: u64, k: i32): void {
  const digits = value >> 2;
  if (digits >= 10) {
    const shorter = digits / 10;
    const below = lower <= 40 * shorter;
    const above = 40 * shorter + 40 <= upper;
    if (below != above) {
      shortestDigits = shorter + u64(above);
      shortestExponent = k + 1;
      return;
    }
  }
  const below = lower <= digits << 2;
  const above = (digits << 2) + 4 <= upper;
  shortestExponent = k;
  if (below != above) {
    shortestDigits = digits + u64(above);
    return;
  }
  const middle = (digits << 2) + 2;
  shortestDigits = digits + u64(value > middle || (value == middle && (digits & 1) != 0));
}
