/**
 * Spans of time: durations of settings (`10s`, `5m`, `1h30m`) as nanoseconds, and SQL intervals, which keep months and days apart from
 * nanoseconds because neither has a fixed length. Everything is exact: fractions are read as decimals, never as floats.
 */
import { NS_PER_DAY, NS_PER_HOUR, NS_PER_MINUTE, NS_PER_MS, NS_PER_SECOND, NS_PER_US } from "./time.ts";

/** A SQL interval. Each part has its own sign. */
export interface Interval {
  readonly months: number;
  readonly days: number;
  /** The part below a day, in nanoseconds; not carried into days. */
  readonly ns: bigint;
}

/** Largest first, for printing. */
const DURATION_UNITS: readonly (readonly [suffix: string, ns: bigint])[] = [
  ["d", NS_PER_DAY],
  ["h", NS_PER_HOUR],
  ["m", NS_PER_MINUTE],
  ["s", NS_PER_SECOND],
  ["ms", NS_PER_MS],
  ["us", NS_PER_US],
  ["ns", 1n],
];
const NS_BY_SUFFIX: ReadonlyMap<string, bigint> = new Map([...DURATION_UNITS, ["µs", NS_PER_US]]);

/**
 * The nanoseconds of a duration such as `10s`, `250ms`, `1.5h` or `1h30m`: one or more non-negative numbers with a unit of
 * ns, us, ms, s, m, h or d, or the bare `0`. `undefined` if `text` is anything else; digits below a nanosecond are refused.
 */
export function parseDuration(text: string): bigint | undefined {
  const trimmed = text.trim();
  if (trimmed === "0") return 0n;
  const part = /(\d+)(?:\.(\d+))?\s*(ns|us|µs|ms|s|m|h|d)\s*/y;
  let total = 0n;
  let end = 0;
  while (end < trimmed.length) {
    const match = part.exec(trimmed);
    if (match === null) return undefined;
    const ns = scaleDecimal(match[1] ?? "", match[2] ?? "", NS_BY_SUFFIX.get(match[3] ?? "") ?? 0n);
    if (ns === undefined) return undefined;
    total += ns;
    end = part.lastIndex;
  }
  return end === 0 ? undefined : total;
}

/** The shortest text that `parseDuration` reads back: `90s` is `1m30s`; `0` is `0s`. `ns` is not negative. */
export function formatDuration(ns: bigint): string {
  if (ns === 0n) return "0s";
  let rest = ns;
  let text = "";
  for (const [suffix, unit] of DURATION_UNITS) {
    const count = rest / unit;
    if (count > 0n) text += `${count}${suffix}`;
    rest %= unit;
  }
  return text;
}

/** `whole.fraction` times `unit`, or `undefined` if that is not a whole number. */
function scaleDecimal(whole: string, fraction: string, unit: bigint): bigint | undefined {
  const scale = 10n ** BigInt(fraction.length);
  const product = BigInt(whole + fraction) * unit;
  return product % scale === 0n ? product / scale : undefined;
}

/** What one of a unit is: months, days and nanoseconds. */
type UnitSize = readonly [months: number, days: number, ns: bigint];

const INTERVAL_UNITS: ReadonlyMap<string, UnitSize> = new Map<string, UnitSize>(
  (
    [
      [
        ["millennium", "millennia", "millenniums"],
        [12_000, 0, 0n],
      ],
      [
        ["century", "centuries"],
        [1_200, 0, 0n],
      ],
      [
        ["decade", "decades"],
        [120, 0, 0n],
      ],
      [
        ["year", "years", "yr", "yrs", "y"],
        [12, 0, 0n],
      ],
      [
        ["month", "months", "mon", "mons"],
        [1, 0, 0n],
      ],
      [
        ["week", "weeks", "w"],
        [0, 7, 0n],
      ],
      [
        ["day", "days", "d"],
        [0, 1, 0n],
      ],
      [
        ["hour", "hours", "hr", "hrs", "h"],
        [0, 0, NS_PER_HOUR],
      ],
      [
        ["minute", "minutes", "min", "mins", "m"],
        [0, 0, NS_PER_MINUTE],
      ],
      [
        ["second", "seconds", "sec", "secs", "s"],
        [0, 0, NS_PER_SECOND],
      ],
      [
        ["millisecond", "milliseconds", "msec", "msecs", "ms"],
        [0, 0, NS_PER_MS],
      ],
      [
        ["microsecond", "microseconds", "usec", "usecs", "us"],
        [0, 0, NS_PER_US],
      ],
      [
        ["nanosecond", "nanoseconds", "nsec", "nsecs", "ns"],
        [0, 0, 1n],
      ],
    ] as const
  ).flatMap(([names, size]) => names.map((name): [string, UnitSize] => [name, size])),
);

