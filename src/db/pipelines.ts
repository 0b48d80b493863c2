/**
 * Pipelines with their one job each, as the API sees them: it writes what users want (`pipelines`, `jobs.desired_…`) and reads the rest.
 * Every write raises `desired_revision` and notifies the controller in the same transaction; a controller that missed it finds it by polling.
 *
 * Deleted pipelines keep their rows (`deleted_at`), so that checkpoints and logs of them can still be cleaned up.
 */

import { userError } from "../core/errors.ts";
import type { Database } from "./connection.ts";
import { databaseError, sqlState } from "./database-error.ts";
import { JOBS_CHANNEL } from "./jobs.ts";
import { microsOf, optionalNumber, readNumber } from "./row-values.ts";

/** How a job is to stop; `none`: it is to run. */
export const STOP_MODES = ["none", "checkpoint", "graceful", "immediate", "force"] as const;
/** One of `STOP_MODES`. */
export type StopMode = (typeof STOP_MODES)[number];

/** A function that belongs to one pipeline. */
export interface LocalUdf {
  readonly definition: string;
  readonly language: string;
}

/** A JSON object. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** What a pipeline is made of; see the comments of the table's columns. */
export interface NewPipeline {
  readonly id: string;
  readonly name: string;
  readonly slug: string;
  readonly query: string;
  readonly udfs: readonly LocalUdf[];
  /** Text of `encodeProgram`. */
  readonly program: string;
  readonly programVersion: number;
  readonly programFingerprint: string;
  readonly preview: boolean;
  readonly stateUrl: string | undefined;
  readonly tags: Readonly<Record<string, string>>;
  readonly createdBy: string;
  readonly jobId: string;
  readonly parallelism: number;
  readonly checkpointIntervalUs: number;
  /** Microseconds; undefined: for ever. */
  readonly ttlUs: number | undefined;
  readonly envVars: Readonly<Record<string, string>>;
  readonly schedulerConfig: JsonObject;
  /** Connection tables that the query reads or writes. */
  readonly connectionTables: readonly string[];
}

/** A job as it is and as it is wanted. Times are microseconds since the epoch. */
export interface JobRecord {
  readonly id: string;
  readonly pipelineId: string;
  readonly stop: StopMode;
  readonly desiredParallelism: number;
  readonly checkpointIntervalUs: number;
  readonly envVars: JsonObject;
  readonly schedulerConfig: JsonObject;
  readonly preview: boolean;
  readonly createdUs: number;
  /** Kebab-case: "checkpoint-stopping". */
  readonly state: string;
  readonly stateChangedUs: number;
  readonly runId: string | undefined;
  readonly runFence: number;
  /** Of the newest run. */
  readonly parallelism: number | undefined;
  readonly tasks: number | undefined;
  readonly restarts: number;
  readonly epoch: number;
  readonly startedUs: number | undefined;
  readonly finishedUs: number | undefined;
  readonly failure: JobFailure | undefined;
  /** The scheduler has no place for its workers; undefined: it does not wait for any. */
  readonly waiting: { readonly sinceUs: number; readonly for: "slots" | "start" | "stop"; readonly reason: string } | undefined;
  /** Build of the workers that is wanted; empty: the scheduler's default. */
  readonly desiredBuild: string;
  /** Build that runs; empty: the default. */
  readonly build: string;
  /** The wanted build did not come up: until another is wanted. */
  readonly rejectedBuild: string | undefined;
}

/** Why a job failed. */
export interface JobFailure {
  readonly domain: string;
  readonly code: string;
  readonly message: string;
  readonly hint: string | undefined;
}

/** A pipeline with its job. */
export interface PipelineRecord {
  readonly id: string;
  readonly name: string;
  readonly query: string;
  readonly udfs: readonly LocalUdf[];
  readonly program: string | undefined;
  readonly preview: boolean;
  readonly stateUrl: string | undefined;
  readonly tags: Readonly<Record<string, string>>;
  readonly createdUs: number;
  readonly createdBy: string;
  readonly job: JobRecord;
}

/** A change of what a user wants; what is absent stays. */
export interface DesiredChange {
  readonly parallelism?: number | undefined;
  readonly checkpointIntervalUs?: number | undefined;
  readonly stop?: StopMode | undefined;
  readonly envVars?: Readonly<Record<string, string>> | undefined;
  readonly schedulerConfig?: JsonObject | undefined;
  /** Build of the workers; empty: the scheduler's default. */
  readonly build?: string | undefined;
}

