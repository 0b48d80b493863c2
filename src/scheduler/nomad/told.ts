/** What Nomad says about a run, for its timeline: evaluations and the events of tasks, as one line each. Pure. */
import type { RunKey, SchedulerEvent } from "../scheduler.ts";
import { type NomadAllocation, type NomadEvaluation, nomadTimeMs } from "./answers.ts";
import { placementReason } from "./reasons.ts";
import { WORKER_NAME } from "./spec.ts";

type Told = Extract<SchedulerEvent, { kind: "told" }>;
type Level = Told["level"];

/** Events of the task that are newer than `after` (Nomad's nanoseconds). */
export function toldOfTask(row: NomadAllocation, run: RunKey, after: number): SchedulerEvent[] {
  const events = row.TaskStates[WORKER_NAME]?.Events ?? [];
  return events
    .filter(({ Time }) => Time > after)
    .map(({ Type, Time, DisplayMessage, Details }) => ({
      kind: "told",
      run,
      handle: row.ID,
      about: "task",
      level: levelOf(Type, Details),
      message: `${Type}: ${DisplayMessage.split("\n")[0] ?? ""} (node ${row.NodeName})`,
      atMs: nomadTimeMs(Time),
    }));
}

function levelOf(type: string, details: Readonly<Record<string, string>>): Level {
  if (/Failure|Failed/.test(type) || details["oom_killed"] === "true") return "error";
  if (type === "Terminated") return (details["exit_code"] ?? "0") === "0" ? "info" : "warn";
  return /Not Restarting|Killing|Sibling/.test(type) ? "warn" : "info";
}

/** An evaluation of a run with `workers` workers, if it says something: one that is under way does not. */
export function toldOfEvaluation(row: NomadEvaluation, run: RunKey, workers: number): SchedulerEvent[] {
  if (row.Status === "pending" || row.Status === "canceled") return [];
  const metric = row.FailedTGAllocs[WORKER_NAME];
  const missing = metric === undefined ? 0 : metric.CoalescedFailures + 1;
  const failed = row.Status === "failed";
  const outcome = failed
    ? `failed: ${row.StatusDescription}`
    : row.Status === "blocked"
      ? "waits for capacity"
      : metric === undefined
        ? "all placed"
        : placementReason(missing, Math.max(workers, missing), metric);
  const level: Level = failed ? "error" : metric === undefined ? "info" : "warn";
  const message = `evaluation ${row.ID.slice(0, 8)} (${row.TriggeredBy}): ${outcome}`;
  return [{ kind: "told", run, handle: undefined, about: "evaluation", level, message, atMs: nomadTimeMs(row.ModifyTime) }];
}
