/**
 * Writes numbers as text: integers, and floats with the fewest digits that read back to the same value, in two spellings:
 * ECMAScript's Number::toString (JSON), and the one of DataFusion's cast from float to text (the Rust crate ryu).
 *
 * Every writer takes the destination, returns the pointer after the last byte, and may scribble up to RESERVE bytes from
 * the destination on: reserve that much. Numbers are ASCII. NaN and infinities are the caller's concern in JSON
 * (`isFiniteF64`), and spelled out by the SQL writers.
 */
import { shortestDigits, shortestExponent, shortestF32, shortestF64 } from "./float-shortest.ts";

/** Bytes that any writer of this file may touch; the longest text has 26. */
export const RESERVE: usize = 64;

/** Eight ASCII zeros. */
const ZEROS: u64 = 0x3030303030303030;
const ZERO: u8 = 0x30;
const DOT: u8 = 0x2e;
const MINUS: u8 = 0x2d;
const PLUS: u8 = 0x2b;
const LOWER_E: u8 = 0x65;
/** "0.", the lower byte first. */
const ZERO_DOT: u16 = 0x2e30;
/** ".0", the lower byte first. */
const DOT_ZERO: u16 = 0x302e;

/** Whether `value` is neither NaN nor an infinity. */
export function isFiniteF64(value: f64): bool {
  return value - value == 0;
}

/** Whether `value` is neither NaN nor an infinity. */
export function isFiniteF32(value: f32): bool {
  return value - value == 0;
}

// The next two repeat one computation, because asc does not inline at -O2: the eight digits of a value below 10^8 as the
// bytes of a word, the most significant lowest. Each half is divided by 100 and each quarter by 10, by multiplication with
// rounded-up reciprocals, which is exact below 10^4 and 10^2.

/** Writes `value` < 10^8 with all its eight digits. */
function writeEight(dst: usize, value: u32): usize {
  const high = value / 10000;
  const halves = <u64>high | ((<u64>(value - high * 10000)) << 32);
  const hundreds = ((halves * 5243) >> 19) & 0x0000007f0000007f;
  const quarters = hundreds | ((halves - hundreds * 100) << 16);
  const tens = ((quarters * 103) >> 10) & 0x000f000f000f000f;
  store<u64>(dst, tens | ((quarters - tens * 10) << 8) | ZEROS);
  return dst + 8;
}

/** Writes `value` < 10^8 without leading zeros. */
function writeShort(dst: usize, value: u32): usize {
  const high = value / 10000;
  const halves = <u64>high | ((<u64>(value - high * 10000)) << 32);
  const hundreds = ((halves * 5243) >> 19) & 0x0000007f0000007f;
  const quarters = hundreds | ((halves - hundreds * 100) << 16);
  const tens = ((quarters * 103) >> 10) & 0x000f000f000f000f;
  const digits = tens | ((quarters - tens * 10) << 8);
  // A zero keeps its last digit.
  const leading = ctz(digits | 0x0100000000000000) & 0x38;
  store<u64>(dst, (digits | ZEROS) >> leading);
  return dst + 8 - <usize>(leading >> 3);
}

/** Writes a u64 in decimal: 1 to 20 bytes. */
export function writeU64(dst: usize, value: u64): usize {
  if (value < 100000000) return writeShort(dst, <u32>value);
  const high = value / 100000000;
  const low = <u32>(value - high * 100000000);
  if (high < 100000000) return writeEight(writeShort(dst, <u32>high), low);
  const top = high / 100000000;
  return writeEight(writeEight(writeShort(dst, <u32>top), <u32>(high - top * 100000000)), low);
}

/** Writes an i64 in decimal: 1 to 20 bytes. */
export function writeI64(dst: usize, value: i64): usize {
  store<u8>(dst, MINUS);
  return value < 0 ? writeU64(dst + 1, -value) : writeU64(dst, value);
}

/** Writes a finite f64 as ECMAScript does (`-0` as `0`): 1 to 25 bytes. */
export function writeF64(dst: usize, value: f64): usize {
  if (value == 0) {
    store<u8>(dst, ZERO);
    return dst + 1;
  }
  store<u8>(dst, MINUS);
  if (value < 0) dst++;
  const magnitude = abs(value);
  // Integers below 2^53 are their own shortest digits.
  if (magnitude < 9007199254740992 && floor(magnitude) == magnitude) return writeU64(dst, <u64>magnitude);
  shortestF64(magnitude);
  return layOut(dst);
}

/** Writes a finite f32 with the fewest digits that read back as that f32, laid out as ECMAScript does: 1 to 25 bytes. */
export function writeF32(dst: usize, value: f32): usize {
  if (value == 0) {
    store<u8>(dst, ZERO);
    return dst + 1;
  }
  store<u8>(dst, MINUS);
  if (value < 0) dst++;
  shortestF32(abs(value));
  return layOut(dst);
}

/**
 * Writes an f64 as CAST(… AS TEXT) spells it: `1.0`, `-0.0`, `1e16`, `1.5e-5`, `NaN`, `inf`, `-inf`. Plain notation below
 * 10^16 and from 10^-5 on. https://docs.rs/ryu `Buffer::format`, which arrow-cast uses.
 */
