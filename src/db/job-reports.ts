/**
 * What the controller has written of a job, as the API reads it: timeline, checkpoints, workers, rows of outputs. Reading only, and for one
 * job each; times are microseconds since the epoch.
 */
import type { CheckpointOperator, CheckpointPhase, CheckpointState } from "./checkpoints.ts";
import type { Database } from "./connection.ts";
import { databaseError } from "./database-error.ts";
import { microsOf, optionalNumber, readNumber } from "./row-values.ts";

/** A line of a timeline. */
export interface JobEventRecord {
  readonly id: number;
  readonly runFence: number;
  readonly occurredUs: number;
  readonly kind: string;
  readonly level: string;
  readonly message: string;
  readonly details: Readonly<Record<string, unknown>>;
  readonly vertex: number | undefined;
  readonly subtask: number | undefined;
  readonly errorDomain: string | undefined;
  readonly errorCode: string | undefined;
}

/** Which lines of a timeline. */
export interface EventFilter {
  /** Only lines that say that something went wrong. */
  readonly problems: boolean;
  /** Only lines before this one, by id. */
  readonly before: number | undefined;
  readonly limit: number;
}

interface EventRow {
  readonly id: bigint;
  readonly run_fence: bigint;
  readonly occurred_us: bigint;
  readonly kind: string;
  readonly level: string;
  readonly message: string;
  readonly details: Readonly<Record<string, unknown>>;
  readonly vertex: number | null;
  readonly subtask: number | null;
  readonly error_domain: string | null;
  readonly error_code: string | null;
}

/** Lines of the job's timeline, the newest first. */
export async function listJobEvents(db: Database, job: string, filter: EventFilter): Promise<JobEventRecord[]> {
  try {
    const query = db("job_events").where({ job_id: job }).orderBy("id", "desc").limit(filter.limit);
    if (filter.problems) query.whereIn("level", ["error", "warn"]);
    if (filter.before !== undefined) query.where("id", "<", filter.before);
    const columns = ["id", "run_fence", "kind", "level", "message", "details", "vertex", "subtask", "error_domain", "error_code"];
    const rows: EventRow[] = await query.select([...columns, db.raw(`${microsOf("occurred_at")} as occurred_us`)]);
    return rows.map((row) => ({
      id: readNumber(row.id),
      runFence: readNumber(row.run_fence),
      occurredUs: readNumber(row.occurred_us),
      kind: row.kind,
      level: row.level,
      message: row.message,
      details: row.details,
      vertex: row.vertex ?? undefined,
      subtask: row.subtask ?? undefined,
      errorDomain: row.error_domain ?? undefined,
      errorCode: row.error_code ?? undefined,
    }));
  } catch (error) {
    throw databaseError("reading a timeline", error);
  }
}

/** A checkpoint. */
export interface CheckpointRecord {
  readonly id: string;
  readonly epoch: number;
  readonly runFence: number;
  readonly state: CheckpointState;
  readonly kind: "scheduled" | "stopping" | "final";
  readonly parallelism: number;
  readonly startedUs: number;
  readonly finishedUs: number | undefined;
  readonly writtenBytes: number;
  readonly stateBytes: number;
  readonly phases: readonly CheckpointPhase[];
  readonly failure: string | undefined;
}

interface CheckpointColumns {
  readonly id: string;
  readonly epoch: bigint;
  readonly run_fence: bigint;
  readonly state: CheckpointState;
  readonly kind: "scheduled" | "stopping" | "final";
  readonly parallelism: number;
  readonly started_us: bigint;
  readonly finished_us: bigint | null;
  readonly written_bytes: bigint;
  readonly state_bytes: bigint;
  readonly phases: readonly CheckpointPhase[];
  readonly failure_message: string | null;
}

