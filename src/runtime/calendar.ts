/**
 * Calendar arithmetic on TIMESTAMP (i64, nanoseconds since 1970-01-01T00:00:00 UTC) and DATE (i32, days since 1970-01-01):
 * civil dates, date_trunc, date_part, months and intervals. The calendar is the proleptic Gregorian one, a day has
 * 86,400 seconds, and everything before 1970 rounds down, not toward zero.
 *
 * A TIMESTAMP reaches from 1677-09-21 to 2262-04-11; results outside set `calendarStatus`. Text is in `time-text.ts`.
 */

/** The result is right. */
export const CALENDAR_OK: i32 = 0;
/** The result lies outside the type's range; what was returned is meaningless. */
export const CALENDAR_RANGE: i32 = 2;

/** Outcome of the last call of a function that says it sets it. */
export let calendarStatus: i32 = 0;

/** Nanoseconds of a microsecond. */
export const NS_PER_MICROSECOND: i64 = 1000;
/** Nanoseconds of a millisecond. */
export const NS_PER_MILLISECOND: i64 = 1000000;
/** Nanoseconds of a second. */
export const NS_PER_SECOND: i64 = 1000000000;
/** Nanoseconds of a minute. */
export const NS_PER_MINUTE: i64 = 60000000000;
/** Nanoseconds of an hour. */
export const NS_PER_HOUR: i64 = 3600000000000;
/** Nanoseconds of a day. */
export const NS_PER_DAY: i64 = 86400000000000;

// Units and parts, for `truncate…` and `partOf…`. All but the parts from DOW on are units.
/** The year; as a unit, from 1 January. */
export const YEAR: i32 = 0;
/** Quarter of the year, 1 to 4. */
export const QUARTER: i32 = 1;
/** Month of the year, 1 to 12. */
export const MONTH: i32 = 2;
/** ISO weeks: they begin on Monday, and week 1 is the one with the year's first Thursday. */
export const WEEK: i32 = 3;
/** Day of the month, 1 to 31. */
export const DAY: i32 = 4;
/** Hour of the day, 0 to 23. */
export const HOUR: i32 = 5;
/** Minute of the hour, 0 to 59. */
export const MINUTE: i32 = 6;
/** Second of the minute, 0 to 59. */
export const SECOND: i32 = 7;
/** Millisecond; as a part, of the minute: 0 to 59,999. */
export const MILLISECOND: i32 = 8;
/** Microsecond; as a part, of the minute. */
export const MICROSECOND: i32 = 9;
/** Nanosecond; as a part, of the minute: needs more than 32 bits. */
export const NANOSECOND: i32 = 10;
/** Day of the week, Sunday is 0. */
export const DOW: i32 = 11;
/** Day of the year, 1 to 366. */
export const DOY: i32 = 12;
/** Day of the week, Monday is 1, Sunday is 7 (PostgreSQL). */
export const ISODOW: i32 = 13;
/** The year of the ISO week. */
export const ISOYEAR: i32 = 14;

/** Month lengths by index 1 to 12; February without its leap day. */
const MONTH_LENGTHS: usize = memory.data<u8>([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]);

/** a / b rounded down; `b` is positive. */
export function floorDivide(a: i64, b: i64): i64 {
  const quotient = a / b;
  return quotient - i64(a - quotient * b < 0);
}

/** a − b · floor(a / b): 0 to b − 1; `b` is positive. */
export function floorModulo(a: i64, b: i64): i64 {
  const rest = a % b;
  return rest < 0 ? rest + b : rest;
}

/** Whether `year` has 366 days. */
export function isLeapYear(year: i32): bool {
  return (year & 3) == 0 && (year % 100 != 0 || year % 400 == 0);
}

/** Days of `month` (1 to 12) of `year`. */
export function monthLength(year: i32, month: i32): i32 {
  return <i32>load<u8>(MONTH_LENGTHS + <usize>month) + i32(month == 2 && isLeapYear(year));
}

/**
 * Days since 1970-01-01 of a civil date; `month` 1 to 12, `day` from 1 on. Years to about ±5.8 million.
 * https://howardhinnant.github.io/date_algorithms.html#days_from_civil
 */
export function daysFromCivil(year: i32, month: i32, day: i32): i32 {
  // Years begin in March here, so that the leap day comes last.
  const shifted = year - i32(month <= 2);
  const era = (shifted >= 0 ? shifted : shifted - 399) / 400;
  const yearOfEra = shifted - era * 400;
  const dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  const dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear;
  return era * 146097 + dayOfEra - 719468;
}

/** Result of `civilFromDays`. */
export let civilYear: i32 = 0;
/** Result of `civilFromDays`, 1 to 12. */
export let civilMonth: i32 = 0;
/** Result of `civilFromDays`, 1 to 31. */
export let civilDay: i32 = 0;

