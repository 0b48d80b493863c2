/**
 * What users look at besides states: rows of previews and tails, pieces of workers' logs, and recent measurements. All of it is asked for by
 * rows of the API, bounded here, and expires.
 */
import type { Database } from "./connection.ts";
import { databaseError } from "./database-error.ts";
import { jsonParameter } from "./json-parameter.ts";

/** An output that somebody looks at. */
export interface OutputRequest {
  readonly job: string;
  readonly vertex: number;
}

/** Outputs that are wanted now. */
export async function readOutputRequests(db: Database): Promise<readonly OutputRequest[]> {
  try {
    const rows = await db("output_requests")
      .whereRaw("wanted_until_at > now()")
      .select<{ job_id: string; vertex: number }[]>("job_id", "vertex");
    return rows.map((row) => ({ job: row.job_id, vertex: row.vertex }));
  } catch (error) {
    throw databaseError("reading output requests", error);
  }
}

/** A row of a preview sink or a tail. */
export interface PreviewRow {
  readonly job: string;
  readonly run: string;
  readonly runFence: bigint;
  readonly vertex: number;
  readonly subtask: number;
  /** Among those of this run, vertex and subtask, from 0: a double is left out by it. */
  readonly rowNumber: bigint;
  /** A JSON object. */
  readonly row: string;
}

/** Adds `rows` in one statement. Doubles, and rows of jobs that are gone, are left out. */
export async function insertPreviewRows(db: Database, rows: readonly PreviewRow[]): Promise<void> {
  if (rows.length === 0) return;
  const records = rows.map(({ job, run, runFence, vertex, subtask, rowNumber, row }) => ({
    job_id: job,
    run_id: run,
    run_fence: runFence.toString(),
    vertex,
    subtask,
    row_number: rowNumber.toString(),
    row,
  }));
  try {
    await db.raw(
      `insert into preview_rows (job_id, run_id, run_fence, vertex, subtask, row_number, row)
       select p.job_id, p.run_id, p.run_fence, p.vertex, p.subtask, p.row_number, p.row
       from rows from (jsonb_to_recordset(?::jsonb)
           as (job_id text, run_id text, run_fence bigint, vertex int, subtask int, row_number bigint, row text))
         with ordinality as p(job_id, run_id, run_fence, vertex, subtask, row_number, row, place)
       join jobs j on j.id = p.job_id order by p.place on conflict do nothing`,
      [jsonParameter(records)],
    );
  } catch (error) {
    throw databaseError("writing preview rows", error);
  }
}

/** Keeps the newest `keep` rows of `job`. */
export async function trimPreviewRows(db: Database, job: string, keep: number): Promise<void> {
  try {
    await db.raw(
      `delete from preview_rows where job_id = ? and cursor <= (
         select cursor from preview_rows where job_id = ? order by cursor desc offset ? limit 1)`,
      [job, job, keep],
    );
  } catch (error) {
    throw databaseError("shortening previews", error);
  }
}

/** A piece of a log that a user asked for. */
export interface LogRequestRow {
  readonly id: string;
  readonly job: string;
  readonly worker: string;
  /** Negative: so many bytes before the end. */
  readonly fromOffset: bigint;
  readonly limitBytes: bigint;
}

/** Requests that nobody has answered and that have not run out. */
export async function readLogRequests(db: Database): Promise<readonly LogRequestRow[]> {
  try {
    const rows = await db("log_requests")
      .where({ state: "asked" })
      .whereRaw("expires_at > now()")
      .orderBy("requested_at")
      .limit(100)
      .select<{ id: string; job_id: string; worker_id: string; from_offset: bigint; limit_bytes: bigint }[]>(
        "id",
        "job_id",
        "worker_id",
        "from_offset",
        "limit_bytes",
      );
    return rows.map((row) => ({
      id: row.id,
      job: row.job_id,
      worker: row.worker_id,
      fromOffset: row.from_offset,
      limitBytes: row.limit_bytes,
    }));
  } catch (error) {
    throw databaseError("reading log requests", error);
  }
}

/** Adds a piece of an answer; `last`: the request is answered. A double replaces. Does nothing if the request is gone. */
export async function writeLogChunk(db: Database, request: string, offsetBytes: bigint, text: string, last: boolean): Promise<void> {
  try {
    await db.raw(
      `with chunk as (
         insert into log_chunks (request_id, offset_bytes, text, last) select id, ?, ?, ? from log_requests where id = ?
         on conflict (request_id, offset_bytes) do update set text = excluded.text, last = excluded.last returning request_id)
       update log_requests set state = case when ? then 'answered' else state end where id in (select request_id from chunk)`,
      [offsetBytes.toString(), text.replaceAll("\0", "\uFFFD"), last, request, last],
    );
  } catch (error) {
    throw databaseError("writing a log", error);
  }
}

/** Says why there is no answer. */
export async function failLogRequest(db: Database, request: string, message: string): Promise<void> {
  try {
    await db("log_requests").where({ id: request, state: "asked" }).update({ state: "failed", failure_message: message });
  } catch (error) {
    throw databaseError("refusing a log request", error);
  }
}

/** Measurements of all subtasks of a job at one time; see `controller/measurements.ts` for their shape. */
export interface MetricSampleRow {
  readonly job: string;
  readonly runFence: bigint;
  /** Milliseconds since 1970. */
  readonly takenAtMs: number;
  readonly samples: unknown;
}

/** Adds `rows` in one statement. */
export async function insertMetricSamples(db: Database, rows: readonly MetricSampleRow[]): Promise<void> {
  if (rows.length === 0) return;
  const records = rows.map(({ job, runFence, takenAtMs, samples }) => ({
    job_id: job,
    run_fence: runFence.toString(),
    taken_at: takenAtMs,
    samples,
  }));
  try {
    await db.raw(
      `insert into metric_samples (job_id, run_fence, taken_at, samples)
       select m.job_id, m.run_fence, to_timestamp(m.taken_at / 1000), m.samples
       from jsonb_to_recordset(?::jsonb) as m(job_id text, run_fence bigint, taken_at float8, samples jsonb)
       join jobs j on j.id = m.job_id on conflict do nothing`,
      [jsonParameter(records)],
    );
  } catch (error) {
    throw databaseError("writing measurements", error);
  }
}

/** Deletes what has run out: log requests with their chunks, output requests, and measurements older than `samplesKeptMs`. */
export async function expireOutput(db: Database, samplesKeptMs: number): Promise<void> {
  try {
    await db.raw("delete from log_requests where expires_at < now()");
    await db.raw("delete from output_requests where wanted_until_at < now()");
    await db.raw("delete from metric_samples where taken_at < now() - ? * interval '1 millisecond'", [samplesKeptMs]);
  } catch (error) {
    throw databaseError("expiring output", error);
  }
}