/** A restart as a user asks for it. */
export interface RestartRequest {
  /** True: without a checkpoint first. */
  readonly force: boolean;
  /** True: no checkpoint taken so far is restored. */
  readonly ignoreState: boolean;
}

/** A page of a list: behind the entry `after`, at most `limit`. */
export interface PageRequest {
  readonly after: string | undefined;
  readonly limit: number;
}

const FOREIGN_KEY_VIOLATION = "23503";

const COLUMNS = `p.id, p.name, p.query, p.udfs, p.program, p.preview, p.state_url, p.tags, p.created_by, ${microsOf("p.created_at")} as created_us,
  j.id as job_id, j.desired_stop, j.desired_parallelism, j.desired_checkpoint_interval_us, j.desired_env_vars, j.desired_scheduler_config,
  ${microsOf("j.created_at")} as job_created_us, j.state, ${microsOf("j.state_changed_at")} as state_changed_us, j.run_id, j.run_fence, j.parallelism,
  j.tasks, j.restarts, j.epoch, ${microsOf("j.started_at")} as started_us, ${microsOf("j.finished_at")} as finished_us,
  j.failure_domain, j.failure_code, j.failure_message, j.failure_hint, j.state_context->'waiting' as waiting,
  j.desired_build, j.state_context->>'build' as build, j.state_context->>'rejectedBuild' as rejected_build`;

interface Row {
  readonly id: string;
  readonly name: string;
  readonly query: string;
  readonly udfs: readonly LocalUdf[];
  readonly program: string | null;
  readonly preview: boolean;
  readonly state_url: string | null;
  readonly tags: Readonly<Record<string, string>>;
  readonly created_by: string;
  readonly created_us: bigint;
  readonly job_id: string;
  readonly desired_stop: StopMode;
  readonly desired_parallelism: number;
  readonly desired_checkpoint_interval_us: bigint;
  readonly desired_env_vars: JsonObject;
  readonly desired_scheduler_config: JsonObject;
  readonly job_created_us: bigint;
  readonly state: string;
  readonly state_changed_us: bigint;
  readonly run_id: string | null;
  readonly run_fence: bigint;
  readonly parallelism: number | null;
  readonly tasks: number | null;
  readonly restarts: number;
  readonly epoch: bigint;
  readonly started_us: bigint | null;
  readonly finished_us: bigint | null;
  readonly failure_domain: string | null;
  readonly failure_code: string | null;
  readonly failure_message: string | null;
  readonly failure_hint: string | null;
  /** As the job machine remembers it: see `job/job.ts`. */
  readonly waiting: { readonly sinceMs?: unknown; readonly for?: unknown; readonly reason?: unknown } | null;
  readonly desired_build: string;
  readonly build: string | null;
  readonly rejected_build: string | null;
}

function jobOf(row: Row): JobRecord {
  return {
    id: row.job_id,
    pipelineId: row.id,
    stop: row.desired_stop,
    desiredParallelism: row.desired_parallelism,
    checkpointIntervalUs: readNumber(row.desired_checkpoint_interval_us),
    envVars: row.desired_env_vars,
    schedulerConfig: row.desired_scheduler_config,
    preview: row.preview,
    createdUs: readNumber(row.job_created_us),
    state: row.state,
    stateChangedUs: readNumber(row.state_changed_us),
    runId: row.run_id ?? undefined,
    runFence: readNumber(row.run_fence),
    parallelism: row.parallelism ?? undefined,
    tasks: row.tasks ?? undefined,
    restarts: row.restarts,
    epoch: readNumber(row.epoch),
    startedUs: optionalNumber(row.started_us),
    finishedUs: optionalNumber(row.finished_us),
    failure: failureOf(row),
    waiting: waitingOf(row),
    desiredBuild: row.desired_build,
    build: row.build ?? "",
    rejectedBuild: row.rejected_build ?? undefined,
  };
}

function waitingOf({ waiting }: Row): JobRecord["waiting"] {
  if (waiting === null || typeof waiting.sinceMs !== "number") return undefined;
  const what = waiting.for === "start" || waiting.for === "stop" ? waiting.for : "slots";
  return { sinceUs: Math.round(waiting.sinceMs * 1000), for: what, reason: String(waiting.reason ?? "") };
}

function failureOf(row: Row): JobFailure | undefined {
  if (row.failure_message === null) return undefined;
  return {
    domain: row.failure_domain ?? "internal",
    code: row.failure_code ?? "invariant",
    message: row.failure_message,
    hint: row.failure_hint ?? undefined,
  };
}

