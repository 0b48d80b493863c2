/**
 * The code of one row loop: where expressions read their columns from and where they report faults. Column pointers are
 * hoisted to the function's start; `row` is the loop's row local.
 */

import { must } from "../core/assert.ts";
import type { ScalarType } from "../data/data-type.ts";
import { isVariable } from "../data/data-type.ts";
import type { Column } from "../data/schema.ts";
import type { Printer } from "./printer.ts";
import type { Value } from "./value.ts";
import { loadColumn, localType, zeroOf } from "./value.ts";

/** Scope of the expressions of one function over one batch. */
export class RowScope {
  readonly printer: Printer;
  readonly row: string;
  readonly #columns: readonly Column[];
  readonly #used = new Map<number, { readonly values: string; readonly validity: string; readonly bytes: string }>();
  /** Set when an expression of the scope can fault: the function then needs a `fault` local. */
  faults = false;
  /** Set when an expression makes text: the function then resets the scratch area each row. */
  scratch = false;

  constructor(printer: Printer, columns: readonly Column[], row: string) {
    this.printer = printer;
    this.#columns = columns;
    this.row = row;
  }

  /** Lines that fetch the pointers of all columns read so far from the batch local `batch`. */
  hoisted(batch: string): readonly string[] {
    const p = this.printer;
    return [...this.#used].flatMap(([index, names]) => {
      const column = must(this.#columns[index], `column ${index}`);
      const lines = [`  const ${names.values}: usize = ${p.use("batch", "columnValues")}(${batch}, ${index});`];
      if (column.nullable) lines.push(`  const ${names.validity}: usize = ${p.use("batch", "columnValidity")}(${batch}, ${index});`);
      if (isVariable(column.type)) lines.push(`  const ${names.bytes}: usize = ${p.use("batch", "columnBytes")}(${batch}, ${index});`);
      return lines;
    });
  }

  /** The value of column `index` in the current row. */
  column(index: number): Value {
    const p = this.printer;
    const column = must(this.#columns[index], `column ${index}`);
    const names = this.#used.get(index) ?? { values: p.fresh("c"), validity: p.fresh("n"), bytes: p.fresh("b") };
    this.#used.set(index, names);
    const valid = column.nullable ? this.bind("bool", `load<u8>(${names.validity} + ${this.row}) != 0`) : "true";
    if (!isVariable(column.type)) {
      return {
        type: column.type,
        valid,
        value: this.bind(localType(column.type), loadColumn(column.type, names.values, this.row)),
        length: "",
      };
    }
    const start = this.bind("u32", `load<u32>(${names.values} + (${this.row} << 2))`);
    const length = this.bind("usize", `<usize>(load<u32>(${names.values} + (${this.row} << 2), 4) - ${start})`);
    return { type: column.type, valid, value: this.bind("usize", `${names.bytes} + <usize>${start}`), length };
  }

  /** A new constant local. */
  bind(type: string, expression: string): string {
    const name = this.printer.fresh("t");
    this.printer.line(`const ${name}: ${type} = ${expression};`);
    return name;
  }

  /** A new variable. */
  variable(type: string, initial: string): string {
    const name = this.printer.fresh("t");
    this.printer.line(`let ${name}: ${type} = ${initial};`);
    return name;
  }

  /** Variables that can hold any value of `type`, NULL included; `assign` gives them one. */
  slot(type: ScalarType, nullable: boolean): { readonly value: Value; assign(from: Value): void } {
    const p = this.printer;
    const valid = nullable ? this.variable("bool", "false") : "true";
    const value = this.variable(localType(type), zeroOf(type));
    const length = isVariable(type) ? this.variable("usize", "0") : "";
    return {
      value: { type, valid, value, length },
      assign(from) {
        if (nullable) p.line(`${valid} = ${from.valid};`);
        p.line(`${value} = ${from.value};`);
        if (length !== "") p.line(`${length} = ${from.length};`);
      },
    };
  }

  /** Statement that marks the row as failed with `reason` (a constant of `runtime/row-errors.ts`). */
  fault(reason: string): string {
    this.faults = true;
    return `fault = ${this.printer.use("row-errors", reason)};`;
  }
}

/** `a && b` over valid flags, simplified. */
export function bothValid(a: string, b: string): string {
  if (a === "true") return b;
  if (b === "true") return a;
  return `(${a} && ${b})`;
}
