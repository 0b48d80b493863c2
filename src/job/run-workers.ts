/**
 * Workers of a run: they register, are placed, get their assignment and say what they do. A worker that registers again brings what it knows;
 * what it missed is sent again, so that neither a broken stream nor a new leader costs the run anything.
 */
import type { WorkerId } from "../core/ids.ts";
import { beginClosing, workerFailed, workerOver } from "./run-end.ts";
import { feed, resend } from "./run-epochs.ts";
import type { Resumption, WorkerMessage } from "./run-event.ts";
import { change, changeWorker, fail, isEnding, isNeeded, outsideError, type Run, type RunDraft, report, subtasksOf } from "./run-state.ts";

type Registration = WorkerMessage & { readonly kind: "register" };

/** A worker speaks. */
export function heard(draft: RunDraft, worker: WorkerId, message: WorkerMessage): void {
  if (draft.run.phase === "done") return;
  if (message.kind === "register") return register(draft, worker, message);
  const known = draft.run.workers.get(worker);
  if (known === undefined || known.over) return;
  changeWorker(draft, worker, { heardAtMs: draft.nowMs, connected: true });
  obey(draft, worker, message);
}

function obey(draft: RunDraft, worker: WorkerId, message: Exclude<WorkerMessage, Registration>): void {
  switch (message.kind) {
    case "heartbeat":
      return;
    case "failed":
      return workerFailed(draft, worker, message.error);
    case "finished":
      return workerOver(draft, worker, outsideError("connection-lost", `worker ${worker} has ended although its run goes on`));
    case "leave":
      return leave(draft, worker, message.reason, message.deadlineMs);
    case "epoch-started":
      return feed(draft, { kind: "epoch-started", epoch: message.epoch });
    case "committed":
      if (owns(draft.run, worker, message.subtask)) feed(draft, { ...message, kind: "slot-committed" });
      return;
    default:
      if (owns(draft.run, worker, message.subtask)) feed(draft, message);
  }
}

function owns(run: Run, worker: WorkerId, subtask: number): boolean {
  const placed = run.placement?.find((candidate) => candidate.worker === worker);
  return placed !== undefined && subtask >= placed.first && subtask < placed.first + placed.count;
}

function leave(draft: RunDraft, worker: WorkerId, reason: string, deadlineMs: number | undefined): void {
  if (draft.run.workers.get(worker)?.leaving === true || isEnding(draft.run) || !isNeeded(draft.run, worker)) return;
  changeWorker(draft, worker, { leaving: true });
  report(draft, { kind: "leaving", reason, deadlineMs });
}

function register(draft: RunDraft, worker: WorkerId, { slots, data, resumption }: Registration): void {
  const { nowMs } = draft;
  const before = draft.run.workers.get(worker);
  const over = before?.over === true;
  const fields = { connected: true, resumed: resumption !== undefined, assigned: false, heardAtMs: nowMs, renewedAtMs: nowMs };
  change(draft, {
    workers: new Map(draft.run.workers).set(worker, { leaving: false, unreachable: false, over, ...before, slots, data, ...fields }),
  });
  if (!isNeeded(draft.run, worker) || over) return dismiss(draft, worker);
  if (draft.run.placement === undefined) return place(draft, worker, resumption);
  if (isEnding(draft.run)) return closeAgain(draft, worker, resumption);
  if (resumption === undefined) {
    if (hasBegun(draft.run, worker)) return startedAfresh(draft, worker);
  } else {
    resume(draft, worker, resumption);
  }
  if (draft.run.phase !== "done") assignAll(draft);
}

/** Subtasks are placed as soon as there are enough slots; who comes later is not needed. */
function place(draft: RunDraft, worker: WorkerId, resumption: Resumption | undefined): void {
  if (resumption !== undefined) return startedAfresh(draft, worker);
  const { config, workers } = draft.run;
  const offered = [...workers].map(([id, { slots }]) => ({ worker: id, slots }));
  const placement = config.place(config.parallelism, offered);
  if (placement === undefined) return;
  change(draft, { placement, phase: "placing" });
  for (const { worker: id } of offered) if (!isNeeded(draft.run, id)) dismiss(draft, id);
  report(draft, { kind: "placed", placement });
}

function dismiss(draft: RunDraft, worker: WorkerId): void {
  changeWorker(draft, worker, { over: true });
  draft.effects.push({ kind: "close", worker, mode: "immediate", deadlineMs: draft.run.config.limits.closeMs });
}

