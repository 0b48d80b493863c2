/**
 * Arithmetic. Integers are exact: an overflow or a division by zero is a fault of the row. Kinds narrower than 64 bits are
 * computed in 64 and checked against their range. Floats are IEEE 754.
 */

import { must } from "../../core/assert.ts";
import type { ScalarType } from "../../data/data-type.ts";
import { integerRange, isInteger } from "../../data/data-type.ts";
import type { RowScope } from "../scope.ts";
import { bothValid } from "../scope.ts";
import type { Value } from "../value.ts";
import { localType } from "../value.ts";

const NAMES = ["add", "subtract", "multiply", "divide", "modulo", "negate", "abs", "bit_and", "bit_or", "bit_xor"] as const;
type Arithmetic = (typeof NAMES)[number];

export function isArithmetic(name: string): name is Arithmetic {
  return (NAMES as readonly string[]).includes(name);
}

const SYMBOLS: Readonly<Record<string, string>> = {
  add: "+",
  subtract: "-",
  multiply: "*",
  divide: "/",
  modulo: "%",
  bit_and: "&",
  bit_or: "|",
  bit_xor: "^",
};

/** Prints an arithmetic function over operands of the result's type. */
export function emitArithmetic(scope: RowScope, name: Arithmetic, type: ScalarType, values: readonly Value[]): Value {
  const left = must(values[0], "left operand");
  const right = values[1];
  const valid = right === undefined ? left.valid : bothValid(left.valid, right.valid);
  const value = isInteger(type)
    ? emitInteger(scope, name, type, left.value, right?.value ?? "0", valid)
    : emitFloat(scope, name, type, left.value, right?.value ?? "0");
  return { type, valid, value, length: "" };
}

function emitFloat(scope: RowScope, name: Arithmetic, type: ScalarType, a: string, b: string): string {
  const local = localType(type);
  if (name === "negate") return scope.bind(local, `-${a}`);
  if (name === "abs") return scope.bind(local, `abs<${local}>(${a})`);
  if (name === "modulo")
    return scope.bind(
      local,
      `${scope.printer.use("float-math", "remainder")}(<f64>${a}, <f64>${b})`.replace(/^/, local === "f32" ? "<f32>" : ""),
    );
  return scope.bind(local, `${a} ${SYMBOLS[name]} ${b}`);
}

/** Statements guarded so that they run only on present operands. */
function guarded(scope: RowScope, valid: string, body: () => void): void {
  if (valid === "true") body();
  else scope.printer.block(`if (${valid})`, body);
}

function emitInteger(scope: RowScope, name: Arithmetic, type: ScalarType, a: string, b: string, valid: string): string {
  const local = localType(type);
  if (name.startsWith("bit_")) return scope.bind(local, `${a} ${SYMBOLS[name]} ${b}`);
  if (!isInteger(type)) return a;
  if (type.kind === "int64") return emitInt64(scope, name, a, b, valid);
  if (type.kind === "uint64") return emitUint64(scope, name, a, b, valid);
  const result = scope.variable(local, "0");
  const { min, max } = integerRange(type.kind);
  guarded(scope, valid, () => {
    const zero = name === "divide" || name === "modulo";
    const compute = (): void => {
      const wide = scope.bind("i64", wideText(name, a, b));
      scope.printer.line(`if (${wide} < ${min} || ${wide} > ${max}) ${scope.fault("INTEGER_OVERFLOW")}`);
      scope.printer.line(`${result} = <${local}>${wide};`);
    };
    if (zero) scope.printer.branch(`${b} == 0`, () => scope.printer.line(scope.fault("DIVISION_BY_ZERO")), compute);
    else compute();
  });
  return result;
}

function wideText(name: Arithmetic, a: string, b: string): string {
  if (name === "negate") return `-(<i64>${a})`;
  if (name === "abs") return `abs<i64>(<i64>${a})`;
  return `<i64>${a} ${SYMBOLS[name]} <i64>${b}`;
}

function emitInt64(scope: RowScope, name: Arithmetic, a: string, b: string, valid: string): string {
  const result = scope.variable("i64", "0");
  const p = scope.printer;
  const overflow = (condition: string): void => p.line(`if (${condition}) ${scope.fault("INTEGER_OVERFLOW")}`);
  guarded(scope, valid, () => {
    switch (name) {
      case "add":
        p.line(`${result} = ${a} + ${b};`);
        overflow(`((${a} ^ ${result}) & (${b} ^ ${result})) < 0`);
        break;
      case "subtract":
        p.line(`${result} = ${a} - ${b};`);
        overflow(`((${a} ^ ${b}) & (${a} ^ ${result})) < 0`);
        break;
      case "multiply":
        p.line(`${result} = ${a} * ${b};`);
        overflow(`${p.use("integer-math", "multiplyOverflows")}(${a}, ${b})`);
        break;
      case "negate":
      case "abs":
        p.line(`${result} = ${name === "abs" ? `abs<i64>(${a})` : `-${a}`};`);
        overflow(`${a} == i64.MIN_VALUE`);
        break;
      default:
        emitDivision(scope, name, result, a, b);
    }
  });
  return result;
}

function emitDivision(scope: RowScope, name: Arithmetic, result: string, a: string, b: string): void {
  const p = scope.printer;
  p.branch(
    `${b} == 0`,
    () => p.line(scope.fault("DIVISION_BY_ZERO")),
    () =>
      p.branch(
        `${b} == -1`,
        () => {
          if (name === "modulo") return p.line(`${result} = 0;`);
          p.line(`${result} = -${a};`);
          p.line(`if (${a} == i64.MIN_VALUE) ${scope.fault("INTEGER_OVERFLOW")}`);
        },
        () => p.line(`${result} = ${a} ${SYMBOLS[name]} ${b};`),
      ),
  );
}

function emitUint64(scope: RowScope, name: Arithmetic, a: string, b: string, valid: string): string {
  const result = scope.variable("u64", "0");
  const p = scope.printer;
  const overflow = (condition: string): void => p.line(`if (${condition}) ${scope.fault("INTEGER_OVERFLOW")}`);
  guarded(scope, valid, () => {
    switch (name) {
      case "abs":
        p.line(`${result} = ${a};`);
        break;
      case "negate":
        overflow(`${a} != 0`);
        break;
      case "divide":
      case "modulo":
        p.branch(
          `${b} == 0`,
          () => p.line(scope.fault("DIVISION_BY_ZERO")),
          () => p.line(`${result} = ${a} ${SYMBOLS[name]} ${b};`),
        );
        break;
      default:
        p.line(`${result} = ${a} ${SYMBOLS[name]} ${b};`);
        if (name === "add") overflow(`${result} < ${a}`);
        else if (name === "subtract") overflow(`${b} > ${a}`);
        else overflow(`${p.use("integer-math", "multiplyOverflowsUnsigned")}(${a}, ${b})`);
    }
  });
  return result;
}
