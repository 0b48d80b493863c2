/**
 * Rows of `jobs`: read into the job that the state machine knows, and written back by compare-and-set on the row's revision and the leader's
 * fencing epoch, with the timeline entries of the step in the same statement. The API's columns (`desired_…`) are only read here.
 */
import type { ErrorRecord } from "../core/errors.ts";
import { isErrorCode } from "../core/errors.ts";
import type { JobId, PipelineId, RunId } from "../core/ids.ts";
import { type Desired, type Job, type JobContext, type JobState, NO_CONTEXT, type RestartMode, type StopMode } from "../job/job.ts";
import type { Database } from "./connection.ts";
import { databaseError } from "./database-error.ts";
import { EVENT_COLUMNS, EVENT_RECORDS, EVENT_VALUES, eventsAsJson, type JobEventRow } from "./job-events.ts";
import { jsonParameter } from "./json-parameter.ts";

/** Channel on which writers of `jobs` name the job they wrote. */
export const JOBS_CHANNEL = "wadi_jobs";

/** What the pipeline of a job says, as far as running it needs. The program's text is read apart: it is large. */
export interface JobPipeline {
  readonly id: PipelineId;
  readonly name: string;
  readonly slug: string;
  /** Undefined: the cluster's. */
  readonly stateUrl: string | undefined;
}

/** A job with what else the controller keeps in its row. */
export interface StoredJob {
  readonly job: Job;
  /** Of the row; each write raises it by one. */
  readonly revision: bigint;
  readonly pipeline: JobPipeline;
  /** Environment of the workers. */
  readonly environment: Readonly<Record<string, string>>;
  /** What the user wants of the scheduler. */
  readonly overrides: Readonly<Record<string, unknown>>;
  /** Hashes of the tokens that workers of the newest run log in with. */
  readonly tokenHashes: readonly string[];
}

/** A job whose wishes may have changed. */
export interface ChangedJob {
  readonly id: JobId;
  readonly desiredRevision: number;
  readonly deleted: boolean;
}

interface Row {
  readonly id: string;
  readonly pipeline_id: string;
  readonly name: string;
  readonly slug: string;
  readonly state_url: string | null;
  readonly preview: boolean;
  readonly deleted: boolean;
  readonly ttl_us: bigint | null;
  readonly desired_stop: string;
  readonly desired_parallelism: number;
  readonly desired_checkpoint_interval_us: bigint;
  readonly desired_restart_nonce: number;
  readonly desired_restart_mode: string;
  readonly desired_ignore_state_before_epoch: bigint | null;
  readonly desired_env_vars: Record<string, string>;
  readonly desired_scheduler_config: Record<string, unknown>;
  readonly desired_build: string;
  readonly desired_revision: bigint;
  readonly state: string;
  readonly state_context: Partial<JobContext> & { readonly tokenHashes?: readonly string[]; readonly failure?: ErrorRecord };
  readonly state_changed_at: Date;
  readonly state_deadline_at: Date | null;
  readonly observed_revision: bigint;
  readonly observed_restart_nonce: number;
  readonly revision: bigint;
  readonly run_id: string | null;
  readonly run_fence: bigint;
  readonly parallelism: number | null;
  readonly tasks: number | null;
  readonly restarts: number;
  readonly epoch: bigint;
  readonly artifact_hash: string | null;
  readonly started_at: Date | null;
  readonly finished_at: Date | null;
  readonly failure_domain: string | null;
  readonly failure_code: string | null;
  readonly failure_message: string | null;
  readonly failure_hint: string | null;
}

const SELECT = `select j.*, p.name, p.slug, p.state_url, p.preview, p.deleted_at is not null as deleted
  from jobs j join pipelines p on p.id = j.pipeline_id`;

/**
 * Makes the leader with `leaderEpoch` the last that may write any job: an earlier one matches no row from here on, whichever jobs this one
 * writes. One statement, at the begin of a term.
 */
export async function fenceJobs(db: Database, leaderEpoch: bigint): Promise<void> {
  try {
    await db.raw("update jobs set leader_epoch = ? where leader_epoch < ?", [leaderEpoch.toString(), leaderEpoch.toString()]);
  } catch (error) {
    throw databaseError("fencing jobs", error);
  }
}

