/** kube-scheduler: finds a node for each pod, or says in its own words why there is none. */
import { readQuantity } from "../../../src/scheduler/kubernetes/quantity.ts";
import { recordEvent } from "./events.ts";
import { isTerminal, type NodeObject, type PodObject, setCondition } from "./objects.ts";
import type { ObjectStore } from "./store.ts";

interface Taint {
  readonly key: string;
  readonly value?: string;
  readonly effect: string;
}

export function tolerates(pod: PodObject, taint: Taint): boolean {
  return (pod.spec.tolerations ?? []).some(({ key = "", operator = "Equal", value = "", effect = "" }) => {
    if (effect !== "" && effect !== taint.effect) return false;
    if (key === "") return operator === "Exists";
    return key === taint.key && (operator === "Exists" || value === (taint.value ?? ""));
  });
}

export class KubeScheduler {
  readonly #store: ObjectStore;

  constructor(store: ObjectStore) {
    this.#store = store;
  }

  sync(): void {
    for (const pod of this.#store.list<PodObject>("pods")) {
      if (pod.spec.nodeName !== undefined || pod.metadata.deletionTimestamp !== undefined || isTerminal(pod)) continue;
      this.#schedule(pod);
    }
  }

  #schedule(pod: PodObject): void {
    const nodes = this.#store.list<NodeObject>("nodes");
    const reasons = new Map<string, number>();
    const fitting = nodes.filter((node) => {
      const why = this.#refusals(pod, node, nodes);
      for (const reason of why) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
      return why.length === 0;
    });
    const [best] = fitting.sort((a, b) => this.#load(pod, a) - this.#load(pod, b) || (a.metadata.name < b.metadata.name ? -1 : 1));
    if (best === undefined) return this.#refuse(pod, nodes.length, reasons);
    this.#store.change("pods", pod, ({ spec, status }) => {
      spec.nodeName = best.metadata.name;
      status.conditions = setCondition(status.conditions ?? [], { type: "PodScheduled", status: "True" });
    });
    const { namespace, name } = pod.metadata;
    recordEvent(
      this.#store,
      pod,
      "Normal",
      "Scheduled",
      `Successfully assigned ${namespace}/${name} to ${best.metadata.name}`,
      "default-scheduler",
    );
  }

  #refuse(pod: PodObject, count: number, reasons: ReadonlyMap<string, number>): void {
    const parts = [...reasons].map(([reason, nodes]) => `${nodes} ${reason}`).sort();
    const filtered = count === 0 ? "no nodes available to schedule pods" : `0/${count} nodes are available: ${parts.join(", ")}`;
    const message =
      count === 0
        ? filtered
        : `${filtered}. preemption: 0/${count} nodes are available: ${count} No preemption victims found for incoming pod.`;
    const before = pod.status.conditions?.find(({ type }) => type === "PodScheduled")?.message;
    if (before === message) return;
    this.#store.change("pods", pod, ({ status }) => {
      status.conditions = setCondition(status.conditions ?? [], {
        type: "PodScheduled",
        status: "False",
        reason: "Unschedulable",
        message,
      });
    });
    recordEvent(this.#store, pod, "Warning", "FailedScheduling", message, "default-scheduler");
  }

  #refusals(pod: PodObject, node: NodeObject, nodes: readonly NodeObject[]): string[] {
    const { labels = {} } = node.metadata;
    if (node.spec.unschedulable === true && !tolerates(pod, { key: "node.kubernetes.io/unschedulable", effect: "NoSchedule" }))
      return ["node(s) were unschedulable"];
    const selector = Object.entries(pod.spec.nodeSelector ?? {});
    if (selector.some(([name, value]) => labels[name] !== value)) return ["node(s) didn't match Pod's node affinity/selector"];
    const taint = (node.spec.taints ?? []).find((one) => one.effect !== "PreferNoSchedule" && !tolerates(pod, one));
    if (taint !== undefined) return [`node(s) had untolerated taint {${taint.key}: ${taint.value ?? ""}}`];
    const short = ["cpu", "memory"].filter((what) => asked(pod, what) > free(this.#store, node, what));
    if (podsOn(this.#store, node).length >= Number(node.status.allocatable["pods"])) return ["Too many pods"];
    if (short.length > 0) return short.map((what) => `Insufficient ${what}`);
    return this.#breaksSpread(pod, node, nodes) ? ["node(s) didn't match pod topology spread constraints"] : [];
  }

  #breaksSpread(pod: PodObject, node: NodeObject, nodes: readonly NodeObject[]): boolean {
    return (pod.spec.topologySpreadConstraints ?? []).some(({ whenUnsatisfiable, topologyKey, maxSkew, labelSelector }) => {
      if (whenUnsatisfiable !== "DoNotSchedule") return false;
      const domainOf = (one: NodeObject | undefined): string | undefined => one?.metadata.labels?.[topologyKey];
      const own = domainOf(node);
      if (own === undefined) return true;
      const counts = new Map<string, number>();
      for (const one of nodes) if (domainOf(one) !== undefined) counts.set(domainOf(one) ?? "", 0);
      for (const other of this.#store.list<PodObject>("pods", pod.metadata.namespace)) {
        const matches = Object.entries(labelSelector?.matchLabels ?? {}).every(([name, value]) => other.metadata.labels?.[name] === value);
        const domain = domainOf(nodes.find(({ metadata }) => metadata.name === other.spec.nodeName));
        if (matches && domain !== undefined && !isTerminal(other)) counts.set(domain, (counts.get(domain) ?? 0) + 1);
      }
      return (counts.get(own) ?? 0) + 1 - Math.min(...counts.values()) > maxSkew;
    });
  }

  /** Fewer pods of the same Job first, then the emptier node. */
  #load(pod: PodObject, node: NodeObject): number {
    const here = podsOn(this.#store, node);
    const owner = pod.metadata.ownerReferences?.[0]?.uid;
    const own = here.filter(({ metadata }) => metadata.ownerReferences?.[0]?.uid === owner).length;
    return own * 1_000 + here.length;
  }
}

export function podsOn(store: ObjectStore, node: NodeObject): PodObject[] {
  return store.list<PodObject>("pods").filter((pod) => pod.spec.nodeName === node.metadata.name && !isTerminal(pod));
}

function asked(pod: PodObject, what: string): number {
  return pod.spec.containers.reduce((sum, { resources }) => sum + (readQuantity(resources?.requests?.[what] ?? "0") ?? 0), 0);
}

function free(store: ObjectStore, node: NodeObject, what: string): number {
  const used = podsOn(store, node).reduce((sum, pod) => sum + asked(pod, what), 0);
  return (readQuantity(node.status.allocatable[what] ?? "0") ?? 0) - used;
}
