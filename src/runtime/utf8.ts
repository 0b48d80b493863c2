/**
 * UTF-8: validation, counting code points and stepping over them, 16 bytes at a time.
 *
 * Validation follows John Keiser and Daniel Lemire, "Validating UTF-8 in less than one instruction per byte",
 * https://arxiv.org/abs/2010.03090: three table look-ups by nibble whose common bits name the errors. Lengths are in bytes;
 * text may be read 64 bytes past its end. All but `isValidUtf8` expect valid UTF-8.
 */

const BLOCK: usize = 16;

/** 16 bytes of ones, then 16 of zeros: a load at `KEEP + 16 − n` keeps the first n bytes of a block. */
const KEEP: usize = memory.data<u64>([u64.MAX_VALUE, u64.MAX_VALUE, 0, 0], 16);

/** A mask of the first `count` bytes of a block, 0 to 16. */
function firstBytes(count: usize): v128 {
  return v128.load(KEEP + BLOCK - count);
}

/** Whether the `len` bytes at `p` are all below 0x80. */
export function isAscii(p: usize, len: usize): bool {
  const end = p + len;
  let seen = i8x16.splat(0);
  while (p + BLOCK <= end) {
    seen = v128.or(seen, v128.load(p));
    p += BLOCK;
  }
  if (p < end) seen = v128.or(seen, v128.and(v128.load(p), firstBytes(end - p)));
  return i8x16.bitmask(seen) == 0;
}

/**
 * Whether the `len` bytes at `p` are well-formed UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF, no
 * sequence cut off at the end.
 */
export function isValidUtf8(p: usize, len: usize): bool {
  const end = p + len;
  // Most text is ASCII from start to end.
  while (p + BLOCK <= end && i8x16.bitmask(v128.load(p)) == 0) p += BLOCK;
  if (p >= end) return true;
  if (end - p < BLOCK && i8x16.bitmask(v128.and(v128.load(p), firstBytes(end - p))) == 0) return true;
  return validateFrom(p, end);
}

// Errors as bits, the same in all three tables. An error is one whose bit all three look-ups have.
// 0x01 too short: a lead byte followed by no continuation; 0x02 too long: a continuation after ASCII;
// 0x04 overlong of three bytes; 0x08 too large, above U+10FFFF; 0x10 surrogate; 0x20 overlong of two bytes;
// 0x40 overlong of four bytes, and too large by the second nibble; 0x80 two continuations.

/** By the high nibble of the byte before. */
const BEFORE_HIGH: v128 = i8x16(0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, -128, -128, -128, -128, 0x21, 0x01, 0x15, 0x49);
/** By the low nibble of the byte before. */
const BEFORE_LOW: v128 = i8x16(-25, -93, -125, -125, -117, -53, -53, -53, -53, -53, -53, -53, -53, -37, -53, -53);
/** By the high nibble of the byte itself. */
const ITSELF_HIGH: v128 = i8x16(0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, -26, -82, -70, -70, 0x01, 0x01, 0x01, 0x01);

/** Validates [p, end), with `p` at the start of a code point. */
function validateFrom(p: usize, end: usize): bool {
  const low = i8x16.splat(0x0f);
  let before = i8x16.splat(0);
  let errors = i8x16.splat(0);
  while (true) {
    // Zeros after the end are ASCII, so a sequence cut off by the end is one that is too short. A full block of zeros follows
    // when the text ends with a block.
    let block = v128.load(p);
    const last = p + BLOCK > end;
    if (last) block = v128.and(block, firstBytes(end - p));
    const previous = i8x16.shuffle(before, block, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30);
    const special = v128.and(
      v128.and(i8x16.swizzle(BEFORE_HIGH, i8x16.shr_u(previous, 4)), i8x16.swizzle(BEFORE_LOW, v128.and(previous, low))),
      i8x16.swizzle(ITSELF_HIGH, i8x16.shr_u(block, 4)),
    );
    // The second byte after a lead of three or four bytes, and the third after one of four, must be a second continuation.
    const second = i8x16.shuffle(before, block, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29);
    const third = i8x16.shuffle(before, block, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28);
    const expected = v128.or(i8x16.sub_sat_u(second, i8x16.splat(0x60)), i8x16.sub_sat_u(third, i8x16.splat(0x70)));
    errors = v128.or(errors, v128.xor(special, v128.and(expected, i8x16.splat(-128))));
    if (last) return !v128.any_true(errors);
    before = block;
    p += BLOCK;
  }
}

