/** Requests for connection tables: checked against connector, profile and schema as a whole, by planning the CREATE TABLE that they stand for. */
import { checkTableRoots } from "../connectors/files/roots.ts";
import { AppError } from "../core/errors.ts";
import { findTables, type ProfileRecord, readProfile, type TableRecord } from "../db/connections.ts";
import type { JsonObject } from "../db/pipelines.ts";
import type { ConnectorSpec, TableUse } from "../program/connector-spec.ts";
import type { OptionValues } from "../program/operator.ts";
import type { ApiContext } from "./api-context.ts";
import { checkTableConfig, profileOptions, requireConnector } from "./connector-options.ts";
import { badRequest } from "./http-error.ts";
import type { TableDefinition } from "./query-planner.ts";
import { type ConnectionSchema, connectionSchemaShape, type SourceField, type TablePost } from "./schema/connection-shapes.ts";
import { createTableSql, schemaFields, tableUseOf } from "./table-sql.ts";

/** A table that can be stored and used. */
export interface CheckedTable {
  readonly name: string;
  readonly spec: ConnectorSpec;
  readonly use: TableUse;
  readonly profile: ProfileRecord | undefined;
  /** Options of profile and table. */
  readonly config: JsonObject;
  readonly schema: ConnectionSchema | undefined;
  /** Fields as declared; none for connectors with fields of their own and for inferred sinks. */
  readonly fields: readonly SourceField[];
  readonly createSql: string;
}

/** Checks a table as a user asks for it. Throws 400 in words that name the field or the option. */
export async function checkTable(api: ApiContext, post: TablePost): Promise<CheckedTable> {
  const spec = requireConnector(api.connectors, post.connector);
  checkTableConfig(spec, post.config);
  const use = tableUseOf(spec, post.config, post.table_type);
  const profile = await profileOf(api, spec, post.connection_profile_id);
  const config = { ...profile?.config, ...post.config };
  const createSql = createTableSql({ name: post.name, spec, use, config, schema: post.schema });
  const problem = (await api.planner.checkTable(createSql)).find((finding) => finding.severity === "error");
  if (problem !== undefined) throw badRequest(`the table is not valid: ${problem.message}`, { detail: problem.detail, hint: problem.hint });
  checkRoots(api, { table: post.name, connector: spec.name, options: config as OptionValues });
  const fields = post.schema?.inferred === true ? [] : schemaFields(post.schema);
  return { name: post.name, spec, use, profile, config, schema: post.schema, fields, createSql };
}

async function profileOf(api: ApiContext, spec: ConnectorSpec, id: string | undefined): Promise<ProfileRecord | undefined> {
  const takesProfile = profileOptions(spec).length > 0;
  if (id === undefined) {
    if (takesProfile) throw badRequest(`body field "connection_profile_id" is missing: connector "${spec.name}" needs a profile`);
    return undefined;
  }
  if (!takesProfile) throw badRequest(`body field "connection_profile_id": connector "${spec.name}" needs no profile`);
  const profile = await readProfile(api.db, id);
  if (profile === undefined) throw badRequest(`body field "connection_profile_id": profile "${id}" does not exist`);
  if (profile.connector === spec.name) return profile;
  throw badRequest(`body field "connection_profile_id": profile "${profile.name}" is of connector "${profile.connector}"`);
}

/** Refuses a path that file connectors may not reach: a mistake in the request, not a want of rights. */
function checkRoots(api: ApiContext, table: Parameters<typeof checkTableRoots>[0]): void {
  try {
    checkTableRoots(table, api.settings["connectors.file.roots"]);
  } catch (error) {
    if (error instanceof AppError && error.code === "permission-denied") throw badRequest(error.message, error);
    throw error;
  }
}

/** Checks a schema alone, as a table that drops its rows would have it. Throws 400. */
export async function checkSchema(api: ApiContext, schema: ConnectionSchema): Promise<void> {
  const spec = requireConnector(api.connectors, "blackhole");
  const createSql = createTableSql({ name: "schema_test", spec, use: "sink", config: {}, schema });
  const problem = (await api.planner.checkTable(createSql)).find((finding) => finding.severity === "error");
  if (problem !== undefined)
    throw badRequest(`the schema is not valid: ${problem.message}`, { detail: problem.detail, hint: problem.hint });
}

/** The CREATE TABLE of a stored table. Throws 400 if this build cannot read it any more. */
export function storedTableSql(api: ApiContext, table: TableRecord): string {
  const spec = requireConnector(api.connectors, table.connector);
  const schema = table.schema === undefined ? undefined : connectionSchemaShape.parse(table.schema);
  const config = { ...table.profile?.config, ...table.config };
  return createTableSql({ name: table.name, spec, use: table.tableType, config, schema });
}

/** Connection tables with these names, which are in lower case, as the planner takes them. */
export async function tablesForQuery(api: ApiContext, names: readonly string[]): Promise<readonly TableDefinition[]> {
  const tables = await findTables(api.db, names);
  return tables.map((table) => ({ id: table.id, name: table.name, createSql: storedTableSql(api, table) }));
}
