/**
 * The contract between a function's row in the registry and the binder: a call with bound arguments in, a bound value out. Rows say types
 * by `Signature`; only functions that rewrite themselves into others have code of their own.
 */
import { FLOAT64, INT64, isInteger, isNumeric, printType, type ScalarType, TEXT, TIMESTAMP } from "../../data/data-type.ts";
import type { Expression } from "../../program/expression.ts";
import type { ScalarFunctionName } from "../../program/scalar-function.ts";
import { type Bound, scalar, strictCall, UNKNOWN } from "../binder/bound.ts";
import { castTo, describeType, isCastable } from "../binder/coercion.ts";
import type { Advice, DiagnosticCode, DiagnosticCollector } from "../diagnostics.ts";
import type { Span } from "../source-text.ts";

/** A call whose arguments are bound; none of them is unknown. */
export interface ScalarCall {
  readonly name: string;
  readonly args: readonly Bound[];
  readonly argSpans: readonly Span[];
  readonly span: Span;
  readonly diagnostics: DiagnosticCollector;
}

/** Binds one function. Reports what is wrong and then gives `UNKNOWN`. */
export type ScalarBinder = (call: ScalarCall) => Bound;

/** One function of the registry. */
export interface ScalarFunction {
  /** All names, the main one first. */
  readonly names: readonly string[];
  /** For people: `substr(text, from[, count])`. */
  readonly signature: string;
  readonly minArgs: number;
  /** `Infinity`: any number. */
  readonly maxArgs: number;
  readonly bind: ScalarBinder;
}

/** What an argument must be: the conversions that DataFusion makes by itself are made, no others. */
export type ParameterKind = "text" | "float64" | "int64" | "timestamp";

/** Reports an error about a call. */
export function callError(call: ScalarCall, code: DiagnosticCode, message: string, advice?: Advice, argument?: number): Bound {
  call.diagnostics.error(code, argument === undefined ? call.span : (call.argSpans[argument] ?? call.span), message, advice);
  return UNKNOWN;
}

const TARGETS: Readonly<Record<ParameterKind, ScalarType>> = { text: TEXT, float64: FLOAT64, int64: INT64, timestamp: TIMESTAMP };

function accepts(kind: ParameterKind, type: ScalarType): boolean {
  switch (kind) {
    case "text":
      return type.kind === "text" || type.kind === "json";
    case "float64":
      return isNumeric(type);
    case "int64":
      return isInteger(type);
    case "timestamp":
      return type.kind === "timestamp" || type.kind === "date" || type.kind === "text";
  }
}

/** Argument `index` as `kind`, or `undefined` after reporting that it does not fit. */
export function argumentAs(call: ScalarCall, index: number, kind: ParameterKind): Expression | undefined {
  const bound = call.args[index] as Bound;
  const target = TARGETS[kind];
  if (bound.kind === "null") return castTo({ kind: "literal", value: null, type: target, nullable: true }, target);
  const fits = bound.kind === "scalar" && bound.duration !== true && accepts(kind, bound.expression.type);
  if (!fits || !isCastable(bound.expression.type, target)) {
    const found = printType(describeType(bound));
    callError(call, "type-mismatch", `argument ${index + 1} of ${call.name} must be ${printType(target)}, not ${found}`, {}, index);
    return undefined;
  }
  const cast = castTo(bound.expression, target);
  if (cast === undefined)
    callError(call, "invalid-literal", `argument ${index + 1} of ${call.name} is not a valid ${printType(target)}`, {}, index);
  return cast;
}

/** All arguments by `kinds`; a last kind in `rest` repeats. `undefined` after reporting. */
export function argumentsAs(call: ScalarCall, kinds: readonly ParameterKind[], rest?: ParameterKind): readonly Expression[] | undefined {
  const expressions = call.args.map((_, i) => argumentAs(call, i, kinds[i] ?? rest ?? "text"));
  return expressions.every((e) => e !== undefined) ? expressions : undefined;
}

/** A function that maps one to one onto a strict function of the program. Optional parameters come last. */
export function direct(
  names: readonly string[],
  target: ScalarFunctionName,
  required: readonly ParameterKind[],
  result: ScalarType,
  optional: readonly ParameterKind[] = [],
): ScalarFunction {
  const kinds = [...required, ...optional];
  const spelled = [...required, ...optional.map((o) => `[${o}]`)].join(", ");
  return {
    names,
    signature: `${names[0]}(${spelled})`,
    minArgs: required.length,
    maxArgs: kinds.length,
    bind: (call) => {
      const args = argumentsAs(call, kinds);
      return args === undefined ? UNKNOWN : scalar(strictCall(target, result, ...args));
    },
  };
}

/** A function with a binder of its own. */
export function special(
  names: readonly string[],
  signature: string,
  arity: readonly [min: number, max: number],
  bind: ScalarBinder,
): ScalarFunction {
  return { names, signature: `${names[0]}${signature}`, minArgs: arity[0], maxArgs: arity[1], bind };
}
