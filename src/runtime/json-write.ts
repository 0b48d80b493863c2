/** Writing JSON values. Every function writes at `q`, possibly up to 16 bytes beyond what counts, and returns the new end. */
import { isFiniteF64, writeF32, writeF64 } from "./number-write.ts";

/** Number of NaN and infinite values that were written as null. */
export let nonFiniteWritten: u64 = 0;

export function writeNull(q: usize): usize {
  store<u32>(q, 0x6c6c756e);
  return q + 4;
}

export function writeBoolean(q: usize, value: bool): usize {
  if (value) {
    store<u32>(q, 0x65757274);
    return q + 4;
  }
  store<u64>(q, 0x65736c6166);
  return q + 5;
}

/** A DOUBLE in its shortest spelling; null if it is not finite. */
export function writeDouble(q: usize, value: f64): usize {
  if (isFiniteF64(value)) return writeF64(q, value);
  nonFiniteWritten++;
  return writeNull(q);
}

/** A REAL in its shortest spelling; null if it is not finite. */
export function writeReal(q: usize, value: f32): usize {
  if (isFiniteF64(<f64>value)) return writeF32(q, value);
  nonFiniteWritten++;
  return writeNull(q);
}

function hexDigit(value: u32): u8 {
  return <u8>(value < 10 ? 48 + value : 87 + value);
}

/** Escape of one byte: two characters where JSON has them, \u00XX otherwise. */
function writeEscape(q: usize, c: u32): usize {
  store<u8>(q, 92);
  let short: u32 = 0;
  switch (c) {
    case 34:
    case 92:
      short = c;
      break;
    case 8:
      short = 98;
      break;
    case 9:
      short = 116;
      break;
    case 10:
      short = 110;
      break;
    case 12:
      short = 102;
      break;
    case 13:
      short = 114;
      break;
    default:
      store<u32>(q, 0x30303075, 1);
      store<u8>(q, hexDigit(c >> 4), 4);
      store<u8>(q, hexDigit(c & 15), 5);
      return q + 6;
  }
  store<u8>(q, <u8>short, 1);
  return q + 2;
}

/** A string with its quotes: `"`, `\` and control characters are escaped, nothing else. At most 6 × length + 2 bytes. */
export function writeString(q: usize, p: usize, length: usize): usize {
  const quote = i8x16.splat(34);
  const backslash = i8x16.splat(92);
  const control = i8x16.splat(32);
  const end = p + length;
  store<u8>(q++, 34);
  while (p < end) {
    const v = v128.load(p);
    v128.store(q, v);
    let special = i8x16.bitmask(v128.or(v128.or(i8x16.eq(v, quote), i8x16.eq(v, backslash)), i8x16.lt_u(v, control)));
    const rest = end - p;
    if (rest < 16) special |= 1 << (<i32>rest);
    if (special == 0) {
      p += 16;
      q += 16;
      continue;
    }
    const n = <usize>ctz(special);
    p += n;
    q += n;
    if (p >= end) break;
    q = writeEscape(q, <u32>load<u8>(p));
    p++;
  }
  store<u8>(q, 34);
  return q + 1;
}
