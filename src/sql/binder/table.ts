/**
 * CREATE TABLE: a connector table that is read or written, or a memory table. Errors are reported and leave a broken entry behind, so that
 * queries over the table are not blamed for them.
 */
import { type Field, printType, TEXT } from "../../data/data-type.ts";
import type { ConnectorSpec } from "../../program/connector-spec.ts";
import type { Format } from "../../program/operator.ts";
import type { CatalogEntry } from "../catalog.ts";
import type { ColumnDef, CreateTable } from "../statement.ts";
import { connectorOptions, findConnector, readFormat, refuseUnsupportedOptions, tableUse } from "./connector-options.ts";
import type { BindContext } from "./context.ts";
import { OptionReader } from "./option-reader.ts";
import { bindSource } from "./source.ts";
import { unsupportedPart } from "./supported-type.ts";

/** The columns of a raw_string table that declares none. */
const RAW_FIELDS: readonly Field[] = [{ name: "value", type: TEXT, nullable: true }];

/** The catalog entry of a CREATE TABLE without AS. */
export function bindTable(context: BindContext, specs: readonly ConnectorSpec[], table: CreateTable): CatalogEntry {
  const name = table.name.parts.map((p) => p.text).join(".");
  return bindValidTable(context, specs, table, name) ?? { kind: "broken", name };
}

function bindValidTable(context: BindContext, specs: readonly ConnectorSpec[], table: CreateTable, name: string): CatalogEntry | undefined {
  const { diagnostics } = context;
  const columnsFit = checkColumns(context, table);
  const options = new OptionReader(table.options, diagnostics);
  const connector = options.takeText("connector");
  if (table.partitionedBy.length > 0)
    diagnostics.error("unsupported-syntax", table.partitionedBy[0]?.span, "PARTITIONED BY is not supported yet");
  if (connector === undefined || connector.text.toLowerCase() === "memory") {
    return bindMemoryTable(context, table, name, options, columnsFit);
  }
  const spec = findConnector(specs, connector, diagnostics);
  if (spec === undefined) return undefined;
  if (table.temporary) {
    diagnostics.error("unsupported-syntax", table.name.span, "lookup tables (CREATE TEMPORARY TABLE) are not supported yet");
    return undefined;
  }
  const use = tableUse(spec, options, table.name.span, diagnostics);
  if (use === undefined) return undefined;
  const format = readFormat(options, use, diagnostics, table.name.span);
  refuseUnsupportedOptions(options, diagnostics);
  const values = connectorOptions(spec, use, options, table.name.span, diagnostics);
  const badData = options.takeChoice("bad_data", ["fail", "drop"]) ?? "fail";
  const time = {
    eventTime: options.takeText("event_time_field"),
    watermark: options.takeText("watermark_field"),
    idle: options.takeText("idle_micros"),
  };
  options.refuseRest(`connector ${spec.name}`);
  if (format === undefined || values === undefined || !columnsFit) return undefined;
  if (use === "sink") return bindSink(context, spec, table, name, format, values);
  const effective = sourceFormat(context, spec, table, format);
  if (effective === "error") return undefined;
  const fields = sourceFields(context, spec, table, effective);
  return fields && bindSource(context, { spec, table, name, options: values, format: effective, fields, badData, time });
}

function checkColumns(context: BindContext, table: CreateTable): boolean {
  const { diagnostics } = context;
  const seen = new Set<string>();
  let valid = true;
  const refuse = (column: ColumnDef, message: string): void => {
    diagnostics.error("unsupported-syntax", column.span, message);
    valid = false;
  };
  for (const column of table.columns) {
    if (seen.has(column.name.text)) {
      diagnostics.error("duplicate-name", column.name.span, `column "${column.name.text}" is defined twice`);
      valid = false;
    }
    seen.add(column.name.text);
    const part = unsupportedPart(column.type.type);
    if (part !== undefined) refuse(column, `column "${column.name.text}" has type ${part}, which is not supported yet`);
    if (column.type.type.kind === "interval") refuse(column, `column "${column.name.text}" cannot have type INTERVAL`);
    if (column.metadataKey !== undefined) refuse(column, `metadata columns are not supported yet`);
  }
  for (const key of table.primaryKey) {
    if (table.columns.some((c) => c.name.text.toLowerCase() === key.text.toLowerCase())) continue;
    diagnostics.error("unknown-column", key.span, `column "${key.text}" of the primary key does not exist`);
    valid = false;
  }
  return valid;
}

/** The declared columns that are not generated, as fields. */
function physicalFields(table: CreateTable): Field[] {
  const isKey = (c: ColumnDef): boolean => c.primaryKey || table.primaryKey.some((k) => k.text.toLowerCase() === c.name.text.toLowerCase());
  return table.columns
    .filter((c) => c.generated === undefined)
    .map((c) => ({ name: c.name.text, type: c.type.type, nullable: !(c.notNull || isKey(c)) }));
}

