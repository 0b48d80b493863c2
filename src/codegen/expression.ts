/**
 * Scalar expressions as AssemblyScript. Each node prints the statements that compute it and returns the locals that hold
 * the result; SQL's NULL rules become plain booleans, and vanish where the types say that NULL cannot be.
 *
 * A fault (overflow, division by zero, a failed cast) sets the local `fault` and gives any value; the loop around checks it
 * once a row. Operations that could fault or trap run only on rows where their operands are present.
 */

import { assert, must } from "../core/assert.ts";
import { userError } from "../core/errors.ts";
import { isInteger } from "../data/data-type.ts";
import type { CallExpression, CaseExpression, Expression, InExpression, LiteralExpression } from "../program/expression.ts";
import { children } from "../program/expression.ts";
import { emitArithmetic, isArithmetic } from "./call/arithmetic.ts";
import { emitCast } from "./call/cast.ts";
import { emitComparison, emitEquality, isComparison } from "./call/comparison.ts";
import { emitMath, isMath } from "./call/math.ts";
import { emitText, isTextFunction } from "./call/text.ts";
import { emitTime, isTimeFunction } from "./call/time.ts";
import { emitUdf } from "./call/udf.ts";
import type { RowScope } from "./scope.ts";
import type { Value } from "./value.ts";
import { localType, zeroOf } from "./value.ts";

/** Prints the code of `expression` in `scope`; returns its value. */
export function emitExpression(scope: RowScope, expression: Expression): Value {
  switch (expression.kind) {
    case "column":
      return scope.column(expression.index);
    case "literal":
      return emitLiteral(scope, expression);
    case "call":
      return emitCall(scope, expression);
    case "case":
      return emitCase(scope, expression);
    case "cast":
      return emitCast(scope, emitExpression(scope, expression.value), expression.type, expression.safe);
    case "in":
      return emitIn(scope, expression);
    case "udf":
      return emitUdf(
        scope,
        expression,
        expression.arguments.map((a) => emitExpression(scope, a)),
      );
  }
}

/** Prints `condition` as a bool that is true only for SQL's TRUE. */
export function emitCondition(scope: RowScope, condition: Expression): string {
  const value = emitExpression(scope, condition);
  return value.valid === "true" ? value.value : scope.bind("bool", `${value.valid} && ${value.value}`);
}

const I64_MIN = -(1n << 63n);

function emitLiteral(scope: RowScope, literal: LiteralExpression): Value {
  const { type, value } = literal;
  const fixed = (text: string): Value => ({ type, valid: "true", value: text, length: "" });
  if (value === null) return { type, valid: "false", value: zeroOf(type), length: "0" };
  if (typeof value === "boolean") return fixed(String(value));
  if (typeof value === "bigint") return fixed(value === I64_MIN ? "i64.MIN_VALUE" : `<${localType(type)}>${value}`);
  if (typeof value === "number") return fixed(floatLiteral(value, type.kind === "float32" ? "f32" : "f64"));
  if (typeof value === "string" || value instanceof Uint8Array) {
    const bytes = typeof value === "string" ? new TextEncoder().encode(value) : value;
    return { type, valid: "true", value: scope.printer.bytes(bytes), length: `<usize>${bytes.length}` };
  }
  throw userError("unsupported", "an interval can only be added to or subtracted from a timestamp");
}

/** Bits, not digits: exact whatever the compiler's own number parser does. */
function floatLiteral(value: number, kind: "f32" | "f64"): string {
  const view = new DataView(new ArrayBuffer(8));
  if (kind === "f32") {
    view.setFloat32(0, value);
    return `reinterpret<f32>(<u32>${view.getUint32(0)})`;
  }
  view.setFloat64(0, value);
  return `reinterpret<f64>(<u64>${view.getBigUint64(0)})`;
}

function emitCall(scope: RowScope, call: CallExpression): Value {
  const name = call.function;
  if (name === "and" || name === "or") return emitLogic(scope, call, name);
  if (name === "coalesce") return emitCoalesce(scope, call);
  if (name === "greatest" || name === "least") return emitExtreme(scope, call, name);
  if (isTimeFunction(name)) return emitTime(scope, call, (e) => emitExpression(scope, e));
  const values = call.arguments.map((a) => emitExpression(scope, a));
  if (name === "not") return emitNot(must(values[0], "operand"));
  if (name === "is_null" || name === "is_true" || name === "is_false") return emitTest(name, call, must(values[0], "operand"));
  if (name === "nullif") return emitNullIf(scope, call, values);
  if (isComparison(name)) return emitComparison(scope, name, values);
  if (isArithmetic(name)) return emitArithmetic(scope, name, call.type, values);
  if (isMath(name)) return emitMath(scope, name, call.type, values);
  assert(isTextFunction(name), `function ${name} has no emitter`);
  return emitText(scope, name, call.type, values);
}

function emitNot(operand: Value): Value {
  return { ...operand, value: `!${operand.value}` };
}

function emitTest(name: "is_null" | "is_true" | "is_false", call: CallExpression, operand: Value): Value {
  const { valid, value } = operand;
  const text = {
    is_null: valid === "true" ? "false" : `!${valid}`,
    is_true: valid === "true" ? value : `(${valid} && ${value})`,
    is_false: valid === "true" ? `!${value}` : `(${valid} && !${value})`,
  }[name];
  return { type: call.type, valid: "true", value: text, length: "" };
}

