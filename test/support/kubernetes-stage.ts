/** Kubernetes as the outside system of scheduler tests: the fake one, with idle processes for workers, or a real one with idle containers. */
import { fileURLToPath } from "node:url";
import { systemClock } from "../../src/core/clock.ts";
import { type Config, loadConfig } from "../../src/core/config.ts";
import { silentLogger } from "../../src/core/log.ts";
import { systemRandom } from "../../src/core/prng.ts";
import { KubernetesClient } from "../../src/scheduler/kubernetes/client.ts";
import { CONTROLLER_CLUSTER_RULES, CONTROLLER_RULES } from "../../src/scheduler/kubernetes/manifests.ts";
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

/** Whether nothing is about to happen in the fake cluster. */
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
    return pod.metadata.deletionTimestamp === undefined && (ready || waits || isTerminal(pod));
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
