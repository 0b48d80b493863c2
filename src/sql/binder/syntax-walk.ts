/**
 * Walks expressions of the syntax tree, for questions about what occurs in them. It does not enter subqueries.
 */
import type { Expr } from "../ast.ts";

/** `expr` and every expression in it, outer before inner; arguments of calls with OVER are left out. */
export function subexpressions(expr: Expr): Expr[] {
  return [expr, ...partsOf(expr).flatMap((part) => subexpressions(part))];
}

function partsOf(expr: Expr): readonly Expr[] {
  switch (expr.kind) {
    case "field":
      return [expr.base];
    case "subscript":
      return [expr.base, expr.index];
    case "slice":
      return [expr.base];
    case "unary":
    case "cast":
    case "is":
    case "in-subquery":
      return [expr.operand];
    case "binary":
    case "is-distinct":
      return [expr.left, expr.right];
    case "call":
      return expr.over === undefined ? [...expr.args.map((a) => a.value), ...(expr.filter === undefined ? [] : [expr.filter])] : [];
    case "case": {
      const optional = [expr.operand, expr.otherwise].filter((e) => e !== undefined);
      return [...optional, ...expr.branches.flatMap((b) => [b.when, b.then])];
    }
    case "between":
      return [expr.operand, expr.low, expr.high];
    case "in-list":
      return [expr.operand, ...expr.list];
    case "like":
      return [expr.operand, expr.pattern];
    case "array":
    case "tuple":
      return expr.elements;
    case "at-time-zone":
      return [expr.operand, expr.zone];
    default:
      return [];
  }
}
