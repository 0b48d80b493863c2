/**
 * TIMESTAMP, DATE and TIME as text: RFC 3339 with or without zone in, `2023-01-01T00:00:00.123456` out.
 *
 * What is accepted is what arrow-cast accepts (`arrow_cast::parse::string_to_datetime`), but for zones by name. Readers take
 * the whole text, which may be read 64 bytes past its end, set `timeStatus` and return it; the result is in `timeValue`.
 * Writers take the destination and return the pointer after the last byte; they may scribble up to 64 bytes.
 */
import {
  CALENDAR_OK,
  calendarStatus,
  civilDay,
  civilFromDays,
  civilMonth,
  civilYear,
  dateOfTimestamp,
  daysFromCivil,
  floorDivide,
  monthLength,
  NS_PER_DAY,
  NS_PER_SECOND,
  timeOfTimestamp,
  timestampOfSeconds,
} from "./calendar.ts";

/** The text was read. */
export const TIME_OK: i32 = 0;
/** The text is no timestamp, date or time, or has a month, day, hour, minute, second or zone that does not exist. */
export const TIME_SYNTAX: i32 = 1;
/** A timestamp outside of 1677-09-21T00:12:43.145224192 to 2262-04-11T23:47:16.854775807. */
export const TIME_RANGE: i32 = 2;

/** Outcome of the last read. */
export let timeStatus: i32 = 0;
/** Result of the last read: nanoseconds since 1970, days since 1970, or nanoseconds since midnight. */
export let timeValue: i64 = 0;

const ZERO: u32 = 0x30;
const PLUS: u32 = 0x2b;
const MINUS: u32 = 0x2d;
const DOT: u32 = 0x2e;
const COLON: u32 = 0x3a;
const SPACE: u32 = 0x20;
const LOWER_T: u32 = 0x74;
const LOWER_Z: u32 = 0x7a;

/** Bytes of `2023-01-01` and of `2023-01-01T00:00:00`. */
const DATE_LENGTH: usize = 10;
const SECONDS_LENGTH: usize = 19;

function finish(status: i32): i32 {
  return (timeStatus = status);
}

/** Whether the civil date exists. */
function isDate(year: i32, month: i32, day: i32): bool {
  return month - 1 < 12 && month >= 1 && day >= 1 && day <= monthLength(year, month);
}

/** The two digits at `p` as a number; 100 and more when they are not digits. */
function twoDigits(p: usize): i32 {
  const tens = <u32>load<u8>(p) - ZERO;
  const ones = <u32>load<u8>(p, 1) - ZERO;
  return tens > 9 || ones > 9 ? 100 : <i32>(tens * 10 + ones);
}

/**
 * Reads a TIMESTAMP: `YYYY-MM-DD`, then perhaps `T`, `t` or a space and `HH:MM:SS` or `HHMMSS`, a fraction of any length
 * (digits after the ninth are dropped), and `Z`, `z`, `±HH:MM`, `±HHMM` or `±HH`, perhaps after a space. Without a zone it
 * is UTC. A second of 60 is the next minute's first.
 */
