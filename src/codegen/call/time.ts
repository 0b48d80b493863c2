/** x */
import type { CallExpression, Expression } from "../../program/expression.ts";
import type { RowScope } from "../scope.ts";
import type { Value } from "../value.ts";
export function isTimeFunction(_name: string): boolean {
  return false;
}
export function emitTime(_s: RowScope, _c: CallExpression, e: (x: Expression) => Value): Value {
  return e(_c.arguments[0] as Expression);
}
