/**
 * Reads numbers: integers of every width with exact range checks, and floats rounded exactly as JavaScript's `Number()`
 * does (REAL is rounded once, from the decimal).
 *
 * Every `read…` takes a pointer to the first byte of a JSON number and returns the pointer after the last byte that belongs
 * to it; the result is in a `num…` global and `numStatus` is set by each call. A reader stops at the first byte that cannot
 * continue a number and does not judge it: `12x` reads 12, and the caller refuses the `x`. No length is passed: the text
 * must be followed by a byte that is no part of a number and may be read 64 bytes past its end.
 *
 * An integer column also takes `1.0`, `1e3` and `12.50e1`: the value counts, not its spelling. arrow-json goes through a
 * double and truncates here; we report NUM_FRACTION with the truncated value, so that the caller decides what a lost
 * fraction means, and integral values are exact up to 64 bits. Every `cast…` reads a whole SQL text instead.
 */
import { decimalToF32, decimalToF64, EXACT_F64 } from "./float-read.ts";
import { scanCount, scanExponent, scanFirst, scanLast, scanMantissa, scanNegative, scanNumber, scanOk, scanText } from "./number-scan.ts";

/** The number was read. */
export const NUM_OK: i32 = 0;
/** The bytes are no number; the pointer returned is that of the offending byte. */
export const NUM_SYNTAX: i32 = 1;
/** A number outside the type's range: the `num…` global holds nothing useful, except ±infinity for floats. */
export const NUM_RANGE: i32 = 2;
/** An integer reader met a number with a fraction; the `num…` global holds the value truncated toward zero. */
export const NUM_FRACTION: i32 = 3;

/** Outcome of the last call: one of NUM_OK, NUM_SYNTAX, NUM_RANGE, NUM_FRACTION. */
export let numStatus: i32 = 0;
/** Result of the signed integer readers. */
export let numI64: i64 = 0;
/** Result of the unsigned integer readers. */
export let numU64: u64 = 0;
/** Result of `readF64` and `castF64`. */
export let numF64: f64 = 0;
/** Result of `readF32` and `castF32`. */
export let numF32: f32 = 0;

const MINUS: u32 = 0x2d;
const PLUS: u32 = 0x2b;
const DOT: u32 = 0x2e;
const ZERO: u32 = 0x30;
const LOWER_E: u32 = 0x65;
/** The most decimal digits that always fit in a u64. */
const U64_DIGITS: usize = 19;

/** The bytes −16 to 15: a load at `RIGHT_ALIGN + n` is the swizzle that moves the first n bytes of a block to its end. */
const RIGHT_ALIGN: usize = memory.data<u64>([0xf7f6f5f4f3f2f1f0, 0xfffefdfcfbfaf9f8, 0x0706050403020100, 0x0f0e0d0c0b0a0908], 16);

// The paths for ordinary numbers are written out, because not every level inlines. Blocks: find the
// end by comparing 16 bytes, move the digits to the block's end (zeros before them), and add up pairs, fours and eights.

/** Reads an i64. Eight digits at a time within a word; https://kholdstare.github.io/technical/2020/05/26/faster-integer-parsing.html */
export function readI64(p: usize): usize {
  const negative = <u32>load<u8>(p) == MINUS;
  const first = p + usize(negative);
  let word = load<u64>(first) ^ 0x3030303030303030;
  const stop = ((word + 0x7676767676767676) | word) & 0x8080808080808080;
  const count = <usize>(ctz(stop) >> 3);
  const next = <u32>load<u8>(first + count);
  if (count - 1 > 6 || (<u32>load<u8>(first) == ZERO && count > 1) || next == DOT || (next | 0x20) == LOWER_E) return readI64Block(p);
  word <<= (8 - count) << 3;
  word = (word * 10 + (word >> 8)) & 0x00ff00ff00ff00ff;
  word = (word * 100 + (word >> 16)) & 0x0000ffff0000ffff;
  word = (word * 10000 + (word >> 32)) & 0xffffffff;
  numI64 = negative ? -(<i64>word) : <i64>word;
  numStatus = NUM_OK;
  return first + count;
}

