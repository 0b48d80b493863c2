/**
 * Text that is made: copying, replacing, padding, repeating, reversing, translating. Every function writes to `dst` and
 * returns the pointer after the last byte; `dst` must not overlap the sources. Text is valid UTF-8 by pointer and length.
 *
 * Copies go 16 bytes at a time and may scribble up to 16 bytes past what they return: reserve the size each function states
 * plus 16.
 */
import { findBytes } from "./text.ts";
import { advanceCodePoints, countCodePoints, decodeCodePoint, encodeCodePoint, sequenceLength } from "./utf8.ts";

const BLOCK: usize = 16;

/** Copies `len` bytes: `len` bytes of room. Concatenation is one copy after the other. */
export function appendBytes(dst: usize, p: usize, len: usize): usize {
  const end = p + len;
  let q = dst;
  while (p < end) {
    v128.store(q, v128.load(p));
    q += BLOCK;
    p += BLOCK;
  }
  return dst + len;
}

/** The length that `replaceText` would return: exact, at the cost of a pass. */
export function replacedLength(p: usize, len: usize, from: usize, fromLen: usize, toLen: usize): usize {
  if (fromLen == 0) return len + (countCodePoints(p, len) + 1) * toLen;
  const end = p + len;
  let length = len;
  let at = findBytes(p, end, from, fromLen);
  while (at != 0) {
    length += toLen - fromLen;
    at = findBytes(at + fromLen, end, from, fromLen);
  }
  return length;
}

/**
 * replace: all occurrences of `from`, left to right without overlap, by `to`. `replacedLength` bytes of room, at most
 * len + (len + 1) · toLen. As in DataFusion an empty `from` stands before and after each code point.
 */
export function replaceText(dst: usize, p: usize, len: usize, from: usize, fromLen: usize, to: usize, toLen: usize): usize {
  const end = p + len;
  if (fromLen == 0) {
    dst = appendBytes(dst, to, toLen);
    while (p < end) {
      const length = sequenceLength(p);
      dst = appendBytes(appendBytes(dst, p, length), to, toLen);
      p += length;
    }
    return dst;
  }
  while (true) {
    const at = findBytes(p, end, from, fromLen);
    if (at == 0) return appendBytes(dst, p, end - p);
    dst = appendBytes(appendBytes(dst, p, at - p), to, toLen);
    p = at + fromLen;
  }
}

/** repeat: `n` copies, none for a negative `n`. len · n bytes of room. */
export function repeatText(dst: usize, p: usize, len: usize, n: i64): usize {
  // Nothing, however often: else any `n` would be counted down.
  if (len == 0) return dst;
  for (; n > 0; n--) dst = appendBytes(dst, p, len);
  return dst;
}

/** Writes `count` code points of `fill`, over and over; nothing when it is empty. */
function appendFill(dst: usize, fill: usize, fillLen: usize, count: i64): usize {
  if (fillLen == 0) return dst;
  const whole = <i64>countCodePoints(fill, fillLen);
  for (; count >= whole; count -= whole) dst = appendBytes(dst, fill, fillLen);
  return count <= 0 ? dst : appendBytes(dst, fill, advanceCodePoints(fill, fill + fillLen, <u64>count) - fill);
}

/**
 * lpad: `p` with code points of `fill` before it so that there are `n`; its first `n` when it has more; itself when `fill`
 * is empty and it has fewer. A negative `n` is 0. Room: len + 4 · n bytes.
 */
export function padStart(dst: usize, p: usize, len: usize, n: i64, fill: usize, fillLen: usize): usize {
  const points = <i64>countCodePoints(p, len);
  if (points >= n) return appendBytes(dst, p, advanceCodePoints(p, p + len, <u64>max(n, 0)) - p);
  return appendBytes(appendFill(dst, fill, fillLen, n - points), p, len);
}

/** rpad: as `padStart`, but the fill comes after. */
export function padEnd(dst: usize, p: usize, len: usize, n: i64, fill: usize, fillLen: usize): usize {
  const points = <i64>countCodePoints(p, len);
  if (points >= n) return appendBytes(dst, p, advanceCodePoints(p, p + len, <u64>max(n, 0)) - p);
  return appendFill(appendBytes(dst, p, len), fill, fillLen, n - points);
}

/** reverse: the code points from the last to the first. len bytes of room. */
export function reverseText(dst: usize, p: usize, len: usize): usize {
  const end = p + len;
  let q = dst + len;
  while (p < end) {
    const length = sequenceLength(p);
    q -= length;
    // Invariant: bytes from q on that are not this code point's were written before, so only its own may be stored.
    for (let i: usize = 0; i < length; i++) store<u8>(q + i, load<u8>(p + i));
    p += length;
  }
  return dst + len;
}

/**
 * translate: each code point that is in `from` becomes the one at its place in `to`, or vanishes when `to` is shorter. A
 * code point that `from` has twice counts at its first place. Room: 4 · len bytes.
 */
export function translateText(dst: usize, p: usize, len: usize, from: usize, fromLen: usize, to: usize, toLen: usize): usize {
  const end = p + len;
  while (p < end) {
    const length = sequenceLength(p);
    const at = findBytes(from, from + fromLen, p, length);
    if (at == 0) {
      dst = appendBytes(dst, p, length);
    } else {
      const target = advanceCodePoints(to, to + toLen, <u64>countCodePoints(from, at - from));
      if (target < to + toLen) dst = encodeCodePoint(dst, decodeCodePoint(target));
    }
    p += length;
  }
  return dst;
}
