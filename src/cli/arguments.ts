/** The values of options, checked: what yargs lets through and a command could not use is a usage error that names the option. */
import { parseDuration } from "../core/duration.ts";
import { userError } from "../core/errors.ts";

const NS_PER_MS = 1_000_000n;
/** Longest delay of a Node timer. */
const TIMER_MAX_MS = 2 ** 31 - 1;

/** The one value of an option. An option that is given twice contradicts itself. */
export function single<T>(name: string, value: T): T {
  if (Array.isArray(value)) throw userError("invalid-usage", `--${name} is given ${value.length} times`, { hint: "Give it once." });
  return value;
}

/** A whole number from `min` to `max`. */
export function wholeNumber(
  name: string,
  value: number | undefined,
  min: number,
  max: number = Number.MAX_SAFE_INTEGER,
): number | undefined {
  if (value === undefined) return undefined;
  const number = single(name, value);
  if (Number.isSafeInteger(number) && number >= min && number <= max) return number;
  const range = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
  throw userError("invalid-usage", `--${name} must be a whole number ${range}${Number.isNaN(number) ? "" : `, not ${number}`}`);
}

/** A duration such as 10s in ms; at least 1. */
export function milliseconds(name: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const ns = parseDuration(single(name, value));
  if (ns === undefined) {
    throw userError("invalid-usage", `--${name} "${value}" is not a duration`, { hint: "Write it like 500ms, 10s or 5m." });
  }
  const ms = Number(ns / NS_PER_MS);
  if (ms >= 1 && ms <= TIMER_MAX_MS) return ms;
  throw userError("invalid-usage", `--${name} "${value}" is out of range`, { hint: "It can be from 1ms to 24d." });
}

/** `name=value` words as a table. */
export function parseParameters(pairs: readonly string[]): ReadonlyMap<string, string> {
  const table = new Map<string, string>();
  for (const pair of pairs) {
    const at = pair.indexOf("=");
    if (at <= 0) throw userError("invalid-usage", `parameter "${pair}" is not of the form name=value`);
    const name = pair.slice(0, at);
    if (table.has(name)) throw userError("invalid-usage", `parameter "${name}" is given twice`);
    table.set(name, pair.slice(at + 1));
  }
  return table;
}