/** Checkpoints of `job`, the newest first; at most `limit`. */
export async function listCheckpoints(db: Database, job: string, limit: number): Promise<CheckpointRecord[]> {
  try {
    const sql = `select id, epoch, run_fence, state, kind, parallelism, ${microsOf("started_at")} as started_us,
      ${microsOf("finished_at")} as finished_us, written_bytes, state_bytes, phases, failure_message
      from checkpoints where job_id = ? order by started_at desc, epoch desc limit ?`;
    const { rows } = await db.raw<{ rows: CheckpointColumns[] }>(sql, [job, limit]);
    return rows.map((row) => ({
      id: row.id,
      epoch: readNumber(row.epoch),
      runFence: readNumber(row.run_fence),
      state: row.state,
      kind: row.kind,
      parallelism: row.parallelism,
      startedUs: readNumber(row.started_us),
      finishedUs: optionalNumber(row.finished_us),
      writtenBytes: readNumber(row.written_bytes),
      stateBytes: readNumber(row.state_bytes),
      phases: row.phases,
      failure: row.failure_message ?? undefined,
    }));
  } catch (error) {
    throw databaseError("reading checkpoints", error);
  }
}

/** Operators of the epoch's checkpoint, of the newest run that took it; `undefined` if there is no such epoch. */
export async function readCheckpointOperators(
  db: Database,
  job: string,
  epoch: number,
): Promise<readonly CheckpointOperator[] | undefined> {
  try {
    const rows = await db("checkpoints")
      .where({ job_id: job, epoch })
      .orderBy("run_fence", "desc")
      .limit(1)
      .select<{ operators: readonly CheckpointOperator[] }[]>("operators");
    return rows[0]?.operators;
  } catch (error) {
    throw databaseError("reading a checkpoint", error);
  }
}

/** A worker as the scheduler and it itself say. */
export interface WorkerRecord {
  readonly id: string;
  readonly jobId: string;
  readonly runFence: number;
  readonly state: string;
  readonly number: number | undefined;
  readonly handle: string | undefined;
  readonly nodeId: string | undefined;
  readonly slots: number;
  readonly dataAddress: string | undefined;
  readonly adminAddress: string | undefined;
  readonly release: string;
  readonly reason: string;
  readonly exitCode: number | undefined;
  readonly exitSignal: string | undefined;
  readonly outOfMemory: boolean;
  readonly startedUs: number;
  readonly heartbeatUs: number | undefined;
  readonly endedUs: number | undefined;
}

interface WorkerColumns {
  readonly id: string;
  readonly job_id: string;
  readonly run_fence: bigint;
  readonly state: string;
  readonly number: number | null;
  readonly handle: string | null;
  readonly node_id: string | null;
  readonly slots: number;
  readonly data_address: string | null;
  readonly admin_address: string | null;
  readonly release: string;
  readonly reason: string;
  readonly exit_code: number | null;
  readonly exit_signal: string | null;
  readonly out_of_memory: boolean;
  readonly started_us: bigint;
  readonly heartbeat_us: bigint | null;
  readonly ended_us: bigint | null;
}

/** Workers of `job`, those of the newest run first; at most `limit`. */
export async function listWorkers(db: Database, job: string, limit: number): Promise<WorkerRecord[]> {
  try {
    const sql = `select id, job_id, run_fence, state, number, handle, node_id, slots, data_address, admin_address, release, reason, exit_code,
      exit_signal, out_of_memory, ${microsOf("started_at")} as started_us, ${microsOf("heartbeat_at")} as heartbeat_us,
      ${microsOf("ended_at")} as ended_us from workers where job_id = ? order by run_fence desc, number nulls last, started_at limit ?`;
    const { rows } = await db.raw<{ rows: WorkerColumns[] }>(sql, [job, limit]);
    return rows.map(workerOf);
  } catch (error) {
    throw databaseError("reading workers", error);
  }
}

function workerOf(row: WorkerColumns): WorkerRecord {
  return {
    id: row.id,
    jobId: row.job_id,
    runFence: readNumber(row.run_fence),
    state: row.state,
    number: row.number ?? undefined,
    handle: row.handle ?? undefined,
    nodeId: row.node_id ?? undefined,
    slots: row.slots,
    dataAddress: row.data_address ?? undefined,
    adminAddress: row.admin_address ?? undefined,
    release: row.release,
    reason: row.reason,
    exitCode: row.exit_code ?? undefined,
    exitSignal: row.exit_signal ?? undefined,
    outOfMemory: row.out_of_memory,
    startedUs: readNumber(row.started_us),
    heartbeatUs: optionalNumber(row.heartbeat_us),
    endedUs: optionalNumber(row.ended_us),
  };
}
