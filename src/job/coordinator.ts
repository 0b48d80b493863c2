/**
 * Decides what a run does about epochs: when one begins, when it is complete, when its sinks may commit, and how a run ends. Pure: events in,
 * a new state and effects out; reports' contents, files and clocks are the caller's.
 *
 * An epoch is complete when every vertex of every subtask has reported it and all earlier epochs are published. Completion is an effect (the
 * manifest and the record have to be written); only its success lets the sinks commit.
 */
import { assert } from "../core/assert.ts";
import type { ErrorRecord } from "../core/errors.ts";
import { type Marks, mark, NO_MARKS } from "./marks.ts";

/** What does not change during a run. */
export interface CoordinatorConfig {
  /** Vertices of the program. */
  readonly vertices: number;
  readonly parallelism: number;
  /** The epoch the run was restored from; 0: a first start. */
  readonly restoredEpoch: number;
  /** Barriers are sent by the slots, by row count. */
  readonly byRows: boolean;
  /** The run stops once this epoch is complete. */
  readonly stopAfterCheckpoint: number | undefined;
}

/** How a run ended. */
export type RunOutcome = "finished" | "stopped" | "failed";

/** Why an epoch is taken. `final`: all sources have ended. */
export type EpochPurpose = "scheduled" | "stopping" | "final";

/** What happened. Doubles change nothing. */
export type CoordinatorEvent =
  | { readonly kind: "slot-ready"; readonly subtask: number }
  /** The checkpoint interval has passed. */
  | { readonly kind: "checkpoint-due" }
  /** A slot's sources have sent a barrier. */
  | { readonly kind: "epoch-started"; readonly epoch: number }
  /** One vertex of one subtask has stored its part. */
  | { readonly kind: "vertex-reported"; readonly epoch: number; readonly vertex: number; readonly subtask: number }
  /** All vertices of a slot have ended. */
  | { readonly kind: "slot-ended"; readonly subtask: number }
  /** The effect `complete` succeeded. */
  | { readonly kind: "epoch-recorded"; readonly epoch: number }
  /** A slot was told by another controller that `epoch`, and with it all before, counts. */
  | { readonly kind: "epoch-known-complete"; readonly epoch: number }
  /** A slot's sinks have published an epoch. */
  | { readonly kind: "slot-committed"; readonly epoch: number; readonly subtask: number }
  | { readonly kind: "slot-closed"; readonly subtask: number }
  /** Checkpoint, then stop. */
  | { readonly kind: "stop-requested" }
  /** Close without another checkpoint; what is not published yet stays staged. */
  | { readonly kind: "abandoned" }
  | { readonly kind: "failed"; readonly error: ErrorRecord };

/** What the caller has to do, in order. */
export type CoordinatorEffect =
  /** All slots are ready: let them run. */
  | { readonly kind: "run" }
  /** Tell all slots that `epoch` has begun; with `stop` their sources pause behind its barrier. */
  | { readonly kind: "trigger"; readonly epoch: number; readonly stop: boolean }
  /** Write the manifest and record that the epoch counts. `final`: all sources have ended. */
  | { readonly kind: "complete"; readonly epoch: number; readonly final: boolean }
  /** Let all sinks publish. */
  | { readonly kind: "commit"; readonly epoch: number }
  /** All sinks have published: older checkpoints may go. */
  | { readonly kind: "retain"; readonly epoch: number }
  | { readonly kind: "close"; readonly finished: boolean }
  | { readonly kind: "done"; readonly outcome: RunOutcome; readonly error: ErrorRecord | undefined };

/** An epoch that has begun and is not complete and committed yet. */
export interface OpenEpoch {
  readonly epoch: number;
  /** By vertex · parallelism + subtask. */
  readonly reports: Marks;
  /** By subtask. */
  readonly commits: Marks;
  readonly phase: "collecting" | "completing" | "committing";
}

/** See the file's comment. */
export interface CoordinatorState {
  readonly config: CoordinatorConfig;
  readonly phase: "starting" | "running" | "stopping" | "closing" | "done";
  /** Slots by subtask. */
  readonly ready: Marks;
  readonly ended: Marks;
  readonly closed: Marks;
  readonly stopWanted: boolean;
  /** Newest epoch that began. */
  readonly started: number;
  /** Newest complete epoch. */
  readonly complete: number;
  /** The run ends once this epoch is committed. */
  readonly lastEpoch: number | undefined;
  /** By epoch, ascending. */
  readonly open: readonly OpenEpoch[];
  readonly finished: boolean;
}

/** A step's result. */
export interface CoordinatorStep {
  readonly state: CoordinatorState;
  readonly effects: readonly CoordinatorEffect[];
}