export function readTimestamp(p: usize, len: usize): i32 {
  const end = p + len;
  if (len < DATE_LENGTH) return finish(TIME_SYNTAX);
  const block = i8x16.sub(v128.load(p), i8x16.splat(0x30));
  const others = <u32>i8x16.bitmask(i8x16.gt_u(block, i8x16.splat(9)));
  const separator = <u32>load<u8>(p, 10);
  // In DDDD-DD-DD only bytes 4 and 7 are no digits.
  if ((others & 0x3ff) != 0x90 || load<u8>(p, 4) != 0x2d || load<u8>(p, 7) != 0x2d) return finish(TIME_SYNTAX);
  // Digits next to each other, then pairs: year in two, month, day, hour, minute.
  const digits = i8x16.swizzle(block, i8x16(0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, -1, -1, -1, -1));
  const pairs = i16x8.add(i16x8.mul(v128.and(digits, i16x8.splat(0xff)), i16x8.splat(10)), i16x8.shr_u(digits, 8));
  const year = <i32>i16x8.extract_lane_s(pairs, 0) * 100 + <i32>i16x8.extract_lane_s(pairs, 1);
  const month = <i32>i16x8.extract_lane_s(pairs, 2);
  const day = <i32>i16x8.extract_lane_s(pairs, 3);
  if (!isDate(year, month, day)) return finish(TIME_SYNTAX);
  const days = <i64>daysFromCivil(year, month, day);
  if (len == DATE_LENGTH) return finishTimestamp(days * 86400, 0);
  if ((separator | 0x20) != LOWER_T && separator != SPACE) return finish(TIME_SYNTAX);

  let hour = <i32>i16x8.extract_lane_s(pairs, 4);
  let minute = <i32>i16x8.extract_lane_s(pairs, 5);
  let second: i32;
  let q = p + SECONDS_LENGTH;
  if (others == 0x2490 && load<u8>(p, 13) == COLON && load<u8>(p, 16) == COLON) {
    second = twoDigits(p + 17);
  } else {
    hour = twoDigits(p + 11);
    minute = twoDigits(p + 13);
    second = twoDigits(p + 15);
    q = p + 17;
  }
  if (q > end || <u32>hour > 23 || <u32>minute > 59 || <u32>second > 60) return finish(TIME_SYNTAX);
  let nanos: i64 = 0;
  if (q < end && <u32>load<u8>(q) == DOT) {
    q = readFraction(q + 1, end);
    if (q == 0) return finish(TIME_SYNTAX);
    nanos = fraction;
  }
  let seconds = days * 86400 + <i64>(hour * 3600 + minute * 60 + second);
  if (q < end) {
    if (!readZone(q, end)) return finish(TIME_SYNTAX);
    seconds -= <i64>zoneSeconds;
  }
  return finishTimestamp(seconds, nanos);
}

function finishTimestamp(seconds: i64, nanos: i64): i32 {
  timeValue = timestampOfSeconds(seconds, nanos);
  return finish(calendarStatus == CALENDAR_OK ? TIME_OK : TIME_RANGE);
}

/** Result of `readFraction`, in nanoseconds. */
let fraction: i64 = 0;

/** Reads digits up to the first other byte into `fraction` and returns the pointer after them; 0 when there are none. */
function readFraction(p: usize, end: usize): usize {
  const first = p;
  let value: i64 = 0;
  let scale: i64 = NS_PER_SECOND;
  while (p < end) {
    const digit = <u32>load<u8>(p) - ZERO;
    if (digit > 9) break;
    if (scale > 1) {
      scale /= 10;
      value += <i64>digit * scale;
    }
    p++;
  }
  fraction = value;
  return p == first ? 0 : p;
}

/** Result of `readZone`: seconds that the zone is ahead of UTC. */
let zoneSeconds: i32 = 0;

/** Reads a zone that fills [p, end) into `zoneSeconds`; false when it is none. */
function readZone(p: usize, end: usize): bool {
  zoneSeconds = 0;
  if (end - p == 1 && (<u32>load<u8>(p) | 0x20) == LOWER_Z) return true;
  while (p < end && <u32>load<u8>(p) == SPACE) p++;
  const sign = <u32>load<u8>(p);
  const length = end - p;
  if ((sign != PLUS && sign != MINUS) || (length != 3 && length != 5 && length != 6)) return false;
  const hours = twoDigits(p + 1);
  let minutes: i32 = 0;
  if (length == 6 && <u32>load<u8>(p, 3) != COLON) return false;
  if (length > 3) minutes = twoDigits(end - 2);
  if (hours > 23 || minutes > 59) return false;
  zoneSeconds = (hours * 60 + minutes) * 60;
  if (sign == MINUS) zoneSeconds = -zoneSeconds;
  return true;
}

/** Next field of `readDate`: the number read, and the pointer after it. */
let fieldValue: i32 = 0;
let fieldEnd: usize = 0;

/** Reads 1 to `most` digits into `fieldValue`. */
function readField(p: usize, end: usize, most: i32): bool {
  let value: i32 = 0;
  let count: i32 = 0;
  while (p < end && count <= most) {
    const digit = <u32>load<u8>(p) - ZERO;
    if (digit > 9) break;
    value = value * 10 + <i32>digit;
    count++;
    p++;
  }
  fieldValue = value;
  fieldEnd = p;
  return count >= 1 && count <= most;
}

