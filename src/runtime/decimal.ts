/**
 * DECIMAL: signed 128-bit integers with a scale that only the caller knows. Text in and out, exact arithmetic, overflow as a
 * status: at most 38 digits, as arrow's Decimal128.
 *
 * A value is passed as `lo: u64, hi: i64` (two's complement) and returned in `decLo`, `decHi`; `decStatus` says how it went.
 * Scales and precisions are 0 to 38. Rounding is half away from zero, but for `readDecimal` and division, which truncate, as
 * arrow-json and arrow-arith do.
 */
import { scanCount, scanExponent, scanFirst, scanLast, scanNegative, scanNumber, scanOk, scanText } from "./number-scan.ts";
import { highProduct } from "./wide-integer.ts";

/** The result is right. */
export const DEC_OK: i32 = 0;
/** The text is no number. */
export const DEC_SYNTAX: i32 = 1;
/** The result has more digits than the precision, or more than 38. */
export const DEC_RANGE: i32 = 2;
/** `readDecimal` cut off fraction digits other than zero; the result is truncated. */
export const DEC_FRACTION: i32 = 3;
/** Division by zero. */
export const DEC_ZERO_DIVISOR: i32 = 4;

/** Outcome of the last call that says it sets it. */
export let decStatus: i32 = 0;
/** Low word of the last result. */
export let decLo: u64 = 0;
/** High word of the last result. */
export let decHi: i64 = 0;

const ZERO: u32 = 0x30;
const MINUS: u8 = 0x2d;
const DOT: u8 = 0x2e;
const MAX_DIGITS: i32 = 38;

/** 10^0 to 10^38, low word then high word. */
const POWERS: usize = memory.data<u64>([
  0x1, 0x0, 0xa, 0x0, 0x64, 0x0, 0x3e8, 0x0, 0x2710, 0x0, 0x186a0, 0x0, 0xf4240, 0x0, 0x989680, 0x0, 0x5f5e100, 0x0, 0x3b9aca00, 0x0,
  0x2540be400, 0x0, 0x174876e800, 0x0, 0xe8d4a51000, 0x0, 0x9184e72a000, 0x0, 0x5af3107a4000, 0x0, 0x38d7ea4c68000, 0x0, 0x2386f26fc10000,
  0x0, 0x16345785d8a0000, 0x0, 0xde0b6b3a7640000, 0x0, 0x8ac7230489e80000, 0x0, 0x6bc75e2d63100000, 0x5, 0x35c9adc5dea00000, 0x36,
  0x19e0c9bab2400000, 0x21e, 0x2c7e14af6800000, 0x152d, 0x1bcecceda1000000, 0xd3c2, 0x161401484a000000, 0x84595, 0xdcc80cd2e4000000,
  0x52b7d2, 0x9fd0803ce8000000, 0x33b2e3c, 0x3e25026110000000, 0x204fce5e, 0x6d7217caa0000000, 0x1431e0fae, 0x4674edea40000000, 0xc9f2c9cd0,
  0xc0914b2680000000, 0x7e37be2022, 0x85acef8100000000, 0x4ee2d6d415b, 0x38c15b0a00000000, 0x314dc6448d93, 0x378d8e6400000000,
  0x1ed09bead87c0, 0x2b878fe800000000, 0x13426172c74d82, 0xb34b9f1000000000, 0xc097ce7bc90715, 0xf436a000000000, 0x785ee10d5da46d9,
  0x98a224000000000, 0x4b3b4ca85a86c47a,
]);

/** 10^0 to 10^38 as the nearest f64. */
const POWERS_F64: usize = memory.data<f64>([
  1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22, 1e23, 1e24,
  1e25, 1e26, 1e27, 1e28, 1e29, 1e30, 1e31, 1e32, 1e33, 1e34, 1e35, 1e36, 1e37, 1e38,
]);

function powerLow(n: i32): u64 {
  return load<u64>(POWERS + ((<usize>n) << 4));
}

function powerHigh(n: i32): u64 {
  return load<u64>(POWERS + ((<usize>n) << 4), 8);
}

// Magnitudes are unsigned 128-bit numbers in `magLo`, `magHi`.
let magLo: u64 = 0;
let magHi: u64 = 0;

/** The magnitude of a value. */
function takeMagnitude(lo: u64, hi: i64): void {
  const negative = hi < 0;
  magLo = negative ? 0 - lo : lo;
  magHi = negative ? ~(<u64>hi) + u64(lo == 0) : <u64>hi;
}

/** The magnitude with a sign as the result; DEC_RANGE when it is not below 10^38. */
function finish(negative: bool): void {
  const limitHi = powerHigh(MAX_DIGITS);
  if (magHi > limitHi || (magHi == limitHi && magLo >= powerLow(MAX_DIGITS))) decStatus = DEC_RANGE;
  decLo = negative ? 0 - magLo : magLo;
  decHi = <i64>(negative ? ~magHi + u64(magLo == 0) : magHi);
}

