/**
 * LIKE and ILIKE over UTF-8: `%` stands for any code points, `_` for one, the escape character takes the next one literally.
 *
 * One pass with a way back to the last `%`, so the time is at most text × pattern, without recursion; a pattern whose
 * `%` is followed by a literal is sought by its first byte, 16 at a time. Semantics are arrow's: an escape at the pattern's
 * end is itself, and the default escape is the backslash.
 */
import { foldCodePoint } from "./text-case.ts";
import { decodeCodePoint, sequenceLength } from "./utf8.ts";

const PERCENT: u32 = 0x25;
const UNDERSCORE: u32 = 0x5f;
/** `_`, as a kind of pattern element. */
const ANY: u32 = 0xfffffffe;
/** `%`, as a kind of pattern element. */
const MANY: u32 = 0xffffffff;

/** Address after the pattern element that `elementAt` read. */
let elementEnd: usize = 0;

/** The pattern element at `p`: a literal code point, ANY or MANY. */
function elementAt(p: usize, end: usize, escape: u32): u32 {
  const c = decodeCodePoint(p);
  elementEnd = p + sequenceLength(p);
  if (c == escape && escape != 0) {
    if (elementEnd == end) return c;
    const literal = decodeCodePoint(elementEnd);
    elementEnd += sequenceLength(elementEnd);
    return literal;
  }
  return c == PERCENT ? MANY : c == UNDERSCORE ? ANY : c;
}

/** The first address of [p, end) with the byte `byte`, or `end`. */
function findByte(p: usize, end: usize, byte: u8): usize {
  const wanted = i8x16.splat(byte);
  while (p < end) {
    const found = <u32>i8x16.bitmask(i8x16.eq(v128.load(p), wanted));
    if (found != 0) return min(p + <usize>ctz(found), end);
    p += 16;
  }
  return end;
}

/** The first byte of the UTF-8 form of `c`. */
function leadByte(c: u32): u8 {
  if (c < 0x80) return <u8>c;
  return <u8>(c < 0x800 ? 0xc0 | (c >> 6) : c < 0x10000 ? 0xe0 | (c >> 12) : 0xf0 | (c >> 18));
}

/** Whether the text matches the pattern exactly; `escape` is a code point, 0 for none. */
export function likeText(p: usize, len: usize, pattern: usize, patternLen: usize, escape: u32): bool {
  return match(p, p + len, pattern, pattern + patternLen, escape, false);
}

/** ILIKE: as `likeText`, letters compared by simple case folding. */
export function ilikeText(p: usize, len: usize, pattern: usize, patternLen: usize, escape: u32): bool {
  return match(p, p + len, pattern, pattern + patternLen, escape, true);
}

function match(s: usize, end: usize, pattern: usize, patternEnd: usize, escape: u32, fold: bool): bool {
  // Where to go on after a mismatch: the pattern after the last %, and the text that it was tried at.
  let retryPattern: usize = 0;
  let retryText: usize = 0;
  while (true) {
    if (pattern == patternEnd) {
      if (s == end) return true;
    } else {
      const element = elementAt(pattern, patternEnd, escape);
      if (element == MANY) {
        pattern = elementEnd;
        if (pattern == patternEnd) return true;
        retryPattern = pattern;
        retryText = seek(s, end, pattern, patternEnd, escape, fold);
        s = retryText;
        continue;
      }
      if (s < end && (element == ANY || sameLetter(s, element, fold))) {
        pattern = elementEnd;
        s += sequenceLength(s);
        continue;
      }
    }
    if (retryPattern == 0 || retryText >= end) return false;
    retryText = seek(retryText + sequenceLength(retryText), end, retryPattern, patternEnd, escape, fold);
    pattern = retryPattern;
    s = retryText;
  }
}

function sameLetter(s: usize, c: u32, fold: bool): bool {
  const d = decodeCodePoint(s);
  return d == c || (fold && foldCodePoint(d) == foldCodePoint(c));
}

/** The next place from `s` on at which the pattern's next element, if it is a literal, can match. */
function seek(s: usize, end: usize, pattern: usize, patternEnd: usize, escape: u32, fold: bool): usize {
  if (fold) return s;
  const element = elementAt(pattern, patternEnd, escape);
  return element >= ANY ? s : findByte(s, end, leadByte(element));
}
