/**
 * Expressions of a program as SQL text, fully parenthesised and with a cast on every literal, for Wadi's planner and for DuckDB. DuckDB's
 * form means what Wadi means only for expressions of the `duckdb` profile.
 */
import { internalError } from "../../src/core/errors.ts";
import { formatDate, formatTimeOfDay, formatTimestamp } from "../../src/core/time.ts";
import { isInteger, printType, type ScalarType } from "../../src/data/data-type.ts";
import type { CallExpression, Expression, IntervalValue, LiteralExpression } from "../../src/program/expression.ts";
import type { ScalarFunctionName } from "../../src/program/scalar-function.ts";

export type Dialect = "wadi" | "duckdb";

const DUCKDB_TYPES: Readonly<Record<string, string>> = {
  int32: "INTEGER",
  uint8: "UTINYINT",
  uint16: "USMALLINT",
  uint32: "UINTEGER",
  uint64: "UBIGINT",
  text: "VARCHAR",
  timestamp: "TIMESTAMP_NS",
};

/** A type's name in the dialect. */
export function typeSql(type: ScalarType, dialect: Dialect): string {
  return (dialect === "duckdb" ? DUCKDB_TYPES[type.kind] : undefined) ?? printType(type);
}

const OPERATORS: Partial<Readonly<Record<ScalarFunctionName, string>>> = {
  add: "+",
  subtract: "-",
  multiply: "*",
  divide: "/",
  modulo: "%",
  eq: "=",
  ne: "<>",
  lt: "<",
  le: "<=",
  gt: ">",
  ge: ">=",
  is_distinct: "IS DISTINCT FROM",
  and: "AND",
  or: "OR",
  bit_and: "&",
  bit_or: "|",
  bit_xor: "^",
  like: "LIKE",
  ilike: "ILIKE",
  concat_operator: "||",
  timestamp_add_interval: "+",
  timestamp_subtract_interval: "-",
  timestamp_diff_ns: "-",
};

/** Functions whose SQL name is not their own. */
const NAMES: Readonly<Record<Dialect, Partial<Readonly<Record<ScalarFunctionName, string>>>>> = {
  wadi: { log10: "log10" },
  duckdb: { char_length: "length", octet_length: "strlen", btrim: "trim", signum: "sign" },
};

const quote = (text: string): string => `'${text.replaceAll("'", "''")}'`;

function intervalSql({ months, days, ns }: IntervalValue): string {
  const parts = [`${months} months`, `${days} days`, `${ns / 1_000_000_000n} seconds`].filter((part) => !part.startsWith("0 "));
  const micros = (ns % 1_000_000_000n) / 1000n;
  if (micros !== 0n) parts.push(`${micros} microseconds`);
  return `INTERVAL ${quote(parts.length === 0 ? "0 seconds" : parts.join(" "))}`;
}

/** A literal as its text, cast to its type. */
export function literalSql({ value, type }: LiteralExpression, dialect: Dialect): string {
  if (value !== null && typeof value === "object" && !(value instanceof Uint8Array)) return intervalSql(value);
  return `CAST(${bareLiteral(value, type)} AS ${typeSql(type, dialect)})`;
}

function bareLiteral(value: LiteralExpression["value"], type: ScalarType): string {
  if (value === null) return "NULL";
  if (typeof value === "boolean") return value ? "TRUE" : "FALSE";
  if (typeof value === "string") return quote(value);
  // Numbers as text: a sign binds weaker than a cast, and 2^63 has no positive BIGINT.
  if (typeof value === "number") return quote(String(value));
  if (typeof value !== "bigint") throw internalError("invariant", "bytes have no literal here");
  if (type.kind === "timestamp") return quote(formatTimestamp(value));
  if (type.kind === "date") return quote(formatDate(Number(value)));
  if (type.kind === "time") return quote(formatTimeOfDay(value));
  return quote(value.toString());
}

/** The expression in SQL; `names[i]` is physical column i. */
export function expressionSql(expression: Expression, names: readonly string[], dialect: Dialect): string {
  const sql = (e: Expression): string => expressionSql(e, names, dialect);
  switch (expression.kind) {
    case "column": {
      const name = names[expression.index];
      if (name === undefined) throw internalError("invariant", `column ${expression.index} has no name`);
      return name;
    }
    case "literal":
      return literalSql(expression, dialect);
    case "case":
      return `CASE ${expression.branches.map((b) => `WHEN ${sql(b.condition)} THEN ${sql(b.value)}`).join(" ")} ELSE ${sql(expression.otherwise)} END`;
    case "cast":
      return `${expression.safe ? "TRY_CAST" : "CAST"}(${sql(expression.value)} AS ${typeSql(expression.type, dialect)})`;
    case "in":
      return `(${sql(expression.value)} IN (${expression.list.map(sql).join(", ")}))`;
    case "udf":
      return `${expression.name}(${expression.arguments.map(sql).join(", ")})`;
    case "call":
      return callSql(expression, sql, dialect);
  }
}

function callSql(call: CallExpression, sql: (e: Expression) => string, dialect: Dialect): string {
  const args = call.arguments.map((a, i) => (i === 0 && isUnit(call) && a.kind === "literal" ? quote(String(a.value)) : sql(a)));
  const [a = "", b = ""] = args;
  const operator = dialect === "duckdb" && call.function === "divide" && isInteger(call.type) ? "//" : OPERATORS[call.function];
  if (dialect === "duckdb" && call.function === "bit_xor") return `xor(${a}, ${b})`;
  if (dialect === "duckdb" && call.function === "like") return `(${a} LIKE ${b} ESCAPE '\\')`;
  if (dialect === "duckdb" && (call.function === "lpad" || call.function === "rpad")) {
    return `${call.function}(${a}, CAST(${b} AS INTEGER), ${args[2] ?? ""})`;
  }
  if (operator !== undefined) return `(${a} ${operator} ${b})`;
  switch (call.function) {
    case "negate":
      return `(- ${a})`;
    case "not":
      return `(NOT ${a})`;
    case "is_null":
      return `(${a} IS NULL)`;
    case "is_true":
      return dialect === "duckdb" ? `(${a} IS NOT DISTINCT FROM TRUE)` : `(${a} IS TRUE)`;
    case "is_false":
      return dialect === "duckdb" ? `(${a} IS NOT DISTINCT FROM FALSE)` : `(${a} IS FALSE)`;
    default:
      return `${NAMES[dialect][call.function] ?? call.function}(${args.join(", ")})`;
  }
}

/** Whether the first argument is a unit, which must be a bare literal. */
function isUnit(call: CallExpression): boolean {
  return call.function === "date_trunc" || call.function === "date_part";
}
