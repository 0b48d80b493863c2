/**
 * What the scheduler shows of itself, as the leading controller writes it: status, runs with what was submitted for them, services. Each
 * call is one statement, however many rows it writes; a controller that no longer leads writes nothing.
 */
import type { Database } from "./connection.ts";
import { databaseError } from "./database-error.ts";
import { jsonParameter } from "./json-parameter.ts";

/** The outside system. */
export interface SchedulerStatusRow {
  readonly scheduler: string;
  readonly link: "live" | "polling" | "down";
  /** Why it is not live; empty: it is. */
  readonly trouble: string;
  readonly version: string;
  readonly place: Readonly<Record<string, string>>;
  /** Milliseconds since 1970. */
  readonly syncedAtMs: number | undefined;
}

/** Replaces the status, unless a newer leader has written it. */
export async function writeSchedulerStatus(db: Database, leaderEpoch: bigint, row: SchedulerStatusRow): Promise<void> {
  try {
    await db.raw(
      `insert into scheduler_status (singleton, scheduler, link, trouble, version, place, synced_at, leader_epoch)
       values (0, ?, ?, ?, ?, ?::jsonb, to_timestamp(?::float8 / 1000), ?)
       on conflict (singleton) do update set scheduler = excluded.scheduler, link = excluded.link, trouble = excluded.trouble,
         version = excluded.version, place = excluded.place, synced_at = coalesce(excluded.synced_at, scheduler_status.synced_at),
         observed_at = now(), leader_epoch = excluded.leader_epoch
       where scheduler_status.leader_epoch <= excluded.leader_epoch`,
      [row.scheduler, row.link, row.trouble, row.version, jsonParameter(row.place), row.syncedAtMs ?? null, leaderEpoch.toString()],
    );
  } catch (error) {
    throw databaseError("writing the scheduler's status", error);
  }
}

/** What the scheduler holds for a run. Times are milliseconds since 1970. */
export interface SchedulerRunRow {
  readonly job: string;
  readonly run: string;
  readonly runFence: bigint;
  readonly name: string;
  readonly workers: number;
  readonly missing: number;
  readonly reason: string;
  readonly waitingSinceMs: number | undefined;
  readonly status: string;
  readonly submittedAtMs: number | undefined;
  readonly link: string | undefined;
}

const RUN_RECORDS = `jsonb_to_recordset(?::jsonb) as r(job_id text, run_id text, run_fence bigint, name text, workers int, missing int, reason text,
  waiting_since float8, status text, submitted_at float8, link text)`;

/** Writes all `rows`. Those of jobs that are gone or that a newer leader has written are left out. */
export async function writeSchedulerRuns(db: Database, leaderEpoch: bigint, rows: readonly SchedulerRunRow[]): Promise<void> {
  if (rows.length === 0) return;
  const records = rows.map((row) => ({
    job_id: row.job,
    run_id: row.run,
    run_fence: row.runFence.toString(),
    name: row.name,
    workers: row.workers,
    missing: row.missing,
    reason: row.reason,
    waiting_since: row.waitingSinceMs,
    status: row.status,
    submitted_at: row.submittedAtMs,
    link: row.link,
  }));
  try {
    await db.raw(
      `insert into scheduler_runs (job_id, run_id, run_fence, name, workers, missing, reason, waiting_since_at, status, submitted_at, link,
         leader_epoch)
       select r.job_id, r.run_id, r.run_fence, r.name, r.workers, r.missing, r.reason, to_timestamp(r.waiting_since / 1000), r.status,
         to_timestamp(r.submitted_at / 1000), r.link, ?
       from ${RUN_RECORDS} join jobs j on j.id = r.job_id where j.leader_epoch <= ?
       on conflict (job_id, run_fence) do update set name = excluded.name, workers = excluded.workers, missing = excluded.missing,
         reason = excluded.reason, waiting_since_at = excluded.waiting_since_at, status = excluded.status,
         submitted_at = coalesce(scheduler_runs.submitted_at, excluded.submitted_at), link = excluded.link, gone_at = null,
         leader_epoch = excluded.leader_epoch
       where scheduler_runs.leader_epoch <= excluded.leader_epoch`,
      [leaderEpoch.toString(), jsonParameter(records), leaderEpoch.toString()],
    );
  } catch (error) {
    throw databaseError("writing the scheduler's runs", error);
  }
}

/** A run by its job and fence. */
export interface RunPlace {
  readonly job: string;
  readonly runFence: bigint;
}

