/**
 * NDJSON to rows of a source, one line at a time: the oracle's counterpart of the generated scanner. Numbers count by their value, not
 * their spelling (`1e3` is an integer, `1.5` is not); what a column cannot hold exactly is bad data, floats excepted, which round.
 */
import { NS_PER_MS } from "../../src/core/time.ts";
import { INT64, isInteger, type ScalarType, TIMESTAMP } from "../../src/data/data-type.ts";
import type { Column, Shape, ShapeField } from "../../src/data/schema.ts";
import type { Format } from "../../src/program/operator.ts";
import { decodeString, JsonError, type JsonNode, numberText, parseJsonLine, splitLines, wordValue } from "../support/ndjson.ts";
import { decimalToFloat, parseDecimal } from "./cast.ts";
import { readDateText, readTimestampText, readTimeText } from "./time-spelling.ts";
import { inRange, RowError, type RowErrorReason, type Value } from "./value.ts";

type JsonFormat = Extract<Format, { readonly timestampFormat: string }>;

/** Longest line in bytes. */
const MAX_ROW_BYTES = 16 << 20;

/** What a line gave: rows to add and rows to take back, or why it is bad. */
export type DecodedLine =
  | { readonly added: readonly Value[][]; readonly removed: readonly Value[][] }
  /** `column`: the column that could not take its value; absent if the whole line is bad. */
  | { readonly bad: string; readonly column?: number };

/** A column could not take its value. */
class ColumnError extends RowError {
  readonly column: number;

  constructor(reason: RowErrorReason, column: number) {
    super(reason);
    this.column = column;
  }
}

/** Runs `read`; what it refuses is refused in the name of `column`. */
function inColumn<T>(column: number | undefined, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof ColumnError || column === undefined) throw error;
    if (error instanceof RowError) throw new ColumnError(error.reason, column);
    if (error instanceof JsonError) throw new ColumnError(error.kind, column);
    throw error;
  }
}

/** The first column at or below `field`: what a struct without one of its own is known by. */
function firstColumn(field: ShapeField): number | undefined {
  return field.marker ?? field.column ?? field.fields?.map(firstColumn).find((c) => c !== undefined);
}

function text(node: JsonNode): string {
  if (node.kind !== "string") throw new RowError("wrong type");
  return decodeString(node.raw);
}

function utf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new RowError("invalid UTF-8");
  }
}

function numeric(node: JsonNode): string {
  const digits = node.kind === "number" ? numberText(node.raw) : undefined;
  if (digits === undefined) throw new RowError(node.kind === "number" ? "malformed JSON" : "wrong type");
  return digits;
}

/** The exact value of a number's text, if it is an integer of `type`'s range. What is out of range even without its fraction is so. */
function integral(digits: string, type: ScalarType): bigint {
  const [mantissa = "", exponent = "0"] = digits.split(/[eE]/);
  const significant = mantissa.replace(/[-.0]/g, "") !== "";
  if (!significant) return 0n;
  if (Number(exponent) > 1000) throw new RowError("number out of range");
  const scale = Math.max(0, (mantissa.split(".")[1]?.length ?? 0) - Number(exponent));
  const unscaled = scale > 5000 ? undefined : parseDecimal(digits, scale);
  if (unscaled === undefined) throw new RowError("wrong type");
  const value = inRange(unscaled / 10n ** BigInt(scale), type, "number out of range");
  if (unscaled % 10n ** BigInt(scale) !== 0n) throw new RowError("wrong type");
  return value;
}

function present<T>(value: T | undefined, reason: "invalid timestamp" | "wrong type"): T {
  if (value === undefined) throw new RowError(reason);
  return value;
}

