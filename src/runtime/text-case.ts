/**
 * Letter case over all of Unicode: lower, upper, initcap, and the folding that ILIKE compares by. Results are those of
 * JavaScript's `toLowerCase` and `toUpperCase` and of Rust's, including `ß` → `SS` and the final sigma; no locale.
 *
 * ASCII is done 16 bytes at a time; the rest code point by code point with the tables of `case-tables.ts`. Room for the
 * result: 3 · len + 16 bytes, which no mapping exceeds (`ΐ`, two bytes, has six in upper case).
 */
import {
  ALPHANUMERIC,
  ALPHANUMERIC_COUNT,
  CASE_IGNORABLE,
  CASE_IGNORABLE_COUNT,
  CASED,
  CASED_COUNT,
  EXPANSION_BASE,
  EXPANSIONS,
  FOLD_EXCEPTIONS,
  FOLD_EXCEPTIONS_COUNT,
  LOWER_RUNS,
  LOWER_RUNS_COUNT,
  UPPER_RUNS,
  UPPER_RUNS_COUNT,
} from "./case-tables.ts";
import { decodeCodePoint, encodeCodePoint, isContinuation, sequenceLength } from "./utf8.ts";

const BLOCK: usize = 16;
const RUN_BYTES: usize = 12;
const PAIR_BYTES: usize = 8;
const CAPITAL_SIGMA: u32 = 0x3a3;
const FINAL_SIGMA: u32 = 0x3c2;

/** The last of `count` entries of `width` bytes whose first word is at most `c`; 0 when there is none. */
function lastUpTo(table: usize, count: i32, width: usize, c: i32): usize {
  let low: i32 = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (load<i32>(table + <usize>middle * width) <= c) low = middle + 1;
    else high = middle;
  }
  return low == 0 ? 0 : table + <usize>(low - 1) * width;
}

/** Whether `c`, U+0080 or above, lies in one of the ranges. */
function isInRanges(table: usize, count: i32, c: u32): bool {
  const range = lastUpTo(table, count, PAIR_BYTES, <i32>c);
  return range != 0 && <i32>c <= load<i32>(range, 4);
}

/** The distance that a table of runs maps `c`, U+0080 or above, by; 0 when it does not. */
function distanceOf(table: usize, count: i32, c: u32): i32 {
  const run = lastUpTo(table, count, RUN_BYTES, <i32>c);
  if (run == 0) return 0;
  const last = load<i32>(run, 4);
  if (<i32>c > last >> 1) return 0;
  if ((last & 1) != 0 && ((<i32>c - load<i32>(run)) & 1) != 0) return 0;
  return load<i32>(run, 8);
}

/** Writes the code point, or the code points, that a distance maps `c` to. */
function writeMapped(dst: usize, c: u32, distance: i32): usize {
  if (distance < EXPANSION_BASE) return encodeCodePoint(dst, <u32>(<i32>c + distance));
  const expansion = EXPANSIONS + <usize>(distance - EXPANSION_BASE) * RUN_BYTES;
  dst = encodeCodePoint(dst, load<u32>(expansion));
  const second = load<u32>(expansion, 4);
  const third = load<u32>(expansion, 8);
  if (second != 0) dst = encodeCodePoint(dst, second);
  return third == 0 ? dst : encodeCodePoint(dst, third);
}

/** Writes the upper case of one code point. */
function writeUpper(dst: usize, c: u32): usize {
  if (c < 0x80) {
    store<u8>(dst, <u8>(c - 0x61 < 26 ? c - 0x20 : c));
    return dst + 1;
  }
  return writeMapped(dst, c, distanceOf(UPPER_RUNS, UPPER_RUNS_COUNT, c));
}

/** Writes the lower case of one code point without regard to its neighbours. */
function writeLower(dst: usize, c: u32): usize {
  if (c < 0x80) {
    store<u8>(dst, <u8>(c - 0x41 < 26 ? c + 0x20 : c));
    return dst + 1;
  }
  return writeMapped(dst, c, distanceOf(LOWER_RUNS, LOWER_RUNS_COUNT, c));
}

/** A block with the ASCII letters from `first` on, 26 of them, in the other case. */
function flipCase(block: v128, first: i8): v128 {
  const letters = i8x16.lt_u(i8x16.sub(block, i8x16.splat(first)), i8x16.splat(26));
  return v128.xor(block, v128.and(letters, i8x16.splat(0x20)));
}

