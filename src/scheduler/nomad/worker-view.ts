/** What an allocation means as a worker: its phase, how it ended, and what is to be said of it. Pure. */
import { workerIdOf } from "../../core/ids.ts";
import type { RunKey, WorkerExit, WorkerPhase, WorkerView } from "../scheduler.ts";
import type { NomadAllocation, NomadTaskEvent } from "./answers.ts";
import { WORKER_NAME } from "./spec.ts";

/** Signals by number: https://man7.org/linux/man-pages/man7/signal.7.html */
const SIGNALS: Readonly<Record<number, string>> = {
  1: "SIGHUP",
  2: "SIGINT",
  3: "SIGQUIT",
  6: "SIGABRT",
  7: "SIGBUS",
  9: "SIGKILL",
  11: "SIGSEGV",
  15: "SIGTERM",
};
/** Exit codes above it are of shells that saw a signal. */
const SIGNAL_BASE = 128;

/** Events that say why a task never ran or ended, by their types; the last one counts. */
const TELLING = /Failure|Failed|Killed|Killing|Not Restarting|Restarting|Sibling/;

/** What the run and Nomad's UI give a worker besides its allocation. */
export interface WorkerSetting {
  readonly key: RunKey;
  readonly slots: number;
  readonly link: string | undefined;
}

/** The worker that `allocation` is. */
export function workerView(allocation: NomadAllocation, { key, slots, link }: WorkerSetting): WorkerView {
  const phase = phaseOf(allocation);
  return {
    job: key.job,
    run: key.run,
    fence: key.fence,
    handle: allocation.ID,
    worker: workerIdOf(allocation.ID),
    phase,
    slots,
    node: allocation.NodeID === "" ? undefined : allocation.NodeID,
    exit: phase === "exited" ? exitOf(allocation) : undefined,
    note: noteOf(allocation, phase),
    link,
  };
}

/** A worker that Nomad was asked for and has not placed; its handle is the name its allocation will have. */
export function unplacedView(nomadJob: string, index: number, { key, slots, link }: WorkerSetting, note: string): WorkerView {
  const handle = `${nomadJob}.${WORKER_NAME}[${index}]`;
  return { ...key, handle, worker: undefined, phase: "placing", slots, node: undefined, exit: undefined, note, link };
}

/** Where it is. A `lost` or `unknown` allocation may still run on a machine that Nomad does not hear of. */
export function phaseOf({ ClientStatus, DesiredStatus }: NomadAllocation): WorkerPhase {
  switch (ClientStatus) {
    case "complete":
    case "failed":
      return "exited";
    case "lost":
    case "unknown":
      return "lost";
    default:
      if (DesiredStatus !== "run") return "stopping";
      return ClientStatus === "running" ? "running" : "starting";
  }
}

/** How it ended, of its task's events. */
export function exitOf(allocation: NomadAllocation): WorkerExit {
  const events = allocation.TaskStates[WORKER_NAME]?.Events ?? [];
  const ended = events.findLast(({ Type }) => Type === "Terminated");
  const why = events.findLast(({ Type }) => TELLING.test(Type) && Type !== "Not Restarting");
  if (ended === undefined) {
    const reason = why?.DisplayMessage || allocation.ClientDescription || allocation.DesiredDescription || "it ended before it started";
    return { code: undefined, signal: undefined, outOfMemory: false, reason: firstLine(reason) };
  }
  const outOfMemory = ended.Details["oom_killed"] === "true" || /OOM/i.test(ended.DisplayMessage);
  const code = integer(ended.Details["exit_code"]) ?? 0;
  const number = integer(ended.Details["signal"]) || (code > SIGNAL_BASE ? code - SIGNAL_BASE : 0);
  const signal = number === 0 ? undefined : (SIGNALS[number] ?? `signal ${number}`);
  return {
    code: signal === undefined ? code : undefined,
    signal,
    outOfMemory,
    reason: outOfMemory ? "OOM killed" : exitReason(allocation, ended, why),
  };
}

function exitReason(allocation: NomadAllocation, ended: NomadTaskEvent, why: NomadTaskEvent | undefined): string {
  if (allocation.PreemptedByAllocation !== "") return `preempted by allocation ${allocation.PreemptedByAllocation.slice(0, 8)}`;
  // Whoever deregisters the job of a worker that has ended by itself is not why it ended.
  const stopped = allocation.DesiredStatus === "run" || !wasKilled(allocation, ended) ? "" : allocation.DesiredDescription;
  const failure = why !== undefined && /Failure|Failed/.test(why.Type) ? why.DisplayMessage : "";
  return firstLine(failure || stopped || ended.DisplayMessage);
}

/** Whether it was Nomad that ended the task: it says so before it does. */
function wasKilled(allocation: NomadAllocation, ended: NomadTaskEvent): boolean {
  const events = allocation.TaskStates[WORKER_NAME]?.Events ?? [];
  return events.slice(0, events.lastIndexOf(ended)).some(({ Type }) => Type === "Killing");
}

/** Why it is where it is. */
function noteOf(allocation: NomadAllocation, phase: WorkerPhase): string {
  if (phase === "running") return "";
  const last = allocation.TaskStates[WORKER_NAME]?.Events.at(-1);
  if (phase === "lost") return `Nomad's client "${allocation.NodeName}" does not answer`;
  if (phase === "stopping" && allocation.DesiredDescription !== "") return allocation.DesiredDescription;
  return firstLine(last?.DisplayMessage ?? allocation.ClientDescription);
}

function firstLine(text: string): string {
  return text.split("\n")[0]?.trim() ?? "";
}

function integer(text: string | undefined): number | undefined {
  return text !== undefined && /^-?\d{1,9}$/.test(text) ? Number(text) : undefined;
}
