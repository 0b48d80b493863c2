/**
 * The run's epochs: passes what happened to the coordinator and turns its decisions into messages to workers, keeps time for checkpoints, and
 * repeats what the object store refused. Neither who is alive nor how a run is told to stop is decided here.
 */

import type { ErrorRecord } from "../core/errors.ts";
import type { WorkerId } from "../core/ids.ts";
import {
  type CoordinatorEffect,
  type CoordinatorEvent,
  type CoordinatorState,
  type OpenEpoch,
  purposeOf,
  stepCoordinator,
} from "./coordinator.ts";
import { unmarked } from "./marks.ts";
import { change, connectedWorkers, fail, outsideError, type Run, type RunDraft, report } from "./run-state.ts";

/** Feeds the coordinator and performs what it decides. */
export function feed(draft: RunDraft, event: CoordinatorEvent): void {
  if (draft.run.phase === "done") return;
  const before = draft.run.coordinator;
  const { state, effects } = stepCoordinator(before, event);
  change(draft, { coordinator: state });
  noteEpochs(draft, before);
  for (const effect of effects) perform(draft, effect);
}

/** Epochs that have begun or become complete by the last step. */
function noteEpochs(draft: RunDraft, before: CoordinatorState): void {
  const { coordinator, beganAtMs } = draft.run;
  if (coordinator.open !== before.open) {
    const began = coordinator.open.map(({ epoch }) => [epoch, beganAtMs.get(epoch) ?? draft.nowMs] as const);
    change(draft, { beganAtMs: new Map(began) });
  }
  for (let epoch = before.started + 1; epoch <= coordinator.started; epoch++) {
    const purpose = purposeOf(coordinator, epoch);
    draft.effects.push({ kind: "epoch-begun", epoch, purpose });
    if (purpose === "final") report(draft, { kind: "ending" });
  }
  if (coordinator.complete > before.complete) report(draft, { kind: "epoch-complete", epoch: coordinator.complete });
}

function perform(draft: RunDraft, effect: CoordinatorEffect): void {
  const { run, effects } = draft;
  switch (effect.kind) {
    case "run":
      for (const worker of connectedWorkers(run)) effects.push({ kind: "run", worker });
      change(draft, { begun: true, nextCheckpointAtMs: draft.nowMs + run.checkpointIntervalMs });
      return report(draft, { kind: "running" });
    case "trigger":
    case "commit":
      for (const worker of connectedWorkers(run)) effects.push({ ...effect, worker });
      return;
    case "complete":
      change(draft, { retry: undefined });
      return void effects.push({ ...effect, purpose: purposeOf(run.coordinator, effect.epoch) });
    case "retain":
      return void effects.push(effect);
    case "close":
      if (run.closeMode === "immediate") return;
      change(draft, { phase: "draining", closeMode: effect.finished ? "finished" : "checkpoint" });
      return report(draft, { kind: "drained", finished: effect.finished });
    case "done":
      change(draft, { phase: "done" });
      return report(draft, { kind: "closed", finished: effect.outcome === "finished" });
  }
}

/** What a worker that has registered again may have missed. `started`, `running`: what it knows. */
export function resend(draft: RunDraft, worker: WorkerId, subtasks: readonly number[], known: { started: number; running: boolean }): void {
  const { coordinator } = draft.run;
  if (coordinator.phase === "closing") return;
  // While others are still awaited slots may be running already, by a former controller's word.
  if (!known.running && coordinator.phase !== "starting") draft.effects.push({ kind: "run", worker });
  const { started, lastEpoch } = coordinator;
  // Also a worker that knows the epoch may not have heard that it is the last.
  if (known.started < started || started === lastEpoch) {
    draft.effects.push({ kind: "trigger", worker, epoch: started, stop: started === lastEpoch });
  }
  for (const { epoch, phase, commits } of coordinator.open) {
    const missing = subtasks.some((subtask) => ((commits.bits >> BigInt(subtask)) & 1n) === 0n);
    if (phase === "committing" && missing) draft.effects.push({ kind: "commit", worker, epoch });
  }
}

/** The object store has the epoch. */
export function recorded(draft: RunDraft, epoch: number): void {
  if (draft.run.retry?.epoch === epoch) change(draft, { retry: undefined });
  feed(draft, { kind: "epoch-recorded", epoch });
}

