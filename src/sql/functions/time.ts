/**
 * Date and time functions of SQL in terms of the program's. Units of date_trunc and date_part must be literals, because the generated code
 * has one routine per unit.
 */

import { parseInterval } from "../../core/duration.ts";
import {
  DATE,
  FLOAT64,
  INT32,
  INT64,
  INTERVAL,
  isInteger,
  isNumeric,
  printType,
  type ScalarType,
  TEXT,
  TIMESTAMP,
} from "../../data/data-type.ts";
import type { IntervalValue } from "../../program/expression.ts";
import type { ScalarFunctionName } from "../../program/scalar-function.ts";
import { type Bound, literal, scalar, strictCall, UNKNOWN } from "../binder/bound.ts";
import { castTo, coerceScalar, describeType } from "../binder/coercion.ts";
import { didYouMean } from "../binder/environment.ts";
import { argumentAs, callError, direct, type ScalarCall, type ScalarFunction, special } from "./scalar-call.ts";

const TRUNC_UNITS = ["year", "quarter", "month", "week", "day", "hour", "minute", "second", "millisecond", "microsecond"];

const PART_UNITS = [
  "year",
  "quarter",
  "month",
  "week",
  "day",
  "hour",
  "minute",
  "second",
  "millisecond",
  "microsecond",
  "nanosecond",
  "dow",
  "doy",
  "epoch",
  "isodow",
];

/** Spellings that mean one of the units above. */
const UNIT_ALIASES: Readonly<Record<string, string>> = { dayofweek: "dow", dayofyear: "doy" };

/** The unit that argument 0 names, as one of `units`; `undefined` after reporting. */
function unitArgument(call: ScalarCall, units: readonly string[]): string | undefined {
  const [bound] = call.args as [Bound];
  const value = bound.kind === "scalar" && bound.expression.kind === "literal" ? bound.expression.value : undefined;
  if (typeof value !== "string") {
    callError(call, "invalid-argument", `argument 1 of ${call.name} must be a literal unit such as 'hour'`, {}, 0);
    return undefined;
  }
  const lower = value.trim().toLowerCase();
  const unit = [lower, lower.replace(/s$/, ""), UNIT_ALIASES[lower] ?? lower].find((u) => units.includes(u));
  if (unit === undefined) {
    const advice = { detail: `Units are ${units.join(", ")}.`, ...didYouMean(lower, units) };
    callError(call, "invalid-argument", `"${value}" is not a unit of ${call.name}`, advice, 0);
  }
  return unit;
}

function bindDateTrunc(call: ScalarCall): Bound {
  const unit = unitArgument(call, TRUNC_UNITS);
  const value = argumentAs(call, 1, "timestamp");
  if (unit === undefined || value === undefined) return UNKNOWN;
  return scalar(strictCall("date_trunc", TIMESTAMP, literal(unit, TEXT), value));
}

/** A span of time has an epoch only: its seconds. */
function bindDatePart(call: ScalarCall): Bound {
  const unit = unitArgument(call, PART_UNITS);
  const [, span] = call.args;
  if (unit === "epoch" && span?.kind === "scalar" && span.duration === true) {
    const ns = castTo(span.expression, FLOAT64) ?? span.expression;
    return scalar(strictCall("divide", FLOAT64, ns, literal(1e9, FLOAT64)));
  }
  const value = argumentAs(call, 1, "timestamp");
  if (unit === undefined || value === undefined) return UNKNOWN;
  return scalar(strictCall("date_part", unit === "epoch" ? FLOAT64 : INT32, literal(unit, TEXT), value));
}

