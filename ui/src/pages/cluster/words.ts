/**
 * What the page says of schedulers, machines, workers and events, in sentences.
 */
import type { SchedulerNode, TimelineEntry } from "../../api/types.ts";
import { formatClock, plural } from "../../format.ts";

/** What the scheduler is called in front of people. */
export function schedulerLabel(scheduler: string | undefined): string {
  const labels: Readonly<Record<string, string>> = {
    process: "this machine",
    embedded: "this process",
    node: "nodes",
    nomad: "Nomad",
    kubernetes: "Kubernetes",
  };
  return scheduler === undefined ? "scheduler" : (labels[scheduler] ?? scheduler);
}

/** The line as a sentence: it begins with a capital, and says what it is about where that is not clear by itself. */
export function sentence({ source, kind, message }: TimelineEntry): string {
  const about = source === "scheduler" && !message.toLowerCase().includes(kind.toLowerCase()) ? `${kind}: ` : "";
  const text = `${about}${message}`;
  // Names such as "wk_1" stay as they are.
  return /^[a-z]+[\s:]/.test(text) ? `${text.charAt(0).toUpperCase()}${text.slice(1)}` : text;
}

/** "node a drains until 14:05, 2 pipelines move after their checkpoint" */
export function drainText({ name, state, drain_deadline_at: deadline, tenants }: SchedulerNode): string {
  const pipelines = new Set(tenants.map(({ pipeline_id: id }) => id)).size;
  const many = plural(pipelines, "pipeline");
  if (state === "lost") return `Node ${name} is lost; ${pipelines === 0 ? "nothing ran there" : `${many} ran there`}`;
  if (state === "ineligible") return `Node ${name} gets nothing new; ${pipelines === 0 ? "nothing runs there" : `${many} there go on`}`;
  const until = deadline === null ? "" : ` until ${formatClock(deadline).slice(0, 5)}`;
  if (pipelines === 0) return `Node ${name} drains${until}; nothing runs there any more`;
  return `Node ${name} drains${until}, ${many} ${pipelines === 1 ? "moves after its" : "move after their"} checkpoint`;
}

/** How many workers of a run are how. */
export interface WorkerCounts {
  readonly workers: number;
  readonly placed: number;
  readonly running: number;
  readonly failed: number;
  readonly missing: number;
}

/** In words, for those who do not see the squares. */
export function describeWorkers({ workers, placed, running, failed, missing }: WorkerCounts): string {
  const parts = [`${running} of ${plural(workers, "worker")} running`];
  if (placed > running) parts.push(`${placed - running} starting`);
  if (missing > 0) parts.push(`${missing} not placed`);
  if (failed > 0) parts.push(`${failed} failed`);
  return parts.join(", ");
}
