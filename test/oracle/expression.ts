/** Evaluates an expression of a program over one row, as the docstrings of `program/expression.ts` say, word by word. */
import type { Expression } from "../../src/program/expression.ts";
import { castValue } from "./cast.ts";
import { callScalar } from "./scalar.ts";
import { compareValues, RowError, type Value } from "./value.ts";

/** The value of `expression` over the physical columns `row`. Throws `RowError`. */
export function evaluate(expression: Expression, row: readonly Value[]): Value {
  switch (expression.kind) {
    case "column":
      return row[expression.index] ?? null;
    case "literal":
      return expression.value;
    case "call":
      return callScalar(
        expression.function,
        expression.arguments.map((argument) => () => evaluate(argument, row)),
        expression.type,
      );
    case "udf":
      throw new Error(`the oracle does not call "${expression.name}"`);
    case "case": {
      const branch = expression.branches.find((b) => evaluate(b.condition, row) === true);
      return evaluate(branch?.value ?? expression.otherwise, row);
    }
    case "cast":
      return evaluateCast(evaluate(expression.value, row), expression);
    case "in": {
      const value = evaluate(expression.value, row);
      return value === null ? null : expression.list.some((item) => item.value !== null && compareValues(item.value, value) === 0);
    }
  }
}

function evaluateCast(value: Value, cast: Extract<Expression, { readonly kind: "cast" }>): Value {
  try {
    return castValue(value, cast.value.type, cast.type);
  } catch (error) {
    if (cast.safe && error instanceof RowError) return null;
    throw error;
  }
}
