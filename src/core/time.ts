/**
 * Timestamps, dates and times of day as Wadi stores them, and their text forms.
 *
 * A timestamp is a `bigint` of nanoseconds since 1970-01-01T00:00:00 UTC in the range of a signed 64-bit integer (1677-09-21 to
 * 2262-04-11); a date is a `number` of days since 1970-01-01; a time of day is a `bigint` of nanoseconds since midnight. The calendar is
 * the proleptic Gregorian one without leap seconds. Durations and intervals are in `duration.ts`; reading the clock is in `clock.ts`.
 */

/** Nanoseconds in one microsecond. */
export const NS_PER_US = 1_000n;
/** Nanoseconds in one millisecond. */
export const NS_PER_MS = 1_000_000n;
/** Nanoseconds in one second. */
export const NS_PER_SECOND = 1_000_000_000n;
/** Nanoseconds in one minute. */
export const NS_PER_MINUTE = 60n * NS_PER_SECOND;
/** Nanoseconds in one hour. */
export const NS_PER_HOUR = 60n * NS_PER_MINUTE;
/** Nanoseconds in one day of 24 hours. */
export const NS_PER_DAY = 24n * NS_PER_HOUR;
/** The earliest timestamp: -2^63 ns. */
export const TIMESTAMP_MIN = -(2n ** 63n);
/** The latest timestamp: 2^63 - 1 ns. */
export const TIMESTAMP_MAX = 2n ** 63n - 1n;

/** A day of the calendar: `month` 1..12, `day` 1..31; year 0 is 1 BC. */
export interface CivilDate {
  readonly year: number;
  readonly month: number;
  readonly day: number;
}

const MONTH_LENGTHS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] as const;

/** The days of `month` (1..12) in `year`. */
export function daysInMonth(year: number, month: number): number {
  const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  return month === 2 && leap ? 29 : (MONTH_LENGTHS[month - 1] ?? 0);
}

/**
 * Days since 1970-01-01 of a valid calendar day.
 * Algorithm: https://howardhinnant.github.io/date_algorithms.html#days_from_civil
 */
