/**
 * Implicit conversions, as DataFusion does them: the common type of two operands, and casts that nobody wrote.
 * The rules: https://docs.rs/datafusion-expr-common/48.0.1/datafusion_expr_common/type_coercion/
 */
import {
  type DataType,
  FLOAT64,
  INT64,
  integerShape,
  isInteger,
  isNumeric,
  type ScalarType,
  sameType,
  TEXT,
  TIMESTAMP,
} from "../../data/data-type.ts";
import type { Expression } from "../../program/expression.ts";
import { castLiteral } from "../functions/literal-cast.ts";
import { type Bound, isNullable, literal, scalar, typeOf } from "./bound.ts";

const INTEGER_RANKS = ["int8", "int16", "int32", "int64"] as const;

/** Common type of arithmetic operands: a float if one is, else the wider integer, signed before unsigned. `undefined`: not numeric. */
export function arithmeticType(a: ScalarType, b: ScalarType): ScalarType | undefined {
  if (!isNumeric(a) || !isNumeric(b)) return undefined;
  const float = floatType(a, b);
  if (float !== undefined) return float;
  if (a.kind === "decimal" || b.kind === "decimal") return commonDecimal(toDecimal(a), toDecimal(b));
  if (!isInteger(a) || !isInteger(b)) return undefined;
  const [shapeA, shapeB] = [integerShape(a.kind), integerShape(b.kind)];
  const signed = [shapeA, shapeB].filter((s) => s.signed);
  if (signed.length === 0) return shapeA.bits >= shapeB.bits ? a : b;
  const bits = Math.max(...signed.map((s) => s.bits));
  return { kind: INTEGER_RANKS.find((k) => integerShape(k).bits === bits) ?? "int64" };
}

/** Common type of numbers that are compared or merged: wide enough for both. */
function numericUnion(a: ScalarType, b: ScalarType): ScalarType | undefined {
  const float = floatType(a, b);
  if (float !== undefined) return float;
  if (a.kind === "decimal" || b.kind === "decimal") return commonDecimal(toDecimal(a), toDecimal(b));
  if (!isInteger(a) || !isInteger(b)) return undefined;
  const [x, y] = [integerShape(a.kind), integerShape(b.kind)];
  if (x.signed === y.signed) return x.bits >= y.bits ? a : b;
  const [signed, unsigned] = x.signed ? [x, y] : [y, x];
  // DataFusion compares these as DECIMAL(20, 0), which cannot run yet (`supported-type.ts`).
  if (unsigned.bits === 64) return undefined;
  const bits = Math.max(signed.bits, unsigned.bits * 2);
  return { kind: INTEGER_RANKS.find((k) => integerShape(k).bits === bits) ?? "int64" };
}

function floatType(a: ScalarType, b: ScalarType): ScalarType | undefined {
  if (a.kind === "float64" || b.kind === "float64") return FLOAT64;
  return a.kind === "float32" || b.kind === "float32" ? { kind: "float32" } : undefined;
}

interface Decimal {
  readonly precision: number;
  readonly scale: number;
}

const INTEGER_DIGITS: Readonly<Record<number, number>> = { 8: 3, 16: 5, 32: 10, 64: 20 };

function toDecimal(type: ScalarType): Decimal {
  if (type.kind === "decimal") return type;
  return { precision: isInteger(type) ? (INTEGER_DIGITS[integerShape(type.kind).bits] ?? 20) : 20, scale: 0 };
}

function commonDecimal(a: Decimal, b: Decimal): ScalarType {
  const scale = Math.max(a.scale, b.scale);
  return { kind: "decimal", scale, precision: Math.min(38, Math.max(a.precision - a.scale, b.precision - b.scale) + scale) };
}

const TEMPORAL = new Set(["timestamp", "date", "time"]);

/**
 * Common type of two values that are compared or merged (CASE, COALESCE, IN, UNION): the same type; numbers widened; text read as a time
 * when the other is one; a number written as text when the other is text; a date as its midnight. `undefined`: there is none.
 */
export function commonType(a: ScalarType, b: ScalarType): ScalarType | undefined {
  if (sameType(a, b)) return a;
  if (isNumeric(a) && isNumeric(b)) return numericUnion(a, b);
  for (const [x, y] of [
    [a, b],
    [b, a],
  ] as const) {
    if (x.kind === "text" && (TEMPORAL.has(y.kind) || y.kind === "boolean")) return y;
    if (x.kind === "text" && (isNumeric(y) || y.kind === "json")) return TEXT;
    if (x.kind === "timestamp" && y.kind === "date") return TIMESTAMP;
  }
  return undefined;
}

/** Common type of all; bare NULLs do not count. `undefined`: there is none, or no type at all. */
export function commonTypeOf(bounds: readonly Bound[]): ScalarType | undefined {
  let type: ScalarType | undefined;
  for (const bound of bounds) {
    if (bound.kind === "null") continue;
    if (bound.kind !== "scalar") return undefined;
    type = type === undefined ? bound.expression.type : commonType(type, bound.expression.type);
    if (type === undefined) return undefined;
  }
  return type;
}

