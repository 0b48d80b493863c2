/** Connection profiles and connection tables: how outside systems are reached, and tables that queries may use by name. */
import type { Database } from "./connection.ts";
import { databaseError, sqlState } from "./database-error.ts";
import type { JsonObject, PageRequest } from "./pipelines.ts";
import { microsOf, readNumber } from "./row-values.ts";

/** A profile. */
export interface ProfileRecord {
  readonly id: string;
  readonly name: string;
  readonly connector: string;
  readonly config: JsonObject;
}

/** A table. */
export interface TableRecord {
  readonly id: string;
  readonly name: string;
  readonly connector: string;
  readonly profile: ProfileRecord | undefined;
  readonly tableType: "source" | "sink" | "lookup";
  readonly config: JsonObject;
  /** Undefined: inferred, or the connector's own. */
  readonly schema: JsonObject | undefined;
  readonly createdUs: number;
  /** Pipelines that use it. */
  readonly consumers: number;
}

/** A table to be stored. */
export interface NewTable extends Pick<TableRecord, "id" | "name" | "connector" | "tableType" | "config" | "schema"> {
  readonly profileId: string | undefined;
  readonly createdBy: string;
}

/** A profile to be stored. */
export interface NewProfile extends ProfileRecord {
  readonly createdBy: string;
}

/** What became of a deletion. */
export type Deletion = "deleted" | "used" | "absent";

const UNIQUE_VIOLATION = "23505";
/** Foreign key and, since PostgreSQL 18, restrict violation. */
const STILL_USED: ReadonlySet<string | undefined> = new Set(["23503", "23001"]);

/** All profiles by name. */
export async function listProfiles(db: Database): Promise<ProfileRecord[]> {
  try {
    return await db("connection_profiles").orderBy("name").select<ProfileRecord[]>("id", "name", "connector", "config");
  } catch (error) {
    throw databaseError("reading connection profiles", error);
  }
}

/** The profile `id`. */
export async function readProfile(db: Database, id: string): Promise<ProfileRecord | undefined> {
  try {
    const rows = await db("connection_profiles").where({ id }).select<ProfileRecord[]>("id", "name", "connector", "config");
    return rows[0];
  } catch (error) {
    throw databaseError("reading a connection profile", error);
  }
}

/** Stores a profile. False: one with this name exists. */
export async function insertProfile(db: Database, profile: NewProfile): Promise<boolean> {
  const { id, name, connector, config, createdBy } = profile;
  return insertUnlessTaken(db, "connection_profiles", { id, name, connector, config: JSON.stringify(config), created_by: createdBy });
}

/** Deletes a profile unless tables use it. */
export function deleteProfile(db: Database, id: string): Promise<Deletion> {
  return deleteUnlessUsed(db, "connection_profiles", id);
}

interface TableRow {
  readonly id: string;
  readonly name: string;
  readonly connector: string;
  readonly table_type: TableRecord["tableType"];
  readonly config: JsonObject;
  readonly schema: JsonObject | null;
  readonly created_us: bigint;
  readonly consumers: number;
  readonly profile_id: string | null;
  readonly profile_name: string | null;
  readonly profile_connector: string | null;
  readonly profile_config: JsonObject | null;
}

const TABLES = `select t.id, t.name, t.connector, t.table_type, t.config, t.schema, ${microsOf("t.created_at")} as created_us,
  (select count(*) from connection_table_pipelines u where u.connection_table_id = t.id)::int as consumers,
  p.id as profile_id, p.name as profile_name, p.connector as profile_connector, p.config as profile_config
  from connection_tables t left join connection_profiles p on p.id = t.connection_profile_id`;

async function selectTables(
  db: Database,
  rest: string,
  bindings: readonly (string | number | readonly string[])[],
): Promise<TableRecord[]> {
  try {
    const { rows } = await db.raw<{ rows: TableRow[] }>(`${TABLES} ${rest}`, [...bindings] as string[]);
    return rows.map(tableOf);
  } catch (error) {
    throw databaseError("reading connection tables", error);
  }
}

function tableOf(row: TableRow): TableRecord {
  return {
    id: row.id,
    name: row.name,
    connector: row.connector,
    profile: profileOf(row),
    tableType: row.table_type,
    config: row.config,
    schema: row.schema ?? undefined,
    createdUs: readNumber(row.created_us),
    consumers: row.consumers,
  };
}

function profileOf(row: TableRow): ProfileRecord | undefined {
  if (row.profile_id === null) return undefined;
  return { id: row.profile_id, name: row.profile_name ?? "", connector: row.profile_connector ?? "", config: row.profile_config ?? {} };
}

/** Tables, the newest first: those older than `after`. */
export function listTables(db: Database, page: PageRequest): Promise<TableRecord[]> {
  const order = "order by t.created_at desc, t.id desc limit ?";
  if (page.after === undefined) return selectTables(db, order, [page.limit]);
  const behind = "where (t.created_at, t.id) < (select created_at, id from connection_tables where id = ?)";
  return selectTables(db, `${behind} ${order}`, [page.after, page.limit]);
}

/** The table `id`. */
export async function readTable(db: Database, id: string): Promise<TableRecord | undefined> {
  return (await selectTables(db, "where t.id = ?", [id]))[0];
}

/** Tables with these names, which are in lower case. */
export function findTables(db: Database, names: readonly string[]): Promise<TableRecord[]> {
  return selectTables(db, "where lower(t.name) = any(?) order by t.name", [names]);
}

/** Stores a table. False: one with this name, in whatever case, exists. */
export async function insertTable(db: Database, table: NewTable): Promise<boolean> {
  const { id, name, connector, tableType, config, schema, profileId, createdBy } = table;
  return insertUnlessTaken(db, "connection_tables", {
    id,
    name,
    connector,
    connection_profile_id: profileId ?? null,
    table_type: tableType,
    config: JSON.stringify(config),
    schema: schema === undefined ? null : JSON.stringify(schema),
    created_by: createdBy,
  });
}

/** Deletes a table unless pipelines use it. */
export function deleteTable(db: Database, id: string): Promise<Deletion> {
  return deleteUnlessUsed(db, "connection_tables", id);
}

async function insertUnlessTaken(db: Database, table: string, row: Readonly<Record<string, unknown>>): Promise<boolean> {
  try {
    await db(table).insert(row);
    return true;
  } catch (error) {
    if (sqlState(error) === UNIQUE_VIOLATION) return false;
    throw databaseError(`writing ${table}`, error);
  }
}

async function deleteUnlessUsed(db: Database, table: string, id: string): Promise<Deletion> {
  try {
    return (await db(table).where({ id }).delete()) === 1 ? "deleted" : "absent";
  } catch (error) {
    if (STILL_USED.has(sqlState(error))) return "used";
    throw databaseError(`deleting from ${table}`, error);
  }
}
