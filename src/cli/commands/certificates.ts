/**
 * `wadi certificates`: the authority that the cluster made for itself when no `tls.certificate` was given. Its key lies in the database, because
 * controllers have nothing else in common: whoever may read the database may pose as a controller, and could command the cluster by its rows as
 * well. Renewing is forgetting: the next controller that starts makes another authority.
 */
import { X509Certificate } from "node:crypto";
import type { LoadedConfig } from "../../core/config.ts";
import { deleteAuthority, readAuthority } from "../../db/authorities.ts";
import { type DatabaseOptions, openDatabase } from "../../db/connection.ts";
import { databaseOptions } from "../database.ts";
import { withEmbeddedDatabase } from "../embedded-database.ts";
import { EXIT, print, say } from "../output.ts";
import { renderFields } from "../text-table.ts";

const CLUSTER = "cluster";
const NONE = "the cluster has made no authority: it has certificates of its operator (tls.certificate), no TLS, or no controller yet";

/** Prints the authority, without its key; exits with 1 if there is none. */
export function showAuthority({ json }: { readonly json: boolean }, loaded: LoadedConfig): Promise<number> {
  return withDatabase(loaded, async (options) => {
    const db = openDatabase(options);
    try {
      const known = await readAuthority(db, CLUSTER);
      if (known === undefined) {
        say(NONE);
        return EXIT.failed;
      }
      const { subject, validFrom, validTo, fingerprint256 } = new X509Certificate(known.certificate);
      const fields = { subject, valid_from: validFrom, valid_to: validTo, sha256: fingerprint256 };
      print(json ? `${JSON.stringify({ ...fields, certificate: known.certificate })}\n` : renderFields(fields));
      return EXIT.done;
    } finally {
      await db.destroy();
    }
  });
}

/** Forgets the authority, so that the next controller that starts makes another; without `yes` only says what would happen. */
export function renewAuthority({ yes }: { readonly yes: boolean }, loaded: LoadedConfig): Promise<number> {
  return withDatabase(loaded, async (options) => {
    const db = openDatabase(options);
    try {
      if ((await readAuthority(db, CLUSTER)) === undefined) {
        say(NONE);
        return EXIT.failed;
      }
      if (yes) await deleteAuthority(db, CLUSTER);
      say(yes ? "the authority is forgotten" : "nothing is changed without --yes: the authority would be forgotten");
      say("Restart all controllers now, one after the other: the first makes another authority, with other certificates for all.");
      say("Workers of live runs know the old one only: each run is started again from its last checkpoint, once.");
      return EXIT.done;
    } finally {
      await db.destroy();
    }
  });
}

async function withDatabase(loaded: LoadedConfig, work: (options: DatabaseOptions) => Promise<number>): Promise<number> {
  const { config } = loaded;
  if (config["database.type"] !== "embedded") return await work(databaseOptions(config, "wadi certificates"));
  let code: number = EXIT.failed;
  await withEmbeddedDatabase(config, async (options) => {
    code = await work(options);
  });
  return code;
}