const CASTS: Readonly<Record<string, readonly string[]>> = {
  boolean: ["text", "integer", "float32", "float64"],
  integer: ["boolean", "text", "integer", "float32", "float64", "decimal", "timestamp"],
  float32: ["text", "integer", "float64", "decimal"],
  float64: ["text", "integer", "float32", "decimal"],
  decimal: ["text", "integer", "float32", "float64", "decimal"],
  text: ["boolean", "integer", "float32", "float64", "decimal", "timestamp", "date", "time", "json", "bytes"],
  json: ["text"],
  bytes: ["text"],
  timestamp: ["text", "date", "time", "integer"],
  date: ["text", "timestamp", "integer"],
  time: ["text"],
  interval: [],
};

/** Whether CAST converts one type into another. */
export function isCastable(from: ScalarType, to: ScalarType): boolean {
  if (sameType(from, to)) return true;
  if (isInteger(to) && (from.kind === "timestamp" || from.kind === "date")) return integerShape(to.kind).bits === 64;
  if (from.kind !== "int64" && isInteger(from) && to.kind === "timestamp") return false;
  return (CASTS[isInteger(from) ? "integer" : from.kind] ?? []).includes(isInteger(to) ? "integer" : to.kind);
}

/** `expression` converted to `type`; literals are converted at once where that is certain. A literal that does not fit gives `undefined`. */
export function castTo(expression: Expression, type: ScalarType, safe = false): Expression | undefined {
  if (sameType(expression.type, type)) return expression;
  if (expression.kind === "literal") {
    const cast = castLiteral(expression, type);
    if (cast === "invalid") return safe ? literal(null, type) : undefined;
    if (cast !== "later") return literal(cast.value, type);
  }
  return { kind: "cast", value: expression, safe, type, nullable: expression.nullable || safe };
}

/** A bound value as `type`, or why not. Bare NULL takes any type. */
export function coerceScalar(bound: Bound, type: ScalarType): Expression | "mismatch" | "invalid" {
  if (bound.kind === "null") return literal(null, type);
  if (bound.kind !== "scalar" || !isCastable(bound.expression.type, type)) return "mismatch";
  return castTo(bound.expression, type) ?? "invalid";
}

/**
 * The type and nullability that can take every one of `bounds` (the branches of a UNION, the inserts of a sink). Structs merge by position.
 * `undefined`: there is none. Bare NULLs alone give text.
 */
export function mergeTypes(bounds: readonly Bound[]): { readonly type: DataType; readonly nullable: boolean } | undefined {
  const nullable = bounds.some((b) => isNullable(b));
  const known = bounds.filter((b) => b.kind !== "null");
  const [first] = known;
  if (first === undefined) return { type: TEXT, nullable };
  if (first.kind === "scalar") {
    const type = commonTypeOf(known);
    return type && { type, nullable };
  }
  if (first.kind !== "struct") return undefined;
  const fields = [];
  for (const [i, field] of first.fields.entries()) {
    const parts = known.map((b) => (b.kind === "struct" && b.fields.length === first.fields.length ? b.fields[i]?.value : undefined));
    const present = parts.filter((p) => p !== undefined);
    const merged = present.length === parts.length ? mergeTypes(present) : undefined;
    if (merged === undefined) return undefined;
    fields.push({ name: field.name, ...merged });
  }
  return { type: { kind: "struct", fields }, nullable };
}

/**
 * `bound` as a value of `type`, by implicit casts; a nullable struct gets its presence marker. The result has exactly the leaves of a field
 * of that type. `mismatch`: no cast exists; `invalid`: a literal does not fit.
 */
export function conform(bound: Bound, type: DataType, nullable: boolean): Bound | "mismatch" | "invalid" {
  if (type.kind !== "struct") {
    if (type.kind === "array" || type.kind === "null") return "mismatch";
    const expression = coerceScalar(bound, type);
    return typeof expression === "string" ? expression : scalar(expression);
  }
  if (bound.kind !== "null" && (bound.kind !== "struct" || bound.fields.length !== type.fields.length)) return "mismatch";
  const fields: { name: string; value: Bound }[] = [];
  for (const [i, field] of type.fields.entries()) {
    const part = bound.kind === "struct" ? bound.fields[i]?.value : undefined;
    const value = conform(part ?? { kind: "null" }, field.type, field.nullable || nullable);
    if (typeof value === "string") return value;
    fields.push({ name: field.name, value });
  }
  if (!nullable) return { kind: "struct", fields };
  const marker = bound.kind === "struct" ? (bound.marker ?? literal(true, { kind: "boolean" })) : literal(false, { kind: "boolean" });
  return { kind: "struct", fields, marker };
}

/** 64-bit integers, for durations. */
export const DURATION_TYPE: ScalarType = INT64;

/** The type of a bound value for messages. */
export function describeType(bound: Bound): DataType {
  return bound.kind === "scalar" && bound.duration === true ? { kind: "interval" } : typeOf(bound);
}
