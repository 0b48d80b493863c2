/**
 * Random inputs and operators for the aggregating vertices: schemas over every type, rows with NULLs, extremes and repeated
 * values, every aggregate function.
 */
import type { Prng } from "../../src/core/prng.ts";
import type { ScalarKind, ScalarType } from "../../src/data/data-type.ts";
import { FLOAT64, INT64, isInteger, UINT64 } from "../../src/data/data-type.ts";
import type { Column } from "../../src/data/schema.ts";
import type { Expression } from "../../src/program/expression.ts";
import type { Aggregate, AggregateFunction } from "../../src/program/operator.ts";
import type { Cell } from "./vertex-module.ts";

/** Types that columns of the tests have. */
export const KINDS: readonly Exclude<ScalarKind, "decimal" | "interval">[] = [
  "boolean",
  "int8",
  "int16",
  "int32",
  "int64",
  "uint8",
  "uint16",
  "uint32",
  "uint64",
  "float32",
  "float64",
  "text",
  "bytes",
  "json",
  "timestamp",
  "date",
  "time",
];

/** The type of a kind. */
export function typeOf(kind: Exclude<ScalarKind, "decimal">): ScalarType {
  return { kind };
}

/** A column reference. */
export function columnReference(columns: readonly Column[], index: number): Expression {
  const { type, nullable } = columns[index] as Column;
  return { kind: "column", index, type, nullable };
}

/** Type of an aggregate's result. */
export function resultType(kind: AggregateFunction, argument: ScalarType | undefined): ScalarType {
  if (kind === "count" || argument === undefined) return INT64;
  if (kind === "avg") return FLOAT64;
  if (kind !== "sum") return argument;
  if (!isInteger(argument)) return FLOAT64;
  return argument.kind.startsWith("u") ? UINT64 : INT64;
}

/** An aggregate over columns. */
export function aggregateOf(
  kind: AggregateFunction,
  columns: readonly Column[],
  argument?: number,
  options: { readonly distinct?: boolean; readonly filter?: number } = {},
): Aggregate {
  const expression = argument === undefined ? undefined : columnReference(columns, argument);
  const filter = options.filter === undefined ? {} : { filter: columnReference(columns, options.filter) };
  const given = expression === undefined ? {} : { argument: expression };
  return { function: kind, distinct: options.distinct ?? false, type: resultType(kind, expression?.type), ...given, ...filter };
}

const TEXTS = ["", "a", "ab", "b", "äöü", "日本語", "x".repeat(9), "y".repeat(70), "z".repeat(300), "Z", "\u0000", "abcdefgh", "abcdefgi"];

/** A random cell; `spread`: number of different values, roughly. */
export function randomCell(random: Prng, column: Column, spread: number): Cell {
  if (column.nullable && random.below(5) === 0) return null;
  const n = random.below(spread);
  const kind = column.type.kind;
  switch (kind) {
    case "boolean":
      return n % 2 === 0;
    case "float32":
    case "float64":
      return [0, -0, 1.5, -2.25, 1024, 0.125][n] ?? n / 8 - 3;
    case "text":
    case "json":
      return TEXTS[n] ?? `text ${n}`;
    case "bytes":
      return Uint8Array.from(Buffer.from(TEXTS[n] ?? `bytes ${n}`));
    case "int64":
    case "timestamp":
      return n % 7 === 0 ? BigInt(n) * 1_000_000_007n : BigInt(n) - BigInt(spread >> 1);
    default: {
      const limit = kind === "int8" || kind === "uint8" ? 100 : kind === "int16" || kind === "uint16" ? 30_000 : 2_000_000_000;
      const value = BigInt(n % limit);
      return kind.startsWith("u") || kind === "time" || kind === "date" ? value : value - BigInt(Math.min(spread, limit) >> 1);
    }
  }
}
