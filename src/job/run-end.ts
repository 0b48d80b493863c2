/** How a run ends: it is told to stop, its slots close, or a worker is gone, which ends it unless its work was done. */
import type { ErrorRecord } from "../core/errors.ts";
import type { WorkerId } from "../core/ids.ts";
import type { StopMode } from "./job.ts";
import { feed } from "./run-epochs.ts";
import {
  change,
  changeWorker,
  connectedWorkers,
  fail,
  isEnding,
  isNeeded,
  outsideError,
  patienceMs,
  type RunDraft,
  report,
  subtasksOf,
} from "./run-state.ts";

/** Stops the run. `checkpoint` and `graceful` end behind one more epoch; they differ in the time their job allows. */
export function stop(draft: RunDraft, mode: Exclude<StopMode, "none">): void {
  switch (mode) {
    case "checkpoint":
    case "graceful":
      return feed(draft, { kind: "stop-requested" });
    case "immediate":
      return stopImmediately(draft);
    case "force":
      return stopByForce(draft);
  }
}

function stopImmediately(draft: RunDraft): void {
  const { phase, placement } = draft.run;
  if (phase === "closing" || phase === "done") return;
  if (placement === undefined || phase === "placing") return stopByForce(draft);
  const drained = phase === "draining";
  if (!drained) change(draft, { closeMode: "immediate" });
  feed(draft, { kind: "abandoned" });
  beginClosing(draft);
}

function stopByForce(draft: RunDraft): void {
  if (draft.run.phase === "done") return;
  for (const [worker, { connected }] of draft.run.workers) {
    if (connected) draft.effects.push({ kind: "close", worker, mode: "force", deadlineMs: 0 });
  }
  const { finished } = draft.run.coordinator;
  change(draft, { phase: "done" });
  report(draft, { kind: "closed", finished: finished && draft.run.closeMode === "finished" });
}

/** Slots close now. */
export function beginClosing(draft: RunDraft): void {
  const { run, nowMs, effects } = draft;
  if (run.phase === "closing" || run.phase === "done" || run.closeMode === undefined) return;
  const { closeMs } = run.config.limits;
  change(draft, { phase: "closing", closeDeadlineAtMs: nowMs + closeMs });
  for (const worker of connectedWorkers(run)) effects.push({ kind: "close", worker, mode: run.closeMode, deadlineMs: closeMs });
}

/** Slots that have not closed in time are taken for closed. */
export function closeDue(draft: RunDraft): void {
  const { closeDeadlineAtMs, config } = draft.run;
  if (closeDeadlineAtMs === undefined || closeDeadlineAtMs > draft.nowMs) return;
  for (let subtask = 0; subtask < config.parallelism; subtask++) feed(draft, { kind: "slot-closed", subtask });
}

/** A worker will not speak again: its slots are closed if that is all that was left to do, otherwise the run is lost. */
export function workerOver(draft: RunDraft, worker: WorkerId, error: ErrorRecord): void {
  if (draft.run.phase === "done") return;
  changeWorker(draft, worker, { connected: false, over: true });
  if (isEnding(draft.run)) {
    for (const subtask of subtasksOf(draft.run, worker)) feed(draft, { kind: "slot-closed", subtask });
  } else if (isNeeded(draft.run, worker)) {
    fail(draft, { kind: "lost", error });
  }
}

/** A worker says that it or a slot of it failed. */
export function workerFailed(draft: RunDraft, worker: WorkerId, error: ErrorRecord): void {
  if (isEnding(draft.run)) return workerOver(draft, worker, error);
  if (isNeeded(draft.run, worker)) fail(draft, { kind: "failed", error });
}

/** Why a run is lost whose worker is gone. */
export function exitError(worker: WorkerId | undefined, reason: string, outOfMemory: boolean): ErrorRecord {
  if (!outOfMemory) return outsideError("connection-lost", `worker ${worker ?? "that had not registered"} has ended: ${reason}`);
  return outsideError("slot-failed", `worker ${worker ?? "without a name"} was killed for want of memory: ${reason}`, {
    hint: "Give its slots more memory, or raise the parallelism.",
  });
}

/** The scheduler says that a worker is gone. */
export function workerExited(draft: RunDraft, worker: WorkerId | undefined, reason: string, outOfMemory: boolean): void {
  const { workers, placement } = draft.run;
  const error = exitError(worker, reason, outOfMemory);
  if (worker !== undefined && workers.has(worker)) return workerOver(draft, worker, error);
  // One that never registered would have been needed; once subtasks are placed nobody waits for it.
  if (placement === undefined && draft.run.phase !== "done") fail(draft, { kind: "lost", error });
}

/** A worker that has been silent for too long is gone. */
export function silenceDue(draft: RunDraft): void {
  const { limits } = draft.run.config;
  for (const [worker, known] of draft.run.workers) {
    const limitMs = patienceMs(known, limits);
    if (known.over || known.heardAtMs + limitMs > draft.nowMs) continue;
    const nor = known.unreachable ? ", nor does the scheduler hear of its machine" : "";
    workerOver(draft, worker, outsideError("connection-lost", `worker ${worker} has not been heard of for ${limitMs / 1000} s${nor}`));
  }
}

/** The scheduler hears of the worker's machine or not: of one that has not registered nobody else can say anything. */
export function workerReached(draft: RunDraft, worker: WorkerId, reached: boolean): void {
  const { workers, placement, absent } = draft.run;
  if (workers.has(worker) || placement !== undefined) return changeWorker(draft, worker, { unreachable: !reached });
  if (absent.has(worker) !== reached) return;
  const rest = [...absent].filter(([id]) => id !== worker);
  change(draft, { absent: new Map(reached ? rest : [...rest, [worker, draft.nowMs]]) });
}

/** A machine that went before its worker registered: to wait for the worker would cost the time of a start. */
export function absenceDue(draft: RunDraft): void {
  const { absent, workers, placement, config } = draft.run;
  if (placement !== undefined || draft.run.phase === "done") return;
  const gone = [...absent].find(([worker, sinceMs]) => !workers.has(worker) && sinceMs + config.limits.unreachableMs <= draft.nowMs);
  if (gone === undefined) return;
  const message = `worker ${gone[0]} has not registered, and the scheduler does not hear of its machine any more`;
  fail(draft, { kind: "lost", error: outsideError("connection-lost", message) });
}