/** magnitude = magnitude · factor + addend; sets DEC_RANGE when that leaves 128 bits. */
function multiplyAdd(factor: u64, addend: u64): void {
  const carry = highProduct(magLo, factor);
  const low = magLo * factor;
  const high = magHi * factor;
  const overflow = highProduct(magHi, factor);
  const middle = high + carry;
  magLo = low + addend;
  magHi = middle + u64(magLo < low);
  if (overflow != 0 || middle < high || magHi < middle) decStatus = DEC_RANGE;
}

/** magnitude = magnitude · 10^n; sets DEC_RANGE when that leaves 128 bits. */
function scaleUp(n: i32): void {
  if (n > MAX_DIGITS && (magLo | magHi) != 0) decStatus = DEC_RANGE;
  if (n > MAX_DIGITS) return;
  if (n > 19) {
    multiplyAdd(powerLow(19), 0);
    n -= 19;
  }
  multiplyAdd(powerLow(n), 0);
}

// What is left of a magnitude after a division.
let restLo: u64 = 0;
let restHi: u64 = 0;

/** magnitude = magnitude / divisor, truncated; the rest in `restLo`, `restHi`. The divisor is not zero. */
function divideBy(divisorLo: u64, divisorHi: u64): void {
  if ((magHi | divisorHi) == 0) {
    restHi = 0;
    restLo = magLo % divisorLo;
    magLo /= divisorLo;
    return;
  }
  // Shift and subtract, from the place where the divisor's top bit meets the dividend's.
  let lo: u64 = 0;
  let hi: u64 = 0;
  let quotientLo: u64 = 0;
  let quotientHi: u64 = 0;
  for (let bit = 127 - leadingZeros(magLo, magHi); bit >= 0; bit--) {
    const next = (bit > 63 ? magHi >> <u64>(bit - 64) : magLo >> <u64>bit) & 1;
    // The rest is below the divisor, which is below 2^127, so this does not overflow.
    hi = (hi << 1) | (lo >> 63);
    lo = (lo << 1) | next;
    const fits = hi > divisorHi || (hi == divisorHi && lo >= divisorLo);
    if (fits) {
      hi = hi - divisorHi - u64(lo < divisorLo);
      lo -= divisorLo;
    }
    quotientHi = (quotientHi << 1) | (quotientLo >> 63);
    quotientLo = (quotientLo << 1) | u64(fits);
  }
  magLo = quotientLo;
  magHi = quotientHi;
  restLo = lo;
  restHi = hi;
}

function leadingZeros(lo: u64, hi: u64): i32 {
  return <i32>(hi == 0 ? 64 + clz(lo) : clz(hi));
}

/** magnitude = magnitude / 10^n, rounded half away from zero. */
function scaleDown(n: i32): void {
  if (n > MAX_DIGITS) {
    magLo = 0;
    magHi = 0;
    return;
  }
  divideBy(powerLow(n), powerHigh(n));
  // Whether twice the rest reaches the divisor: rest ≥ divisor − rest.
  const gapLo = powerLow(n) - restLo;
  const gapHi = powerHigh(n) - restHi - u64(powerLow(n) < restLo);
  if (restHi > gapHi || (restHi == gapHi && restLo >= gapLo)) {
    magLo++;
    if (magLo == 0) magHi++;
  }
}

/**
 * Reads a JSON number at `p` as DECIMAL(precision, scale) and returns the pointer after it, as the readers of
 * `number-read.ts`. Sets DEC_OK, DEC_SYNTAX, DEC_RANGE or DEC_FRACTION.
 */
export function readDecimal(p: usize, precision: i32, scale: i32): usize {
  const end = scanNumber(p);
  takeScanned(precision, scale, false);
  return end;
}

/**
 * CAST of the whole text to DECIMAL(precision, scale), by the grammar of `scanText` between ASCII spaces, rounded half away
 * from zero. Sets and returns `decStatus`: DEC_OK, DEC_SYNTAX or DEC_RANGE.
 */
export function castDecimal(p: usize, len: usize, precision: i32, scale: i32): i32 {
  let end = p + len;
  while (p < end && load<u8>(p) <= 0x20) p++;
  while (end > p && load<u8>(end - 1) <= 0x20) end--;
  scanText(p, end);
  takeScanned(precision, scale, true);
  return decStatus;
}

