/**
 * Decides what a run does about epochs: when one begins, when it is complete, when its sinks may commit, and how a run ends. Pure: events in,
 * a new state and effects out; reports' contents, files and clocks are the caller's.
 *
 * An epoch is complete when every vertex of every subtask has reported it and all earlier epochs are complete. Completion is an effect (the
 * manifest and the record have to be written); only its success lets the sinks commit.
 */
import { assert } from "../core/assert.ts";
import type { ErrorRecord } from "../core/errors.ts";

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

/** What happened. */
export type CoordinatorEvent =
  | { readonly kind: "slot-ready"; readonly subtask: number }
  /** The checkpoint interval has passed. */
  | { readonly kind: "checkpoint-due" }
  /** A slot's sources have sent a barrier. */
  | { readonly kind: "epoch-started"; readonly epoch: number }
  /** One vertex of one subtask has stored its part. */
  | { readonly kind: "vertex-reported"; readonly epoch: number }
  /** All vertices of a slot have ended. */
  | { readonly kind: "slot-ended"; readonly subtask: number }
  /** The effect `complete` succeeded. */
  | { readonly kind: "epoch-recorded"; readonly epoch: number }
  /** A slot's sinks have published an epoch. */
  | { readonly kind: "slot-committed"; readonly epoch: number }
  | { readonly kind: "slot-closed"; readonly subtask: number }
  /** Checkpoint, then stop. */
  | { readonly kind: "stop-requested" }
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
interface OpenEpoch {
  readonly epoch: number;
  readonly reports: number;
  readonly commits: number;
  readonly phase: "collecting" | "completing" | "committing";
}