function closeAgain(draft: RunDraft, worker: WorkerId, resumption: Resumption | undefined): void {
  for (const subtask of resumption?.closedSubtasks ?? []) {
    if (owns(draft.run, worker, subtask)) feed(draft, { kind: "slot-closed", subtask });
  }
  const { phase, closeMode, config } = draft.run;
  if (phase === "closing" && closeMode !== undefined) {
    draft.effects.push({ kind: "close", worker, mode: closeMode, deadlineMs: config.limits.closeMs });
  }
}

/** A process that has lost its state cannot take part in a run whose other slots have gone on. */
function hasBegun(run: Run, worker: WorkerId): boolean {
  const { ready, complete } = run.coordinator;
  if (run.begun || complete > run.config.restoredEpoch) return true;
  return subtasksOf(run, worker).some((subtask) => ((ready.bits >> BigInt(subtask)) & 1n) === 1n);
}

function startedAfresh(draft: RunDraft, worker: WorkerId): void {
  fail(draft, { kind: "lost", error: outsideError("connection-lost", `worker ${worker} has started afresh and does not know its run`) });
}

/** Slots that were closed by another controller's word, whose job has wanted something else since. */
function closedEarly(draft: RunDraft, worker: WorkerId): void {
  fail(draft, { kind: "lost", error: outsideError("connection-lost", `slots of worker ${worker} are closed although the run goes on`) });
}

function resume(draft: RunDraft, worker: WorkerId, resumption: Resumption): void {
  const subtasks = subtasksOf(draft.run, worker);
  const own = (wanted: readonly number[]): readonly number[] => subtasks.filter((subtask) => wanted.includes(subtask));
  if ((resumption.closedSubtasks ?? []).length > 0) return closedEarly(draft, worker);
  if (resumption.running) change(draft, { begun: true });
  const fresh = [...draft.run.workers].find(([id, { data, resumed }]) => data !== undefined && !resumed && !isReady(draft.run, id));
  if (resumption.running && fresh !== undefined && isNeeded(draft.run, fresh[0])) return startedAfresh(draft, fresh[0]);
  feed(draft, { kind: "epoch-known-complete", epoch: resumption.completeEpoch });
  feed(draft, { kind: "epoch-started", epoch: resumption.startedEpoch });
  for (const { epoch } of draft.run.coordinator.open) {
    if (epoch > resumption.committedEpoch) break;
    for (const subtask of subtasks) feed(draft, { kind: "slot-committed", epoch, subtask });
  }
  for (const subtask of own(resumption.endedSubtasks)) feed(draft, { kind: "slot-ended", subtask });
  for (const subtask of own(resumption.readySubtasks)) feed(draft, { kind: "slot-ready", subtask });
  resend(draft, worker, subtasks, { started: resumption.startedEpoch, running: resumption.running });
}

function isReady(run: Run, worker: WorkerId): boolean {
  const { ready } = run.coordinator;
  return subtasksOf(run, worker).every((subtask) => ((ready.bits >> BigInt(subtask)) & 1n) === 1n);
}

/** The placement is stored: workers may hear of it. */
export function placementStored(draft: RunDraft): void {
  if (draft.run.phase !== "placing") return;
  change(draft, { phase: "running" });
  assignAll(draft);
}

/** Sends assignments that are owed, once all workers' addresses are known. */
function assignAll(draft: RunDraft): void {
  const { placement = [], phase, workers } = draft.run;
  if (phase !== "running") return;
  const peers = placement.flatMap(({ worker }) => {
    const data = workers.get(worker)?.data;
    return data === undefined ? [] : [{ worker, ...data }];
  });
  if (peers.length < placement.length) return;
  for (const [number, { worker }] of placement.entries()) {
    const known = workers.get(worker);
    if (known === undefined || known.assigned || !known.connected) continue;
    changeWorker(draft, worker, { assigned: true });
    draft.effects.push({ kind: "assign", worker, number, placement, peers });
  }
}

/** A stream broke. What was sent on it may be lost; the worker is told again when it is back. */
export function disconnected(draft: RunDraft, worker: WorkerId): void {
  changeWorker(draft, worker, { connected: false });
}

/** Leases that are due. */
export function renewalsDue(draft: RunDraft): void {
  const { workers, config, coordinator, phase } = draft.run;
  if (phase === "done") return;
  for (const [worker, { connected, over, renewedAtMs }] of workers) {
    if (!connected || over || renewedAtMs + config.limits.renewMs > draft.nowMs) continue;
    changeWorker(draft, worker, { renewedAtMs: draft.nowMs });
    draft.effects.push({ kind: "renew", worker, epoch: coordinator.complete });
  }
}

/** The job knows that the run is drained. */
export function close(draft: RunDraft): void {
  if (draft.run.phase === "draining") beginClosing(draft);
}