export function writeF64Sql(dst: usize, value: f64): usize {
  if (!isFiniteF64(value)) return writeNonFinite(dst, value);
  if (reinterpret<u64>(value) >> 63 != 0) store<u8>(dst++, MINUS);
  if (value == 0) return writeZeroSql(dst);
  shortestF64(abs(value));
  return layOutSql(dst, -5, 16);
}

/** Writes an f32 as CAST(… AS TEXT) spells it: plain notation below 10^13 and from 10^-6 on. */
export function writeF32Sql(dst: usize, value: f32): usize {
  if (!isFiniteF32(value)) return writeNonFinite(dst, <f64>value);
  if (reinterpret<u32>(value) >> 31 != 0) store<u8>(dst++, MINUS);
  if (value == 0) return writeZeroSql(dst);
  shortestF32(abs(value));
  return layOutSql(dst, -6, 13);
}

function writeZeroSql(dst: usize): usize {
  store<u32>(dst, 0x302e30);
  return dst + 3;
}

function writeNonFinite(dst: usize, value: f64): usize {
  if (value < 0) store<u8>(dst++, MINUS);
  // "NaN" and "inf", the first letter in the lowest byte.
  store<u32>(dst, value != value ? 0x4e614e : 0x666e69);
  return dst + 3;
}

/** 32 bytes before the digits stay zero, so that a search for the last digit other than zero ends. */
const DIGITS: usize = memory.data(64, 16) + 32;
/** How many digits are at DIGITS, without trailing zeros. */
let digitLength: i32 = 0;
/** The value is 0.digits · 10^pointAt. */
let pointAt: i32 = 0;

/** Writes the shortest digits to DIGITS and sets `digitLength` and `pointAt`. */
function spellDigits(): void {
  const end = writeU64(DIGITS, shortestDigits);
  const nonZero = i8x16.bitmask(i8x16.ne(v128.load(end - 16), i8x16.splat(ZERO)));
  const length = <i32>(end - DIGITS);
  digitLength = nonZero == 0 ? 1 : min(length, length - (clz<i32>(nonZero) - 16));
  pointAt = length + shortestExponent;
}

/** Copies up to 32 bytes; scribbles. */
function copyDigits(dst: usize, src: usize): void {
  v128.store(dst, v128.load(src));
  v128.store(dst, v128.load(src, 16), 16);
}

function fillZeros(dst: usize): void {
  const zeros = i8x16.splat(ZERO);
  v128.store(dst, zeros);
  v128.store(dst, zeros, 16);
}

/** Number::toString, steps 6 to 12. https://tc39.es/ecma262/#sec-numeric-types-number-tostring */
function layOut(dst: usize): usize {
  spellDigits();
  const point = pointAt;
  if (point <= 0) {
    if (point <= -6) return layOutExponent(dst, true);
    return layOutFraction(dst);
  }
  if (point > 21) return layOutExponent(dst, true);
  if (digitLength > point) return layOutSplit(dst);
  copyPlain(dst);
  return dst + <usize>point;
}

/** ryu's `pretty`, with `least` < point ≤ `greatest` in plain notation. */
function layOutSql(dst: usize, least: i32, greatest: i32): usize {
  spellDigits();
  const point = pointAt;
  if (point <= least || point > greatest) return layOutExponent(dst, false);
  if (point <= 0) return layOutFraction(dst);
  if (digitLength > point) return layOutSplit(dst);
  copyPlain(dst);
  store<u16>(dst + <usize>point, DOT_ZERO);
  return dst + <usize>point + 2;
}

/** The digits, continued with zeros up to the point and beyond. */
function copyPlain(dst: usize): void {
  copyDigits(dst, DIGITS);
  fillZeros(dst + <usize>digitLength);
}

/** 0.00digits */
function layOutFraction(dst: usize): usize {
  store<u16>(dst, ZERO_DOT);
  store<u64>(dst + 2, ZEROS);
  dst += 2 + <usize>-pointAt;
  copyDigits(dst, DIGITS);
  return dst + <usize>digitLength;
}

/** dig.its */
function layOutSplit(dst: usize): usize {
  const point = <usize>pointAt;
  copyDigits(dst, DIGITS);
  copyDigits(dst + point + 1, DIGITS + point);
  store<u8>(dst + point, DOT);
  return dst + <usize>digitLength + 1;
}

/** d.igitse±x; the plus sign is ECMAScript's. */
function layOutExponent(dst: usize, plus: bool): usize {
  if (digitLength == 1) {
    store<u8>(dst, load<u8>(DIGITS));
    dst++;
  } else {
    copyDigits(dst + 1, DIGITS);
    store<u8>(dst, load<u8>(DIGITS));
    store<u8>(dst + 1, DOT);
    copyDigits(dst + 2, DIGITS + 1);
    dst += <usize>digitLength + 1;
  }
  store<u8>(dst++, LOWER_E);
  const exponent = pointAt - 1;
  if (exponent < 0) store<u8>(dst++, MINUS);
  else if (plus) store<u8>(dst++, PLUS);
  return writeShort(dst, <u32>abs(exponent));
}
