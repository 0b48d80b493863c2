/**
 * Evaluates what does not depend on a row, and simplifies logic around constants. An expression that would fail stays as it is: the failure
 * belongs to the rows that meet it.
 */
import { integerRange, isInteger } from "../../data/data-type.ts";
import type {
  CallExpression,
  CaseExpression,
  CastExpression,
  Expression,
  LiteralExpression,
  LiteralValue,
} from "../../program/expression.ts";
import { SCALAR_FUNCTIONS } from "../../program/scalar-function.ts";
import { literal } from "../binder/bound.ts";
import { castLiteral } from "../functions/literal-cast.ts";
import { type LogicalPlan, mapPlan } from "../logical-plan.ts";

/** Folds constants in every expression of the plan. */
export function foldConstants(plan: LogicalPlan): LogicalPlan {
  return mapPlan(plan, (node) => {
    switch (node.kind) {
      case "scan":
      case "union":
        return node;
      case "compute": {
        const filter = node.filter && fold(node.filter);
        const { filter: _old, ...rest } = node;
        const isTrue = filter?.kind === "literal" && filter.value === true;
        return { ...rest, ...(filter === undefined || isTrue ? {} : { filter }), outputs: node.outputs.map((o) => fold(o)) };
      }
      case "aggregate":
        return {
          ...node,
          keys: node.keys.map((k) => fold(k)),
          aggregates: node.aggregates.map((a) => ({
            ...a,
            ...(a.argument && { argument: fold(a.argument) }),
            ...(a.filter && { filter: fold(a.filter) }),
          })),
        };
      case "window-join": {
        const { filter, ...rest } = node;
        return {
          ...rest,
          leftKeys: node.leftKeys.map((k) => fold(k)),
          rightKeys: node.rightKeys.map((k) => fold(k)),
          ...(filter && { filter: fold(filter) }),
        };
      }
    }
  });
}

/** `expression` with constant parts evaluated. Its type stays; its nullability may narrow. */
export function fold(expression: Expression): Expression {
  switch (expression.kind) {
    case "column":
    case "literal":
      return expression;
    case "call":
      return foldCall({ ...expression, arguments: expression.arguments.map((a) => fold(a)) });
    case "udf":
      return { ...expression, arguments: expression.arguments.map((a) => fold(a)) };
    case "case":
      return foldCase(expression);
    case "cast":
      return foldCast({ ...expression, value: fold(expression.value) });
    case "in": {
      const value = fold(expression.value);
      if (value.kind !== "literal") return { ...expression, value };
      if (value.value === null) return literal(null, expression.type);
      return literal(
        expression.list.some((l) => compare(l.value, value.value) === 0),
        expression.type,
      );
    }
  }
}

function foldCast(cast: CastExpression): Expression {
  if (cast.value.kind !== "literal") return cast;
  const folded = castLiteral(cast.value, cast.type);
  if (folded === "later") return cast;
  if (folded !== "invalid") return literal(folded.value, cast.type);
  return cast.safe ? literal(null, cast.type) : cast;
}

function foldCase(node: CaseExpression): Expression {
  const branches: { condition: Expression; value: Expression }[] = [];
  let otherwise = fold(node.otherwise);
  for (const branch of node.branches) {
    const condition = fold(branch.condition);
    if (condition.kind !== "literal") {
      branches.push({ condition, value: fold(branch.value) });
    } else if (condition.value === true) {
      otherwise = fold(branch.value);
      break;
    }
  }
  if (branches.length === 0) return otherwise;
  return { ...node, branches, otherwise, nullable: otherwise.nullable || branches.some((b) => b.value.nullable) };
}

function foldCall(call: CallExpression): Expression {
  const simplified = simplifyLogic(call);
  if (simplified !== undefined) return simplified;
  const isStrict = SCALAR_FUNCTIONS[call.function].nulls.startsWith("strict");
  if (isStrict && call.arguments.some((a) => a.kind === "literal" && a.value === null)) return literal(null, call.type);
  if (!call.arguments.every((a) => a.kind === "literal")) return call;
  const value = evaluate(call, call.arguments as readonly LiteralExpression[]);
  return value === undefined ? call : literal(value, call.type);
}

