/**
 * One timeline of what Wadi says of its jobs (`job_events`) and what the outside system tells of their runs (`scheduler_events`), the newest
 * first. Reading only.
 */
import type { Database } from "./connection.ts";
import { databaseError } from "./database-error.ts";
import { microsOf, readNumber } from "./row-values.ts";

/** A line. */
export interface TimelineRecord {
  /** "wadi": of ours; "scheduler": told by the outside system. */
  readonly source: "wadi" | "scheduler";
  /** Unique within its source. */
  readonly id: number;
  readonly occurredUs: number;
  readonly jobId: string;
  readonly runFence: number;
  readonly pipelineId: string;
  readonly pipelineName: string;
  readonly kind: string;
  readonly level: string;
  readonly message: string;
  readonly handle: string | undefined;
  readonly details: Readonly<Record<string, unknown>>;
}

/** Where a page starts: behind this line. */
export interface TimelinePlace {
  readonly occurredUs: number;
  readonly source: "wadi" | "scheduler";
  readonly id: number;
}

/** Which lines. */
export interface TimelineFilter {
  readonly job: string | undefined;
  readonly fence: number | undefined;
  readonly before: TimelinePlace | undefined;
  readonly limit: number;
}

interface Columns {
  readonly source: "wadi" | "scheduler";
  readonly id: bigint;
  readonly occurred_us: bigint;
  readonly job_id: string;
  readonly run_fence: bigint;
  readonly pipeline_id: string;
  readonly pipeline_name: string;
  readonly kind: string;
  readonly level: string;
  readonly message: string;
  readonly handle: string | null;
  readonly details: Readonly<Record<string, unknown>>;
}

/** Lines of all jobs or of one, the newest first. */
export async function listTimeline(db: Database, filter: TimelineFilter): Promise<TimelineRecord[]> {
  const own = conditionsOf(filter, "wadi");
  const told = conditionsOf(filter, "scheduler");
  try {
    const { rows } = await db.raw<{ rows: Columns[] }>(
      `select t.*, j.pipeline_id, p.name as pipeline_name from (
         (select 'wadi' as source, e.id, ${microsOf("e.occurred_at")} as occurred_us, e.job_id, e.run_fence, e.kind, e.level, e.message,
            null::text as handle, e.details from job_events e ${own.where} order by e.occurred_at desc, e.id desc limit ?)
         union all
         (select 'scheduler' as source, e.id, ${microsOf("e.occurred_at")} as occurred_us, e.job_id, e.run_fence, e.about as kind, e.level,
            e.message, e.handle, '{}'::jsonb as details from scheduler_events e ${told.where} order by e.occurred_at desc, e.id desc limit ?)) t
       join jobs j on j.id = t.job_id join pipelines p on p.id = j.pipeline_id where p.deleted_at is null
       order by t.occurred_us desc, t.source desc, t.id desc limit ?`,
      [...own.bindings, filter.limit, ...told.bindings, filter.limit, filter.limit],
    );
    return rows.map((row) => ({
      source: row.source,
      id: readNumber(row.id),
      occurredUs: readNumber(row.occurred_us),
      jobId: row.job_id,
      runFence: readNumber(row.run_fence),
      pipelineId: row.pipeline_id,
      pipelineName: row.pipeline_name,
      kind: row.kind,
      level: row.level,
      message: row.message,
      handle: row.handle ?? undefined,
      details: row.details,
    }));
  } catch (error) {
    throw databaseError("reading the timeline", error);
  }
}

/** At one moment lines of "wadi" come before those of "scheduler" in the list, as the order by source says. */
function conditionsOf(
  { job, fence, before }: TimelineFilter,
  source: "wadi" | "scheduler",
): { readonly where: string; readonly bindings: readonly (string | number)[] } {
  const conditions: string[] = [];
  const bindings: (string | number)[] = [];
  if (job !== undefined) {
    conditions.push("e.job_id = ?");
    bindings.push(job);
  }
  if (fence !== undefined) {
    conditions.push("e.run_fence = ?");
    bindings.push(fence);
  }
  if (before !== undefined) {
    const us = microsOf("e.occurred_at");
    const atSameTime = before.source === source ? "e.id < ?" : `${source < before.source}`;
    conditions.push(`(${us} < ?::int8 or (${us} = ?::int8 and ${atSameTime}))`);
    bindings.push(before.occurredUs, before.occurredUs, ...(before.source === source ? [before.id] : []));
  }
  return { where: conditions.length === 0 ? "" : `where ${conditions.join(" and ")}`, bindings };
}