/** The civil date of any i32 number of days since 1970-01-01, into the `civil…` globals. As `daysFromCivil`. */
export function civilFromDays(days: i32): void {
  // The shift may leave the range of an i32.
  const shifted = <i64>days + 719468;
  const era = <i32>floorDivide(shifted, 146097);
  const dayOfEra = <i32>(shifted - <i64>era * 146097);
  const yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146096) / 365;
  const dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100);
  const shiftedMonth = (5 * dayOfYear + 2) / 153;
  civilDay = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1;
  civilMonth = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9;
  civilYear = yearOfEra + era * 400 + i32(civilMonth <= 2);
}

/** The DATE of a TIMESTAMP. */
export function dateOfTimestamp(ns: i64): i32 {
  return <i32>floorDivide(ns, NS_PER_DAY);
}

/** The nanoseconds of a TIMESTAMP since its midnight. */
export function timeOfTimestamp(ns: i64): i64 {
  return floorModulo(ns, NS_PER_DAY);
}

/** The TIMESTAMP of days and nanoseconds since midnight. Sets `calendarStatus`. */
export function timestampOf(days: i64, ns: i64): i64 {
  // 106,751 days and a bit fit; one more on each side still cannot wrap around in the sum's sign.
  if (days > 106752 || days < -106753) {
    calendarStatus = CALENDAR_RANGE;
    return 0;
  }
  return timestampOfSeconds(days * 86400 + floorDivide(ns, NS_PER_SECOND), floorModulo(ns, NS_PER_SECOND));
}

/** The TIMESTAMP of seconds since 1970 and 0 to 999,999,999 nanoseconds. Sets `calendarStatus`. */
export function timestampOfSeconds(seconds: i64, nanos: i64): i64 {
  // The ends are −9223372037 s + 145224192 ns and 9223372036 s + 854775807 ns; the sum may wrap on the way there.
  const fits =
    (seconds > -9223372037 || (seconds == -9223372037 && nanos >= 145224192)) &&
    (seconds < 9223372036 || (seconds == 9223372036 && nanos <= 854775807));
  calendarStatus = fits ? CALENDAR_OK : CALENDAR_RANGE;
  return seconds * NS_PER_SECOND + nanos;
}

/** The first day of the unit (YEAR to DAY) that the day lies in. Shorter units give the day itself. */
export function truncateDate(days: i32, unit: i32): i32 {
  if (unit == WEEK) return days - <i32>floorModulo(<i64>days + 3, 7);
  if (unit >= DAY) return days;
  civilFromDays(days);
  if (unit == YEAR) return daysFromCivil(civilYear, 1, 1);
  return daysFromCivil(civilYear, unit == QUARTER ? civilMonth - ((civilMonth - 1) % 3) : civilMonth, 1);
}

/** Nanoseconds of a unit from DAY to NANOSECOND. */
function unitLength(unit: i32): i64 {
  switch (unit) {
    case DAY:
      return NS_PER_DAY;
    case HOUR:
      return NS_PER_HOUR;
    case MINUTE:
      return NS_PER_MINUTE;
    case SECOND:
      return NS_PER_SECOND;
    case MILLISECOND:
      return NS_PER_MILLISECOND;
    case MICROSECOND:
      return NS_PER_MICROSECOND;
    default:
      return 1;
  }
}

/** date_trunc: the beginning of the unit (YEAR to NANOSECOND) that the TIMESTAMP lies in. Sets `calendarStatus`. */
export function truncateTimestamp(ns: i64, unit: i32): i64 {
  if (unit < DAY) return timestampOf(<i64>truncateDate(dateOfTimestamp(ns), unit), 0);
  const past = floorModulo(ns, unitLength(unit));
  calendarStatus = ns < i64.MIN_VALUE + past ? CALENDAR_RANGE : CALENDAR_OK;
  return ns - past;
}

/** date_bin: the greatest `origin` + n · `stride` that is not after `ns`; `stride` is positive. Sets `calendarStatus`. */
export function binTimestamp(stride: i64, ns: i64, origin: i64): i64 {
  // Modulo first, so that the distance cannot overflow.
  const past = floorModulo(floorModulo(ns, stride) - floorModulo(origin, stride), stride);
  calendarStatus = ns < i64.MIN_VALUE + past ? CALENDAR_RANGE : CALENDAR_OK;
  return ns - past;
}

