/**
 * Infix and prefix operators on bound operands: which types meet, what they become, which function of the program runs them.
 */
import { BOOLEAN, DATE, INT64, INTERVAL, isInteger, isNumeric, printType, type ScalarType, TEXT, TIMESTAMP } from "../../data/data-type.ts";
import type { Expression, IntervalValue } from "../../program/expression.ts";
import type { ScalarFunctionName } from "../../program/scalar-function.ts";
import type { BinaryOperator } from "../ast.ts";
import type { Span } from "../source-text.ts";
import { type Bound, call, conjunction, isNullable, literal, type ScalarBound, scalar, strictCall, UNKNOWN } from "./bound.ts";
import { arithmeticType, castTo, coerceScalar, commonType, DURATION_TYPE, describeType } from "./coercion.ts";
import { type Environment, fail } from "./environment.ts";
import { intervalOf } from "./literal.ts";

const COMPARISONS: Readonly<Record<string, ScalarFunctionName>> = { "=": "eq", "<>": "ne", "<": "lt", "<=": "le", ">": "gt", ">=": "ge" };
const ARITHMETIC: Readonly<Record<string, ScalarFunctionName>> = {
  "+": "add",
  "-": "subtract",
  "*": "multiply",
  "/": "divide",
  "%": "modulo",
};
const BITS: Readonly<Record<string, ScalarFunctionName>> = { "&": "bit_and", "|": "bit_or", "^": "bit_xor" };

/** Applies an infix operator. `span` is the whole expression's. */
export function bindBinary(env: Environment, op: BinaryOperator, left: Bound, right: Bound, span: Span): Bound {
  if (left.kind === "unknown" || right.kind === "unknown") return UNKNOWN;
  if (op === "and" || op === "or") return bindLogic(env, op, left, right, span);
  const comparison = COMPARISONS[op];
  if (comparison !== undefined) return bindComparison(env, comparison, op, left, right, span);
  const arithmetic = ARITHMETIC[op];
  if (arithmetic !== undefined) return bindArithmetic(env, arithmetic, op, left, right, span);
  const bits = BITS[op];
  if (bits !== undefined) return bindBits(env, bits, op, left, right, span);
  if (op === "||") return bindConcatenation(env, left, right, span);
  return fail(env, "unsupported-syntax", span, `operator ${op} is not supported yet`);
}

function mismatch(env: Environment, op: string, left: Bound, right: Bound, span: Span): Bound {
  const message = `operator ${op} cannot be applied to ${printType(describeType(left))} and ${printType(describeType(right))}`;
  return fail(env, "type-mismatch", span, message, { hint: "Convert one side with CAST." });
}

/** A bound value as BOOLEAN; `undefined` after reporting. `what` names the place in the message. */
export function requireBoolean(env: Environment, bound: Bound, what: string, span: Span): Expression | undefined {
  if (bound.kind === "unknown") return undefined;
  if (bound.kind === "null") return literal(null, BOOLEAN);
  if (bound.kind === "scalar" && bound.expression.type.kind === "boolean") return bound.expression;
  fail(env, "type-mismatch", span, `${what} must be BOOLEAN, not ${printType(describeType(bound))}`);
  return undefined;
}

function bindLogic(env: Environment, op: "and" | "or", left: Bound, right: Bound, span: Span): Bound {
  const a = requireBoolean(env, left, `the left side of ${op.toUpperCase()}`, span);
  const b = requireBoolean(env, right, `the right side of ${op.toUpperCase()}`, span);
  return a === undefined || b === undefined ? UNKNOWN : scalar(strictCall(op, BOOLEAN, a, b));
}

/** Both sides in their common type; structs compare field by field. */
function bindComparison(env: Environment, name: ScalarFunctionName, op: string, left: Bound, right: Bound, span: Span): Bound {
  if (left.kind === "struct" && right.kind === "struct") return compareStructs(env, op, left, right, span);
  const pair = comparisonOperands(left, right);
  if (pair === "invalid") return invalidLiteral(env, left, right, span);
  if (pair === undefined) return mismatch(env, op, left, right, span);
  return scalar(strictCall(name, BOOLEAN, ...pair));
}

function invalidLiteral(env: Environment, left: Bound, right: Bound, span: Span): Bound {
  const [text, other] = left.kind === "scalar" && left.expression.kind === "literal" ? [left.expression, right] : [literalOf(right), left];
  const shown = text?.kind === "literal" ? String(text.value) : "the literal";
  return fail(env, "invalid-literal", span, `"${shown}" is not a valid ${printType(describeType(other))}`);
}

