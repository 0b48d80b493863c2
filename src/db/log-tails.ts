/**
 * Logs of workers that somebody follows: the API extends the wish and reads pieces by a growing cursor, the controller reads each log once,
 * however many follow it, and adds pieces.
 */
import type { Database } from "./connection.ts";
import { databaseError } from "./database-error.ts";
import { readNumber } from "./row-values.ts";

/** Which of a worker's streams. */
export type LogStream = "stdout" | "stderr";

/** A log that is followed. */
export interface LogTail {
  readonly worker: string;
  readonly stream: LogStream;
}

/** Says that somebody follows the log for the next `wantedMs` milliseconds. One that has ended or failed stays so until nobody wants it any more. */
export async function requestLogTail(db: Database, job: string, { worker, stream }: LogTail, wantedMs: number): Promise<void> {
  try {
    await db.raw(
      `insert into log_tails (worker_id, stream, job_id, wanted_until_at) select ?, ?, id, now() + ? * interval '1 millisecond' from jobs where id = ?
       on conflict (worker_id, stream) do update set wanted_until_at = greatest(log_tails.wanted_until_at, excluded.wanted_until_at)`,
      [worker, stream, wantedMs, job],
    );
  } catch (error) {
    throw databaseError("asking for a log", error);
  }
}

/** A piece of a log. */
export interface LogTailChunk {
  readonly cursor: number;
  /** Whole lines. */
  readonly text: string;
}

/** How a tail is, with its pieces behind a cursor. */
export interface LogTailPart {
  readonly state: "open" | "ended" | "failed";
  readonly failure: string | undefined;
  readonly chunks: readonly LogTailChunk[];
}

/** Pieces behind `cursor`, at most `limit`; `undefined` if nobody follows the log. */
export async function readLogTail(
  db: Database,
  { worker, stream }: LogTail,
  cursor: number,
  limit: number,
): Promise<LogTailPart | undefined> {
  try {
    const where = { worker_id: worker, stream };
    const [tail] = await db("log_tails")
      .where(where)
      .select<{ state: LogTailPart["state"]; failure_message: string | null }[]>("state", "failure_message");
    if (tail === undefined) return undefined;
    const rows = await db("log_tail_chunks")
      .where(where)
      .where("cursor", ">", cursor)
      .orderBy("cursor")
      .limit(limit)
      .select<{ cursor: bigint; text: string }[]>("cursor", "text");
    const chunks = rows.map((row) => ({ cursor: readNumber(row.cursor), text: row.text }));
    return { state: tail.state, failure: tail.failure_message ?? undefined, chunks };
  } catch (error) {
    throw databaseError("reading a log", error);
  }
}

/** A tail that is to be read: by the worker's handle, from a place on. */
export interface WantedTail extends LogTail {
  readonly job: string;
  /** Undefined: the worker's row is gone, or the scheduler has not named it yet. */
  readonly handle: string | undefined;
  /** Place behind the last byte that was read; undefined: nothing was. */
  readonly nextOffset: number | undefined;
}

interface WantedRow {
  readonly worker_id: string;
  readonly stream: LogStream;
  readonly job_id: string;
  readonly handle: string | null;
  readonly next_offset: bigint | null;
}

/** Tails that are open and wanted now; at most `limit`. */
export async function readWantedTails(db: Database, limit: number): Promise<WantedTail[]> {
  try {
    const { rows } = await db.raw<{ rows: WantedRow[] }>(
      `select t.worker_id, t.stream, t.job_id, w.handle,
         (select max(c.next_offset_bytes) from log_tail_chunks c where c.worker_id = t.worker_id and c.stream = t.stream) as next_offset
       from log_tails t left join workers w on w.id = t.worker_id
       where t.state = 'open' and t.wanted_until_at > now() order by t.worker_id, t.stream limit ?`,
      [limit],
    );
    return rows.map((row) => ({
      worker: row.worker_id,
      stream: row.stream,
      job: row.job_id,
      handle: row.handle ?? undefined,
      nextOffset: row.next_offset === null ? undefined : readNumber(row.next_offset),
    }));
  } catch (error) {
    throw databaseError("reading what logs are followed", error);
  }
}

/** Adds a piece, and keeps the newest `keep` of the log. A double and one of a tail that is gone are left out. */
export async function writeTailChunk(
  db: Database,
  { worker, stream }: LogTail,
  piece: { readonly offset: number; readonly nextOffset: number; readonly text: string },
  keep: number,
): Promise<void> {
  const { offset, nextOffset, text } = piece;
  try {
    await db.raw(
      `insert into log_tail_chunks (worker_id, stream, offset_bytes, next_offset_bytes, text)
       select worker_id, stream, ?, ?, ? from log_tails where worker_id = ? and stream = ? on conflict do nothing`,
      [offset, nextOffset, text.replaceAll("\0", "\uFFFD"), worker, stream],
    );
    await db.raw(
      `delete from log_tail_chunks where worker_id = ? and stream = ? and cursor <= (
         select cursor from log_tail_chunks where worker_id = ? and stream = ? order by cursor desc offset ? limit 1)`,
      [worker, stream, worker, stream, keep],
    );
  } catch (error) {
    throw databaseError("writing a log", error);
  }
}

/** Says that nothing will follow; `failure`: why nothing could be read. */
export async function endLogTail(db: Database, { worker, stream }: LogTail, failure: string | undefined): Promise<void> {
  try {
    await db("log_tails")
      .where({ worker_id: worker, stream, state: "open" })
      .update({ state: failure === undefined ? "ended" : "failed", failure_message: failure ?? null });
  } catch (error) {
    throw databaseError("ending a log", error);
  }
}

/** Deletes tails that nobody wants any more, with their pieces. */
export async function expireLogTails(db: Database): Promise<void> {
  try {
    await db.raw("delete from log_tails where wanted_until_at < now()");
  } catch (error) {
    throw databaseError("expiring logs", error);
  }
}
