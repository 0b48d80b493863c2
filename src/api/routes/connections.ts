/** Routes of connectors, connection profiles and connection tables: Arroyo's, with its semantics of 400 and 404. */
import { z } from "zod";
import { makeId } from "../../core/ids.ts";
import {
  deleteProfile,
  deleteTable,
  insertProfile,
  insertTable,
  listProfiles,
  listTables,
  type ProfileRecord,
  readProfile,
  readTable,
  type TableRecord,
} from "../../db/connections.ts";
import type { ConnectorSpec } from "../../program/connector-spec.ts";
import type { ApiContext } from "../api-context.ts";
import { checkSchema, checkTable, storedTableSql } from "../connection-requests.ts";
import { connectorIcon } from "../connector-icon.ts";
import { checkProfileConfig, maskSecrets, profileSchema, requireConnector, tableSchema } from "../connector-options.ts";
import { fieldOf, withSqlNames } from "../field-types.ts";
import { answerOf, badRequest, HttpError, notFound } from "../http-error.ts";
import { creatorOf, type Route, route, streamRoute } from "../route.ts";
import {
  autocompleteShape,
  connectionSchemaShape,
  connectorShape,
  profilePost,
  profileShape,
  tablePost,
  tableShape,
  testMessageShape,
} from "../schema/connection-shapes.ts";
import { list, makePage, page, pageQuery, pageSize } from "../schema/shape.ts";
import { schemaFields } from "../table-sql.ts";
import { tryTable } from "../table-test.ts";

const idParams = z.object({ id: z.string() });

function viewConnector(spec: ConnectorSpec): z.input<typeof connectorShape> {
  return {
    id: spec.name,
    name: spec.name,
    icon: connectorIcon(spec),
    description: spec.description,
    table_config: tableSchema(spec),
    enabled: true,
    source: spec.uses.includes("source"),
    sink: spec.uses.includes("sink"),
    custom_schemas: spec.fixedSchema === undefined && spec.formatted,
    testing: spec.uses.includes("source"),
    hidden: spec.name === "preview",
    connection_config: profileSchema(spec) ?? null,
    lookup: spec.uses.includes("lookup"),
    formatted: spec.formatted,
    fixed_fields: (spec.fixedSchema ?? []).map(fieldOf),
  };
}

function specOf(api: ApiContext, name: string): ConnectorSpec | undefined {
  return api.connectors.find((connector) => connector.name === name);
}

function viewProfile(api: ApiContext, profile: ProfileRecord): z.input<typeof profileShape> {
  const { id, name, connector, config } = profile;
  const spec = specOf(api, connector);
  return { id, name, connector, config: maskSecrets(spec, config), description: spec?.description ?? "" };
}

function viewTable(api: ApiContext, table: TableRecord): z.input<typeof tableShape> {
  const spec = specOf(api, table.connector);
  return {
    id: table.id,
    name: table.name,
    created_at: table.createdUs,
    connector: table.connector,
    connection_profile: table.profile === undefined ? null : viewProfile(api, table.profile),
    table_type: table.tableType,
    config: maskSecrets(spec, table.config),
    schema: viewSchema(table, spec),
    consumers: table.consumers,
    create_sql: sqlOf(api, table),
  };
}

/** The stored schema with its fields spelled out; the connector's own where it has one. */
function viewSchema(table: TableRecord, spec: ConnectorSpec | undefined): z.input<typeof connectionSchemaShape> {
  const stored = table.schema === undefined ? {} : connectionSchemaShape.parse(table.schema);
  const fields = spec?.fixedSchema === undefined ? withSqlNames(schemaFields(stored)) : spec.fixedSchema.map(fieldOf);
  return { ...stored, fields };
}

/** The table's SQL; empty if this build cannot read the table any more. */
function sqlOf(api: ApiContext, table: TableRecord): string {
  try {
    return storedTableSql(api, table);
  } catch (error) {
    if (error instanceof HttpError) return "";
    throw error;
  }
}

const connectorsRoute = route({
  method: "get",
  path: "/connectors",
  operation: "listConnectors",
  tag: "connections",
  summary: "List the connectors with their options as JSON schemas",
  role: "viewer",
  answer: list(connectorShape),
  handle: async ({ api }) => ({ data: api.connectors.map(viewConnector) }),
});

const listProfilesRoute = route({
  method: "get",
  path: "/connection_profiles",
  operation: "listConnectionProfiles",
  tag: "connections",
  summary: "List the connection profiles",
  role: "viewer",
  answer: list(profileShape),
  handle: async ({ api }) => ({ data: (await listProfiles(api.db)).map((profile) => viewProfile(api, profile)) }),
});

const createProfileRoute = route({
  method: "post",
  path: "/connection_profiles",
  operation: "createConnectionProfile",
  tag: "connections",
  summary: "Create a connection profile; secrets are references",
  role: "editor",
  body: profilePost,
  answer: profileShape,
  refusals: [413, 415],
  async handle({ api, body, caller }) {
    checkProfileConfig(requireConnector(api.connectors, body.connector), body.config);
    const profile = { id: makeId("connection-profile", api.random), ...body };
    if (!(await insertProfile(api.db, { ...profile, createdBy: creatorOf(caller) }))) {
      throw badRequest(`a connection profile with the name "${body.name}" already exists`);
    }
    return viewProfile(api, profile);
  },
});

