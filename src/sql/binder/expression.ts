/**
 * Binds expressions: names to columns, calls to functions, types to every node. Findings go to the environment's collector; an erroneous
 * part binds to `UNKNOWN`, so that the rest is still checked.
 */
import { BOOLEAN, printType, type ScalarType, TEXT } from "../../data/data-type.ts";
import type { Expression, LiteralExpression } from "../../program/expression.ts";
import type { BetweenExpr, CaseExpr, Expr, InListExpr, IsDistinctExpr, IsExpr, LikeExpr, SubscriptExpr } from "../ast.ts";
import { type Bound, call, literal, NULL_BOUND, scalar, strictCall, UNKNOWN } from "./bound.ts";
import { bindCall } from "./call.ts";
import { coerceScalar, commonTypeOf, describeType } from "./coercion.ts";
import { accessFields, type Environment, fail, resolvePath } from "./environment.ts";
import { bindBytes, bindCast, bindInterval, bindNumber, bindPlain, bindTypedString } from "./literal.ts";
import { bindBinary, bindUnary, comparisonOperands, isNullTest, requireBoolean } from "./operator.ts";

/** Binds `expr` in `env`. */
export function bindExpression(env: Environment, expr: Expr): Bound {
  const grouped = env.grouping?.match(expr);
  if (grouped !== undefined) return grouped;
  switch (expr.kind) {
    case "number":
      return bindNumber(env, expr, false, expr.span);
    case "string":
    case "boolean":
      return bindPlain(expr.value);
    case "null":
      return NULL_BOUND;
    case "bytes":
      return bindBytes(env, expr);
    case "interval":
      return bindInterval(env, expr);
    case "typed-string":
      return bindTypedString(env, expr);
    case "column":
      return bindColumn(env, expr);
    case "field":
      return accessFields(env, bindExpression(env, expr.base), [expr.name]);
    case "subscript":
      return bindSubscript(env, expr);
    case "unary":
      if (expr.op === "-" && expr.operand.kind === "number") return bindNumber(env, expr.operand, true, expr.span);
      return bindUnary(env, expr.op, bindExpression(env, expr.operand), expr.span);
    case "binary":
      return bindBinary(env, expr.op, bindExpression(env, expr.left), bindExpression(env, expr.right), expr.span);
    case "cast":
      return bindCast(env, bindExpression(env, expr.operand), expr.type, expr.try, expr.span);
    case "call":
      return bindCall(env, expr, bindExpression);
    default:
      return bindForm(env, expr);
  }
}

/** The forms with keywords of their own. */
function bindForm(env: Environment, expr: Expr): Bound {
  switch (expr.kind) {
    case "case":
      return bindCase(env, expr);
    case "between":
      return bindBetween(env, expr);
    case "in-list":
      return bindIn(env, expr);
    case "like":
      return bindLike(env, expr);
    case "is":
      return bindIs(env, expr);
    case "is-distinct":
      return bindIsDistinct(env, expr);
    case "in-subquery":
    case "exists":
    case "subquery":
      return fail(env, "unsupported-syntax", expr.span, "a subquery in an expression is not supported yet", {
        hint: "Put the subquery into FROM.",
      });
    case "array":
    case "slice":
      return fail(env, "unsupported-syntax", expr.span, "arrays are not supported yet");
    case "tuple":
      return fail(env, "unsupported-syntax", expr.span, "a list of values in parentheses is not supported here");
    case "at-time-zone":
      return fail(env, "unsupported-syntax", expr.span, "AT TIME ZONE is not supported: timestamps have no zone");
    default:
      return fail(env, "unsupported-syntax", expr.span, "this expression is not supported here");
  }
}

function bindColumn(env: Environment, expr: Expr & { readonly kind: "column" }): Bound {
  const value = resolvePath(env, expr.path, expr.span);
  if (env.grouping === undefined || value.kind === "unknown") return value;
  const regrouped = env.grouping.regroup(value);
  if (regrouped !== undefined) return regrouped;
  const name = expr.path.map((p) => p.text).join(".");
  return fail(env, "not-grouped", expr.span, `column "${name}" must be in the GROUP BY clause or inside an aggregate function`, {
    hint: `Add "${name}" to GROUP BY, or take for example max(${name}).`,
  });
}

