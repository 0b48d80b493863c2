/**
 * Brings the database to this build's schema. Each migration runs in one transaction of its own, under a claim: a row of
 * `schema_migrations` that one process owns by compare-and-set. No advisory lock and no session state, because the embedded database has one
 * session for all of its clients. A claim that was not finished in time (its owner died) is taken over; the transaction of a claim that was
 * taken over changes nothing, because its first statement finds that the row is no longer its own.
 *
 * Versions are 1, 2, 3 …; there is no way back: a build older than the database refuses to work with it.
 */
import { must } from "../core/assert.ts";
import type { Clock } from "../core/clock.ts";
import { AppError, externalError, userError } from "../core/errors.ts";
import type { Database } from "./connection.ts";
import { databaseError, sqlState } from "./database-error.ts";
import { up as createSchema } from "./migrations/0001-create-schema.ts";
import { up as createMetricSamples } from "./migrations/0002-create-metric-samples.ts";
import { up as createSchedulerView } from "./migrations/0003-create-scheduler-view.ts";
import { up as createAuthorities } from "./migrations/0004-create-authorities.ts";
import { up as createSchedulerRecords } from "./migrations/0005-create-scheduler-records.ts";
import { up as addWorkerBuilds } from "./migrations/0006-add-worker-builds.ts";
import { up as addWorkerCpu } from "./migrations/0007-add-worker-cpu.ts";

/** One step of the schema. */
export interface Migration {
  /** From 1, without gaps. */
  readonly version: number;
  /** As its file is named: "0001-create-schema". */
  readonly name: string;
  /** Changes the schema; runs in a transaction and must not wait for anything but the database. */
  readonly up: (db: Database) => Promise<void>;
}

/** All steps, in order. */
export const MIGRATIONS: readonly Migration[] = [
  { version: 1, name: "0001-create-schema", up: createSchema },
  { version: 2, name: "0002-create-metric-samples", up: createMetricSamples },
  { version: 3, name: "0003-create-scheduler-view", up: createSchedulerView },
  { version: 4, name: "0004-create-authorities", up: createAuthorities },
  { version: 5, name: "0005-create-scheduler-records", up: createSchedulerRecords },
  { version: 6, name: "0006-add-worker-builds", up: addWorkerBuilds },
  { version: 7, name: "0007-add-worker-cpu", up: addWorkerCpu },
];

/** What migrating needs from outside. */
export interface MigrateOptions {
  readonly clock: Clock;
  /** Unique per process and call: owner of the claims. */
  readonly claimant: string;
  /** Release of this build, for the record and for messages. */
  readonly release: string;
  /** Instead of `MIGRATIONS`. */
  readonly migrations?: readonly Migration[];
  /** A claim that is older, by the database's clock, is taken over; milliseconds. A migration must take less. */
  readonly claimTimeoutMs?: number;
  /** How long another process' migration is waited for, milliseconds. */
  readonly waitMs?: number;
}

/** The schema of a database. */
export interface SchemaVersion {
  /** Newest finished migration; 0: none. */
  readonly version: number;
  /** Release that made it; "" if none. */
  readonly release: string;
}

const CLAIM_TIMEOUT_MS = 10 * 60_000;
const WAIT_MS = 15 * 60_000;
const POLL_MS = 100;
/** Tables that were created by somebody else at the same moment: the next look finds them. */
const CREATED_MEANWHILE = new Set(["23505", "42P07", "42710"]);
const UNDEFINED_TABLE = "42P01";

/**
 * Applies what is missing and returns the versions that this call applied: none if there was nothing to do, or others did it. Safe to call
 * from several processes at once and again after a crash at any point. Throws `version-mismatch` for a database newer than `migrations`,
 * `timeout` if another process does not finish.
 */
export async function migrateDatabase(db: Database, options: MigrateOptions): Promise<readonly number[]> {
  const migrations = options.migrations ?? MIGRATIONS;
  try {
    await createMigrationTable(db);
    await refuseNewer(db, migrations, options.release);
    const applied: number[] = [];
    for (const migration of migrations) if (await applyOnce(db, migration, options)) applied.push(migration.version);
    return applied;
  } catch (error) {
    throw databaseError("migrating", error);
  }
}

/** The schema as it is. A database without Wadi's tables has version 0. */
export async function readSchemaVersion(db: Database): Promise<SchemaVersion> {
  try {
    const row = await newestFinished(db);
    return row === undefined ? { version: 0, release: "" } : row;
  } catch (error) {
    if (sqlState(error) === UNDEFINED_TABLE) return { version: 0, release: "" };
    throw databaseError("reading the schema version", error);
  }
}

/**
 * For processes that do not migrate: throws `version-mismatch` unless the schema is exactly what this build works with; with `retry: "backoff"`
 * where somebody may be about to migrate it.
 */
