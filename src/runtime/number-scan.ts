/**
 * Scans a decimal number into sign, digits and exponent, from which `number-read.ts` makes integers, `float-read.ts` floats
 * and `decimal.ts` decimals. The digits are taken eight at a time (SWAR).
 *
 * Two grammars: JSON's, for bytes of a document, and SQL's cast from text, for a whole value of known length. Results are
 * in the `scan…` globals; nothing is judged here but the grammar.
 */

const MINUS: u32 = 0x2d;
const PLUS: u32 = 0x2b;
const DOT: u32 = 0x2e;
const ZERO: u32 = 0x30;
const LOWER_E: u32 = 0x65;
/** Eight ASCII zeros. */
const ZEROS: u64 = 0x3030303030303030;
/** An exponent's magnitude is held here; beyond it nothing changes, because a row has at most 16 MiB of digits. */
const MAX_EXPONENT: i32 = 100000000;

/** 10^0 to 10^8 as u64. */
const SMALL_POWERS: usize = memory.data<u64>([1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000]);

// What was scanned: ±digits · 10^scanExponent, where digits are those from scanFirst up to scanLast, skipping the point.

/** Whether the bytes follow the grammar; when false the other globals say nothing. */
export let scanOk: bool = false;
/** Whether a minus sign was read. */
export let scanNegative: bool = false;
/** Address of the first digit. */
export let scanFirst: usize = 0;
/** Address after the last digit of the integer part and the fraction. */
export let scanLast: usize = 0;
/** How many digits there are, leading zeros included. */
export let scanCount: usize = 0;
/** The digits as an integer modulo 2^64: the value itself up to 19 digits. */
export let scanMantissa: u64 = 0;
/** The power of ten of the last digit. */
export let scanExponent: i32 = 0;

/** Result of `scanRun`. */
let runValue: u64 = 0;

/** Continues `value` by all digits from `p` on into `runValue`, modulo 2^64, and returns the address after them. */
function scanRun(p: usize, value: u64): usize {
  while (true) {
    // Digits are below ten now; bytes from ten up get their high bit, and a carry can spoil only bytes after the first such.
    let word = load<u64>(p) ^ ZEROS;
    const count = <usize>(ctz(((word + 0x7676767676767676) | word) & 0x8080808080808080) >> 3);
    if (count == 0) break;
    // The digits at the end of the word, zeros before them.
    word <<= (8 - count) << 3;
    // https://kholdstare.github.io/technical/2020/05/26/faster-integer-parsing.html
    word = (word * 10 + (word >> 8)) & 0x00ff00ff00ff00ff;
    word = (word * 100 + (word >> 16)) & 0x0000ffff0000ffff;
    word = (word * 10000 + (word >> 32)) & 0xffffffff;
    value = value * load<u64>(SMALL_POWERS + (count << 3)) + word;
    p += count;
    if (count < 8) break;
  }
  runValue = value;
  return p;
}

/**
 * Scans a number by JSON's grammar, https://www.rfc-editor.org/rfc/rfc8259#section-6, and returns the address after it, or
 * that of the offending byte with `scanOk` false. The text must be followed by a byte that is no part of a number.
 */
export function scanNumber(p: usize): usize {
  const negative = <u32>load<u8>(p) == MINUS;
  const first = p + usize(negative);
  let q = scanRun(first, 0);
  let digits = q - first;
  if (digits == 0 || (digits > 1 && <u32>load<u8>(first) == ZERO)) return refuse(first);

  let exponent: i32 = 0;
  if (<u32>load<u8>(q) == DOT) {
    const fraction = q + 1;
    q = scanRun(fraction, runValue);
    if (q == fraction) return refuse(q);
    digits += q - fraction;
    exponent = -(<i32>(q - fraction));
  }
  scanNegative = negative;
  scanFirst = first;
  scanLast = q;
  scanCount = digits;
  scanMantissa = runValue;
  scanOk = true;
  if ((<u32>load<u8>(q) | 0x20) == LOWER_E) {
    q = scanExponentPart(q + 1, usize.MAX_VALUE);
    exponent += exponentPart;
  }
  scanExponent = exponent;
  return q;
}

/** Notes a fault of grammar and hands the offending byte's address on. */
function refuse(at: usize): usize {
  scanOk = false;
  return at;
}

let exponentPart: i32 = 0;

/** Reads `[+-]?[0-9]+` before `end` into `exponentPart`, saturating; without a digit `scanOk` becomes false. */
function scanExponentPart(p: usize, end: usize): usize {
  const sign = <u32>load<u8>(p);
  if (p < end && (sign == MINUS || sign == PLUS)) p++;
  const first = p;
  let value: i32 = 0;
  while (p < end) {
    const digit = <u32>load<u8>(p) - ZERO;
    if (digit > 9) break;
    value = min(value * 10 + <i32>digit, MAX_EXPONENT);
    p++;
  }
  if (p == first) scanOk = false;
  exponentPart = sign == MINUS ? -value : value;
  return p;
}

/**
 * Scans the whole of [p, end) by the grammar of a cast from text, `[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?`: as
 * JSON's, but with a plus sign, leading zeros, and a point without digits on one side. Returns whether it fits. The bytes
 * after `end` are not interpreted. Surrounding white space is the caller's to trim.
 */
export function scanText(p: usize, end: usize): bool {
  const sign = p < end ? <u32>load<u8>(p) : 0;
  scanNegative = sign == MINUS;
  if (sign == MINUS || sign == PLUS) p++;
  scanFirst = p;
  let mantissa: u64 = 0;
  let digits: usize = 0;
  let point: usize = 0;
  for (; p < end; p++) {
    const digit = <u32>load<u8>(p) - ZERO;
    if (digit <= 9) {
      mantissa = mantissa * 10 + <u64>digit;
      digits++;
    } else if (<u32>load<u8>(p) == DOT && point == 0) {
      point = p + 1;
    } else {
      break;
    }
  }
  scanLast = p;
  scanCount = digits;
  scanMantissa = mantissa;
  scanExponent = point == 0 ? 0 : -(<i32>(p - point));
  scanOk = digits != 0;
  if (scanOk && p < end && (<u32>load<u8>(p) | 0x20) == LOWER_E) {
    p = scanExponentPart(p + 1, end);
    scanExponent += exponentPart;
  }
  scanOk = scanOk && p == end;
  return scanOk;
}
