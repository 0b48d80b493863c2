/**
 * Epochs of jobs as users see them: the controller's projection of the completion record in the object store, which alone says what counts.
 * Written in batches, repaired from the record when a leader takes over.
 */
import type { Database } from "./connection.ts";
import { databaseError } from "./database-error.ts";
import { jsonParameter } from "./json-parameter.ts";

/** committing: it counts, sinks may not have published yet. retired: its files may be gone. */
export type CheckpointState = "in-progress" | "committing" | "complete" | "failed" | "retired";

/** A span of a checkpoint's work as the API shows it. Times in microseconds. */
export interface CheckpointPhase {
  /** `alignment`, `snapshot`, `upload`, `stage`, `commit`; of the whole also `manifest`. */
  readonly phase: string;
  /** Since 1970. */
  readonly started_us: number;
  readonly duration_us: number;
  readonly bytes: number;
}

/** Spans and bytes of one vertex. */
export interface CheckpointOperator {
  readonly vertex: number;
  readonly name: string;
  readonly subtasks: readonly {
    readonly subtask: number;
    readonly written_bytes: number;
    readonly state_bytes: number;
    readonly phases: readonly CheckpointPhase[];
  }[];
}

/** A row of `checkpoints`. */
export interface CheckpointRow {
  readonly id: string;
  readonly job: string;
  readonly epoch: number;
  readonly run: string;
  readonly runFence: bigint;
  readonly state: CheckpointState;
  readonly kind: "scheduled" | "stopping" | "final";
  readonly parentEpoch: number | undefined;
  /** Present for epochs that count. */
  readonly manifest: { readonly path: string; readonly checksum: string; readonly version: number } | undefined;
  readonly programFingerprint: string;
  readonly parallelism: number;
  /** Milliseconds since 1970. */
  readonly startedAtMs: number;
  readonly finishedAtMs: number | undefined;
  readonly writtenBytes: number;
  readonly stateBytes: number;
  readonly phases: readonly CheckpointPhase[];
  readonly operators: readonly CheckpointOperator[];
  readonly failure: string | undefined;
}

const RECORDS = `jsonb_to_recordset(?::jsonb) as c(id text, job_id text, epoch bigint, run_id text, run_fence bigint, state text, kind text,
  parent_epoch bigint, manifest_path text, manifest_checksum text, manifest_version smallint, program_fingerprint text, parallelism int,
  started_at float8, finished_at float8, written_bytes bigint, state_bytes bigint, phases jsonb, operators jsonb, failure_message text)`;
const COLUMNS = [
  "id",
  "job_id",
  "epoch",
  "run_id",
  "run_fence",
  "state",
  "kind",
  "parent_epoch",
  "manifest_path",
  "manifest_checksum",
  "manifest_version",
  "program_fingerprint",
  "parallelism",
  "started_at",
  "finished_at",
  "written_bytes",
  "state_bytes",
  "phases",
  "operators",
  "failure_message",
];
const KEY = new Set(["id", "job_id", "epoch", "run_id", "run_fence", "started_at"]);

/**
 * Writes all `rows` (at most one per job, run and epoch) in one statement; a later call with the same job, run and epoch replaces what the
 * earlier one wrote. Rows of jobs that are gone or that a newer leader has written are left out.
 */
export async function writeCheckpoints(db: Database, leaderEpoch: bigint, rows: readonly CheckpointRow[]): Promise<void> {
  if (rows.length === 0) return;
  const values = COLUMNS.map((column) => (column.endsWith("ed_at") ? `to_timestamp(c.${column} / 1000)` : `c.${column}`));
  const updates = COLUMNS.filter((column) => !KEY.has(column)).map((column) => `${column} = excluded.${column}`);
  try {
    await db.raw(
      `insert into checkpoints (${COLUMNS.join(", ")}) select ${values.join(", ")} from ${RECORDS}
       join jobs j on j.id = c.job_id where j.leader_epoch <= ?
       on conflict (job_id, epoch, run_fence) do update set ${updates.join(", ")}`,
      [jsonParameter(rows.map(asRecord)), leaderEpoch.toString()],
    );
  } catch (error) {
    throw databaseError("writing checkpoints", error);
  }
}

function asRecord(row: CheckpointRow): Record<string, unknown> {
  return {
    id: row.id,
    job_id: row.job,
    epoch: row.epoch,
    run_id: row.run,
    run_fence: row.runFence.toString(),
    state: row.state,
    kind: row.kind,
    parent_epoch: row.parentEpoch,
    manifest_path: row.manifest?.path,
    manifest_checksum: row.manifest?.checksum,
    manifest_version: row.manifest?.version,
    program_fingerprint: row.programFingerprint,
    parallelism: row.parallelism,
    started_at: row.startedAtMs,
    finished_at: row.finishedAtMs,
    written_bytes: row.writtenBytes,
    state_bytes: row.stateBytes,
    phases: row.phases,
    operators: row.operators,
    failure_message: row.failure,
  };
}

/** What the completion record says of one epoch. */
export interface RecordedEpoch {
  /** For a row that has to be made. */
  readonly id: string;
  readonly epoch: number;
  readonly run: string;
  readonly runFence: bigint;
  readonly manifestPath: string;
  readonly manifestChecksum: string;
}

/** The run that owns the job now. */
export interface OwningRun {
  readonly runFence: bigint;
  /** Its epochs above this one may be in progress. */
  readonly inFlightAbove: number;
  readonly programFingerprint: string;
  readonly parallelism: number;
  readonly manifestVersion: number;
}

