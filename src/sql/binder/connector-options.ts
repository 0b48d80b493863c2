/**
 * Checks a connector table's options: those of every table here, those of the connector by its spec's schema.
 */
import { nearestName } from "../../core/nearest.ts";
import type { ConnectorSpec, TableUse } from "../../program/connector-spec.ts";
import type { Format, OptionValues } from "../../program/operator.ts";
import type { DiagnosticCollector } from "../diagnostics.ts";
import type { Span } from "../source-text.ts";
import { type OptionReader, plainValue } from "./option-reader.ts";

/** The connector that `connector = '…'` names, or `undefined` after reporting. */
export function findConnector(
  specs: readonly ConnectorSpec[],
  name: { readonly text: string; readonly span: Span },
  diagnostics: DiagnosticCollector,
): ConnectorSpec | undefined {
  const spec = specs.find((s) => s.name === name.text.toLowerCase());
  if (spec === undefined) {
    const names = specs.map((s) => s.name);
    const nearest = nearestName(name.text, names);
    diagnostics.error("invalid-option", name.span, `connector "${name.text}" does not exist`, {
      detail: `Connectors are ${names.join(", ")}.`,
      ...(nearest === undefined ? {} : { hint: `Did you mean '${nearest}'?` }),
    });
  }
  return spec;
}

/** What the table is used for; a connector with one use needs no `type`. `undefined` after reporting. */
export function tableUse(
  spec: ConnectorSpec,
  options: OptionReader,
  tableSpan: Span,
  diagnostics: DiagnosticCollector,
): TableUse | undefined {
  const given = options.takeText("type");
  if (given === undefined) {
    if (spec.uses.length === 1) return spec.uses[0];
    diagnostics.error("missing-option", tableSpan, `a table of connector ${spec.name} needs option "type"`, {
      hint: `Add ${spec.uses.map((u) => `type = '${u}'`).join(" or ")}.`,
    });
    return undefined;
  }
  const use = (["source", "sink", "lookup"] as const).find((u) => u === given.text.toLowerCase());
  if (use !== undefined && spec.uses.includes(use)) return use;
  diagnostics.error("invalid-option", given.span, `connector ${spec.name} cannot be a ${given.text}`, {
    hint: `Use ${spec.uses.map((u) => `type = '${u}'`).join(" or ")}.`,
  });
  return undefined;
}

const FORMATS = ["json", "debezium_json", "raw_string", "avro", "protobuf", "parquet", "raw_bytes"] as const;
const SUPPORTED: ReadonlySet<string> = new Set(["json", "debezium_json", "raw_string"]);

/** The format, or `default` if none is given, or `undefined` after reporting. */
export function readFormat(
  options: OptionReader,
  use: TableUse,
  diagnostics: DiagnosticCollector,
  tableSpan: Span,
): Format | "default" | undefined {
  const option = options.take("format");
  const timestampFormat = timestampFormatOption(options);
  const decimalEncoding = options.takeChoice("json.decimal_encoding", ["number", "string", "bytes"]);
  if (option === undefined) return "default";
  const name = String(plainValue(option.value)).toLowerCase();
  const kind = FORMATS.find((f) => f === name);
  if (kind === undefined || !SUPPORTED.has(kind)) {
    const nearest = nearestName(name, FORMATS);
    const message = kind === undefined ? `format "${name}" does not exist` : `format ${kind} is not supported yet`;
    diagnostics.error(kind === undefined ? "invalid-option" : "unsupported-syntax", option.value.span, message, {
      hint: kind === undefined && nearest !== undefined ? `Did you mean '${nearest}'?` : "Use format = 'json'.",
    });
    return undefined;
  }
  if (kind === "debezium_json" && use === "source") {
    diagnostics.error("unsupported-syntax", option.value.span, "a debezium_json source is not supported yet", {
      detail: "Tables can be written in debezium_json, and read as json or raw_string.",
    });
    return undefined;
  }
  if (use !== "source" && use !== "sink") diagnostics.error("invalid-option", tableSpan, `a ${use} table has no format`);
  if (kind === "raw_string") return { kind };
  const isDebezium = kind === "debezium_json";
  return {
    kind: isDebezium ? "debezium_json" : "json",
    timestampFormat: timestampFormat ?? (isDebezium ? "unix_millis" : "rfc3339"),
    decimalEncoding: decimalEncoding ?? (isDebezium ? "bytes" : "number"),
  };
}

