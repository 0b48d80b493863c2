/**
 * Text functions of SQL in terms of the program's.
 */
import { BOOLEAN, INT64, type ScalarType, TEXT } from "../../data/data-type.ts";
import type { Expression } from "../../program/expression.ts";
import { type Bound, literal, call as makeCall, scalar, strictCall, UNKNOWN } from "../binder/bound.ts";
import { castTo, isCastable } from "../binder/coercion.ts";
import { argumentAs, argumentsAs, callError, direct, type ScalarCall, type ScalarFunction, special } from "./scalar-call.ts";

/** Any scalar as text, NULL as NULL of type text; `undefined` after reporting. */
function printable(call: ScalarCall, index: number): Expression | undefined {
  const bound = call.args[index] as Bound;
  if (bound.kind === "null") return literal(null, TEXT);
  const expression = bound.kind === "scalar" && isCastable(bound.expression.type, TEXT) ? castTo(bound.expression, TEXT) : undefined;
  if (expression === undefined)
    callError(call, "type-mismatch", `argument ${index + 1} of ${call.name} cannot be written as TEXT`, {}, index);
  return expression;
}

function bindConcat(call: ScalarCall): Bound {
  const parts = call.args.map((_, i) => printable(call, i));
  if (!parts.every((p) => p !== undefined)) return UNKNOWN;
  return scalar(makeCall("concat", TEXT, false, ...parts));
}

/** `concat_ws(separator, …)`: NULL arguments are left out with their separators, so a separator goes before each value that is present. */
function bindConcatWithSeparator(call: ScalarCall): Bound {
  const parts = call.args.map((_, i) => printable(call, i));
  if (!parts.every((p) => p !== undefined)) return UNKNOWN;
  const [separator, ...values] = parts as [Expression, ...Expression[]];
  if (values.length === 0) return scalar(literal("", TEXT));
  const prefixed = values.map((v) => strictCall("concat_operator", TEXT, separator, v));
  const joined = makeCall("concat", TEXT, false, ...prefixed);
  const skip = strictCall("add", INT64, strictCall("char_length", INT64, separator), literal(1n, INT64));
  return scalar(strictCall("substr", TEXT, joined, skip));
}

function bindPad(target: "lpad" | "rpad"): (call: ScalarCall) => Bound {
  return (call) => {
    const args = argumentsAs(call, ["text", "int64", "text"]);
    if (args === undefined) return UNKNOWN;
    return scalar(strictCall(target, TEXT, ...(args.length === 2 ? [...args, literal(" ", TEXT)] : args)));
  };
}

function bindBitLength(call: ScalarCall): Bound {
  const text = argumentAs(call, 0, "text");
  return text === undefined ? UNKNOWN : scalar(strictCall("multiply", INT64, strictCall("octet_length", INT64, text), literal(8n, INT64)));
}

function trim(names: readonly string[], target: "btrim" | "ltrim" | "rtrim"): ScalarFunction {
  return direct(names, target, ["text"], TEXT, ["text"]);
}

function predicate(name: "starts_with" | "ends_with" | "contains", type: ScalarType = BOOLEAN): ScalarFunction {
  return direct([name], name, ["text", "text"], type);
}

/** Text functions. */
export const TEXT_FUNCTIONS: readonly ScalarFunction[] = [
  direct(["lower"], "lower", ["text"], TEXT),
  direct(["upper"], "upper", ["text"], TEXT),
  direct(["char_length", "character_length", "length"], "char_length", ["text"], INT64),
  direct(["octet_length"], "octet_length", ["text"], INT64),
  special(["bit_length"], "(text)", [1, 1], bindBitLength),
  direct(["substr", "substring"], "substr", ["text", "int64"], TEXT, ["int64"]),
  direct(["left"], "left", ["text", "int64"], TEXT),
  direct(["right"], "right", ["text", "int64"], TEXT),
  trim(["btrim", "trim"], "btrim"),
  trim(["ltrim"], "ltrim"),
  trim(["rtrim"], "rtrim"),
  predicate("starts_with"),
  predicate("ends_with"),
  predicate("contains"),
  direct(["strpos", "instr", "position"], "strpos", ["text", "text"], INT64),
  direct(["replace"], "replace", ["text", "text", "text"], TEXT),
  direct(["split_part"], "split_part", ["text", "text", "int64"], TEXT),
  direct(["reverse"], "reverse", ["text"], TEXT),
  direct(["repeat"], "repeat", ["text", "int64"], TEXT),
  special(["lpad"], "(text, int64[, text])", [2, 3], bindPad("lpad")),
  special(["rpad"], "(text, int64[, text])", [2, 3], bindPad("rpad")),
  special(["concat"], "(any, …)", [1, Number.POSITIVE_INFINITY], bindConcat),
  special(["concat_ws"], "(separator, any, …)", [2, Number.POSITIVE_INFINITY], bindConcatWithSeparator),
];
