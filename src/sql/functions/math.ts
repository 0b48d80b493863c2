/**
 * Mathematical functions of SQL in terms of the program's. Functions of the program are over DOUBLE; a REAL argument gives a REAL, as in
 * DataFusion.
 */
import { FLOAT64, INT64, isInteger, isNumeric, printType, type ScalarType } from "../../data/data-type.ts";
import type { Expression } from "../../program/expression.ts";
import type { ScalarFunctionName } from "../../program/scalar-function.ts";
import { type Bound, literal, scalar, strictCall, UNKNOWN } from "../binder/bound.ts";
import { castTo, describeType } from "../binder/coercion.ts";
import { argumentAs, argumentsAs, callError, type ScalarCall, type ScalarFunction, special } from "./scalar-call.ts";

function narrow(call: ScalarCall, result: Expression): Bound {
  const [first] = call.args;
  const isReal = first?.kind === "scalar" && first.expression.type.kind === "float32";
  return scalar(isReal ? (castTo(result, { kind: "float32" }) ?? result) : result);
}

/** A function of one DOUBLE. */
function unary(names: readonly string[], target: ScalarFunctionName): ScalarFunction {
  return special(names, "(number)", [1, 1], (call) => {
    const value = argumentAs(call, 0, "float64");
    return value === undefined ? UNKNOWN : narrow(call, strictCall(target, FLOAT64, value));
  });
}

/** A function of one DOUBLE that is a formula over others. */
function formula(names: readonly string[], build: (value: Expression) => Expression): ScalarFunction {
  return special(names, "(number)", [1, 1], (call) => {
    const value = argumentAs(call, 0, "float64");
    return value === undefined ? UNKNOWN : narrow(call, build(value));
  });
}

function double(value: number): Expression {
  return literal(value, FLOAT64);
}

/** The argument's own type, which must be numeric. */
function numericArgument(call: ScalarCall): Expression | undefined {
  const [value] = call.args as [Bound];
  if (value.kind === "null") return literal(null, FLOAT64);
  if (value.kind === "scalar" && value.duration !== true && isNumeric(value.expression.type)) return value.expression;
  callError(call, "type-mismatch", `argument 1 of ${call.name} must be a number, not ${printType(describeType(value))}`, {}, 0);
  return undefined;
}

function bindAbs(call: ScalarCall): Bound {
  const value = numericArgument(call);
  return value === undefined ? UNKNOWN : scalar(strictCall("abs", value.type, value));
}

function bindRound(call: ScalarCall): Bound {
  const args = argumentsAs(call, ["float64", "int64"]);
  return args === undefined ? UNKNOWN : narrow(call, strictCall("round", FLOAT64, ...args));
}

/** Over integers the result is an integer, as in DataFusion; it is exact below 2^53. */
function bindPower(call: ScalarCall): Bound {
  const args = argumentsAs(call, ["float64", "float64"]);
  if (args === undefined) return UNKNOWN;
  const power = strictCall("power", FLOAT64, ...args);
  const integers = call.args.every((a) => a.kind === "scalar" && isInteger(a.expression.type));
  return integers ? scalar(castTo(power, INT64) ?? power) : narrow(call, power);
}

/** `log(x)` is to base 10, `log(b, x)` to base b. */
function bindLog(call: ScalarCall): Bound {
  const args = argumentsAs(call, ["float64", "float64"]);
  if (args === undefined) return UNKNOWN;
  const [first, second] = args as [Expression, Expression | undefined];
  if (second === undefined) return narrow(call, strictCall("log10", FLOAT64, first));
  return scalar(strictCall("divide", FLOAT64, strictCall("ln", FLOAT64, second), strictCall("ln", FLOAT64, first)));
}

function test(names: readonly string[], against: number): ScalarFunction {
  const boolean: ScalarType = { kind: "boolean" };
  return special(names, "(number)", [1, 1], (call) => {
    const value = argumentAs(call, 0, "float64");
    return value === undefined ? UNKNOWN : scalar(strictCall("eq", boolean, value, double(against)));
  });
}

/** Mathematical functions. */
export const MATH_FUNCTIONS: readonly ScalarFunction[] = [
  special(["abs"], "(number)", [1, 1], bindAbs),
  unary(["signum"], "signum"),
  unary(["ceil"], "ceil"),
  unary(["floor"], "floor"),
  unary(["trunc"], "trunc"),
  special(["round"], "(number[, int64])", [1, 2], bindRound),
  unary(["sqrt"], "sqrt"),
  unary(["exp"], "exp"),
  unary(["ln"], "ln"),
  unary(["log10"], "log10"),
  unary(["log2"], "log2"),
  special(["log"], "([base, ]number)", [1, 2], bindLog),
  special(["power", "pow"], "(number, number)", [2, 2], bindPower),
  special(["pi"], "()", [0, 0], () => scalar(double(Math.PI))),
  formula(["degrees"], (x) => strictCall("multiply", FLOAT64, x, double(180 / Math.PI))),
  formula(["radians"], (x) => strictCall("multiply", FLOAT64, x, double(Math.PI / 180))),
  test(["isnan"], Number.NaN),
  test(["iszero"], 0),
];
