/** Pods as the contract's workers. Pure. */
import { workerIdOf } from "../../core/ids.ts";
import type { RunKey, WorkerView } from "../scheduler.ts";
import { ANNOTATION, INDEX_ANNOTATION, runOf } from "./labels.ts";
import type { JobSeen, NodeSeen, PodSeen } from "./objects.ts";
import { exitOf, hasEnded, isRunning, stuckReason, unplacedReason } from "./reasons.ts";

/** Whether the machine is not heard of: what runs there may go on, and nobody knows. */
export function isLost(node: NodeSeen | undefined): boolean {
  return node?.status.conditions.find(({ type }) => type === "Ready")?.status === "Unknown";
}

/** The worker of `pod`; undefined: not one of ours. `node`: its machine, where nodes are watched. */
export function workerOf(pod: PodSeen, node: NodeSeen | undefined): WorkerView | undefined {
  const run = runOf(pod.metadata.labels);
  if (run === undefined) return undefined;
  const base = {
    ...run,
    handle: pod.metadata.name,
    worker: workerIdOf(pod.metadata.name),
    slots: slotsOf(pod.metadata.annotations),
    node: pod.spec.nodeName,
    link: undefined,
  };
  if (hasEnded(pod)) {
    const exit = exitOf(pod);
    return { ...base, phase: "exited", exit, note: exit.reason };
  }
  const [phase, note] = phaseOf(pod, node);
  return { ...base, phase, exit: undefined, note };
}

function phaseOf(pod: PodSeen, node: NodeSeen | undefined): [phase: Exclude<WorkerView["phase"], "exited">, note: string] {
  if (isLost(node) || pod.status.phase === "Unknown") return ["lost", `node ${pod.spec.nodeName} is not heard of`];
  if (pod.metadata.deletionTimestamp !== undefined) return ["stopping", "its pod is being deleted"];
  if (pod.spec.nodeName === undefined) return ["placing", unplacedReason(pod) ?? "waits for a node"];
  if (isRunning(pod)) return ["running", ""];
  const waiting = pod.status.containerStatuses.find(({ name }) => name === "worker")?.state.waiting?.reason ?? "";
  return ["starting", stuckReason(pod) ?? (waiting === "" ? "its node prepares it" : `its node prepares it: ${waiting}`)];
}

/** A worker whose pod is gone from Kubernetes: as it was last seen, ended. */
export function goneWorker(pod: PodSeen): WorkerView | undefined {
  const worker = workerOf(pod, undefined);
  if (worker === undefined || worker.exit !== undefined) return worker;
  const exit = { ...exitOf(pod), reason: "its pod was deleted" };
  return { ...worker, phase: "exited", exit, note: exit.reason };
}

/** Workers of a Job that have no pod yet: they were accepted, and the Job controller makes them. */
export function promisedWorkers(job: JobSeen, pods: readonly PodSeen[]): WorkerView[] {
  const run = runOf(job.metadata.labels);
  if (run === undefined || isFinished(job) || job.metadata.deletionTimestamp !== undefined) return [];
  const seen = new Set(pods.filter((pod) => isOf(run, pod)).map((pod) => pod.metadata.annotations[INDEX_ANNOTATION]));
  // An index that has ended is not made again, also after its pod was deleted.
  const ended = Math.max(0, job.status.succeeded + job.status.failed - [...pods].filter((pod) => isOf(run, pod) && hasEnded(pod)).length);
  const missing = Array.from({ length: job.spec.parallelism }, (_, index) => String(index)).filter((index) => !seen.has(index));
  return missing.slice(ended).map((index) => ({
    ...run,
    handle: `${job.metadata.name}-${index}`,
    worker: undefined,
    phase: "placing",
    slots: slotsOf(job.metadata.annotations),
    node: undefined,
    exit: undefined,
    note: "has no pod yet",
    link: undefined,
  }));
}

/** Whether the Job has completed or failed. */
export function isFinished(job: JobSeen): boolean {
  return job.status.conditions.some(({ type, status }) => (type === "Complete" || type === "Failed") && status === "True");
}

/** Whether `pod` is a worker of `run`. */
export function isOf(run: RunKey, pod: PodSeen): boolean {
  const own = runOf(pod.metadata.labels);
  return own !== undefined && own.job === run.job && own.fence === run.fence;
}

function slotsOf(annotations: Readonly<Record<string, string>>): number {
  return Number(annotations[ANNOTATION.slots] ?? 1);
}
