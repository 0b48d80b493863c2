/**
 * Literals of the syntax tree as typed values: integers are BIGINT (BIGINT UNSIGNED beyond it), everything with a point or an exponent is
 * DOUBLE, as in DataFusion.
 */
import { parseInterval } from "../../core/duration.ts";
import { BOOLEAN, FLOAT64, INT64, INTERVAL, printType, TEXT, UINT64 } from "../../data/data-type.ts";
import type { Expression, IntervalValue } from "../../program/expression.ts";
import type { BytesLiteral, IntervalLiteral, NumberLiteral, TypedStringLiteral } from "../ast.ts";
import type { TypeNode } from "../name.ts";
import type { Span } from "../source-text.ts";
import { type Bound, literal, scalar, strictCall } from "./bound.ts";
import { castTo, isCastable } from "./coercion.ts";
import { type Environment, fail } from "./environment.ts";
import { unsupportedPart } from "./supported-type.ts";

const INT64_MAX = 2n ** 63n - 1n;
const UINT64_MAX = 2n ** 64n - 1n;

/** A number; `negative` when a minus stands before it, so that −2^63 is in range. */
export function bindNumber(env: Environment, node: NumberLiteral, negative: boolean, span: Span): Bound {
  if (!/^\d+$/.test(node.text)) {
    const value = Number(node.text);
    if (!Number.isFinite(value)) return fail(env, "invalid-literal", span, `number ${node.text} is out of range of DOUBLE`);
    return scalar(literal(negative ? -value : value, FLOAT64));
  }
  const value = negative ? -BigInt(node.text) : BigInt(node.text);
  if (value > UINT64_MAX || value < -INT64_MAX - 1n) {
    return fail(env, "invalid-literal", span, `integer ${negative ? "-" : ""}${node.text} is out of range of BIGINT`, {
      hint: "Write it with a decimal point to make it a DOUBLE.",
    });
  }
  return scalar(literal(value, value > INT64_MAX ? UINT64 : INT64));
}

/** `X'…'`: refused, as its type is. */
export function bindBytes(env: Environment, node: BytesLiteral): Bound {
  return fail(env, "unsupported-syntax", node.span, "binary literals are not supported yet");
}

/** `TRUE`, `FALSE` and strings. */
export function bindPlain(value: boolean | string): Bound {
  return scalar(typeof value === "boolean" ? literal(value, BOOLEAN) : literal(value, TEXT));
}

/** `INTERVAL '…' [unit]`. */
export function bindInterval(env: Pick<Environment, "diagnostics">, node: IntervalLiteral): Bound {
  const value = parseInterval(node.text, node.unit);
  if (value === undefined) {
    return fail(env, "invalid-literal", node.span, `"${node.text}" is not an interval`, {
      hint: "Write for example INTERVAL '5 minutes'.",
    });
  }
  return scalar(literal(value, INTERVAL));
}

/** `TIMESTAMP '…'` and the like: a cast of the string. */
export function bindTypedString(env: Environment, node: TypedStringLiteral): Bound {
  return bindCast(env, scalar(literal(node.value, TEXT)), node.type, false, node.span);
}

/** `CAST(value AS type)`. Precisions of TIMESTAMP below 9 truncate. */
export function bindCast(env: Environment, value: Bound, target: TypeNode, safe: boolean, span: Span): Bound {
  const { type } = target;
  if (value.kind === "unknown") return value;
  if (type.kind === "struct" || type.kind === "array" || type.kind === "null" || unsupportedPart(type) !== undefined) {
    return fail(env, "unsupported-syntax", target.span, `a cast to ${printType(type)} is not supported yet`);
  }
  if (value.kind === "null") return scalar(literal(null, type));
  if (type.kind === "interval") return castToInterval(env, value, span);
  if (value.kind === "struct") return fail(env, "type-mismatch", span, `a struct cannot be cast to ${printType(type)}`);
  const source = value.expression.type;
  const cast = castableOrFail(env, value.expression, target, safe, span);
  if (cast === undefined) return { kind: "unknown" };
  const precision = TRUNCATIONS[target.timestampPrecision ?? 9];
  const coarse = type.kind === "timestamp" && precision !== undefined && source.kind !== "interval";
  return scalar(coarse ? strictCall("date_trunc", type, literal(precision, TEXT), cast) : cast);
}

const TRUNCATIONS: Readonly<Record<number, string | undefined>> = { 0: "second", 3: "millisecond", 6: "microsecond" };

function castableOrFail(env: Environment, value: Expression, target: TypeNode, safe: boolean, span: Span): Expression | undefined {
  const { type } = target;
  if (type.kind === "struct" || type.kind === "array" || type.kind === "null") return undefined;
  if (!isCastable(value.type, type)) {
    fail(env, "type-mismatch", span, `${printType(value.type)} cannot be cast to ${printType(type)}`);
    return undefined;
  }
  const cast = castTo(value, type, safe);
  if (cast === undefined) {
    const shown = value.kind === "literal" ? String(value.value) : "the value";
    fail(env, "invalid-literal", span, `"${shown}" is not a valid ${printType(type)}`);
  }
  return cast;
}

function castToInterval(env: Environment, value: Bound, span: Span): Bound {
  if (value.kind === "scalar" && value.expression.kind === "literal") {
    if (value.expression.type.kind === "interval") return value;
    const parsed = typeof value.expression.value === "string" ? parseInterval(value.expression.value) : undefined;
    if (parsed !== undefined) return scalar(literal(parsed, INTERVAL));
  }
  return fail(env, "unsupported-syntax", span, "only literals can be intervals");
}

/** The value of an interval literal, or `undefined` for any other expression. */
export function intervalOf(bound: Bound): IntervalValue | undefined {
  if (bound.kind !== "scalar" || bound.expression.kind !== "literal" || bound.expression.type.kind !== "interval") return undefined;
  return bound.expression.value as IntervalValue;
}
