/**
 * Functions that choose among their arguments: all arguments are brought to one type first.
 */
import { BOOLEAN, printType, type ScalarType } from "../../data/data-type.ts";
import type { Expression } from "../../program/expression.ts";
import { type Bound, isNullable, call as makeCall, NULL_BOUND, scalar, strictCall, typeOf, UNKNOWN } from "../binder/bound.ts";
import { castTo, coerceScalar, commonTypeOf, describeType } from "../binder/coercion.ts";
import { callError, type ScalarCall, type ScalarFunction, special } from "./scalar-call.ts";

/** The arguments as one type; "null" if all are bare NULLs, `undefined` after reporting. */
function unify(
  call: ScalarCall,
  args: readonly Bound[],
): { readonly type: ScalarType; readonly args: readonly Expression[] } | "null" | undefined {
  if (args.every((a) => a.kind === "null")) return "null";
  const type = commonTypeOf(args);
  const coerced = type === undefined ? [] : args.map((a) => coerceScalar(a, type));
  const expressions = coerced.filter((e) => typeof e !== "string");
  if (type === undefined || expressions.length !== args.length) {
    const types = args.map((a) => printType(describeType(a))).join(", ");
    callError(call, "type-mismatch", `arguments of ${call.name} have no common type: ${types}`);
    return undefined;
  }
  return { type, args: expressions };
}

/** A bare NULL as a boolean test. */
function isPresent(value: Expression): Expression {
  return strictCall("not", BOOLEAN, makeCall("is_null", BOOLEAN, false, value));
}

function bindCoalesce(call: ScalarCall): Bound {
  const unified = unify(call, call.args);
  if (unified === undefined) return UNKNOWN;
  if (unified === "null") return NULL_BOUND;
  return scalar(
    makeCall(
      "coalesce",
      unified.type,
      unified.args.every((a) => a.nullable),
      ...unified.args,
    ),
  );
}

function bindExtreme(target: "greatest" | "least"): (call: ScalarCall) => Bound {
  return (call) => {
    const unified = unify(call, call.args);
    if (unified === undefined) return UNKNOWN;
    if (unified === "null") return NULL_BOUND;
    return scalar(
      makeCall(
        target,
        unified.type,
        unified.args.every((a) => a.nullable),
        ...unified.args,
      ),
    );
  };
}

/** The result has the first argument's type, whatever the comparison needs. */
function bindNullif(call: ScalarCall): Bound {
  const [first] = call.args as [Bound];
  const unified = unify(call, call.args);
  if (unified === undefined) return UNKNOWN;
  if (unified === "null") return NULL_BOUND;
  const result = makeCall("nullif", unified.type, true, ...unified.args);
  const own = typeOf(first);
  return scalar(own.kind === "struct" || own.kind === "array" || own.kind === "null" ? result : (castTo(result, own) ?? result));
}

/** `nvl2(test, ifPresent, ifNull)`. */
function bindNvl2(call: ScalarCall): Bound {
  const [test, ...values] = call.args as [Bound, Bound, Bound];
  const unified = unify(call, values);
  if (unified === undefined) return UNKNOWN;
  if (unified === "null") return NULL_BOUND;
  const [present, otherwise] = unified.args as [Expression, Expression];
  if (test.kind === "null") return scalar(otherwise);
  const tested = test.kind === "struct" ? test.marker : test.kind === "scalar" ? isPresent(test.expression) : undefined;
  if (tested === undefined || !isNullable(test)) return scalar(present);
  const nullable = present.nullable || otherwise.nullable;
  return scalar({ kind: "case", branches: [{ condition: tested, value: present }], otherwise, type: unified.type, nullable });
}

/** Conditional functions. */
export const CONDITIONAL_FUNCTIONS: readonly ScalarFunction[] = [
  special(["coalesce"], "(any, …)", [1, Number.POSITIVE_INFINITY], bindCoalesce),
  special(["nvl", "ifnull"], "(any, any)", [2, 2], bindCoalesce),
  special(["nvl2"], "(any, any, any)", [3, 3], bindNvl2),
  special(["nullif"], "(any, any)", [2, 2], bindNullif),
  special(["greatest"], "(any, …)", [1, Number.POSITIVE_INFINITY], bindExtreme("greatest")),
  special(["least"], "(any, …)", [1, Number.POSITIVE_INFINITY], bindExtreme("least")),
];
