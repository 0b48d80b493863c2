/**
 * Scanning NDJSON. Every line ends with a newline inside the input, and nothing here goes past a newline: strings refuse
 * control characters, containers stop at them. So no scanner needs a length.
 *
 * Strictness: a line is sound if it is one value by JSON's grammar, with two liberties in what is skipped: numbers are
 * checked by the characters they are made of only, and of escapes only that something follows the backslash. So whether a
 * line is sound does not depend on which columns are read. Text that is kept must be valid UTF-8.
 *
 * What makes the line unsound is kept in `scanFault` (a reason of `row-errors.ts`); scanners then return any pointer. A
 * value that its column does not take is a fault of that column alone, noted in its validity byte (`refuseValue`): a later
 * duplicate of the key may still replace it.
 */
import { INVALID_UTF8, MALFORMED_JSON } from "./row-errors.ts";
import { isValidUtf8 } from "./utf8.ts";

/** Reason why the line is bad; 0: it is not, so far. */
export let scanFault: i32 = 0;
/** Column that the fault is about; −1: none. */
export let scanFaultColumn: i32 = -1;
/** End of the bytes written by `copyString`. */
export let copyEnd: usize = 0;
/** The key found by `scanKey`: address and length of its decoded bytes. */
export let keyStart: usize = 0;
export let keyLength: usize = 0;

const KEY_MAX: usize = 1024;
const keyBuffer: usize = memory.data(2048, 16);
const DEPTH_MAX: usize = 512;
const openers: usize = memory.data(512, 16);

export function clearFault(): void {
  scanFault = 0;
  scanFaultColumn = -1;
}

/** Records a fault unless the line has one. */
export function setFault(reason: i32, column: i32): void {
  if (scanFault != 0) return;
  scanFault = reason;
  scanFaultColumn = column;
}

/** Set in a validity byte whose other bits are the reason why the column could not take its value. */
export const REFUSED: i32 = 0x80;

/**
 * Turns the fault that reading the value at `p` has given into a fault of its column, whose validity byte is at `mark`; if
 * there is none, `otherwise` is the reason. Skips the value.
 */
export function refuseValue(p: usize, mark: usize, otherwise: i32): usize {
  store<u8>(mark, <u8>(REFUSED | (scanFault != 0 ? scanFault : otherwise)));
  clearFault();
  return skipValue(p);
}

/** Whether a number ends at `p`: what follows is no byte of numbers. */
export function endsNumber(p: usize): bool {
  return !inNumber(<u32>load<u8>(p));
}

/** First byte at or after `p` that is no blank of a line. */
export function skipBlanks(p: usize): usize {
  let c = <u32>load<u8>(p);
  while (c == 32 || c == 9 || c == 13) c = <u32>load<u8>(++p);
  return p;
}

/** Address of the first newline at or after `p`. */
export function findNewline(p: usize): usize {
  const newline = i8x16.splat(10);
  while (true) {
    const mask = i8x16.bitmask(i8x16.eq(v128.load(p), newline));
    if (mask != 0) return p + <usize>ctz(mask);
    p += 16;
  }
}

/** Address after the last newline in [from, to); `from` if there is none. */
export function afterLastNewline(from: usize, to: usize): usize {
  let p = to;
  while (p > from) {
    if (load<u8>(p - 1) == 10) return p;
    p--;
  }
  return from;
}

function hexDigits(p: usize): i32 {
  let value = 0;
  for (let i: usize = 0; i < 4; i++) {
    const c = <i32>load<u8>(p + i);
    let digit = c - 48;
    if (<u32>digit > 9) {
      digit = (c | 32) - 87;
      if (digit < 10 || digit > 15) return -1;
    }
    value = (value << 4) | digit;
  }
  return value;
}

function writeCodePoint(q: usize, code: i32): usize {
  if (code < 0x80) {
    store<u8>(q, <u8>code);
    return q + 1;
  }
  if (code < 0x800) {
    store<u8>(q, <u8>(0xc0 | (code >> 6)));
    store<u8>(q, <u8>(0x80 | (code & 63)), 1);
    return q + 2;
  }
  if (code < 0x10000) {
    store<u8>(q, <u8>(0xe0 | (code >> 12)));
    store<u8>(q, <u8>(0x80 | ((code >> 6) & 63)), 1);
    store<u8>(q, <u8>(0x80 | (code & 63)), 2);
    return q + 3;
  }
  store<u8>(q, <u8>(0xf0 | (code >> 18)));
  store<u8>(q, <u8>(0x80 | ((code >> 12) & 63)), 1);
  store<u8>(q, <u8>(0x80 | ((code >> 6) & 63)), 2);
  store<u8>(q, <u8>(0x80 | (code & 63)), 3);
  return q + 4;
}

