/**
 * What the rewrites ask of an expression: is it cheap enough to evaluate twice, and can it fail on a row.
 */
import { integerShape, isInteger } from "../../data/data-type.ts";
import { type CastExpression, children, type Expression, mapColumns } from "../../program/expression.ts";
import type { ScalarFunctionName } from "../../program/scalar-function.ts";

const CHEAP: ReadonlySet<ScalarFunctionName> = new Set<ScalarFunctionName>([
  "eq",
  "ne",
  "lt",
  "le",
  "gt",
  "ge",
  "not",
  "is_null",
  "is_true",
  "is_false",
  "add",
  "subtract",
]);

/** True for columns, literals and one simple operation on them that is not over text. */
export function isCheap(expression: Expression): boolean {
  const parts = children(expression);
  if (parts.length === 0) return expression.kind !== "udf";
  if (expression.kind !== "call" || !CHEAP.has(expression.function)) return false;
  return parts.every((p) => children(p).length === 0 && p.type.kind !== "text" && p.type.kind !== "decimal");
}

const SAFE: ReadonlySet<ScalarFunctionName> = new Set<ScalarFunctionName>([
  "eq",
  "ne",
  "lt",
  "le",
  "gt",
  "ge",
  "is_distinct",
  "and",
  "or",
  "not",
  "is_null",
  "is_true",
  "is_false",
  "coalesce",
  "greatest",
  "least",
  "nullif",
  "like",
  "ilike",
  "lower",
  "upper",
  "char_length",
  "octet_length",
  "starts_with",
  "ends_with",
  "contains",
  "strpos",
  "reverse",
  "left",
  "right",
  "btrim",
  "ltrim",
  "rtrim",
]);

/** Whether evaluating an expression can be a row error. True when in doubt. */
export function canFail(expression: Expression): boolean {
  if (children(expression).some((c) => canFail(c))) return true;
  if (expression.kind === "udf") return true;
  if (expression.kind === "cast") return !expression.safe && !isWidening(expression);
  if (expression.kind !== "call") return false;
  const isFloat = expression.type.kind === "float64" || expression.type.kind === "float32";
  return (
    !SAFE.has(expression.function) && !(isFloat && ["add", "subtract", "multiply", "divide", "negate", "abs"].includes(expression.function))
  );
}

function isWidening(cast: CastExpression): boolean {
  const [from, to] = [cast.value.type, cast.type];
  if (to.kind === "float64" || to.kind === "text") return from.kind !== "text";
  if (!isInteger(from) || !isInteger(to)) return false;
  const [a, b] = [integerShape(from.kind), integerShape(to.kind)];
  return a.signed === b.signed ? b.bits >= a.bits : b.signed && b.bits > a.bits;
}

/**
 * `expression` over a compute's output, as an expression over the compute's input. Behind the compute's columns is the event time, which a
 * compute passes on; `inputWidth` is where it is in the input.
 */
export function inline(expression: Expression, outputs: readonly Expression[], inputWidth: number): Expression {
  return mapColumns(expression, (column) => outputs[column.index] ?? { ...column, index: inputWidth });
}

/** How often each column is read by the expressions. */
export function columnUses(expressions: readonly Expression[]): ReadonlyMap<number, number> {
  const uses = new Map<number, number>();
  const visit = (e: Expression): void => {
    if (e.kind === "column") uses.set(e.index, (uses.get(e.index) ?? 0) + 1);
    children(e).forEach(visit);
  };
  expressions.forEach(visit);
  return uses;
}
