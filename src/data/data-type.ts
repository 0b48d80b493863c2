/**
 * SQL data types, in two views. `DataType` is what a user declares (structs and arrays nest). `ScalarType` is what the
 * engine moves: nested types are flattened into scalar columns by `schema.ts`, so the engine has no nested values.
 */

/** Integer kinds; the number is the width in bits. Exact: 64-bit integers are native in WebAssembly. */
export type IntegerKind = "int8" | "int16" | "int32" | "int64" | "uint8" | "uint16" | "uint32" | "uint64";

/** A type without structure. `null` is the type of a bare NULL; it never reaches a program. */
export type ScalarType =
  | { readonly kind: "boolean" }
  | { readonly kind: IntegerKind }
  | { readonly kind: "float32" }
  | { readonly kind: "float64" }
  /** 128-bit signed integer × 10^−scale; 1 ≤ precision ≤ 38, 0 ≤ scale ≤ precision. */
  | { readonly kind: "decimal"; readonly precision: number; readonly scale: number }
  /** UTF-8, compared by bytes, not normalised. */
  | { readonly kind: "text" }
  | { readonly kind: "bytes" }
  /** JSON text with a type mark; not parsed. */
  | { readonly kind: "json" }
  /** Nanoseconds since 1970-01-01 UTC, without zone. */
  | { readonly kind: "timestamp" }
  /** Days since 1970-01-01. */
  | { readonly kind: "date" }
  /** Nanoseconds since midnight. */
  | { readonly kind: "time" }
  /** Months, days and nanoseconds, kept apart as in PostgreSQL. Literals only; not a column type of connectors. */
  | { readonly kind: "interval" };

/** A field of a struct or of a declared table. */
export interface Field {
  readonly name: string;
  readonly type: DataType;
  readonly nullable: boolean;
}

/** A type as declared in SQL. */
export type DataType =
  | ScalarType
  | { readonly kind: "null" }
  | { readonly kind: "struct"; readonly fields: readonly Field[] }
  | { readonly kind: "array"; readonly element: DataType };

/** Tag of a scalar type. */
export type ScalarKind = ScalarType["kind"];

/** SQL BOOLEAN. */
export const BOOLEAN: ScalarType = { kind: "boolean" };
/** SQL INT: −2³¹ … 2³¹ − 1. */
export const INT32: ScalarType = { kind: "int32" };
/** SQL BIGINT: −2⁶³ … 2⁶³ − 1. */
export const INT64: ScalarType = { kind: "int64" };
/** SQL BIGINT UNSIGNED: 0 … 2⁶⁴ − 1. */
export const UINT64: ScalarType = { kind: "uint64" };
/** SQL DOUBLE: IEEE 754 binary64. */
export const FLOAT64: ScalarType = { kind: "float64" };
/** SQL TEXT: UTF-8, compared by bytes. */
export const TEXT: ScalarType = { kind: "text" };
/** SQL TIMESTAMP without zone: nanoseconds since the epoch. */
export const TIMESTAMP: ScalarType = { kind: "timestamp" };
/** SQL DATE: days since the epoch. */
export const DATE: ScalarType = { kind: "date" };
/** SQL INTERVAL: months, days and nanoseconds. */
export const INTERVAL: ScalarType = { kind: "interval" };
/** Type of a bare NULL, until a context gives it another. */
export const NULL_TYPE: DataType = { kind: "null" };

const INTEGER_KINDS: ReadonlySet<string> = new Set(["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]);

/** True for the eight integer kinds. */
export function isInteger(type: DataType): type is { readonly kind: IntegerKind } {
  return INTEGER_KINDS.has(type.kind);
}

/** True for integers, floats and decimals. */
export function isNumeric(type: DataType): boolean {
  return isInteger(type) || type.kind === "float32" || type.kind === "float64" || type.kind === "decimal";
}

/** Width in bits and signedness of an integer kind. */
export function integerShape(kind: IntegerKind): { readonly bits: number; readonly signed: boolean } {
  return { bits: Number(kind.replace(/^u?int/, "")), signed: !kind.startsWith("u") };
}

/** Smallest and largest value of an integer kind. */
export function integerRange(kind: IntegerKind): { readonly min: bigint; readonly max: bigint } {
  const { bits, signed } = integerShape(kind);
  const n = BigInt(bits);
  return signed ? { min: -(1n << (n - 1n)), max: (1n << (n - 1n)) - 1n } : { min: 0n, max: (1n << n) - 1n };
}

/** True for types whose values vary in length: `text`, `bytes`, `json`. */
export function isVariable(type: DataType): boolean {
  return type.kind === "text" || type.kind === "bytes" || type.kind === "json";
}

/** True if both types are the same, structurally. */
export function sameType(a: DataType, b: DataType): boolean {
  return printType(a) === printType(b);
}

const SQL_NAMES: Readonly<Record<string, string>> = {
  boolean: "BOOLEAN",
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
  text: "TEXT",
  bytes: "BYTEA",
  json: "JSON",
  timestamp: "TIMESTAMP",
  date: "DATE",
  time: "TIME",
  interval: "INTERVAL",
  null: "NULL",
};

/** The type as SQL spells it. */
export function printType(type: DataType): string {
  switch (type.kind) {
    case "decimal":
      return `DECIMAL(${type.precision}, ${type.scale})`;
    case "array":
      return `${printType(type.element)}[]`;
    case "struct":
      return `STRUCT<${type.fields.map((f) => `${f.name} ${printType(f.type)}${f.nullable ? "" : " NOT NULL"}`).join(", ")}>`;
    default:
      return SQL_NAMES[type.kind] ?? type.kind;
  }
}
