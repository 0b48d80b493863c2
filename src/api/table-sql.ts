/**
 * A connection table as the CREATE TABLE that it stands for. Names and texts are quoted, so nothing that a user wrote becomes SQL.
 */
import type { JsonObject } from "../db/pipelines.ts";
import type { ConnectorSpec, TableUse } from "../program/connector-spec.ts";
import { columnSql, quoteName, quoteText } from "./field-types.ts";
import { badRequest } from "./http-error.ts";
import { fieldsOfJsonSchema } from "./json-schema-fields.ts";
import type { ConnectionSchema, SourceField } from "./schema/connection-shapes.ts";

/** What a table is made of. */
export interface TableParts {
  readonly name: string;
  readonly spec: ConnectorSpec;
  readonly use: TableUse;
  /** Options of the profile and of the table. */
  readonly config: JsonObject;
  readonly schema: ConnectionSchema | undefined;
}

/** What a table is used as: as it says, else the connector's only use. Throws 400. */
export function tableUseOf(spec: ConnectorSpec, config: JsonObject, given: TableUse | undefined): TableUse {
  const named = config["type"];
  const use = given ?? (typeof named === "string" ? spec.uses.find((u) => u === named.toLowerCase()) : undefined);
  const uses = spec.uses.map((u) => `"${u}"`).join(" or ");
  if (use === undefined && named !== undefined && named !== null) throw badRequest(`body field "config.type" must be ${uses}`);
  const only = spec.uses.length === 1 ? spec.uses[0] : undefined;
  const chosen = use ?? only;
  if (chosen === undefined) throw badRequest(`body field "config.type" is missing: it must be ${uses}`);
  if (!spec.uses.includes(chosen)) throw badRequest(`connector "${spec.name}" cannot be a ${chosen}: "table_type" must be ${uses}`);
  return chosen;
}

/** The fields of a schema: as listed, or out of its definition. Throws 400. */
export function schemaFields(schema: ConnectionSchema | undefined): readonly SourceField[] {
  if (schema?.fields != null && schema.fields.length > 0) return schema.fields;
  if (schema?.definition == null) return [];
  if (schema.definition.type === "json_schema") return fieldsOfJsonSchema(schema.definition.schema);
  throw badRequest(`body field "schema.definition.type": "${schema.definition.type}" is not supported yet`, { hint: 'Use "json_schema".' });
}

/** The statement. Throws 400 for a schema that has no meaning in SQL. */
export function createTableSql({ name, spec, use, config, schema }: TableParts): string {
  const columns = columnsOf(schema);
  const options = [
    ["connector", spec.name],
    ["type", use],
    ...Object.entries(config).filter(([key, value]) => key !== "type" && value !== null && value !== undefined && value !== ""),
    ...schemaOptions(schema, use),
  ].map(([key, value]) => `${quoteText(String(key))} = ${quoteText(String(value))}`);
  return `CREATE TABLE ${quoteName(name)}${columns.length === 0 ? "" : ` (${columns.join(", ")})`} WITH (${options.join(", ")})`;
}

function columnsOf(schema: ConnectionSchema | undefined): readonly string[] {
  if (schema?.inferred === true) return [];
  const fields = schemaFields(schema);
  const columns = fields.map((field, i) => {
    if (field.metadata_key != null) throw badRequest(`body field "schema.fields.${i}.metadata_key" is not supported yet`);
    return columnSql(field, `schema.fields.${i}`);
  });
  const keys = schema?.primary_keys ?? [];
  return keys.length === 0 ? columns : [...columns, `PRIMARY KEY (${keys.map(quoteName).join(", ")})`];
}

function schemaOptions(schema: ConnectionSchema | undefined, use: TableUse): [name: string, value: string][] {
  const { format, framing, bad_data: badData } = schema ?? {};
  if (framing != null && framing.method !== "newline") {
    throw badRequest(`body field "schema.framing.method": "${framing.method}" is not supported`, { hint: 'Use "newline".' });
  }
  const options: [string, string][] = [];
  if (format != null) {
    if (format.unstructured === true) throw badRequest('body field "schema.format.unstructured" is not supported yet');
    if (format.confluent_schema_registry === true) {
      throw badRequest('body field "schema.format.confluent_schema_registry" is not supported yet');
    }
    options.push(["format", format.type === "json" && format.debezium === true ? "debezium_json" : format.type]);
    if (format.timestamp_format != null) options.push(["json.timestamp_format", format.timestamp_format]);
    if (format.decimal_encoding != null) options.push(["json.decimal_encoding", format.decimal_encoding]);
  }
  if (badData != null && use === "source") options.push(["bad_data", badData.behavior]);
  return options;
}
