/**
 * Builders of small programs for tests: a graph is written as a chain of operators, edges and fingerprints follow. Columns are named
 * c0, c1 … Exchanges are those that the planner would choose: keyed before aggregates and joins, gather before sinks.
 */
import { internalError } from "../../src/core/errors.ts";
import type { Field, ScalarType } from "../../src/data/data-type.ts";
import { BOOLEAN, INT64, TIMESTAMP } from "../../src/data/data-type.ts";
import type { Column, RowSchema } from "../../src/data/schema.ts";
import { flatten } from "../../src/data/schema.ts";
import type { CallExpression, ColumnExpression, Expression, LiteralExpression, LiteralValue } from "../../src/program/expression.ts";
import type { Aggregate, Format, Operator, Window } from "../../src/program/operator.ts";
import type { Edge, Exchange, Program, Vertex } from "../../src/program/program.ts";
import type { ScalarFunctionName } from "../../src/program/scalar-function.ts";

export const JSON_FORMAT: Format = { kind: "json", timestampFormat: "rfc3339", decimalEncoding: "number" };
export const DEBEZIUM_FORMAT: Format = { ...JSON_FORMAT, kind: "debezium_json" };

/** Column `index` of the input. */
export function column(index: number, type: ScalarType, nullable = true): ColumnExpression {
  return { kind: "column", index, type, nullable };
}

/** A literal. */
export function literal(value: LiteralValue, type: ScalarType): LiteralExpression {
  return { kind: "literal", value, type, nullable: value === null };
}

/** A call; nullable unless the function or its arguments say otherwise. */
export function call(name: ScalarFunctionName, args: readonly Expression[], type: ScalarType = BOOLEAN): CallExpression {
  const never = ["is_null", "is_true", "is_false", "is_distinct", "concat"].includes(name);
  const nullable =
    name === "nullif" ||
    (!never &&
      (name === "coalesce" || name === "greatest" || name === "least" ? args.every((a) => a.nullable) : args.some((a) => a.nullable)));
  return { kind: "call", function: name, arguments: args, type, nullable };
}

/** A built vertex, to be given to the next. */
export interface Built {
  readonly id: number;
  readonly output: RowSchema;
}

/** A table to read. */
export interface SourceTable {
  readonly name: string;
  readonly fields: readonly Field[];
  /** Column index of event time; record time if absent. */
  readonly eventTime?: number;
  /** The watermark is `_timestamp` minus this. */
  readonly delayNs?: bigint;
  readonly badData?: "fail" | "drop";
}

/** Collects vertices and edges. */
export class ProgramBuilder {
  readonly #vertices: Vertex[] = [];
  readonly #edges: Edge[] = [];