/** All jobs, or those of `ids` that exist. */
export async function readJobs(db: Database, ids?: readonly string[]): Promise<readonly StoredJob[]> {
  try {
    const result =
      ids === undefined
        ? await db.raw<{ rows: Row[] }>(SELECT)
        : await db.raw<{ rows: Row[] }>(`${SELECT} where j.id = any(?)`, [[...ids]]);
    return result.rows.map(parseRow);
  } catch (error) {
    throw databaseError("reading jobs", error);
  }
}

/** Jobs whose wishes the state machine has not taken account of, and those of deleted pipelines. */
export async function readChangedJobs(db: Database): Promise<readonly ChangedJob[]> {
  try {
    const { rows } = await db.raw<{ rows: { id: string; desired_revision: bigint; deleted: boolean }[] }>(
      `select j.id, j.desired_revision, p.deleted_at is not null as deleted from jobs j join pipelines p on p.id = j.pipeline_id
       where j.desired_revision <> j.observed_revision or p.deleted_at is not null`,
    );
    return rows.map((row) => ({ id: row.id as JobId, desiredRevision: Number(row.desired_revision), deleted: row.deleted }));
  } catch (error) {
    throw databaseError("reading changed jobs", error);
  }
}

/** The text of the pipeline's program; undefined if it has none. */
export async function readProgramText(db: Database, pipeline: PipelineId): Promise<string | undefined> {
  try {
    const rows = await db("pipelines").where({ id: pipeline }).select<{ program: string | null }[]>("program");
    return rows[0]?.program ?? undefined;
  } catch (error) {
    throw databaseError("reading a program", error);
  }
}

/**
 * Writes the job if its row still has `revision` and no newer leader has written it, together with `events`. `undefined` if it does not: the
 * caller reads the row again. A repetition after a lost answer is recognised by the same revision and leader and is a success. Otherwise the
 * new revision.
 */
export async function writeJob(
  db: Database,
  leaderEpoch: bigint,
  stored: Pick<StoredJob, "job" | "revision" | "tokenHashes">,
  events: readonly JobEventRow[],
): Promise<bigint | undefined> {
  const { job, revision, tokenHashes } = stored;
  const next = revision + 1n;
  const { failure } = job;
  try {
    const { rows } = await db.raw<{ rows: { written: boolean; revision: bigint; leader_epoch: bigint }[] }>(
      `with w as (
         update jobs set state = ?, state_context = ?::jsonb, state_changed_at = to_timestamp(?::float8 / 1000),
           state_deadline_at = to_timestamp(?::float8 / 1000), observed_revision = ?, observed_restart_nonce = ?, revision = ?, leader_epoch = ?,
           run_id = ?, run_fence = ?, parallelism = ?, tasks = ?, restarts = ?, epoch = ?, artifact_hash = ?,
           started_at = to_timestamp(?::float8 / 1000), finished_at = to_timestamp(?::float8 / 1000),
           failure_domain = ?, failure_code = ?, failure_message = ?, failure_hint = ?
         where id = ? and revision = ? and leader_epoch <= ? returning id),
       e as (insert into job_events (${EVENT_COLUMNS}) select ${EVENT_VALUES} from ${EVENT_RECORDS} join w on w.id = e.job_id),
       n as (select pg_notify('${JOBS_CHANNEL}', id) from w)
       select exists (select 1 from w) as written, revision, leader_epoch, (select count(*) from n) as notified from jobs where id = ?`,
      [
        job.state,
        jsonParameter({ ...job.context, tokenHashes, ...(failure === undefined ? {} : { failure: withoutStack(failure) }) }),
        job.stateChangedAtMs,
        job.stateDeadlineAtMs ?? null,
        job.observedRevision,
        job.observedRestartNonce,
        next.toString(),
        leaderEpoch.toString(),
        job.run?.id ?? null,
        job.run?.fence ?? 0,
        job.parallelism ?? null,
        job.tasks ?? null,
        job.restarts,
        job.epoch,
        job.artifact ?? null,
        job.startedAtMs ?? null,
        job.finishedAtMs ?? null,
        failure?.domain ?? null,
        failure?.code ?? null,
        failure?.message ?? null,
        failure?.hint ?? null,
        job.id,
        revision.toString(),
        leaderEpoch.toString(),
        eventsAsJson(events),
        job.id,
      ],
    );
    const row = rows[0];
    if (row === undefined) return undefined;
    if (row.written) return next;
    return row.revision === next && row.leader_epoch === leaderEpoch ? next : undefined;
  } catch (error) {
    throw databaseError(`writing job ${job.id}`, error);
  }
}

