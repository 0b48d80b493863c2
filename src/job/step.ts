/**
 * The job state machine: `stepJob(job, event, nowMs, limits)` gives the job as it is then and what has to be done. Pure and total: every event
 * in every state has an answer (transitions.ts), every transient state a deadline. Starting a run is in `starting.ts`, leaving it in
 * `ending.ts`, the user's wishes in `desire.ts`.
 */
import type { ErrorRecord } from "../core/errors.ts";
import { buildProved } from "./build.ts";
import { moveAway, reconcile } from "./desire.ts";
import type { JobEffect } from "./effect.ts";
import {
  atRest,
  closeRun,
  endingOverdue,
  endWorkers,
  failJob,
  killWorkers,
  leaveRun,
  phaseMs,
  recover,
  stopFailed,
  stopWorkers,
  workersGone,
} from "./ending.ts";
import type { JobEvent, RunReport } from "./event.ts";
import { type Job, type JobLimits, REST_STATES } from "./job.ts";
import { change, type JobDraft, note, remember, retryLater } from "./job-draft.ts";
import { besides, endLeftovers, openPrepared, preparedOverdue, renewPrepared } from "./prepared.ts";
import {
  adopt,
  enterRunning,
  enterScheduling,
  notEnoughSlots,
  placed,
  placementBlocked,
  startOverdue,
  startWorkers,
  workersAccepted,
} from "./starting.ts";
import { ANSWERS, eventName } from "./transitions.ts";

/** A wake-up that comes so late was not just a busy moment. */
const LATE_MS = 1_000;

/** A step's result. `job` is the same object if nothing changed: then its row need not be written. */
export interface JobStep {
  readonly job: Job;
  readonly effects: readonly JobEffect[];
}

/** What follows from `event` at `nowMs`. Write `job` first, then perform `effects`. */
export function stepJob(job: Job, event: JobEvent, nowMs: number, limits: JobLimits): JobStep {
  const draft: JobDraft = { job, effects: [], nowMs, limits, jitter: event.jitter ?? 1 };
  forgive(draft);
  if (isBesides(job, event)) besides(draft, event);
  else if (isMeant(job, event) && ANSWERS[job.state][eventName(event)] === "handled") follow(draft, event);
  reconcile(draft);
  return { job: draft.job, effects: draft.effects };
}

/**
 * A controller that slept, or whose database was away, hears of what happened meanwhile after its wake-up call: a state that seems overdue is
 * given its time once more.
 */
function forgive(draft: JobDraft): void {
  const { state, stateDeadlineAtMs, context } = draft.job;
  const deadlineAtMs = state === "running" ? context.prepared?.deadlineAtMs : stateDeadlineAtMs;
  if (deadlineAtMs === undefined || context.renewed || draft.nowMs - deadlineAtMs <= LATE_MS) return;
  remember(draft, { renewed: true });
  renewDeadline(draft);
}

/** Events of older runs come too late. */
function isMeant(job: Job, event: JobEvent): boolean {
  return !("fence" in event) || event.fence === job.run?.fence;
}

/** Events of a run besides the newest one that the job still has to do with. */
function isBesides({ run, context }: Job, event: JobEvent): event is JobEvent & { readonly fence: number } {
  if (!("fence" in event) || event.fence === run?.fence) return false;
  return context.prepared?.run.fence === event.fence || context.leftovers.some((leftover) => leftover.run.fence === event.fence);
}

function follow(draft: JobDraft, event: JobEvent): void {
  switch (event.kind) {
    case "loaded":
      return loaded(draft);
    case "desired-changed":
      if (event.desired.revision < draft.job.desired.revision) return;
      if (event.desired.build !== draft.job.desired.build) remember(draft, { rejectedBuild: undefined });
      return change(draft, { desired: event.desired });
    case "tick":
      return tick(draft);
    case "compiled":
      change(draft, { artifact: event.artifact });
      remember(draft, { vertices: event.vertices });
      return enterScheduling(draft);
    case "compile-failed":
      return recover(draft, event.error);
    case "workers-accepted":
      return workersAccepted(draft);
    case "not-enough-slots":
      return notEnoughSlots(draft, event);
    case "placement-blocked":
      return placementBlocked(draft, event.missing, event.reason);
    case "start-failed":
      return startFailed(draft, event.error);
    case "stop-failed":
      return stopFailed(draft, event.error);
    case "workers-gone":
      return workersGone(draft);
    case "drain":
      return moveAway(draft, event.reason, event.deadlineMs);
    case "scheduler-back":
      return schedulerBack(draft);
    case "run":
      return runReported(draft, event.report);
  }
}