function bindSubscript(env: Environment, expr: SubscriptExpr): Bound {
  const base = bindExpression(env, expr.base);
  if (base.kind === "unknown") return UNKNOWN;
  if (base.kind === "struct" && expr.index.kind === "string") {
    return accessFields(env, base, [{ text: expr.index.value, quoted: true, span: expr.index.span }]);
  }
  return fail(env, "unsupported-syntax", expr.span, `a subscript of ${printType(describeType(base))} is not supported yet`);
}

/** Values in their common type, or `undefined` after reporting. All bare NULLs give type text. */
function unify(
  env: Environment,
  bounds: readonly Bound[],
  what: string,
  expr: Expr,
): { type: ScalarType; values: Expression[] } | undefined {
  if (bounds.some((b) => b.kind === "unknown")) return undefined;
  const type = bounds.every((b) => b.kind === "null") ? TEXT : commonTypeOf(bounds);
  const values = type === undefined ? [] : bounds.map((b) => coerceScalar(b, type)).filter((v) => typeof v !== "string");
  if (type !== undefined && values.length === bounds.length) return { type, values };
  const types = [...new Set(bounds.map((b) => printType(describeType(b))))].join(", ");
  fail(env, "type-mismatch", expr.span, `${what} have no common type: ${types}`);
  return undefined;
}

function bindCase(env: Environment, expr: CaseExpr): Bound {
  const operand = expr.operand && bindExpression(env, expr.operand);
  const conditions = expr.branches.map((b) => {
    const when = bindExpression(env, b.when);
    const test = operand === undefined ? when : bindBinary(env, "=", operand, when, b.when.span);
    return requireBoolean(env, test, "a condition of CASE", b.when.span);
  });
  const results = [...expr.branches.map((b) => b.then), ...(expr.otherwise === undefined ? [] : [expr.otherwise])];
  const bounds = [...results.map((r) => bindExpression(env, r)), ...(expr.otherwise === undefined ? [NULL_BOUND] : [])];
  const unified = unify(env, bounds, "the results of CASE", expr);
  if (unified === undefined || !conditions.every((c) => c !== undefined)) return UNKNOWN;
  if (bounds.every((b) => b.kind === "null")) return NULL_BOUND;
  const { type, values } = unified;
  const branches = conditions.map((condition, i) => ({ condition, value: values[i] as Expression }));
  const otherwise = values[values.length - 1] as Expression;
  return scalar({ kind: "case", branches, otherwise, type, nullable: values.some((v) => v.nullable) });
}

function bindBetween(env: Environment, expr: BetweenExpr): Bound {
  const value = bindExpression(env, expr.operand);
  const low = bindBinary(env, ">=", value, bindExpression(env, expr.low), expr.span);
  const high = bindBinary(env, "<=", value, bindExpression(env, expr.high), expr.span);
  const both = bindBinary(env, "and", low, high, expr.span);
  return expr.negated ? bindUnary(env, "not", both, expr.span) : both;
}

/** A list of literals becomes one `in`; NULL in the list makes a miss unknown; anything else is a chain of comparisons. */
function bindIn(env: Environment, expr: InListExpr): Bound {
  const operand = bindExpression(env, expr.operand);
  const items = expr.list.map((item) => bindExpression(env, item));
  if (operand.kind === "unknown" || items.some((i) => i.kind === "unknown")) return UNKNOWN;
  const found = inLiterals(operand, items) ?? inChain(env, operand, items, expr);
  return expr.negated ? bindUnary(env, "not", found, expr.span) : found;
}

