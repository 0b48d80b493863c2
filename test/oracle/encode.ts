/**
 * Rows to lines of JSON, and changelogs to the rows they leave. Text escapes `"`, `\` and control characters below U+0020 (as \b \f \n
 * \r \t or \u00xx in lower case) and nothing else; keys in schema order without white space; bytes as lower-case hex digits.
 */
import { parse as parseLossless, stringify } from "lossless-json";
import { internalError } from "../../src/core/errors.ts";
import { floorDiv, formatDate, formatTimeOfDay, formatTimestamp, NS_PER_MS } from "../../src/core/time.ts";
import type { Column, Shape, ShapeField } from "../../src/data/schema.ts";
import type { Format } from "../../src/program/operator.ts";
import { decimalText, jsonFloat } from "./cast.ts";
import type { Value } from "./value.ts";

type JsonFormat = Extract<Format, { readonly timestampFormat: string }>;

function scalarJson(value: Value, column: Column, format: JsonFormat): string {
  if (value === null) return "null";
  if (typeof value === "boolean") return String(value);
  if (typeof value === "number") return Number.isFinite(value) ? jsonFloat(value, column.type) : "null";
  if (typeof value === "string") return column.type.kind === "json" ? value.replace(/[\r\n]/g, " ") : JSON.stringify(value);
  if (value instanceof Uint8Array) return `"${Buffer.from(value).toString("hex")}"`;
  if (typeof value !== "bigint") throw internalError("invariant", "an interval cannot be written");
  switch (column.type.kind) {
    case "timestamp":
      return format.timestampFormat === "unix_millis" ? String(floorDiv(value, NS_PER_MS)) : `"${formatTimestamp(value)}"`;
    case "date":
      return `"${formatDate(Number(value))}"`;
    case "time":
      return `"${formatTimeOfDay(value)}"`;
    case "decimal": {
      const text = decimalText(value, column.type.scale);
      return format.decimalEncoding === "number" ? text : `"${text}"`;
    }
    default:
      return value.toString();
  }
}

/** The fields of `shape` as a JSON object. */
export function rowJson(values: readonly Value[], shape: Shape, columns: readonly Column[], format: JsonFormat): string {
  const field = (f: ShapeField): string => {
    if (f.fields === undefined) return scalarJson(values[f.column as number] ?? null, columns[f.column as number] as Column, format);
    return f.marker !== undefined && values[f.marker] !== true ? "null" : rowJson(values, f.fields, columns, format);
  };
  return `{${shape.map((f) => `${JSON.stringify(f.name)}:${field(f)}`).join(",")}}`;
}

/** One row of the final result in the sink's format: for debezium as the creation of that row. */
export function encodeRow(values: readonly Value[], shape: Shape, columns: readonly Column[], format: Format): string {
  if (format.kind === "raw_string") return values[shape[0]?.column ?? 0] as string;
  const row = rowJson(values, shape, columns, format);
  return format.kind === "json" ? row : `{"before":null,"after":${row},"op":"c"}`;
}

/**
 * The rows that a changelog in `debezium_json` leaves: each row's JSON as often as it was added minus taken back, sorted. Throws if a
 * row was taken back more often than it was added, or an operation does not fit its sides.
 */
export function consolidate(lines: readonly string[]): string[] {
  const weights = new Map<string, number>();
  const add = (row: unknown, weight: number): void => {
    const key = stringify(row) ?? "";
    weights.set(key, (weights.get(key) ?? 0) + weight);
  };
  for (const line of lines) {
    const change = parseLossless(line) as { readonly before: unknown; readonly after: unknown; readonly op: unknown };
    const sides = `${change.op}${change.before === null ? "-" : "b"}${change.after === null ? "-" : "a"}`;
    if (!["c-a", "uba", "db-"].includes(sides)) throw internalError("invariant", `a change does not fit its operation: ${line}`);
    if (change.before !== null) add(change.before, -1);
    if (change.after !== null) add(change.after, 1);
  }
  const rows: string[] = [];
  for (const [row, weight] of weights) {
    if (weight < 0) throw internalError("invariant", `a row was taken back ${-weight} times more than it was added: ${row}`);
    for (let i = 0; i < weight; i++) rows.push(row);
  }
  return rows.sort();
}
