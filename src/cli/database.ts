/** The database that a process of the system uses, as its settings say. */
import { readFileSync } from "node:fs";
import type { Config } from "../core/config.ts";
import { userError } from "../core/errors.ts";
import type { DatabaseOptions, TlsMode } from "../db/connection.ts";

/** Connections of one process at most. */
const CONNECTIONS = 10;
const STATEMENT_TIMEOUT_MS = 30_000;

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
