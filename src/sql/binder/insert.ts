/**
 * INSERT and bare SELECT: a query's columns matched with a table's fields by position, with implicit casts. Sinks are collected per table
 * and finished at the end of the script, because several INSERTs into one table become one sink.
 */
import { type DataType, type Field, printType } from "../../data/data-type.ts";
import { flatten } from "../../data/schema.ts";
import type { Format } from "../../program/operator.ts";
import type { MemoryTable, Relation, SinkTable } from "../catalog.ts";
import { type LogicalNode, type LogicalSink, makeCompute, type OutputColumn } from "../logical-plan.ts";
import type { Ident } from "../name.ts";
import type { Span } from "../source-text.ts";
import { appendColumns, type Bound, isNullable, typeOf } from "./bound.ts";
import { conform, describeType, mergeTypes } from "./coercion.ts";
import type { BindContext } from "./context.ts";
import { candidatesFor, didYouMean } from "./environment.ts";

/** What one INSERT writes: a value for each field of the sink. */
export interface BoundInsert {
  readonly relation: Relation;
  readonly span: Span;
}

/** A sink with its inserts so far. */
export interface CollectedSink {
  readonly table: SinkTable;
  readonly inserts: BoundInsert[];
}

/**
 * The query's values in the order of `fields`, conformed to their types; `undefined` after reporting. Columns that the INSERT's list leaves
 * out are NULL.
 */
export function matchFields(
  context: BindContext,
  table: string,
  fields: readonly Field[],
  columns: readonly Ident[],
  relation: Relation,
  span: Span,
): Relation | undefined {
  const values =
    columns.length === 0 ? byPosition(context, table, fields, relation, span) : byName(context, table, fields, columns, relation, span);
  if (values === undefined) return undefined;
  const conformed = fields.map((field, i) => conformField(context, table, field, values[i] ?? { kind: "null" }, span));
  if (!conformed.every((c) => c !== undefined)) return undefined;
  return { node: relation.node, fields: fields.map((f, i) => ({ name: f.name, value: conformed[i] as Bound })) };
}

function countMismatch(context: BindContext, table: string, found: number, wanted: number, span: Span): undefined {
  const message = `the query has ${found} column${found === 1 ? "" : "s"}, but "${table}" takes ${wanted}`;
  context.diagnostics.error("invalid-sink", span, message);
  return undefined;
}

function byPosition(context: BindContext, table: string, fields: readonly Field[], relation: Relation, span: Span): Bound[] | undefined {
  if (relation.fields.length !== fields.length) return countMismatch(context, table, relation.fields.length, fields.length, span);
  return relation.fields.map((f) => f.value);
}

function byName(
  context: BindContext,
  table: string,
  fields: readonly Field[],
  columns: readonly Ident[],
  relation: Relation,
  span: Span,
): Bound[] | undefined {
  const { diagnostics } = context;
  if (relation.fields.length !== columns.length) return countMismatch(context, table, relation.fields.length, columns.length, span);
  const values = new Map<Field, Bound>();
  let valid = true;
  for (const [i, column] of columns.entries()) {
    const [field] = candidatesFor(column, fields);
    if (field === undefined || values.has(field)) {
      const advice =
        field === undefined
          ? didYouMean(
              column.text,
              fields.map((f) => f.name),
            )
          : {};
      const message =
        field === undefined ? `column "${column.text}" does not exist in "${table}"` : `column "${column.text}" is named twice`;
      diagnostics.error(field === undefined ? "unknown-column" : "duplicate-name", column.span, message, advice);
      valid = false;
    } else {
      values.set(field, relation.fields[i]?.value ?? { kind: "null" });
    }
  }
  for (const field of fields) {
    if (values.has(field) || field.nullable) continue;
    diagnostics.error("invalid-sink", span, `column "${field.name}" of "${table}" is NOT NULL, but the INSERT does not name it`);
    valid = false;
  }
  return valid ? fields.map((f): Bound => values.get(f) ?? { kind: "null" }) : undefined;
}

function conformField(context: BindContext, table: string, field: Field, value: Bound, span: Span): Bound | undefined {
  const isSpan = value.kind === "scalar" && value.duration === true;
  const conformed = isSpan ? "mismatch" : conform(value, field.type, field.nullable && field.type.kind === "struct");
  if (typeof conformed !== "string") return conformed;
  const types = `has type ${printType(field.type)}, but the query gives ${printType(describeType(value))}`;
  context.diagnostics.error("type-mismatch", span, `column "${field.name}" of "${table}" ${types}`, {
    hint: isSpan ? "CAST the difference to BIGINT for nanoseconds." : "Convert the value with CAST.",
  });
  return undefined;
}