/**
 * Reads a DATE in days since 1970: `YYYY-MM-DD` with one or two digits for month and day, `YYYYMMDD`, a signed year of up to
 * six digits, or a timestamp, of which the day in UTC counts.
 */
export function readDate(p: usize, len: usize): i32 {
  const end = p + len;
  const sign = <u32>load<u8>(p);
  const signed = len > 0 && (sign == PLUS || sign == MINUS);
  if (len > DATE_LENGTH && !signed) {
    if (readTimestamp(p, len) == TIME_OK) timeValue = floorDivide(timeValue, NS_PER_DAY);
    return timeStatus;
  }
  if (!signed && len == 8 && readField(p, end, 8) && fieldEnd == end) {
    return finishDate(fieldValue / 10000, (fieldValue / 100) % 100, fieldValue % 100);
  }
  if (!readField(p + usize(signed), end, signed ? 6 : 4)) return finish(TIME_SYNTAX);
  const year = fieldValue;
  if (fieldEnd - p < 4 || fieldEnd >= end || <u32>load<u8>(fieldEnd) != MINUS) return finish(TIME_SYNTAX);
  if (!readField(fieldEnd + 1, end, 2)) return finish(TIME_SYNTAX);
  const month = fieldValue;
  if (fieldEnd >= end || <u32>load<u8>(fieldEnd) != MINUS) return finish(TIME_SYNTAX);
  if (!readField(fieldEnd + 1, end, 2) || fieldEnd != end) return finish(TIME_SYNTAX);
  return finishDate(signed && sign == MINUS ? -year : year, month, fieldValue);
}

function finishDate(year: i32, month: i32, day: i32): i32 {
  if (!isDate(year, month, day)) return finish(TIME_SYNTAX);
  timeValue = <i64>daysFromCivil(year, month, day);
  return finish(TIME_OK);
}

/**
 * Reads a TIME in nanoseconds since midnight: `H:MM` or `HH:MM`, perhaps `:SS` and a fraction (digits after the ninth are
 * dropped), perhaps ` AM` or ` PM` in any case. A second of 60 is refused: a TIME ends before 24:00.
 */
export function readTime(p: usize, len: usize): i32 {
  let end = p + len;
  let half: u32 = 0;
  if (len > 3 && (<u32>load<u8>(end - 1) | 0x20) == 0x6d && <u32>load<u8>(end - 3) == SPACE) {
    half = <u32>load<u8>(end - 2) | 0x20;
    if (half != 0x61 && half != 0x70) return finish(TIME_SYNTAX);
    end -= 3;
  }
  if (!readField(p, end, 2) || fieldEnd >= end || <u32>load<u8>(fieldEnd) != COLON) return finish(TIME_SYNTAX);
  let hour = fieldValue;
  const minute = twoDigits(fieldEnd + 1);
  let q = fieldEnd + 3;
  let second: i32 = 0;
  let nanos: i64 = 0;
  if (q > end) return finish(TIME_SYNTAX);
  if (q < end) {
    second = <u32>load<u8>(q) == COLON ? twoDigits(q + 1) : 100;
    q += 3;
    if (q < end && <u32>load<u8>(q) == DOT) {
      q = readFraction(q + 1, end);
      nanos = fraction;
    }
    if (q != end) return finish(TIME_SYNTAX);
  }
  if (half != 0) {
    if (hour < 1 || hour > 12) return finish(TIME_SYNTAX);
    hour = (hour == 12 ? 0 : hour) + (half == 0x70 ? 12 : 0);
  }
  if (hour > 23 || minute > 59 || second > 59) return finish(TIME_SYNTAX);
  timeValue = <i64>(hour * 3600 + minute * 60 + second) * NS_PER_SECOND + nanos;
  return finish(TIME_OK);
}

/** The eight ASCII digits of `value` < 10^8 as a word, the most significant in the lowest byte. See `number-write.ts`. */
function eightDigits(value: u32): u64 {
  const high = value / 10000;
  const halves = <u64>high | ((<u64>(value - high * 10000)) << 32);
  const hundreds = ((halves * 5243) >> 19) & 0x0000007f0000007f;
  const quarters = hundreds | ((halves - hundreds * 100) << 16);
  const tens = ((quarters * 103) >> 10) & 0x000f000f000f000f;
  return tens | ((quarters - tens * 10) << 8) | 0x3030303030303030;
}