const LED = "exists (select 1 from jobs j where j.id = checkpoints.job_id and j.leader_epoch <= ?)";
const RECORDED = `jsonb_to_recordset(?::jsonb) as r(id text, epoch bigint, run_id text, run_fence bigint, manifest_path text,
  manifest_checksum text)`;

/**
 * Brings the rows of `job` in line with its completion record: epochs in `recorded` are complete, rows that the record does not have are
 * retired if they were complete and failed if they were in progress, except those that `run` may have in flight. An epoch without a row (its
 * write was lost) gets one that says nothing of its course.
 */
export async function alignCheckpoints(
  db: Database,
  leaderEpoch: bigint,
  job: string,
  recorded: readonly RecordedEpoch[],
  run: OwningRun,
): Promise<void> {
  const leader = leaderEpoch.toString();
  const records = jsonParameter(recorded.map(recordedAsRecord));
  const listed = `exists (select 1 from ${RECORDED} where r.epoch = checkpoints.epoch and r.run_fence = checkpoints.run_fence)`;
  try {
    await db.raw(
      `update checkpoints set state = case when state = 'in-progress' then 'failed' else 'retired' end,
         finished_at = coalesce(finished_at, now()),
         failure_message = case when state = 'in-progress' then 'the run ended before it was complete' else failure_message end
       where job_id = ? and state in ('in-progress', 'committing', 'complete') and not ${listed}
         and not (run_fence = ? and epoch > ? and state = 'in-progress') and ${LED}`,
      [job, records, run.runFence.toString(), run.inFlightAbove, leader],
    );
    await db.raw(
      `insert into checkpoints (id, job_id, epoch, run_id, run_fence, state, kind, manifest_path, manifest_checksum, manifest_version,
         program_fingerprint, parallelism, finished_at)
       select r.id, j.id, r.epoch, r.run_id, r.run_fence, 'complete', 'scheduled', r.manifest_path, r.manifest_checksum, ?::smallint, ?, ?::int, now()
       from ${RECORDED} join jobs j on j.id = ? and j.leader_epoch <= ?
       on conflict (job_id, epoch, run_fence) do update set state = 'complete', finished_at = coalesce(checkpoints.finished_at, now()),
         manifest_path = excluded.manifest_path, manifest_checksum = excluded.manifest_checksum,
         manifest_version = excluded.manifest_version, failure_message = null
       where checkpoints.state <> 'complete'`,
      [run.manifestVersion, run.programFingerprint, run.parallelism, records, job, leader],
    );
  } catch (error) {
    throw databaseError("aligning checkpoints", error);
  }
}

function recordedAsRecord(row: RecordedEpoch): Record<string, unknown> {
  return {
    id: row.id,
    epoch: row.epoch,
    run_id: row.run,
    run_fence: row.runFence.toString(),
    manifest_path: row.manifestPath,
    manifest_checksum: row.manifestChecksum,
  };
}

/** An epoch whose row says that it counts. */
export interface CountingEpoch {
  readonly epoch: number;
  readonly run: string;
  readonly fence: bigint;
  readonly manifest: string;
  readonly checksum: string;
}

/** Epochs of `job` that count by their rows, oldest first. */
export async function readCountingEpochs(db: Database, job: string): Promise<readonly CountingEpoch[]> {
  try {
    const rows = await db("checkpoints")
      .where({ job_id: job })
      .whereIn("state", ["committing", "complete"])
      .orderBy("epoch")
      .select<{ epoch: bigint; run_id: string; run_fence: bigint; manifest_path: string; manifest_checksum: string }[]>(
        "epoch",
        "run_id",
        "run_fence",
        "manifest_path",
        "manifest_checksum",
      );
    return rows.map((row) => ({
      epoch: Number(row.epoch),
      run: row.run_id,
      fence: row.run_fence,
      manifest: row.manifest_path,
      checksum: row.manifest_checksum,
    }));
  } catch (error) {
    throw databaseError("reading checkpoints", error);
  }
}

/** An epoch whose files may be gone. */
export interface RetiredEpoch {
  readonly job: string;
  readonly epoch: number;
}

/** Says of all `epochs` that they cannot be restored any more. One statement. */
export async function retireCheckpoints(db: Database, leaderEpoch: bigint, epochs: readonly RetiredEpoch[]): Promise<void> {
  if (epochs.length === 0) return;
  try {
    await db.raw(
      `update checkpoints set state = 'retired', operators = '[]' from jsonb_to_recordset(?::jsonb) as r(job text, epoch bigint)
       where checkpoints.job_id = r.job and checkpoints.epoch = r.epoch and state in ('committing', 'complete') and ${LED}`,
      [jsonParameter(epochs), leaderEpoch.toString()],
    );
  } catch (error) {
    throw databaseError("retiring checkpoints", error);
  }
}

/** Deletes rows of retired and failed epochs beyond the newest `keep` of each job. */
export async function trimCheckpoints(db: Database, keep: number): Promise<void> {
  try {
    await db.raw(
      `delete from checkpoints where state in ('retired', 'failed') and id in (
         select id from (select id, row_number() over (partition by job_id order by started_at desc) as place from checkpoints) placed
         where place > ?)`,
      [keep],
    );
  } catch (error) {
    throw databaseError("deleting old checkpoints", error);
  }
}
