/**
 * How a job leaves a run, whatever for: the run is told to stop and publishes its last epoch, its workers close, the scheduler ends them, and
 * kills those that do not. Each phase has its time. Then the state's own end follows: another run, or rest.
 */
import { assert, must } from "../core/assert.ts";
import type { ErrorRecord } from "../core/errors.ts";
import { rejectBuild } from "./build.ts";
import { type Ending, type JobLimits, type JobState, REST_STATES, type StopMode } from "./job.ts";
import { backoff, change, endAside, endIn, enter, type JobDraft, note, remember, retryLater, runOf } from "./job-draft.ts";
import { enterCompiling, enterScheduling } from "./starting.ts";

/** States that leave a run. */
export type EndingState = "rescaling" | "restarting" | "checkpoint-stopping" | "stopping" | "finishing" | "recovering" | "failing";

const NEW: Omit<Ending, "phase" | "mode"> = { drained: false, finished: false };

/** Enters `state` and tells the run to stop. `silent`: it knows already. */
export function leaveRun(draft: JobDraft, state: EndingState, mode: Exclude<StopMode, "none">, silent = false): void {
  const { waiting, retryAtMs, attempts } = draft.job.context;
  enter(draft, state, undefined);
  tellRun(draft, { ...NEW, phase: "run", mode }, silent);
  // A run that is still to be adopted is told then.
  if (draft.job.context.ending?.phase === "run") remember(draft, { waiting, retryAtMs, attempts });
}

/** Tells the run of the present state to stop, and gives it time. Force asks nobody. */
export function tellRun(draft: JobDraft, ending: Ending, silent = false): void {
  if (ending.mode === "force") return killWorkers(draft, ending);
  endIn(draft, ending, must(phaseMs(draft.job.state, "run", draft.limits), "the limit of the phase"));
  if (!silent) draft.effects.push({ kind: "command-run", run: runOf(draft), command: { kind: "stop", mode: ending.mode } });
}

/** Enters `state`; the run is of no use any more. `gentle`: its workers may end by themselves. */
export function abandonRun(draft: JobDraft, state: EndingState, error?: ErrorRecord, gentle = false): void {
  enter(draft, state, undefined, error);
  const ending: Ending = { ...NEW, phase: "killing", mode: "force" };
  if (gentle) endWorkers(draft, { ...ending, mode: "immediate" });
  else killWorkers(draft, ending);
}

/** How long a phase of `state` may last; undefined: that was decided when it began. */
export function phaseMs(state: JobState, phase: Ending["phase"], limits: JobLimits): number | undefined {
  if (phase === "backoff") return undefined;
  return phase === "run" && state !== "stopping" ? limits.checkpointMs : limits.stopMs;
}

/** The last epoch is published: workers close. */
export function closeRun(draft: JobDraft, finished: boolean): void {
  const { ending, ...context } = draft.job.context;
  if (finished && draft.job.state !== "finishing") enter(draft, "finishing", undefined);
  assert(context.live, "a run without workers cannot be drained");
  endIn(draft, { mode: ending?.mode ?? "checkpoint", phase: "closing", drained: true, finished }, draft.limits.stopMs);
  draft.effects.push({ kind: "command-run", run: runOf(draft), command: { kind: "close" } });
}

/** The scheduler ends the workers. */
export function endWorkers(draft: JobDraft, ending: Ending): void {
  if (!draft.job.context.live) return conclude(draft);
  if (ending.drained && isNextPrepared(draft)) return handOver(draft);
  endIn(draft, { ...ending, phase: "workers" }, draft.limits.stopMs);
  draft.effects.push({ kind: "drop-run", run: runOf(draft) });
  stopWorkers(draft);
}

/** Whether workers of the next run wait or come up, so that nothing has to be waited for. */
function isNextPrepared({ job }: JobDraft): boolean {
  return (job.state === "rescaling" || job.state === "restarting") && job.context.prepared !== undefined;
}

/** The next run begins while the workers of this one, whose work is done, come to their end. */
function handOver(draft: JobDraft): void {
  const run = runOf(draft);
  draft.effects.push({ kind: "drop-run", run });
  endAside(draft, run, { kind: "graceful", deadlineMs: draft.limits.stopMs });
  conclude(draft);
}

/** The scheduler kills the workers. */
export function killWorkers(draft: JobDraft, ending: Ending): void {
  if (!draft.job.context.live) return conclude(draft);
  endIn(draft, { ...ending, phase: "killing" }, draft.limits.stopMs);
  draft.effects.push({ kind: "drop-run", run: runOf(draft) });
  stopWorkers(draft);
}

/** Asks the scheduler, as the phase says. */
export function stopWorkers(draft: JobDraft): void {
  const { ending } = draft.job.context;
  const run = runOf(draft);
  if (ending?.phase === "workers") {
    draft.effects.push({ kind: "stop-workers", run, mode: { kind: "graceful", deadlineMs: draft.limits.stopMs } });
  } else {
    draft.effects.push({ kind: "stop-workers", run, mode: { kind: "force" } });
  }
}

