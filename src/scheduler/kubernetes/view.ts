/** What people are shown of Kubernetes: nodes, runs, workers and Wadi's own Deployments, in the contract's words. Pure. */
import type { WorkerView } from "../scheduler.ts";
import type { NodeView, RunView, ServiceView } from "../view.ts";
import { type NodeUse, useOf } from "./capacity.ts";
import { drainOf } from "./drain.ts";
import { runOf } from "./labels.ts";
import type { DeploymentSeen, JobSeen, NodeSeen, PodSeen } from "./objects.ts";
import { describePlacement } from "./placement-words.ts";
import { isFinished, isLost } from "./workers.ts";

/** A node; `pods`: those on it that are known, ours at least. */
export function viewNode(node: NodeSeen, pods: readonly PodSeen[], drainTaints: readonly string[], countsAll: boolean): NodeView {
  const { labels } = node.metadata;
  const use: NodeUse = useOf(node, pods);
  const { kubeletVersion, architecture, operatingSystem, osImage, containerRuntimeVersion } = node.status.nodeInfo;
  const facts = { architecture, system: osImage === "" ? operatingSystem : osImage, runtime: containerRuntimeVersion };
  const instance = labels["node.kubernetes.io/instance-type"];
  const shown = { ...facts, ...(instance === undefined ? {} : { instance }), ...(countsAll ? {} : { counted: "pods of Wadi only" }) };
  return {
    id: node.metadata.name,
    name: node.metadata.name,
    address: node.status.addresses.find(({ type }) => type === "InternalIP")?.address ?? "",
    pool: POOL_LABELS.map((label) => labels[label]).find((pool) => pool !== undefined) ?? "",
    zone: labels["topology.kubernetes.io/zone"] ?? "",
    state: stateOf(node, drainTaints),
    drainDeadlineMs: undefined,
    cpu: use.cpuMillis,
    memory: use.memoryBytes,
    slots: undefined,
    release: kubeletVersion,
    attributes: Object.fromEntries(Object.entries(shown).filter(([, value]) => value !== "")),
    link: undefined,
  };
}

/** How the clouds name groups of nodes. */
const POOL_LABELS = [
  "karpenter.sh/nodepool",
  "eks.amazonaws.com/nodegroup",
  "cloud.google.com/gke-nodepool",
  "agentpool",
  "node-pool",
] as const;

function stateOf(node: NodeSeen, drainTaints: readonly string[]): NodeView["state"] {
  if (isLost(node)) return "lost";
  if (drainOf(node, drainTaints) !== undefined)
    return node.spec.taints.some(({ effect }) => effect === "NoExecute") ? "draining" : "ineligible";
  const ready = node.status.conditions.find(({ type }) => type === "Ready");
  return ready === undefined || ready.status === "True" ? "ready" : "ineligible";
}

/** A run, of its Job and its pods; undefined: the Job is not one of ours. */
export function viewRun(job: JobSeen, pods: readonly PodSeen[], createTrouble: string): RunView | undefined {
  const run = runOf(job.metadata.labels);
  if (run === undefined) return undefined;
  const { missing, reason } = describePlacement(job, pods, createTrouble);
  return {
    ...run,
    name: job.metadata.name,
    workers: job.spec.parallelism,
    missing,
    reason: missing > 0 && reason === "" ? "waits for Kubernetes" : reason,
    waitingSinceMs: missing === 0 ? undefined : waitingSince(job, pods),
    status: statusOf(job),
    submittedAtMs: job.metadata.creationTimestamp,
    link: undefined,
  };
}

function waitingSince(job: JobSeen, pods: readonly PodSeen[]): number | undefined {
  const refused = pods.flatMap(({ status }) =>
    status.conditions.filter(({ type, status: value }) => type === "PodScheduled" && value === "False"),
  );
  const times = refused.flatMap(({ lastTransitionTime }) => lastTransitionTime ?? []);
  return times.length === 0 ? job.metadata.creationTimestamp : Math.min(...times);
}

function statusOf(job: JobSeen): string {
  if (job.metadata.deletionTimestamp !== undefined) return "Terminating";
  const end = job.status.conditions.find(({ type, status }) => (type === "Complete" || type === "Failed") && status === "True");
  if (end !== undefined) return end.reason === "" ? end.type : `${end.type} (${end.reason})`;
  return isFinished(job) ? "Complete" : job.status.active > 0 ? "Running" : "Pending";
}

/** One of Wadi's Deployments. */
export function viewService(deployment: DeploymentSeen): ServiceView {
  const { metadata, spec, status } = deployment;
  const progressing = status.conditions.find(({ type }) => type === "Progressing");
  const failing = status.conditions.filter(
    ({ type, status: value }) => (type === "Available" && value === "False") || (type === "ReplicaFailure" && value === "True"),
  );
  return {
    name: metadata.name,
    status: status.availableReplicas >= spec.replicas ? "available" : "degraded",
    wanted: spec.replicas,
    healthy: status.availableReplicas,
    version: spec.template.spec.containers[0]?.image ?? "",
    deployment: progressing === undefined ? "" : `${progressing.reason}: ${status.updatedReplicas} of ${spec.replicas} updated`,
    addresses: [],
    failing: failing.map(({ message, reason }) => (message === "" ? reason : message)),
    link: undefined,
  };
}

/** Workers in a steady order: by run, then by name. */
export function sortWorkers(workers: readonly WorkerView[]): WorkerView[] {
  const key = ({ job, fence, handle }: WorkerView): string => `${job} ${String(fence).padStart(20, "0")} ${handle}`;
  return [...workers].sort((a, b) => (key(a) < key(b) ? -1 : 1));
}
