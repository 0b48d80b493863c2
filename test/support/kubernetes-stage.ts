/** Kubernetes as the outside system of scheduler tests: the fake one, with idle processes for workers, or a real one with idle containers. */
import { fileURLToPath } from "node:url";
import { AssertionError } from "chai";
import { systemClock } from "../../src/core/clock.ts";
import { type Config, loadConfig } from "../../src/core/config.ts";
import { silentLogger } from "../../src/core/log.ts";
import { systemRandom } from "../../src/core/prng.ts";
import { roomFor } from "../../src/scheduler/kubernetes/capacity.ts";
import { KubernetesClient } from "../../src/scheduler/kubernetes/client.ts";
import { clusterSelector } from "../../src/scheduler/kubernetes/labels.ts";
import { CONTROLLER_CLUSTER_RULES, CONTROLLER_RULES } from "../../src/scheduler/kubernetes/manifests.ts";
import { parseJob, parseNode, parsePod } from "../../src/scheduler/kubernetes/objects.ts";
import { KubernetesScheduler } from "../../src/scheduler/kubernetes/scheduler.ts";
import type { Scheduler, WorkerView } from "../../src/scheduler/scheduler.ts";
import { eventually } from "./eventually.ts";
import { FakeKubernetes, type FakeKubernetesOptions } from "./kubernetes/fake-kubernetes.ts";
import { isTerminal } from "./kubernetes/objects.ts";
import type { SchedulerStage } from "./scheduler-conformance.ts";

const IDLE = fileURLToPath(new URL("./idle-worker.mjs", import.meta.url));

/** Settings of a scheduler on a cluster, with `more` of them. */
export function kubernetesSettings(kubeconfig: string, more: Partial<Config> = {}): Config {
  const { config } = loadConfig({ env: {}, files: [] });
  return { ...config, "kubernetes.kubeconfig": kubeconfig, "kubernetes.worker.image": "wadi:test", ...more };
}

/** A scheduler of its own connection. */
export function kubernetesScheduler(settings: Config): KubernetesScheduler {
  const client = new KubernetesClient({
    kubeconfig: settings["kubernetes.kubeconfig"],
    context: settings["kubernetes.context"],
    namespace: settings["kubernetes.namespace"],
    clock: systemClock,
  });
  return new KubernetesScheduler({ client, settings, clock: systemClock, random: systemRandom, logger: silentLogger });
}

/** A fake cluster with images for idle workers, where Wadi has the rights that `wadi kubernetes render` gives it, and no others. */
export async function idleCluster(options: FakeKubernetesOptions = {}): Promise<FakeKubernetes> {
  const images = { "wadi:test": { entrypoint: [process.execPath, IDLE] } };
  const rules = { rules: CONTROLLER_RULES, clusterRules: CONTROLLER_CLUSTER_RULES };
  return await FakeKubernetes.start({ images, rules, restricted: true, ...options });
}

/** Whether nothing is about to happen in the fake cluster: its idle workers have said that they are ready. */
export function isSettled(kubernetes: FakeKubernetes): boolean {
  const made = kubernetes.store.list("jobs").every((job) => {
    const { spec, status, metadata } = job as unknown as {
      spec: { parallelism: number };
      status: { failed?: number; succeeded?: number };
      metadata: { uid: string; deletionTimestamp?: string };
    };
    const pods = kubernetes.pods().filter((pod) => pod.metadata.ownerReferences?.[0]?.uid === metadata.uid);
    const counted = pods.filter((pod) => isTerminal(pod)).length <= (status.failed ?? 0) + (status.succeeded ?? 0);
    return metadata.deletionTimestamp === undefined && counted && pods.length >= spec.parallelism;
  });
  const still = kubernetes.pods().every((pod) => {
    const waits = pod.status.conditions?.some(({ type, status }) => type === "PodScheduled" && status === "False") === true;
    const ready = pod.status.conditions?.some(({ type, status }) => type === "Ready" && status === "True") === true;
    const said = ready && kubernetes.output(pod.metadata.name).includes("ready");
    return pod.metadata.deletionTimestamp === undefined && (said || waits || isTerminal(pod));
  });
  return made && still;
}

/** See the file's comment. */
export class FakeKubernetesStage implements SchedulerStage {
  /** Three nodes of four processors, a processor for a slot, two slots for a worker. */
  readonly capacity = 6 * 2;
  readonly admission: "refuses" | "queues";
  readonly kubernetes: Promise<FakeKubernetes>;
  readonly #nodes = ["a", "b", "c"].map((name) => ({ name, cpu: "4", memory: "8Gi" }));