/** Decodes the escape at `p` (a backslash) to `copyEnd`; returns the address behind it. */
function copyEscape(p: usize): usize {
  const q = copyEnd;
  const c = <i32>load<u8>(p, 1);
  let decoded = c;
  switch (c) {
    case 34:
    case 92:
    case 47:
      break;
    case 110:
      decoded = 10;
      break;
    case 116:
      decoded = 9;
      break;
    case 114:
      decoded = 13;
      break;
    case 98:
      decoded = 8;
      break;
    case 102:
      decoded = 12;
      break;
    case 117:
      return copyUnicodeEscape(p + 2);
    default:
      setFault(MALFORMED_JSON, -1);
      return p;
  }
  store<u8>(q, <u8>decoded);
  copyEnd = q + 1;
  return p + 2;
}

/** `p` is at the four hex digits. A surrogate without its partner cannot be written as UTF-8. */
function copyUnicodeEscape(p: usize): usize {
  let code = hexDigits(p);
  if (code < 0) {
    setFault(MALFORMED_JSON, -1);
    return p;
  }
  p += 4;
  if ((code & 0xfc00) == 0xd800 && load<u16>(p) == 0x755c) {
    const low = hexDigits(p + 2);
    if ((low & 0xfffffc00) == 0xdc00) {
      code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
      p += 6;
    }
  }
  if ((code & 0xfffff800) == 0xd800) {
    setFault(INVALID_UTF8, -1);
    return p;
  }
  copyEnd = writeCodePoint(copyEnd, code);
  return p;
}

/**
 * Copies the string whose first byte is at `p` (behind the opening quote) to `to`, decoding escapes; returns the address
 * behind the closing quote and leaves the end of the copy in `copyEnd`. May write 16 bytes more than the string has.
 */
export function copyString(p: usize, to: usize): usize {
  const quote = i8x16.splat(34);
  const backslash = i8x16.splat(92);
  const control = i8x16.splat(32);
  let high: i32 = 0;
  let q = to;
  while (true) {
    const v = v128.load(p);
    v128.store(q, v);
    const special = i8x16.bitmask(v128.or(v128.or(i8x16.eq(v, quote), i8x16.eq(v, backslash)), i8x16.lt_u(v, control)));
    const nonAscii = i8x16.bitmask(v);
    if (special == 0) {
      high |= nonAscii;
      p += 16;
      q += 16;
      continue;
    }
    const n = <usize>ctz(special);
    high |= nonAscii & ((1 << (<i32>n)) - 1);
    p += n;
    q += n;
    const c = load<u8>(p);
    if (c == 34) {
      copyEnd = q;
      if (high != 0 && !isValidUtf8(to, q - to)) setFault(INVALID_UTF8, -1);
      return p + 1;
    }
    if (c != 92) {
      setFault(MALFORMED_JSON, -1);
      return p;
    }
    copyEnd = q;
    p = copyEscape(p);
    if (scanFault != 0) return p;
    q = copyEnd;
  }
}

/** Address of the first quote, backslash or control character at or after `p`. */
export function findSpecial(p: usize): usize {
  const quote = i8x16.splat(34);
  const backslash = i8x16.splat(92);
  const control = i8x16.splat(32);
  while (true) {
    const v = v128.load(p);
    const special = i8x16.bitmask(v128.or(v128.or(i8x16.eq(v, quote), i8x16.eq(v, backslash)), i8x16.lt_u(v, control)));
    if (special != 0) return p + <usize>ctz(special);
    p += 16;
  }
}

/** Skips the string whose first byte is at `p` (behind the opening quote); returns the address behind the closing quote. */
export function skipString(p: usize): usize {
  while (true) {
    p = findSpecial(p);
    const c = load<u8>(p);
    if (c == 34) return p + 1;
    if (c != 92 || load<u8>(p, 1) < 32) {
      setFault(MALFORMED_JSON, -1);
      return p;
    }
    p += 2;
  }
}

/** True for bytes that a JSON number can be made of. */
function inNumber(c: u32): bool {
  return c - 48 < 10 || c == 45 || c == 43 || c == 46 || (c | 32) == 101;
}

/** Skips `null`, `true` or `false`; what may follow is the caller's to check. */
function skipWord(p: usize): usize {
  const word = load<u32>(p);
  if (word == 0x6c6c756e || word == 0x65757274) return p + 4;
  if (word == 0x736c6166 && load<u8>(p, 4) == 101) return p + 5;
  setFault(MALFORMED_JSON, -1);
  return p;
}