function scalar(node: JsonNode, type: ScalarType, format: JsonFormat): Value {
  if (isInteger(type)) return integral(numeric(node), type);
  switch (type.kind) {
    case "boolean": {
      const value = node.kind === "word" ? wordValue(node.raw) : undefined;
      return present(value ?? undefined, "wrong type");
    }
    case "float32":
    case "float64": {
      const value = decimalToFloat(numeric(node), type);
      if (!Number.isFinite(value)) throw new RowError("number out of range");
      return value;
    }
    case "text":
      return text(node);
    case "json":
      return utf8(node.raw);
    case "timestamp":
      if (format.timestampFormat === "unix_millis")
        return inRange(integral(numeric(node), INT64) * NS_PER_MS, TIMESTAMP, "number out of range");
      return present(readTimestampText(text(node)), "invalid timestamp");
    case "date":
      return present(readDateText(text(node)), "invalid timestamp");
    case "time":
      return present(readTimeText(text(node)), "invalid timestamp");
    case "decimal": {
      const digits = format.decimalEncoding === "string" ? text(node) : numeric(node);
      return inRange(present(parseDecimal(digits, type.scale), "wrong type"), type, "number out of range");
    }
    default:
      throw new RowError("wrong type");
  }
}

const isNull = (node: JsonNode | undefined): boolean => node === undefined || (node.kind === "word" && wordValue(node.raw) === null);

/** Fills `row` with the fields of `shape` out of `object`; `undefined`: an object that is NULL. */
function readFields(object: JsonNode | undefined, shape: Shape, columns: readonly Column[], format: JsonFormat, row: Value[]): void {
  if (object !== undefined && object.kind !== "object") throw new RowError("wrong type");
  for (const field of shape) readField(object?.members.get(field.name), field, columns, format, row);
}

function readField(node: JsonNode | undefined, field: ShapeField, columns: readonly Column[], format: JsonFormat, row: Value[]): void {
  if (field.fields !== undefined) {
    if (field.marker !== undefined) row[field.marker] = !isNull(node);
    if (!isNull(node) && node?.kind !== "object") throw new ColumnError("wrong type", firstColumn(field) ?? -1);
    readFields(isNull(node) ? undefined : node, field.fields, columns, format, row);
    return;
  }
  const index = field.column as number;
  const column = columns[index] as Column;
  const value = isNull(node) ? null : inColumn(index, () => scalar(node as JsonNode, column.type, format));
  if (value === null && !column.nullable) throw new ColumnError("missing value for a NOT NULL column", index);
  row[index] = value;
}

function readRow(node: JsonNode | undefined, shape: Shape, columns: readonly Column[], format: JsonFormat): Value[][] {
  if (isNull(node)) return [];
  const row: Value[] = columns.map(() => null);
  readFields(node, shape, columns, format, row);
  return [row];
}

function decodeLine(line: Uint8Array, format: Format, shape: Shape, columns: readonly Column[]): DecodedLine {
  if (line.length > MAX_ROW_BYTES) throw new RowError("row too long");
  if (format.kind === "raw_string") {
    return { added: [[inColumn(0, () => utf8(line.at(-1) === 0x0d ? line.subarray(0, -1) : line))]], removed: [] };
  }
  const node = parseJsonLine(line);
  if (node.kind !== "object") throw new RowError("wrong type");
  if (format.kind === "json") return { added: readRow(node, shape, columns, format), removed: [] };
  const op = text(node.members.get("op") ?? { kind: "word", raw: new Uint8Array() });
  if (!["c", "r", "u", "d"].includes(op)) throw new RowError("wrong type");
  const side = (name: "before" | "after", used: boolean): Value[][] =>
    used ? readRow(node.members.get(name), shape, columns, format) : [];
  return { added: side("after", op !== "d"), removed: side("before", op === "u" || op === "d") };
}

/** Every line of `bytes`, in order. */
export function decodeLines(bytes: Uint8Array, format: Format, shape: Shape, columns: readonly Column[]): DecodedLine[] {
  return splitLines(bytes, format.kind === "raw_string").map((line) => {
    try {
      return decodeLine(line, format, shape, columns);
    } catch (error) {
      const bad = error instanceof Error ? error.message : "malformed JSON";
      return error instanceof ColumnError ? { bad, column: error.column } : { bad };
    }
  });
}