/** Nothing waits for the end of a pause that was made because the scheduler did not answer. */
function schedulerBack(draft: JobDraft): void {
  const { leftovers, prepared, retryAtMs } = draft.job.context;
  if (leftovers.some((leftover) => leftover.retryAtMs !== undefined)) {
    const now = leftovers.map((leftover) => (leftover.retryAtMs === undefined ? leftover : { ...leftover, retryAtMs: draft.nowMs }));
    remember(draft, { leftovers: now });
    endLeftovers(draft, false);
  }
  if (prepared !== undefined && draft.job.state === "running") openPrepared(draft);
  if (retryAtMs === undefined) return;
  remember(draft, { attempts: 0 });
  retry(draft);
}

function startFailed(draft: JobDraft, error: ErrorRecord): void {
  const { state, context } = draft.job;
  if (context.ending !== undefined && context.ending.phase !== "run") return;
  if (error.retry === "backoff") return retryLater(draft, "start", error.message);
  if (state === "checkpoint-stopping" || state === "stopping") return endAnyway(draft, error);
  recover(draft, error);
}

function runReported(draft: JobDraft, report: RunReport): void {
  const { state } = draft.job;
  switch (report.kind) {
    case "placed":
      return placed(draft, report.placement);
    case "running":
      return enterRunning(draft);
    case "epoch-complete":
      if (report.epoch <= draft.job.epoch) return;
      buildProved(draft);
      return change(draft, { epoch: report.epoch });
    case "ending":
      return leaveRun(draft, "finishing", "checkpoint", true);
    case "leaving":
      return moveAway(draft, report.reason, report.deadlineMs);
    case "drained":
      return drained(draft, report.finished);
    case "closed":
      return closed(draft);
    case "failed":
    case "lost":
      if (state === "checkpoint-stopping" || state === "stopping") return endAnyway(draft, report.error);
      return runOver(draft, report.error);
    case "prepared":
      return;
  }
}

function drained(draft: JobDraft, finished: boolean): void {
  const { state, context } = draft.job;
  if (state === "running") leaveRun(draft, "finishing", "checkpoint", true);
  if (context.ending === undefined || context.ending.phase === "run") closeRun(draft, finished);
}

function closed(draft: JobDraft): void {
  const { ending } = draft.job.context;
  if (ending === undefined) return recover(draft, lost("the run closed although nobody had asked"));
  if (ending.phase === "run" || ending.phase === "closing") endWorkers(draft, ending);
}

function lost(message: string): ErrorRecord {
  return { domain: "internal", code: "invariant", message, retry: "backoff" };
}

/** The run failed. If its work was done, only its workers are left. */
function runOver(draft: JobDraft, error: ErrorRecord): void {
  const { ending } = draft.job.context;
  if (ending === undefined || ending.phase === "run") return recover(draft, error);
  if (ending.phase === "closing") endWorkers(draft, ending);
}

/** The run failed while it was stopped: the user gets the stop; what is not in a complete epoch is repeated later. */
function endAnyway(draft: JobDraft, error: ErrorRecord): void {
  const { ending, live } = draft.job.context;
  if (ending?.phase !== "run" && ending?.phase !== "closing") return;
  if (error.domain === "user" && ending.phase === "run") return failJob(draft, error);
  note(draft, "stop-incomplete", "warn", `the run failed while it was stopped: ${error.message}`, { error });
  if (live) killWorkers(draft, ending);
}

