/** Fields as the API writes them, as SQL declares them, and as the planner knows them. */
import { type DataType, type Field, printType } from "../data/data-type.ts";
import { badRequest } from "./http-error.ts";
import type { SourceField } from "./schema/connection-shapes.ts";

/** What decides a field's type. */
type TypeParts = Pick<SourceField, "type" | "unit" | "precision" | "scale" | "fields" | "items">;

const SIMPLE_SQL: Readonly<Partial<Record<SourceField["type"], string>>> = {
  int8: "TINYINT",
  int16: "SMALLINT",
  int32: "INT",
  int64: "BIGINT",
  uint8: "TINYINT UNSIGNED",
  uint16: "SMALLINT UNSIGNED",
  uint32: "INT UNSIGNED",
  uint64: "BIGINT UNSIGNED",
  float32: "REAL",
  float64: "DOUBLE",
  bool: "BOOLEAN",
  string: "TEXT",
  bytes: "BYTEA",
  json: "JSON",
  date: "DATE",
  time: "TIME",
};
const TIMESTAMP_DIGITS = { second: 0, millisecond: 3, microsecond: 6, nanosecond: 9 } as const;

/** A name in SQL, whatever is in it. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A text in SQL, whatever is in it. */
export function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** The field's type in SQL. Throws 400 naming `path` if a part is missing. */
export function sqlType(field: TypeParts, path: string): string {
  switch (field.type) {
    case "timestamp":
      return `TIMESTAMP(${TIMESTAMP_DIGITS[field.unit ?? "millisecond"]})`;
    case "decimal128":
      if (field.precision == null || field.scale == null)
        throw badRequest(`body field "${path}" of type decimal128 needs "precision" and "scale"`);
      return `DECIMAL(${field.precision}, ${field.scale})`;
    case "struct": {
      const fields = field.fields ?? [];
      if (fields.length === 0) throw badRequest(`body field "${path}" of type struct needs "fields"`);
      return `STRUCT<${fields.map((inner, i) => columnSql(inner, `${path}.fields.${i}`)).join(", ")}>`;
    }
    case "list":
      if (field.items == null) throw badRequest(`body field "${path}" of type list needs "items"`);
      return `ARRAY<${sqlType(field.items, `${path}.items`)}>`;
    default:
      return SIMPLE_SQL[field.type] ?? "TEXT";
  }
}

/** `"name" TYPE NOT NULL`. */
export function columnSql(field: SourceField, path: string): string {
  return `${quoteName(field.name)} ${sqlType(field, path)}${field.required === true ? " NOT NULL" : ""}`;
}

const KIND_TYPES: Readonly<Record<string, SourceField["type"]>> = {
  boolean: "bool",
  text: "string",
  bytes: "bytes",
  json: "json",
  date: "date",
  time: "time",
  float32: "float32",
  float64: "float64",
};

/** A field of a connector's own schema as the API writes it. */
export function fieldOf(field: Field): SourceField {
  return { name: field.name, required: !field.nullable, sql_name: printType(field.type), ...typeOf(field.type) };
}

function typeOf(type: DataType): TypeParts {
  switch (type.kind) {
    case "struct":
      return { type: "struct", fields: type.fields.map(fieldOf) };
    case "array":
      return { type: "list", items: { ...typeOf(type.element), name: "item", required: false } };
    case "timestamp":
      return { type: "timestamp", unit: "nanosecond" };
    case "decimal":
      return { type: "decimal128", precision: type.precision, scale: type.scale };
    default:
      return { type: KIND_TYPES[type.kind] ?? (type.kind as SourceField["type"]) };
  }
}

/** `fields` with their types in SQL, as answers have them. */
export function withSqlNames(fields: readonly SourceField[]): SourceField[] {
  return fields.map((field, i) => ({
    ...field,
    required: field.required ?? false,
    sql_name: sqlType(field, `schema.fields.${i}`),
    ...(field.fields == null ? {} : { fields: withSqlNames(field.fields) }),
  }));
}
