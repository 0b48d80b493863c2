/**
 * What the outside system tells of runs, and the last words of failed workers. A line that is told again, by another controller too, is known
 * by its digest and left out.
 */
import { createHash } from "node:crypto";
import type { Database } from "./connection.ts";
import { databaseError } from "./database-error.ts";
import { jsonParameter } from "./json-parameter.ts";

/** A line of the outside system's own timeline of a run. */
export interface SchedulerEventRow {
  readonly job: string;
  readonly run: string;
  readonly runFence: bigint;
  /** Of the worker it is about; undefined: of the run as a whole. */
  readonly handle: string | undefined;
  /** "evaluation", "allocation", "task", "pod", "process". */
  readonly about: string;
  readonly level: "error" | "warn" | "info";
  /** One line. */
  readonly message: string;
  /** Milliseconds since 1970, by the outside system's clock. */
  readonly occurredAtMs: number;
}

/** Adds `events` in one statement; those that are known and those of jobs that are gone or a newer leader's are left out. */
export async function insertSchedulerEvents(db: Database, leaderEpoch: bigint, events: readonly SchedulerEventRow[]): Promise<void> {
  if (events.length === 0) return;
  const records = events.map((event) => ({
    job_id: event.job,
    run_id: event.run,
    run_fence: event.runFence.toString(),
    handle: event.handle,
    about: event.about,
    level: event.level,
    message: event.message,
    occurred_at: event.occurredAtMs,
    digest: digestOf(event),
  }));
  try {
    await db.raw(
      `insert into scheduler_events (job_id, run_id, run_fence, handle, about, level, message, occurred_at, digest)
       select e.job_id, e.run_id, e.run_fence, e.handle, e.about, e.level, e.message, to_timestamp(e.occurred_at / 1000), e.digest
       from jsonb_to_recordset(?::jsonb) as e(job_id text, run_id text, run_fence bigint, handle text, about text, level text, message text,
         occurred_at float8, digest text)
       join jobs j on j.id = e.job_id where j.leader_epoch <= ? on conflict (job_id, digest) do nothing`,
      [jsonParameter(records), leaderEpoch.toString()],
    );
  } catch (error) {
    throw databaseError("writing the scheduler's timeline", error);
  }
}

function digestOf({ runFence, handle, about, level, message, occurredAtMs }: SchedulerEventRow): string {
  const all = [runFence.toString(), handle ?? "", about, level, message, Math.round(occurredAtMs)].join("\n");
  return createHash("sha256").update(all).digest("base64url").slice(0, 22);
}

/** Keeps the newest `keep` lines of every job. */
export async function trimSchedulerEvents(db: Database, keep: number): Promise<void> {
  try {
    await db.raw(
      `delete from scheduler_events e using (
         select id, row_number() over (partition by job_id order by occurred_at desc, id desc) as place from scheduler_events) old
       where e.id = old.id and old.place > ?`,
      [keep],
    );
  } catch (error) {
    throw databaseError("shortening the scheduler's timeline", error);
  }
}

/** The last lines of a failed worker. */
export interface LastWordsRow {
  readonly job: string;
  readonly handle: string;
  readonly runFence: bigint;
  readonly stderr: string;
}

/** Of `workers`, those whose last words are kept, as "job handle". */
export async function readKeptWords(
  db: Database,
  workers: readonly { readonly job: string; readonly handle: string }[],
): Promise<ReadonlySet<string>> {
  if (workers.length === 0) return new Set();
  try {
    const { rows } = await db.raw<{ rows: { job_id: string; handle: string }[] }>(
      `select w.job_id, w.handle from worker_last_words w
       join jsonb_to_recordset(?::jsonb) as k(job text, handle text) on k.job = w.job_id and k.handle = w.handle`,
      [jsonParameter(workers.map(({ job, handle }) => ({ job, handle })))],
    );
    return new Set(rows.map((row) => `${row.job_id} ${row.handle}`));
  } catch (error) {
    throw databaseError("reading last words", error);
  }
}

/** Keeps the last lines of a worker; those that are kept already stay. Does nothing if the job is gone. */
export async function writeLastWords(db: Database, row: LastWordsRow): Promise<void> {
  try {
    await db.raw(
      `insert into worker_last_words (job_id, handle, run_fence, stderr) select id, ?, ?, ? from jobs where id = ?
       on conflict (job_id, handle) do nothing`,
      [row.handle, row.runFence.toString(), row.stderr.replaceAll("\0", "\uFFFD"), row.job],
    );
  } catch (error) {
    throw databaseError("writing last words", error);
  }
}

/** The last lines of the worker `handle` of `job`; `undefined` if none are kept. */
export async function readLastWords(db: Database, job: string, handle: string): Promise<string | undefined> {
  try {
    const rows = await db("worker_last_words").where({ job_id: job, handle }).limit(1).select<{ stderr: string }[]>("stderr");
    return rows[0]?.stderr;
  } catch (error) {
    throw databaseError("reading last words", error);
  }
}

/** Keeps the last words of the newest `keep` workers of every job. */
export async function trimLastWords(db: Database, keep: number): Promise<void> {
  try {
    await db.raw(
      `delete from worker_last_words w using (
         select job_id, handle, row_number() over (partition by job_id order by taken_at desc) as place from worker_last_words) old
       where w.job_id = old.job_id and w.handle = old.handle and old.place > ?`,
      [keep],
    );
  } catch (error) {
    throw databaseError("shortening last words", error);
  }
}
