/**
 * The spellings of times that sources and casts take, by regular expressions: the reference for `runtime/time-text.ts`, which follows
 * arrow-cast. Wider than `core/time.ts`, which reads what we write ourselves.
 */
import { daysFromCivil, daysInMonth, floorDiv, NS_PER_DAY, NS_PER_SECOND, TIMESTAMP_MAX, TIMESTAMP_MIN } from "../../src/core/time.ts";

const ZONE = String.raw`Z|z| *(?<sign>[+-])(?<zoneHours>\d\d)(?::?(?<zoneMinutes>\d\d))?`;
const CLOCK = String.raw`(?:(?<h>\d\d):(?<m>\d\d):(?<s>\d\d)|(?<h2>\d\d)(?<m2>\d\d)(?<s2>\d\d))(?:\.(?<fraction>\d+))?`;
const TIMESTAMP = new RegExp(String.raw`^(?<year>\d{4})-(?<month>\d\d)-(?<day>\d\d)(?:[Tt ]${CLOCK}(?:${ZONE})?)?$`);
const DATE = /^(?:(?<year>\d{4}|[+-]\d{3,6})-(?<month>\d{1,2})-(?<day>\d{1,2})|(?<year2>\d{4})(?<month2>\d\d)(?<day2>\d\d))$/;
const TIME = /^(?<h>\d{1,2}):(?<m>\d\d)(?::(?<s>\d\d)(?:\.(?<fraction>\d+))?)?(?: (?<half>[AaPp])[Mm])?$/;

type Groups = Readonly<Record<string, string | undefined>>;

function days(year: number, month: number, day: number): number | undefined {
  return month < 1 || month > 12 || day < 1 || day > daysInMonth(year, month) ? undefined : daysFromCivil(year, month, day);
}

function nanoseconds(fraction: string | undefined): bigint {
  return BigInt((fraction ?? "").slice(0, 9).padEnd(9, "0"));
}

/** Seconds east of UTC; undefined if there is no such zone. */
function zone({ sign, zoneHours = "0", zoneMinutes = "0" }: Groups): number | undefined {
  const seconds = (Number(zoneHours) * 60 + Number(zoneMinutes)) * 60;
  if (Number(zoneHours) > 23 || Number(zoneMinutes) > 59) return undefined;
  return sign === "-" ? -seconds : seconds;
}

/** Nanoseconds since 1970 of a TIMESTAMP's text. */
export function readTimestampText(text: string): bigint | undefined {
  const groups: Groups | undefined = TIMESTAMP.exec(text)?.groups;
  if (groups === undefined) return undefined;
  const day = days(Number(groups["year"]), Number(groups["month"]), Number(groups["day"]));
  const [h, m, s] = [groups["h"] ?? groups["h2"], groups["m"] ?? groups["m2"], groups["s"] ?? groups["s2"]].map((n) => Number(n ?? 0));
  const offset = zone(groups);
  if (day === undefined || h === undefined || m === undefined || s === undefined || offset === undefined) return undefined;
  if (h > 23 || m > 59 || s > 60) return undefined;
  const ns = BigInt(day) * NS_PER_DAY + BigInt(h * 3600 + m * 60 + s - offset) * NS_PER_SECOND + nanoseconds(groups["fraction"]);
  return ns < TIMESTAMP_MIN || ns > TIMESTAMP_MAX ? undefined : ns;
}

/** Days since 1970 of a DATE's text, or of a TIMESTAMP's. */
export function readDateText(text: string): bigint | undefined {
  const groups: Groups | undefined = DATE.exec(text)?.groups;
  if (groups === undefined) {
    const ns = text.length > 10 ? readTimestampText(text) : undefined;
    return ns === undefined ? undefined : floorDiv(ns, NS_PER_DAY);
  }
  const part = (name: string): number => Number(groups[name] ?? groups[`${name}2`]);
  const day = days(part("year"), part("month"), part("day"));
  return day === undefined ? undefined : BigInt(day);
}

/** Nanoseconds since midnight of a TIME's text. */
export function readTimeText(text: string): bigint | undefined {
  const groups: Groups | undefined = TIME.exec(text)?.groups;
  if (groups === undefined) return undefined;
  const half = groups["half"]?.toLowerCase();
  const [m, s] = [Number(groups["m"]), Number(groups["s"] ?? 0)];
  let h = Number(groups["h"]);
  if (half !== undefined) {
    if (h < 1 || h > 12) return undefined;
    h = (h % 12) + (half === "p" ? 12 : 0);
  }
  if (h > 23 || m > 59 || s > 59) return undefined;
  return BigInt(h * 3600 + m * 60 + s) * NS_PER_SECOND + nanoseconds(groups["fraction"]);
}
