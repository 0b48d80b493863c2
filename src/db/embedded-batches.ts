/**
 * Several clients of one PGlite without mixing. `pglite-socket` 0.2 queues single messages and keeps to one client only inside a transaction;
 * an extended query is five messages (Parse, Bind, Describe, Execute, Sync) that share the one unnamed statement of the one session, so two
 * clients disturb each other or silently get each other's rows: https://github.com/electric-sql/pglite/issues/1046
 *
 * The server asks `isInTransaction` whether it has to keep to the client: here a begun batch counts as one.
 */
import type { PGlite } from "@electric-sql/pglite";

/** Messages that begin or go on with a batch: Parse, Bind, Close, Describe, Execute, Flush. Sync and Query end one. */
const IN_BATCH: ReadonlySet<number> = new Set([..."PBCDEH"].map((letter) => letter.charCodeAt(0)));

/** `db` as `PGLiteSocketServer` should see it; the same database otherwise. */
export function keepingBatches(db: PGlite): PGlite {
  let inBatch = false;
  const overrides = {
    isInTransaction: () => inBatch || db.isInTransaction(),
    execProtocolRawStream: ((message, options) => {
      inBatch = IN_BATCH.has(message[0] ?? 0);
      return db.execProtocolRawStream(message, options);
    }) satisfies PGlite["execProtocolRawStream"],
    // The server rolls back for a client that went away; its batch is over with it.
    exec: ((query, options) => {
      inBatch = false;
      return db.exec(query, options);
    }) satisfies PGlite["exec"],
  };
  return new Proxy(db, {
    get(target, name) {
      if (Object.hasOwn(overrides, name)) return Reflect.get(overrides, name);
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
