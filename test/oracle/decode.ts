/**
 * NDJSON to rows of a source, one line at a time: the oracle's counterpart of the generated scanner. Numbers count by their value, not
 * their spelling (`1e3` is an integer, `1.5` is not); what a column cannot hold exactly is bad data, floats excepted, which round.
 */
import { NS_PER_MS, parseDate, parseTimeOfDay, parseTimestamp } from "../../src/core/time.ts";
import { isInteger, type ScalarType, TIMESTAMP } from "../../src/data/data-type.ts";
import type { Column, Shape, ShapeField } from "../../src/data/schema.ts";
import type { Format } from "../../src/program/operator.ts";
import { decodeString, type JsonNode, numberText, parseJsonLine, splitLines, wordValue } from "../support/ndjson.ts";
import { decimalToFloat, parseDecimal } from "./cast.ts";
import { inRange, RowError, type Value } from "./value.ts";

type JsonFormat = Extract<Format, { readonly timestampFormat: string }>;

/** Longest line in bytes. */
const MAX_ROW_BYTES = 16 << 20;

/** What a line gave: rows to add and rows to take back, or why it is bad. */
export type DecodedLine = { readonly added: readonly Value[][]; readonly removed: readonly Value[][] } | { readonly bad: string };

function text(node: JsonNode): string {
  if (node.kind !== "string") throw new RowError("wrong type");
  return decodeString(node.raw);
}

function numeric(node: JsonNode): string {
  const digits = node.kind === "number" ? numberText(node.raw) : undefined;
  if (digits === undefined) throw new RowError(node.kind === "number" ? "malformed JSON" : "wrong type");
  return digits;
}

/** The exact value of a number's text, if it is an integer. */
function integral(digits: string): bigint {
  const [mantissa = "", exponent = "0"] = digits.split(/[eE]/);
  const significant = mantissa.replace(/[-.0]/g, "") !== "";
  if (!significant) return 0n;
  if (Number(exponent) > 1000) throw new RowError("number out of range");
  const scale = Math.max(0, (mantissa.split(".")[1]?.length ?? 0) - Number(exponent));
  const unscaled = scale > 5000 ? undefined : parseDecimal(digits, scale);
  if (unscaled === undefined || unscaled % 10n ** BigInt(scale) !== 0n) throw new RowError("wrong type");
  return unscaled / 10n ** BigInt(scale);
}

function present<T>(value: T | undefined, reason: "invalid timestamp" | "wrong type"): T {
  if (value === undefined) throw new RowError(reason);
  return value;
}

function scalar(node: JsonNode, type: ScalarType, format: JsonFormat): Value {
  if (isInteger(type)) return inRange(integral(numeric(node)), type, "number out of range");
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
      return Buffer.from(node.raw).toString("utf8");
    case "timestamp":
      if (format.timestampFormat === "unix_millis") return inRange(integral(numeric(node)) * NS_PER_MS, TIMESTAMP, "number out of range");
      return present(parseTimestamp(text(node)), "invalid timestamp");
    case "date":
      return BigInt(present(parseDate(text(node)), "invalid timestamp"));
    case "time":
      return present(parseTimeOfDay(text(node)), "invalid timestamp");
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
    readFields(isNull(node) ? undefined : node, field.fields, columns, format, row);
    return;
  }
  const column = columns[field.column as number] as Column;
  const value = isNull(node) ? null : scalar(node as JsonNode, column.type, format);
  if (value === null && !column.nullable) throw new RowError("missing value for a NOT NULL column");
  row[field.column as number] = value;
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
    const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
    return { added: [[decoder.decode(line)]], removed: [] };
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
  return splitLines(bytes).map((line) => {
    try {
      return decodeLine(line, format, shape, columns);
    } catch (error) {
      return { bad: error instanceof Error ? error.message : "malformed JSON" };
    }
  });
}
