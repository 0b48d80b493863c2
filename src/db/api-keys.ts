/** Keys of the API. A key is known by its hash only: who reads the table cannot use it. */
import type { Database } from "./connection.ts";
import { databaseError, sqlState } from "./database-error.ts";
import { microsOf, optionalNumber, readNumber } from "./row-values.ts";

/** A key's row without its hash. Times are microseconds since the epoch. */
export interface ApiKeyRecord {
  readonly id: string;
  readonly name: string;
  readonly role: string;
  readonly createdUs: number;
  readonly createdBy: string;
  readonly expiresUs: number | undefined;
  readonly lastUsedUs: number | undefined;
}

/** A key to be stored. */
export interface NewApiKey {
  readonly id: string;
  readonly name: string;
  /** SHA-256 of the key, hex. */
  readonly hash: string;
  readonly role: string;
  readonly createdBy: string;
  /** It is refused after so many milliseconds; undefined: never. */
  readonly lifetimeMs: number | undefined;
}

interface Row {
  readonly id: string;
  readonly name: string;
  readonly role: string;
  readonly created_by: string;
  readonly created_us: bigint;
  readonly expires_us: bigint | null;
  readonly last_used_us: bigint | null;
}

const COLUMNS = `id, name, role, created_by, ${microsOf("created_at")} as created_us, ${microsOf("expires_at")} as expires_us,
  ${microsOf("last_used_at")} as last_used_us`;
const UNIQUE_VIOLATION = "23505";

function recordOf(row: Row): ApiKeyRecord {
  return {
    id: row.id,
    name: row.name,
    role: row.role,
    createdUs: readNumber(row.created_us),
    createdBy: row.created_by,
    expiresUs: optionalNumber(row.expires_us),
    lastUsedUs: optionalNumber(row.last_used_us),
  };
}

/** All keys, the newest first. */
export async function listApiKeys(db: Database): Promise<ApiKeyRecord[]> {
  try {
    const { rows } = await db.raw<{ rows: Row[] }>(`select ${COLUMNS} from api_keys order by created_at desc, id desc`);
    return rows.map(recordOf);
  } catch (error) {
    throw databaseError("reading API keys", error);
  }
}

/** The key `id`. */
export async function readApiKey(db: Database, id: string): Promise<ApiKeyRecord | undefined> {
  try {
    const { rows } = await db.raw<{ rows: Row[] }>(`select ${COLUMNS} from api_keys where id = ?`, [id]);
    return rows[0] === undefined ? undefined : recordOf(rows[0]);
  } catch (error) {
    throw databaseError("reading an API key", error);
  }
}

/** How many keys there are that have not run out. */
export async function countApiKeys(db: Database): Promise<number> {
  try {
    const { rows } = await db.raw<{ rows: { keys: number }[] }>(
      "select count(*)::int as keys from api_keys where expires_at is null or expires_at > now()",
    );
    return rows[0]?.keys ?? 0;
  } catch (error) {
    throw databaseError("counting API keys", error);
  }
}

/** Stores a key. False: one with this name exists. */
export async function insertApiKey(db: Database, key: NewApiKey): Promise<boolean> {
  try {
    await db.raw(
      `insert into api_keys (id, name, key_hash, role, created_by, expires_at)
       values (?, ?, ?, ?, ?, now() + ?::float8 * interval '1 millisecond')`,
      [key.id, key.name, key.hash, key.role, key.createdBy, key.lifetimeMs ?? null],
    );
    return true;
  } catch (error) {
    if (sqlState(error) === UNIQUE_VIOLATION) return false;
    throw databaseError("creating an API key", error);
  }
}

/** Deletes a key. False: there is none. */
export async function deleteApiKey(db: Database, id: string): Promise<boolean> {
  try {
    return (await db("api_keys").where({ id }).delete()) === 1;
  } catch (error) {
    throw databaseError("deleting an API key", error);
  }
}

/** Who the key with this hash belongs to, unless it has run out; notes at most once an hour that it was used. */
export async function findApiKey(db: Database, hash: string): Promise<{ readonly name: string; readonly role: string } | undefined> {
  try {
    const { rows } = await db.raw<{ rows: { id: string; name: string; role: string; stale: boolean }[] }>(
      `select id, name, role, (last_used_at is null or last_used_at < now() - interval '1 hour') as stale
       from api_keys where key_hash = ? and (expires_at is null or expires_at > now())`,
      [hash],
    );
    const [key] = rows;
    if (key?.stale === true) await db.raw("update api_keys set last_used_at = date_trunc('hour', now()) where id = ?", [key.id]);
    return key && { name: key.name, role: key.role };
  } catch (error) {
    throw databaseError("looking a token up", error);
  }
}