function timestampFormatOption(options: OptionReader): "rfc3339" | "unix_millis" | undefined {
  const choice = options.takeChoice("json.timestamp_format", ["rfc3339", "unix_millis", "unixmillis"]);
  return choice === "unixmillis" ? "unix_millis" : choice;
}

/** Options of Arroyo's that mean something Wadi does not have yet, or nothing when they are off. */
const UNSUPPORTED_OPTIONS = [
  "connection_profile",
  "framing",
  "framing.newline.max_length",
  "json.confluent_schema_registry",
  "json.confluent_schema_version",
  "json.include_schema",
  "json.unstructured",
  "json.compression",
  "avro.confluent_schema_registry",
  "avro.raw_datums",
  "avro.into_unstructured_json",
  "parquet.compression",
  "parquet.row_group_size",
  "lookup.cache.max_bytes",
  "lookup.cache.ttl",
];

/** Refuses options that are right in Arroyo and not supported here; switched off or at their default they are accepted. */
export function refuseUnsupportedOptions(options: OptionReader, diagnostics: DiagnosticCollector): void {
  for (const key of UNSUPPORTED_OPTIONS) {
    const option = options.takeText(key);
    const harmless = option !== undefined && ["false", "no", "newline", "uncompressed"].includes(option.text.toLowerCase());
    if (option !== undefined && !harmless) diagnostics.error("unsupported-syntax", option.span, `option "${key}" is not supported yet`);
  }
}

/** The connector's own options by its schema, or `undefined` after reporting. Options with `uses` in their metadata are for those only. */
export function connectorOptions(
  spec: ConnectorSpec,
  use: TableUse,
  options: OptionReader,
  tableSpan: Span,
  diagnostics: DiagnosticCollector,
): OptionValues | undefined {
  const given = options.takeAll(Object.keys(spec.options.shape));
  const misplaced = [...given].filter(([key]) => !isForUse(spec, key, use));
  for (const [key, option] of misplaced) {
    diagnostics.error("invalid-option", option.keySpan, `option "${key}" has no meaning for a ${use}`, {
      detail: descriptionOf(spec, key),
    });
  }
  if (misplaced.length > 0) return undefined;
  const result = spec.options.safeParse(Object.fromEntries([...given].map(([key, option]) => [key, plainValue(option.value)])));
  if (result.success) return definedValues(result.data);
  for (const issue of result.error.issues) {
    const key = String(issue.path[0] ?? "");
    const option = given.get(key);
    if (option === undefined) {
      diagnostics.error("missing-option", tableSpan, `a table of connector ${spec.name} needs option "${key}"`, {
        hint: descriptionOf(spec, key),
      });
    } else {
      const reason = issue.code === "invalid_type" ? `it must be a ${issue.expected}` : lowerFirst(issue.message);
      diagnostics.error("invalid-option", option.value.span, `option "${key}" is not valid: ${reason}`, {
        detail: descriptionOf(spec, key),
      });
    }
  }
  return undefined;
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}

function isForUse(spec: ConnectorSpec, key: string, use: TableUse): boolean {
  const schema: { meta?: () => Readonly<Record<string, unknown>> | undefined } | undefined = spec.options.shape[key];
  const uses = schema?.meta?.()?.["uses"];
  return !Array.isArray(uses) || uses.includes(use);
}

function descriptionOf(spec: ConnectorSpec, key: string): string | undefined {
  const schema: { readonly description?: string | undefined } | undefined = spec.options.shape[key];
  return schema?.description;
}

function definedValues(data: Readonly<Record<string, unknown>>): OptionValues {
  const values: Record<string, string | number | boolean> = {};
  for (const [key, value] of Object.entries(data)) {
    if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") values[key] = value;
  }
  return values;
}
