/**
 * Text that is only looked at: comparing, searching, and taking parts without a copy. All text is valid UTF-8 given by
 * pointer and length in bytes, and may be read 64 bytes past its end; positions and counts of SQL are in code points.
 *
 * A part is returned as a pointer into its source, its length in `partLength`. Making new text is the concern of
 * `text-build.ts`, letter case of `text-case.ts`, LIKE of `text-like.ts`.
 */
import { advanceCodePoints, countCodePoints, decodeCodePoint, isContinuation, retreatCodePoints, sequenceLength } from "./utf8.ts";

const BLOCK: usize = 16;
const FULL_MASK: u32 = 0xffff;

/** Length in bytes of the part that was returned last. */
export let partLength: usize = 0;

/** Whether the `len` bytes at `a` and at `b` are the same. */
export function bytesEqual(a: usize, b: usize, len: usize): bool {
  while (len > BLOCK) {
    if (<u32>i8x16.bitmask(i8x16.eq(v128.load(a), v128.load(b))) != FULL_MASK) return false;
    a += BLOCK;
    b += BLOCK;
    len -= BLOCK;
  }
  const same = <u32>i8x16.bitmask(i8x16.eq(v128.load(a), v128.load(b)));
  // The first `len` bits, 0 to 16, must be set.
  return (~same & (((<u32>1) << (<u32>len)) - 1)) == 0;
}

/** Order by bytes, which is the order by code points: negative, 0 or positive. */
export function compareBytes(a: usize, aLen: usize, b: usize, bLen: usize): i32 {
  const shorter = min(aLen, bLen);
  let at: usize = 0;
  while (at < shorter) {
    const other = ~(<u32>i8x16.bitmask(i8x16.eq(v128.load(a + at), v128.load(b + at)))) & FULL_MASK;
    if (other != 0) {
      at += <usize>ctz(other);
      if (at >= shorter) break;
      return <i32>load<u8>(a + at) - <i32>load<u8>(b + at);
    }
    at += BLOCK;
  }
  return aLen == bLen ? 0 : aLen < bLen ? -1 : 1;
}

/** Whether `p` begins with `prefix`. */
export function startsWith(p: usize, len: usize, prefix: usize, prefixLen: usize): bool {
  return prefixLen <= len && bytesEqual(p, prefix, prefixLen);
}

/** Whether `p` ends with `suffix`. */
export function endsWith(p: usize, len: usize, suffix: usize, suffixLen: usize): bool {
  return suffixLen <= len && bytesEqual(p + len - suffixLen, suffix, suffixLen);
}

/** Whether `needle` occurs in `p`; the empty text does. */
export function containsText(p: usize, len: usize, needle: usize, needleLen: usize): bool {
  return findBytes(p, p + len, needle, needleLen) != 0;
}

/**
 * The first address in [p, end) at which `needle` occurs whole, or 0. The empty needle occurs at `p`. Candidates are where
 * the needle's first and last byte are at their distance. http://0x80.pl/notesen/2016-11-28-simd-strfind.html
 */
export function findBytes(p: usize, end: usize, needle: usize, needleLen: usize): usize {
  if (needleLen == 0) return p;
  if (needleLen > end - p) return 0;
  const reach = needleLen - 1;
  const last = end - reach;
  const firstByte = i8x16.splat(load<u8>(needle));
  const lastByte = i8x16.splat(load<u8>(needle + reach));
  while (p < last) {
    let candidates = <u32>i8x16.bitmask(v128.and(i8x16.eq(v128.load(p), firstByte), i8x16.eq(v128.load(p + reach), lastByte)));
    while (candidates != 0) {
      const at = p + <usize>ctz(candidates);
      if (at >= last) return 0;
      if (bytesEqual(at, needle, needleLen)) return at;
      candidates &= candidates - 1;
    }
    p += BLOCK;
  }
  return 0;
}

/** strpos: the code point, from 1 on, at which `needle` first occurs; 0 when it does not. */
export function positionOf(p: usize, len: usize, needle: usize, needleLen: usize): i64 {
  const at = findBytes(p, p + len, needle, needleLen);
  return at == 0 ? 0 : <i64>countCodePoints(p, at - p) + 1;
}

/** ascii: the first code point, 0 for the empty text. */
export function firstCodePoint(p: usize, len: usize): i32 {
  return len == 0 ? 0 : <i32>decodeCodePoint(p);
}

/** The part [from, to). */
function part(from: usize, to: usize): usize {
  partLength = to - from;
  return from;
}

/**
 * substr(text, start): from code point `start` on, counted from 1; all of the text when `start` is below 1.
 */
export function substringFrom(p: usize, len: usize, start: i64): usize {
  const end = p + len;
  return part(start <= 1 ? p : advanceCodePoints(p, end, <u64>(start - 1)), end);
}

/**
 * substr(text, start, count): the code points at positions `start` up to `start + count − 1` that exist, so that a start
 * below 1 uses up part of the count, as in PostgreSQL. A negative count is an error there and the caller's to report; here
 * it gives the empty text.
 */
