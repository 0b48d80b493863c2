/** Binds calls of user-defined functions: arguments get the parameters' types by the conversions that other functions get, too. */
import { isNumeric, printType, type ScalarType } from "../../data/data-type.ts";
import type { Expression, UdfExpression } from "../../program/expression.ts";
import type { UdfDefinition } from "../../program/udf.ts";
import type { CallExpr, Expr } from "../ast.ts";
import { type Bound, scalar, UNKNOWN } from "./bound.ts";
import { coerceScalar, describeType } from "./coercion.ts";
import { type Environment, fail } from "./environment.ts";

/** `f(x: BIGINT, y: TEXT?) → DOUBLE`, for messages. */
export function printSignature({ name, parameters, result }: Pick<UdfDefinition, "name" | "parameters" | "result">): string {
  const list = parameters.map((p) => `${p.name}: ${printType(p.type)}${p.nullable ? "?" : ""}`);
  return `${name}(${list.join(", ")}) → ${printType(result.type)}${result.nullable ? "?" : ""}`;
}

/** The value of a call of `udf`. */
export function bindUdfCall(env: Environment, call: CallExpr, udf: UdfDefinition, bind: (env: Environment, expr: Expr) => Bound): Bound {
  const { parameters, name } = udf;
  const bounds = call.args.map((a) => bind(env, a.value));
  const detail = { detail: `Its signature is ${printSignature(udf)}.` };
  if (bounds.length !== parameters.length) {
    const wanted = `${parameters.length} argument${parameters.length === 1 ? "" : "s"}`;
    return fail(env, "invalid-argument", call.span, `${name} takes ${wanted}, not ${bounds.length}`, detail);
  }
  if (bounds.some((b) => b.kind === "unknown")) return UNKNOWN;
  const values: Expression[] = [];
  for (const [i, parameter] of parameters.entries()) {
    const bound = bounds[i] as Bound;
    const value = accepts(bound, parameter.type) ? coerceScalar(bound, parameter.type) : "mismatch";
    if (typeof value !== "string") values.push(value);
    else {
      const found = printType(describeType(bound));
      const message = `argument ${i + 1} of ${name} must be ${printType(parameter.type)}, not ${found}`;
      fail(env, value === "invalid" ? "invalid-literal" : "type-mismatch", call.args[i]?.value.span ?? call.span, message, detail);
    }
  }
  if (values.length < parameters.length) return UNKNOWN;
  return scalar(makeCall(udf, values));
}

/** Conversions that lose nothing a reader would expect to keep: a number's text or a text's number has to be asked for by CAST. */
function accepts(bound: Bound, type: ScalarType): boolean {
  if (bound.kind === "null") return true;
  if (bound.kind !== "scalar" || bound.duration === true) return false;
  const from = bound.expression.type;
  switch (type.kind) {
    case "int64":
      return isNumeric(from) && from.kind !== "float32" && from.kind !== "float64" && from.kind !== "decimal";
    case "float64":
      return isNumeric(from);
    case "text":
      return from.kind === "text" || from.kind === "json";
    case "timestamp":
      return from.kind === "timestamp" || from.kind === "date";
    default:
      return from.kind === type.kind;
  }
}

function makeCall(udf: UdfDefinition, values: readonly Expression[]): UdfExpression {
  const takesNull = udf.parameters.map((p) => p.nullable);
  return {
    kind: "udf",
    name: udf.name,
    definition: udf.id,
    arguments: values,
    takesNull,
    type: udf.result.type,
    nullable: udf.result.nullable || values.some((v, i) => v.nullable && takesNull[i] === false),
  };
}
