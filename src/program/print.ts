/**
 * Programs as text for people and golden tests: one block per vertex in topological order, expressions in a SQL-like spelling with columns
 * as `#index`. Stable: equal programs print alike. `printProgram` leaves the fingerprints out, because every test would show them.
 */
import { formatDuration } from "../core/duration.ts";
import { formatDate, formatTimeOfDay, formatTimestamp } from "../core/time.ts";
import { printType } from "../data/data-type.ts";
import type { RowSchema, Shape } from "../data/schema.ts";
import type { Expression, IntervalValue, LiteralExpression } from "./expression.ts";
import type { Aggregate, Format, Operator, OptionValues, Window } from "./operator.ts";
import { type Exchange, inputs, type Program, type Vertex } from "./program.ts";

/** The program as text, with a final newline. */
export function printProgram(program: Program): string {
  return program.vertices.map((v) => `${printVertex(program, v).join("\n")}\n`).join("");
}

function printVertex(program: Program, vertex: Vertex): string[] {
  const from = inputs(program, vertex.id).map((e) => {
    const port = e.port === 0 ? "" : ` port ${e.port}`;
    return `${e.source} ${printExchange(e.exchange)}${port}`;
  });
  const head = `${vertex.id} ${vertex.operator.kind}${from.length === 0 ? "" : ` <- ${from.join(", ")}`}`;
  const detail = operatorLines(vertex.operator).map((line) => `    ${line}`);
  const rows = vertex.operator.kind === "encode" || vertex.operator.kind === "sink" ? [] : [`    rows ${printSchema(vertex.output)}`];
  return [head, ...detail, ...rows];
}

/** `forward`, `gather`, `keyed #0 #1`. */
export function printExchange(exchange: Exchange): string {
  return exchange.kind === "keyed" ? `keyed ${exchange.keys.map((k) => `#${k}`).join(" ")}` : exchange.kind;
}

/** `(a BIGINT NOT NULL, b TEXT)`, with `updating` before it where that is so. */
export function printSchema(schema: RowSchema): string {
  const columns = schema.columns.map((c) => `${c.name} ${printType(c.type)}${c.nullable ? "" : " NOT NULL"}`);
  return `${schema.updating ? "updating " : ""}(${columns.join(", ")})`;
}

function operatorLines(operator: Operator): string[] {
  switch (operator.kind) {
    case "source":
      return [
        `table ${operator.table} connector ${operator.connector}${printOptions(operator.options)}`,
        ...(operator.format === undefined ? [] : [`format ${printFormat(operator.format)} bad data ${operator.badData}`]),
        `shape ${printShape(operator.shape)}`,
        `event time ${operator.eventTime === undefined ? "by connector" : printExpression(operator.eventTime)}`,
        `watermark ${printExpression(operator.watermark)}${operator.idleMs === 0 ? "" : ` idle ${operator.idleMs} ms`}`,
      ];
    case "compute":
      return [
        ...(operator.filter === undefined ? [] : [`where ${printExpression(operator.filter)}`]),
        `select ${operator.outputs.map((o) => printExpression(o)).join(", ")}`,
      ];
    case "window-aggregate":
      return [`window ${printWindow(operator.window)}`, ...aggregateLines(operator.keys, operator.aggregates)];
    case "updating-aggregate":
      return [...aggregateLines(operator.keys, operator.aggregates), `ttl ${formatDuration(BigInt(operator.ttlMs) * 1_000_000n)}`];
    case "window-join": {
      const keys = operator.leftKeys.map((k, i) => `${printExpression(k)} = ${printExpression(operator.rightKeys[i] as Expression)}`);
      return [
        `${operator.join} on window${keys.map((k) => `, ${k}`).join("")}`,
        ...(operator.filter === undefined ? [] : [`filter ${printExpression(operator.filter)}`]),
      ];
    }
    case "encode":
      return [
        `format ${printFormat(operator.format)}${operator.keyColumns.length === 0 ? "" : ` key ${operator.keyColumns.map((k) => `#${k}`).join(" ")}`}`,
        `shape ${printShape(operator.shape)}`,
      ];
    case "sink":
      return [`table ${operator.table} connector ${operator.connector}${printOptions(operator.options)}`];
  }
}

function aggregateLines(keys: readonly Expression[], aggregates: readonly Aggregate[]): string[] {
  return [
    `keys ${keys.length === 0 ? "none" : keys.map((k) => printExpression(k)).join(", ")}`,
    ...(aggregates.length === 0 ? [] : [`aggregates ${aggregates.map((a) => printAggregate(a)).join(", ")}`]),
  ];
}