/** upper. Returns the pointer after the result. */
export function upperText(dst: usize, p: usize, len: usize): usize {
  const end = p + len;
  while (p < end) {
    const block = v128.load(p);
    if (p + BLOCK <= end && i8x16.bitmask(block) == 0) {
      v128.store(dst, flipCase(block, 0x61));
      p += BLOCK;
      dst += BLOCK;
      continue;
    }
    // A block's worth of code points before blocks are tried again.
    const stop = min(p + BLOCK, end);
    while (p < stop) {
      dst = writeUpper(dst, decodeCodePoint(p));
      p += sequenceLength(p);
    }
  }
  return dst;
}

/** lower. Returns the pointer after the result. */
export function lowerText(dst: usize, p: usize, len: usize): usize {
  const start = p;
  const end = p + len;
  while (p < end) {
    const block = v128.load(p);
    if (p + BLOCK <= end && i8x16.bitmask(block) == 0) {
      v128.store(dst, flipCase(block, 0x41));
      p += BLOCK;
      dst += BLOCK;
      continue;
    }
    const stop = min(p + BLOCK, end);
    while (p < stop) {
      const c = decodeCodePoint(p);
      if (c == CAPITAL_SIGMA && isFinalSigma(start, p, end)) dst = encodeCodePoint(dst, FINAL_SIGMA);
      else dst = writeLower(dst, c);
      p += sequenceLength(p);
    }
  }
  return dst;
}

/**
 * Whether the sigma at `p` ends a word: a cased letter before it and none after it, case-ignorable ones skipped.
 * https://www.unicode.org/versions/latest/core-spec/chapter-3/#G54277 (Final_Sigma)
 */
function isFinalSigma(start: usize, p: usize, end: usize): bool {
  let q = p;
  let before: u32 = 0;
  while (q > start) {
    q--;
    while (isContinuation(q)) q--;
    before = decodeCodePoint(q);
    if (!isCaseIgnorable(before)) break;
    before = 0;
  }
  if (before == 0 || !isCased(before)) return false;
  q = p + sequenceLength(p);
  while (q < end) {
    const after = decodeCodePoint(q);
    if (!isCaseIgnorable(after)) return !isCased(after);
    q += sequenceLength(q);
  }
  return true;
}

function isCased(c: u32): bool {
  return c < 0x80 ? (c | 0x20) - 0x61 < 26 : isInRanges(CASED, CASED_COUNT, c);
}

function isCaseIgnorable(c: u32): bool {
  // In ASCII: apostrophe, full stop, colon, circumflex, grave accent.
  if (c < 0x80) return c == 0x27 || c == 0x2e || c == 0x3a || c == 0x5e || c == 0x60;
  return isInRanges(CASE_IGNORABLE, CASE_IGNORABLE_COUNT, c);
}

/** Whether `c` is alphabetic or numeric, as Rust's `char::is_alphanumeric`. */
export function isAlphanumeric(c: u32): bool {
  if (c < 0x80) return (c | 0x20) - 0x61 < 26 || c - 0x30 < 10;
  return isInRanges(ALPHANUMERIC, ALPHANUMERIC_COUNT, c);
}

/** initcap: upper case after a character that is not alphanumeric, lower case after one that is, each by itself. */
export function initcapText(dst: usize, p: usize, len: usize): usize {
  const end = p + len;
  let inWord = false;
  while (p < end) {
    const c = decodeCodePoint(p);
    dst = inWord ? writeLower(dst, c) : writeUpper(dst, c);
    inWord = isAlphanumeric(c);
    p += sequenceLength(p);
  }
  return dst;
}

/** One code point for all that differ only in case (Unicode's simple folding, up to the choice of the representative). */
export function foldCodePoint(c: u32): u32 {
  if (c < 0x80) return c - 0x41 < 26 ? c + 0x20 : c;
  const exception = lastUpTo(FOLD_EXCEPTIONS, FOLD_EXCEPTIONS_COUNT, PAIR_BYTES, <i32>c);
  if (exception != 0 && load<u32>(exception) == c) return load<u32>(exception, 4);
  const distance = distanceOf(LOWER_RUNS, LOWER_RUNS_COUNT, c);
  return distance >= EXPANSION_BASE ? c : <u32>(<i32>c + distance);
}
