/**
 * Scanning NDJSON. Every line ends with a newline inside the input, and nothing here goes past a newline: strings refuse
 * control characters, containers stop at them. So no scanner needs a length.
 *
 * Strictness: a line is sound if its containers are balanced, its strings terminated and it is one value; scalars that are
 * skipped are checked by class only; text that is kept must be valid UTF-8.
 *
 * The first fault of a line is kept in `scanFault` (a reason of `row-errors.ts`); scanners then return any pointer.
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

/** Names the column of the line's fault if it has none yet. */
export function blameColumn(column: i32): void {
  if (scanFaultColumn < 0) scanFaultColumn = column;
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
    high |= nonAscii & ((1 << <i32>n) - 1);
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

/** Skips the string whose first byte is at `p` (behind the opening quote); returns the address behind the closing quote. */
export function skipString(p: usize): usize {
  const quote = i8x16.splat(34);
  const backslash = i8x16.splat(92);
  const control = i8x16.splat(32);
  while (true) {
    const v = v128.load(p);
    const special = i8x16.bitmask(v128.or(v128.or(i8x16.eq(v, quote), i8x16.eq(v, backslash)), i8x16.lt_u(v, control)));
    if (special == 0) {
      p += 16;
      continue;
    }
    p += <usize>ctz(special);
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

/** True if `p` is at `null`, `true` or `false` followed by no letter; skips by class. */
function skipWord(p: usize): usize {
  const word = load<u32>(p);
  const length: usize = word == 0x6c6c756e || word == 0x65757274 ? 4 : word == 0x736c6166 && load<u8>(p, 4) == 101 ? 5 : 0;
  const next = <u32>load<u8>(p + length);
  if (length == 0 || next == 34 || next == 92 || next == 95 || next >= 128 || (next | 32) - 97 < 26 || next - 48 < 10) setFault(MALFORMED_JSON, -1);
  return p + length;
}

/** Skips the value at `p`; returns the address behind it. */
export function skipValue(p: usize): usize {
  const c = <u32>load<u8>(p);
  if (c == 34) return skipString(p + 1);
  if (c == 123 || c == 91) return skipContainer(p);
  if (c == 45 || c - 48 < 10) {
    while (inNumber(<u32>load<u8>(p))) p++;
    return p;
  }
  return skipWord(p);
}

/** Skips the object or array at `p`: balanced, strings terminated. */
function skipContainer(p: usize): usize {
  let depth: usize = 0;
  do {
    const c = <u32>load<u8>(p);
    if (c == 34) {
      p = skipString(p + 1);
      if (scanFault != 0) return p;
      continue;
    }
    p++;
    if (c == 123 || c == 91) {
      if (depth == DEPTH_MAX) break;
      store<u8>(openers + depth, <u8>c);
      depth++;
    } else if (c == 125 || c == 93) {
      depth--;
      // The closing bracket is its opening one + 2 in ASCII.
      if (<u32>load<u8>(openers + depth) + 2 != c) break;
    } else if (c == 10) {
      p--;
      break;
    }
    if (depth == 0) return p;
  } while (true);
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
  p = start;
  let c = <u32>load<u8>(p);
  while (c != 34 && c != 92 && c >= 32) c = <u32>load<u8>(++p);
  if (c == 34) {
    keyStart = start;
    keyLength = p - start;
    p++;
  } else if (c == 92) {
    const end = skipString(start);
    if (scanFault != 0) return p;
    keyLength = KEY_MAX + 1;
    if (end - start <= KEY_MAX) {
      copyString(start, keyBuffer);
      keyStart = keyBuffer;
      // A key that is no UTF-8 matches no column, and is nobody's fault.
      if (scanFault == INVALID_UTF8) clearFault();
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
