/**
 * Rounds a scanned decimal to the nearest f64 or f32, ties to even, exactly as `Number()` and `Math.fround` of the exact
 * value would: Clinger's fast path where both operands are exact, then Eisel-Lemire with a 128-bit power, and what that
 * leaves undecided by big integers in `float-exact.ts`. Nothing is imported from the host.
 *
 * Input is the `scan…` globals; the sign is the caller's. https://nigeltao.github.io/blog/2020/eisel-lemire.html
 */
import { roundExactly } from "./float-exact.ts";
import { MIN_POWER, POWERS_OF_TEN } from "./float-tables.ts";
import { scanCount, scanExponent, scanFirst, scanLast, scanMantissa } from "./number-scan.ts";
import { highProduct } from "./wide-integer.ts";

const ZERO: u32 = 0x30;
/** The most decimal digits that always fit in a u64. */
const U64_DIGITS: usize = 19;
/** Decimal exponents of a 19-digit mantissa outside these give zero and infinity. */
const LEAST_POWER: i64 = -342;
const GREATEST_POWER: i64 = 308;
/** `eiselLemire` could not decide. */
const UNDECIDED: u64 = u64.MAX_VALUE;

/** 10^0 to 10^22 as f64, all exact. */
export const EXACT_F64: usize = memory.data<f64>([
  1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
]);
/** 10^0 to 10^10 as f32, all exact. */
const EXACT_F32: usize = memory.data<f32>([1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10]);

/** The magnitude of what was scanned as f64; infinity beyond the range. */
export function decimalToF64(): f64 {
  if (scanCount <= U64_DIGITS) {
    const mantissa = scanMantissa;
    const power = scanExponent;
    if (mantissa <= 9007199254740992 && power >= -22 && power <= 22) {
      if (power == 0) return <f64>mantissa;
      if (power < 0) return <f64>mantissa / load<f64>(EXACT_F64 + ((<usize>-power) << 3));
      return <f64>mantissa * load<f64>(EXACT_F64 + ((<usize>power) << 3));
    }
  }
  return reinterpret<f64>(roundDecimal(52, 1023));
}

/** The magnitude of what was scanned as f32; infinity beyond the range. */
export function decimalToF32(): f32 {
  if (scanCount <= U64_DIGITS) {
    const mantissa = scanMantissa;
    const power = scanExponent;
    if (mantissa <= 16777216 && power >= -10 && power <= 10) {
      if (power < 0) return <f32>mantissa / load<f32>(EXACT_F32 + ((<usize>-power) << 2));
      return <f32>mantissa * load<f32>(EXACT_F32 + ((<usize>power) << 2));
    }
  }
  return reinterpret<f32>(<u32>roundDecimal(23, 127));
}

/** First significant digits of a long number, at most 19. */
let shortMantissa: u64 = 0;
/** Power of ten of the last of them. */
let shortPower: i64 = 0;
/** Whether a digit other than zero follows them. */
let shortInexact: bool = false;

/** Takes the first 19 significant digits. */
function shorten(): void {
  let mantissa: u64 = 0;
  let taken: usize = 0;
  let left = scanCount;
  let q = scanFirst;
  for (; q < scanLast && taken < U64_DIGITS; q++) {
    const digit = <u32>load<u8>(q) - ZERO;
    if (digit > 9) continue;
    mantissa = mantissa * 10 + <u64>digit;
    if (mantissa != 0) taken++;
    left--;
  }
  let inexact = false;
  for (; q < scanLast && !inexact; q++) {
    const digit = <u32>load<u8>(q) - ZERO;
    inexact = digit != 0 && digit <= 9;
  }
  shortMantissa = mantissa;
  shortPower = <i64>scanExponent + <i64>left;
  shortInexact = inexact;
}

/**
 * The bits of the nearest float with `fractionBits` explicit fraction bits and exponent bias `bias`, without the sign.
 */
