/** Functions that every pipeline may call. `signature` keeps the definition as it was read, so that planning need not read it again. */
import type { UdfDefinition } from "../program/udf.ts";
import type { Database } from "./connection.ts";
import { databaseError, sqlState } from "./database-error.ts";
import { microsOf, readNumber } from "./row-values.ts";

/** A function. Times are microseconds since the epoch. */
export interface UdfRecord {
  readonly id: string;
  /** Folder in the editor's tree, parts with `/`. */
  readonly prefix: string;
  /** Name in SQL. */
  readonly name: string;
  readonly language: string;
  /** Source text. */
  readonly definition: string;
  readonly description: string;
  readonly signature: UdfDefinition;
  readonly createdUs: number;
  readonly updatedUs: number;
}

/** A function to be stored. */
export interface NewUdf extends Omit<UdfRecord, "createdUs" | "updatedUs"> {
  readonly createdBy: string;
}

interface Row {
  readonly id: string;
  readonly prefix: string;
  readonly name: string;
  readonly language: string;
  readonly definition: string;
  readonly description: string;
  readonly signature: UdfDefinition;
  readonly created_us: bigint;
  readonly updated_us: bigint;
}

const COLUMNS = `id, prefix, name, language, definition, description, signature, ${microsOf("created_at")} as created_us,
  ${microsOf("updated_at")} as updated_us`;
const UNIQUE_VIOLATION = "23505";

function recordOf({ created_us, updated_us, ...row }: Row): UdfRecord {
  return { ...row, createdUs: readNumber(created_us), updatedUs: readNumber(updated_us) };
}

/** All functions by folder and name. */
export async function listUdfs(db: Database): Promise<UdfRecord[]> {
  try {
    const { rows } = await db.raw<{ rows: Row[] }>(`select ${COLUMNS} from udfs order by prefix, name`);
    return rows.map(recordOf);
  } catch (error) {
    throw databaseError("reading functions", error);
  }
}

/** The function `id`. */
export async function readUdf(db: Database, id: string): Promise<UdfRecord | undefined> {
  try {
    const { rows } = await db.raw<{ rows: Row[] }>(`select ${COLUMNS} from udfs where id = ?`, [id]);
    return rows[0] === undefined ? undefined : recordOf(rows[0]);
  } catch (error) {
    throw databaseError("reading a function", error);
  }
}

/** Functions with these names, which are in lower case. */
export async function findUdfs(db: Database, names: readonly string[]): Promise<readonly UdfDefinition[]> {
  try {
    const sql = "select signature from udfs where lower(name) = any(?) order by name";
    const { rows } = await db.raw<{ rows: { signature: UdfDefinition }[] }>(sql, [[...names]]);
    return rows.map((row) => row.signature);
  } catch (error) {
    throw databaseError("looking functions up", error);
  }
}

/** Stores a function. False: one with this name, in whatever case, exists. */
export async function insertUdf(db: Database, udf: NewUdf): Promise<boolean> {
  const { id, prefix, name, language, definition, description, signature, createdBy } = udf;
  try {
    const { rows } = await db.raw<{ rows: unknown[] }>(
      `insert into udfs (id, prefix, name, language, definition, description, signature, created_by)
       select ?, ?, ?, ?, ?, ?, ?::jsonb, ? where not exists (select 1 from udfs where lower(name) = lower(?)) returning id`,
      [id, prefix, name, language, definition, description, JSON.stringify(signature), createdBy, name],
    );
    return rows.length === 1;
  } catch (error) {
    if (sqlState(error) === UNIQUE_VIOLATION) return false;
    throw databaseError("creating a function", error);
  }
}

/** Deletes a function. False: there is none. Pipelines carry the functions they call with them. */
export async function deleteUdf(db: Database, id: string): Promise<boolean> {
  try {
    return (await db("udfs").where({ id }).delete()) === 1;
  } catch (error) {
    throw databaseError("deleting a function", error);
  }
}