/** `readI64` for 8 to 15 digits: nothing can overflow, and a block holds their end. */
function readI64Block(p: usize): usize {
  const negative = <u32>load<u8>(p) == MINUS;
  const first = p + usize(negative);
  const block = i8x16.sub(v128.load(first), i8x16.splat(0x30));
  const count = <usize>ctz(i8x16.bitmask(i8x16.gt_u(block, i8x16.splat(9))) | 0x10000);
  const end = first + count;
  const next = <u32>load<u8>(end);
  if (count - 1 > 14 || (<u32>load<u8>(first) == ZERO && count > 1) || next == DOT || (next | 0x20) == LOWER_E) return readI64Long(p);
  const digits = i8x16.swizzle(block, v128.load(RIGHT_ALIGN + count));
  const pairs = i16x8.add(i16x8.mul(v128.and(digits, i16x8.splat(0xff)), i16x8.splat(10)), i16x8.shr_u(digits, 8));
  const fours = i32x4.dot_i16x8_s(pairs, i16x8(100, 1, 100, 1, 100, 1, 100, 1));
  const eights = i32x4.dot_i16x8_s(i16x8.narrow_i32x4_u(fours, fours), i16x8(10000, 1, 10000, 1, 10000, 1, 10000, 1));
  const value = <i64>i32x4.extract_lane(eights, 0) * 100000000 + <i64>i32x4.extract_lane(eights, 1);
  numI64 = negative ? -value : value;
  numStatus = NUM_OK;
  return end;
}

/** `readI64` for everything else: 16 digits and more, fractions, exponents, errors. */
function readI64Long(p: usize): usize {
  const end = scanNumber(p);
  takeI64();
  return end;
}

/** Reads a u64. A minus sign is accepted before a zero only, as arrow-json does. */
export function readU64(p: usize): usize {
  const end = readI64(p);
  if (numStatus != NUM_OK || numI64 < 0) return readU64Long(p);
  numU64 = <u64>numI64;
  return end;
}

/** `readU64` for what an i64 does not hold, and for errors. */
function readU64Long(p: usize): usize {
  const end = scanNumber(p);
  takeU64();
  return end;
}

/** Reads an i32 into `numI64`. */
export function readI32(p: usize): usize {
  const end = readI64(p);
  if (numI64 != <i64>(<i32>numI64)) refuseRange();
  return end;
}

/** Reads an i16 into `numI64`. */
export function readI16(p: usize): usize {
  const end = readI64(p);
  if (numI64 != <i64>(<i16>numI64)) refuseRange();
  return end;
}

/** Reads an i8 into `numI64`. */
export function readI8(p: usize): usize {
  const end = readI64(p);
  if (numI64 != <i64>(<i8>numI64)) refuseRange();
  return end;
}

/** Reads a u32 into `numU64`. */
export function readU32(p: usize): usize {
  const end = readU64(p);
  if (numU64 > <u64>u32.MAX_VALUE) refuseRange();
  return end;
}

/** Reads a u16 into `numU64`. */
export function readU16(p: usize): usize {
  const end = readU64(p);
  if (numU64 > <u64>u16.MAX_VALUE) refuseRange();
  return end;
}

/** Reads a u8 into `numU64`. */
export function readU8(p: usize): usize {
  const end = readU64(p);
  if (numU64 > <u64>u8.MAX_VALUE) refuseRange();
  return end;
}

/** The value is out of the narrow type's range; after a syntax error it is a stale one and says nothing. */
function refuseRange(): void {
  if (numStatus != NUM_SYNTAX) numStatus = NUM_RANGE;
}

/**
 * Reads a DOUBLE. Overflow is NUM_RANGE with ±infinity; underflow rounds to zero and is no error; `-0` keeps its sign.
 * Invariant of the fast path: at most 15 digits, which a double holds exactly, and one exact division.
 */