function literalOf(bound: Bound): Expression | undefined {
  return bound.kind === "scalar" ? bound.expression : undefined;
}

/** Operands of a comparison in one type. */
export function comparisonOperands(left: Bound, right: Bound): readonly [Expression, Expression] | "invalid" | undefined {
  const durations = durationOperands(left, right);
  if (durations !== undefined) return durations;
  if (left.kind === "null" && right.kind === "null") return [literal(null, BOOLEAN), literal(null, BOOLEAN)];
  const type = left.kind === "null" || right.kind === "null" ? onlyType(left, right) : pairType(left, right);
  if (type === undefined) return undefined;
  const [a, b] = [coerceScalar(left, type), coerceScalar(right, type)];
  if (a === "mismatch" || b === "mismatch") return undefined;
  return a === "invalid" || b === "invalid" ? "invalid" : [a, b];
}

function onlyType(left: Bound, right: Bound): ScalarType | undefined {
  const known = left.kind === "scalar" ? left : right;
  return known.kind === "scalar" ? known.expression.type : undefined;
}

/** An integer literal beside an integer column takes the column's type if it fits: the comparison stays narrow and exact. */
function pairType(left: Bound, right: Bound): ScalarType | undefined {
  if (left.kind !== "scalar" || right.kind !== "scalar") return undefined;
  for (const [a, b] of [
    [left.expression, right.expression],
    [right.expression, left.expression],
  ] as const) {
    if (a.kind === "literal" && isInteger(a.type) && isInteger(b.type) && castTo(a, b.type) !== undefined) return b.type;
  }
  return commonType(left.expression.type, right.expression.type);
}

/** Spans of time compare in nanoseconds, also with INTERVAL literals without months. */
function durationOperands(left: Bound, right: Bound): readonly [Expression, Expression] | undefined {
  if (!(isDuration(left) || isDuration(right))) return undefined;
  const [a, b] = [durationNs(left), durationNs(right)];
  return a === undefined || b === undefined ? undefined : [a, b];
}

function isDuration(bound: Bound): bound is ScalarBound {
  return bound.kind === "scalar" && bound.duration === true;
}

function durationNs(bound: Bound): Expression | undefined {
  if (isDuration(bound)) return bound.expression;
  if (bound.kind === "null") return literal(null, DURATION_TYPE);
  const interval = intervalOf(bound);
  return interval === undefined || interval.months !== 0 ? undefined : literal(intervalNs(interval), DURATION_TYPE);
}

function intervalNs(interval: IntervalValue): bigint {
  return BigInt(interval.days) * 86_400_000_000_000n + interval.ns;
}

/** `=` and `<>` of structs with the same number of fields: equal if all fields are. */
function compareStructs(env: Environment, op: string, left: Bound, right: Bound, span: Span): Bound {
  if (left.kind !== "struct" || right.kind !== "struct" || left.fields.length !== right.fields.length || (op !== "=" && op !== "<>")) {
    return mismatch(env, op, left, right, span);
  }
  if (isNullable(left) || isNullable(right)) {
    return fail(env, "unsupported-syntax", span, "comparing structs that can be NULL is not supported yet", {
      hint: "Compare their fields.",
    });
  }
  const parts = left.fields.map((f, i) => bindComparison(env, "eq", "=", f.value, right.fields[i]?.value ?? UNKNOWN, span));
  const equal = conjunction(...parts.map((p) => (p.kind === "scalar" ? p.expression : undefined)));
  if (equal === undefined || parts.some((p) => p.kind !== "scalar")) return UNKNOWN;
  return scalar(op === "=" ? equal : strictCall("not", BOOLEAN, equal));
}

function bindArithmetic(env: Environment, name: ScalarFunctionName, op: string, left: Bound, right: Bound, span: Span): Bound {
  const temporal = bindTimeArithmetic(env, op, left, right, span);
  if (temporal !== undefined) return temporal;
  if (left.kind === "null" && right.kind === "null") return scalar(literal(null, INT64));
  const [a, b] = [numericType(left, right), numericType(right, left)];
  const type = a === undefined || b === undefined ? undefined : decimalResult(op, a, b, arithmeticType(a, b));
  if (type === undefined) return mismatch(env, op, left, right, span);
  const [x, y] = [coerceScalar(left, type), coerceScalar(right, type)];
  if (x === "invalid" || y === "invalid") return fail(env, "invalid-literal", span, `a literal is out of range of ${printType(type)}`);
  if (typeof x === "string" || typeof y === "string") return mismatch(env, op, left, right, span);
  return scalar(strictCall(name, type, x, y));
}

