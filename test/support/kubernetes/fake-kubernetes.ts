/**
 * A Kubernetes cluster in this process, for tests: an API server over HTTP that is as strict as the real one, the controllers that Wadi depends
 * on, and nodes whose kubelets run containers as real child processes. It has no network, no images and no file systems of containers, and
 * knows only what this repository uses; what it does, it does by the rules of Kubernetes, not by what would be convenient.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ApiServer } from "./api-server.ts";
import type { FakeImage } from "./containers.ts";
import { recordEvent } from "./events.ts";
import { GarbageCollector } from "./garbage-collector.ts";
import { JobController } from "./job-controller.ts";
import { KubeScheduler, tolerates } from "./kube-scheduler.ts";
import { Kubelet } from "./kubelet.ts";
import {
  findResource,
  isTerminal,
  type KubeObject,
  type NodeObject,
  newMetadata,
  now,
  type PodObject,
  type Resource,
  type SecretObject,
  setCondition,
} from "./objects.ts";
import type { Rule, Subject } from "./rbac.ts";
import type { ApiRefusal } from "./status.ts";
import { ObjectStore } from "./store.ts";
import { ApiVerbs } from "./verbs.ts";
import { Watches } from "./watches.ts";

/** A node to begin with. */
export interface FakeNode {
  readonly name: string;
  readonly cpu?: string;
  readonly memory?: string;
  readonly pods?: number;
  readonly zone?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly taints?: NodeObject["spec"]["taints"];
}

/** What a cluster is made of. */
export interface FakeKubernetesOptions {
  readonly nodes?: readonly FakeNode[];
  /** By name. */
  readonly images?: Readonly<Record<string, FakeImage>>;
  readonly version?: string;
  readonly namespace?: string;
  /** What Wadi may do; undefined: everything. */
  readonly rules?: { readonly rules: readonly Rule[]; readonly clusterRules: readonly Rule[] } | undefined;
  /** Whether pods of the namespace must keep the restricted pod security standard. */
  readonly restricted?: boolean;
  /** Environment of containers besides their own: what an image's base would have. */
  readonly env?: NodeJS.ProcessEnv;
  /** HTTPS: what the API server shows, and the authority that has signed it. */
  readonly tls?: { readonly key: string; readonly cert: string; readonly ca: string };
}

const EVERYTHING: readonly Rule[] = [{ apiGroups: ["*"], resources: ["*"], verbs: ["*"] }];
const TOKEN = "fake-token";

/** See the file's comment. */
export class FakeKubernetes {
  readonly store = new ObjectStore();
  readonly verbs = new ApiVerbs(this.store);
  readonly watches = new Watches(this.store);
  readonly folder = mkdtempSync(join(tmpdir(), "fake-kubernetes-"));
  readonly namespace: string;
  readonly api: ApiServer;
  address = "";
  readonly #options: FakeKubernetesOptions;
  readonly #subjects = new Map<string, Subject>();
  readonly #images: Map<string, FakeImage>;
  readonly #kubelets = new Map<string, Kubelet>();
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #gc: GarbageCollector;
  readonly #jobs: JobController;
  readonly #scheduler: KubeScheduler;
  #pending = false;
  #stopped = false;
  #addresses = 0;