export function substring(p: usize, len: usize, start: i64, count: i64): usize {
  const end = p + len;
  const stop = count > i64.MAX_VALUE - max(start, 0) ? i64.MAX_VALUE : start + count;
  const first = max(start, 1);
  if (count <= 0 || stop <= first) return part(p, p);
  const from = advanceCodePoints(p, end, <u64>(first - 1));
  return part(from, advanceCodePoints(from, end, <u64>(stop - first)));
}

/** left: the first `n` code points, or for a negative `n` all but the last −n. */
export function leftPart(p: usize, len: usize, n: i64): usize {
  const end = p + len;
  return part(p, n >= 0 ? advanceCodePoints(p, end, <u64>n) : retreatCodePoints(p, end, <u64>-n));
}

/** right: the last `n` code points, or for a negative `n` all but the first −n. */
export function rightPart(p: usize, len: usize, n: i64): usize {
  const end = p + len;
  return part(n >= 0 ? retreatCodePoints(p, end, <u64>n) : advanceCodePoints(p, end, <u64>-n), end);
}

/** Whether the code point at `p` is one of those in `set`. */
function isInSet(p: usize, set: usize, setLen: usize): bool {
  const length = sequenceLength(p);
  const end = set + setLen;
  while (set < end) {
    const memberLength = sequenceLength(set);
    if (memberLength == length && bytesEqual(p, set, length)) return true;
    set += memberLength;
  }
  return false;
}

/** The first address of [p, end) whose code point is not in `set`. */
function afterLeading(p: usize, end: usize, set: usize, setLen: usize): usize {
  while (p < end && isInSet(p, set, setLen)) p += sequenceLength(p);
  return p;
}

/** The end of [p, end) without code points in `set` at its end. */
function beforeTrailing(p: usize, end: usize, set: usize, setLen: usize): usize {
  while (p < end) {
    let last = end - 1;
    while (isContinuation(last)) last--;
    if (!isInSet(last, set, setLen)) break;
    end = last;
  }
  return end;
}

/** ltrim: without the code points of `set` at the start. */
export function trimStart(p: usize, len: usize, set: usize, setLen: usize): usize {
  return part(afterLeading(p, p + len, set, setLen), p + len);
}

/** rtrim: without the code points of `set` at the end. */
export function trimEnd(p: usize, len: usize, set: usize, setLen: usize): usize {
  return part(p, beforeTrailing(p, p + len, set, setLen));
}

/** btrim: without the code points of `set` at both ends. */
export function trimBoth(p: usize, len: usize, set: usize, setLen: usize): usize {
  const from = afterLeading(p, p + len, set, setLen);
  return part(from, beforeTrailing(from, p + len, set, setLen));
}

/** trim without a set: spaces (U+0020 only, as DataFusion and PostgreSQL) at both ends. */
export function trimSpaces(p: usize, len: usize): usize {
  const from = afterSpaces(p, p + len);
  return part(from, beforeSpaces(from, p + len));
}

/** ltrim without a set. */
export function trimSpacesStart(p: usize, len: usize): usize {
  return part(afterSpaces(p, p + len), p + len);
}

/** rtrim without a set. */
export function trimSpacesEnd(p: usize, len: usize): usize {
  return part(p, beforeSpaces(p, p + len));
}

function afterSpaces(p: usize, end: usize): usize {
  while (p < end && load<u8>(p) == 0x20) p++;
  return p;
}

function beforeSpaces(p: usize, end: usize): usize {
  while (end > p && load<u8>(end - 1) == 0x20) end--;
  return end;
}

/**
 * split_part: the n-th part between occurrences of `delimiter`, counted from 1, or from the end for a negative `n`; the
 * empty text when there is none. `n` = 0 is an error and the caller's to report. As in DataFusion an empty delimiter stands
 * before and after each code point, so that the first and the last part are empty.
 */
export function splitPart(p: usize, len: usize, delimiter: usize, delimiterLen: usize, n: i64): usize {
  const end = p + len;
  if (delimiterLen == 0) return splitEmpty(p, end, n);
  let index = n;
  if (n < 0) {
    index = n + countOccurrences(p, end, delimiter, delimiterLen) + 2;
    if (index < 1) return part(end, end);
  }
  let from = p;
  while (true) {
    const at = findBytes(from, end, delimiter, delimiterLen);
    if (index == 1) return part(from, at == 0 ? end : at);
    if (at == 0) return part(end, end);
    from = at + delimiterLen;
    index--;
  }
}

/** How often `needle`, which is not empty, occurs without overlap. */
export function countOccurrences(p: usize, end: usize, needle: usize, needleLen: usize): i64 {
  let count: i64 = 0;
  while (true) {
    const at = findBytes(p, end, needle, needleLen);
    if (at == 0) return count;
    count++;
    p = at + needleLen;
  }
}

/** `splitPart` by the empty delimiter: the empty text, each code point, the empty text. */
function splitEmpty(p: usize, end: usize, n: i64): usize {
  const points = <i64>countCodePoints(p, end - p);
  const index = n < 0 ? points + 2 + n : n - 1;
  if (index < 1 || index > points) return part(p, p);
  const from = advanceCodePoints(p, end, <u64>(index - 1));
  return part(from, from + sequenceLength(from));
}
