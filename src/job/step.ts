/**
 * The job state machine: `stepJob(job, event, nowMs, limits)` gives the job as it is then and what has to be done. Pure and total: every event
 * in every state has an answer (transitions.ts), every transient state a deadline.
 */
import type { JobEffect } from "./effect.ts";
import type { JobEvent } from "./event.ts";
import type { Job, JobLimits } from "./job.ts";

/** A step's result. `job` is the same object if nothing changed: then its row need not be written. */
export interface JobStep {
  readonly job: Job;
  readonly effects: readonly JobEffect[];
}

/** What follows from `event` at `nowMs`. Write `job` first, then perform `effects`. */
export function stepJob(job: Job, event: JobEvent, nowMs: number, limits: JobLimits): JobStep {
  void event, nowMs, limits;
  return { job, effects: [] };
}

/** When the machine wants a `tick` without anything else happening; undefined: never. */
export function wakeAtMs(job: Job, limits: JobLimits): number | undefined {
  void limits;
  return job.stateDeadlineAtMs;
}