  #add(
    name: string,
    operator: Operator,
    output: RowSchema,
    inputs: readonly { readonly from: Built; readonly port?: number; readonly exchange?: Exchange }[],
  ): Built {
    const id = this.#vertices.length;
    this.#vertices.push({ id, name: `${name} ${id}`, operator, output, fingerprint: id.toString(16).padStart(32, "0") });
    const forward: Exchange = { kind: "forward" };
    for (const { from, port = 0, exchange = forward } of inputs) {
      this.#edges.push({ id: this.#edges.length, source: from.id, target: id, port, exchange });
    }
    return { id, output };
  }

  source(table: SourceTable): Built {
    const { columns, shape } = flatten(table.fields);
    const time = column(columns.length, TIMESTAMP, false);
    const delay = literal({ months: 0, days: 0, ns: table.delayNs ?? 1_000_000_000n }, { kind: "interval" });
    const operator: Operator = {
      kind: "source",
      table: table.name,
      connector: "single_file",
      options: { path: `/tmp/${table.name}.ndjson` },
      format: JSON_FORMAT,
      shape,
      declared: table.fields.map((f) => ({ name: f.name, type: f.type.kind === "struct" ? { kind: "struct" } : (f.type as ScalarType) })),
      ...(table.eventTime === undefined
        ? {}
        : { eventTime: column(table.eventTime, TIMESTAMP, columns[table.eventTime]?.nullable ?? true) }),
      watermark: call("timestamp_subtract_interval", [time, delay], TIMESTAMP),
      idleMs: 0,
      badData: table.badData ?? "drop",
    };
    return this.#add("source", operator, { columns, updating: false }, []);
  }

  /** Several inputs are a UNION ALL. */
  compute(from: readonly Built[], outputs: readonly Expression[], filter?: Expression): Built {
    const updating = from.some((f) => f.output.updating);
    const operator: Operator = { kind: "compute", outputs, ...(filter === undefined ? {} : { filter }) };
    return this.#add(
      "compute",
      operator,
      { columns: outputs.map((e, i) => columnOf(e, i)), updating },
      from.map((f) => ({ from: f })),
    );
  }

  window(from: Built, window: Window, keys: readonly Expression[], aggregates: readonly Aggregate[]): Built {
    const { input, keyColumns } = this.#keyed(from, keys);
    const bounds = window.kind === "instant" ? [] : ["start", "end"].map((name) => ({ name, type: TIMESTAMP, nullable: false }));
    const columns = [...keys.map(columnOf), ...bounds, ...aggregates.map(aggregateColumn)];
    const operator: Operator = { kind: "window-aggregate", window, keys, aggregates };
    return this.#add(window.kind, operator, { columns, updating: false }, [{ from: input, exchange: keyColumns }]);
  }

  updating(from: Built, keys: readonly Expression[], aggregates: readonly Aggregate[]): Built {
    const { input, keyColumns } = this.#keyed(from, keys);
    const operator: Operator = { kind: "updating-aggregate", keys, aggregates, ttlMs: 0 };
    return this.#add("updating", operator, { columns: [...keys.map(columnOf), ...aggregates.map(aggregateColumn)], updating: true }, [
      { from: input, exchange: keyColumns },
    ]);
  }

  join(
    left: Built,
    right: Built,
    kind: "inner" | "left" | "right" | "full",
    leftKeys: readonly number[],
    rightKeys: readonly number[],
    filter?: Expression,
  ): Built {
    const expressions = (side: Built, keys: readonly number[]): Expression[] =>
      keys.map((k) => column(k, (side.output.columns[k] as Column).type));
    const outer = (side: Built, nullable: boolean): Column[] =>
      side.output.columns.map((c) => ({ ...c, nullable: c.nullable || nullable }));
    const columns = [...outer(left, kind === "right" || kind === "full"), ...outer(right, kind === "left" || kind === "full")];
    const operator: Operator = {
      kind: "window-join",
      join: kind,
      leftKeys: expressions(left, leftKeys),
      rightKeys: expressions(right, rightKeys),
      ...(filter === undefined ? {} : { filter }),
    };
    return this.#add("join", operator, { columns, updating: false }, [
      { from: left, port: 0, exchange: { kind: "keyed", keys: leftKeys } },
      { from: right, port: 1, exchange: { kind: "keyed", keys: rightKeys } },
    ]);
  }

  /** Encode and sink. Several inputs are several INSERTs. */
  sink(table: string, from: readonly Built[], keyColumns: readonly number[] = []): void {
    const encoded = from.map((f) => {
      const isAmbiguous = new Set(f.output.columns.map((c) => c.name)).size < f.output.columns.length;
      const shape = f.output.columns.map((c, i) => ({
        name: isAmbiguous ? `o${i}` : c.name,
        type: c.type,
        nullable: c.nullable,
        column: i,
      }));
      const operator: Operator = { kind: "encode", format: f.output.updating ? DEBEZIUM_FORMAT : JSON_FORMAT, shape, keyColumns };
      return this.#add("encode", operator, { columns: [], updating: false }, [{ from: f }]);
    });
    const operator: Operator = { kind: "sink", table, connector: "single_file", options: { path: `/tmp/${table}.ndjson` } };
    this.#add(
      "sink",
      operator,
      { columns: [], updating: false },
      encoded.map((e) => ({ from: e, exchange: { kind: "gather" } })),
    );
  }

  build(): Program {
    return { version: 1, vertices: this.#vertices, edges: this.#edges, fingerprint: "0".repeat(32) };
  }

  /** Keys of a keyed edge are columns: a compute vertex appends those that are not. */
  #keyed(from: Built, keys: readonly Expression[]): { readonly input: Built; readonly keyColumns: Exchange } {
    if (keys.length === 0) return { input: from, keyColumns: { kind: "gather" } };
    const indexes = keys.map((key) => (key.kind === "column" && key.index < from.output.columns.length ? key.index : undefined));
    if (indexes.every((i) => i !== undefined)) return { input: from, keyColumns: { kind: "keyed", keys: indexes } };
    throw internalError("invariant", "keys must be columns of the input: project them first");
  }
}

function columnOf(expression: Expression, index: number): Column {
  return { name: `c${index}`, type: expression.type, nullable: expression.nullable };
}

function aggregateColumn(aggregate: Aggregate, index: number): Column {
  return { name: `a${index}`, type: aggregate.type, nullable: aggregate.function !== "count" };
}

/** An aggregate with the type that the contract gives it. */
export function aggregate(
  name: Aggregate["function"],
  argument?: Expression,
  options: { distinct?: boolean; filter?: Expression } = {},
): Aggregate {
  const type = aggregateType(name, argument?.type);
  return {
    function: name,
    distinct: options.distinct ?? false,
    type,
    ...(argument === undefined ? {} : { argument }),
    ...(options.filter === undefined ? {} : { filter: options.filter }),
  };
}

function aggregateType(name: Aggregate["function"], argument: ScalarType | undefined): ScalarType {
  if (name === "count" || argument === undefined) return INT64;
  if (name === "avg") return { kind: "float64" };
  if (name !== "sum") return argument;
  if (argument.kind.startsWith("float")) return { kind: "float64" };
  return argument.kind === "decimal" ? argument : { kind: argument.kind.startsWith("uint") ? "uint64" : "int64" };
}
