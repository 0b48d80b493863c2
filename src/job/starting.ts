/** How a job gets a run: its program is compiled, slots are found, workers register and start their tasks. */
import type { ErrorRecord } from "../core/errors.ts";
import type { JobEvent } from "./event.ts";
import { isPreparedFor, nextFence, type PlacedWorker, type RunReference, runIdOf, type StopMode, wantedBuild } from "./job.ts";
import { change, discardPrepared, enter, type JobDraft, note, remember, retryLater, runOf } from "./job-draft.ts";

/** Compiles the program. Without change of the program the artifact is there already. */
export function enterCompiling(draft: JobDraft): void {
  const fresh = draft.job.state !== "recovering";
  enter(draft, "compiling", draft.limits.compileMs);
  change(draft, { finishedAtMs: undefined, ...(fresh ? { failure: undefined, restarts: 0 } : {}) });
  draft.effects.push({ kind: "compile" });
}

/** The run that was prepared, if it is what the user wants now; a new one otherwise. */
function nextRun(draft: JobDraft): RunReference {
  const { id, context } = draft.job;
  const { prepared } = context;
  if (prepared !== undefined && isPreparedFor(draft.job, prepared)) {
    remember(draft, { prepared: undefined });
    return prepared.run;
  }
  discardPrepared(draft);
  const fence = nextFence(draft.job);
  return { id: runIdOf(id, fence), fence };
}

/** Makes the next run, with what the user wants now. */
export function enterScheduling(draft: JobDraft): void {
  const { job, limits } = draft;
  const { parallelism, restartNonce, launchKey, checkpointIntervalMs, ignoreStateBeforeEpoch } = job.desired;
  enter(draft, "scheduling", limits.workerStartupMs);
  const build = wantedBuild(job);
  const run = nextRun(draft);
  change(draft, {
    run,
    parallelism,
    tasks: parallelism * job.context.vertices,
    observedRestartNonce: restartNonce,
  });
  remember(draft, {
    launchKey,
    checkpointIntervalMs,
    ignoreStateBeforeEpoch,
    placement: undefined,
    live: true,
    lastFence: run.fence,
    build,
  });
  startWorkers(draft);
}

/** Effects that a job in `scheduling` needs; all may be repeated. */
export function startWorkers(draft: JobDraft): void {
  const { job, effects } = draft;
  const run = runOf(draft);
  const { placement, checkpointIntervalMs, ignoreStateBeforeEpoch } = job.context;
  const parallelism = job.parallelism ?? job.desired.parallelism;
  if (placement !== undefined) return adopt(draft, placement, undefined);
  effects.push({ kind: "start-run", run, parallelism, checkpointIntervalMs, ignoreStateBeforeEpoch });
  effects.push({ kind: "start-workers", run, parallelism, build: job.context.build });
}

/** Takes over a run whose workers are placed. */
export function adopt(draft: JobDraft, placement: readonly PlacedWorker[], stop: Exclude<StopMode, "none"> | undefined): void {
  const { job, effects } = draft;
  const parallelism = job.parallelism ?? job.desired.parallelism;
  const { checkpointIntervalMs, ignoreStateBeforeEpoch } = job.context;
  effects.push({ kind: "adopt-run", run: runOf(draft), parallelism, checkpointIntervalMs, ignoreStateBeforeEpoch, placement, stop });
}

/** There are too few free slots: asked again until the time is over. */
export function notEnoughSlots(draft: JobDraft, event: JobEvent & { readonly kind: "not-enough-slots" }): void {
  const first = draft.job.context.waiting === undefined;
  const reason = `${event.needed} slots are needed, ${event.available} are free`;
  retryLater(draft, "slots", reason);
  if (first) note(draft, "waiting-for-slots", "warn", reason, { details: { needed: event.needed, available: event.available } });
}

/** The scheduler has the request. A failed `start-run` is still to be repeated. */
export function workersAccepted(draft: JobDraft): void {
  const { waiting, retryAtMs } = draft.job.context;
  if (waiting?.for === "slots" || retryAtMs === undefined) remember(draft, { waiting: undefined, retryAtMs: undefined });
}

/** The scheduler has accepted workers and cannot place them, or no longer. */
export function placementBlocked(draft: JobDraft, missing: number, reason: string): void {
  const { waiting } = draft.job.context;
  if (missing === 0) return remember(draft, { waiting: undefined });
  if (waiting?.reason === reason) return;
  remember(draft, { waiting: { sinceMs: waiting?.sinceMs ?? draft.nowMs, for: "slots", reason } });
  note(draft, "placement-failed", "warn", reason, { details: { missing } });
}

/** It is known who runs what: their tasks start. */
export function placed(draft: JobDraft, placement: readonly PlacedWorker[]): void {
  if (draft.job.context.placement === undefined) {
    remember(draft, { placement, waiting: undefined, retryAtMs: undefined, renewed: false });
    change(draft, { stateDeadlineAtMs: draft.nowMs + draft.limits.taskStartupMs });
  }
  draft.effects.push({ kind: "command-run", run: runOf(draft), command: { kind: "placement-stored" } });
}

/** The run runs. */
export function enterRunning(draft: JobDraft): void {
  const { job, nowMs } = draft;
  enter(draft, "running", undefined);
  change(draft, { startedAtMs: job.startedAtMs ?? nowMs, failure: undefined });
  remember(draft, { runningSinceMs: nowMs });
}

/** Why a start took too long. */
export function startOverdue(draft: JobDraft): ErrorRecord {
  const { context, stateChangedAtMs } = draft.job;
  const seconds = Math.round((draft.nowMs - stateChangedAtMs) / 1000);
  const what = context.placement === undefined ? "workers have not registered" : "tasks have not started";
  const reason = context.waiting === undefined ? "" : `: ${context.waiting.reason}`;
  return { domain: "external", code: "timeout", message: `${what} after ${seconds} s${reason}`, retry: "backoff" };
}