export function readF64(p: usize): usize {
  const negative = <u32>load<u8>(p) == MINUS;
  const first = p + usize(negative);
  const block = i8x16.sub(v128.load(first), i8x16.splat(0x30));
  const others = i8x16.bitmask(i8x16.gt_u(block, i8x16.splat(9))) | 0x10000;
  const point = <usize>ctz(others);
  let last = point;
  let count = point;
  let fraction: usize = 0;
  if (<u32>load<u8>(first + point) == DOT) {
    // Of the others the lowest is the point, the next one ends the number.
    last = <usize>ctz((others & (others - 1)) | 0x10000);
    count = last - 1;
    fraction = count - point;
    if (fraction == 0) return readF64Long(p);
  }
  const next = <u32>load<u8>(first + last);
  if (last > 15 || point == 0 || (<u32>load<u8>(first) == ZERO && point > 1) || (next | 0x20) == LOWER_E) return readF64Long(p);
  const order = v128.load(RIGHT_ALIGN + count);
  // Digits after the point come from one byte further on.
  const digits = i8x16.swizzle(block, i8x16.sub(order, i8x16.ge_s(order, i8x16.splat(<i8>point))));
  const pairs = i16x8.add(i16x8.mul(v128.and(digits, i16x8.splat(0xff)), i16x8.splat(10)), i16x8.shr_u(digits, 8));
  const fours = i32x4.dot_i16x8_s(pairs, i16x8(100, 1, 100, 1, 100, 1, 100, 1));
  const eights = i32x4.dot_i16x8_s(i16x8.narrow_i32x4_u(fours, fours), i16x8(10000, 1, 10000, 1, 10000, 1, 10000, 1));
  let value = <f64>(<i64>i32x4.extract_lane(eights, 0) * 100000000 + <i64>i32x4.extract_lane(eights, 1));
  if (fraction != 0) value /= load<f64>(EXACT_F64 + (fraction << 3));
  numF64 = negative ? -value : value;
  numStatus = NUM_OK;
  return first + last;
}

/** `readF64` for everything else. */
function readF64Long(p: usize): usize {
  const end = scanNumber(p);
  takeF64();
  return end;
}

/** Reads a REAL, rounded once from the decimal. Overflow and underflow as in `readF64`. */
export function readF32(p: usize): usize {
  const end = scanNumber(p);
  takeF32();
  return end;
}

/**
 * CAST of text to a signed integer: `[+-]?[0-9]+` between ASCII white space, as arrow-cast does; no fraction, no exponent.
 * Sets and returns `numStatus`; the result is in `numI64`. Narrower types check `fitsI32` and the like.
 */
export function castI64(p: usize, len: usize): i32 {
  if (!scanInteger(p, p + len)) return (numStatus = NUM_SYNTAX);
  takeI64();
  return numStatus;
}

/** CAST of text to an unsigned integer, as `castI64`; the result is in `numU64`. */
export function castU64(p: usize, len: usize): i32 {
  if (!scanInteger(p, p + len)) return (numStatus = NUM_SYNTAX);
  takeU64();
  return numStatus;
}

/**
 * CAST of text to DOUBLE: as a JSON number, and with a plus sign, leading zeros, `1.`, `.5`, and in any case `inf`,
 * `infinity` and `nan`, between ASCII white space. Sets and returns `numStatus`; a decimal beyond the range is NUM_RANGE
 * with ±infinity in `numF64` (DataFusion takes the infinity).
 */
export function castF64(p: usize, len: usize): i32 {
  const first = trimmedFirst(p, p + len);
  const end = trimmedEnd(first, p + len);
  if (scanText(first, end)) {
    takeF64();
    return numStatus;
  }
  numF64 = namedFloat(first, end);
  return (numStatus = named ? NUM_OK : NUM_SYNTAX);
}

/** CAST of text to REAL, as `castF64`, rounded once from the decimal; the result is in `numF32`. */
export function castF32(p: usize, len: usize): i32 {
  const first = trimmedFirst(p, p + len);
  const end = trimmedEnd(first, p + len);
  if (scanText(first, end)) {
    takeF32();
    return numStatus;
  }
  numF32 = <f32>namedFloat(first, end);
  return (numStatus = named ? NUM_OK : NUM_SYNTAX);
}

/** Whether `value` is an i32. */
export function fitsI32(value: i64): bool {
  return value == <i64>(<i32>value);
}

/** Whether `value` is an i16. */
export function fitsI16(value: i64): bool {
  return value == <i64>(<i16>value);
}

/** Whether `value` is an i8. */
export function fitsI8(value: i64): bool {
  return value == <i64>(<i8>value);
}

/** Scans an integer by the grammar of a cast between white space. */
function scanInteger(p: usize, limit: usize): bool {
  const first = trimmedFirst(p, limit);
  const end = trimmedEnd(first, limit);
  return scanText(first, end) && scanCount == end - scanFirst;
}

function isSpace(c: u32): bool {
  return c == 0x20 || (c >= 0x09 && c <= 0x0d && c != 0x0b);
}

function trimmedFirst(p: usize, end: usize): usize {
  while (p < end && isSpace(load<u8>(p))) p++;
  return p;
}

