/**
 * The exact end of reading floats: decides a decimal that lies too near the middle between two floats for 128 bits, is
 * subnormal, or borders on infinity. Reached by less than one number in a thousand.
 *
 * The scanned digits and the middle between two neighbouring floats are compared as big integers, and the candidate moves
 * until the decimal lies between its two middles. Numbers are little-endian u32 limbs in static scratch; at most
 * MAX_DIGITS digits are looked at, which is enough because no middle between two doubles has more than 767 significant
 * digits: a 1 stands for all that follow.
 */
import { scanCount, scanExponent, scanFirst, scanLast } from "./number-scan.ts";

const ZERO: u32 = 0x30;
const MAX_DIGITS: i32 = 800;
/** 2^4096 is beyond all that is compared: 801 digits, 5^1143 · 2^54 or 2^1462 · 5^492 · 2^54. */
const LIMBS: usize = 128;
/** The decimal, as limbs. */
const DECIMAL: usize = memory.data(4 * 128, 16);
/** The middle, as limbs. */
const MIDDLE: usize = memory.data(4 * 128, 16);

/** How many limbs of DECIMAL are in use. */
let decimalLength: usize = 0;
/** How many limbs of MIDDLE are in use. */
let middleLength: usize = 0;
/** Power of ten of DECIMAL's last digit. */
let decimalPower: i64 = 0;

/**
 * The bits of the float nearest to the scanned decimal, ties to even, without the sign; infinity's bits beyond the range.
 * `start` is any finite candidate; the nearer, the faster. The decimal is not zero and within 10^±400.
 */
export function roundExactly(start: u64, fractionBits: u32, bias: i32): u64 {
  const infinity = (<u64>(2 * bias + 1)) << (<u64>fractionBits);
  let bits = start;
  // Invariant: each step moves toward the decimal, so the search cannot turn back.
  while (true) {
    const above = compareToMiddle(bits, fractionBits, bias);
    if (above > 0) {
      bits++;
      if (bits == infinity) return bits;
      continue;
    }
    if (above == 0) return bits + (bits & 1);
    if (bits == 0) return bits;
    const below = compareToMiddle(bits - 1, fractionBits, bias);
    if (below > 0) return bits;
    bits--;
    if (below == 0) return bits + (bits & 1);
  }
}

/** The sign of the scanned decimal minus the middle between the float `bits` and the next greater one. */
function compareToMiddle(bits: u64, fractionBits: u32, bias: i32): i32 {
  const fraction = bits & (((<u64>1) << (<u64>fractionBits)) - 1);
  const biased = <i32>(bits >> <u64>fractionBits);
  const significand = biased == 0 ? fraction : fraction | ((<u64>1) << (<u64>fractionBits));
  const exponent = max(biased, 1) - bias - <i32>fractionBits;
  loadDecimal();
  loadMiddle(significand * 2 + 1);
  if (decimalPower > 0) decimalLength = multiplyByPowerOfFive(DECIMAL, decimalLength, <u32>decimalPower);
  else middleLength = multiplyByPowerOfFive(MIDDLE, middleLength, <u32>-decimalPower);
  const shift = <i32>decimalPower - (exponent - 1);
  if (shift > 0) decimalLength = shiftLeft(DECIMAL, decimalLength, <u32>shift);
  else middleLength = shiftLeft(MIDDLE, middleLength, <u32>-shift);
  return compare();
}

/** DECIMAL = the significant digits, as many as count. */
function loadDecimal(): void {
  decimalLength = 0;
  let taken: i32 = 0;
  let seen: i64 = 0;
  let chunk: u32 = 0;
  let scale: u32 = 1;
  let dropped = false;
  for (let q = scanFirst; q < scanLast; q++) {
    const digit = <u32>load<u8>(q) - ZERO;
    if (digit > 9) continue;
    if (taken == MAX_DIGITS) {
      if (digit == 0) continue;
      dropped = true;
      break;
    }
    seen++;
    if (digit != 0 || taken != 0) taken++;
    chunk = chunk * 10 + digit;
    scale *= 10;
    if (scale == 1000000000) {
      decimalLength = multiplyAdd(DECIMAL, decimalLength, scale, chunk);
      chunk = 0;
      scale = 1;
    }
  }
  if (scale != 1) decimalLength = multiplyAdd(DECIMAL, decimalLength, scale, chunk);
  decimalPower = <i64>scanExponent + (<i64>scanCount - seen);
  if (dropped) {
    decimalLength = multiplyAdd(DECIMAL, decimalLength, 10, 1);
    decimalPower--;
  }
}

function loadMiddle(value: u64): void {
  store<u64>(MIDDLE, value);
  middleLength = value >> 32 != 0 ? 2 : 1;
}

/** number = number · factor + addend; returns the new length. A length of 0 is the number zero. */
function multiplyAdd(number: usize, length: usize, factor: u32, addend: u32): usize {
  let carry = <u64>addend;
  for (let i: usize = 0; i < length; i++) {
    const limb = number + (i << 2);
    carry += <u64>load<u32>(limb) * <u64>factor;
    store<u32>(limb, <u32>carry);
    carry >>= 32;
  }
  if (carry != 0 && length < LIMBS) {
    store<u32>(number + (length << 2), <u32>carry);
    length++;
  }
  return length;
}

/** number = number · 5^power; returns the new length. */
function multiplyByPowerOfFive(number: usize, length: usize, power: u32): usize {
  // 5^13 is the greatest power in a limb.
  for (; power >= 13; power -= 13) length = multiplyAdd(number, length, 1220703125, 0);
  let rest: u32 = 1;
  for (; power > 0; power--) rest *= 5;
  return multiplyAdd(number, length, rest, 0);
}

/** number = number · 2^bits; returns the new length. */
function shiftLeft(number: usize, length: usize, bits: u32): usize {
  const limbs = <usize>(bits >> 5);
  if (length == 0 || length + limbs >= LIMBS) return length;
  memory.copy(number + (limbs << 2), number, length << 2);
  memory.fill(number, 0, limbs << 2);
  return multiplyAdd(number, length + limbs, (<u32>1) << (bits & 31), 0);
}

/** The sign of DECIMAL − MIDDLE. Invariant: neither has leading zero limbs. */
function compare(): i32 {
  if (decimalLength != middleLength) return decimalLength > middleLength ? 1 : -1;
  for (let i = decimalLength; i > 0; i--) {
    const a = load<u32>(DECIMAL + ((i - 1) << 2));
    const b = load<u32>(MIDDLE + ((i - 1) << 2));
    if (a != b) return a > b ? 1 : -1;
  }
  return 0;
}