/** Says of all runs but `current` that the outside system knows them no more; those that it has yet to be given are left alone. */
export async function endSchedulerRuns(db: Database, leaderEpoch: bigint, current: readonly RunPlace[]): Promise<void> {
  const records = current.map(({ job, runFence }) => ({ job_id: job, run_fence: runFence.toString() }));
  try {
    await db.raw(
      `update scheduler_runs s set gone_at = now(), missing = 0, reason = '', waiting_since_at = null
       where s.gone_at is null and s.leader_epoch <= ?
         and (s.status <> '' or s.run_fence < (select j.run_fence from jobs j where j.id = s.job_id)) and not exists (
         select 1 from jsonb_to_recordset(?::jsonb) as r(job_id text, run_fence bigint)
         where r.job_id = s.job_id and r.run_fence = s.run_fence)`,
      [leaderEpoch.toString(), jsonParameter(records)],
    );
  } catch (error) {
    throw databaseError("ending the scheduler's runs", error);
  }
}

/** What was submitted for a run, without secrets. */
export interface RunSpecRow extends RunPlace {
  readonly run: string;
  readonly text: string;
  readonly format: "json" | "yaml" | "text";
  /** SHA-256 of the text, hex. */
  readonly hash: string;
  readonly warnings: readonly string[];
  readonly workers: number;
  /** Of these, those that had no place, and why; where the outside system was not asked for places it is all that is known. */
  readonly missing: number;
  readonly reason: string;
  readonly cpuMillisPerSlot: number;
  readonly memoryBytesPerSlot: number;
}

/** Keeps what was submitted for a run. */
export async function writeRunSpec(db: Database, leaderEpoch: bigint, spec: RunSpecRow): Promise<void> {
  const epoch = leaderEpoch.toString();
  try {
    await db.raw(
      `insert into scheduler_runs (job_id, run_id, run_fence, workers, missing, reason, spec_text, spec_format, spec_hash, spec_warnings, cpu_millis_per_slot,
         memory_bytes_per_slot, leader_epoch)
       select j.id, ?, ?, ?, ?, ?, ?, ?, ?, ?::jsonb, ?, ?, ? from jobs j where j.id = ? and j.leader_epoch <= ?
       on conflict (job_id, run_fence) do update set spec_text = excluded.spec_text, spec_format = excluded.spec_format,
         spec_hash = excluded.spec_hash, spec_warnings = excluded.spec_warnings, cpu_millis_per_slot = excluded.cpu_millis_per_slot,
         memory_bytes_per_slot = excluded.memory_bytes_per_slot
       where scheduler_runs.leader_epoch <= excluded.leader_epoch`,
      [
        spec.run,
        spec.runFence.toString(),
        spec.workers,
        spec.missing,
        spec.reason,
        spec.text.replaceAll("\0", "\uFFFD"),
        spec.format,
        spec.hash,
        jsonParameter(spec.warnings),
        spec.cpuMillisPerSlot,
        spec.memoryBytesPerSlot,
        epoch,
        spec.job,
        epoch,
      ],
    );
  } catch (error) {
    throw databaseError("writing what was submitted", error);
  }
}

/** A service of Wadi itself. */
export interface ServiceRow {
  readonly name: string;
  readonly status: string;
  readonly wanted: number;
  readonly healthy: number;
  readonly version: string;
  readonly deployment: string;
  readonly addresses: readonly string[];
  readonly failing: readonly string[];
  readonly link: string | undefined;
}

/** Replaces all services by `rows`, those of a newer leader excepted. */
export async function replaceServices(db: Database, leaderEpoch: bigint, rows: readonly ServiceRow[]): Promise<void> {
  const epoch = leaderEpoch.toString();
  try {
    await db.raw("delete from scheduler_services where leader_epoch <= ? and not (name = any(?))", [epoch, rows.map(({ name }) => name)]);
    if (rows.length === 0) return;
    await db.raw(
      `insert into scheduler_services (name, status, wanted, healthy, version, deployment, addresses, failing, link, leader_epoch)
       select s.name, s.status, s.wanted, s.healthy, s.version, s.deployment, s.addresses, s.failing, s.link, ?
       from jsonb_to_recordset(?::jsonb) as s(name text, status text, wanted int, healthy int, version text, deployment text,
         addresses jsonb, failing jsonb, link text)
       on conflict (name) do update set status = excluded.status, wanted = excluded.wanted, healthy = excluded.healthy,
         version = excluded.version, deployment = excluded.deployment, addresses = excluded.addresses, failing = excluded.failing,
         link = excluded.link, leader_epoch = excluded.leader_epoch
       where scheduler_services.leader_epoch <= excluded.leader_epoch`,
      [epoch, jsonParameter(rows)],
    );
  } catch (error) {
    throw databaseError("writing services", error);
  }
}

/** Keeps the newest `keep` runs of every job. */
export async function trimSchedulerRuns(db: Database, keep: number): Promise<void> {
  try {
    await db.raw(
      `delete from scheduler_runs r using (
         select job_id, run_fence, row_number() over (partition by job_id order by run_fence desc) as place from scheduler_runs) old
       where r.job_id = old.job_id and r.run_fence = old.run_fence and old.place > ?`,
      [keep],
    );
  } catch (error) {
    throw databaseError("deleting old runs", error);
  }
}