function pipelineOf(row: Row): PipelineRecord {
  return {
    id: row.id,
    name: row.name,
    query: row.query,
    udfs: row.udfs,
    program: row.program ?? undefined,
    preview: row.preview,
    stateUrl: row.state_url ?? undefined,
    tags: row.tags,
    createdUs: readNumber(row.created_us),
    createdBy: row.created_by,
    job: jobOf(row),
  };
}

async function selectRows(db: Database, what: string, rest: string, bindings: readonly (string | number)[]): Promise<Row[]> {
  try {
    const sql = `select ${COLUMNS} from pipelines p join jobs j on j.pipeline_id = p.id where p.deleted_at is null ${rest}`;
    const result = await db.raw<{ rows: Row[] }>(sql, [...bindings]);
    return result.rows;
  } catch (error) {
    throw databaseError(what, error);
  }
}

/** The pipeline `id` with its job, `undefined` if there is none (any more). */
export async function readPipeline(db: Database, id: string): Promise<PipelineRecord | undefined> {
  const [row] = await selectRows(db, "reading a pipeline", "and p.id = ?", [id]);
  return row === undefined ? undefined : pipelineOf(row);
}

/** State and wish of the pipeline's job: what is asked often. `undefined` if the pipeline is gone. */
export async function readJobState(db: Database, pipelineId: string): Promise<Pick<JobRecord, "state" | "stop" | "preview"> | undefined> {
  try {
    const rows = await db("jobs as j")
      .join("pipelines as p", "p.id", "j.pipeline_id")
      .where("p.id", pipelineId)
      .whereNull("p.deleted_at")
      .select<{ state: string; stop: StopMode; preview: boolean }[]>("j.state", "j.desired_stop as stop", "p.preview");
    return rows[0];
  } catch (error) {
    throw databaseError("reading a job", error);
  }
}

/** Pipelines without previews, the newest first: those older than `after`, whether or not that one still exists. */
export async function listPipelines(db: Database, page: PageRequest): Promise<PipelineRecord[]> {
  const behind = page.after === undefined ? "" : "and (p.created_at, p.id) < (select created_at, id from pipelines where id = ?)";
  const rest = `and not p.preview ${behind} order by p.created_at desc, p.id desc limit ?`;
  const rows = await selectRows(db, "listing pipelines", rest, page.after === undefined ? [page.limit] : [page.after, page.limit]);
  return rows.map(pipelineOf);
}

/** Jobs of all pipelines without previews, the newest first; at most `limit`. */
export async function listJobs(db: Database, limit: number): Promise<JobRecord[]> {
  const rows = await selectRows(db, "listing jobs", "and not p.preview order by j.created_at desc, j.id desc limit ?", [limit]);
  return rows.map(jobOf);
}

/** How many jobs are in each state, previews left out. */
export async function countJobStates(db: Database): Promise<ReadonlyMap<string, number>> {
  try {
    const sql = `select j.state, count(*)::int as jobs from pipelines p join jobs j on j.pipeline_id = p.id
      where p.deleted_at is null and not p.preview group by j.state`;
    const { rows } = await db.raw<{ rows: { state: string; jobs: number }[] }>(sql);
    return new Map(rows.map(({ state, jobs }) => [state, jobs]));
  } catch (error) {
    throw databaseError("counting jobs", error);
  }
}

/** Stores a pipeline and its job, which the controller starts. Throws `not-found` if a connection table was deleted meanwhile. */
export async function insertPipeline(db: Database, pipeline: NewPipeline): Promise<void> {
  try {
    await db.transaction(async (t) => {
      await t("pipelines").insert({
        id: pipeline.id,
        name: pipeline.name,
        slug: pipeline.slug,
        query: pipeline.query,
        udfs: JSON.stringify(pipeline.udfs),
        program: pipeline.program,
        program_version: pipeline.programVersion,
        program_fingerprint: pipeline.programFingerprint,
        preview: pipeline.preview,
        state_url: pipeline.stateUrl ?? null,
        tags: JSON.stringify(pipeline.tags),
        created_by: pipeline.createdBy,
      });
      await t("jobs").insert({
        id: pipeline.jobId,
        pipeline_id: pipeline.id,
        desired_parallelism: pipeline.parallelism,
        desired_checkpoint_interval_us: pipeline.checkpointIntervalUs,
        ttl_us: pipeline.ttlUs ?? null,
        desired_env_vars: JSON.stringify(pipeline.envVars),
        desired_scheduler_config: JSON.stringify(pipeline.schedulerConfig),
      });
      const uses = pipeline.connectionTables.map((table) => ({ connection_table_id: table, pipeline_id: pipeline.id }));
      if (uses.length > 0) await t("connection_table_pipelines").insert(uses);
      await notify(t, pipeline.jobId);
    });
  } catch (error) {
    if (sqlState(error) === FOREIGN_KEY_VIOLATION) {
      throw userError("not-found", "a connection table of the query was deleted meanwhile", { cause: error });
    }
    throw databaseError("creating a pipeline", error);
  }
}

