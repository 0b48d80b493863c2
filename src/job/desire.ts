/**
 * What the user wants against what is: looked at after every event, in every state. Only levels count, so a wish that came while something
 * else was under way is acted on as soon as that is over, and one that was taken back in time costs nothing.
 */
import { abandonRun, atRest, killWorkers, leaveRun, stopIdle, tellRun } from "./ending.ts";
import { isPreparedFor, type Job, STOP_MODES, type StopMode, wantedBuild } from "./job.ts";
import { change, discardPrepared, enter, type JobDraft, note, remember, runOf } from "./job-draft.ts";
import { moveRun } from "./prepared.ts";
import { enterCompiling } from "./starting.ts";

/** Acts on the user's wishes as far as the state allows. */
export function reconcile(draft: JobDraft): void {
  const stop = wantedStop(draft.job, draft.nowMs);
  if (stop === "none") wantsRun(draft);
  else wantsStop(draft, stop);
  const { desired, observedRevision } = draft.job;
  if (observedRevision !== desired.revision) change(draft, { observedRevision: desired.revision });
}

/** How the job shall be stopped now: by the user's wish, its deletion or the end of its time. */
export function wantedStop({ desired, ttlMs, startedAtMs }: Job, nowMs: number): StopMode {
  if (desired.deleted) return "force";
  const expired = ttlMs !== undefined && startedAtMs !== undefined && startedAtMs + ttlMs <= nowMs;
  return expired ? hardest(desired.stop, "immediate") : desired.stop;
}

function hardest<T extends StopMode>(a: T, b: T): T {
  return STOP_MODES.indexOf(a) >= STOP_MODES.indexOf(b) ? a : b;
}

function isHarder(a: StopMode, b: StopMode): boolean {
  return STOP_MODES.indexOf(a) > STOP_MODES.indexOf(b);
}

function wantsRun(draft: JobDraft): void {
  const { job } = draft;
  switch (job.state) {
    case "created":
      return enterCompiling(draft);
    case "stopped":
      // A preview is shown once.
      return job.preview ? undefined : enterCompiling(draft);
    case "failed":
      return tryAgain(draft);
    case "scheduling":
      return wantsOtherWorkers(draft);
    case "running":
      return wantsOtherRun(draft);
    default:
      return;
  }
}

/** A failed job runs again when it is told to restart. */
function tryAgain(draft: JobDraft): void {
  const { desired, observedRestartNonce } = draft.job;
  if (desired.restartNonce === observedRestartNonce) return;
  change(draft, { observedRestartNonce: desired.restartNonce });
  enterCompiling(draft);
}

function needsRestart(job: Job): boolean {
  const { desired, observedRestartNonce, context } = job;
  return wantedBuild(job) !== context.build || desired.restartNonce !== observedRestartNonce || desired.launchKey !== context.launchKey;
}

/** Nothing runs yet: workers are simply asked for anew. */
function wantsOtherWorkers(draft: JobDraft): void {
  const { desired, parallelism } = draft.job;
  if (needsRestart(draft.job)) return abandonRun(draft, "restarting", undefined, true);
  if (desired.parallelism !== parallelism) abandonRun(draft, "rescaling", undefined, true);
}

function wantsOtherRun(draft: JobDraft): void {
  const { desired, parallelism, context } = draft.job;
  const { prepared } = context;
  if (prepared !== undefined && !isPreparedFor(draft.job, prepared)) discardPrepared(draft);
  if (needsRestart(draft.job)) {
    if (desired.restartMode === "force") return leaveRun(draft, "restarting", "force");
    moveRun(draft, { cause: "restarting", forced: false, killedAtMs: undefined });
  } else if (desired.parallelism !== parallelism) {
    moveRun(draft, { cause: "rescaling", forced: false, killedAtMs: undefined });
  }
  if (draft.job.state !== "running") return;
  if (prepared?.forced === true) moveRun(draft, { cause: "restarting", forced: true, killedAtMs: prepared.killedAtMs });
  if (draft.job.state !== "running") return;
  const { checkpointIntervalMs } = desired;
  if (checkpointIntervalMs === context.checkpointIntervalMs) return;
  remember(draft, { checkpointIntervalMs });
  draft.effects.push({ kind: "command-run", run: runOf(draft), command: { kind: "set-interval", checkpointIntervalMs } });
}

function wantsStop(draft: JobDraft, stop: Exclude<StopMode, "none">): void {
  switch (draft.job.state) {
    case "created":
    case "compiling":
      return stopIdle(draft);
    case "scheduling":
      return abandonRun(draft, "stopping", undefined, stop !== "force");
    case "running":
      return leaveRun(draft, stop === "checkpoint" ? "checkpoint-stopping" : "stopping", stop);
    case "rescaling":
    case "restarting":
      return stopInstead(draft, stop);
    case "checkpoint-stopping":
    case "stopping":
      return stopHarder(draft, stop);
    case "finishing":
      // It ends by itself; only what cannot wait is worth leaving the last epoch unpublished.
      return stop === "immediate" || stop === "force" ? stopFinishing(draft, stop) : undefined;
    case "recovering":
      return stopRecovering(draft);
    case "failing":
      return;
    default:
      // Also when its workers have turned out to be gone: nothing is planned then.
      if (draft.job.context.retryAtMs === undefined && draft.job.desired.deleted) atRest(draft);
  }
}

/** The run is being stopped already, for another reason: what is done is kept, what follows is rest. */
function stopInstead(draft: JobDraft, stop: Exclude<StopMode, "none">): void {
  const { context, stateDeadlineAtMs } = draft.job;
  const { ending, waiting, retryAtMs, attempts } = context;
  if (ending === undefined) return;
  const state = stop === "checkpoint" && ending.phase === "run" && ending.mode === "checkpoint" ? "checkpoint-stopping" : "stopping";
  enter(draft, state, undefined);
  remember(draft, { ending, waiting, retryAtMs, attempts });
  change(draft, { stateDeadlineAtMs });
  if (isHarder(stop, ending.mode)) stopHarder(draft, stop);
}

/** A harder wish overrides a softer one. */
function stopHarder(draft: JobDraft, stop: Exclude<StopMode, "none">): void {
  const { ending } = draft.job.context;
  if (ending === undefined || !isHarder(stop, ending.mode)) return;
  if (ending.phase === "run") {
    if (draft.job.state === "checkpoint-stopping") enter(draft, "stopping", undefined);
    return tellRun(draft, { ...ending, mode: stop });
  }
  if (stop === "force" && ending.phase !== "killing") return killWorkers(draft, { ...ending, mode: stop });
  remember(draft, { ending: { ...ending, mode: stop } });
}

function stopFinishing(draft: JobDraft, stop: "immediate" | "force"): void {
  const { ending } = draft.job.context;
  if (ending?.phase === "run") return leaveRun(draft, "stopping", stop);
  stopHarder(draft, stop);
}

function stopRecovering(draft: JobDraft): void {
  const { ending } = draft.job.context;
  if (ending === undefined || ending.phase === "backoff") return stopIdle(draft);
  enter(draft, "stopping", undefined);
  killWorkers(draft, ending);
}

/** A machine with workers of the run drains: the run moves before it is killed, and that counts as no failure. */
export function moveAway(draft: JobDraft, reason: string, deadlineMs: number | undefined): void {
  note(draft, "worker-leaving", "info", `the run moves: ${reason}`);
  const killedAtMs = deadlineMs === undefined ? undefined : draft.nowMs + deadlineMs;
  if (draft.job.state === "running") moveRun(draft, { cause: "restarting", forced: true, killedAtMs });
  else abandonRun(draft, "restarting", undefined, true);
}
