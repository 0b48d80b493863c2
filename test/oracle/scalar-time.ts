/**
 * Time functions of the oracle on timestamps in nanoseconds: interval arithmetic, truncation, parts and binning, all in the proleptic
 * Gregorian calendar and rounding towards the past.
 */
import { internalError } from "../../src/core/errors.ts";
import {
  civilFromDays,
  daysFromCivil,
  daysInMonth,
  floorDiv,
  floorMod,
  NS_PER_DAY,
  NS_PER_HOUR,
  NS_PER_MINUTE,
  NS_PER_MS,
  NS_PER_SECOND,
  NS_PER_US,
} from "../../src/core/time.ts";
import { TIMESTAMP } from "../../src/data/data-type.ts";
import type { IntervalValue } from "../../src/program/expression.ts";
import { inRange } from "./value.ts";

/** ts + sign × interval: months first (cut to the month's last day), then days of 24 hours, then nanoseconds. */
export function addInterval(ts: bigint, interval: IntervalValue, sign: 1 | -1): bigint {
  const days = floorDiv(ts, NS_PER_DAY);
  const { year, month, day } = civilFromDays(Number(days));
  const months = year * 12 + (month - 1) + sign * interval.months;
  const newYear = Math.floor(months / 12);
  const newMonth = months - newYear * 12 + 1;
  const newDays = daysFromCivil(newYear, newMonth, Math.min(day, daysInMonth(newYear, newMonth))) + sign * interval.days;
  return inRange(BigInt(newDays) * NS_PER_DAY + floorMod(ts, NS_PER_DAY) + BigInt(sign) * interval.ns, TIMESTAMP, "integer overflow");
}

const FIXED_UNITS: ReadonlyMap<string, bigint> = new Map([
  ["microsecond", NS_PER_US],
  ["millisecond", NS_PER_MS],
  ["second", NS_PER_SECOND],
  ["minute", NS_PER_MINUTE],
  ["hour", NS_PER_HOUR],
  ["day", NS_PER_DAY],
]);

/** Monday is 0. 1970-01-01 was a Thursday. */
function weekday(days: number): number {
  return ((days % 7) + 7 + 3) % 7;
}

/** date_trunc. */
export function truncate(unit: string, ts: bigint): bigint {
  const fixed = FIXED_UNITS.get(unit);
  if (fixed !== undefined) return inRange(ts - floorMod(ts, fixed), TIMESTAMP, "integer overflow");
  const days = Number(floorDiv(ts, NS_PER_DAY));
  const { year, month } = civilFromDays(days);
  const start = (): number => {
    if (unit === "week") return days - weekday(days);
    if (unit === "month") return daysFromCivil(year, month, 1);
    if (unit === "quarter") return daysFromCivil(year, month - ((month - 1) % 3), 1);
    if (unit === "year") return daysFromCivil(year, 1, 1);
    throw internalError("invariant", `the oracle cannot truncate to "${unit}"`);
  };
  return inRange(BigInt(start()) * NS_PER_DAY, TIMESTAMP, "integer overflow");
}

/** ISO 8601 week: that of the week's Thursday, counted within the Thursday's year. */
function isoWeek(days: number): number {
  const thursday = days - weekday(days) + 3;
  return Math.floor((thursday - daysFromCivil(civilFromDays(thursday).year, 1, 1)) / 7) + 1;
}

/** date_part: a bigint, or a number for `epoch`. Parts of a second include the whole seconds of the minute, as PostgreSQL's. */
export function part(unit: string, ts: bigint): bigint | number {
  if (unit === "epoch") return Number(ts) / 1e9;
  const days = Number(floorDiv(ts, NS_PER_DAY));
  const time = floorMod(ts, NS_PER_DAY);
  const { year, month, day } = civilFromDays(days);
  const inMinute = time % NS_PER_MINUTE;
  const parts: Readonly<Record<string, bigint>> = {
    year: BigInt(year),
    quarter: BigInt(Math.ceil(month / 3)),
    month: BigInt(month),
    week: BigInt(isoWeek(days)),
    day: BigInt(day),
    doy: BigInt(days - daysFromCivil(year, 1, 1) + 1),
    dow: BigInt((weekday(days) + 1) % 7),
    isodow: BigInt(weekday(days) + 1),
    hour: time / NS_PER_HOUR,
    minute: (time / NS_PER_MINUTE) % 60n,
    second: inMinute / NS_PER_SECOND,
    millisecond: inMinute / NS_PER_MS,
    microsecond: inMinute / NS_PER_US,
  };
  const value = parts[unit];
  if (value === undefined) throw internalError("invariant", `the oracle knows no date part "${unit}"`);
  return value;
}

/** date_bin: the start of the stride's bin that holds `ts`, bins counted from `origin`. */
export function bin(stride: IntervalValue, ts: bigint, origin: bigint): bigint {
  const width = BigInt(stride.days) * NS_PER_DAY + stride.ns;
  return inRange(origin + floorDiv(ts - origin, width) * width, TIMESTAMP, "integer overflow");
}
