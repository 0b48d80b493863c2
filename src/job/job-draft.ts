/**
 * A step of the job machine in the making: functions of the machine change the draft and add effects to it; outside of a step everything is
 * immutable. Entering a state and writing to the timeline are here, because every other file does both.
 */
import { assert, must } from "../core/assert.ts";
import type { ErrorRecord } from "../core/errors.ts";
import type { JobEffect, TimelineEntry, WorkerStop } from "./effect.ts";
import type { Ending, Job, JobContext, JobLimits, JobState, RunReference, Waiting } from "./job.ts";
import { SUCCESSORS } from "./transitions.ts";

/** See the file's comment. */
export interface JobDraft {
  job: Job;
  readonly effects: JobEffect[];
  readonly nowMs: number;
  readonly limits: JobLimits;
  /** 0 … 1. */
  readonly jitter: number;
}

/** Changes fields of the job. */
export function change(draft: JobDraft, fields: Partial<Job>): void {
  draft.job = { ...draft.job, ...fields };
}

/** Changes fields of the job's context. */
export function remember(draft: JobDraft, fields: Partial<JobContext>): void {
  change(draft, { context: { ...draft.job.context, ...fields } });
}

/** The newest run of a job that has one. */
export function runOf(draft: JobDraft): RunReference {
  return must(draft.job.run, `the run of job ${draft.job.id}`);
}

/** States in which the next run's workers may come up or wait. */
const PREPARED_STATES: ReadonlySet<JobState> = new Set<JobState>([
  "running",
  "rescaling",
  "restarting",
  "recovering",
  "compiling",
  "scheduling",
]);

/** The prepared run is not needed: its workers are stopped. Does nothing if there is none. */
export function discardPrepared(draft: JobDraft): void {
  const { prepared } = draft.job.context;
  if (prepared === undefined) return;
  remember(draft, { prepared: undefined });
  endAside(draft, prepared.run, { kind: "force" });
}

/** Stops the workers of a run that is not the newest, or is not any more. */
export function endAside(draft: JobDraft, run: RunReference, mode: WorkerStop): void {
  const { leftovers } = draft.job.context;
  remember(draft, { leftovers: [...leftovers, { run, retryAtMs: undefined, attempts: 0 }] });
  draft.effects.push({ kind: "end-workers", run, mode });
}

/** Changes the state. What was waited for in the old one is forgotten; `lastMs`: how long it may last, undefined: for ever. */
export function enter(draft: JobDraft, state: JobState, lastMs: number | undefined, error?: ErrorRecord): void {
  const { job, nowMs } = draft;
  assert(SUCCESSORS[job.state].includes(state), `a job cannot become ${state} while it is ${job.state}`);
  change(draft, {
    state,
    stateChangedAtMs: nowMs,
    stateDeadlineAtMs: lastMs === undefined ? undefined : nowMs + lastMs,
    context: {
      ...job.context,
      ending: undefined,
      waiting: undefined,
      retryAtMs: undefined,
      attempts: 0,
      renewed: false,
      runningSinceMs: undefined,
    },
  });
  if (!PREPARED_STATES.has(state)) discardPrepared(draft);
  const details = { from: job.state, to: state };
  const level = error === undefined ? "info" : state === "failed" || state === "failing" ? "error" : "warn";
  note(draft, "state-changed", level, error === undefined ? `${job.state} → ${state}` : `${job.state} → ${state}: ${error.message}`, {
    error,
    details,
  });
}

/** Writes to the timeline. */
export function note(
  draft: JobDraft,
  kind: string,
  level: TimelineEntry["level"],
  message: string,
  more: { readonly error?: ErrorRecord | undefined; readonly details?: TimelineEntry["details"] } = {},
): void {
  const entry = { kind, level, message, fence: draft.job.run?.fence ?? 0, error: more.error, details: more.details ?? {} };
  draft.effects.push({ kind: "record", entry });
}

/** The phase of the state's way out of its run, with its time. */
export function endIn(draft: JobDraft, ending: Ending, lastMs: number): void {
  remember(draft, { ending, retryAtMs: undefined, attempts: 0, renewed: false });
  change(draft, { stateDeadlineAtMs: draft.nowMs + lastMs });
}

/** The wait before attempt `attempts` + 1, attempts counted from 1: it doubles up to the longest, and is cut by up to a half by the jitter. */
export function backoff(draft: JobDraft, attempts: number): number {
  const { backoffMs, maxBackoffMs } = draft.limits;
  const fullMs = Math.min(maxBackoffMs, backoffMs * 2 ** Math.min(attempts - 1, 30));
  return Math.ceil(fullMs * (0.5 + draft.jitter / 2));
}

/** Tries again later, and says why. */
export function retryLater(draft: JobDraft, what: Waiting["for"], reason: string): void {
  const { waiting, attempts } = draft.job.context;
  const sinceMs = waiting?.sinceMs ?? draft.nowMs;
  const retryAtMs = draft.nowMs + backoff(draft, attempts + 1);
  remember(draft, { waiting: { sinceMs, for: what, reason }, attempts: attempts + 1, retryAtMs });
}
