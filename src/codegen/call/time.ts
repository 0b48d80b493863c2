/** Time functions. Units and intervals are literals, so the calendar's functions are called with constants. */

import { must } from "../../core/assert.ts";
import { userError } from "../../core/errors.ts";
import type { CallExpression, Expression, IntervalValue } from "../../program/expression.ts";
import type { RowScope } from "../scope.ts";
import { bothValid } from "../scope.ts";
import type { Value } from "../value.ts";
import { localType, zeroOf } from "../value.ts";

const NAMES = [
  "timestamp_add_interval",
  "timestamp_subtract_interval",
  "timestamp_diff_ns",
  "date_trunc",
  "date_part",
  "date_bin",
  "to_timestamp_seconds",
  "to_timestamp_millis",
  "to_timestamp_micros",
  "to_timestamp_nanos",
  "to_unixtime",
] as const;
type TimeFunction = (typeof NAMES)[number];

/** Nanoseconds per unit of the integer that the function takes. */
const UNIT_NS: Readonly<Record<string, bigint>> = {
  to_timestamp_seconds: 1_000_000_000n,
  to_timestamp_millis: 1_000_000n,
  to_timestamp_micros: 1000n,
  to_timestamp_nanos: 1n,
};

const NS_PER_DAY = 86_400_000_000_000n;

/** Spellings of units, as constants of `runtime/calendar.ts`. */
const UNITS: ReadonlySet<string> = new Set([
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
  "isodow",
  "isoyear",
]);

export function isTimeFunction(name: string): name is TimeFunction {
  return (NAMES as readonly string[]).includes(name);
}

/** Prints a time function; `emit` prints the arguments that are not literals. */
export function emitTime(scope: RowScope, call: CallExpression, emit: (e: Expression) => Value): Value {
  const name = call.function as TimeFunction;
  const argument = (index: number): Expression => must(call.arguments[index], `argument ${index} of ${name}`);
  switch (name) {
    case "timestamp_add_interval":
    case "timestamp_subtract_interval":
      return emitInterval(scope, name === "timestamp_add_interval", emit(argument(0)), intervalOf(argument(1)));
    case "timestamp_diff_ns":
      return emitDifference(scope, call, emit(argument(0)), emit(argument(1)));
    case "date_trunc":
      return checked(
        scope,
        call,
        [emit(argument(1))],
        ([at]) => `${scope.printer.use("calendar", "truncateTimestamp")}(${at}, ${unit(scope, argument(0))})`,
      );
    case "date_part":
      return emitPart(scope, call, emit(argument(1)), textOf(argument(0)));
    case "date_bin": {
      const { days, ns } = intervalOf(argument(0));
      const stride = BigInt(days) * NS_PER_DAY + ns;
      const bin = scope.printer.use("calendar", "binTimestamp");
      return checked(scope, call, [emit(argument(1)), emit(argument(2))], ([at, origin]) => `${bin}(${stride}, ${at}, ${origin})`);
    }
    case "to_unixtime": {
      const at = emit(argument(0));
      const value = scope.bind("i64", `${scope.printer.use("calendar", "floorDivide")}(${at.value}, 1000000000)`);
      return { type: call.type, valid: at.valid, value, length: "" };
    }
    default:
      return emitFromInteger(scope, call, emit(argument(0)), must(UNIT_NS[name], name));
  }
}

/** The interval of a literal argument. */
function intervalOf(expression: Expression): IntervalValue {
  if (expression.kind === "literal" && typeof expression.value === "object" && expression.value !== null && "months" in expression.value) {
    return expression.value;
  }
  throw userError("unsupported", "an interval must be a literal here");
}

function textOf(expression: Expression): string {
  if (expression.kind === "literal" && typeof expression.value === "string") return expression.value.toLowerCase();
  throw userError("unsupported", "a date part must be a literal here");
}

/** Name of the calendar's constant for a unit. */
function unit(scope: RowScope, expression: Expression): string {
  const text = textOf(expression);
  if (!UNITS.has(text)) throw userError("invalid-sql", `"${text}" is not a date part`);
  return scope.printer.use("calendar", text.toUpperCase());
}

