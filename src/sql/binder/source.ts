/**
 * The readable side of CREATE TABLE: the scan with its event time and watermark, and generated columns computed above it.
 */
import { type Field, INTERVAL, printType, TIMESTAMP } from "../../data/data-type.ts";
import { flatten } from "../../data/schema.ts";
import type { ConnectorSpec } from "../../program/connector-spec.ts";
import type { Expression } from "../../program/expression.ts";
import type { Format, OptionValues } from "../../program/operator.ts";
import type { CatalogEntry, Relation } from "../catalog.ts";
import { columnAt, identityOutputs, makeCompute, makeScan, type OutputColumn, type SourceTable } from "../logical-plan.ts";
import type { Ident } from "../name.ts";
import type { Span } from "../source-text.ts";
import type { ColumnDef, CreateTable } from "../statement.ts";
import { appendColumns, type Bound, boundsOfShape, literal, scalar, strictCall } from "./bound.ts";
import { conform, describeType } from "./coercion.ts";
import type { BindContext } from "./context.ts";
import { candidatesFor, didYouMean, type Environment, type Scope } from "./environment.ts";
import { bindExpression } from "./expression.ts";

/** An option's text with its place. */
interface TextOption {
  readonly text: string;
  readonly span: Span;
}

/** Everything about a source but its time. */
export interface SourceParts {
  readonly spec: ConnectorSpec;
  readonly table: CreateTable;
  readonly name: string;
  readonly options: OptionValues;
  readonly format: Format | undefined;
  readonly fields: readonly Field[];
  readonly badData: "fail" | "drop";
  readonly time: {
    readonly eventTime: TextOption | undefined;
    readonly watermark: TextOption | undefined;
    readonly idle: TextOption | undefined;
  };
}

/** A partition without rows for this long is idle, in ms: Arroyo's default of 5 minutes. */
const DEFAULT_IDLE_MS = 300_000;

/** The catalog entry of a source; `undefined` after reporting. */
export function bindSource(context: BindContext, parts: SourceParts): CatalogEntry | undefined {
  const { columns, shape } = flatten(parts.fields);
  const bounded = parts.spec.bounded(parts.options);
  const base = {
    name: parts.name,
    connector: parts.spec.name,
    options: parts.options,
    ...(parts.format === undefined ? {} : { format: parts.format }),
    fields: parts.fields,
    columns,
    shape,
    idleMs: idleMs(context, parts, bounded),
    badData: parts.badData,
    bounded,
  };
  const everything = columns.map((_, i) => i);
  const draft = makeScan({ ...base, watermark: literal(null, TIMESTAMP) }, everything);
  const physical = boundsOfShape(shape, draft.schema);
  const scope: Scope = { fields: physical.map((f) => ({ ...f, qualifier: parts.name })), node: draft };
  const generated = bindGenerated(context, parts.table, scope);
  if (generated === undefined) return undefined;
  const all: Scope = { fields: [...scope.fields, ...generated.map((g) => ({ ...g, qualifier: parts.name }))], node: draft };
  const time = bindTime(context, parts, all);
  if (time === undefined) return undefined;
  const source: SourceTable = { ...base, ...time };
  return { kind: "relation", name: parts.name, what: "table", relation: sourceRelation(parts.table, source, physical, generated) };
}

function idleMs(context: BindContext, parts: SourceParts, bounded: boolean): number {
  const { idle } = parts.time;
  if (idle === undefined) return bounded ? 0 : DEFAULT_IDLE_MS;
  if (!/^-?\d+$/.test(idle.text)) {
    context.diagnostics.error("invalid-option", idle.span, 'option "idle_micros" must be a number of microseconds');
    return 0;
  }
  const micros = Number(idle.text);
  return bounded || micros <= 0 ? 0 : Math.max(1, Math.floor(micros / 1000));
}

/** A generated column with its value over the scan's columns. */
interface Generated {
  readonly name: string;
  readonly value: Bound;
}

/** Generated columns see the physical ones only. */
function bindGenerated(context: BindContext, table: CreateTable, scope: Scope): Generated[] | undefined {
  const env: Environment = { diagnostics: context.diagnostics, udfs: context.udfs, scope, clause: "a generated column" };
  const generated = table.columns.filter((c) => c.generated !== undefined).map((c) => bindGeneratedColumn(env, c));
  return generated.every((g) => g !== undefined) ? generated : undefined;
}

function bindGeneratedColumn(env: Environment, column: ColumnDef): Generated | undefined {
  if (column.generated === undefined) return undefined;
  const value = bindExpression(env, column.generated);
  if (value.kind === "unknown") return undefined;
  const conformed = conform(value, column.type.type, !column.notNull);
  if (typeof conformed !== "string") return { name: column.name.text, value: conformed };
  const found = printType(describeType(value));
  const message = `generated column "${column.name.text}" has type ${printType(column.type.type)}, but its expression has ${found}`;
  env.diagnostics.error("type-mismatch", column.generated.span, message);
  return undefined;
}

