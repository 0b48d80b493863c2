/**
 * Recent measurements of jobs, as the controller writes them (`metric_samples`). A sample holds what every subtask of every vertex said of
 * itself at one time; counters count since the slot's start, so rates are given beside them.
 */
import { z } from "zod";
import type { Database } from "./connection.ts";
import { databaseError } from "./database-error.ts";
import { microsOf, readNumber } from "./row-values.ts";

const count = z.number().catch(0);

/** Source partition that holds a watermark back. */
const holder = z.object({ vertex: z.number(), partition: z.number() }).nullish().catch(undefined);

/** Nanoseconds since 1970; a text, because a number would not be exact. */
const nanoseconds = z.union([z.string(), z.number()]).nullish().catch(undefined);

const subtaskSample = z.object({
  subtask: z.number(),
  rows_in: count,
  rows_out: count,
  filtered: count,
  rows_in_per_s: count,
  rows_out_per_s: count,
  /** Not measured by every build. */
  bytes_in_per_s: z.number().optional().catch(undefined),
  bytes_out_per_s: z.number().optional().catch(undefined),
  /** 0 … 1: the share of time in which there was no room downstream. */
  backpressure: count,
  queue_bytes: count,
  late: count,
  bad: count,
  state_bytes: count,
  keys: count,
  watermark_ns: nanoseconds,
  holder,
  idle: z.boolean().catch(false),
  ended: z.boolean().catch(false),
});

const sampleShape = z.object({ operators: z.array(z.object({ vertex: z.number(), subtasks: z.array(subtaskSample) })) });

/** One subtask of one vertex at one time. */
export type SubtaskSample = z.output<typeof subtaskSample>;

/** All subtasks of a job at one time. */
export interface MetricSample {
  /** Microseconds since the epoch. */
  readonly takenUs: number;
  readonly runFence: number;
  readonly operators: readonly { readonly vertex: number; readonly subtasks: readonly SubtaskSample[] }[];
}

/** Samples of `job` of the last `withinMs` milliseconds, the oldest first; rows of another format are left out. */
export async function readMetricSamples(db: Database, job: string, withinMs: number): Promise<MetricSample[]> {
  try {
    const sql = `select ${microsOf("taken_at")} as taken_us, run_fence, samples from metric_samples
      where job_id = ? and taken_at > now() - ? * interval '1 millisecond' order by taken_at`;
    const { rows } = await db.raw<{ rows: { taken_us: bigint; run_fence: bigint; samples: unknown }[] }>(sql, [job, withinMs]);
    return rows.flatMap((row) => {
      const parsed = sampleShape.safeParse(row.samples);
      if (!parsed.success) return [];
      return [{ takenUs: readNumber(row.taken_us), runFence: readNumber(row.run_fence), operators: parsed.data.operators }];
    });
  } catch (error) {
    throw databaseError("reading measurements", error);
  }
}