/** A call that sets `calendarStatus`; out of range is a fault. */
function checked(scope: RowScope, call: CallExpression, values: readonly Value[], text: (values: readonly string[]) => string): Value {
  const p = scope.printer;
  const valid = values.map((v) => v.valid).reduce(bothValid, "true");
  const result = scope.variable(localType(call.type), zeroOf(call.type));
  const compute = (): void => {
    p.line(`${result} = ${text(values.map((v) => v.value))};`);
    p.line(`if (${p.use("calendar", "calendarStatus")} != 0) ${scope.fault("INTEGER_OVERFLOW")}`);
  };
  if (valid === "true") compute();
  else p.block(`if (${valid})`, compute);
  return { type: call.type, valid, value: result, length: "" };
}

/** Fixed-length intervals are an addition with an overflow check; months need the calendar. */
function emitInterval(scope: RowScope, add: boolean, at: Value, { months, days, ns }: IntervalValue): Value {
  const p = scope.printer;
  const result = scope.variable("i64", "0");
  const compute = (): void => {
    if (months !== 0) {
      p.line(`${result} = ${p.use("calendar", add ? "addInterval" : "subtractInterval")}(${at.value}, ${months}, ${days}, ${ns});`);
      p.line(`if (${p.use("calendar", "calendarStatus")} != 0) ${scope.fault("INTEGER_OVERFLOW")}`);
      return;
    }
    const delta = (BigInt(days) * NS_PER_DAY + ns) * (add ? 1n : -1n);
    p.line(`${result} = ${at.value} + ${delta < 0n ? `(${delta})` : delta};`);
    p.line(`if (${result} ${delta < 0n ? ">" : "<"} ${at.value}) ${scope.fault("INTEGER_OVERFLOW")}`);
  };
  if (at.valid === "true") compute();
  else p.block(`if (${at.valid})`, compute);
  return { type: at.type, valid: at.valid, value: result, length: "" };
}

function emitDifference(scope: RowScope, call: CallExpression, a: Value, b: Value): Value {
  const p = scope.printer;
  const valid = bothValid(a.valid, b.valid);
  const result = scope.bind("i64", `${a.value} - ${b.value}`);
  const guard = valid === "true" ? "" : `${valid} && `;
  p.line(`if (${guard}((${a.value} ^ ${b.value}) & (${a.value} ^ ${result})) < 0) ${scope.fault("INTEGER_OVERFLOW")}`);
  return { type: call.type, valid, value: result, length: "" };
}

function emitPart(scope: RowScope, call: CallExpression, at: Value, part: string): Value {
  const p = scope.printer;
  if (part === "epoch") {
    return {
      type: call.type,
      valid: at.valid,
      value: scope.bind("f64", `${p.use("calendar", "epochOfTimestamp")}(${at.value})`),
      length: "",
    };
  }
  if (!UNITS.has(part)) throw userError("invalid-sql", `"${part}" is not a date part`);
  const local = localType(call.type);
  const value = scope.bind(
    local,
    `<${local}>${p.use("calendar", "partOfTimestamp")}(${at.value}, ${p.use("calendar", part.toUpperCase())})`,
  );
  return { type: call.type, valid: at.valid, value, length: "" };
}

function emitFromInteger(scope: RowScope, call: CallExpression, from: Value, unitNs: bigint): Value {
  if (unitNs === 1n) return { ...from, type: call.type };
  const p = scope.printer;
  const result = scope.bind("i64", `<i64>${from.value} * ${unitNs}`);
  const guard = from.valid === "true" ? "" : `${from.valid} && `;
  const max = (1n << 63n) / unitNs;
  p.line(`if (${guard}(<i64>${from.value} > ${max} || <i64>${from.value} < -${max})) ${scope.fault("INTEGER_OVERFLOW")}`);
  return { type: call.type, valid: from.valid, value: result, length: "" };
}