/** The object store does not have the epoch: its reports are kept and it is tried again. */
export function recordFailed(draft: RunDraft, epoch: number, error: ErrorRecord): void {
  const { run } = draft;
  const open = run.coordinator.open.find((candidate) => candidate.epoch === epoch);
  if (open?.phase !== "completing" || run.coordinator.phase === "closing") return;
  if (error.retry === "never") return fail(draft, { kind: "failed", error });
  const attempts = (run.retry?.epoch === epoch ? run.retry.attempts : 0) + 1;
  const { backoffMs, maxBackoffMs } = run.config.limits;
  const waitMs = Math.min(maxBackoffMs, backoffMs * 2 ** (attempts - 1));
  change(draft, { retry: { epoch, attempts, atMs: draft.nowMs + waitMs } });
  if (attempts > 1) return;
  const message = `epoch ${epoch} could not be recorded and is tried again: ${error.message}`;
  const entry = { kind: "checkpoint-delayed", level: "warn", message, fence: run.config.run.fence, error, details: { epoch } } as const;
  draft.effects.push({ kind: "record", entry });
}

/** What is due: a repeated completion, the next checkpoint, the end of patience. */
export function epochsDue(draft: RunDraft): void {
  const late = overdue(draft.run, draft.nowMs);
  if (late !== undefined) return fail(draft, { kind: "failed", error: lateError(draft.run, late) });
  const { retry, coordinator } = draft.run;
  if (retry?.atMs !== undefined && retry.atMs <= draft.nowMs) {
    const purpose = purposeOf(coordinator, retry.epoch);
    change(draft, { retry: { ...retry, atMs: undefined } });
    draft.effects.push({ kind: "complete", epoch: retry.epoch, final: purpose === "final", purpose });
  }
  if (canCheckpoint(draft.run) && draft.run.nextCheckpointAtMs <= draft.nowMs) checkpoint(draft);
}

/** Begins an epoch now if none is under way. */
export function checkpoint(draft: RunDraft): void {
  if (!canCheckpoint(draft.run)) return;
  change(draft, { nextCheckpointAtMs: draft.nowMs + draft.run.checkpointIntervalMs });
  feed(draft, { kind: "checkpoint-due" });
}

function canCheckpoint({ coordinator, config }: Run): boolean {
  return coordinator.phase === "running" && coordinator.open.length === 0 && !config.byRows;
}

function overdue(run: Run, nowMs: number): OpenEpoch | undefined {
  if (run.coordinator.phase === "closing") return undefined;
  const { checkpointMs } = run.config.limits;
  return run.coordinator.open.find(({ epoch }) => (run.beganAtMs.get(epoch) ?? nowMs) + checkpointMs <= nowMs);
}

/** When `epochsDue` has something to do; undefined: nothing is planned. */
export function epochsWakeAtMs(run: Run): number | undefined {
  if (run.coordinator.phase === "closing") return undefined;
  const times = [...run.beganAtMs.values()].map((ms) => ms + run.config.limits.checkpointMs);
  if (run.retry?.atMs !== undefined) times.push(run.retry.atMs);
  if (canCheckpoint(run)) times.push(run.nextCheckpointAtMs);
  return times.length === 0 ? undefined : Math.min(...times);
}

function lateError(run: Run, { epoch, phase, reports, commits }: OpenEpoch): ErrorRecord {
  const { parallelism, vertices } = run.config;
  const seconds = run.config.limits.checkpointMs / 1000;
  const waited = (): string => {
    if (phase === "completing") return "it could not be recorded in the object store";
    if (phase === "committing") return `the sinks of ${listed("subtask", unmarked(commits, parallelism))} have not published it`;
    const missing = unmarked(reports, vertices * parallelism);
    const vertex = Math.floor((missing[0] ?? 0) / parallelism);
    const subtasks = missing.filter((index) => Math.floor(index / parallelism) === vertex).map((index) => index % parallelism);
    return `vertex ${vertex} has not reported it in ${listed("subtask", subtasks)}`;
  };
  return outsideError("timeout", `epoch ${epoch} was not complete after ${seconds} s: ${waited()}`, {
    hint: "The job starts again from its last complete checkpoint. If state is large, allow checkpoints more time: checkpoint.timeout.",
  });
}

const LISTED = 8;

function listed(noun: string, numbers: readonly number[]): string {
  const shown = numbers.slice(0, LISTED).join(", ");
  const more = numbers.length > LISTED ? ` and ${numbers.length - LISTED} more` : "";
  return `${noun}${numbers.length === 1 ? "" : "s"} ${shown}${more}`;
}
