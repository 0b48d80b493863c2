/** `wadi migrate`: brings the database to this release's schema. Safe beside others that do the same, and again after a crash. */
import { randomUUID } from "node:crypto";
import { systemClock } from "../../core/clock.ts";
import type { LoadedConfig } from "../../core/config.ts";
import { AppError } from "../../core/errors.ts";
import { systemRandom } from "../../core/prng.ts";
import { withRetry } from "../../core/retry.ts";
import { type Database, type DatabaseOptions, openDatabase } from "../../db/connection.ts";
import { databaseError } from "../../db/database-error.ts";
import { migrateDatabase } from "../../db/migrate.ts";
import { databaseOptions } from "../database.ts";
import { withEmbeddedDatabase } from "../embedded-database.ts";
import { EXIT, say } from "../output.ts";
import { release } from "../release.ts";

const POLL_MS = 200;
/** Who waits for long is told again after so many attempts: about every 30 s. */
const ATTEMPTS_PER_LINE = 150;

/** Runs the command; `waitMs` is how long the database may take to answer. */
export async function migrate(args: { readonly waitMs: number }, { config, warnings }: LoadedConfig): Promise<number> {
  for (const warning of warnings) say(`warning: ${warning}`);
  if (config["database.type"] === "embedded") await withEmbeddedDatabase(config, (options) => migrateAndSay(options, 0));
  else await migrateAndSay(databaseOptions(config, "wadi migrate"), args.waitMs);
  return EXIT.done;
}

async function migrateAndSay(options: DatabaseOptions, waitMs: number): Promise<void> {
  const db = openDatabase({ ...options, statementTimeoutMs: 0 });
  try {
    const applied = await migrateTo(db, waitMs, sayWaiting);
    say(
      applied.length === 0
        ? "the database is up to date"
        : `applied ${applied.length === 1 ? "migration" : "migrations"} ${applied.join(", ")}`,
    );
  } finally {
    await db.destroy();
  }
}

function sayWaiting(error: AppError, attempt: number): void {
  if (attempt % ATTEMPTS_PER_LINE === 1) say(`waiting for the database: ${error.message}`);
}

/** Waits until the database answers, at most `waitMs`, and migrates it; the versions that were applied. `onWait` is told of each failure. */
export async function migrateTo(
  db: Database,
  waitMs: number,
  onWait: (error: AppError, attempt: number) => void = () => undefined,
): Promise<readonly number[]> {
  const policy = { attempts: 1 + Math.ceil(waitMs / POLL_MS), initialMs: POLL_MS, maxMs: POLL_MS };
  await withRetry(() => ping(db), policy, { clock: systemClock, random: systemRandom, onRetry: onWait });
  return migrateDatabase(db, { clock: systemClock, claimant: `${process.pid}-${randomUUID()}`, release: release() });
}

/** A server that is not there yet refuses connections or has no such database: both may pass. */
async function ping(db: Database): Promise<void> {
  try {
    await db.raw("select 1");
  } catch (thrown) {
    const error = databaseError("connecting", thrown);
    if (error.domain === "external" && error.code !== "permission-denied")
      throw new AppError({ ...error, message: error.message, retry: "backoff" });
    throw error;
  }
}
