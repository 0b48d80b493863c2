/**
 * Rows of a job's outputs as events. The controller keeps the newest rows of each job in a table with a growing cursor: a reader that comes
 * back says the last event's id and goes on behind it, whichever API process it meets. While somebody reads, the wish for rows is renewed.
 */
import type { z } from "zod";
import { newestCursor, type OutputRow, readOutputRows, requestOutput } from "../db/output-requests.ts";
import { readJobState } from "../db/pipelines.ts";
import type { ApiContext } from "./api-context.ts";
import type { EventStream } from "./event-stream.ts";
import { TERMINAL_STATES } from "./job-action.ts";
import type { outputShape } from "./schema/job-shapes.ts";

/** What is read. */
export interface OutputSelection {
  readonly pipeline: string;
  readonly job: string;
  /** Sink vertices. */
  readonly vertices: readonly number[];
  /** Go on behind this cursor; "earliest": all rows that are kept; "latest": rows from now on. */
  readonly from: number | "earliest" | "latest";
}

const POLL_MS = 300;
/** Rows are wanted for this long after the wish was last renewed. */
const WANTED_MS = 20_000;
const RENEW_MS = 5_000;
const ROWS_PER_READ = 500;
/** Name of the last event of a job that has ended. */
const END_EVENT = "end";

/** Sends rows until the reader is gone, or the job has ended and everything has been sent. */
export async function streamOutput(api: ApiContext, selection: OutputSelection, stream: EventStream): Promise<void> {
  const { job, vertices } = selection;
  let cursor = await startCursor(api, selection);
  let renewAtMs = Number.NEGATIVE_INFINITY;
  while (!stream.signal.aborted) {
    if (api.clock.elapsedMs() >= renewAtMs) {
      await requestOutput(api.db, job, vertices, WANTED_MS);
      renewAtMs = api.clock.elapsedMs() + RENEW_MS;
    }
    // Asked before the rows are read: what an ended job has left is there then.
    const ended = await hasEnded(api, selection.pipeline);
    const rows = await readOutputRows(api.db, job, vertices, cursor, ROWS_PER_READ);
    for (const batch of batches(rows)) await stream.send({ id: String(batch.cursor), data: batch.data });
    cursor = rows.at(-1)?.cursor ?? cursor;
    if (ended && rows.length === 0) return stream.send({ event: END_EVENT, data: { done: true } });
    if (rows.length < ROWS_PER_READ) await api.clock.sleep(POLL_MS, stream.signal);
  }
}

async function startCursor(api: ApiContext, { job, from }: OutputSelection): Promise<number> {
  if (from === "earliest") return 0;
  return from === "latest" ? newestCursor(api.db, job) : from;
}

async function hasEnded(api: ApiContext, pipelineId: string): Promise<boolean> {
  const job = await readJobState(api.db, pipelineId);
  if (job === undefined) return true;
  const { state, stop, preview } = job;
  // A stopped job that is wanted again is about to start; a preview never is.
  return TERMINAL_STATES.includes(state) && (preview || stop !== "none" || state !== "stopped");
}

/** Rows that follow each other in one subtask, as one event. */
export function batches(rows: readonly OutputRow[]): { readonly cursor: number; readonly data: z.input<typeof outputShape> }[] {
  const groups: OutputRow[][] = [];
  for (const row of rows) {
    const group = groups.at(-1);
    const last = group?.at(-1);
    if (group !== undefined && last !== undefined && follows(last, row)) group.push(row);
    else groups.push([row]);
  }
  return groups.flatMap((group) => {
    const [first] = group;
    if (first === undefined) return [];
    const data = {
      operator_id: String(first.vertex),
      subtask_idx: first.subtask,
      timestamps: group.map((row) => row.receivedUs),
      start_id: first.rowNumber,
      batch: `[${group.map((row) => row.row).join(",")}]`,
    };
    return [{ cursor: group.at(-1)?.cursor ?? first.cursor, data }];
  });
}

function follows(last: OutputRow, row: OutputRow): boolean {
  return (
    last.vertex === row.vertex && last.subtask === row.subtask && last.runFence === row.runFence && last.rowNumber + 1 === row.rowNumber
  );
}
