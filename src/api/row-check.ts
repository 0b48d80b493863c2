/**
 * Whether a line of JSON fits a table's fields: what the test of a connection says of the first rows. It is a check before the pipeline exists,
 * for people; the generated scanner alone decides what a row is.
 */
import { parseDate, parseTimeOfDay, parseTimestamp } from "../core/time.ts";
import type { SourceField } from "./schema/connection-shapes.ts";

/** What decides whether a value fits. */
type FieldParts = Pick<SourceField, "type" | "fields" | "required" | "items">;

/** How timestamps are written. */
export type TimestampFormat = "rfc3339" | "unix_millis";

/** Why `line` does not fit `fields`: `field "price" must be an integer, not "x"`; `undefined` if it does. */
export function problemOfLine(line: string, fields: readonly SourceField[], timestamps: TimestampFormat): string | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    return `is not valid JSON: ${error instanceof Error ? error.message : String(error)}`;
  }
  if (!isObject(value)) return `is ${shown(value)} instead of a JSON object`;
  return problemOfFields(value, fields, timestamps, "");
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function problemOfFields(
  value: Readonly<Record<string, unknown>>,
  fields: readonly SourceField[],
  timestamps: TimestampFormat,
  prefix: string,
): string | undefined {
  for (const field of fields) {
    const problem = problemOf(value[field.name], field, timestamps, `${prefix}${field.name}`);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function problemOf(value: unknown, field: FieldParts, timestamps: TimestampFormat, path: string): string | undefined {
  if (value === undefined || value === null) {
    return field.required === true ? `field "${path}" is ${value === null ? "null" : "missing"}, and it is required` : undefined;
  }
  if (field.type === "struct") {
    if (!isObject(value)) return `field "${path}" must be an object, not ${shown(value)}`;
    return problemOfFields(value, field.fields ?? [], timestamps, `${path}.`);
  }
  if (field.type === "list") {
    if (!Array.isArray(value)) return `field "${path}" must be a list, not ${shown(value)}`;
    const { items } = field;
    return items == null ? undefined : value.map((v, i) => problemOf(v, items, timestamps, `${path}[${i}]`)).find((p) => p !== undefined);
  }
  const expected = expectedOf(value, field.type, timestamps);
  return expected === undefined ? undefined : `field "${path}" must be ${expected}, not ${shown(value)}`;
}

const INTEGERS: Readonly<Partial<Record<SourceField["type"], readonly [min: number, max: number]>>> = {
  int8: [-128, 127],
  int16: [-32_768, 32_767],
  int32: [-2_147_483_648, 2_147_483_647],
  // JSON.parse rounds beyond 2^53: the bounds are rounded alike.
  int64: [-(2 ** 63), 2 ** 63],
  uint8: [0, 255],
  uint16: [0, 65_535],
  uint32: [0, 4_294_967_295],
  uint64: [0, 2 ** 64],
};

/** What a scalar must be, if it is not. */
function expectedOf(value: unknown, type: SourceField["type"], timestamps: TimestampFormat): string | undefined {
  const range = INTEGERS[type];
  if (range !== undefined) {
    const fits = Number.isInteger(value) && (value as number) >= range[0] && (value as number) <= range[1];
    return fits ? undefined : type.endsWith("64") ? "an integer of 64 bits" : `an integer from ${range[0]} to ${range[1]}`;
  }
  switch (type) {
    case "float32":
    case "float64":
      return typeof value === "number" ? undefined : "a number";
    case "decimal128":
      return typeof value === "number" || (typeof value === "string" && value !== "" && Number.isFinite(Number(value)))
        ? undefined
        : "a number";
    case "bool":
      return typeof value === "boolean" ? undefined : "true or false";
    case "timestamp":
      if (timestamps === "unix_millis") return Number.isInteger(value) ? undefined : "an integer of milliseconds since 1970";
      return typeof value === "string" && parseTimestamp(value) !== undefined ? undefined : 'a time such as "2024-05-01T12:00:00Z"';
    case "date":
      return typeof value === "string" && parseDate(value) !== undefined ? undefined : 'a date such as "2024-05-01"';
    case "time":
      return typeof value === "string" && parseTimeOfDay(value) !== undefined ? undefined : 'a time of day such as "12:00:00"';
    case "string":
    case "bytes":
      return typeof value === "string" ? undefined : "a text";
    default:
      return undefined;
  }
}

const SHOWN_LENGTH = 60;

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > SHOWN_LENGTH ? `${text.slice(0, SHOWN_LENGTH)}…` : text;
}
