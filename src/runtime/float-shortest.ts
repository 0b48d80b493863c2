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

/** High and low word of the power `roundToOdd` multiplies with. */
let powerHigh: u64 = 0;
let powerLow: u64 = 0;

/** Loads ceil(10^k) to 128 bits. */
function loadPower(k: i32): void {
  const entry = POWERS_OF_TEN + (<usize>(k - MIN_POWER) << 4);
  powerHigh = load<u64>(entry);
  // Invariant (asserted by the generator): no low word is all ones, so this does not carry.
  powerLow = load<u64>(entry, 8) + u64(k < 0 || k > LAST_EXACT_POWER);
}

/** floor(power · factor / 2^128), its last bit also set when anything was cut off (the paper's rop). */
function roundToOdd(factor: u64): u64 {
  const carried = highProduct(powerLow, factor);
  const low = powerHigh * factor;
  const middle = low + carried;
  const high = highProduct(powerHigh, factor) + u64(middle < low);
  return high | u64(middle > 1);
}

/**
 * The shortest decimal for significand · 2^exponent, whose rounding interval is half as wide below when `narrowBelow`.
 * Names follow the paper's section 9 where it has them: k, h, and the estimates in quarters of 10^k.
 */
function shortest(significand: u64, exponent: i32, narrowBelow: bool): void {
  // floor(log10(2^exponent)), or of three quarters of it.
  const k = (exponent * 1262611 - (narrowBelow ? 524031 : 0)) >> 22;
  // exponent + floor(log2(10^-k)) + 1: between 1 and 4 plus the paper's two bits.
  const h = <u64>(exponent + ((-k * 1741647) >> 19) + 1);
  loadPower(-k);
  const scaled = significand << 2;
  const odd = significand & 1;
  const value = roundToOdd(scaled << h);
  // The interval's ends belong to it when the significand is even, because reading rounds ties to even.
  const lower = roundToOdd((scaled - 2 + u64(narrowBelow)) << h) + odd;
  const upper = roundToOdd((scaled + 2) << h) - odd;

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