/** An argument that is an INTERVAL literal or a string that reads as one. */
function intervalArgument(call: ScalarCall, index: number): IntervalValue | undefined {
  const bound = call.args[index] as Bound;
  if (bound.kind === "scalar" && bound.expression.kind === "literal") {
    const { value, type } = bound.expression;
    if (type.kind === "interval") return value as IntervalValue;
    const parsed = typeof value === "string" ? parseInterval(value) : undefined;
    if (parsed !== undefined) return parsed;
  }
  callError(call, "invalid-argument", `argument ${index + 1} of ${call.name} must be an INTERVAL literal`, {}, index);
  return undefined;
}

function bindDateBin(call: ScalarCall): Bound {
  const interval = intervalArgument(call, 0);
  const value = argumentAs(call, 1, "timestamp");
  const origin = call.args.length > 2 ? argumentAs(call, 2, "timestamp") : literal(0n, TIMESTAMP);
  if (interval === undefined || value === undefined || origin === undefined) return UNKNOWN;
  if (interval.months !== 0) return callError(call, "invalid-argument", "the interval of date_bin must not have months", {}, 0);
  if (BigInt(interval.days) * 86_400_000_000_000n + interval.ns <= 0n) {
    return callError(call, "invalid-argument", "the interval of date_bin must be positive", {}, 0);
  }
  return scalar(strictCall("date_bin", TIMESTAMP, literal(interval, INTERVAL), value, origin));
}

/** Conversions to TIMESTAMP: numbers count `unit`s since the epoch, text is read, a timestamp stays. */
function toTimestamp(names: readonly string[], target: ScalarFunctionName): ScalarFunction {
  return special(names, "(text or number)", [1, 1], (call) => {
    const [bound] = call.args as [Bound];
    if (bound.kind === "scalar" && bound.duration !== true && isNumeric(bound.expression.type)) {
      const { expression } = bound;
      if (!isInteger(expression.type) && target === "to_timestamp_seconds") {
        const ns = strictCall("multiply", FLOAT64, castTo(expression, FLOAT64) ?? expression, literal(1e9, FLOAT64));
        return scalar(strictCall("to_timestamp_nanos", TIMESTAMP, castTo(ns, INT64) ?? ns));
      }
      return scalar(strictCall(target, TIMESTAMP, castTo(expression, INT64) ?? expression));
    }
    const value = argumentAs(call, 0, "timestamp");
    return value === undefined ? UNKNOWN : scalar(value);
  });
}

function bindCast(target: ScalarType): (call: ScalarCall) => Bound {
  return (call) => {
    const [bound] = call.args as [Bound];
    const expression = coerceScalar(bound, target);
    if (typeof expression !== "string") return scalar(expression);
    const code = expression === "invalid" ? "invalid-literal" : "type-mismatch";
    return callError(call, code, `${printType(describeType(bound))} cannot be converted by ${call.name}`, {}, 0);
  };
}

function bindToUnixtime(call: ScalarCall): Bound {
  const value = argumentAs(call, 0, "timestamp");
  return value === undefined ? UNKNOWN : scalar(strictCall("to_unixtime", INT64, value));
}

/** Date and time functions. */
export const TIME_FUNCTIONS: readonly ScalarFunction[] = [
  special(["date_trunc", "datetrunc"], "(unit, timestamp)", [2, 2], bindDateTrunc),
  special(["date_part", "datepart"], "(unit, timestamp)", [2, 2], bindDatePart),
  special(["date_bin"], "(interval, timestamp[, origin])", [2, 3], bindDateBin),
  toTimestamp(["to_timestamp", "to_timestamp_seconds"], "to_timestamp_seconds"),
  toTimestamp(["to_timestamp_millis"], "to_timestamp_millis"),
  toTimestamp(["to_timestamp_micros"], "to_timestamp_micros"),
  toTimestamp(["to_timestamp_nanos"], "to_timestamp_nanos"),
  direct(["from_unixtime"], "to_timestamp_seconds", ["int64"], TIMESTAMP),
  special(["to_unixtime"], "(timestamp)", [1, 1], bindToUnixtime),
  special(["to_date"], "(text or timestamp)", [1, 1], bindCast(DATE)),
];