/** A decimal type with room for the result, as DataFusion makes it; other types stay. */
function decimalResult(op: string, a: ScalarType, b: ScalarType, common: ScalarType | undefined): ScalarType | undefined {
  if (common?.kind !== "decimal") return common;
  const [x, y] = [a, b].map((t) => (t.kind === "decimal" ? t : { precision: 20, scale: 0 })) as [DecimalShape, DecimalShape];
  if (op === "*") return decimal(x.precision + y.precision + 1, x.scale + y.scale);
  if (op === "/") return decimal(x.precision - x.scale + y.scale + x.scale + 4, Math.max(x.scale + 4, y.scale));
  return op === "%" ? common : decimal(common.precision + 1, common.scale);
}

interface DecimalShape {
  readonly precision: number;
  readonly scale: number;
}

function decimal(precision: number, scale: number): ScalarType {
  return { kind: "decimal", precision: Math.max(Math.min(38, precision), Math.min(38, scale)), scale: Math.min(38, scale) };
}

/** An operand's numeric type; a bare NULL takes the other's. */
function numericType(bound: Bound, other: Bound): ScalarType | undefined {
  const known = bound.kind === "null" ? other : bound;
  return known.kind === "scalar" && isNumeric(known.expression.type) ? known.expression.type : undefined;
}

/** `undefined`: neither side is a time, span or interval. */
function bindTimeArithmetic(env: Environment, op: string, left: Bound, right: Bound, span: Span): Bound | undefined {
  const [a, b] = [intervalOf(left), intervalOf(right)];
  const [timeA, timeB] = [timeKind(left), timeKind(right)];
  if (a !== undefined && b !== undefined) return bindIntervals(env, op, a, b, left, right, span);
  if ((a !== undefined || b !== undefined) && (timeA ?? timeB) === undefined && (op === "*" || op === "/")) {
    return scaleInterval(left, right, a, b, op) ?? mismatch(env, op, left, right, span);
  }
  if (a === undefined && b === undefined && timeA === undefined && timeB === undefined) {
    return isDuration(left) || isDuration(right) ? bindDurations(env, op, left, right, span) : undefined;
  }
  if (left.kind === "scalar" && timeA !== undefined && b !== undefined && (op === "+" || op === "-"))
    return shift(left.expression, b, op, timeA);
  if (right.kind === "scalar" && timeB !== undefined && a !== undefined && op === "+") return shift(right.expression, a, op, timeB);
  if (op === "-" && (timeA ?? timeB) !== undefined) return difference(left, right) ?? mismatch(env, op, left, right, span);
  return mismatch(env, op, left, right, span);
}

function timeKind(bound: Bound): "timestamp" | "date" | undefined {
  if (bound.kind !== "scalar") return undefined;
  const { kind } = bound.expression.type;
  return kind === "timestamp" || kind === "date" ? kind : undefined;
}

function bindIntervals(env: Environment, op: string, a: IntervalValue, b: IntervalValue, left: Bound, right: Bound, span: Span): Bound {
  if (op !== "+" && op !== "-") return mismatch(env, op, left, right, span);
  const sign = op === "+" ? 1 : -1;
  const sum = { months: a.months + sign * b.months, days: a.days + sign * b.days, ns: a.ns + BigInt(sign) * b.ns };
  return scalar(literal(sum, INTERVAL));
}

/** INTERVAL × integer literal, and INTERVAL / integer literal where it divides. */
function scaleInterval(
  left: Bound,
  right: Bound,
  a: IntervalValue | undefined,
  b: IntervalValue | undefined,
  op: string,
): Bound | undefined {
  const interval = a ?? b;
  const factor = literalOf(a === undefined ? left : right);
  if (interval === undefined || factor?.kind !== "literal" || typeof factor.value !== "bigint" || (op === "/" && a === undefined))
    return undefined;
  const n = factor.value;
  if (op === "*")
    return scalar(literal({ months: interval.months * Number(n), days: interval.days * Number(n), ns: interval.ns * n }, INTERVAL));
  const ns = interval.months === 0 && n !== 0n ? intervalNs(interval) : undefined;
  return ns === undefined || n === 0n ? undefined : scalar(literal({ months: 0, days: 0, ns: ns / n }, INTERVAL));
}

/** Sums and differences of spans, and their products with integers. */
function bindDurations(env: Environment, op: string, left: Bound, right: Bound, span: Span): Bound {
  const [a, b] = [durationNs(left), durationNs(right)];
  const name = ARITHMETIC[op];
  if (a !== undefined && b !== undefined && name !== undefined && (op === "+" || op === "-")) {
    return { kind: "scalar", expression: strictCall(name, DURATION_TYPE, a, b), duration: true };
  }
  return mismatch(env, op, left, right, span);
}