function trimmedEnd(first: usize, end: usize): usize {
  while (end > first && isSpace(load<u8>(end - 1))) end--;
  return end;
}

/** Whether the last `namedFloat` knew the name. */
let named: bool = false;

/** The value of `inf`, `infinity` or `nan` with an optional sign; sets `named`. */
function namedFloat(first: usize, end: usize): f64 {
  const sign = first < end ? <u32>load<u8>(first) : 0;
  if (sign == MINUS || sign == PLUS) first++;
  const length = end - first;
  const low = length < 8 ? (load<u64>(first) | 0x2020202020202020) << ((8 - length) << 3) : load<u64>(first) | 0x2020202020202020;
  let value: f64 = 0;
  named = true;
  // The names' letters, the first in the lowest byte, moved to the top: "nan", "inf", "infinity".
  if (length == 3 && low == 0x6e616e0000000000) value = NaN;
  else if (length == 3 && low == 0x666e690000000000) value = Infinity;
  else if (length == 8 && low == 0x7974696e69666e69) value = Infinity;
  else named = false;
  return sign == MINUS ? -value : value;
}

/** `numF64` and `numStatus` from what was scanned. */
function takeF64(): void {
  if (!scanOk) {
    numStatus = NUM_SYNTAX;
    return;
  }
  const value = decimalToF64();
  numF64 = scanNegative ? -value : value;
  numStatus = value == Infinity ? NUM_RANGE : NUM_OK;
}

/** `numF32` and `numStatus` from what was scanned. */
function takeF32(): void {
  if (!scanOk) {
    numStatus = NUM_SYNTAX;
    return;
  }
  const value = decimalToF32();
  numF32 = scanNegative ? -value : value;
  numStatus = value == <f32>Infinity ? NUM_RANGE : NUM_OK;
}

/** `numI64` and `numStatus` from what was scanned. */
function takeI64(): void {
  takeMagnitude();
  if (numStatus == NUM_SYNTAX || numStatus == NUM_RANGE) return;
  const limit: u64 = scanNegative ? 0x8000000000000000 : <u64>i64.MAX_VALUE;
  if (numU64 > limit) numStatus = NUM_RANGE;
  numI64 = scanNegative ? -(<i64>numU64) : <i64>numU64;
}

/** `numU64` and `numStatus` from what was scanned. */
function takeU64(): void {
  takeMagnitude();
  if (numStatus != NUM_SYNTAX && scanNegative && numU64 != 0) numStatus = NUM_RANGE;
}

/**
 * The scanned magnitude, truncated to an integer, into `numU64`. Sets NUM_OK, NUM_FRACTION, NUM_SYNTAX, or NUM_RANGE when
 * it needs more than 64 bits.
 */
function takeMagnitude(): void {
  if (!scanOk) {
    numStatus = NUM_SYNTAX;
  } else if (scanExponent == 0 && scanCount <= U64_DIGITS) {
    numU64 = scanMantissa;
    numStatus = NUM_OK;
  } else {
    truncateDigits();
  }
}

/**
 * `takeMagnitude` digit by digit: the first scanCount + scanExponent digits, continued with zeros, are the integer part; a
 * later digit other than zero is a fraction.
 */
function truncateDigits(): void {
  const integral: i64 = <i64>scanCount + <i64>scanExponent;
  let value: u64 = 0;
  let index: i64 = 0;
  numStatus = NUM_OK;
  for (let q = scanFirst; q < scanLast; q++) {
    const digit = <u32>load<u8>(q) - ZERO;
    if (digit > 9) continue;
    if (index < integral) {
      value = appendDigit(value, digit);
      if (numStatus == NUM_RANGE) return;
    } else if (digit != 0) {
      numStatus = NUM_FRACTION;
      break;
    }
    index++;
  }
  // The zeros an exponent stands for: zero stays zero, anything else overflows within 20 steps.
  for (; index < integral && value != 0; index++) {
    value = appendDigit(value, 0);
    if (numStatus == NUM_RANGE) return;
  }
  numU64 = value;
}

/** value · 10 + digit; sets NUM_RANGE when that does not fit in 64 bits. */
function appendDigit(value: u64, digit: u32): u64 {
  const last: u64 = 0x1999999999999999;
  if (value > last || (value == last && digit > 5)) numStatus = NUM_RANGE;
  return value * 10 + <u64>digit;
}