/**
 * The state before any slot is ready. `recorded`: epochs that this run has completed under another controller, ascending and newer than the
 * restored one; their commits may be under way.
 */
export function startCoordinator(config: CoordinatorConfig, recorded: readonly number[] = []): CoordinatorState {
  const complete = recorded.at(-1) ?? config.restoredEpoch;
  return {
    config,
    phase: "starting",
    ready: NO_MARKS,
    ended: NO_MARKS,
    closed: NO_MARKS,
    stopWanted: false,
    started: complete,
    complete,
    lastEpoch: config.stopAfterCheckpoint,
    open: recorded.map((epoch) => ({ epoch, reports: NO_MARKS, commits: NO_MARKS, phase: "committing" })),
    finished: false,
  };
}

/** What an epoch that is or would be the newest is taken for. */
export function purposeOf(state: CoordinatorState, epoch: number): EpochPurpose {
  if (epoch !== state.lastEpoch) return "scheduled";
  return allEnded(state) ? "final" : "stopping";
}

/** What follows from `event`. Events that come too late (a report of a run that has failed) change nothing. */
export function stepCoordinator(state: CoordinatorState, event: CoordinatorEvent): CoordinatorStep {
  if (state.phase === "done") return { state, effects: [] };
  switch (event.kind) {
    case "slot-ready":
      return slotReady(state, event.subtask);
    case "checkpoint-due":
      return checkpointDue(state);
    case "epoch-started":
      return epochStarted(state, event.epoch);
    case "vertex-reported":
      return vertexReported(state, event);
    case "slot-ended":
      return stopIfEnded({ ...state, ended: mark(state.ended, event.subtask) });
    case "epoch-recorded":
      return epochRecorded(state, event.epoch);
    case "epoch-known-complete":
      return epochKnownComplete(state, event.epoch);
    case "slot-committed":
      return slotCommitted(state, event.epoch, event.subtask);
    case "slot-closed":
      return slotClosed({ ...state, closed: mark(state.closed, event.subtask) });
    case "stop-requested":
      return stopRequested({ ...state, stopWanted: true });
    case "abandoned":
      return closing({ ...state, finished: false });
    case "failed":
      return { state: { ...state, phase: "done" }, effects: [{ kind: "done", outcome: "failed", error: event.error }] };
  }
}

function slotReady(before: CoordinatorState, subtask: number): CoordinatorStep {
  const state = { ...before, ready: mark(before.ready, subtask) };
  if (state.phase !== "starting" || state.ready.count < state.config.parallelism) return { state, effects: [] };
  const running: CoordinatorState = { ...state, phase: "running" };
  const next = afterReady(running);
  return { state: next.state, effects: [{ kind: "run" }, ...next.effects] };
}

function afterReady(state: CoordinatorState): CoordinatorStep {
  const { stopAfterCheckpoint } = state.config;
  if (stopAfterCheckpoint !== undefined && stopAfterCheckpoint <= state.complete) return closing(state);
  return state.stopWanted ? stopRequested(state) : stopIfEnded(state);
}

function closing(state: CoordinatorState): CoordinatorStep {
  if (state.phase === "closing") return { state, effects: [] };
  return { state: { ...state, phase: "closing" }, effects: [{ kind: "close", finished: state.finished }] };
}

function checkpointDue(state: CoordinatorState): CoordinatorStep {
  const busy = state.open.length > 0 || state.phase !== "running" || state.config.byRows;
  if (busy || state.started === state.lastEpoch) return { state, effects: [] };
  return begin(state, false);
}

/** Begins the next epoch. */
function begin(state: CoordinatorState, stop: boolean): CoordinatorStep {
  const epoch = state.started + 1;
  return { state: opened(state, epoch), effects: [{ kind: "trigger", epoch, stop }] };
}

/** `state` with all epochs up to `epoch` begun. */
function opened(state: CoordinatorState, epoch: number): CoordinatorState {
  if (epoch <= state.started) return state;
  const open = [...state.open];
  for (let e = state.started + 1; e <= epoch; e++) open.push({ epoch: e, reports: NO_MARKS, commits: NO_MARKS, phase: "collecting" });
  return { ...state, open, started: epoch };
}

/** By row count a slot begins an epoch by itself; vertices that have ended learn of it from here, as do slots that another controller missed. */
function epochStarted(state: CoordinatorState, epoch: number): CoordinatorStep {
  if (epoch <= state.started || state.phase === "closing") return { state, effects: [] };
  return { state: opened(state, epoch), effects: [{ kind: "trigger", epoch, stop: false }] };
}

