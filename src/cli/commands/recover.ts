/**
 * `wadi recover`: rebuilds pipelines and their positions from what lies beside their checkpoints, into a database in which nobody has made anything.
 * It shows a plan and asks; what is broken is named and left out. Nothing in the object store is changed.
 */
import type { LoadedConfig } from "../../core/config.ts";
import { userError } from "../../core/errors.ts";
import { type DatabaseOptions, openDatabase } from "../../db/connection.ts";
import { insertRecovered, type RecoveredJob, tablesInUse } from "../../db/descriptions.ts";
import { openObjectStore } from "../../storage/open.ts";
import { databaseOptions } from "../database.ts";
import { ask } from "../deploy/ask.ts";
import { withEmbeddedDatabase } from "../embedded-database.ts";
import { EXIT, print, say } from "../output.ts";
import { type FoundJob, findJobs } from "../recover/find.ts";
import { renderTable, timeText } from "../text-table.ts";
import { migrateTo } from "./migrate.ts";

const DATABASE_WAIT_MS = 30_000;

/** What the command line says. */
export interface RecoverArguments {
  /** URLs of object stores with checkpoints. */
  readonly from: readonly string[];
  readonly yes: boolean;
  /** Whether the pipelines run at once. */
  readonly start: boolean;
  readonly json: boolean;
}

/** Runs the command; 0 if all that was found is recovered, 1 if something was left out or nothing was done. */
export async function recover(args: RecoverArguments, { config, warnings }: LoadedConfig): Promise<number> {
  for (const warning of warnings) say(`warning: ${warning}`);
  const from = args.from.length === 0 ? [config["checkpoint-url"]] : args.from;
  const found = await findAll(from);
  const jobs = recoverable(found, config["checkpoint-url"], args.start);
  let code: number = EXIT.failed;
  const into = async (options: DatabaseOptions): Promise<void> => {
    code = await recoverInto(options, args, found, jobs);
  };
  if (config["database.type"] === "embedded") await withEmbeddedDatabase(config, into);
  else await into(databaseOptions(config, "wadi recover"));
  return code;
}

async function findAll(urls: readonly string[]): Promise<readonly FoundJob[]> {
  const found: FoundJob[] = [];
  for (const url of urls) {
    const store = await openObjectStore(url);
    try {
      found.push(...(await findJobs(store, url)));
    } finally {
      await store.close();
    }
  }
  if (found.length === 0) {
    throw userError("not-found", `there are no checkpoints in ${urls.join(", ")}`, {
      hint: "Name the store of the checkpoints with --from: the setting checkpoint-url of the cluster that is lost.",
    });
  }
  return found;
}

/** The jobs that come back. One that two stores have is taken from where it went further. */
function recoverable(found: readonly FoundJob[], clusterUrl: string, start: boolean): readonly RecoveredJob[] {
  const best = new Map<string, FoundJob>();
  for (const job of found) {
    const before = best.get(job.id);
    if (job.refused === undefined && (before?.record?.fence ?? -1n) < (job.record?.fence ?? 0n)) best.set(job.id, job);
  }
  return [...best.values()].flatMap(({ description, record, restore, from }) => {
    if (description === undefined) return [];
    const position = {
      epoch: restore?.entry.epoch ?? 0,
      run: record?.run,
      fence: record?.fence ?? 0n,
      parallelism: restore?.manifest.parallelism,
      finished: restore?.manifest.final === true,
    };
    return [{ description, position, stateUrl: from === clusterUrl ? undefined : from, start }];
  });
}

async function recoverInto(
  options: DatabaseOptions,
  args: RecoverArguments,
  found: readonly FoundJob[],
  jobs: readonly RecoveredJob[],
): Promise<number> {
  const db = openDatabase({ ...options, statementTimeoutMs: 0 });
  try {
    await migrateTo(db, DATABASE_WAIT_MS);
    await refuseUsed(db);
    if (args.json) print(`${JSON.stringify(planDocument(found, jobs), undefined, 2)}\n`);
    else print(planTable(found));
    for (const { id, refused, notes } of args.json ? [] : found) {
      for (const note of refused === undefined ? notes : [`left out: ${refused}`]) say(`${id}: ${note}`);
    }
    if (jobs.length === 0) {
      say("nothing can be recovered");
      return EXIT.failed;
    }
    const how = args.start ? "running" : "stopped";
    if (!args.yes && !(await ask(`Recover ${jobs.length} of ${found.length}, ${how}? (yes/no) `, "recover"))) {
      say("nothing was changed");
      return EXIT.failed;
    }
    await refuseUsed(db);
    await insertRecovered(db, jobs);
    say(
      `recovered ${jobs.length} of ${found.length}${args.start ? "" : "; they are stopped: start them in the UI or by wadi pipelines start"}`,
    );
    return jobs.length === found.length ? EXIT.done : EXIT.failed;
  } finally {
    await db.destroy();
  }
}

async function refuseUsed(db: Parameters<typeof tablesInUse>[0]): Promise<void> {
  const used = await tablesInUse(db);
  if (used.length === 0) return;
  throw userError("already-exists", `the database is in use: it has rows in ${used.join(", ")}`, {
    hint: "Recover into a new, empty database; name it with DATABASE_HOST and DATABASE_NAME.",
  });
}

function bytesOf({ restore }: FoundJob): number | undefined {
  return restore?.manifest.files.reduce((sum, { size }) => sum + size, 0);
}

function planTable(found: readonly FoundJob[]): string {
  const rows = found.map((job) => [
    job.description?.pipeline.name,
    job.id,
    job.restore?.entry.epoch,
    timeText(job.restore === undefined ? null : Number(job.restore.manifest.createdAtNs / 1000n)),
    job.restore?.manifest.parallelism,
    bytesOf(job),
    job.refused === undefined ? (job.restore?.manifest.final === true ? "finished" : "recovered") : "left out",
  ]);
  return renderTable(["pipeline", "job", "epoch", "taken at", "parallelism", "state bytes", "what"], rows);
}

function planDocument(found: readonly FoundJob[], jobs: readonly RecoveredJob[]) {
  const back = new Set(jobs.map(({ description }) => description.job.id));
  return {
    jobs: found.map((job) => ({
      job: job.id,
      from: job.from,
      pipeline: job.description?.pipeline.name ?? null,
      epoch: job.restore?.entry.epoch ?? null,
      parallelism: job.restore?.manifest.parallelism ?? null,
      state_bytes: bytesOf(job) ?? null,
      recovered: job.refused === undefined && back.has(job.id),
      refused: job.refused ?? null,
      notes: job.notes,
    })),
  };
}
