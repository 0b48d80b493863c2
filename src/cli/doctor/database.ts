/** Checks of the database from this machine: it answers, its version is one that Wadi works with, its schema is this build's. */
import { existsSync } from "node:fs";
import { systemClock } from "../../core/clock.ts";
import type { Config } from "../../core/config.ts";
import { type AppError, toAppError } from "../../core/errors.ts";
import { readClusterInfo } from "../../db/cluster.ts";
import { type Database, openDatabase } from "../../db/connection.ts";
import { databaseError, sqlState } from "../../db/database-error.ts";
import { MIGRATIONS, readSchemaVersion } from "../../db/migrate.ts";
import { databaseOptions } from "../database.ts";
import { release } from "../release.ts";
import { configuredStateFolder } from "../state-folder.ts";
import { type Check, type Finding, fail, ok, skip, warn } from "./check.ts";

const LIMIT_MS = 6_000;
/** Oldest PostgreSQL whose major version is still maintained: https://www.postgresql.org/support/versioning/ */
const OLDEST = 14;
/** Leases are by the database's clock, times that people see by that of other machines. */
const SKEW_MS = 5_000;

/** Checks of the configured database; the embedded one of a laptop has one of its own. */
export function databaseChecks(config: Config): readonly Check[] {
  if (config["database.type"] === "embedded") return [embeddedCheck(config)];
  const server = `${config["database.postgres.host"]}:${config["database.postgres.port"]}`;
  return [
    {
      id: "database",
      title: "database",
      limitMs: LIMIT_MS,
      ifSilent: `Look whether ${server} can be reached from here (firewall, host name), or correct database.postgres.host and .port.`,
      run: () => withDatabase(config, (db) => checkServer(db, server)),
    },
    {
      id: "database-schema",
      title: "database schema",
      limitMs: LIMIT_MS,
      needs: ["database"],
      ifSilent: "Look for a statement that holds a lock on schema_migrations.",
      run: () => withDatabase(config, checkSchema),
    },
    {
      id: "controller",
      title: "controller",
      limitMs: LIMIT_MS,
      needs: ["database-schema"],
      ifSilent: "Look for a statement that holds a lock on leases.",
      run: () => withDatabase(config, checkLeader),
    },
  ];
}

function embeddedCheck(config: Config): Check {
  return {
    id: "database",
    title: "database",
    limitMs: LIMIT_MS,
    ifSilent: "Look at the state directory's disk.",
    run: async () => {
      if (config["controller.scheduler"] !== "process" && config["controller.scheduler"] !== "embedded")
        return warn(
          "database.type is embedded: the database belongs to wadi cluster on this machine and has no replica",
          'Set database.type = "postgres" or DATABASE_HOST for a cluster that must survive this machine.',
        );
      const { path } = configuredStateFolder(config);
      return ok(existsSync(path) ? `embedded, in "${path}"` : `embedded; wadi cluster will make it in "${path}"`);
    },
  };
}

async function withDatabase(config: Config, use: (db: Database) => Promise<Finding>): Promise<Finding> {
  const db = openDatabase({ ...databaseOptions(config, "wadi doctor"), connections: 1, statementTimeoutMs: LIMIT_MS });
  try {
    return await use(db);
  } catch (thrown) {
    const error = databaseError("connecting", thrown);
    return fail(error.message, fixOf(error, sqlState(thrown)));
  } finally {
    // A pool whose server hangs does not end either.
    void db.destroy().catch(() => undefined);
  }
}

async function checkServer(db: Database, server: string): Promise<Finding> {
  const before = systemClock.nowNs();
  const answer = await db.raw<{ rows: { version: string; writable: string; ms: string }[] }>(
    "select current_setting('server_version') as version, current_setting('transaction_read_only') as writable, " +
      "(extract(epoch from clock_timestamp()) * 1000)::bigint::text as ms",
  );
  const here = Number((before + systemClock.nowNs()) / 2n / 1_000_000n);
  const { version = "", writable = "", ms = String(here) } = answer.rows[0] ?? {};
  const major = Number.parseInt(version, 10);
  if (writable === "on")
    return fail(`the database at ${server} only takes reads: it is a standby`, "Set database.postgres.host to the primary.");
  if (major < OLDEST)
    return fail(`the database at ${server} is PostgreSQL ${version}, older than ${OLDEST}`, `Upgrade it to ${OLDEST} or later.`);
  const skewMs = here - Number(ms);
  if (Math.abs(skewMs) > SKEW_MS)
    return warn(
      `this machine's clock is ${Math.abs(skewMs / 1000).toFixed(0)} s ${skewMs < 0 ? "behind" : "ahead of"} that of the database at ${server}`,
      "Run a time service (chrony, systemd-timesyncd) on all machines.",
    );
  return ok(`PostgreSQL ${version} at ${server}, clocks agree`);
}

async function checkSchema(db: Database): Promise<Finding> {
  const found = await readSchemaVersion(db);
  const wanted = MIGRATIONS.length;
  if (found.version > wanted)
    return fail(
      `the database has schema version ${found.version} of release ${found.release}, newer than the ${wanted} of release ${release()}`,
      "Run a release that is at least as new as the database; schemas do not go back.",
    );
  if (found.version < wanted) {
    const state = found.version === 0 ? "has no schema yet" : `has schema version ${found.version}`;
    return fail(`the database ${state}, release ${release()} works with version ${wanted}`, 'Run "wadi migrate".');
  }
  return ok(`schema version ${found.version}, as this release wants`);
}

async function checkLeader(db: Database): Promise<Finding> {
  const { controller } = await readClusterInfo(db);
  if (controller === undefined) return skip("none has led with this database yet");
  if (!controller.alive)
    return fail(
      `no controller leads: the lease of the last one, at ${controller.endpoint}, is over`,
      "Start a controller and look at the log of the last one; workers go on meanwhile.",
    );
  if (controller.release !== release())
    return warn(
      `the controller at ${controller.endpoint} leads with release ${controller.release}, and this command is ${release()}`,
      "Deploy one release everywhere; running pipelines move with wadi upgrade.",
    );
  return ok(`the one at ${controller.endpoint} leads, release ${controller.release}`);
}

/** Advice by SQLSTATE, else by kind. */
function fixOf(error: AppError, state: string | undefined): string {
  if (state === "28P01" || state === "28000") return "Correct database.postgres.user and DATABASE_PASSWORD, or the server's pg_hba.conf.";
  if (state === "3D000") return "Create the database, or correct database.postgres.database-name.";
  if (state?.startsWith("53") === true) return "Raise max_connections of the server, or end connections that are not needed.";
  if (state === "57P03") return "Wait until the server has started.";
  const { message } = toAppError(error);
  if (/SSL|TLS|certificate|self.signed/i.test(message))
    return "Correct database.postgres.tls.mode and .ca-cert: how the server is verified.";
  if (/ENOTFOUND|EAI_AGAIN/.test(message)) return "Correct database.postgres.host: its name is not known here.";
  if (error.code === "connection-lost") return "Start the server, or correct database.postgres.host and .port.";
  return error.hint ?? "Look at the server's log.";
}