/** The scanned number at a scale. */
function takeScanned(precision: i32, scale: i32, rounded: bool): void {
  if (!scanOk) {
    decStatus = DEC_SYNTAX;
    return;
  }
  decStatus = DEC_OK;
  magLo = 0;
  magHi = 0;
  // So many digits, continued with zeros, make up the value; the rest is fraction beyond the scale.
  const kept: i64 = <i64>scanCount + <i64>scanExponent + <i64>scale;
  let index: i64 = 0;
  let firstDropped: u32 = 0;
  let inexact = false;
  for (let q = scanFirst; q < scanLast && decStatus == DEC_OK; q++) {
    const digit = <u32>load<u8>(q) - ZERO;
    if (digit > 9) continue;
    if (index < kept) {
      if ((magLo | magHi) != 0 || digit != 0) multiplyAdd(10, <u64>digit);
    } else if (index == kept) {
      firstDropped = digit;
      inexact = digit != 0;
    } else {
      inexact = inexact || digit != 0;
    }
    index++;
  }
  if (index < kept) scaleUp(<i32>min(kept - index, 99));
  if (rounded && firstDropped >= 5) multiplyAdd(1, 1);
  finish(scanNegative);
  if (!fitsPrecision(decLo, decHi, precision)) decStatus = DEC_RANGE;
  if (decStatus == DEC_OK && inexact && !rounded) decStatus = DEC_FRACTION;
}

/** Whether a value has at most `precision` digits. */
export function fitsPrecision(lo: u64, hi: i64, precision: i32): bool {
  takeMagnitude(lo, hi);
  const limitHi = powerHigh(precision);
  return magHi < limitHi || (magHi == limitHi && magLo < powerLow(precision));
}

/** Room for digits, written from the end; the longest value has 39. */
const DIGITS: usize = memory.data(64, 16);

/** Writes a value with `scale` digits after the point, as many zeros before as that takes: at most 41 bytes. */
export function writeDecimal(dst: usize, lo: u64, hi: i64, scale: i32): usize {
  takeMagnitude(lo, hi);
  let first = DIGITS + 64;
  const least = first - <usize>(scale + 1);
  while ((magLo | magHi) != 0 || first > least) {
    if (magHi == 0) {
      store<u8>(--first, <u8>(ZERO + <u32>(magLo % 10)));
      magLo /= 10;
      continue;
    }
    let chunk = divideByBillion();
    for (let i = 0; i < 9; i++) {
      store<u8>(--first, <u8>(ZERO + (chunk % 10)));
      chunk /= 10;
    }
  }
  if (hi < 0) store<u8>(dst++, MINUS);
  const integral = DIGITS + 64 - first - <usize>scale;
  memory.copy(dst, first, integral);
  dst += integral;
  if (scale == 0) return dst;
  store<u8>(dst++, DOT);
  memory.copy(dst, first + integral, <usize>scale);
  return dst + <usize>scale;
}

/** magnitude = magnitude / 10^9; returns the rest. Four divisions of 64 by 32 bits. */
function divideByBillion(): u32 {
  const billion: u64 = 1000000000;
  const highest = magHi >> 32;
  const high = ((highest % billion) << 32) | (magHi & 0xffffffff);
  const low = ((high % billion) << 32) | (magLo >> 32);
  const lowest = ((low % billion) << 32) | (magLo & 0xffffffff);
  magHi = ((highest / billion) << 32) | (high / billion);
  magLo = ((low / billion) << 32) | (lowest / billion);
  return <u32>(lowest % billion);
}

/** a + b, of one scale. Sets DEC_OK or DEC_RANGE. */
export function addDecimal(aLo: u64, aHi: i64, bLo: u64, bHi: i64): void {
  // Both are below 2^127 by a wide margin, so the sum cannot wrap around.
  const lo = aLo + bLo;
  const hi = aHi + bHi + i64(lo < aLo);
  decStatus = DEC_OK;
  takeMagnitude(lo, hi);
  finish(hi < 0);
}

/** a − b, of one scale. Sets DEC_OK or DEC_RANGE. */
export function subtractDecimal(aLo: u64, aHi: i64, bLo: u64, bHi: i64): void {
  const lo = aLo - bLo;
  const hi = aHi - bHi - i64(aLo < bLo);
  decStatus = DEC_OK;
  takeMagnitude(lo, hi);
  finish(hi < 0);
}

/** −a. */
export function negateDecimal(lo: u64, hi: i64): void {
  decLo = 0 - lo;
  decHi = ~hi + i64(lo == 0);
}