const testProfileRoute = route({
  method: "post",
  path: "/connection_profiles/test",
  operation: "testConnectionProfile",
  tag: "connections",
  summary: "Check a connection profile before it is created",
  role: "editor",
  body: profilePost,
  answer: testMessageShape,
  refusals: [413, 415],
  async handle({ api, body }) {
    try {
      checkProfileConfig(requireConnector(api.connectors, body.connector), body.config);
    } catch (thrown) {
      return { error: true, done: true, message: answerOf(thrown).body.error };
    }
    return { error: false, done: true, message: "the options are valid; secrets are resolved in the worker only, so nothing was called" };
  },
});

const deleteProfileRoute = route({
  method: "delete",
  path: "/connection_profiles/{id}",
  operation: "deleteConnectionProfile",
  tag: "connections",
  summary: "Delete a connection profile that no table uses",
  role: "editor",
  params: idParams,
  refusals: [400, 404],
  async handle({ api, params }) {
    const outcome = await deleteProfile(api.db, params.id);
    if (outcome === "absent") throw notFound("connection profile", params.id);
    if (outcome === "used") throw badRequest("the connection profile is still used by connection tables", { hint: "Delete them first." });
    return {};
  },
});

const autocompleteRoute = route({
  method: "get",
  path: "/connection_profiles/{id}/autocomplete",
  operation: "autocompleteConnectionProfile",
  tag: "connections",
  summary: "Get completions of a table's options, such as topics; none where the connector cannot say any",
  role: "viewer",
  params: idParams,
  answer: autocompleteShape,
  refusals: [404],
  async handle({ api, params }) {
    if ((await readProfile(api.db, params.id)) === undefined) throw notFound("connection profile", params.id);
    return { values: {} };
  },
});

const listTablesRoute = route({
  method: "get",
  path: "/connection_tables",
  operation: "listConnectionTables",
  tag: "connections",
  summary: "List the connection tables, the newest first",
  role: "viewer",
  query: pageQuery,
  answer: page(tableShape),
  async handle({ api, query }) {
    const size = pageSize(query);
    const tables = await listTables(api.db, { after: query.starting_after, limit: size + 1 });
    return makePage(
      tables.map((table) => viewTable(api, table)),
      size,
    );
  },
});

const createTableRoute = route({
  method: "post",
  path: "/connection_tables",
  operation: "createConnectionTable",
  tag: "connections",
  summary: "Create a table that queries may use by its name",
  role: "editor",
  body: tablePost,
  answer: tableShape,
  refusals: [413, 415],
  async handle({ api, body, caller }) {
    const checked = await checkTable(api, body);
    const { type: _, ...config } = body.config;
    const schema = body.schema === undefined ? undefined : { ...body.schema, fields: [...checked.fields] };
    const id = makeId("connection-table", api.random);
    const stored = await insertTable(api.db, {
      id,
      name: body.name,
      connector: body.connector,
      tableType: checked.use,
      config,
      schema,
      profileId: checked.profile?.id,
      createdBy: creatorOf(caller),
    });
    if (!stored) throw badRequest(`a connection table with the name "${body.name}" already exists`);
    const table = await readTable(api.db, id);
    if (table === undefined) throw notFound("connection table", id);
    return viewTable(api, table);
  },
});

const testTableRoute = streamRoute({
  method: "post",
  path: "/connection_tables/test",
  operation: "testConnectionTable",
  tag: "connections",
  summary: "Try a connection table before it is created",
  role: "editor",
  body: tablePost,
  answer: testMessageShape,
  refusals: [413, 415, 503],
  async handle({ api, body }) {
    const checked = await checkTable(api, body).catch((thrown: unknown) => answerOf(thrown));
    return async (stream) => {
      const send = (message: string, error: boolean, done: boolean): Promise<void> => stream.send({ data: { error, done, message } });
      if ("status" in checked) return send(checked.body.error, true, true);
      const fine = await tryTable(api, checked, (message, kind) => send(message, kind === "error", false), stream.signal);
      return send(fine ? "the table can be used" : "the table cannot be used like this", !fine, true);
    };
  },
});

const testSchemaRoute = route({
  method: "post",
  path: "/connection_tables/schemas/test",
  operation: "testConnectionSchema",
  tag: "connections",
  summary: "Check a schema",
  role: "viewer",
  body: connectionSchemaShape,
  answer: connectionSchemaShape,
  refusals: [413, 415],
  async handle({ api, body }) {
    await checkSchema(api, body);
    return { ...body, fields: withSqlNames(schemaFields(body)) };
  },
});

const deleteTableRoute = route({
  method: "delete",
  path: "/connection_tables/{id}",
  operation: "deleteConnectionTable",
  tag: "connections",
  summary: "Delete a connection table that no pipeline uses",
  role: "editor",
  params: idParams,
  refusals: [400, 404],
  async handle({ api, params }) {
    const outcome = await deleteTable(api.db, params.id);
    if (outcome === "absent") throw notFound("connection table", params.id);
    if (outcome === "used") throw badRequest("the connection table is still used by pipelines", { hint: "Delete them first." });
    return {};
  },
});

/** All routes of connections. */
export const connectionRoutes: readonly Route[] = [
  connectorsRoute,
  listProfilesRoute,
  createProfileRoute,
  testProfileRoute,
  deleteProfileRoute,
  autocompleteRoute,
  listTablesRoute,
  createTableRoute,
  testTableRoute,
  testSchemaRoute,
  deleteTableRoute,
];
