/**
 * Comparisons. Both sides have one type. Text compares by bytes; floats in a total order in which NaN equals itself and is
 * greatest, and −0 equals +0.
 */

import { must } from "../../core/assert.ts";
import type { ScalarType } from "../../data/data-type.ts";
import { BOOLEAN, isVariable } from "../../data/data-type.ts";
import type { RowScope } from "../scope.ts";
import { bothValid } from "../scope.ts";
import type { Value } from "../value.ts";

const SYMBOLS = { eq: "==", ne: "!=", lt: "<", le: "<=", gt: ">", ge: ">=", is_distinct: "" } as const;
type Comparison = keyof typeof SYMBOLS;

export function isComparison(name: string): name is Comparison {
  return Object.hasOwn(SYMBOLS, name);
}

/** Prints a comparison of two values. */
export function emitComparison(scope: RowScope, name: Comparison, values: readonly Value[]): Value {
  const [a, b] = [must(values[0], "left"), must(values[1], "right")];
  if (name === "is_distinct") {
    const equal = scope.bind("bool", emitEquality(scope, a, b));
    const distinct = `(${a.valid}) != (${b.valid}) || ((${a.valid}) && !${equal})`;
    return {
      type: BOOLEAN,
      valid: "true",
      value: scope.bind("bool", a.valid === "true" && b.valid === "true" ? `!${equal}` : distinct),
      length: "",
    };
  }
  return { type: BOOLEAN, valid: bothValid(a.valid, b.valid), value: scope.bind("bool", compareText(scope, name, a, b)), length: "" };
}

/** Expression that is true if the (present) values are equal. */
export function emitEquality(scope: RowScope, a: Value, b: Value): string {
  return compareText(scope, "eq", a, b);
}

function isFloat(type: ScalarType): boolean {
  return type.kind === "float32" || type.kind === "float64";
}

function compareText(scope: RowScope, name: Exclude<Comparison, "is_distinct">, a: Value, b: Value): string {
  const p = scope.printer;
  if (isVariable(a.type)) {
    if (name === "eq" || name === "ne") {
      const equal = `(${a.length} == ${b.length} && ${p.use("text", "bytesEqual")}(${a.value}, ${b.value}, ${a.length}))`;
      return name === "eq" ? equal : `!${equal}`;
    }
    return `${p.use("text", "compareBytes")}(${a.value}, ${a.length}, ${b.value}, ${b.length}) ${SYMBOLS[name]} 0`;
  }
  if (isFloat(a.type)) {
    const order = `${p.use("float-math", "compareFloat")}(<f64>${a.value}, <f64>${b.value})`;
    return `${order} ${SYMBOLS[name]} 0`;
  }
  if (a.type.kind === "boolean") return `<i32>${a.value} ${SYMBOLS[name]} <i32>${b.value}`;
  return `${a.value} ${SYMBOLS[name]} ${b.value}`;
}