/** A memory table after its one INSERT. */
export function writeMemoryTable(table: MemoryTable, matched: Relation): MemoryTable {
  const columns: OutputColumn[] = [];
  const fields = matched.fields.map((f) => ({ name: f.name, value: appendColumns(columns, f.name, f.value) }));
  return { ...table, written: { node: makeCompute(matched.node, undefined, columns), fields } };
}

/** The plan of a collected sink; `undefined` after reporting. */
export function finishSink(context: BindContext, sink: CollectedSink): LogicalSink | undefined {
  const { table, inserts } = sink;
  const fields = table.fields ?? inferFields(context, sink);
  if (fields === undefined || !checkNames(context, table.name, fields, inserts)) return undefined;
  const format = chooseFormat(context, sink);
  if (format === undefined) return undefined;
  const rows = inserts.map((insert) => matchFields(context, table.name, fields, [], insert.relation, insert.span));
  if (!rows.every((r) => r !== undefined)) return undefined;
  const actual = fields.map((f, i): Field => {
    return { ...f, nullable: f.type.kind === "struct" ? f.nullable : rows.some((r) => isNullable(r.fields[i]?.value ?? { kind: "null" })) };
  });
  return {
    name: table.name,
    connector: table.connector,
    options: table.options,
    format,
    shape: flatten(actual).shape,
    writers: table.writers,
    inputs: sinkInputs(rows),
  };
}

/** One compute per INSERT, all with the same columns. */
function sinkInputs(rows: readonly Relation[]): LogicalNode[] {
  const lists = rows.map((row) => {
    const columns: OutputColumn[] = [];
    for (const field of row.fields) appendColumns(columns, field.name, field.value);
    return columns;
  });
  return rows.map((row, r) => {
    const columns = (lists[r] ?? []).map((c, i) => ({ ...c, nullable: lists.some((l) => l[i]?.expression.nullable === true) }));
    return makeCompute(row.node, undefined, columns);
  });
}

/** The fields of a sink without columns: those of its queries, which must agree. */
function inferFields(context: BindContext, sink: CollectedSink): readonly Field[] | undefined {
  const [first, ...rest] = sink.inserts as [BoundInsert, ...BoundInsert[]];
  for (const other of rest) {
    if (other.relation.fields.length === first.relation.fields.length) continue;
    const counts = `${other.relation.fields.length}, the first one ${first.relation.fields.length}`;
    context.diagnostics.error(
      "invalid-sink",
      other.span,
      `the queries that write "${sink.table.name}" differ: this one has ${counts} columns`,
    );
    return undefined;
  }
  const fields = first.relation.fields.map((field, i): Field | undefined => {
    const values = sink.inserts.map((s) => s.relation.fields[i]?.value ?? ({ kind: "null" } as const));
    const merged = mergeTypes(values);
    if (merged !== undefined && isColumnType(merged.type)) return { name: field.name, ...merged };
    const types = [...new Set(values.map((v) => printType(merged === undefined ? typeOf(v) : describeType(v))))].join(" and ");
    context.diagnostics.error(
      "type-mismatch",
      first.span,
      `column "${field.name}" of "${sink.table.name}" cannot be written: it has type ${types}`,
    );
    return undefined;
  });
  return fields.every((f) => f !== undefined) ? fields : undefined;
}

function isColumnType(type: DataType): boolean {
  return type.kind !== "interval" && type.kind !== "array" && (type.kind !== "struct" || type.fields.every((f) => isColumnType(f.type)));
}

function checkNames(context: BindContext, table: string, fields: readonly Field[], inserts: readonly BoundInsert[]): boolean {
  const seen = new Set<string>();
  for (const field of fields) {
    if (seen.has(field.name)) {
      const message = `"${table}" would have two columns named "${field.name}"`;
      context.diagnostics.error("duplicate-name", inserts[0]?.span, message, { hint: "Give one of them another name with AS." });
      return false;
    }
    seen.add(field.name);
  }
  return true;
}

/** The sink's format, or what suits the queries; an updating query needs one that can take rows back. */
function chooseFormat(context: BindContext, sink: CollectedSink): Format | undefined {
  const updating = sink.inserts.filter((i) => i.relation.node.schema.updating);
  const { format } = sink.table;
  if (format === undefined) {
    return { kind: updating.length > 0 ? "debezium_json" : "json", timestampFormat: "rfc3339", decimalEncoding: "number" };
  }
  if (format.kind === "debezium_json" || updating.length === 0) return format;
  for (const insert of updating) {
    context.diagnostics.error("changelog", insert.span, `cannot write updating query to append-only sink "${sink.table.name}"`, {
      detail: "The query changes rows that it has written before.",
      hint: "Use format = 'debezium_json', or make the query append-only by grouping by a time window.",
    });
  }
  return undefined;
}