function shift(value: Expression, interval: IntervalValue, op: string, kind: "timestamp" | "date"): Bound {
  const name = op === "+" ? "timestamp_add_interval" : "timestamp_subtract_interval";
  const timestamp = castTo(value, TIMESTAMP) ?? value;
  const shifted = strictCall(name, TIMESTAMP, timestamp, literal(interval, INTERVAL));
  return scalar(kind === "date" ? (castTo(shifted, DATE) ?? shifted) : shifted);
}

function difference(left: Bound, right: Bound): Bound | undefined {
  const [a, b] = [coerceScalar(left, TIMESTAMP), coerceScalar(right, TIMESTAMP)];
  const isInt = (x: Bound): boolean => x.kind === "scalar" && isNumeric(x.expression.type);
  if (typeof a === "string" || typeof b === "string" || isInt(left) || isInt(right)) return undefined;
  return { kind: "scalar", expression: strictCall("timestamp_diff_ns", DURATION_TYPE, a, b), duration: true };
}

function bindBits(env: Environment, name: ScalarFunctionName, op: string, left: Bound, right: Bound, span: Span): Bound {
  if (left.kind !== "scalar" || right.kind !== "scalar") return mismatch(env, op, left, right, span);
  const type = arithmeticType(left.expression.type, right.expression.type);
  if (type === undefined || !isInteger(type)) return mismatch(env, op, left, right, span);
  const [a, b] = [castTo(left.expression, type), castTo(right.expression, type)];
  return a === undefined || b === undefined ? mismatch(env, op, left, right, span) : scalar(strictCall(name, type, a, b));
}

/** `||`: one side must be text; the other is written as text. */
function bindConcatenation(env: Environment, left: Bound, right: Bound, span: Span): Bound {
  const isText = (b: Bound): boolean => b.kind === "null" || (b.kind === "scalar" && b.expression.type.kind === "text");
  const [a, b] = [coerceScalar(left, TEXT), coerceScalar(right, TEXT)];
  if (typeof a === "string" || typeof b === "string" || !(isText(left) || isText(right))) return mismatch(env, "||", left, right, span);
  return scalar(strictCall("concat_operator", TEXT, a, b));
}

/** `-x`, `NOT x` and the like; literals with a minus are bound elsewhere. */
export function bindUnary(env: Environment, op: "-" | "+" | "not" | "~", operand: Bound, span: Span): Bound {
  if (operand.kind === "unknown") return UNKNOWN;
  if (op === "not") {
    const value = requireBoolean(env, operand, "the operand of NOT", span);
    return value === undefined ? UNKNOWN : scalar(strictCall("not", BOOLEAN, value));
  }
  const interval = intervalOf(operand);
  if (interval !== undefined && op !== "~") {
    const negated = { months: -interval.months, days: -interval.days, ns: -interval.ns };
    return op === "+" ? operand : scalar(literal(negated, INTERVAL));
  }
  if (operand.kind === "null") return scalar(literal(null, INT64));
  if (operand.kind !== "scalar" || !isNumeric(operand.expression.type)) {
    return fail(env, "type-mismatch", span, `operator ${op} cannot be applied to ${printType(describeType(operand))}`);
  }
  const { expression } = operand;
  if (op === "+") return operand;
  if (op === "-") return { ...operand, expression: strictCall("negate", expression.type, expression) };
  if (!isInteger(expression.type)) return fail(env, "type-mismatch", span, `operator ~ cannot be applied to ${printType(expression.type)}`);
  const ones = castTo(literal(-1n, INT64), expression.type) ?? castTo(literal(2n ** 64n - 1n, { kind: "uint64" }), expression.type);
  if (ones === undefined) return fail(env, "unsupported-syntax", span, `operator ~ on ${printType(expression.type)} is not supported yet`);
  return scalar(strictCall("bit_xor", expression.type, expression, ones));
}

/** `value IS NULL` of any value. */
export function isNullTest(value: Bound): Expression {
  if (value.kind === "null") return literal(true, BOOLEAN);
  if (value.kind === "struct") return value.marker === undefined ? literal(false, BOOLEAN) : strictCall("not", BOOLEAN, value.marker);
  if (value.kind !== "scalar" || !value.expression.nullable) return literal(false, BOOLEAN);
  return call("is_null", BOOLEAN, false, value.expression);
}