/** See the file's comment. */
export interface CoordinatorState {
  readonly config: CoordinatorConfig;
  readonly phase: "starting" | "running" | "stopping" | "closing" | "done";
  readonly ready: number;
  readonly ended: number;
  readonly closed: number;
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

/** The state before any slot is ready. */
export function startCoordinator(config: CoordinatorConfig): CoordinatorState {
  const { restoredEpoch, stopAfterCheckpoint } = config;
  return {
    config,
    phase: "starting",
    ready: 0,
    ended: 0,
    closed: 0,
    stopWanted: false,
    started: restoredEpoch,
    complete: restoredEpoch,
    lastEpoch: stopAfterCheckpoint,
    open: [],
    finished: false,
  };
}

/** What follows from `event`. Events that come too late (a report of a run that has failed) change nothing. */
export function stepCoordinator(state: CoordinatorState, event: CoordinatorEvent): CoordinatorStep {
  if (state.phase === "done") return { state, effects: [] };
  switch (event.kind) {
    case "slot-ready":
      return slotReady(state);
    case "checkpoint-due":
      return checkpointDue(state);
    case "epoch-started":
      return epochStarted(state, event.epoch);
    case "vertex-reported":
      return advance(update(state, event.epoch, (open) => ({ ...open, reports: open.reports + 1 })));
    case "slot-ended":
      return slotEnded({ ...state, ended: state.ended + 1 });
    case "epoch-recorded":
      return epochRecorded(state, event.epoch);
    case "slot-committed":
      return slotCommitted(
        update(state, event.epoch, (open) => ({ ...open, commits: open.commits + 1 })),
        event.epoch,
      );
    case "slot-closed":
      return slotClosed({ ...state, closed: state.closed + 1 });
    case "stop-requested":
      return stopRequested({ ...state, stopWanted: true });
    case "failed":
      return { state: { ...state, phase: "done" }, effects: [{ kind: "done", outcome: "failed", error: event.error }] };
  }
}

function slotReady(state: CoordinatorState): CoordinatorStep {
  const ready = state.ready + 1;
  if (ready < state.config.parallelism) return { state: { ...state, ready }, effects: [] };
  const running: CoordinatorState = { ...state, ready, phase: "running" };
  const { stopAfterCheckpoint, restoredEpoch } = state.config;
  const nothingToDo = stopAfterCheckpoint !== undefined && stopAfterCheckpoint <= restoredEpoch;
  if (nothingToDo) return { state: { ...running, phase: "closing" }, effects: [{ kind: "run" }, { kind: "close", finished: false }] };
  const next = running.stopWanted ? stopRequested(running) : { state: running, effects: [] };
  return { state: next.state, effects: [{ kind: "run" }, ...next.effects] };
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
  const open = [...state.open];
  for (let e = state.started + 1; e <= epoch; e++) open.push({ epoch: e, reports: 0, commits: 0, phase: "collecting" });
  return { ...state, open, started: Math.max(state.started, epoch) };
}

/** By row count a slot begins an epoch by itself; vertices that have ended learn of it from here. */
function epochStarted(state: CoordinatorState, epoch: number): CoordinatorStep {
  if (epoch <= state.started) return { state, effects: [] };
  return { state: opened(state, epoch), effects: [{ kind: "trigger", epoch, stop: false }] };
}

/** The last checkpoint, so that the sinks commit all that is left. */
function slotEnded(state: CoordinatorState): CoordinatorStep {
  if (state.ended < state.config.parallelism || state.phase !== "running") return { state, effects: [] };
  const step = begin({ ...state, phase: "stopping" }, true);
  return { state: { ...step.state, lastEpoch: step.state.started }, effects: step.effects };
}

function stopRequested(state: CoordinatorState): CoordinatorStep {
  if (state.phase !== "running") return { state, effects: [] };
  const step = begin({ ...state, phase: "stopping" }, true);
  return { state: { ...step.state, lastEpoch: step.state.started }, effects: step.effects };
}

function update(state: CoordinatorState, epoch: number, change: (open: OpenEpoch) => OpenEpoch): CoordinatorState {
  const known = opened(state, epoch);
  return { ...known, open: known.open.map((open) => (open.epoch === epoch ? change(open) : open)) };
}

/** Completes the oldest open epoch if all its reports are in. */
function advance(state: CoordinatorState): CoordinatorStep {
  const { vertices, parallelism } = state.config;
  const oldest = state.open.find((open) => open.phase !== "committing");
  if (oldest === undefined || oldest.phase !== "collecting" || oldest.reports < vertices * parallelism) return { state, effects: [] };
  assert(oldest.reports === vertices * parallelism, `epoch ${oldest.epoch} has ${oldest.reports} reports of ${vertices * parallelism}`);
  // A slot that has ended before this epoch began reported its end state: nothing can follow it.
  const final = state.ended === parallelism && oldest.epoch === state.lastEpoch;
  const next = update(state, oldest.epoch, (open) => ({ ...open, phase: "completing" }));
  return { state: { ...next, finished: final }, effects: [{ kind: "complete", epoch: oldest.epoch, final }] };
}

function epochRecorded(state: CoordinatorState, epoch: number): CoordinatorStep {
  const recorded = update({ ...state, complete: epoch }, epoch, (open) => ({ ...open, phase: "committing" }));
  const next = advance(recorded);
  return { state: next.state, effects: [{ kind: "commit", epoch }, ...next.effects] };
}

function slotCommitted(state: CoordinatorState, epoch: number): CoordinatorStep {
  const open = state.open.find((candidate) => candidate.epoch === epoch);
  if (open === undefined || open.commits < state.config.parallelism) return { state, effects: [] };
  const rest = { ...state, open: state.open.filter((candidate) => candidate.epoch !== epoch) };
  const retain: CoordinatorEffect = { kind: "retain", epoch };
  if (epoch !== state.lastEpoch) return { state: rest, effects: [retain] };
  return { state: { ...rest, phase: "closing" }, effects: [retain, { kind: "close", finished: state.finished }] };
}

function slotClosed(state: CoordinatorState): CoordinatorStep {
  if (state.closed < state.config.parallelism) return { state, effects: [] };
  const outcome = state.finished ? "finished" : "stopped";
  return { state: { ...state, phase: "done" }, effects: [{ kind: "done", outcome, error: undefined }] };
}