/** `skipValue` for a value that is expected to be a string. */
export function skipText(p: usize): usize {
  return load<u8>(p) == 34 ? skipString(p + 1) : skipValue(p);
}

/** `skipValue` for a value that is expected to be an integer of up to 16 digits: looks at all of them at once. */
export function skipNumber(p: usize): usize {
  const first = p + usize(load<u8>(p) == 45);
  const digits = i8x16.sub(v128.load(first), i8x16.splat(48));
  const count = <usize>ctz(i8x16.bitmask(i8x16.gt_u(digits, i8x16.splat(9))) | 0x10000);
  return count != 0 && !inNumber(<u32>load<u8>(first + count)) ? first + count : skipValue(p);
}

/** Skips the value at `p`; returns the address behind it. */
export function skipValue(p: usize): usize {
  const c = <u32>load<u8>(p);
  return c == OPEN_OBJECT || c == OPEN_ARRAY ? skipContainer(p) : skipScalar(p);
}

function skipScalar(p: usize): usize {
  const c = <u32>load<u8>(p);
  if (c == 34) return skipString(p + 1);
  if (c == 45 || c - 48 < 10) {
    while (inNumber(<u32>load<u8>(p))) p++;
    return p;
  }
  return skipWord(p);
}

const OPEN_OBJECT: u32 = 123;
const OPEN_ARRAY: u32 = 91;

/**
 * Skips the object or array at `p`. The stack of open containers is in `openers`; each turn of the loop is at a value (or,
 * behind an opening bracket, at the closing one) and ends behind a comma, or with the outermost container closed.
 */
function skipContainer(p: usize): usize {
  let depth: usize = 0;
  while (true) {
    const c = <u32>load<u8>(p);
    if (c == OPEN_OBJECT || c == OPEN_ARRAY) {
      if (depth == DEPTH_MAX) break;
      store<u8>(openers + depth, <u8>c);
      depth++;
      p = skipBlanks(p + 1);
      // A closing bracket is its opening one + 2 in ASCII.
      if (<u32>load<u8>(p) != c + 2) {
        if (c == OPEN_ARRAY) continue;
        p = skipMemberKey(p);
        if (scanFault != 0) return p;
        continue;
      }
    } else {
      p = skipScalar(p);
      if (scanFault != 0) return p;
      p = skipBlanks(p);
    }
    // Behind a value, or at the bracket that closes an empty container.
    while (<u32>load<u8>(p) == <u32>load<u8>(openers + depth - 1) + 2) {
      p++;
      if (--depth == 0) return p;
      p = skipBlanks(p);
    }
    if (load<u8>(p) != 44) break;
    p = skipBlanks(p + 1);
    if (<u32>load<u8>(openers + depth - 1) == OPEN_OBJECT) {
      p = skipMemberKey(p);
      if (scanFault != 0) return p;
    }
  }
  setFault(MALFORMED_JSON, -1);
  return p;
}

/** Skips a key, its colon and the blanks around it. */
function skipMemberKey(p: usize): usize {
  if (load<u8>(p) != 34) {
    setFault(MALFORMED_JSON, -1);
    return p;
  }
  p = skipBlanks(skipString(p + 1));
  if (load<u8>(p) == 58) return skipBlanks(p + 1);
  setFault(MALFORMED_JSON, -1);
  return p;
}

/** True if the bytes at `p` begin with `null`. */
export function isNull(p: usize): bool {
  return load<u32>(p) == 0x6c6c756e;
}

/**
 * Reads the key at `p` (its opening quote), the colon and the blanks around it; returns the address of the value. Keys
 * longer than 1 KiB decoded match no column.
 */
export function scanKey(p: usize): usize {
  const start = p + 1;
  p = findSpecial(start);
  const c = <u32>load<u8>(p);
  if (c == 34) {
    keyStart = start;
    keyLength = p - start;
    p++;
    // Nothing between the tokens is the rule.
    if (load<u8>(p) == 58 && load<u8>(p, 1) > 32) return p + 1;
  } else if (c == 92) {
    const end = skipString(start);
    if (scanFault != 0) return p;
    keyLength = KEY_MAX + 1;
    if (end - start <= KEY_MAX) {
      copyString(start, keyBuffer);
      keyStart = keyBuffer;
      // A key that cannot be decoded matches no column, and is nobody's fault.
      if (scanFault != 0) clearFault();
      else keyLength = copyEnd - keyBuffer;
    }
    p = end;
  } else setFault(MALFORMED_JSON, -1);
  p = skipBlanks(p);
  if (load<u8>(p) != 58) {
    setFault(MALFORMED_JSON, -1);
    return p;
  }
  return skipBlanks(p + 1);
}
