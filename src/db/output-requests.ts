/**
 * The API's side of previews, tails and logs: asking for them by rows that the controller answers, and reading the answers. What is asked for
 * expires unless it is asked for again.
 */
import type { Database } from "./connection.ts";
import { databaseError } from "./database-error.ts";
import { microsOf, readNumber } from "./row-values.ts";

/** A row of an output. */
export interface OutputRow {
  /** Place to go on behind. */
  readonly cursor: number;
  readonly runFence: number;
  readonly vertex: number;
  readonly subtask: number;
  /** Among those of its run, vertex and subtask, from 0. */
  readonly rowNumber: number;
  /** A JSON object as text. */
  readonly row: string;
  readonly receivedUs: number;
}

/** Says that somebody looks at `vertices` of `job` for the next `wantedMs` milliseconds. */
export async function requestOutput(db: Database, job: string, vertices: readonly number[], wantedMs: number): Promise<void> {
  try {
    await db.raw(
      `insert into output_requests (job_id, vertex, wanted_until_at)
       select j.id, v.vertex, now() + ? * interval '1 millisecond' from jobs j, unnest(?::int[]) as v(vertex) where j.id = ?
       on conflict (job_id, vertex) do update set wanted_until_at = greatest(output_requests.wanted_until_at, excluded.wanted_until_at)`,
      [wantedMs, [...vertices], job],
    );
  } catch (error) {
    throw databaseError("asking for output", error);
  }
}

interface OutputColumns {
  readonly cursor: bigint;
  readonly run_fence: bigint;
  readonly vertex: number;
  readonly subtask: number;
  readonly row_number: bigint;
  readonly row: string;
  readonly received_us: bigint;
}

/** Rows of `vertices` behind `cursor` in the order of their arrival; at most `limit`. */
export async function readOutputRows(
  db: Database,
  job: string,
  vertices: readonly number[],
  cursor: number,
  limit: number,
): Promise<OutputRow[]> {
  try {
    const sql = `select cursor, run_fence, vertex, subtask, row_number, row, ${microsOf("received_at")} as received_us from preview_rows
      where job_id = ? and cursor > ? and vertex = any(?::int[]) order by cursor limit ?`;
    const { rows } = await db.raw<{ rows: OutputColumns[] }>(sql, [job, cursor, [...vertices], limit]);
    return rows.map((row) => ({
      cursor: readNumber(row.cursor),
      runFence: readNumber(row.run_fence),
      vertex: row.vertex,
      subtask: row.subtask,
      rowNumber: readNumber(row.row_number),
      row: row.row,
      receivedUs: readNumber(row.received_us),
    }));
  } catch (error) {
    throw databaseError("reading output", error);
  }
}

/** Cursor of the newest row of `job`; 0 if there is none. */
export async function newestCursor(db: Database, job: string): Promise<number> {
  try {
    const { rows } = await db.raw<{ rows: { cursor: bigint }[] }>(
      "select coalesce(max(cursor), 0)::int8 as cursor from preview_rows where job_id = ?",
      [job],
    );
    return readNumber(rows[0]?.cursor ?? 0n);
  } catch (error) {
    throw databaseError("reading output", error);
  }
}

/** A piece of a log that is wanted. */
export interface NewLogRequest {
  /** A UUID. */
  readonly id: string;
  readonly job: string;
  readonly worker: string;
  /** Negative: so many bytes before the end. */
  readonly fromOffset: number;
  readonly limitBytes: number;
  /** The request and its answer are deleted after so many milliseconds. */
  readonly keptMs: number;
}

/** Asks for a piece of a worker's log. */
export async function insertLogRequest(db: Database, request: NewLogRequest): Promise<void> {
  const { id, job, worker, fromOffset, limitBytes, keptMs } = request;
  try {
    await db.raw(
      `insert into log_requests (id, job_id, worker_id, from_offset, limit_bytes, expires_at)
       values (?, ?, ?, ?, ?, now() + ? * interval '1 millisecond')`,
      [id, job, worker, fromOffset, limitBytes, keptMs],
    );
  } catch (error) {
    throw databaseError("asking for a log", error);
  }
}

/** A log request with as much of the answer as there is. */
export interface LogAnswer {
  readonly state: "asked" | "answered" | "failed";
  readonly failure: string | undefined;
  readonly worker: string;
  readonly chunks: readonly { readonly offset: number; readonly text: string; readonly last: boolean }[];
}

/** The request `id` of `job`; `undefined` if there is none (any more). */
export async function readLogAnswer(db: Database, job: string, id: string): Promise<LogAnswer | undefined> {
  try {
    const [request] = await db("log_requests")
      .where({ id, job_id: job })
      .whereRaw("expires_at > now()")
      .select<{ state: LogAnswer["state"]; failure_message: string | null; worker_id: string }[]>("state", "failure_message", "worker_id");
    if (request === undefined) return undefined;
    const chunks = await db("log_chunks")
      .where({ request_id: id })
      .orderBy("offset_bytes")
      .select<{ offset_bytes: bigint; text: string; last: boolean }[]>("offset_bytes", "text", "last");
    return {
      state: request.state,
      failure: request.failure_message ?? undefined,
      worker: request.worker_id,
      chunks: chunks.map((chunk) => ({ offset: readNumber(chunk.offset_bytes), text: chunk.text, last: chunk.last })),
    };
  } catch (error) {
    throw databaseError("reading a log", error);
  }
}
