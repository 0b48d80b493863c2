/**
 * DuckDB as the second, independent oracle for whole queries over bounded input. Its rows are spelled as the lines that Wadi's JSON sink
 * would write, so that results compare as texts; only columns that the test names are compared as numbers with a tolerance.
 */
import {
  DuckDBDateValue,
  DuckDBDecimalValue,
  DuckDBInstance,
  DuckDBStructValue,
  DuckDBTimestampNanosecondsValue,
  DuckDBTimestampValue,
  DuckDBTimeValue,
  type DuckDBValue,
} from "@duckdb/node-api";
import { parse } from "lossless-json";
import { internalError } from "../../src/core/errors.ts";
import { formatDate, formatTimeOfDay, formatTimestamp } from "../../src/core/time.ts";

/** One value as JSON. */
function valueJson(value: DuckDBValue): string {
  if (value === null || typeof value === "boolean") return String(value);
  if (typeof value === "bigint") return value.toString();
  if (typeof value === "number") return Number.isFinite(value) ? String(value) : "null";
  if (typeof value === "string") return JSON.stringify(value);
  if (value instanceof DuckDBTimestampValue) return `"${formatTimestamp(value.micros * 1_000n)}"`;
  if (value instanceof DuckDBTimestampNanosecondsValue) return `"${formatTimestamp(value.nanos)}"`;
  if (value instanceof DuckDBDateValue) return `"${formatDate(value.days)}"`;
  if (value instanceof DuckDBTimeValue) return `"${formatTimeOfDay(value.micros * 1_000n)}"`;
  if (value instanceof DuckDBDecimalValue) return value.toString();
  if (value instanceof DuckDBStructValue) return objectJson(Object.entries(value.entries));
  throw internalError("invariant", `a DuckDB value of class ${value.constructor.name} has no JSON here`);
}

function objectJson(entries: readonly (readonly [string, DuckDBValue])[]): string {
  return `{${entries.map(([name, value]) => `${JSON.stringify(name)}:${valueJson(value)}`).join(",")}}`;
}

/** Runs the statements of `sql` in a database of its own; the rows of the last one as JSON lines. One thread. */
export async function runDuckDb(sql: string): Promise<string[]> {
  const instance = await DuckDBInstance.create(":memory:", { threads: "1" });
  const connection = await instance.connect();
  try {
    const reader = await connection.runAndReadAll(sql);
    const names = reader.columnNames();
    return reader.getRows().map((row) => objectJson(row.map((value, i) => [names[i] as string, value])));
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

/** How to compare. */
export interface Comparison {
  /** Top-level columns that hold DOUBLE aggregates: compared with a relative tolerance of 1e-9. */
  readonly approximate?: readonly string[];
}

const TOLERANCE = 1e-9;

interface SplitLine {
  readonly line: string;
  readonly exact: string;
  readonly numbers: readonly number[];
}

function split(line: string, approximate: readonly string[]): SplitLine {
  if (approximate.length === 0) return { line, exact: line, numbers: [] };
  const row = parse(line) as Record<string, unknown>;
  const numbers = approximate.map((name) => (row[name] === null ? Number.NaN : Number(row[name])));
  const rest = Object.entries(row).map(([name, value]) => `${name}=${approximate.includes(name) ? value === null : JSON.stringify(value)}`);
  return { line, exact: rest.join(), numbers };
}

function order(a: SplitLine, b: SplitLine): number {
  if (a.exact !== b.exact) return a.exact < b.exact ? -1 : 1;
  const at = a.numbers.findIndex((x, i) => x !== b.numbers[i]);
  return at < 0 ? 0 : (a.numbers[at] as number) - (b.numbers[at] as number);
}

function near(a: number, b: number): boolean {
  return Object.is(a, b) || Math.abs(a - b) <= TOLERANCE * Math.max(Math.abs(a), Math.abs(b));
}

function matches(a: SplitLine | undefined, b: SplitLine | undefined): boolean {
  return a !== undefined && b !== undefined && a.exact === b.exact && a.numbers.every((x, i) => near(x, b.numbers[i] as number));
}

/** Where two results first differ as multisets of lines, in words; `undefined` if they are equal. */
export function difference(actual: readonly string[], expected: readonly string[], comparison: Comparison = {}): string | undefined {
  const prepare = (lines: readonly string[]): SplitLine[] => lines.map((line) => split(line, comparison.approximate ?? [])).sort(order);
  const [a, b] = [prepare(actual), prepare(expected)];
  const at = Array.from({ length: Math.max(a.length, b.length) }, (_, i) => i).find((i) => !matches(a[i], b[i]));
  if (at === undefined) return undefined;
  return `${actual.length} lines instead of ${expected.length}; in sorted order line ${at + 1} is\n  ${a[at]?.line}\ninstead of\n  ${b[at]?.line}`;
}