/** True when evaluating the expression in vain is harmless and cheap. */
function isCheap(expression: Expression): boolean {
  if (expression.kind === "column" || expression.kind === "literal") return true;
  if (expression.kind !== "call" || expression.arguments.some((a) => a.kind !== "column" && a.kind !== "literal")) return false;
  return isComparison(expression.function) && !expression.arguments.some((a) => a.type.kind === "text");
}

/** Three-valued AND and OR; the right side runs only when the left does not decide, unless it is cheap. */
function emitLogic(scope: RowScope, call: CallExpression, name: "and" | "or"): Value {
  const [leftExpression, rightExpression] = [must(call.arguments[0], "left"), must(call.arguments[1], "right")];
  const left = emitExpression(scope, leftExpression);
  const decides = name === "and" ? `!${left.value}` : left.value;
  const operator = name === "and" ? "&&" : "||";
  if (isCheap(rightExpression)) {
    return logicOf(scope, call, left, emitExpression(scope, rightExpression), operator);
  }
  const slot = scope.slot(call.type, call.nullable || left.valid !== "true" || rightExpression.nullable);
  const decided = left.valid === "true" ? decides : `${left.valid} && ${decides}`;
  scope.printer.branch(
    decided,
    () => slot.assign({ ...left, valid: "true", value: name === "and" ? "false" : "true" }),
    () => slot.assign(logicOf(scope, call, left, emitExpression(scope, rightExpression), operator)),
  );
  return slot.value;
}

function logicOf(scope: RowScope, call: CallExpression, left: Value, right: Value, operator: "&&" | "||"): Value {
  const type = call.type;
  if (left.valid === "true" && right.valid === "true") {
    return { type, valid: "true", value: scope.bind("bool", `${left.value} ${operator} ${right.value}`), length: "" };
  }
  const decides = (v: Value): string => {
    const value = operator === "&&" ? `!${v.value}` : v.value;
    return v.valid === "true" ? value : `(${v.valid} && ${value})`;
  };
  const decided = scope.bind("bool", `${decides(left)} || ${decides(right)}`);
  const valid = scope.bind("bool", `${decided} || (${left.valid} && ${right.valid})`);
  return { type, valid, value: operator === "&&" ? scope.bind("bool", `!${decided}`) : decided, length: "" };
}

function emitCoalesce(scope: RowScope, call: CallExpression): Value {
  const slot = scope.slot(call.type, true);
  const print = (index: number): void => {
    const argument = call.arguments[index];
    if (argument === undefined) return;
    slot.assign(emitExpression(scope, argument));
    if (index + 1 < call.arguments.length) scope.printer.block(`if (!${slot.value.valid})`, () => print(index + 1));
  };
  print(0);
  return call.nullable ? slot.value : { ...slot.value, valid: "true" };
}

function emitExtreme(scope: RowScope, call: CallExpression, name: "greatest" | "least"): Value {
  const slot = scope.slot(call.type, true);
  for (const argument of call.arguments) {
    const value = emitExpression(scope, argument);
    const better = emitComparison(scope, name === "greatest" ? "gt" : "lt", [
      { ...value, valid: "true" },
      { ...slot.value, valid: "true" },
    ]);
    scope.printer.block(`if (${value.valid} && (!${slot.value.valid} || ${better.value}))`, () => slot.assign(value));
  }
  return call.nullable ? slot.value : { ...slot.value, valid: "true" };
}

function emitNullIf(scope: RowScope, call: CallExpression, values: readonly Value[]): Value {
  const [first, second] = [must(values[0], "first"), must(values[1], "second")];
  const equal = emitEquality(scope, first, second);
  const valid = scope.bind("bool", `${first.valid} && !(${second.valid} && ${equal})`);
  return { ...first, type: call.type, valid };
}

function emitCase(scope: RowScope, expression: CaseExpression): Value {
  const slot = scope.slot(expression.type, true);
  const print = (index: number): void => {
    const branch = expression.branches[index];
    if (branch === undefined) {
      slot.assign(emitExpression(scope, expression.otherwise));
      return;
    }
    const condition = emitCondition(scope, branch.condition);
    scope.printer.branch(
      condition,
      () => slot.assign(emitExpression(scope, branch.value)),
      () => print(index + 1),
    );
  };
  print(0);
  return expression.nullable ? slot.value : { ...slot.value, valid: "true" };
}

/** IN over literals: a chain of comparisons when short, binary search in static data for long integer lists. */
function emitIn(scope: RowScope, expression: InExpression): Value {
  const value = emitExpression(scope, expression.value);
  const wide = isInteger(value.type) || value.type.kind === "timestamp" || value.type.kind === "date";
  if (wide && value.type.kind !== "uint64" && expression.list.length > 8) {
    const words = expression.list.map((l) => l.value as bigint).sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
    const search = scope.printer.use("search", "containsI64");
    const found = scope.bind("bool", `${search}(${scope.printer.words(words)}, ${words.length}, <i64>${value.value})`);
    return { type: expression.type, valid: value.valid, value: found, length: "" };
  }
  const found = scope.variable("bool", "false");
  for (const literal of expression.list) {
    const equal = emitEquality(scope, { ...value, valid: "true" }, emitLiteral(scope, literal));
    scope.printer.line(`${found} = ${found} || ${equal};`);
  }
  return { type: expression.type, valid: value.valid, value: found, length: "" };
}

/** Number of nodes: the measure by which functions are split. */
export function expressionSize(expression: Expression): number {
  return children(expression).reduce((sum, child) => sum + expressionSize(child), 1);
}
