/**
 * What an expression is while code is printed: names of AssemblyScript locals. And how each scalar type is held in locals
 * and in columns.
 */

import { userError } from "../core/errors.ts";
import type { ScalarType } from "../data/data-type.ts";
import { isVariable } from "../data/data-type.ts";

/**
 * A value of one row. `valid` is "true" or a bool local. Fixed-width types: `value` is a local or literal. Variable-length
 * types: `value` is the address of the bytes and `length` their number. The value of a NULL is undefined but harmless.
 */
export interface Value {
  readonly type: ScalarType;
  readonly valid: string;
  readonly value: string;
  readonly length: string;
}

/** Local type, column type (as in `load<…>`), and log2 of the column's width. */
interface Storage {
  readonly local: string;
  readonly column: string;
  readonly shift: number;
}

const STORAGE: Readonly<Record<string, Storage>> = {
  boolean: { local: "bool", column: "u8", shift: 0 },
  int8: { local: "i32", column: "i8", shift: 0 },
  int16: { local: "i32", column: "i16", shift: 1 },
  int32: { local: "i32", column: "i32", shift: 2 },
  int64: { local: "i64", column: "i64", shift: 3 },
  uint8: { local: "u32", column: "u8", shift: 0 },
  uint16: { local: "u32", column: "u16", shift: 1 },
  uint32: { local: "u32", column: "u32", shift: 2 },
  uint64: { local: "u64", column: "u64", shift: 3 },
  float32: { local: "f32", column: "f32", shift: 2 },
  float64: { local: "f64", column: "f64", shift: 3 },
  timestamp: { local: "i64", column: "i64", shift: 3 },
  date: { local: "i32", column: "i32", shift: 2 },
  time: { local: "i64", column: "i64", shift: 3 },
};

/** Storage of a fixed-width type; `unsupported` for decimals and intervals. */
export function storageOf(type: ScalarType): Storage {
  const storage = STORAGE[type.kind];
  if (storage === undefined) throw userError("unsupported", `values of type ${type.kind} cannot be computed with yet`);
  return storage;
}

/** Type of the local that holds the value (or its address). */
export function localType(type: ScalarType): string {
  return isVariable(type) ? "usize" : storageOf(type).local;
}

/** Zero of the local's type. */
export function zeroOf(type: ScalarType): string {
  return localType(type) === "bool" ? "false" : "0";
}

/** Width code of a column for `runtime/frame.ts`: bytes, 0 for variable length. */
export function columnWidth(type: ScalarType): number {
  return isVariable(type) ? 0 : 1 << storageOf(type).shift;
}

/** Expression that loads row `row` of a fixed-width column whose values are at `base`. */
export function loadColumn(type: ScalarType, base: string, row: string): string {
  const { column, shift, local } = storageOf(type);
  const address = shift === 0 ? `${base} + ${row}` : `${base} + (${row} << ${shift})`;
  if (type.kind === "boolean") return `load<u8>(${address}) != 0`;
  return column === local ? `load<${column}>(${address})` : `<${local}>load<${column}>(${address})`;
}

/** Statement that stores `value` in row `row` of a fixed-width column. */
export function storeColumn(type: ScalarType, base: string, row: string, value: string): string {
  const { column, shift, local } = storageOf(type);
  const address = shift === 0 ? `${base} + ${row}` : `${base} + (${row} << ${shift})`;
  return `store<${column}>(${address}, ${column === local ? value : `<${column}>(${value})`});`;
}