function roundDecimal(fractionBits: u32, bias: i32): u64 {
  const infinity = (<u64>(2 * bias + 1)) << (<u64>fractionBits);
  if (scanCount <= U64_DIGITS) {
    shortMantissa = scanMantissa;
    shortPower = <i64>scanExponent;
    shortInexact = false;
  } else {
    shorten();
  }
  // 2^64 · 10^-343 is below half of the least subnormal of f64.
  if (shortMantissa == 0 || shortPower < LEAST_POWER) return 0;
  if (shortPower > GREATEST_POWER) return infinity;
  const bits = eiselLemire(shortMantissa, <i32>shortPower, fractionBits, bias);
  if (bits != UNDECIDED) {
    // With more digits the value lies between this mantissa and the next: decided when both round alike.
    if (!shortInexact || bits == eiselLemire(shortMantissa + 1, <i32>shortPower, fractionBits, bias)) return bits;
  }
  return roundExactly(approximate(shortMantissa, <i32>shortPower, fractionBits, bias), fractionBits, bias);
}

/** floor(log2(10^power)) for |power| ≤ 1650. */
function binaryExponent(power: i32): i32 {
  return (power * 217706) >> 16;
}

/**
 * Bits of the float nearest to mantissa · 10^power, or UNDECIDED: near a tie, and for subnormals and overflow.
 * `mantissa` is not zero, `power` is in the table.
 */
function eiselLemire(mantissa: u64, power: i32, fractionBits: u32, bias: i32): u64 {
  const shift = clz(mantissa);
  const scaled = mantissa << shift;
  const entry = POWERS_OF_TEN + ((<usize>(power - MIN_POWER)) << 4);
  const powerHigh = load<u64>(entry);
  // Of the product's high word these bits are below the result's last one but one.
  const restBits = <u64>(61 - fractionBits);
  const restMask: u64 = ((<u64>1) << restBits) - 1;
  let high = highProduct(scaled, powerHigh);
  let low = scaled * powerHigh;
  if ((high & restMask) == restMask && low + scaled < scaled) {
    // The truncated part of the power could carry into the bits that count: take its low word in.
    const powerLow = load<u64>(entry, 8);
    const extra = highProduct(scaled, powerLow);
    const merged = low + extra;
    if (merged < low) high++;
    if ((high & restMask) == restMask && merged + 1 == 0 && scaled * powerLow + scaled < scaled) return UNDECIDED;
    low = merged;
  }
  const top = high >> 63;
  let significand = high >> (top + restBits);
  let exponent = <i64>(binaryExponent(power) + 64 + bias) - <i64>shift - <i64>(1 ^ top);
  // Exactly half-way as far as the truncated product shows, and rounding up would change the parity.
  if (low == 0 && (high & restMask) == 0 && (significand & 3) == 1) return UNDECIDED;
  significand = (significand + (significand & 1)) >> 1;
  if (significand >> <u64>(fractionBits + 1) != 0) {
    significand >>= 1;
    exponent++;
  }
  if (exponent < 1 || exponent > <i64>(2 * bias)) return UNDECIDED;
  return ((<u64>exponent) << (<u64>fractionBits)) | (significand & (((<u64>1) << (<u64>fractionBits)) - 1));
}

/** A float near mantissa · 10^power, finite, within a few units in the last place, as a start for the exact search. */
function approximate(mantissa: u64, power: i32, fractionBits: u32, bias: i32): u64 {
  const shift = clz(mantissa);
  const high = highProduct(mantissa << shift, load<u64>(POWERS_OF_TEN + ((<usize>(power - MIN_POWER)) << 4)));
  const top = high >> 63;
  const exponent = <i64>(binaryExponent(power) + 64 + bias) - <i64>shift - <i64>(1 ^ top);
  const greatest = ((<u64>(2 * bias + 1)) << (<u64>fractionBits)) - 1;
  if (exponent > <i64>(2 * bias)) return greatest;
  const significand = high >> (top + 62 - <u64>fractionBits);
  if (exponent >= 1) return ((<u64>exponent) << (<u64>fractionBits)) | (significand & (((<u64>1) << (<u64>fractionBits)) - 1));
  const lost = <u64>(1 - exponent);
  return lost > 63 ? 0 : significand >> lost;
}
