/** JSON values that are neither numbers nor text: booleans and times. Results in `valueI64`; faults in `json-scan.ts`. */
import { copyEnd, copyString, endsNumber, findSpecial, scanFault, setFault, skipString } from "./json-scan.ts";
import { INVALID_TIMESTAMP, INVALID_UTF8, MALFORMED_JSON, OUT_OF_RANGE, WRONG_TYPE } from "./row-errors.ts";
import { floorDivide } from "./calendar.ts";
import { NUM_FRACTION, NUM_RANGE, numI64, numStatus, readI64 } from "./number-read.ts";
import { readDate, readTime, readTimestamp, TIME_OK, timeValue } from "./time-text.ts";
import { isValidUtf8 } from "./utf8.ts";

/** Result of the last read: 0 or 1, ns, or days. */
export let valueI64: i64 = 0;

const NS_PER_MS: i64 = 1000000;
/** Longest string with escapes that is looked at as a time, in the input's bytes: every time fits, all escaped. */
const ESCAPED_MAX: usize = 230;
const copy: usize = memory.data(256, 16);

/** Why the value at `p` could not be read as a number, up to `end`: another kind of value, no number of JSON's, or out of range. */
export function numberFault(p: usize, end: usize, status: i32): i32 {
  if (isNumber(p) && !endsNumber(end)) return MALFORMED_JSON;
  if (status == NUM_RANGE) return OUT_OF_RANGE;
  if (status == NUM_FRACTION) return WRONG_TYPE;
  return isNumber(p) ? MALFORMED_JSON : WRONG_TYPE;
}

/** True at the first byte of a number. */
function isNumber(p: usize): bool {
  const c = <u32>load<u8>(p);
  return c == 45 || c - 48 < 10;
}

/** Reads `true` or `false`. */
export function readBoolean(p: usize): usize {
  if (load<u32>(p) == 0x65757274) {
    valueI64 = 1;
    return p + 4;
  }
  if (load<u32>(p) == 0x736c6166 && load<u8>(p, 4) == 101) {
    valueI64 = 0;
    return p + 5;
  }
  setFault(WRONG_TYPE, -1);
  return p;
}

/** Reads whole milliseconds since 1970 as ns. */
export function readMillis(p: usize): usize {
  const end = readI64(p);
  if (numStatus != 0 || !endsNumber(end)) {
    setFault(numberFault(p, end, numStatus), -1);
    return p;
  }
  if (numI64 > i64.MAX_VALUE / NS_PER_MS || numI64 < i64.MIN_VALUE / NS_PER_MS) setFault(OUT_OF_RANGE, -1);
  valueI64 = numI64 * NS_PER_MS;
  return end;
}

/** Address behind the string that `quotedText` has found. */
let after: usize = 0;
/** Its text: in the input, or in `copy` where escapes had to be decoded. */
let text: usize = 0;

/** Finds the text of the string at `p`, its quote; returns its length, or 0 on a fault. */
function quotedText(p: usize): usize {
  after = p;
  if (load<u8>(p) != 34) {
    setFault(WRONG_TYPE, -1);
    return 0;
  }
  text = p + 1;
  const special = findSpecial(text);
  if (load<u8>(special) == 34) {
    after = special + 1;
    return special - text;
  }
  const end = skipString(special);
  if (scanFault != 0) return 0;
  if (end - p > ESCAPED_MAX) {
    setFault(INVALID_TIMESTAMP, -1);
    return 0;
  }
  after = copyString(text, copy);
  text = copy;
  return scanFault != 0 ? 0 : copyEnd - copy;
}

/** Date of the last timestamp in milliseconds and Z, as its ten bytes, and the day's begin: rows near each other share it. */
let dateHead: u64 = 0;
let dateTail: u32 = 0;
let dateNs: i64 = 0;
const NS_PER_DAY: i64 = 86400000000000;
/** Days from 1970 within which no time of day overflows. */
const SAFE_DAYS: i64 = 100000;

/** Reads an RFC 3339 timestamp, with or without zone. `"YYYY-MM-DDTHH:MM:SS.mmmZ"` of the day read last is taken at once. */
export function readTimestampString(p: usize): usize {
  if (load<u64>(p, 1) == dateHead && (load<u32>(p, 8) & 0xffffff00) == dateTail) {
    // HH:MM:SS.mmmZ" and two bytes more.
    const block = v128.load(p, 12);
    const marks = i8x16.bitmask(i8x16.eq(block, i8x16(0, 0, 58, 0, 0, 58, 0, 0, 46, 0, 0, 0, 90, 34, 0, 0)));
    const values = i8x16.sub(block, i8x16.splat(48));
    const others = i8x16.bitmask(i8x16.gt_u(values, i8x16.splat(9)));
    // Digits next to each other, then pairs: hour, minute, second, 0, hundredths, thousandths.
    const digits = i8x16.swizzle(values, i8x16(0, 1, 3, 4, 6, 7, -1, -1, 9, 10, -1, 11, -1, -1, -1, -1));
    const pairs = i16x8.add(i16x8.mul(v128.and(digits, i16x8.splat(0xff)), i16x8.splat(10)), i16x8.shr_u(digits, 8));
    const excess = v128.any_true(i16x8.gt_s(pairs, i16x8(23, 59, 59, 0, 99, 9, 0, 0)));
    if (marks == 0x3124 && (others & 0x3fff) == 0x3124 && !excess) {
      const sums = i32x4.dot_i16x8_s(pairs, i16x8(3600, 60, 1, 0, 10, 1, 0, 0));
      const seconds = i32x4.extract_lane(sums, 0) + i32x4.extract_lane(sums, 1);
      valueI64 = dateNs + <i64>(seconds * 1000 + i32x4.extract_lane(sums, 2)) * NS_PER_MS;
      return p + 26;
    }
  }
  const length = quotedText(p);
  if (scanFault != 0) return after;
  const end = keepTime(readTimestamp(text, length), length);
  if (scanFault == 0) rememberDate(length);
  return end;
}

/** Keeps the date of the timestamp just read if it is one of those that `readTimestampString` takes at once. */
function rememberDate(length: usize): void {
  // A second of 60 may belong to the next day.
  if (length != 24 || load<u8>(text, 23) != 90 || load<u8>(text, 17) == 54) return;
  const days = floorDivide(valueI64, NS_PER_DAY);
  if (days > SAFE_DAYS || days < -SAFE_DAYS) return;
  dateHead = load<u64>(text);
  dateTail = ((<u32>load<u16>(text, 8)) << 8) | ((<u32>load<u8>(text, 10)) << 24);
  dateNs = days * NS_PER_DAY;
}

/** Reads a date. */
export function readDateString(p: usize): usize {
  const length = quotedText(p);
  if (scanFault != 0) return after;
  return keepTime(readDate(text, length), length);
}

/** Reads a time of day. */
export function readTimeString(p: usize): usize {
  const length = quotedText(p);
  if (scanFault != 0) return after;
  return keepTime(readTime(text, length), length);
}

function keepTime(status: i32, length: usize): usize {
  if (status != TIME_OK) setFault(isValidUtf8(text, length) ? INVALID_TIMESTAMP : INVALID_UTF8, -1);
  valueI64 = timeValue;
  return after;
}