function inLiterals(operand: Bound, items: readonly Bound[]): Bound | undefined {
  if (operand.kind !== "scalar" || operand.duration === true) return undefined;
  const pairs = items.filter((i) => i.kind !== "null").map((i) => comparisonOperands(operand, i));
  const list: LiteralExpression[] = [];
  let value: Expression | undefined;
  for (const pair of pairs) {
    if (pair === undefined || pair === "invalid" || pair[1].kind !== "literal" || pair[1].value === null) return undefined;
    if (value !== undefined && printType(value.type) !== printType(pair[0].type)) return undefined;
    value = pair[0];
    list.push(pair[1]);
  }
  if (value === undefined) return undefined;
  const unique = new Map(list.map((l) => [l.value, l]));
  const found: Expression = { kind: "in", value, list: [...unique.values()], type: BOOLEAN, nullable: value.nullable };
  if (pairs.length === items.length) return scalar(found);
  return scalar(call("or", BOOLEAN, true, found, literal(null, BOOLEAN)));
}

function inChain(env: Environment, operand: Bound, items: readonly Bound[], expr: InListExpr): Bound {
  return items
    .map((item, i) => bindBinary(env, "=", operand, item, expr.list[i]?.span ?? expr.span))
    .reduce((left, right) => bindBinary(env, "or", left, right, expr.span));
}

function bindLike(env: Environment, expr: LikeExpr): Bound {
  const [operand, pattern] = [bindExpression(env, expr.operand), bindExpression(env, expr.pattern)];
  if (operand.kind === "unknown" || pattern.kind === "unknown") return UNKNOWN;
  if (expr.variant === "similar")
    return fail(env, "unsupported-syntax", expr.span, "SIMILAR TO is not supported yet", { hint: "Use LIKE." });
  if (expr.escape !== undefined && expr.escape !== "\\") {
    return fail(env, "unsupported-syntax", expr.span, "ESCAPE with another character than backslash is not supported");
  }
  const sides = [operand, pattern].map((side) => {
    const isText =
      side.kind === "null" || (side.kind === "scalar" && (side.expression.type.kind === "text" || side.expression.type.kind === "json"));
    return isText ? coerceScalar(side, TEXT) : "mismatch";
  });
  const [a, b] = sides;
  if (a === undefined || b === undefined || typeof a === "string" || typeof b === "string") {
    const types = `${printType(describeType(operand))} and ${printType(describeType(pattern))}`;
    return fail(env, "type-mismatch", expr.span, `${expr.variant.toUpperCase()} needs TEXT on both sides, not ${types}`);
  }
  const like = strictCall(expr.variant, BOOLEAN, a, b);
  return scalar(expr.negated ? strictCall("not", BOOLEAN, like) : like);
}

function bindIs(env: Environment, expr: IsExpr): Bound {
  const value = bindExpression(env, expr.operand);
  if (value.kind === "unknown") return UNKNOWN;
  const test = expr.test === "null" || expr.test === "unknown" ? isNullTest(value) : isTruthTest(env, value, expr);
  if (test === undefined) return UNKNOWN;
  if (!expr.negated) return scalar(test);
  if (test.kind === "literal") return scalar(literal(test.value !== true, BOOLEAN));
  const markerOnly = value.kind === "struct" && value.marker !== undefined && expr.test === "null";
  return scalar(markerOnly ? (value.marker as Expression) : strictCall("not", BOOLEAN, test));
}

function isTruthTest(env: Environment, value: Bound, expr: IsExpr): Expression | undefined {
  const operand = requireBoolean(env, value, `the operand of IS ${expr.test.toUpperCase()}`, expr.operand.span);
  return operand && call(expr.test === "true" ? "is_true" : "is_false", BOOLEAN, false, operand);
}

function bindIsDistinct(env: Environment, expr: IsDistinctExpr): Bound {
  const [left, right] = [bindExpression(env, expr.left), bindExpression(env, expr.right)];
  if (left.kind === "unknown" || right.kind === "unknown") return UNKNOWN;
  const pair = comparisonOperands(left, right);
  if (pair === undefined || pair === "invalid") {
    const types = `${printType(describeType(left))} and ${printType(describeType(right))}`;
    return fail(env, "type-mismatch", expr.span, `IS DISTINCT FROM cannot be applied to ${types}`);
  }
  const distinct = call("is_distinct", BOOLEAN, false, ...pair);
  return scalar(expr.negated ? strictCall("not", BOOLEAN, distinct) : distinct);
}
