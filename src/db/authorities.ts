/** The cluster's certificate authority: one row, written once by whichever controller comes first, never changed, and forgotten when it
 * is to be renewed. For controllers only. */
import type { Database } from "./connection.ts";
import { databaseError } from "./database-error.ts";

/** An authority as it is kept. */
export interface StoredAuthority {
  /** PEM. */
  readonly certificate: string;
  /** PKCS#8, PEM. A secret. */
  readonly privateKey: string;
}

/** The authority `name`; undefined: nobody has made it yet. */
export async function readAuthority(db: Database, name: string): Promise<StoredAuthority | undefined> {
  try {
    const rows = await db("authorities")
      .where({ name })
      .select<{ certificate: string; private_key: string }[]>("certificate", "private_key");
    const row = rows[0];
    return row === undefined ? undefined : { certificate: row.certificate, privateKey: row.private_key };
  } catch (error) {
    throw databaseError("reading the certificate authority", error);
  }
}

/** Keeps `authority` under `name` unless there is one; the one that is there. */
export async function keepAuthority(db: Database, name: string, authority: StoredAuthority): Promise<StoredAuthority> {
  try {
    const { certificate, privateKey } = authority;
    await db("authorities").insert({ name, certificate, private_key: privateKey }).onConflict("name").ignore();
  } catch (error) {
    throw databaseError("keeping the certificate authority", error);
  }
  return (await readAuthority(db, name)) ?? authority;
}

/** Forgets the authority `name`: whoever needs one next makes another. */
export async function deleteAuthority(db: Database, name: string): Promise<void> {
  try {
    await db("authorities").where({ name }).delete();
  } catch (error) {
    throw databaseError("forgetting the certificate authority", error);
  }
}