/** Event time and watermark of the table; `undefined` after reporting. */
function bindTime(context: BindContext, parts: SourceParts, scope: Scope): Pick<SourceTable, "eventTime" | "watermark"> | undefined {
  const { table, time, spec } = parts;
  const { diagnostics } = context;
  const timestamp = columnAt(scope.node.schema, scope.node.schema.columns.length);
  if (table.watermark !== undefined && (time.eventTime ?? time.watermark) !== undefined) {
    diagnostics.error(
      "invalid-watermark",
      table.watermark.span,
      "WATERMARK FOR and event_time_field or watermark_field exclude each other",
    );
    return undefined;
  }
  const eventIdent = table.watermark?.column ?? optionIdent(time.eventTime) ?? fixedIdent(spec, table);
  const event = eventIdent && timestampColumn(context, scope, eventIdent, parts.name);
  if (eventIdent !== undefined && event === undefined) return undefined;
  const watermarkIdent = optionIdent(time.watermark);
  const field = watermarkIdent && timestampColumn(context, scope, watermarkIdent, parts.name);
  if (watermarkIdent !== undefined && field === undefined) return undefined;
  const written = table.watermark?.expr && watermarkExpression(context, scope, table.watermark.expr);
  if (table.watermark?.expr !== undefined && written === undefined) return undefined;
  const second = literal({ months: 0, days: 0, ns: 1_000_000_000n }, INTERVAL);
  const late = strictCall("timestamp_subtract_interval", TIMESTAMP, timestamp, second);
  const watermark = written ?? field ?? (table.watermark === undefined ? late : timestamp);
  return { ...(event === undefined ? {} : { eventTime: event }), watermark };
}

function optionIdent(option: TextOption | undefined): Ident | undefined {
  return option && { text: option.text, quoted: false, span: option.span };
}

function fixedIdent(spec: ConnectorSpec, table: CreateTable): Ident | undefined {
  return spec.fixedEventTime === undefined ? undefined : { text: spec.fixedEventTime, quoted: true, span: table.name.span };
}

function timestampColumn(context: BindContext, scope: Scope, ident: Ident, table: string): Expression | undefined {
  const { diagnostics } = context;
  const [found] = candidatesFor(ident, scope.fields);
  if (found === undefined) {
    const advice = didYouMean(
      ident.text,
      scope.fields.map((f) => f.name),
    );
    diagnostics.error("invalid-watermark", ident.span, `column "${ident.text}" does not exist in table "${table}"`, advice);
    return undefined;
  }
  if (found.value.kind === "scalar" && found.value.expression.type.kind === "timestamp") return found.value.expression;
  const type = printType(describeType(found.value));
  diagnostics.error("invalid-watermark", ident.span, `event time column "${ident.text}" must be TIMESTAMP, not ${type}`);
  return undefined;
}

function watermarkExpression(context: BindContext, scope: Scope, expr: Parameters<typeof bindExpression>[1]): Expression | undefined {
  const value = bindExpression({ diagnostics: context.diagnostics, udfs: context.udfs, scope, clause: "a watermark" }, expr);
  if (value.kind === "unknown") return undefined;
  if (value.kind === "scalar" && value.expression.type.kind === "timestamp") return value.expression;
  context.diagnostics.error("invalid-watermark", expr.span, `a watermark must be TIMESTAMP, not ${printType(describeType(value))}`);
  return undefined;
}

/** The table's rows with its fields in declared order, generated ones computed above the scan. */
function sourceRelation(
  table: CreateTable,
  source: SourceTable,
  physical: readonly { readonly name: string; readonly value: Bound }[],
  generated: readonly Generated[],
): Relation {
  const scan = makeScan(
    source,
    source.columns.map((_, i) => i),
  );
  if (generated.length === 0) return { node: scan, fields: physical };
  const columns: OutputColumn[] = identityOutputs(scan.schema);
  const computed = new Map(generated.map((g) => [g.name, appendColumns(columns, g.name, g.value)]));
  const order =
    source.fields.length > 0 && table.columns.some((c) => c.generated === undefined) ? table.columns.map((c) => c.name.text) : undefined;
  const names = order ?? [...physical.map((f) => f.name), ...generated.map((g) => g.name)];
  const fields = names.map((name) => ({
    name,
    value: computed.get(name) ?? physical.find((f) => f.name === name)?.value ?? scalar(literal(null, TIMESTAMP)),
  }));
  return { node: makeCompute(scan, undefined, columns), fields };
}