function allEnded(state: CoordinatorState): boolean {
  return state.ended.count === state.config.parallelism;
}

/** The last checkpoint, so that the sinks commit all that is left. */
function stopIfEnded(state: CoordinatorState): CoordinatorStep {
  return allEnded(state) ? stopRequested(state) : { state, effects: [] };
}

function stopRequested(state: CoordinatorState): CoordinatorStep {
  if (state.phase !== "running") return { state, effects: [] };
  const step = begin({ ...state, phase: "stopping" }, true);
  return { state: { ...step.state, lastEpoch: step.state.started }, effects: step.effects };
}

function update(state: CoordinatorState, epoch: number, change: (open: OpenEpoch) => OpenEpoch): CoordinatorState {
  return { ...state, open: state.open.map((open) => (open.epoch === epoch ? change(open) : open)) };
}

function vertexReported(state: CoordinatorState, at: { epoch: number; vertex: number; subtask: number }): CoordinatorStep {
  const { vertices, parallelism } = state.config;
  assert(at.vertex < vertices && at.subtask < parallelism, `vertex ${at.vertex} of subtask ${at.subtask} is not part of the run`);
  if (state.phase === "closing") return { state, effects: [] };
  const index = at.vertex * parallelism + at.subtask;
  return advance(update(opened(state, at.epoch), at.epoch, (open) => ({ ...open, reports: mark(open.reports, index) })));
}

/**
 * Completes the oldest open epoch if all its reports are in. An epoch whose commits are under way holds the next one back: a restore makes the
 * commits of the newest complete epoch again, and no others.
 */
function advance(state: CoordinatorState): CoordinatorStep {
  const { vertices, parallelism } = state.config;
  const oldest = state.open[0];
  if (oldest === undefined || oldest.phase !== "collecting" || oldest.reports.count < vertices * parallelism) return { state, effects: [] };
  // A slot that has ended before this epoch began reported its end state: nothing can follow it.
  const final = allEnded(state) && oldest.epoch === state.lastEpoch;
  const next = update(state, oldest.epoch, (open) => ({ ...open, phase: "completing" }));
  return { state: { ...next, finished: final }, effects: [{ kind: "complete", epoch: oldest.epoch, final }] };
}

function epochRecorded(state: CoordinatorState, epoch: number): CoordinatorStep {
  const open = state.open.find((candidate) => candidate.epoch === epoch);
  if (open?.phase !== "completing" || state.phase === "closing") return { state, effects: [] };
  const recorded = update({ ...state, complete: epoch }, epoch, (at) => ({ ...at, phase: "committing" }));
  return { state: recorded, effects: [{ kind: "commit", epoch }] };
}

/** Its reports are not repeated any more: what the former controller has recorded is taken as it is. */
function epochKnownComplete(before: CoordinatorState, epoch: number): CoordinatorStep {
  if (epoch <= before.complete || before.phase === "closing") return { state: before, effects: [] };
  const state = opened(before, epoch);
  const known = state.open.filter((open) => open.epoch <= epoch && open.phase !== "committing").map((open) => open.epoch);
  const open = state.open.map((at): OpenEpoch => (at.epoch <= epoch ? { ...at, phase: "committing" } : at));
  return { state: { ...state, open, complete: epoch }, effects: known.map((e): CoordinatorEffect => ({ kind: "commit", epoch: e })) };
}

function slotCommitted(before: CoordinatorState, epoch: number, subtask: number): CoordinatorStep {
  const { parallelism } = before.config;
  const state = update(before, epoch, (open) => (open.phase === "committing" ? { ...open, commits: mark(open.commits, subtask) } : open));
  const open = state.open.find((candidate) => candidate.epoch === epoch);
  if (open === undefined || open.commits.count < parallelism) return { state, effects: [] };
  const rest = { ...state, open: state.open.filter((candidate) => candidate.epoch !== epoch) };
  // Only epochs that another controller recorded can be published in another order.
  const oldest = rest.open[0]?.epoch ?? rest.complete + 1;
  if (oldest <= epoch) return { state: rest, effects: [] };
  const retain: CoordinatorEffect = { kind: "retain", epoch: oldest - 1 };
  const next = rest.lastEpoch === undefined || oldest <= rest.lastEpoch ? advance(rest) : closing(rest);
  return { state: next.state, effects: [retain, ...next.effects] };
}

function slotClosed(state: CoordinatorState): CoordinatorStep {
  if (state.phase !== "closing" || state.closed.count < state.config.parallelism) return { state, effects: [] };
  const outcome = state.finished ? "finished" : "stopped";
  return { state: { ...state, phase: "done" }, effects: [{ kind: "done", outcome, error: undefined }] };
}