/** The scheduler could not be asked: it is asked again, until the phase is over, and at rest until it answers. */
export function stopFailed(draft: JobDraft, error: ErrorRecord): void {
  const { ending, live } = draft.job.context;
  const asked = ending?.phase === "workers" || ending?.phase === "killing" || (REST_STATES.has(draft.job.state) && live);
  if (asked) retryLater(draft, "stop", `workers could not be stopped: ${error.message}`);
}

/** No worker exists any more. */
export function workersGone(draft: JobDraft): void {
  const { ending } = draft.job.context;
  if (ending?.phase === "run") return;
  const leftovers = draft.job.context.leftovers.filter(({ run }) => run.fence > runOf(draft).fence);
  remember(draft, { live: false, placement: undefined, waiting: undefined, retryAtMs: undefined, leftovers });
  if (ending !== undefined && ending.phase !== "backoff") {
    draft.effects.push({ kind: "drop-run", run: runOf(draft) });
    conclude(draft);
  }
}

/** The phase took too long. */
export function endingOverdue(draft: JobDraft, ending: Ending): void {
  switch (ending.phase) {
    case "run":
      return runOverdue(draft, ending);
    case "closing":
      return endWorkers(draft, ending);
    case "workers":
      note(draft, "workers-slow", "warn", "workers did not end in time and are killed");
      return killWorkers(draft, ending);
    case "killing":
      note(draft, "workers-unknown", "warn", "workers may still exist: they are fenced, and stopped as soon as the scheduler answers");
      return conclude(draft);
    case "backoff":
      return enterCompiling(draft);
  }
}

function runOverdue(draft: JobDraft, ending: Ending): void {
  const { state, epoch } = draft.job;
  const message = `the last checkpoint was not complete in time; what comes after epoch ${epoch} is repeated`;
  const error: ErrorRecord = { domain: "external", code: "timeout", message, retry: "backoff" };
  if (state === "finishing") return recover(draft, error);
  note(draft, "stop-overdue", "warn", message, { error });
  if (state !== "checkpoint-stopping") return killWorkers(draft, { ...ending, mode: "force" });
  enter(draft, "stopping", undefined);
  tellRun(draft, { ...ending, mode: "immediate" });
}

/** What follows when the run and its workers are over. */
function conclude(draft: JobDraft): void {
  const { state, context, restarts } = draft.job;
  switch (state) {
    case "rescaling":
    case "restarting":
      return enterScheduling(draft);
    case "checkpoint-stopping":
    case "stopping":
      return rest(draft, "stopped");
    case "finishing":
      return rest(draft, "finished");
    case "failing":
      return rest(draft, "failed");
    case "recovering": {
      const ending = context.ending ?? { ...NEW, phase: "backoff", mode: "force" };
      const waitMs = backoff(draft, restarts);
      endIn(draft, { ...ending, phase: "backoff" }, waitMs);
      return;
    }
    default:
      assert(false, `a job that is ${state} does not end a run`);
  }
}

function rest(draft: JobDraft, state: "stopped" | "finished" | "failed"): void {
  const { failure } = draft.job;
  enter(draft, state, undefined, state === "failed" ? failure : undefined);
  change(draft, { finishedAtMs: draft.nowMs, failure: state === "failed" ? failure : undefined });
  if (draft.job.context.live) remember(draft, { retryAtMs: draft.nowMs + draft.limits.maxBackoffMs });
}

/** Workers that did not end in time, and what is left of a deleted job; again until it is done. */
export function atRest(draft: JobDraft): void {
  const { context, desired, state } = draft.job;
  if (state === "running" || !(context.live || desired.deleted)) return;
  remember(draft, { retryAtMs: draft.nowMs + draft.limits.maxBackoffMs });
  if (context.live) stopWorkers(draft);
  else if (context.leftovers.length === 0) draft.effects.push({ kind: "clean-up" });
}

/** Stops a job that has no workers. */
export function stopIdle(draft: JobDraft): void {
  rest(draft, "stopped");
}

/** After a failure that another attempt may mend; previews and jobs that failed too often fail. */
export function recover(draft: JobDraft, error: ErrorRecord): void {
  const { job, limits } = draft;
  if (job.state !== "compiling" && rejectBuild(draft, job.context.build, error)) {
    change(draft, { failure: error });
    return abandonRun(draft, "recovering", error);
  }
  const restarts = job.restarts + 1;
  if (error.domain === "user" || job.preview || restarts > limits.allowedRestarts) return failJob(draft, error);
  change(draft, { restarts, failure: error });
  abandonRun(draft, "recovering", error);
}

/** After a failure that no other attempt will mend. */
export function failJob(draft: JobDraft, error: ErrorRecord): void {
  change(draft, { failure: error });
  abandonRun(draft, "failing", error);
}
