/**
 * The one place where the database is configured: a pool of connections to PostgreSQL, or to the embedded one of a laptop, which speaks the
 * same protocol on a unix socket. All clients of the embedded one share a single session, so nothing here or above relies on session state:
 * no SET, no advisory locks, no prepared names; what a connection needs it says when it starts.
 *
 * 64-bit integers are bigints. Times are `Date`s (milliseconds); where microseconds matter, queries ask for them as integers.
 */
import type { ConnectionOptions } from "node:tls";
import knexModule, { type Knex } from "knex";
import { types } from "pg";
import { userError } from "../core/errors.ts";

/** How the server is verified. */
export type TlsMode =
  | { readonly kind: "no-tls" }
  /** Encrypted, and anybody may answer. */
  | { readonly kind: "skip-verification" }
  | { readonly kind: "system-roots" }
  /** `certificate`: PEM text of the authority. */
  | { readonly kind: "ca-cert"; readonly certificate: string };

/** Where the database is. */
export interface DatabaseOptions {
  /** Host name, address, or directory of a unix socket. */
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  /** Empty: none. */
  readonly password: string;
  /** Schema of Wadi's tables; empty: the role's default. */
  readonly schema: string;
  readonly tls: TlsMode;
  /** What the server calls this client: `wadi controller`. */
  readonly applicationName: string;
  /** Connections at most, >= 1. */
  readonly connections: number;
  /** A statement may take this long, in milliseconds; 0: without limit. The embedded database does not know it. */
  readonly statementTimeoutMs: number;
}

/** A pool of connections with a query builder. `destroy` ends it. */
export type Database = Knex;

/** Waiting for a free connection, in milliseconds. */
const ACQUIRE_TIMEOUT_MS = 20_000;
const CONNECT_TIMEOUT_MS = 10_000;
const PLAIN_SCHEMA = /^[a-z_][a-z0-9_]{0,62}$/;
const INT8 = 20;

/** What fails is thrown as well, and its user says it. */
const SILENT = { warn: () => undefined, error: () => undefined, deprecate: () => undefined, debug: () => undefined } as const;

/** A pool for `options`. Connects with the first query. Throws `invalid-config` for a schema that is no plain name. */
export function openDatabase(options: DatabaseOptions): Database {
  // The package is CommonJS, and Node does not see its named exports.
  return knexModule.knex({
    client: "pg",
    connection: connectionConfig(options),
    pool: { min: 0, max: options.connections },
    acquireConnectionTimeout: ACQUIRE_TIMEOUT_MS,
    log: SILENT,
  });
}

/** The driver's parsers, but 64-bit integers exactly. Given to each connection: the driver's own table is shared by the whole process. */
function getTypeParser(oid: number, format: string): unknown {
  return oid === INT8 && format !== "binary" ? BigInt : types.getTypeParser(oid, format as "text");
}

function connectionConfig(options: DatabaseOptions): Knex.PgConnectionConfig {
  const { host, port, database, user, password, schema, statementTimeoutMs } = options;
  if (schema !== "" && !PLAIN_SCHEMA.test(schema)) {
    throw userError("invalid-config", `database schema "${schema}" must be lower-case letters, digits and underscores`);
  }
  const parameters = [
    ...(schema === "" ? [] : [`-c search_path=${schema}`]),
    ...(statementTimeoutMs === 0 ? [] : [`-c statement_timeout=${statementTimeoutMs}`]),
  ];
  return {
    host,
    port,
    database,
    user,
    password,
    ssl: sslOf(options.tls),
    application_name: options.applicationName,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    types: { getTypeParser },
    ...(parameters.length === 0 ? {} : { options: parameters.join(" ") }),
  };
}

function sslOf(tls: TlsMode): boolean | ConnectionOptions {
  switch (tls.kind) {
    case "no-tls":
      return false;
    case "skip-verification":
      return { rejectUnauthorized: false };
    case "system-roots":
      return { rejectUnauthorized: true };
    case "ca-cert":
      return { rejectUnauthorized: true, ca: tls.certificate };
  }
}