/** a · b, whose scale is the sum of the scales. Sets DEC_OK or DEC_RANGE. */
export function multiplyDecimal(aLo: u64, aHi: i64, bLo: u64, bHi: i64): void {
  decStatus = DEC_OK;
  takeMagnitude(aLo, aHi);
  const lo = magLo;
  const hi = magHi;
  takeMagnitude(bLo, bHi);
  if (hi != 0 && magHi != 0) decStatus = DEC_RANGE;
  // One of the high words is zero, so that there is one cross product.
  const cross = hi != 0 ? highProduct(hi, magLo) : highProduct(lo, magHi);
  const crossLow = hi != 0 ? hi * magLo : lo * magHi;
  const carry = highProduct(lo, magLo);
  magLo = lo * magLo;
  magHi = crossLow + carry;
  if (cross != 0 || magHi < crossLow) decStatus = DEC_RANGE;
  finish((aHi ^ bHi) < 0);
}

/**
 * a · 10^shift / b, truncated toward zero: `shift` is the result's scale minus a's scale plus b's scale (arrow: a result
 * scale of a's plus 4), at least 0. Sets DEC_OK, DEC_ZERO_DIVISOR, or DEC_RANGE also when a · 10^shift leaves 128 bits.
 */
export function divideDecimal(aLo: u64, aHi: i64, bLo: u64, bHi: i64, shift: i32): void {
  decStatus = DEC_OK;
  takeMagnitude(bLo, bHi);
  const divisorLo = magLo;
  const divisorHi = magHi;
  if ((divisorLo | divisorHi) == 0) {
    decStatus = DEC_ZERO_DIVISOR;
    return;
  }
  takeMagnitude(aLo, aHi);
  scaleUp(shift);
  if (decStatus != DEC_OK) return;
  divideBy(divisorLo, divisorHi);
  finish((aHi ^ bHi) < 0);
}

/** The rest of a / b, both of one scale, with a's sign. Sets DEC_OK or DEC_ZERO_DIVISOR. */
export function moduloDecimal(aLo: u64, aHi: i64, bLo: u64, bHi: i64): void {
  divideDecimal(aLo, aHi, bLo, bHi, 0);
  if (decStatus != DEC_OK) return;
  magLo = restLo;
  magHi = restHi;
  finish(aHi < 0);
}

/** The sign of a − b, both of one scale. */
export function compareDecimal(aLo: u64, aHi: i64, bLo: u64, bHi: i64): i32 {
  if (aHi != bHi) return aHi < bHi ? -1 : 1;
  return aLo == bLo ? 0 : aLo < bLo ? -1 : 1;
}

/** A value of scale `from` at scale `to`, rounded half away from zero. Sets DEC_OK or DEC_RANGE (more than 38 digits). */
export function rescaleDecimal(lo: u64, hi: i64, from: i32, to: i32): void {
  decStatus = DEC_OK;
  takeMagnitude(lo, hi);
  if (to >= from) scaleUp(to - from);
  else scaleDown(from - to);
  finish(hi < 0);
}

/** An integer as a value of a scale. Sets DEC_OK or DEC_RANGE (more than 38 digits). */
export function decimalOfI64(value: i64, scale: i32): void {
  rescaleDecimal(<u64>value, value >> 63, 0, scale);
}

/** The integer part of a value, truncated toward zero, as i64. Sets DEC_OK or DEC_RANGE. */
export function decimalToI64(lo: u64, hi: i64, scale: i32): i64 {
  divideDecimal(lo, hi, powerLow(scale), <i64>powerHigh(scale), 0);
  if (decHi != <i64>decLo >> 63) decStatus = DEC_RANGE;
  return <i64>decLo;
}

/** A value as the nearest f64 of its digits, divided by 10^scale, as arrow-cast does: two roundings. */
export function decimalToDouble(lo: u64, hi: i64, scale: i32): f64 {
  takeMagnitude(lo, hi);
  let value = <f64>magLo;
  if (magHi != 0) {
    // The top 64 bits, the last of them also standing for all that follow, round as the whole would.
    const shift = <u64>clz(magHi);
    const top = shift == 0 ? magHi : (magHi << shift) | (magLo >> (64 - shift));
    value = <f64>(top | u64(magLo << shift != 0)) * <f64>((<u64>1) << (63 - shift)) * 2;
  }
  return (hi < 0 ? -value : value) / load<f64>(POWERS_F64 + ((<usize>scale) << 3));
}

/** The DECIMAL(38, scale) nearest to value · 10^scale computed in f64, as arrow-cast does. Sets DEC_OK or DEC_RANGE. */
export function decimalOfDouble(value: f64, scale: i32): void {
  const scaled = abs(value) * load<f64>(POWERS_F64 + ((<usize>scale) << 3));
  const whole = floor(scaled);
  const rounded = whole + f64(scaled - whole >= 0.5);
  decStatus = DEC_OK;
  if (!(rounded < 1e38)) {
    decStatus = DEC_RANGE;
    return;
  }
  magHi = <u64>(rounded / 18446744073709551616.0);
  magLo = <u64>(rounded - <f64>magHi * 18446744073709551616.0);
  finish(value < 0);
}