function bindMemoryTable(
  context: BindContext,
  table: CreateTable,
  name: string,
  options: OptionReader,
  columnsFit: boolean,
): CatalogEntry | undefined {
  const { diagnostics } = context;
  options.refuseRest("a memory table");
  const generated = table.columns.find((c) => c.generated !== undefined);
  if (generated !== undefined) diagnostics.error("invalid-table", generated.span, "a memory table cannot have generated columns");
  if (table.watermark !== undefined) diagnostics.error("invalid-watermark", table.watermark.span, "a memory table cannot have a watermark");
  if (table.columns.length === 0) {
    diagnostics.error("invalid-table", table.name.span, `table "${name}" has neither columns nor a connector`, {
      hint: "Add WITH (connector = '…'), or columns for a memory table.",
    });
    return undefined;
  }
  if (generated !== undefined || table.watermark !== undefined || !columnsFit) return undefined;
  return { kind: "memory", name, fields: physicalFields(table), written: undefined };
}

function bindSink(
  context: BindContext,
  spec: ConnectorSpec,
  table: CreateTable,
  name: string,
  format: Format | "default",
  options: Extract<CatalogEntry, { kind: "sink" }>["options"],
): CatalogEntry | undefined {
  const { diagnostics } = context;
  const generated = table.columns.find((c) => c.generated !== undefined);
  if (generated !== undefined) {
    diagnostics.error("invalid-table", generated.span, "a sink cannot have generated columns", {
      hint: "Compute the value in the INSERT's query.",
    });
    return undefined;
  }
  if (table.watermark !== undefined)
    diagnostics.warning("invalid-watermark", table.watermark.span, "the watermark of a sink has no effect");
  if (format === "default" && needsFormat(spec)) return missingFormat(context, spec, table);
  const fields = table.columns.length === 0 ? undefined : physicalFields(table);
  if (format !== "default" && format.kind === "raw_string" && !checkRawFields(context, table, fields ?? RAW_FIELDS)) return undefined;
  return {
    kind: "sink",
    name,
    connector: spec.name,
    options,
    writers: spec.sinkWriters,
    ...(format === "default" ? {} : { format }),
    fields: format !== "default" && format.kind === "raw_string" ? (fields ?? RAW_FIELDS) : fields,
  };
}

/** Connectors with options of their own hold data in a format; the others only show or drop rows. */
function needsFormat(spec: ConnectorSpec): boolean {
  return spec.formatted && Object.keys(spec.options.shape).length > 0;
}

function missingFormat(context: BindContext, spec: ConnectorSpec, table: CreateTable): undefined {
  context.diagnostics.error("missing-option", table.name.span, `a table of connector ${spec.name} needs option "format"`, {
    hint: "Add format = 'json'.",
  });
  return undefined;
}

function sourceFormat(
  context: BindContext,
  spec: ConnectorSpec,
  table: CreateTable,
  format: Format | "default",
): Format | undefined | "error" {
  if (spec.formatted) return format === "default" ? (missingFormat(context, spec, table) ?? "error") : format;
  if (format !== "default" && format.kind !== "json") {
    context.diagnostics.error("invalid-option", table.name.span, `connector ${spec.name} makes rows itself and has no format`);
    return "error";
  }
  return undefined;
}

function sourceFields(
  context: BindContext,
  spec: ConnectorSpec,
  table: CreateTable,
  format: Format | undefined,
): readonly Field[] | undefined {
  const { diagnostics } = context;
  const declared = physicalFields(table);
  if (spec.fixedSchema !== undefined) {
    if (declared.length === 0) return spec.fixedSchema;
    diagnostics.error("invalid-table", table.columns[0]?.span, `connector ${spec.name} has its own columns, none can be declared`, {
      detail: `Its columns are ${spec.fixedSchema.map((f) => `${f.name} ${printType(f.type)}`).join(", ")}.`,
    });
    return undefined;
  }
  if (format?.kind === "raw_string") {
    const fields = declared.length === 0 ? RAW_FIELDS : declared;
    return checkRawFields(context, table, fields) ? fields : undefined;
  }
  if (declared.length > 0) return declared;
  diagnostics.error("invalid-table", table.name.span, "a source needs columns", { hint: "List the columns before WITH." });
  return undefined;
}

function checkRawFields(context: BindContext, table: CreateTable, fields: readonly Field[]): boolean {
  if (fields.length === 1 && fields[0]?.type.kind === "text") return true;
  context.diagnostics.error("invalid-table", table.name.span, "a raw_string table must have exactly one column of type TEXT");
  return false;
}