/** Changes what is wanted of the pipeline's job. False if the pipeline does not exist. */
export async function changeDesired(db: Database, pipelineId: string, change: DesiredChange): Promise<boolean> {
  const columns = {
    ...(change.parallelism === undefined ? {} : { desired_parallelism: change.parallelism }),
    ...(change.checkpointIntervalUs === undefined ? {} : { desired_checkpoint_interval_us: change.checkpointIntervalUs }),
    ...(change.stop === undefined ? {} : { desired_stop: change.stop }),
    ...(change.envVars === undefined ? {} : { desired_env_vars: JSON.stringify(change.envVars) }),
    ...(change.schedulerConfig === undefined ? {} : { desired_scheduler_config: JSON.stringify(change.schedulerConfig) }),
    ...(change.build === undefined ? {} : { desired_build: change.build }),
  };
  return writeDesired(db, "changing a pipeline", pipelineId, columns);
}

/** Gives the pipeline other tags. Does nothing if it does not exist. */
export async function changeTags(db: Database, pipelineId: string, tags: Readonly<Record<string, string>>): Promise<void> {
  try {
    await db("pipelines")
      .where({ id: pipelineId })
      .update({ tags: JSON.stringify(tags) });
  } catch (error) {
    throw databaseError("changing a pipeline's tags", error);
  }
}

/** Asks for a restart of the pipeline's job, which is to run afterwards. False if the pipeline does not exist. */
export async function requestRestart(db: Database, pipelineId: string, request: RestartRequest): Promise<boolean> {
  const beyond = "(select greatest(j.epoch, coalesce(max(c.epoch), 0)) + 1 from checkpoints c where c.job_id = j.id)";
  return writeDesired(db, "restarting a pipeline", pipelineId, {
    desired_stop: "none",
    desired_restart_nonce: db.raw("j.desired_restart_nonce + 1"),
    desired_restart_mode: request.force ? "force" : "safe",
    ...(request.ignoreState ? { desired_ignore_state_before_epoch: db.raw(beyond) } : {}),
  });
}

async function writeDesired(db: Database, what: string, pipelineId: string, columns: Readonly<Record<string, unknown>>): Promise<boolean> {
  try {
    return await db.transaction(async (t) => {
      const changed = await t("jobs as j")
        .where("j.pipeline_id", pipelineId)
        .whereExists(t("pipelines").select(t.raw("1")).where({ id: pipelineId, deleted_at: null }))
        .update({ ...columns, desired_revision: t.raw("j.desired_revision + 1"), desired_at: t.fn.now() })
        .returning<{ id: string }[]>("j.id");
      for (const { id } of changed) await notify(t, id);
      return changed.length > 0;
    });
  } catch (error) {
    throw databaseError(what, error);
  }
}

/**
 * Deletes the pipeline if its job is in one of `states` and none of it is wanted to run. "busy": it is in another; "absent": there is none.
 */
export async function deletePipeline(db: Database, id: string, states: readonly string[]): Promise<"deleted" | "busy" | "absent"> {
  try {
    return await db.transaction(async (t) => {
      const [job] = await t("jobs as j")
        .join("pipelines as p", "p.id", "j.pipeline_id")
        .where("p.id", id)
        .whereNull("p.deleted_at")
        .forUpdate()
        .select<{ id: string; state: string }[]>("j.id", "j.state");
      if (job === undefined) return "absent";
      if (!states.includes(job.state)) return "busy";
      await t("pipelines").where({ id }).update({ deleted_at: t.fn.now() });
      // Deleted while it was wanted to run again: it must not start any more.
      await t("jobs")
        .where({ id: job.id, desired_stop: "none" })
        .update({ desired_stop: "immediate", desired_revision: t.raw("desired_revision + 1") });
      await t("connection_table_pipelines").where({ pipeline_id: id }).delete();
      await notify(t, job.id);
      return "deleted";
    });
  } catch (error) {
    throw databaseError("deleting a pipeline", error);
  }
}

async function notify(db: Database, jobId: string): Promise<void> {
  await db.raw("select pg_notify(?, ?)", [JOBS_CHANNEL, jobId]);
}
