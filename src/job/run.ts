/**
 * The machine of one run, one generation of workers: who has registered, who runs what, who is alive, which epochs are under way, how it ends.
 * Pure. What is decided about epochs is in `coordinator.ts`; a new leader builds the machine anew and goes on.
 *
 * An epoch that is not complete in time fails the run. It is not given up in favour of the next one: what sinks staged for it would have to
 * become part of the next, and a barrier that does not get through holds the next one back as well.
 */
import { startCoordinator } from "./coordinator.ts";
import type { RunCommand } from "./effect.ts";
import { absenceDue, closeDue, silenceDue, stop, workerExited, workerReached } from "./run-end.ts";
import { checkpoint, epochsDue, epochsWakeAtMs, recorded, recordFailed } from "./run-epochs.ts";
import type { Adoption, RunConfig, RunEvent } from "./run-event.ts";
import { change, patienceMs, type Run, type RunDraft, type RunStep, type RunWorker } from "./run-state.ts";
import { close, disconnected, heard, placementStored, renewalsDue } from "./run-workers.ts";

export type { Run, RunStep } from "./run-state.ts";

/** A run none of whose workers has registered. */
export function startRun(config: RunConfig, nowMs: number): RunStep {
  const { vertices, parallelism, restoredEpoch, byRows } = config;
  const run: Run = {
    config,
    phase: "registering",
    workers: new Map(),
    placement: undefined,
    absent: new Map(),
    coordinator: startCoordinator({ vertices, parallelism, restoredEpoch, byRows, stopAfterCheckpoint: undefined }),
    beganAtMs: new Map(),
    checkpointIntervalMs: config.checkpointIntervalMs,
    nextCheckpointAtMs: nowMs + config.checkpointIntervalMs,
    retry: undefined,
    begun: false,
    closeMode: undefined,
    closeDeadlineAtMs: undefined,
  };
  return { run, effects: [] };
}

/**
 * A run that another controller has led: its workers register again, repeat what was not acknowledged, and it goes on. If one does not come
 * back within the heartbeat's time, the run is lost.
 */
export function adoptRun(config: RunConfig, { placement, recorded: epochs }: Adoption, nowMs: number): RunStep {
  const { run } = startRun(config, nowMs);
  const absent: Omit<RunWorker, "slots"> = {
    data: undefined,
    connected: false,
    resumed: false,
    assigned: false,
    heardAtMs: nowMs,
    renewedAtMs: nowMs,
    over: false,
    leaving: false,
    unreachable: false,
  };
  const workers = new Map(placement.map(({ worker, count }) => [worker, { ...absent, slots: count }]));
  const coordinator = startCoordinator(run.coordinator.config, epochs);
  const beganAtMs = new Map(epochs.map((epoch) => [epoch, nowMs]));
  const begun = epochs.length > 0;
  return { run: { ...run, phase: "running", placement, workers, coordinator, beganAtMs, begun }, effects: [] };
}

/** What follows from `event` at `nowMs`. Effects are begun in their order; only `complete` and `retain` wait for one another. */
export function stepRun(run: Run, event: RunEvent, nowMs: number): RunStep {
  if (run.phase === "done") return { run, effects: [] };
  const draft: RunDraft = { run, effects: [], nowMs };
  const lateMs = nowMs - (runWakeAtMs(run) ?? nowMs);
  if (lateMs > run.config.limits.renewMs) forgive(draft, lateMs);
  follow(draft, event);
  return { run: draft.run, effects: draft.effects };
}

function follow(draft: RunDraft, event: RunEvent): void {
  switch (event.kind) {
    case "worker":
      return heard(draft, event.worker, event.message);
    case "disconnected":
      return disconnected(draft, event.worker);
    case "worker-exited":
      return workerExited(draft, event.worker, event.reason, event.outOfMemory);
    case "worker-unreachable":
      return workerReached(draft, event.worker, !event.unreachable);
    case "recorded":
      return recorded(draft, event.epoch);
    case "record-failed":
      return recordFailed(draft, event.epoch, event.error);
    case "command":
      return command(draft, event.command);
    case "tick":
      return tick(draft);
  }
}

function command(draft: RunDraft, told: RunCommand): void {
  switch (told.kind) {
    case "placement-stored":
      return placementStored(draft);
    case "stop":
      return stop(draft, told.mode);
    case "close":
      return close(draft);
    case "checkpoint":
      return checkpoint(draft);
    case "set-interval": {
      const { checkpointIntervalMs } = told;
      const begunAtMs = draft.run.nextCheckpointAtMs - draft.run.checkpointIntervalMs;
      return change(draft, { checkpointIntervalMs, nextCheckpointAtMs: begunAtMs + checkpointIntervalMs });
    }
  }
}

function tick(draft: RunDraft): void {
  for (const due of [silenceDue, absenceDue, closeDue, epochsDue, renewalsDue]) {
    if (draft.run.phase === "done") return;
    due(draft);
  }
}

/**
 * This controller did not run for `lateMs`: the machine slept, or was suspended. What workers said meanwhile may be still unread, so that time
 * counts for nobody, and whoever had to dial again has a moment to do so.
 */
function forgive(draft: RunDraft, lateMs: number): void {
  const { workers, absent, beganAtMs, closeDeadlineAtMs, config } = draft.run;
  const { heartbeatMs, renewMs } = config.limits;
  const leastHeardMs = draft.nowMs - Math.max(0, heartbeatMs - renewMs);
  const later = (ms: number): number => Math.min(draft.nowMs, ms + lateMs);
  change(draft, {
    workers: new Map([...workers].map(([id, worker]) => [id, { ...worker, heardAtMs: Math.max(leastHeardMs, later(worker.heardAtMs)) }])),
    absent: new Map([...absent].map(([id, ms]) => [id, later(ms)])),
    beganAtMs: new Map([...beganAtMs].map(([epoch, ms]) => [epoch, later(ms)])),
    closeDeadlineAtMs: closeDeadlineAtMs === undefined ? undefined : closeDeadlineAtMs + lateMs,
  });
}

/** When the machine wants a `tick` without anything else happening; undefined: never. */
export function runWakeAtMs(run: Run): number | undefined {
  if (run.phase === "done") return undefined;
  const { limits } = run.config;
  const { renewMs } = limits;
  const times = [run.closeDeadlineAtMs, epochsWakeAtMs(run)];
  for (const worker of run.workers.values()) {
    const { over, connected, heardAtMs, renewedAtMs } = worker;
    if (!over) times.push(heardAtMs + patienceMs(worker, limits));
    if (!over && connected) times.push(renewedAtMs + renewMs);
  }
  if (run.placement === undefined) for (const sinceMs of run.absent.values()) times.push(sinceMs + limits.unreachableMs);
  const known = times.filter((ms) => ms !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}