/** What a controller that knows nothing of the job has to do for it: all follows from the state. */
function loaded(draft: JobDraft): void {
  const { state, context } = draft.job;
  const { ending, placement, live } = context;
  remember(draft, { retryAtMs: undefined });
  renewDeadline(draft);
  endLeftovers(draft, true);
  openPrepared(draft);
  if (state === "compiling") draft.effects.push({ kind: "compile" });
  if (state === "scheduling") return startAgain(draft);
  if (state === "running")
    return placement === undefined ? recover(draft, lost("the run's placement is not known")) : adopt(draft, placement, undefined);
  if (REST_STATES.has(state)) return atRest(draft);
  if (ending === undefined) return;
  if (ending.phase === "closing") return endWorkers(draft, ending);
  if (ending.phase === "workers" || ending.phase === "killing") return live ? stopWorkers(draft) : undefined;
  if (ending.phase === "run" && placement !== undefined) adopt(draft, placement, state === "finishing" ? undefined : ending.mode);
}

/** Nobody could do anything meanwhile: the time of the state, or of its phase, begins anew. */
function renewDeadline(draft: JobDraft): void {
  const { job, nowMs, limits } = draft;
  renewPrepared(draft);
  const lastMs = limitMs(job, limits);
  if (lastMs !== undefined) change(draft, { stateDeadlineAtMs: nowMs + lastMs });
}

function limitMs({ state, context }: Job, limits: JobLimits): number | undefined {
  if (state === "compiling") return limits.compileMs;
  if (state === "scheduling") return context.placement === undefined ? limits.workerStartupMs : limits.taskStartupMs;
  return context.ending === undefined ? undefined : phaseMs(state, context.ending.phase, limits);
}

/** Unless the user does not want these workers any more. */
function startAgain(draft: JobDraft): void {
  reconcile(draft);
  if (draft.job.state === "scheduling") startWorkers(draft);
}

function tick(draft: JobDraft): void {
  const { job, nowMs } = draft;
  const { prepared } = job.context;
  endLeftovers(draft, false);
  if (job.stateDeadlineAtMs !== undefined && job.stateDeadlineAtMs <= nowMs) return overdue(draft);
  if (job.state === "running" && prepared !== undefined && prepared.deadlineAtMs <= nowMs) return preparedOverdue(draft, prepared);
  if (job.context.retryAtMs !== undefined && job.context.retryAtMs <= nowMs) return retry(draft);
  const healthyAtMs = healthyAt(job, draft.limits);
  if (healthyAtMs !== undefined && healthyAtMs <= nowMs) change(draft, { restarts: 0 });
}

/** The state or its phase took too long. */
function overdue(draft: JobDraft): void {
  const { state, context } = draft.job;
  if (context.ending !== undefined) return endingOverdue(draft, context.ending);
  if (state === "scheduling") return recover(draft, startOverdue(draft));
  if (state === "compiling") {
    const seconds = draft.limits.compileMs / 1000;
    recover(draft, { domain: "internal", code: "timeout", message: `the program was not compiled after ${seconds} s`, retry: "backoff" });
  }
}

/** An attempt that failed is made again. */
function retry(draft: JobDraft): void {
  const { state, context } = draft.job;
  remember(draft, { retryAtMs: undefined });
  if (state === "scheduling") return startWorkers(draft);
  if (REST_STATES.has(state) && state !== "running") return atRest(draft);
  const { ending, placement } = context;
  if (ending?.phase === "workers" || ending?.phase === "killing") return stopWorkers(draft);
  if (placement !== undefined) adopt(draft, placement, state === "running" || state === "finishing" ? undefined : ending?.mode);
}

function healthyAt({ context, restarts }: Job, { healthyMs }: JobLimits): number | undefined {
  return restarts > 0 && context.runningSinceMs !== undefined ? context.runningSinceMs + healthyMs : undefined;
}

/** When the machine wants a `tick` without anything else happening; undefined: never. Of a job whose row is written: not in between. */
export function wakeAtMs(job: Job, limits: JobLimits): number | undefined {
  const { state, stateDeadlineAtMs, context, startedAtMs, ttlMs } = job;
  const times = [stateDeadlineAtMs, context.retryAtMs, healthyAt(job, limits)];
  if (state === "created") times.push(job.stateChangedAtMs);
  if (state === "running") times.push(context.prepared?.deadlineAtMs);
  for (const { retryAtMs } of context.leftovers) times.push(retryAtMs);
  if (state === "running" && startedAtMs !== undefined && ttlMs !== undefined) times.push(startedAtMs + ttlMs);
  const known = times.filter((ms) => ms !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}