/** date_part of a DATE, by a part of YEAR to DAY or DOW to ISOYEAR; 0 for the parts of a day. */
export function partOfDate(days: i32, part: i32): i64 {
  if (part == DOW) return floorModulo(<i64>days + 4, 7);
  if (part == ISODOW) return floorModulo(<i64>days + 3, 7) + 1;
  if (part == WEEK || part == ISOYEAR) {
    // The week belongs to the year its Thursday lies in.
    const thursday = days - <i32>floorModulo(<i64>days + 3, 7) + 3;
    civilFromDays(thursday);
    if (part == ISOYEAR) return <i64>civilYear;
    return <i64>((thursday - daysFromCivil(civilYear, 1, 1)) / 7 + 1);
  }
  civilFromDays(days);
  switch (part) {
    case YEAR:
      return <i64>civilYear;
    case QUARTER:
      return <i64>((civilMonth + 2) / 3);
    case MONTH:
      return <i64>civilMonth;
    case DAY:
      return <i64>civilDay;
    case DOY:
      return <i64>(days - daysFromCivil(civilYear, 1, 1) + 1);
    default:
      return 0;
  }
}

/**
 * date_part of the nanoseconds since midnight: HOUR, MINUTE, SECOND (whole seconds, as DataFusion from version 44 on), and
 * MILLISECOND, MICROSECOND and NANOSECOND with the whole seconds in them. 0 for other parts.
 */
export function partOfTime(ns: i64, part: i32): i64 {
  switch (part) {
    case HOUR:
      return ns / NS_PER_HOUR;
    case MINUTE:
      return (ns / NS_PER_MINUTE) % 60;
    case SECOND:
      return (ns / NS_PER_SECOND) % 60;
    case MILLISECOND:
      return (ns % NS_PER_MINUTE) / NS_PER_MILLISECOND;
    case MICROSECOND:
      return (ns % NS_PER_MINUTE) / NS_PER_MICROSECOND;
    case NANOSECOND:
      return ns % NS_PER_MINUTE;
    default:
      return 0;
  }
}

/** date_part of a TIMESTAMP. All but NANOSECOND fit in an i32. */
export function partOfTimestamp(ns: i64, part: i32): i64 {
  if (part >= HOUR && part <= NANOSECOND) return partOfTime(timeOfTimestamp(ns), part);
  return partOfDate(dateOfTimestamp(ns), part);
}

/** date_part('epoch', …) of a TIMESTAMP in seconds, rounded as DataFusion does. */
export function epochOfTimestamp(ns: i64): f64 {
  return <f64>ns / 1e9;
}

/** `days` moved by months; a day that the month does not have becomes its last one. Sets `calendarStatus`. */
export function addMonthsToDate(days: i32, months: i32): i32 {
  civilFromDays(days);
  const total = <i64>civilYear * 12 + <i64>(civilMonth - 1) + <i64>months;
  const year = floorDivide(total, 12);
  // Years that an i32 of days surely has.
  calendarStatus = year < -5800000 || year > 5800000 ? CALENDAR_RANGE : CALENDAR_OK;
  if (calendarStatus != CALENDAR_OK) return 0;
  const month = <i32>floorModulo(total, 12) + 1;
  return daysFromCivil(<i32>year, month, min(civilDay, monthLength(<i32>year, month)));
}

/** `ns` moved by months, keeping the time of day; clamped as `addMonthsToDate`. Sets `calendarStatus`. */
export function addMonths(ns: i64, months: i32): i64 {
  const days = addMonthsToDate(dateOfTimestamp(ns), months);
  if (calendarStatus != CALENDAR_OK) return 0;
  return timestampOf(<i64>days, timeOfTimestamp(ns));
}

/** `ns` plus an INTERVAL: its months first, then its days, then its nanoseconds. Sets `calendarStatus`. */
export function addInterval(ns: i64, months: i32, days: i32, nanos: i64): i64 {
  calendarStatus = CALENDAR_OK;
  if (months != 0) {
    ns = addMonths(ns, months);
    if (calendarStatus != CALENDAR_OK) return 0;
  }
  if (days != 0) {
    ns = timestampOf(<i64>dateOfTimestamp(ns) + <i64>days, timeOfTimestamp(ns));
    if (calendarStatus != CALENDAR_OK) return 0;
  }
  const sum = ns + nanos;
  // Overflow: both summands have the sign that the sum has not.
  if (((ns ^ sum) & (nanos ^ sum)) < 0) calendarStatus = CALENDAR_RANGE;
  return sum;
}

/** `ns` minus an INTERVAL, part by part as in `addInterval`. Sets `calendarStatus`. */
export function subtractInterval(ns: i64, months: i32, days: i32, nanos: i64): i64 {
  if (months == i32.MIN_VALUE || days == i32.MIN_VALUE || nanos == i64.MIN_VALUE) {
    calendarStatus = CALENDAR_RANGE;
    return 0;
  }
  return addInterval(ns, -months, -days, -nanos);
}