/** AND, OR and tests whose result is known although an argument is not. */
function simplifyLogic(call: CallExpression): Expression | undefined {
  const [left, right] = call.arguments;
  switch (call.function) {
    case "and":
    case "or": {
      const decides = call.function === "or";
      if (left?.kind === "literal" && left.value === decides) return left;
      if (left?.kind === "literal" && left.value === !decides) return right;
      return right?.kind === "literal" && right.value === !decides ? left : undefined;
    }
    case "is_null":
      return left !== undefined && left.kind !== "literal" && !left.nullable ? literal(false, call.type) : undefined;
    case "not":
      return left?.kind === "call" && left.function === "not" ? left.arguments[0] : undefined;
    case "coalesce":
      return left !== undefined && !left.nullable ? left : undefined;
    default:
      return undefined;
  }
}

/** The value of a call of literals; `undefined`: it is left to the run. */
function evaluate(call: CallExpression, args: readonly LiteralExpression[]): LiteralValue | undefined {
  const [a, b] = args.map((x) => x.value) as [LiteralValue, LiteralValue];
  switch (call.function) {
    case "and":
      return a === false || b === false ? false : a === null || b === null ? null : true;
    case "or":
      return a === true || b === true ? true : a === null || b === null ? null : false;
    case "not":
      return a === null ? null : a !== true;
    case "is_null":
      return a === null;
    case "is_true":
      return a === true;
    case "is_false":
      return a === false;
    case "coalesce":
      return args.find((x) => x.value !== null)?.value ?? null;
    default:
      return evaluateArithmetic(call, a, b) ?? evaluateComparison(call, a, b);
  }
}

function evaluateArithmetic(call: CallExpression, a: LiteralValue, b: LiteralValue): LiteralValue | undefined {
  if (typeof a === "bigint" && isInteger(call.type)) {
    const result = integerResult(call.function, a, typeof b === "bigint" ? b : 0n);
    const { min, max } = integerRange(call.type.kind);
    return result === undefined || result < min || result > max ? undefined : result;
  }
  if (typeof a === "number" && call.type.kind === "float64") return floatResult(call.function, a, typeof b === "number" ? b : 0);
  return undefined;
}

function integerResult(name: string, a: bigint, b: bigint): bigint | undefined {
  switch (name) {
    case "add":
      return a + b;
    case "subtract":
      return a - b;
    case "multiply":
      return a * b;
    case "divide":
      return b === 0n ? undefined : a / b;
    case "modulo":
      return b === 0n ? undefined : a % b;
    case "negate":
      return -a;
    default:
      return undefined;
  }
}

function floatResult(name: string, a: number, b: number): number | undefined {
  switch (name) {
    case "add":
      return a + b;
    case "subtract":
      return a - b;
    case "multiply":
      return a * b;
    case "divide":
      return a / b;
    case "negate":
      return -a;
    default:
      return undefined;
  }
}

function evaluateComparison(call: CallExpression, a: LiteralValue, b: LiteralValue): boolean | undefined {
  const order = compare(a, b);
  if (order === undefined) return undefined;
  switch (call.function) {
    case "eq":
      return order === 0;
    case "ne":
      return order !== 0;
    case "lt":
      return order < 0;
    case "le":
      return order <= 0;
    case "gt":
      return order > 0;
    case "ge":
      return order >= 0;
    default:
      return undefined;
  }
}

/** Order of two values of one type: NaN is greatest and equals itself, text compares by its UTF-8 bytes; `undefined` for other types. */
function compare(a: LiteralValue, b: LiteralValue): number | undefined {
  if (typeof a === "bigint" && typeof b === "bigint") return a < b ? -1 : a > b ? 1 : 0;
  if (typeof a === "string" && typeof b === "string") return Buffer.compare(Buffer.from(a), Buffer.from(b));
  if (typeof a === "boolean" && typeof b === "boolean") return Number(a) - Number(b);
  if (typeof a !== "number" || typeof b !== "number") return undefined;
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
  return a < b ? -1 : a > b ? 1 : 0;
}