/** Deletes the job, and its pipeline if that is deleted and has no other job. Nothing happens if a newer leader has written the job. */
export async function deleteJob(db: Database, leaderEpoch: bigint, job: JobId, pipeline: PipelineId): Promise<void> {
  try {
    await db.raw("delete from jobs where id = ? and leader_epoch <= ?", [job, leaderEpoch.toString()]);
    await db.raw(
      "delete from pipelines p where id = ? and deleted_at is not null and not exists (select 1 from jobs j where j.pipeline_id = p.id)",
      [pipeline],
    );
  } catch (error) {
    throw databaseError(`deleting job ${job}`, error);
  }
}

/** Deletes previews whose job ended more than `keepMs` ago, and pipelines that were deleted and have no job; the jobs go as of any deleted pipeline. */
export async function expirePipelines(db: Database, keepMs: number): Promise<void> {
  try {
    await db.raw(
      `update pipelines p set deleted_at = now() where preview and deleted_at is null and exists (
         select 1 from jobs j where j.pipeline_id = p.id and j.state in ('stopped', 'finished', 'failed')
           and j.finished_at < now() - ? * interval '1 millisecond')`,
      [keepMs],
    );
    await db.raw(
      `delete from pipelines p where deleted_at < now() - interval '1 minute' and not exists (select 1 from jobs j where j.pipeline_id = p.id)`,
    );
  } catch (error) {
    throw databaseError("expiring previews", error);
  }
}

function withoutStack({ stack: _, ...record }: ErrorRecord): ErrorRecord {
  return record;
}

function parseRow(row: Row): StoredJob {
  const { tokenHashes = [], failure, ...context } = row.state_context;
  return {
    job: {
      id: row.id as JobId,
      preview: row.preview,
      ttlMs: row.ttl_us === null ? undefined : Number(row.ttl_us / 1000n),
      desired: desiredOf(row),
      state: row.state as JobState,
      stateChangedAtMs: row.state_changed_at.getTime(),
      stateDeadlineAtMs: row.state_deadline_at?.getTime(),
      context: { ...NO_CONTEXT, ...context },
      observedRevision: Number(row.observed_revision),
      observedRestartNonce: row.observed_restart_nonce,
      run: row.run_id === null ? undefined : { id: row.run_id as RunId, fence: Number(row.run_fence) },
      parallelism: row.parallelism ?? undefined,
      tasks: row.tasks ?? undefined,
      restarts: row.restarts,
      epoch: Number(row.epoch),
      artifact: row.artifact_hash ?? undefined,
      startedAtMs: row.started_at?.getTime(),
      finishedAtMs: row.finished_at?.getTime(),
      failure: failure ?? failureOf(row),
    },
    revision: row.revision,
    pipeline: { id: row.pipeline_id as PipelineId, name: row.name, slug: row.slug, stateUrl: row.state_url ?? undefined },
    environment: row.desired_env_vars,
    overrides: row.desired_scheduler_config,
    tokenHashes,
  };
}

function desiredOf(row: Row): Desired {
  const ignore = row.desired_ignore_state_before_epoch;
  return {
    revision: Number(row.desired_revision),
    stop: row.desired_stop as StopMode,
    parallelism: row.desired_parallelism,
    checkpointIntervalMs: Number(row.desired_checkpoint_interval_us / 1000n),
    restartNonce: row.desired_restart_nonce,
    restartMode: row.desired_restart_mode as RestartMode,
    ignoreStateBeforeEpoch: ignore === null ? undefined : Number(ignore),
    launchKey: JSON.stringify([sorted(row.desired_env_vars), sorted(row.desired_scheduler_config)]),
    build: row.desired_build,
    deleted: row.deleted,
  };
}

/** Entries in the order of their names: the database keeps no order that means anything. */
function sorted(record: Readonly<Record<string, unknown>>): [string, unknown][] {
  return Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1));
}

function failureOf(row: Row): ErrorRecord | undefined {
  const { failure_domain: domain, failure_code: code, failure_message: message, failure_hint: hint } = row;
  if (domain === null || code === null || message === null) return undefined;
  return {
    domain: domain === "user" || domain === "external" ? domain : "internal",
    code: isErrorCode(code) ? code : "invariant",
    message,
    retry: "never",
    ...(hint === null ? {} : { hint }),
  };
}