const CLOCK = /([+-]?)(\d+):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(?=\s|$)/y;
const QUANTITY = /([+-]?)(\d+)(?:\.(\d+))?\s*([a-z]+)?(?=\s|$|[+-]|\d)/y;

/**
 * A SQL interval from its literal, as PostgreSQL reads it: quantities with units (`1 day 2 hours`, `90s`, `1.5 hours`, `-3 months`) and
 * a clock time (`01:30:00.5`). A bare number takes `defaultUnit` (from `INTERVAL '5' MINUTE`), seconds if there is none. A fraction of a
 * month counts 30 days, a fraction of a day 24 hours; digits below a nanosecond are cut. `undefined` if `text` is not an interval.
 */
export function parseInterval(text: string, defaultUnit = "second"): Interval | undefined {
  const source = text.trim().toLowerCase();
  let position = 0;
  let sum: Interval = { months: 0, days: 0, ns: 0n };
  while (position < source.length) {
    const part = readClock(source, position) ?? readQuantity(source, position, defaultUnit.toLowerCase());
    if (part === undefined) return undefined;
    sum = { months: sum.months + part.value.months, days: sum.days + part.value.days, ns: sum.ns + part.value.ns };
    position = part.end;
    while (source[position] === " ") position++;
  }
  return source === "" ? undefined : sum;
}

interface IntervalPart {
  readonly value: Interval;
  readonly end: number;
}

function readClock(source: string, start: number): IntervalPart | undefined {
  CLOCK.lastIndex = start;
  const match = CLOCK.exec(source);
  if (match === null) return undefined;
  const [, sign, hours = "0", minutes = "0", seconds = "0", fraction = ""] = match;
  if (Number(minutes) > 59 || Number(seconds) > 59) return undefined;
  const whole = BigInt(hours) * NS_PER_HOUR + BigInt(minutes) * NS_PER_MINUTE + BigInt(seconds) * NS_PER_SECOND;
  const ns = whole + BigInt(fraction.padEnd(9, "0"));
  return { value: { months: 0, days: 0, ns: sign === "-" ? -ns : ns }, end: CLOCK.lastIndex };
}

function readQuantity(source: string, start: number, defaultUnit: string): IntervalPart | undefined {
  QUANTITY.lastIndex = start;
  const match = QUANTITY.exec(source);
  if (match === null) return undefined;
  const [, sign, whole = "0", fraction = "", unit] = match;
  const size = INTERVAL_UNITS.get(unit ?? defaultUnit);
  if (size === undefined) return undefined;
  const value = scaleInterval(BigInt(whole + fraction) * (sign === "-" ? -1n : 1n), 10n ** BigInt(fraction.length), size);
  return { value, end: QUANTITY.lastIndex };
}

/** `numerator / scale` units, with fractions of months spilling into days and fractions of days into nanoseconds. */
function scaleInterval(numerator: bigint, scale: bigint, [months, days, ns]: UnitSize): Interval {
  const inMonths = numerator * BigInt(months);
  const inDays = numerator * BigInt(days) + (inMonths % scale) * 30n;
  const inNs = numerator * ns + (inDays % scale) * NS_PER_DAY;
  return { months: Number(inMonths / scale), days: Number(inDays / scale), ns: inNs / scale };
}

/** The interval in nanoseconds with days of 24 hours, or `undefined` if it has months, which have no fixed length. */
export function intervalToNs(interval: Interval): bigint | undefined {
  return interval.months === 0 ? BigInt(interval.days) * NS_PER_DAY + interval.ns : undefined;
}
