/**
 * Casts. A value that does not fit is a fault, or NULL under TRY_CAST. Conversions that cannot fail are single
 * expressions; the others are calls that leave a status.
 */

import { userError } from "../../core/errors.ts";
import type { ScalarType } from "../../data/data-type.ts";
import { integerRange, integerShape, isInteger } from "../../data/data-type.ts";
import type { RowScope } from "../scope.ts";
import { bothValid } from "../scope.ts";
import type { Value } from "../value.ts";
import { localType, zeroOf } from "../value.ts";

/** Prints the conversion of `from` to `type`. */
export function emitCast(scope: RowScope, from: Value, type: ScalarType, safe: boolean): Value {
  if (sameStorage(from.type, type)) return { ...from, type };
  if (from.type.kind === "date" && isInteger(type)) return emitCast(scope, { ...from, type: { kind: "int32" } }, type, safe);
  const plain = plainCast(from, type);
  if (plain !== undefined) return { type, valid: from.valid, value: scope.bind(localType(type), plain), length: "" };
  if (type.kind === "text" || type.kind === "json") return castToText(scope, from, type);
  const status = statusCast(scope, from, type);
  const value = scope.variable(localType(type), zeroOf(type));
  const failed = scope.variable("bool", "false");
  const p = scope.printer;
  const convert = (): void => {
    const fault = from.type.kind === "text" ? "CAST_INVALID_TEXT" : "CAST_OUT_OF_RANGE";
    p.branch(
      status.failed,
      () => p.line(safe ? `${failed} = true;` : scope.fault(fault)),
      () => p.line(`${value} = ${status.result};`),
    );
  };
  if (from.valid === "true") convert();
  else p.block(`if (${from.valid})`, convert);
  const valid = safe ? scope.bind("bool", bothValid(from.valid, `!${failed}`)) : from.valid;
  return { type, valid, value, length: "" };
}

/** True when only the type's name changes. */
function sameStorage(from: ScalarType, to: ScalarType): boolean {
  const text = (t: ScalarType): boolean => t.kind === "text" || t.kind === "json";
  const ticks = (t: ScalarType): boolean => t.kind === "timestamp" || t.kind === "int64";
  return from.kind === to.kind || (text(from) && text(to)) || (ticks(from) && ticks(to)) || (from.kind === "date" && to.kind === "int32");
}

const isFloat = (t: ScalarType): boolean => t.kind === "float32" || t.kind === "float64";

/** Conversions that cannot fail. */
function plainCast({ type, value }: Value, to: ScalarType): string | undefined {
  const local = localType(to);
  if (type.kind === "boolean" && (isInteger(to) || isFloat(to))) return `<${local}>(${value} ? 1 : 0)`;
  if (to.kind === "boolean" && (isInteger(type) || isFloat(type))) return `${value} != 0`;
  if (isFloat(to) && (isInteger(type) || isFloat(type))) return `<${local}>${value}`;
  if (isInteger(type) && isInteger(to)) {
    const [a, b] = [integerRange(type.kind), integerRange(to.kind)];
    return a.min >= b.min && a.max <= b.max ? `<${local}>${value}` : undefined;
  }
  if (type.kind === "int32" && to.kind === "date") return value;
  return undefined;
}

interface StatusCast {
  /** Condition that is true when the value does not fit. */
  readonly failed: string;
  readonly result: string;
}

function statusCast(scope: RowScope, from: Value, to: ScalarType): StatusCast {
  const p = scope.printer;
  const { type, value, length } = from;
  if (isInteger(type) && isInteger(to)) return integerNarrowing(from, to);
  if (isFloat(type) && isInteger(to)) return floatToInteger(from, to);
  const call = (file: string, name: string, result: string, args = `${value}, ${length}`): StatusCast => ({
    failed: `${p.use(file, name)}(${args}) != 0`,
    result: `<${localType(to)}>${p.use(file, result)}`,
  });
  if (type.kind === "text" || type.kind === "json") {
    if (isInteger(to)) return textToInteger(scope, from, to);
    if (to.kind === "float64" || to.kind === "float32") {
      // Beyond the range is an infinity, not an error, as in DataFusion: only text that is no number fails.
      const bits = to.kind === "float64" ? "64" : "32";
      const read = `${p.use("number-read", `castF${bits}`)}(${value}, ${length})`;
      return { failed: `${read} == ${p.use("number-read", "NUM_SYNTAX")}`, result: p.use("number-read", `numF${bits}`) };
    }
    if (to.kind === "boolean")
      return { failed: `${p.use("cast", "castBoolean")}(${value}, ${length}) != 0`, result: `${p.use("cast", "castResult")} != 0` };
    if (to.kind === "timestamp") return call("cast", "castTimestamp", "castResult");
    if (to.kind === "date") return call("cast", "castDate", "castResult");
    if (to.kind === "time") return call("cast", "castTime", "castResult");
  }
  if (type.kind === "timestamp" && to.kind === "date")
    return { failed: "false", result: `${p.use("calendar", "dateOfTimestamp")}(${value})` };
  if (type.kind === "date" && to.kind === "timestamp") {
    return { failed: `${value} > 106751 || ${value} < -106751`, result: `<i64>${value} * 86400000000000` };
  }
  if (type.kind === "timestamp" && to.kind === "time") {
    return { failed: "false", result: `${p.use("calendar", "timeOfTimestamp")}(${value})` };
  }
  if (type.kind === "timestamp" && isInteger(to)) return integerNarrowing({ ...from, type: { kind: "int64" } }, to);
  throw userError("unsupported", `a cast from ${type.kind} to ${to.kind} is not supported yet`);
}

