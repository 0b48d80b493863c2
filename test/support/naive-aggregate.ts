/**
 * Aggregation as plainly as JavaScript allows, to compare the generated operators with: all contributions of a group are kept,
 * results are computed from the lists.
 */

import type { ScalarType } from "../../src/data/data-type.ts";
import type { Aggregate } from "../../src/program/operator.ts";
import type { Cell, Cells } from "./vertex-module.ts";

/** A value as a comparable string: NULL, NaN and −0 are values, bytes go by content. */
export function cellText(cell: Cell): string {
  if (cell instanceof Uint8Array) return `x${Buffer.from(cell).toString("hex")}`;
  if (typeof cell === "number") return Number.isNaN(cell) ? "NaN" : String(cell === 0 ? 0 : cell);
  return `${typeof cell}:${String(cell)}`;
}

/** Rows as sorted strings: equal as multisets exactly if these are equal. */
export function sorted(rows: readonly Cells[]): string[] {
  return rows.map((row) => row.map(cellText).join("|")).sort();
}

function compare(a: Cell, b: Cell): number {
  if (typeof a === "string" && typeof b === "string") return Buffer.compare(Buffer.from(a), Buffer.from(b));
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b);
  if (typeof a === "number" && typeof b === "number") {
    if (Number.isNaN(a)) return Number.isNaN(b) ? 0 : 1;
    if (Number.isNaN(b)) return -1;
  }
  return (a as number) < (b as number) ? -1 : (a as number) > (b as number) ? 1 : 0;
}

function sumFloats(values: readonly number[]): number {
  let sum = 0;
  let compensation = 0;
  for (const value of values) {
    const total = sum + value;
    if (Number.isFinite(total)) compensation += Math.abs(sum) >= Math.abs(value) ? sum - total + value : value - total + sum;
    sum = total;
  }
  return Number.isFinite(sum) ? sum + compensation : sum;
}

function columnOf(expression: Aggregate["argument"]): number | undefined {
  return expression?.kind === "column" ? expression.index : undefined;
}

/** Result of one aggregate over the rows of a group. */
export function naiveAggregate(aggregate: Aggregate, rows: readonly Cells[]): Cell {
  const filter = columnOf(aggregate.filter);
  const passing = filter === undefined ? rows : rows.filter((row) => row[filter] === true);
  const argument = columnOf(aggregate.argument);
  if (argument === undefined) return BigInt(passing.length);
  let values = passing.map((row) => row[argument] ?? null).filter((v) => v !== null);
  if (aggregate.distinct) values = [...new Map(values.map((v) => [cellText(v), v])).values()];
  const [first] = values;
  if (aggregate.function === "count") return BigInt(values.length);
  if (first === undefined) return null;
  if (aggregate.function === "min") return values.reduce((a, b) => (compare(b, a) < 0 ? b : a), first);
  if (aggregate.function === "max") return values.reduce((a, b) => (compare(b, a) > 0 ? b : a), first);
  const float = typeof first === "number";
  if (aggregate.function === "avg") {
    const total = float ? sumFloats(values as number[]) : Number((values as bigint[]).reduce((a, b) => a + b, 0n));
    return total / values.length;
  }
  return float ? sumFloats(values as number[]) : (values as bigint[]).reduce((a, b) => a + b, 0n);
}

/** Rows by the text of their key columns. */
export function groupRows(rows: readonly Cells[], keys: readonly number[]): ReadonlyMap<string, readonly Cells[]> {
  const groups = new Map<string, Cells[]>();
  for (const row of rows) {
    const key = keys.map((k) => cellText(row[k] ?? null)).join("|");
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [row]);
    else group.push(row);
  }
  return groups;
}

/** A key as the engine gives it back: −0 is 0. */
export function canonicalKey(cell: Cell, type: ScalarType): Cell {
  return typeof cell === "number" && (type.kind === "float64" || type.kind === "float32") && cell === 0 ? 0 : cell;
}
