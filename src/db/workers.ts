/**
 * Workers of current and recent runs as the controller last saw them: a projection, written in batches, never read to decide anything but
 * where a run's subtasks are after a change of leader.
 */
import type { Database } from "./connection.ts";
import { databaseError } from "./database-error.ts";
import { jsonParameter } from "./json-parameter.ts";

/** Where a worker is. */
export type WorkerRowState = "placing" | "starting" | "registered" | "running" | "stopping" | "exited" | "lost";

/** A row of `workers`. Undefined: not known (yet). */
export interface WorkerRow {
  readonly id: string;
  readonly job: string;
  readonly run: string;
  readonly runFence: bigint;
  readonly state: WorkerRowState;
  /** Within the run, from 0; undefined until assigned. */
  readonly number: number | undefined;
  readonly handle: string | undefined;
  readonly node: string | undefined;
  readonly slots: number;
  /** host:port. */
  readonly dataAddress: string | undefined;
  /** host:port. */
  readonly adminAddress: string | undefined;
  readonly release: string;
  /** Why it is in this state, in words. */
  readonly reason: string;
  readonly exitCode: number | undefined;
  readonly exitSignal: string | undefined;
  readonly outOfMemory: boolean;
  /** Milliseconds since 1970. */
  readonly startedAtMs: number;
  readonly heartbeatAtMs: number | undefined;
  readonly endedAtMs: number | undefined;
  /** Page of the outside system's own UI. */
  readonly link?: string | undefined;
  /** Memory it may use; undefined: no limit is known. */
  readonly memoryLimitBytes?: number | undefined;
}

const RECORDS = `jsonb_to_recordset(?::jsonb) as w(id text, job_id text, run_id text, run_fence bigint, state text, number int, handle text,
  node_id text, slots int, data_address text, admin_address text, release text, reason text, exit_code int, exit_signal text,
  out_of_memory bool, started_at float8, heartbeat_at float8, ended_at float8, link text, memory_limit bigint)`;
const UPDATED = [
  "state",
  "number",
  "handle",
  "node_id",
  "slots",
  "data_address",
  "admin_address",
  "release",
  "reason",
  "exit_code",
  "exit_signal",
  "out_of_memory",
  "heartbeat_at",
  "ended_at",
  "link",
  "memory_limit_bytes",
];

/** Writes all `rows` in one statement. Those of jobs that are gone or that a newer leader has written are left out. */
export async function writeWorkers(db: Database, leaderEpoch: bigint, rows: readonly WorkerRow[]): Promise<void> {
  if (rows.length === 0) return;
  try {
    await db.raw(
      `insert into workers (id, job_id, run_id, run_fence, state, number, handle, node_id, slots, data_address, admin_address, release, reason,
         exit_code, exit_signal, out_of_memory, started_at, heartbeat_at, ended_at, link, memory_limit_bytes)
       select w.id, w.job_id, w.run_id, w.run_fence, w.state, w.number, w.handle, w.node_id, w.slots, w.data_address, w.admin_address,
         w.release, w.reason, w.exit_code, w.exit_signal, w.out_of_memory, to_timestamp(w.started_at / 1000),
         to_timestamp(w.heartbeat_at / 1000), to_timestamp(w.ended_at / 1000), w.link, w.memory_limit
       from ${RECORDS} join jobs j on j.id = w.job_id where j.leader_epoch <= ?
       on conflict (id) do update set ${UPDATED.map((column) => `${column} = excluded.${column}`).join(", ")}
       where workers.job_id = excluded.job_id and workers.run_fence <= excluded.run_fence`,
      [jsonParameter(rows.map(asRecord)), leaderEpoch.toString()],
    );
  } catch (error) {
    throw databaseError("writing workers", error);
  }
}

function asRecord(row: WorkerRow): Record<string, unknown> {
  return {
    id: row.id,
    job_id: row.job,
    run_id: row.run,
    run_fence: row.runFence.toString(),
    state: row.state,
    number: row.number,
    handle: row.handle,
    node_id: row.node,
    slots: row.slots,
    data_address: row.dataAddress,
    admin_address: row.adminAddress,
    release: row.release,
    reason: row.reason,
    exit_code: row.exitCode,
    exit_signal: row.exitSignal,
    out_of_memory: row.outOfMemory,
    started_at: row.startedAtMs,
    heartbeat_at: row.heartbeatAtMs,
    ended_at: row.endedAtMs,
    link: row.link,
    memory_limit: row.memoryLimitBytes,
  };
}

/** A worker that was heard. */
export interface HeardWorker {
  readonly id: string;
  /** Resident memory of its process; undefined: it did not say. */
  readonly memoryBytes: number | undefined;
  /** Processor that its process used lately, thousandths; undefined: not known. */
  readonly cpuMillis: number | undefined;
}

/** Says of all `workers` that they were heard at `heardAtMs` (milliseconds since 1970). One statement. */
export async function touchWorkers(db: Database, workers: readonly HeardWorker[], heardAtMs: number): Promise<void> {
  if (workers.length === 0) return;
  try {
    await db.raw(
      `update workers w set heartbeat_at = to_timestamp(? / 1000.0), memory_bytes = coalesce(h.memory, w.memory_bytes),
         cpu_used_millis = coalesce(h.cpu, w.cpu_used_millis)
       from jsonb_to_recordset(?::jsonb) as h(id text, memory bigint, cpu int) where w.id = h.id and w.ended_at is null`,
      [heardAtMs, jsonParameter(workers.map(({ id, memoryBytes, cpuMillis }) => ({ id, memory: memoryBytes, cpu: cpuMillis })))],
    );
  } catch (error) {
    throw databaseError("writing heartbeats", error);
  }
}

/** The scheduler's handle of the worker `id`, with its job; `undefined` if it is not known (any more). */
export async function readWorkerHandle(db: Database, id: string): Promise<{ readonly job: string; readonly handle: string } | undefined> {
  try {
    const [row] = await db("workers").where({ id }).select<{ job_id: string; handle: string | null }[]>("job_id", "handle");
    return row === undefined || row.handle === null ? undefined : { job: row.job_id, handle: row.handle };
  } catch (error) {
    throw databaseError("reading a worker", error);
  }
}

/** Deletes the rows of `ids`. */
export async function deleteWorkers(db: Database, ids: readonly string[]): Promise<void> {
  try {
    await db.raw("delete from workers where id = any(?)", [[...ids]]);
  } catch (error) {
    throw databaseError("deleting workers", error);
  }
}

/** Deletes rows of workers that ended more than `keepMs` ago, and of runs that are over although nobody saw the worker end. */
export async function expireWorkers(db: Database, keepMs: number): Promise<void> {
  try {
    await db.raw(
      `delete from workers w using jobs j where j.id = w.job_id and (w.ended_at < now() - ? * interval '1 millisecond'
         or (w.ended_at is null and w.run_fence < j.run_fence and coalesce(w.heartbeat_at, w.started_at) < now() - interval '1 hour'))`,
      [keepMs],
    );
  } catch (error) {
    throw databaseError("deleting workers", error);
  }
}