export async function checkSchemaVersion(db: Database, release: string, migrations: readonly Migration[] = MIGRATIONS): Promise<void> {
  const found = await readSchemaVersion(db);
  if (found.version > migrations.length) throw newerError(found, migrations, release);
  if (found.version === migrations.length) return;
  const message = `the database has schema version ${found.version}, release ${release} works with version ${migrations.length}`;
  throw new AppError({ domain: "user", code: "version-mismatch", message, hint: 'Run "wadi migrate".', retry: "backoff" });
}

async function createMigrationTable(db: Database): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      if (await db.schema.hasTable("schema_migrations")) return;
      await db.schema.createTable("schema_migrations", (t) => {
        t.comment("Steps of the schema. A row without finished_at is a claim: its owner is applying the step.");
        t.integer("version").primary().comment("from 1, without gaps");
        t.text("name").notNullable().comment("name of the migration's file");
        t.text("release").notNullable().comment("release that applied it");
        t.text("claimed_by").notNullable().comment("process that applies or has applied it");
        t.timestamp("claimed_at", { useTz: true }).notNullable().defaultTo(db.fn.now()).comment("by the database's clock");
        t.timestamp("finished_at", { useTz: true }).comment("null: not applied yet");
      });
      return;
    } catch (error) {
      if (attempt === 3 || !CREATED_MEANWHILE.has(sqlState(error) ?? "")) throw error;
    }
  }
}

async function newestFinished(db: Database): Promise<SchemaVersion | undefined> {
  const rows = await db<SchemaVersion>("schema_migrations").whereNotNull("finished_at").orderBy("version", "desc").limit(1);
  const row = rows[0];
  return row === undefined ? undefined : { version: row.version, release: row.release };
}

async function refuseNewer(db: Database, migrations: readonly Migration[], release: string): Promise<void> {
  const newest = await newestFinished(db);
  if (newest !== undefined && newest.version > migrations.length) throw newerError(newest, migrations, release);
}

function newerError(found: SchemaVersion, migrations: readonly Migration[], release: string): Error {
  const message = `the database has schema version ${found.version} of release ${found.release}, release ${release} knows versions up to ${migrations.length}`;
  return userError("version-mismatch", message, { hint: "Run a release that is at least as new as the database; schemas do not go back." });
}

/** True if this call applied `migration`, false if it was applied before or by somebody else. */
async function applyOnce(db: Database, migration: Migration, options: MigrateOptions): Promise<boolean> {
  const { clock, waitMs = WAIT_MS } = options;
  const startedMs = clock.elapsedMs();
  for (;;) {
    const claim = await tryClaim(db, migration, options);
    if (claim === "finished") return false;
    if (claim === "claimed") return applyClaimed(db, migration, options);
    if (clock.elapsedMs() - startedMs > waitMs) {
      const message = `migration ${migration.name} is being applied by "${claim.owner}" and does not finish`;
      throw externalError("timeout", message, { hint: "If that process is gone, its claim is taken over after a while." });
    }
    await clock.sleep(POLL_MS);
  }
}

/** Takes the claim of `migration` if it is free or too old. */
async function tryClaim(
  db: Database,
  migration: Migration,
  options: MigrateOptions,
): Promise<"claimed" | "finished" | { readonly owner: string }> {
  const { version, name } = migration;
  const { claimant, release, claimTimeoutMs = CLAIM_TIMEOUT_MS } = options;
  const inserted = await db("schema_migrations")
    .insert({ version, name, release, claimed_by: claimant })
    .onConflict("version")
    .ignore()
    .returning("version");
  if (inserted.length === 1) return "claimed";
  const taken = await db("schema_migrations")
    .where({ version })
    .whereNull("finished_at")
    .whereRaw("claimed_at < now() - ? * interval '1 millisecond'", [claimTimeoutMs])
    .update({ claimed_by: claimant, release, name, claimed_at: db.fn.now() });
  if (taken === 1) return "claimed";
  const rows = await db("schema_migrations").where({ version }).select<{ claimed_by: string; finished_at: Date | null }[]>();
  const row = must(rows[0], `the row of migration ${name}`);
  return row.finished_at === null ? { owner: row.claimed_by } : "finished";
}

/** Applies a migration whose claim is ours. False if the claim was taken over meanwhile: then nothing has changed. */
async function applyClaimed(db: Database, migration: Migration, options: MigrateOptions): Promise<boolean> {
  const { version } = migration;
  const own = { version, claimed_by: options.claimant };
  try {
    return await db.transaction(async (transaction) => {
      // Locks the row: whoever wants to take the claim over waits for the end of this transaction and then finds it finished.
      const finished = await transaction("schema_migrations").where(own).whereNull("finished_at").update({ finished_at: db.fn.now() });
      if (finished !== 1) return false;
      await migration.up(transaction);
      return true;
    });
  } catch (error) {
    // So that the next attempt need not wait for the claim to grow old. If this fails too, it will.
    await db("schema_migrations")
      .where(own)
      .whereNull("finished_at")
      .delete()
      .catch(() => 0);
    throw databaseError(`migration ${migration.name}`, error);
  }
}