export function daysFromCivil(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

/** The inverse of `daysFromCivil`; see there for the algorithm. */
export function civilFromDays(days: number): CivilDate {
  const z = days + 719_468;
  const era = Math.floor(z / 146_097);
  const doe = z - era * 146_097;
  const yearOfEra = Math.floor((doe - Math.floor(doe / 1_460) + Math.floor(doe / 36_524) - Math.floor(doe / 146_096)) / 365);
  const dayOfYear = doe - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const mp = Math.floor((5 * dayOfYear + 2) / 153);
  const month = mp < 10 ? mp + 3 : mp - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  return { year, month, day: dayOfYear - Math.floor((153 * mp + 2) / 5) + 1 };
}

/** `a / b` rounded towards negative infinity, for `b` > 0. */
export function floorDiv(a: bigint, b: bigint): bigint {
  const quotient = a / b;
  return a % b < 0n ? quotient - 1n : quotient;
}

/** The remainder that belongs to `floorDiv`: 0 <= result < `b`. */
export function floorMod(a: bigint, b: bigint): bigint {
  const remainder = a % b;
  return remainder < 0n ? remainder + b : remainder;
}

const DATE = /^([+-]?\d{4,6})-(\d\d)-(\d\d)$/;
const TIME = /^(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?$/;
const ZONE = /^(Z|z|([+-])(\d\d):?(\d\d)?)$/;

/** Days since 1970-01-01 of `2023-01-31`, or `undefined` if `text` is not a day of the calendar. */
export function parseDate(text: string): number | undefined {
  const match = DATE.exec(text);
  if (match === null) return undefined;
  const [year, month, day] = [Number(match[1]), Number(match[2]), Number(match[3])];
  if (month < 1 || month > 12 || day < 1 || day > daysInMonth(year, month)) return undefined;
  return daysFromCivil(year, month, day);
}

/** `2023-01-31`; years beyond four digits carry a sign, as in ISO 8601. */
export function formatDate(days: number): string {
  const { year, month, day } = civilFromDays(days);
  return `${formatYear(year)}-${pad(month, 2)}-${pad(day, 2)}`;
}

function formatYear(year: number): string {
  if (year >= 0 && year <= 9_999) return pad(year, 4);
  return (year < 0 ? "-" : "+") + pad(Math.abs(year), year < 0 ? 4 : 5);
}

/** Nanoseconds since midnight of `12:30`, `12:30:59` or `12:30:59.123456789`, or `undefined`. 24:00 and leap seconds are refused. */
export function parseTimeOfDay(text: string): bigint | undefined {
  const match = TIME.exec(text);
  if (match === null) return undefined;
  const [hour, minute, second] = [Number(match[1]), Number(match[2]), Number(match[3] ?? "0")];
  if (hour > 23 || minute > 59 || second > 59) return undefined;
  const fraction = BigInt((match[4] ?? "").padEnd(9, "0"));
  return BigInt(hour * 3_600 + minute * 60 + second) * NS_PER_SECOND + fraction;
}

/** `12:30:59` with a fraction of 0, 3, 6 or 9 digits, the fewest that are exact. `ns` is 0 to one day, exclusive. */
export function formatTimeOfDay(ns: bigint): string {
  const seconds = Number(ns / NS_PER_SECOND);
  const clock = `${pad(Math.floor(seconds / 3_600), 2)}:${pad(Math.floor(seconds / 60) % 60, 2)}:${pad(seconds % 60, 2)}`;
  return clock + formatFraction(Number(ns % NS_PER_SECOND));
}

/** The fraction of a second with its dot: `""`, `.123`, `.123456` or `.123456789`. */
function formatFraction(ns: number): string {
  if (ns === 0) return "";
  if (ns % 1_000_000 === 0) return `.${pad(ns / 1_000_000, 3)}`;
  if (ns % 1_000 === 0) return `.${pad(ns / 1_000, 6)}`;
  return `.${pad(ns, 9)}`;
}

function pad(value: number, width: number): string {
  return String(value).padStart(width, "0");
}

/**
 * The timestamp of an RFC 3339 text: `T`, `t` or a space between date and time, seconds optional, a fraction of up to 9 digits, then
 * nothing (UTC), `Z` or an offset. A date alone is its midnight. `undefined` if `text` is anything else or out of range.
 */
export function parseTimestamp(text: string): bigint | undefined {
  const separator = text.search(/[Tt ]/);
  if (separator < 0) return timestampOf(parseDate(text), 0n, 0n);
  const rest = text.slice(separator + 1);
  const zoneStart = rest.search(/[Zz+-]/);
  const time = zoneStart < 0 ? rest : rest.slice(0, zoneStart).trimEnd();
  const offset = zoneStart < 0 ? 0n : parseZone(rest.slice(zoneStart));
  return timestampOf(parseDate(text.slice(0, separator)), parseTimeOfDay(time), offset);
}

/** Nanoseconds east of UTC. */
function parseZone(text: string): bigint | undefined {
  const match = ZONE.exec(text);
  if (match === null) return undefined;
  if (match[2] === undefined) return 0n;
  const [hours, minutes] = [Number(match[3]), Number(match[4] ?? "0")];
  if (hours > 23 || minutes > 59) return undefined;
  return BigInt(hours * 60 + minutes) * NS_PER_MINUTE * (match[2] === "-" ? -1n : 1n);
}

function timestampOf(days: number | undefined, timeOfDay: bigint | undefined, offset: bigint | undefined): bigint | undefined {
  if (days === undefined || timeOfDay === undefined || offset === undefined) return undefined;
  const ns = BigInt(days) * NS_PER_DAY + timeOfDay - offset;
  return ns < TIMESTAMP_MIN || ns > TIMESTAMP_MAX ? undefined : ns;
}

/** `2023-01-01T00:00:00.123456`: RFC 3339 in UTC without the zone, with a fraction of 0, 3, 6 or 9 digits, the fewest that are exact. */
export function formatTimestamp(ns: bigint): string {
  const days = floorDiv(ns, NS_PER_DAY);
  return `${formatDate(Number(days))}T${formatTimeOfDay(ns - days * NS_PER_DAY)}`;
}
