/**
 * Whether pods would find room now, counted from nodes and what is asked of them already, as kube-scheduler does for resources, selectors, taints
 * and cordons. It knows nothing of affinities, volumes and what an autoscaler would add. Pure.
 */
import type { V1Job, V1Toleration } from "@kubernetes/client-node";
import type { NodeSeen, PodSeen, TaintSeen } from "./objects.ts";
import { readQuantity } from "./quantity.ts";
import { hasEnded } from "./reasons.ts";

/** What one pod needs of a node. */
export interface PodNeeds {
  readonly cpuMillis: number;
  readonly memoryBytes: number;
  readonly nodeSelector: Readonly<Record<string, string>>;
  readonly tolerations: readonly Pick<V1Toleration, "key" | "operator" | "value" | "effect">[];
}

/** Room for pods. */
export interface Room {
  /** How many would be placed, at most as many as were asked for. */
  readonly fits: number;
  /** Why not more, by node: "1 node is cordoned, 2 nodes have too little memory"; empty: all fit. */
  readonly reason: string;
}

/** What is used of a node. */
export interface NodeUse {
  readonly cpuMillis: { readonly total: number; readonly used: number };
  readonly memoryBytes: { readonly total: number; readonly used: number };
  readonly pods: { readonly total: number; readonly used: number };
}

/** What the pods of `job` need, its overlays included. */
export function needsOf(job: V1Job): PodNeeds {
  const pod = job.spec?.template.spec;
  const sum = (name: string): number =>
    (pod?.containers ?? []).reduce((all, { resources }) => all + (readQuantity(resources?.requests?.[name] ?? "0") ?? 0), 0);
  return {
    cpuMillis: sum("cpu") * 1000,
    memoryBytes: sum("memory"),
    nodeSelector: pod?.nodeSelector ?? {},
    tolerations: pod?.tolerations ?? [],
  };
}

/** Pods by the name of the node that they are on. */
export function podsByNode(pods: readonly PodSeen[]): ReadonlyMap<string, readonly PodSeen[]> {
  const byNode = new Map<string, PodSeen[]>();
  for (const pod of pods) {
    const { nodeName } = pod.spec;
    if (nodeName === undefined) continue;
    const here = byNode.get(nodeName);
    if (here === undefined) byNode.set(nodeName, [pod]);
    else here.push(pod);
  }
  return byNode;
}

/** What `pods`, those that are on it, ask of `node`. */
export function useOf(node: NodeSeen, pods: readonly PodSeen[]): NodeUse {
  const here = pods.filter((pod) => !hasEnded(pod));
  const asked = (name: string): number =>
    here.reduce(
      (all, pod) => all + pod.spec.containers.reduce((sum, c) => sum + (readQuantity(c.resources.requests[name] ?? "0") ?? 0), 0),
      0,
    );
  const allocatable = (name: string, absent: number): number => readQuantity(node.status.allocatable[name] ?? "") ?? absent;
  return {
    cpuMillis: { total: allocatable("cpu", 0) * 1000, used: asked("cpu") * 1000 },
    memoryBytes: { total: allocatable("memory", 0), used: asked("memory") },
    pods: { total: allocatable("pods", 110), used: here.length },
  };
}

/** How many of `wanted` pods would find room. */
export function roomFor(wanted: number, needs: PodNeeds, nodes: readonly NodeSeen[], pods: readonly PodSeen[]): Room {
  const reasons = new Map<string, number>();
  const onNode = podsByNode(pods);
  let fits = 0;
  for (const node of nodes) {
    const refused = refusalOf(node, needs);
    const free =
      refused === undefined ? freePlaces(useOf(node, onNode.get(node.metadata.name) ?? []), needs) : { places: 0, reason: refused };
    fits += free.places;
    if (fits < wanted) reasons.set(free.reason, (reasons.get(free.reason) ?? 0) + 1);
  }
  if (fits >= wanted) return { fits: wanted, reason: "" };
  const told = [...reasons]
    .sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1))
    .map(([reason, count]) => `${count} of ${nodes.length} nodes: ${reason}`);
  return { fits, reason: nodes.length === 0 ? "there are no nodes" : told.join("; ") };
}

function refusalOf({ metadata, spec, status }: NodeSeen, { nodeSelector, tolerations }: PodNeeds): string | undefined {
  const ready = status.conditions.find(({ type }) => type === "Ready");
  if (ready !== undefined && ready.status !== "True") return "not ready";
  if (spec.unschedulable) return "cordoned";
  const missing = Object.entries(nodeSelector).find(([name, value]) => metadata.labels[name] !== value);
  if (missing !== undefined) return `no label ${missing.join("=")}`;
  const taint = spec.taints.find((one) => one.effect !== "PreferNoSchedule" && !tolerations.some((toleration) => bears(toleration, one)));
  return taint === undefined ? undefined : `taint ${taint.key} is not tolerated`;
}

/** https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/ */
export function bears(
  { key = "", operator = "Equal", value = "", effect = "" }: PodNeeds["tolerations"][number],
  taint: Pick<TaintSeen, "key" | "value" | "effect">,
): boolean {
  if (effect !== "" && effect !== taint.effect) return false;
  if (key === "") return operator === "Exists";
  return key === taint.key && (operator === "Exists" || value === taint.value);
}

function freePlaces({ cpuMillis, memoryBytes, pods }: NodeUse, needs: PodNeeds): { places: number; reason: string } {
  const places = (have: { total: number; used: number }, need: number): number =>
    need === 0 ? Number.POSITIVE_INFINITY : Math.max(0, Math.floor((have.total - have.used) / need));
  const byCpu = places(cpuMillis, needs.cpuMillis);
  const byMemory = places(memoryBytes, needs.memoryBytes);
  const byPods = Math.max(0, pods.total - pods.used);
  const least = Math.min(byCpu, byMemory, byPods);
  return { places: least, reason: least === byMemory ? "memory exhausted" : least === byCpu ? "processors exhausted" : "too many pods" };
}