/** How many code points the `len` bytes at `p` have: bytes that are no continuation. */
export function countCodePoints(p: usize, len: usize): usize {
  const end = p + len;
  const lastContinuation = i8x16.splat(-65);
  let count: usize = 0;
  while (p + BLOCK <= end) {
    count += <usize>popcnt(i8x16.bitmask(i8x16.gt_s(v128.load(p), lastContinuation)));
    p += BLOCK;
  }
  if (p < end) count += <usize>popcnt(i8x16.bitmask(v128.and(i8x16.gt_s(v128.load(p), lastContinuation), firstBytes(end - p))));
  return count;
}

/** The address `n` code points after `p`, or `end` when fewer are left. `n` may be any size. */
export function advanceCodePoints(p: usize, end: usize, n: u64): usize {
  const lastContinuation = i8x16.splat(-65);
  while (p + BLOCK <= end) {
    const starts = <u64>popcnt(i8x16.bitmask(i8x16.gt_s(v128.load(p), lastContinuation)));
    // The block's last code point may go on in the next block, so it is not stepped over here.
    if (starts >= n) break;
    n -= starts;
    p += BLOCK;
  }
  // The loop may have stopped amid a code point: its remaining bytes belong to one already counted.
  while (p < end && isContinuation(p)) p++;
  for (; n > 0 && p < end; n--) p += sequenceLength(p);
  return p;
}

/** The address `n` code points before `p`, or `start` when there are fewer. */
export function retreatCodePoints(start: usize, p: usize, n: u64): usize {
  for (; n > 0 && p > start; n--) {
    p--;
    while (p > start && isContinuation(p)) p--;
  }
  return p;
}

/** Whether the byte at `p` continues a code point. */
export function isContinuation(p: usize): bool {
  return (<u32>load<u8>(p) & 0xc0) == 0x80;
}

/** Bytes of the code point that starts at `p`: 1 to 4. */
export function sequenceLength(p: usize): usize {
  const lead = <u32>load<u8>(p);
  if (lead < 0x80) return 1;
  return lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

/** The code point that starts at `p`. */
export function decodeCodePoint(p: usize): u32 {
  const lead = <u32>load<u8>(p);
  if (lead < 0x80) return lead;
  const second = <u32>load<u8>(p, 1) & 0x3f;
  if (lead < 0xe0) return ((lead & 0x1f) << 6) | second;
  const third = <u32>load<u8>(p, 2) & 0x3f;
  if (lead < 0xf0) return ((lead & 0x0f) << 12) | (second << 6) | third;
  return ((lead & 0x07) << 18) | (second << 12) | (third << 6) | (<u32>load<u8>(p, 3) & 0x3f);
}

/** Writes the code point `c`, a Unicode scalar value, as 1 to 4 bytes and returns the pointer after it. */
export function encodeCodePoint(dst: usize, c: u32): usize {
  if (c < 0x80) {
    store<u8>(dst, <u8>c);
    return dst + 1;
  }
  if (c < 0x800) {
    store<u8>(dst, <u8>(0xc0 | (c >> 6)));
    store<u8>(dst, <u8>(0x80 | (c & 0x3f)), 1);
    return dst + 2;
  }
  if (c < 0x10000) {
    store<u8>(dst, <u8>(0xe0 | (c >> 12)));
    store<u8>(dst, <u8>(0x80 | ((c >> 6) & 0x3f)), 1);
    store<u8>(dst, <u8>(0x80 | (c & 0x3f)), 2);
    return dst + 3;
  }
  store<u8>(dst, <u8>(0xf0 | (c >> 18)));
  store<u8>(dst, <u8>(0x80 | ((c >> 12) & 0x3f)), 1);
  store<u8>(dst, <u8>(0x80 | ((c >> 6) & 0x3f)), 2);
  store<u8>(dst, <u8>(0x80 | (c & 0x3f)), 3);
  return dst + 4;
}
