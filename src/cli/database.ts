/** The database that a process of the system uses, as its settings say. */
import { readFileSync } from "node:fs";
import { systemClock } from "../core/clock.ts";
import type { Config } from "../core/config.ts";
import { type AppError, userError } from "../core/errors.ts";
import type { Logger } from "../core/log.ts";
import { systemRandom } from "../core/prng.ts";
import { type RetryPolicy, withRetry } from "../core/retry.ts";
import type { Database, DatabaseOptions, TlsMode } from "../db/connection.ts";
import { checkSchemaVersion } from "../db/migrate.ts";
import { release } from "./release.ts";

/** Connections of one process at most. */
const CONNECTIONS = 10;
const STATEMENT_TIMEOUT_MS = 30_000;
const PATIENCE: RetryPolicy = { attempts: Number.MAX_SAFE_INTEGER, initialMs: 100, maxMs: 2_000 };

/**
 * How to reach the server that the settings name; `client` is what it calls this process: "wadi api". Throws `invalid-config` where they
 * say "embedded": that database belongs to `wadi cluster`.
 */
export function databaseOptions(config: Config, client: string): DatabaseOptions {
  if (config["database.type"] === "embedded") {
    throw userError("invalid-config", "database.type is embedded, and the embedded database belongs to wadi cluster", {
      hint: 'Set database.type = "postgres" or DATABASE_HOST, or start "wadi cluster".',
    });
  }
  return {
    host: config["database.postgres.host"],
    port: config["database.postgres.port"],
    database: config["database.postgres.database-name"],
    user: config["database.postgres.user"],
    password: config["database.postgres.password"] ?? "",
    schema: config["database.postgres.schema"] ?? "",
    tls: tlsMode(config),
    applicationName: client,
    connections: CONNECTIONS,
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
  };
}

/**
 * Waits until the database answers and somebody has migrated it, as long as it takes or until `signal` is aborted: who starts services together
 * need not know their order. Throws `version-mismatch` for a schema that is newer than this release's.
 */
export async function awaitDatabase(db: Database, logger: Logger, signal: AbortSignal): Promise<void> {
  const context = {
    clock: systemClock,
    random: systemRandom,
    signal,
    onRetry: (error: AppError) => {
      const older = error.code === "version-mismatch";
      logger.warn(older ? "waiting for the database to be migrated" : "waiting for the database, which does not answer", { error });
    },
  };
  await withRetry(() => checkSchemaVersion(db, release()), PATIENCE, context);
}

function tlsMode(config: Config): TlsMode {
  const kind = config["database.postgres.tls.mode"];
  if (kind !== "ca-cert") return { kind };
  const path = config["database.postgres.tls.ca-cert"];
  if (path === undefined)
    throw userError("invalid-config", "database.postgres.tls.mode is ca-cert and database.postgres.tls.ca-cert is empty");
  try {
    return { kind, certificate: readFileSync(path, "utf8") };
  } catch (error) {
    throw userError("invalid-config", `database.postgres.tls.ca-cert "${path}" cannot be read`, { cause: error });
  }
}