/** `sum(distinct #1) filter (where #2)`. */
export function printAggregate(aggregate: Aggregate): string {
  const argument = aggregate.argument === undefined ? "*" : printExpression(aggregate.argument);
  const filter = aggregate.filter === undefined ? "" : ` filter (where ${printExpression(aggregate.filter)})`;
  return `${aggregate.function}(${aggregate.distinct ? "distinct " : ""}${argument})${filter}`;
}

function printWindow(window: Window): string {
  if (window.kind === "instant") return "instant";
  const width = formatDuration(window.widthNs);
  return window.kind === "tumble" ? `tumble ${width}` : `hop ${formatDuration(window.slideNs)} width ${width}`;
}

function printOptions(options: OptionValues): string {
  const entries = Object.entries(options).sort(([a], [b]) => (a < b ? -1 : 1));
  return entries.length === 0 ? "" : ` (${entries.map(([k, v]) => `${k} = ${typeof v === "string" ? `'${v}'` : v}`).join(", ")})`;
}

function printFormat(format: Format): string {
  return format.kind === "raw_string"
    ? format.kind
    : `${format.kind} timestamps ${format.timestampFormat} decimals ${format.decimalEncoding}`;
}

function printShape(shape: Shape): string {
  const fields = shape.map((f) => {
    if (f.fields === undefined) return `${f.name} #${f.column}`;
    return `${f.name}${f.marker === undefined ? "" : ` #${f.marker}`} ${printShape(f.fields)}`;
  });
  return `{${fields.join(", ")}}`;
}

const INFIX: Readonly<Record<string, string>> = {
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
  and: "and",
  or: "or",
  like: "like",
  ilike: "ilike",
  concat_operator: "||",
  is_distinct: "is distinct from",
  timestamp_add_interval: "+",
  timestamp_subtract_interval: "-",
};

/** An expression with every infix operator in parentheses. */
export function printExpression(expression: Expression): string {
  switch (expression.kind) {
    case "column":
      return `#${expression.index}`;
    case "literal":
      return printLiteral(expression);
    case "call": {
      const args = expression.arguments.map((a) => printExpression(a));
      const infix = INFIX[expression.function];
      return infix !== undefined && args.length === 2 ? `(${args.join(` ${infix} `)})` : `${expression.function}(${args.join(", ")})`;
    }
    case "case": {
      const branches = expression.branches.map((b) => `when ${printExpression(b.condition)} then ${printExpression(b.value)}`);
      return `case ${branches.join(" ")} else ${printExpression(expression.otherwise)} end`;
    }
    case "udf":
      return `${expression.name}(${expression.arguments.map((a) => printExpression(a)).join(", ")})`;
    case "cast":
      return `${expression.safe ? "try_cast" : "cast"}(${printExpression(expression.value)} as ${printType(expression.type)})`;
    case "in":
      return `(${printExpression(expression.value)} in (${expression.list.map((l) => printLiteral(l)).join(", ")}))`;
  }
}

function printLiteral(literal: LiteralExpression): string {
  const { value, type } = literal;
  if (value === null) return `null::${printType(type)}`;
  if (typeof value === "boolean") return String(value);
  if (typeof value === "string") return `${type.kind === "json" ? "json " : ""}'${value.replaceAll("'", "''")}'`;
  if (typeof value === "number") return Number.isInteger(value) ? `${Object.is(value, -0) ? "-0" : value}.0` : String(value);
  if (value instanceof Uint8Array) return `x'${Buffer.from(value).toString("hex")}'`;
  if (typeof value === "object") return printInterval(value);
  if (type.kind === "timestamp") return `timestamp '${formatTimestamp(value)}'`;
  if (type.kind === "date") return `date '${formatDate(Number(value))}'`;
  if (type.kind === "time") return `time '${formatTimeOfDay(value)}'`;
  return type.kind === "int64" ? String(value) : `${value}::${printType(type)}`;
}

function printInterval(interval: IntervalValue): string {
  const { months, days, ns } = interval;
  const parts = [
    ...(months === 0 ? [] : [`${months} months`]),
    ...(days === 0 ? [] : [`${days} days`]),
    ...(ns === 0n ? [] : [`${ns < 0n ? "-" : ""}${formatDuration(ns < 0n ? -ns : ns)}`]),
  ];
  return `interval '${parts.length === 0 ? "0" : parts.join(" ")}'`;
}
