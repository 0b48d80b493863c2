/**
 * What the machine of one run remembers, and the draft of a step: functions of the machine change the draft and add effects to it; outside of a
 * step everything is immutable.
 */
import type { ErrorCode, ErrorRecord } from "../core/errors.ts";
import type { WorkerId } from "../core/ids.ts";
import type { CoordinatorState, OpenEpoch } from "./coordinator.ts";
import type { RunReport } from "./event.ts";
import type { PlacedWorker } from "./job.ts";
import type { CloseMode, DataAddress, RunConfig, RunEffect } from "./run-event.ts";

/** A worker that registered, or that a former leader had placed. */
export interface RunWorker {
  readonly slots: number;
  /** Undefined: it has not registered with this controller. */
  readonly data: DataAddress | undefined;
  readonly connected: boolean;
  /** Whether it went on with what it was doing when it registered last. */
  readonly resumed: boolean;
  /** Whether it was sent its assignment since it registered last. */
  readonly assigned: boolean;
  readonly heardAtMs: number;
  readonly renewedAtMs: number;
  /** Its slots are closed or it is gone; nothing is expected of it. */
  readonly over: boolean;
  /** Has asked to leave its machine. */
  readonly leaving: boolean;
  /** The scheduler does not hear of its machine. */
  readonly unreachable: boolean;
}

/** How far a run is. `draining`: the last epoch is published and the job is told; `closing`: workers close; `done`: nothing follows. */
export type RunPhase = "registering" | "placing" | "running" | "draining" | "closing" | "done";

/** An epoch whose completion failed. */
export interface CompletionRetry {
  readonly epoch: number;
  /** Failures so far. */
  readonly attempts: number;
  /** Undefined: an attempt is under way. */
  readonly atMs: number | undefined;
}

/** A run as its machine sees it. Never stored: a new leader builds it anew with `adoptRun`. */
export interface Run {
  readonly config: RunConfig;
  readonly phase: RunPhase;
  readonly workers: ReadonlyMap<WorkerId, RunWorker>;
  readonly placement: readonly PlacedWorker[] | undefined;
  /** Workers that have not registered and whose machine the scheduler does not hear of, since when. */
  readonly absent: ReadonlyMap<WorkerId, number>;
  readonly coordinator: CoordinatorState;
  /** Begin of every open epoch, as this controller saw it. */
  readonly beganAtMs: ReadonlyMap<number, number>;
  readonly checkpointIntervalMs: number;
  readonly nextCheckpointAtMs: number;
  readonly retry: CompletionRetry | undefined;
  /** Whether slots were told to run, by this controller or a former one. */
  readonly begun: boolean;
  readonly closeMode: CloseMode | undefined;
  readonly closeDeadlineAtMs: number | undefined;
}

/** A step's result. */
export interface RunStep {
  readonly run: Run;
  readonly effects: readonly RunEffect[];
}

/** A step in the making. */
export interface RunDraft {
  run: Run;
  readonly effects: RunEffect[];
  readonly nowMs: number;
}

/** Changes fields of the run. */
export function change(draft: RunDraft, fields: Partial<Run>): void {
  draft.run = { ...draft.run, ...fields };
}

/** Changes fields of a worker that is known. */
export function changeWorker(draft: RunDraft, worker: WorkerId, fields: Partial<RunWorker>): void {
  const known = draft.run.workers.get(worker);
  if (known === undefined) return;
  change(draft, { workers: new Map(draft.run.workers).set(worker, { ...known, ...fields }) });
}

/** Tells the job. */
export function report(draft: RunDraft, told: RunReport): void {
  draft.effects.push({ kind: "report", report: told });
}

/** Whether the worker has subtasks, or may yet be given some. */
export function isNeeded(run: Run, worker: WorkerId): boolean {
  return run.placement === undefined || run.placement.some((placed) => placed.worker === worker);
}

/** How long the worker may be silent, milliseconds. */
export function patienceMs({ connected, unreachable }: RunWorker, { heartbeatMs, unreachableMs }: RunConfig["limits"]): number {
  if (!unreachable) return heartbeatMs;
  return Math.min(heartbeatMs, connected ? unreachableMs : unreachableMs / 2);
}

/** A worker that runs has carried out a commit by then. One that stood still may do it later: publishing twice is what restores do as well. */
const PUBLISH_MS = 5_000;

/** Whether the worker may publish something if nobody tells it anything any more: it was told to a moment ago, and has not said that it has. */
export function mayPublish(run: Run, worker: WorkerId, nowMs: number): boolean {
  // Nobody was told what to do yet.
  if (run.placement === undefined) return false;
  const known = run.workers.get(worker);
  if (known?.data === undefined) return true;
  if (nowMs - known.heardAtMs >= PUBLISH_MS) return false;
  const subtasks = subtasksOf(run, worker);
  const owed = ({ phase, commits }: OpenEpoch): boolean =>
    phase === "committing" && subtasks.some((subtask) => ((commits.bits >> BigInt(subtask)) & 1n) === 0n);
  return run.coordinator.open.some(owed);
}

/** The worker's subtasks, ascending; none if it is not placed. */
export function subtasksOf(run: Run, worker: WorkerId): readonly number[] {
  const placed = run.placement?.find((candidate) => candidate.worker === worker);
  return placed === undefined ? [] : Array.from({ length: placed.count }, (_, i) => placed.first + i);
}

/** Placed workers that can be spoken to and have not closed. */
export function connectedWorkers(run: Run): readonly WorkerId[] {
  return (run.placement ?? [])
    .map(({ worker }) => worker)
    .filter((worker) => {
      const known = run.workers.get(worker);
      return known?.connected === true && !known.over;
    });
}

/** Whether the run's work is done, so that workers may go. */
export function isEnding(run: Run): boolean {
  return run.phase === "draining" || run.phase === "closing" || run.phase === "done";
}

/** Ends the run at once: workers stop and publish nothing any more. */
export function fail(draft: RunDraft, told: RunReport & { readonly kind: "failed" | "lost" }): void {
  for (const [worker, { connected }] of draft.run.workers) {
    if (connected) draft.effects.push({ kind: "close", worker, mode: "force", deadlineMs: 0 });
  }
  change(draft, { phase: "done" });
  report(draft, told);
}

/** An error of something outside, to be told to the job. */
export function outsideError(
  code: ErrorCode,
  message: string,
  more: { readonly detail?: string; readonly hint?: string } = {},
): ErrorRecord {
  return { domain: "external", code, message, retry: "backoff", ...more };
}