  constructor(admission: "refuses" | "queues") {
    this.admission = admission;
    this.kubernetes = idleCluster({ nodes: this.#nodes });
  }

  async open(): Promise<Scheduler> {
    const kubernetes = await this.kubernetes;
    return kubernetesScheduler(kubernetesSettings(kubernetes.kubeconfig(), { "kubernetes.preflight": this.admission === "refuses" }));
  }

  async settle(): Promise<void> {
    const kubernetes = await this.kubernetes;
    await eventually("the cluster is at rest", () => isSettled(kubernetes) || undefined);
    // What the API server has, its watchers have a moment later.
    await new Promise((resolve) => setTimeout(resolve, 40));
  }

  async crash(worker: WorkerView): Promise<void> {
    const kubernetes = await this.kubernetes;
    const pid = kubernetes.pids().get(worker.handle);
    if (pid !== undefined) process.kill(pid, "SIGKILL");
    await eventually("the worker has ended", () => (kubernetes.pids().has(worker.handle) ? undefined : true));
  }

  async close(): Promise<void> {
    await (await this.kubernetes).stop();
  }
}

/** Of a real cluster: where it is, and an image with a shell. */
export interface RealCluster {
  readonly kubeconfig: string;
  /** Undefined: that of the kubeconfig. */
  readonly namespace: string | undefined;
  readonly image: string;
}

const WORKER = "trap 'exit 0' TERM; echo ready; while :; do sleep 0.2; done";
const QUIET_MS = 60_000;

/** A real cluster with room for exactly four workers: processors per slot are chosen so. Its namespace is the tests' own, and is empty afterwards. */
export class RealKubernetesStage implements SchedulerStage {
  readonly capacity = 8;
  readonly admission = "queues" as const;
  readonly #cluster: RealCluster;
  readonly #client: KubernetesClient;
  #cpu = "";

  constructor(cluster: RealCluster) {
    this.#cluster = cluster;
    this.#client = new KubernetesClient({ ...cluster, context: undefined, clock: systemClock });
  }

  async open(): Promise<Scheduler> {
    if (this.#cpu === "") this.#cpu = `${await this.#cpuPerPod()}m`;
    return kubernetesScheduler({
      ...kubernetesSettings(this.#cluster.kubeconfig),
      "kubernetes.namespace": this.#cluster.namespace,
      "kubernetes.cluster-name": "conformance",
      "kubernetes.worker.image": this.#cluster.image,
      "kubernetes.worker.command": ["/bin/sh", "-c", WORKER],
      "kubernetes.worker.memory": "32Mi",
      "kubernetes.worker.cpu": this.#cpu,
      "kubernetes.resource-mode": "per-pod",
    });
  }

  async settle(): Promise<void> {
    const pods = await this.#path("/api/v1", "pods");
    const selector = { labelSelector: clusterSelector("conformance") };
    const isStill = async (): Promise<true | undefined> => {
      const { items } = await this.#client.list(pods, "pods", selector);
      const still = items.map(parsePod).every(({ metadata, status, spec }) => {
        const waits =
          spec.nodeName === undefined && status.conditions.some(({ type, status: value }) => type === "PodScheduled" && value === "False");
        return metadata.deletionTimestamp === undefined && (waits || status.phase !== "Pending");
      });
      const jobs = (await this.#client.list(await this.#path("/apis/batch/v1", "jobs"), "jobs", selector)).items.map(parseJob);
      const made = jobs.every(
        ({ metadata, spec, status }) =>
          metadata.deletionTimestamp === undefined && status.active + status.succeeded + status.failed >= spec.parallelism,
      );
      return still && made ? true : undefined;
    };
    await eventually("the cluster is at rest", isStill, QUIET_MS);
    await new Promise((resolve) => setTimeout(resolve, 500));
  }

  async crash(worker: WorkerView): Promise<void> {
    // Nobody may run anything in its container: the pod is deleted by hand.
    await this.#client.send({
      method: "DELETE",
      path: `${await this.#path("/api/v1", "pods")}/${worker.handle}`,
      body: { gracePeriodSeconds: 1 },
    });
  }

  async close(): Promise<void> {
    const labelSelector = clusterSelector("conformance");
    for (const [group, plural] of [
      ["/apis/batch/v1", "jobs"],
      ["/api/v1", "pods"],
      ["/api/v1", "secrets"],
      ["/api/v1", "configmaps"],
    ] as const) {
      await this.#client.send({
        method: "DELETE",
        path: await this.#path(group, plural),
        query: { labelSelector, propagationPolicy: "Background" },
      });
    }
    const pods = await this.#path("/api/v1", "pods");
    await eventually(
      "it is empty again",
      async () => ((await this.#client.list(pods, "pods", { labelSelector })).items.length === 0 ? true : undefined),
      QUIET_MS,
    );
    await this.#client.close();
  }

  async #path(group: string, plural: string): Promise<string> {
    return `${group}/namespaces/${await this.#client.namespace()}/${plural}`;
  }

  /** The most that a pod may ask for so that four fit, in thousandths of a processor; five must not. */
  async #cpuPerPod(): Promise<number> {
    const nodes = (await this.#client.list("/api/v1/nodes", "nodes")).items.map(parseNode);
    const pods = (await this.#client.list("/api/v1/pods", "pods")).items.map(parsePod);
    const fits = (cpuMillis: number): number =>
      roomFor(100, { cpuMillis, memoryBytes: 0, nodeSelector: {}, tolerations: [] }, nodes, pods).fits;
    for (let cpuMillis = 64_000; cpuMillis > 10; cpuMillis -= 10) if (fits(cpuMillis) === 4) return cpuMillis;
    throw new AssertionError("no choice of processors gives room for four pods and not for five");
  }
}