  private constructor(options: FakeKubernetesOptions) {
    this.#options = options;
    this.namespace = options.namespace ?? "wadi";
    this.#images = new Map(Object.entries(options.images ?? {}));
    this.allow(options.rules);
    if (options.restricted === true) this.verbs.restricted.add(this.namespace);
    const { store, verbs, watches } = this;
    this.api = new ApiServer({
      store,
      verbs,
      watches,
      subjectOf: (token) => this.#subjects.get(token),
      namespace: this.namespace,
      version: options.version ?? "v1.34.1",
      kubeletOf: (node) => this.#kubelets.get(node),
      evict: (pod) => this.evict(pod.metadata.name),
      tls: options.tls,
    });
    const remove = (plural: string, object: KubeObject): void => this.#remove(plural, object);
    this.#gc = new GarbageCollector(store, remove);
    this.#scheduler = new KubeScheduler(store);
    this.#jobs = new JobController({
      store,
      createPod: (pod) => this.#createPod(pod),
      deletePod: (pod) => remove("pods", pod),
      deleteJob: (job) => remove("jobs", job),
      later: (ms, work) => this.#later(ms, work),
    });
    store.subscribe(({ plural, object, type }) => {
      if (plural === "secrets" && type === "MODIFIED") this.#later(20, () => this.#refresh(object as SecretObject));
      this.#poke();
    });
  }

  static async start(options: FakeKubernetesOptions = {}): Promise<FakeKubernetes> {
    const fake = new FakeKubernetes(options);
    fake.#createNamespace("default");
    fake.#createNamespace(fake.namespace);
    for (const node of options.nodes ?? [{ name: "node-1" }, { name: "node-2" }, { name: "node-3" }]) fake.addNode(node);
    fake.address = await fake.api.listen();
    return fake;
  }

  /** Ends it with all its processes. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const timer of this.#timers) clearTimeout(timer);
    for (const kubelet of this.#kubelets.values()) kubelet.stop();
    await this.api.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** A kubeconfig for this cluster; the path of the file. */
  kubeconfig(token = TOKEN): string {
    const path = join(this.folder, `kubeconfig-${token}`);
    const { tls } = this.#options;
    // client-node speaks plain HTTP only to a server that need not be verified.
    const trust =
      tls === undefined ? { "insecure-skip-tls-verify": true } : { "certificate-authority-data": Buffer.from(tls.ca).toString("base64") };
    const cluster = { server: this.address, ...trust };
    const config = {
      apiVersion: "v1",
      kind: "Config",
      clusters: [{ name: "fake", cluster }],
      users: [{ name: "wadi", user: { token } }],
      contexts: [{ name: "fake", context: { cluster: "fake", user: "wadi", namespace: this.namespace } }],
      "current-context": "fake",
    };
    writeFileSync(path, JSON.stringify(config), { mode: 0o600 });
    return path;
  }

  /** From now on Wadi may do this; undefined: everything. */
  allow(rules: FakeKubernetesOptions["rules"]): void {
    const all = { rules: EVERYTHING, clusterRules: EVERYTHING };
    this.#subjects.set(TOKEN, { user: `system:serviceaccount:${this.namespace}:wadi`, ...(rules ?? all) });
  }

  addImage(name: string, image: FakeImage): void {
    this.#images.set(name, image);
    this.#poke();
  }

  addNode({ name, cpu = "8", memory = "32Gi", pods = 110, zone = "zone-a", labels = {}, taints }: FakeNode): void {
    const capacity = { cpu, memory, pods: String(pods) };
    const hostIP = `10.0.0.${this.#kubelets.size + 1}`;
    const node: NodeObject = {
      apiVersion: "v1",
      kind: "Node",
      metadata: newMetadata(name, undefined, {
        labels: { "kubernetes.io/hostname": name, "topology.kubernetes.io/zone": zone, "kubernetes.io/os": "linux", ...labels },
      }),
      spec: taints === undefined ? {} : { taints },
      status: {
        capacity,
        allocatable: capacity,
        conditions: [
          { type: "Ready", status: "True", reason: "KubeletReady", message: "kubelet is posting ready status", lastTransitionTime: now() },
        ],
        addresses: [{ type: "InternalIP", address: hostIP }],
        nodeInfo: {
          kubeletVersion: this.#options.version ?? "v1.34.1",
          architecture: "amd64",
          operatingSystem: "linux",
          osImage: "Fake Linux",
          containerRuntimeVersion: "fake://1",
        },
      },
    };
    const { store } = this;
    const kubelet = new Kubelet({
      store,
      node: name,
      hostIP,
      folder: join(this.folder, name),
      images: this.#images,
      env: { PATH: process.env["PATH"], ...this.#options.env },
      // Addresses of this machine that nobody else uses: all of 127.0.0.0/8 is its loopback.
      nextIP: () => `127.${100 + (process.pid % 100)}.${Math.floor(this.#addresses / 250) + 1}.${(this.#addresses++ % 250) + 2}`,
      later: (ms, work) => this.#later(ms, work),
      poke: () => this.#poke(),
    });
    this.#kubelets.set(name, kubelet);
    store.create("nodes", node);
  }

  removeNode(name: string): void {
    this.#kubelets.get(name)?.stop();
    this.store.remove("nodes", this.node(name));
  }

  node(name: string): NodeObject {
    return this.store.get<NodeObject>("nodes", undefined, name) as NodeObject;
  }

  pods(): PodObject[] {
    return this.store.list<PodObject>("pods", this.namespace);
  }

  pod(name: string): PodObject | undefined {
    return this.store.get<PodObject>("pods", this.namespace, name);
  }

  /** Process ids by pod name. */
  pids(): Map<string, number> {
    return new Map([...this.#kubelets.values()].flatMap((kubelet) => [...kubelet.pids()]));
  }

  /** What a pod's container has written so far. */
  output(podName: string): string {
    const pod = this.pod(podName);
    const file = pod === undefined ? undefined : this.#kubelets.get(pod.spec.nodeName ?? "")?.logFile(pod);
    return file === undefined || !existsSync(file) ? "" : readFileSync(file, "utf8");
  }

  /** `kubectl cordon` and `uncordon`. */
  cordon(name: string, on = true): void {
    this.store.change("nodes", this.node(name), ({ spec }) => {
      if (on) spec.unschedulable = true;
      else delete spec.unschedulable;
      const others = (spec.taints ?? []).filter(({ key }) => key !== "node.kubernetes.io/unschedulable");
      spec.taints = on ? [...others, { key: "node.kubernetes.io/unschedulable", effect: "NoSchedule", timeAdded: now() }] : others;
    });
  }

  /** `kubectl taint`; one with NoExecute deletes the pods that do not bear it. */
  taint(name: string, taint: { key: string; value?: string; effect: string }): void {
    this.store.change("nodes", this.node(name), ({ spec }) => {
      spec.taints = [...(spec.taints ?? []), { ...taint, timeAdded: now() }];
    });
    if (taint.effect !== "NoExecute") return;
    for (const pod of this.pods()) {
      if (pod.spec.nodeName !== name || isTerminal(pod) || tolerates(pod, taint)) continue;
      this.#disrupt(pod, "DeletionByTaintManager", "Taint manager: deleting due to NoExecute taint");
    }
  }

  /** `kubectl drain`: cordons and evicts. */
  drain(name: string): void {
    this.cordon(name);
    for (const pod of this.pods()) if (pod.spec.nodeName === name && !isTerminal(pod)) this.evict(pod.metadata.name);
  }

  /** The eviction API. */
  evict(podName: string): void {
    const pod = this.pod(podName);
    if (pod !== undefined) this.#disrupt(pod, "EvictionByEvictionAPI", "Eviction API: evicting");
  }

  /** The kubelet ends a pod because its node lacks something. */
  evictByNode(podName: string, message: string): void {
    const pod = this.pod(podName);
    this.#kubelets.get(pod?.spec.nodeName ?? "")?.evict(pod as PodObject, message);
  }

  oomKill(podName: string): void {
    const pod = this.pod(podName);
    this.#kubelets.get(pod?.spec.nodeName ?? "")?.oomKill(pod as PodObject);
  }

  /** Nothing is heard of a node; its processes go on. */
  loseNode(name: string): void {
    const kubelet = this.#kubelets.get(name) as Kubelet;
    kubelet.connected = false;
    this.#setReady(name, "Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status.");
    this.store.change("nodes", this.node(name), ({ spec }) => {
      spec.taints = [...(spec.taints ?? []), { key: "node.kubernetes.io/unreachable", effect: "NoExecute", timeAdded: now() }];
    });
  }

  restoreNode(name: string): void {
    this.#setReady(name, "True", "KubeletReady", "kubelet is posting ready status");
    this.store.change("nodes", this.node(name), ({ spec }) => {
      spec.taints = (spec.taints ?? []).filter(({ key }) => key !== "node.kubernetes.io/unreachable");
    });
    this.#kubelets.get(name)?.reconnect();
  }

  /** `kubectl delete pod`. */
  deletePod(podName: string, gracePeriodSeconds?: number): void {
    this.verbs.delete(must(findResource("pods")), this.namespace, podName, { gracePeriodSeconds });
  }

  /** A quota of the namespace. */
  setPodQuota(pods: number): void {
    const object = {
      apiVersion: "v1",
      kind: "ResourceQuota",
      metadata: newMetadata("pods", this.namespace),
      spec: { hard: { pods: String(pods) } },
    };
    this.store.create("resourcequotas", object);
  }

  #disrupt(pod: PodObject, reason: string, message: string): void {
    const marked = this.store.change("pods", pod, ({ status }) => {
      status.conditions = setCondition(status.conditions ?? [], { type: "DisruptionTarget", status: "True", reason, message });
    });
    this.#remove("pods", marked);
  }

  #setReady(name: string, status: "True" | "Unknown", reason: string, message: string): void {
    this.store.change("nodes", this.node(name), (node) => {
      node.status.conditions = setCondition(node.status.conditions, { type: "Ready", status, reason, message });
    });
  }

  #createNamespace(name: string): void {
    this.store.create("namespaces", { apiVersion: "v1", kind: "Namespace", metadata: newMetadata(name, undefined) });
  }

  #createPod(pod: PodObject): ApiRefusal | undefined {
    const refusal = this.verbs.podRefusal(must(findResource("pods")), pod);
    if (refusal === undefined) this.store.create("pods", pod);
    return refusal;
  }

  #remove(plural: string, object: KubeObject): void {
    const { name, namespace } = object.metadata;
    const group = plural === "jobs" ? "batch" : "";
    const resource = findResource(plural, group);
    if (resource === undefined || this.store.get(plural, namespace, name) === undefined) return;
    this.verbs.delete(resource, namespace, name, {});
  }

  #refresh(secret: SecretObject): void {
    for (const kubelet of this.#kubelets.values()) kubelet.refresh(secret);
  }

  #later(ms: number, work: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      if (this.#stopped) return;
      work();
      this.#poke();
    }, ms);
    this.#timers.add(timer);
  }

  /** The controllers look at the world again, after whatever changes it now. */
  #poke(): void {
    if (this.#pending || this.#stopped) return;
    this.#pending = true;
    setImmediate(() => {
      this.#pending = false;
      if (this.#stopped) return;
      this.#gc.sync();
      this.#jobs.sync();
      this.#scheduler.sync();
      for (const kubelet of this.#kubelets.values()) kubelet.sync();
    });
  }

  /** An event of a node, as the cloud's own agents record. */
  recordNodeEvent(name: string, reason: string, message: string): void {
    recordEvent(this.store, this.node(name), "Warning", reason, message, "node-agent");
  }
}

function must(resource: Resource | undefined): Resource {
  return resource as Resource;
}
