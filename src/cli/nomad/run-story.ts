/** What Nomad's lists say of a run, as lines in the order in which things happened, and how the run is now. Pure. */
import { type NomadAllocation, type NomadEvaluation, nomadTimeMs } from "../../scheduler/nomad/answers.ts";
import { placementReason } from "../../scheduler/nomad/reasons.ts";
import { WORKER_NAME } from "../../scheduler/nomad/spec.ts";
import { toldOfEvaluation, toldOfTask } from "../../scheduler/nomad/told.ts";
import { exitOf, phaseOf } from "../../scheduler/nomad/worker-view.ts";
import type { FoundRun } from "./find-run.ts";

/** Something that happened. */
export interface StoryLine {
  /** Unique within the run: a line is told once. */
  readonly key: string;
  /** Wall time by Nomad's clock, milliseconds. */
  readonly atMs: number;
  readonly about: "job" | "evaluation" | "allocation" | "task";
  readonly level: "error" | "warn" | "info";
  /** Allocation id; undefined: the run as a whole. */
  readonly worker: string | undefined;
  readonly node: string | undefined;
  readonly message: string;
}

/** How a run is. */
export type RunState =
  | { readonly kind: "placing"; readonly missing: number; readonly reason: string }
  | { readonly kind: "starting" }
  | { readonly kind: "running" }
  | { readonly kind: "failed"; readonly reason: string }
  | { readonly kind: "ended" };

/** What is known of a run. */
export interface RunFacts {
  readonly run: FoundRun;
  readonly evaluations: readonly NomadEvaluation[];
  readonly allocations: readonly NomadAllocation[];
}

/** All that happened, oldest first. */
export function storyOf({ run, evaluations, allocations }: RunFacts): readonly StoryLine[] {
  const submitted: StoryLine = {
    key: "submitted",
    atMs: nomadTimeMs(run.submittedNs),
    about: "job",
    level: "info",
    worker: undefined,
    node: undefined,
    message: `${run.id}: ${run.workers} ${run.workers === 1 ? "worker" : "workers"} wanted`,
  };
  const lines = [
    submitted,
    ...evaluations.flatMap((row) => evaluationLines(row, run)),
    ...allocations.flatMap((row) => allocationLines(row, run)),
  ];
  return lines.toSorted((a, b) => a.atMs - b.atMs);
}

function evaluationLines(row: NomadEvaluation, { key, workers }: FoundRun): StoryLine[] {
  return toldOfEvaluation(row, key, workers).flatMap((told) =>
    told.kind === "told"
      ? [
          {
            key: `${row.ID}/${row.Status}`,
            atMs: told.atMs,
            about: "evaluation",
            level: told.level,
            worker: undefined,
            node: undefined,
            message: told.message,
          },
        ]
      : [],
  );
}

function allocationLines(row: NomadAllocation, { key }: FoundRun): StoryLine[] {
  const common = { worker: row.ID, node: row.NodeName };
  const placed: StoryLine = {
    ...common,
    key: `${row.ID}/placed`,
    atMs: nomadTimeMs(row.CreateTime),
    about: "allocation",
    level: "info",
    message: `placed on node ${row.NodeName}`,
  };
  const phase = phaseOf(row);
  const status: StoryLine[] =
    phase === "starting" || phase === "running"
      ? []
      : [
          {
            ...common,
            key: `${row.ID}/${phase}`,
            atMs: nomadTimeMs(row.ModifyTime),
            about: "allocation",
            level: levelOf(row),
            message: statusText(row),
          },
        ];
  const events = toldOfTask(row, key, 0).flatMap((told, i): StoryLine[] =>
    told.kind === "told"
      ? [
          {
            ...common,
            key: `${row.ID}/${i}/${told.atMs}`,
            atMs: told.atMs,
            about: "task",
            level: told.level,
            message: withoutNode(told.message),
          },
        ]
      : [],
  );
  return [placed, ...events, ...status];
}

/** The node has a column of its own. */
function withoutNode(message: string): string {
  return message.replace(/ \(node [^)]*\)$/, "");
}

function levelOf({ ClientStatus }: NomadAllocation): StoryLine["level"] {
  if (ClientStatus === "failed") return "error";
  return ClientStatus === "lost" || ClientStatus === "unknown" ? "warn" : "info";
}

function statusText(row: NomadAllocation): string {
  const phase = phaseOf(row);
  if (phase !== "exited") return phase === "lost" ? `node ${row.NodeName} is not heard of` : `is being stopped: ${row.DesiredDescription}`;
  const { code, signal, reason } = exitOf(row);
  return `ended${signal === undefined ? (code === undefined ? "" : ` with exit code ${code}`) : ` by ${signal}`}${reason === "" ? "" : `: ${reason}`}`;
}

/** How it is now. */
export function stateOf({ run, evaluations, allocations }: RunFacts): RunState {
  const phases = allocations.map((row) => ({ row, phase: phaseOf(row) }));
  const failed = phases.find(({ row }) => row.ClientStatus === "failed" || row.ClientStatus === "lost");
  if (failed !== undefined) return { kind: "failed", reason: `worker ${failed.row.ID.slice(0, 8)} ${statusText(failed.row)}` };
  const running = phases.filter(({ phase }) => phase === "running").length;
  if (running > 0 && running >= run.workers) return { kind: "running" };
  const ended = phases.filter(({ phase }) => phase === "exited").length;
  if (run.stopped || (ended > 0 && ended === allocations.length && ended >= run.workers)) return { kind: "ended" };
  const missing = run.workers - allocations.length;
  const newest = evaluations.filter((row) => row.Status === "complete" || row.Status === "blocked" || row.Status === "failed");
  const metric = newest.toSorted((a, b) => b.ModifyIndex - a.ModifyIndex).find((row) => row.FailedTGAllocs[WORKER_NAME])?.FailedTGAllocs[
    WORKER_NAME
  ];
  if (missing > 0 && metric !== undefined) return { kind: "placing", missing, reason: placementReason(missing, run.workers, metric) };
  return { kind: "starting" };
}