/** Bounds that the source's own range does not guarantee. */
function outside(value: string, from: ScalarType, to: ScalarType): string {
  if (!isInteger(from) || !isInteger(to)) return "false";
  const [a, b] = [integerRange(from.kind), integerRange(to.kind)];
  const local = integerShape(from.kind).signed ? "i64" : "u64";
  const tests: string[] = [];
  if (a.min < b.min) tests.push(`<${local}>${value} < ${b.min}`);
  if (a.max > b.max) tests.push(`<${local}>${value} > ${b.max}`);
  return tests.length === 0 ? "false" : tests.join(" || ");
}

function integerNarrowing(from: Value, to: ScalarType): StatusCast {
  return { failed: outside(from.value, from.type, to), result: `<${localType(to)}>${from.value}` };
}

/** Truncates; NaN and values outside fail. The bounds are powers of two, hence exact as f64. */
function floatToInteger({ value }: Value, to: ScalarType): StatusCast {
  if (!isInteger(to)) return { failed: "true", result: "0" };
  const { bits, signed } = integerShape(to.kind);
  const high = 2 ** (signed ? bits - 1 : bits);
  const whole = `f64.trunc(<f64>${value})`;
  return { failed: `!(${whole} >= ${signed ? `-${high}.0` : "0.0"} && ${whole} < ${high}.0)`, result: `<${localType(to)}>${whole}` };
}

function textToInteger(scope: RowScope, { value, length }: Value, to: ScalarType): StatusCast {
  if (!isInteger(to)) return { failed: "true", result: "0" };
  const { signed } = integerShape(to.kind);
  const p = scope.printer;
  const result = p.use("number-read", signed ? "numI64" : "numU64");
  const range = outside(result, { kind: signed ? "int64" : "uint64" }, to);
  const read = `${p.use("number-read", signed ? "castI64" : "castU64")}(${value}, ${length}) != 0`;
  return { failed: range === "false" ? read : `${read} || ${range}`, result: `<${localType(to)}>${result}` };
}

/** Runtime file and function that writes each kind as text. */
const WRITERS: Readonly<Record<string, readonly [string, string]>> = {
  boolean: ["cast", "writeBooleanText"],
  float64: ["number-write", "writeF64Sql"],
  float32: ["number-write", "writeF32Sql"],
  timestamp: ["time-text", "writeTimestamp"],
  date: ["time-text", "writeDate"],
  time: ["time-text", "writeTime"],
};

function castToText(scope: RowScope, { type, value, valid }: Value, to: ScalarType): Value {
  const p = scope.printer;
  const signed = isInteger(type) && integerShape(type.kind).signed;
  const writer = isInteger(type) ? (["number-write", signed ? "writeI64" : "writeU64"] as const) : WRITERS[type.kind];
  if (writer === undefined) throw userError("unsupported", `a cast from ${type.kind} to text is not supported yet`);
  scope.scratch = true;
  const argument = isInteger(type) ? `<${signed ? "i64" : "u64"}>${value}` : value;
  const start = scope.bind("usize", `${p.use("scratch", "scratchRoom")}(64)`);
  const end = scope.bind("usize", `${p.use(...writer)}(${start}, ${argument})`);
  p.line(`${p.use("scratch", "scratchKeep")}(${end});`);
  return { type: to, valid, value: start, length: scope.bind("usize", `${end} - ${start}`) };
}