/** Writes a TIMESTAMP as `YYYY-MM-DDTHH:MM:SS` and a fraction of 0, 3, 6 or 9 digits: 19 to 29 bytes. */
export function writeTimestamp(dst: usize, ns: i64): usize {
  const days = dateOfTimestamp(ns);
  const time = timeOfTimestamp(ns);
  civilFromDays(days);
  const seconds = <u32>(time / NS_PER_SECOND);
  const nanos = <u32>(time - <i64>seconds * NS_PER_SECOND);
  const minutes = seconds / 60;
  const hours = minutes / 60;
  const date = <u32>(civilYear * 10000 + civilMonth * 100 + civilDay);
  const clock = (hours * 10000 + (minutes - hours * 60) * 100 + (seconds - minutes * 60)) * 100;
  const digits = i64x2.replace_lane(i64x2.splat(eightDigits(date)), 1, eightDigits(clock));
  const spread = i8x16.swizzle(digits, i8x16(0, 1, 2, 3, -1, 4, 5, -1, 6, 7, -1, 8, 9, -1, 10, 11));
  v128.store(dst, v128.or(spread, i8x16(0, 0, 0, 0, 0x2d, 0, 0, 0x2d, 0, 0, 0x54, 0, 0, 0x3a, 0, 0)));
  store<u8>(dst, <u8>COLON, 16);
  store<u16>(dst, i16x8.extract_lane_u(digits, 6), 17);
  return writeFraction(dst + SECONDS_LENGTH, nanos);
}

/** Writes `.fff`, `.ffffff` or `.fffffffff`, or nothing for 0: the fewest groups of three digits that are exact. */
function writeFraction(dst: usize, nanos: u32): usize {
  if (nanos == 0) return dst;
  const head = nanos / 10;
  store<u8>(dst, <u8>DOT);
  store<u64>(dst, eightDigits(head), 1);
  store<u8>(dst, <u8>(ZERO + (nanos - head * 10)), 9);
  if (nanos % 1000 != 0) return dst + 10;
  return nanos % 1000000 != 0 ? dst + 7 : dst + 4;
}

/** Writes a DATE as `YYYY-MM-DD`, and years outside of 0 to 9999 with a sign and at least four digits: 10 to 14 bytes. */
export function writeDate(dst: usize, days: i32): usize {
  civilFromDays(days);
  let year = civilYear;
  if (<u32>year > 9999) {
    store<u8>(dst++, <u8>(year < 0 ? MINUS : PLUS));
    year = abs(year);
    // The leading digits of a longer year; four follow below.
    const leading = <u32>(year / 10000);
    const count = leading == 0 ? 0 : leading < 10 ? 1 : leading < 100 ? 2 : 3;
    store<u64>(dst, eightDigits(leading) >> ((8 - <u64>count) << 3));
    if (count != 0) dst += <usize>count;
    year %= 10000;
  }
  const digits = eightDigits(<u32>(year * 10000 + civilMonth * 100 + civilDay));
  store<u32>(dst, <u32>digits);
  store<u8>(dst, <u8>MINUS, 4);
  store<u16>(dst, <u16>(digits >> 32), 5);
  store<u8>(dst, <u8>MINUS, 7);
  store<u16>(dst, <u16>(digits >> 48), 8);
  return dst + DATE_LENGTH;
}

/** Writes a TIME, nanoseconds since midnight below 24 hours, as `HH:MM:SS` and a fraction as in `writeTimestamp`. */
export function writeTime(dst: usize, ns: i64): usize {
  const seconds = <u32>(ns / NS_PER_SECOND);
  const minutes = seconds / 60;
  const hours = minutes / 60;
  const digits = eightDigits((hours * 10000 + (minutes - hours * 60) * 100 + (seconds - minutes * 60)) * 100);
  store<u16>(dst, <u16>digits);
  store<u8>(dst, <u8>COLON, 2);
  store<u16>(dst, <u16>(digits >> 16), 3);
  store<u8>(dst, <u8>COLON, 5);
  store<u16>(dst, <u16>(digits >> 32), 6);
  return writeFraction(dst + 8, <u32>(ns - <i64>seconds * NS_PER_SECOND));
}
