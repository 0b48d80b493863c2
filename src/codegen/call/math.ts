/** Floating-point functions: WebAssembly's own instructions where it has them, imports of the host's Math elsewhere. */

import { must } from "../../core/assert.ts";
import type { ScalarType } from "../../data/data-type.ts";
import type { RowScope } from "../scope.ts";
import { bothValid } from "../scope.ts";
import type { Value } from "../value.ts";

const FUNCTIONS = {
  signum: "signum",
  ceil: "ceil",
  floor: "floor",
  trunc: "trunc",
  round: "roundTo",
  sqrt: "sqrt",
  exp: "exp",
  ln: "ln",
  log10: "log10",
  log2: "log2",
  power: "pow",
} as const;
type MathFunction = keyof typeof FUNCTIONS;

const NATIVE: ReadonlySet<string> = new Set(["ceil", "floor", "trunc", "sqrt"]);

export function isMath(name: string): name is MathFunction {
  return Object.hasOwn(FUNCTIONS, name);
}

/** Prints a function of one or two float64 (`round`'s second is int64). */
export function emitMath(scope: RowScope, name: MathFunction, type: ScalarType, values: readonly Value[]): Value {
  const x = must(values[0], "operand");
  const y = values[1];
  const valid = y === undefined ? x.valid : bothValid(x.valid, y.valid);
  if (NATIVE.has(name)) return { type, valid, value: scope.bind("f64", `f64.${FUNCTIONS[name]}(${x.value})`), length: "" };
  const second = y?.value ?? (name === "round" ? "0" : undefined);
  const call = scope.printer.use("float-math", FUNCTIONS[name]);
  return { type, valid, value: scope.bind("f64", `${call}(${x.value}${second === undefined ? "" : `, ${second}`})`), length: "" };
}
