/** Timelines of jobs: what happened, as users see it. Written in batches; a controller that no longer leads writes nothing. */
import type { ErrorCode, ErrorDomain } from "../core/errors.ts";
import type { LogLevel } from "../core/log.ts";
import type { Database } from "./connection.ts";
import { databaseError } from "./database-error.ts";
import { jsonParameter } from "./json-parameter.ts";

/** One line of a timeline. */
export interface JobEventRow {
  readonly job: string;
  /** The run it happened in; undefined: none yet. */
  readonly run: string | undefined;
  /** 0: none yet. */
  readonly runFence: bigint;
  /** Wall time in milliseconds since 1970. */
  readonly occurredAtMs: number;
  /** Kebab-case: `state-changed`, `worker-lost`. */
  readonly kind: string;
  readonly level: LogLevel;
  /** One line. */
  readonly message: string;
  /** What else is known, by name; plain JSON. */
  readonly details: Readonly<Record<string, unknown>>;
  readonly vertex?: number | undefined;
  readonly subtask?: number | undefined;
  readonly error?: { readonly domain: ErrorDomain; readonly code: ErrorCode } | undefined;
}

/** `events` as the JSON that `EVENT_COLUMNS` reads back. */
export function eventsAsJson(events: readonly JobEventRow[]): string {
  return jsonParameter(
    events.map((event) => ({
      job_id: event.job,
      run_id: event.run ?? null,
      run_fence: event.runFence.toString(),
      occurred_at_ms: event.occurredAtMs,
      kind: event.kind,
      level: event.level,
      message: event.message,
      details: event.details,
      vertex: event.vertex ?? null,
      subtask: event.subtask ?? null,
      error_domain: event.error?.domain ?? null,
      error_code: event.error?.code ?? null,
    })),
  );
}

/** A FROM item `e` over one JSON parameter made by `eventsAsJson`. */
export const EVENT_RECORDS = `jsonb_to_recordset(?::jsonb) as e(job_id text, run_id text, run_fence bigint, occurred_at_ms float8, kind text,
  level text, message text, details jsonb, vertex int, subtask int, error_domain text, error_code text)`;

/** Columns of `job_events`, and the same out of `EVENT_RECORDS`. */
export const EVENT_COLUMNS =
  "job_id, run_id, run_fence, occurred_at, kind, level, message, details, vertex, subtask, error_domain, error_code";
/** See `EVENT_COLUMNS`. */
export const EVENT_VALUES = `e.job_id, e.run_id, e.run_fence, to_timestamp(e.occurred_at_ms / 1000), e.kind, e.level, e.message, e.details,
  e.vertex, e.subtask, e.error_domain, e.error_code`;

/** Adds `events` in one statement; those of jobs that are gone or that a newer leader has written are left out. */
export async function insertJobEvents(db: Database, leaderEpoch: bigint, events: readonly JobEventRow[]): Promise<void> {
  if (events.length === 0) return;
  try {
    await db.raw(
      `insert into job_events (${EVENT_COLUMNS}) select ${EVENT_VALUES} from ${EVENT_RECORDS}
       join jobs j on j.id = e.job_id where j.leader_epoch <= ?`,
      [eventsAsJson(events), leaderEpoch.toString()],
    );
  } catch (error) {
    throw databaseError("writing timelines", error);
  }
}

/** Keeps the newest `keep` events of every job. */
export async function trimJobEvents(db: Database, keep: number): Promise<void> {
  try {
    await db.raw(
      `delete from job_events e using (
         select j.id as job_id, (select n.id from job_events n where n.job_id = j.id order by n.id desc offset ? limit 1) as last from jobs j) old
       where e.job_id = old.job_id and e.id <= old.last`,
      [keep],
    );
  } catch (error) {
    throw databaseError("shortening timelines", error);
  }
}
