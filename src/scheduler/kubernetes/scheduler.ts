/**
 * Kubernetes as a scheduler: a run is an Indexed Job, a worker is a pod of it. The API server keeps everything that must survive; what this
 * process knows is a mirror of it, for events and for people. Decisions are made from fresh reads.
 */
import { assert } from "../../core/assert.ts";
import type { Clock } from "../../core/clock.ts";
import type { Config } from "../../core/config.ts";
import { type AppError, externalError, toAppError } from "../../core/errors.ts";
import type { JobId, RunId } from "../../core/ids.ts";
import type { Logger } from "../../core/log.ts";
import type { RandomSource } from "../../core/prng.ts";
import type { RunKey, RunSpec, Scheduler, SchedulerEvent, StartOutcome, StopMode, WorkerView } from "../scheduler.ts";
import type { LogPiece, LogQuery, SchedulerPlan, SchedulerView } from "../view.ts";
import { needsOf, podsByNode, roomFor } from "./capacity.ts";
import { type KubernetesClient, refusal } from "./client.ts";
import { Fences } from "./fences.ts";
import { ANNOTATION, clusterSelector, jobSelector, LABEL } from "./labels.ts";
import { podLogs } from "./logs.ts";
import { Mirror } from "./mirror.ts";
import { type JobSeen, type NodeSeen, type PodSeen, parseDeployment, parseJob, parseNode, parsePod } from "./objects.ts";
import { type RenderedRun, renderRun, renderSecret } from "./spec.ts";
import { sortWorkers, viewNode, viewRun, viewService } from "./view.ts";
import { isOf, promisedWorkers, workerOf } from "./workers.ts";

/** What the scheduler works with. */
export interface KubernetesSchedulerOptions {
  readonly client: KubernetesClient;
  readonly settings: Config;
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly logger: Logger;
}

/** The API server deletes a pod's record at once for 0, whether its processes have ended or not: a second is for those. */
const FORCED_SECONDS = 1;
/** How long `view` waits for the first look. */
const FIRST_LOOK_MS = 5_000;
/** Deployments and version are read again after this long. */
const SERVICES_MS = 15_000;
/** Runs that were told to stop and are remembered, so that their pods' ends are no drains. */
const STOPS_KEPT = 4_096;

/** See the file's comment. */
export class KubernetesScheduler implements Scheduler {
  readonly name = "kubernetes";
  readonly #options: KubernetesSchedulerOptions;
  readonly #fences: Fences;
  readonly #mirror: Mirror;
  readonly #stops = new Set<string>();
  #services: { readonly atMs: number; readonly version: string; readonly services: SchedulerView["services"] } | undefined;
  #over = false;

  constructor(options: KubernetesSchedulerOptions) {
    this.#options = options;
    const { client, settings, clock, random, logger } = options;
    const cluster = settings["kubernetes.cluster-name"];
    this.#fences = new Fences({ client, cluster, prefix: settings["kubernetes.worker.name-prefix"], clock });
    this.#mirror = new Mirror({
      client,
      cluster,
      watchNodes: settings["kubernetes.watch-nodes"],
      drainTaints: settings["kubernetes.drain-taints"],
      clock,
      random,
      logger,
      isStopping: (run) => this.#stops.has(keyOf(run)),
    });
  }

  async startWorkers(spec: RunSpec): Promise<StartOutcome> {
    this.#check();
    const release = this.#mirror.hold(spec);
    try {
      return await this.#start(spec);
    } finally {
      release();
    }
  }

  async #start(spec: RunSpec): Promise<StartOutcome> {
    const namespace = await this.#options.client.namespace();
    const run = renderRun(spec, this.#options.settings, namespace);
    const refused = this.#options.settings["kubernetes.preflight"] ? await this.#refuseForRoom(run, spec) : undefined;
    if (refused !== undefined) return refused;
    const record = await this.#fences.take(spec, run.specHash, run.workers);
    const accepted: StartOutcome = { kind: "accepted", workers: record.workers };
    await this.#putSecret(spec, namespace);
    if (record.made !== "") return accepted;
    const job = await this.#makeJob(run, namespace);
    try {
      await this.#fences.made(spec, job.metadata.uid);
    } catch (error) {
      if (toAppError(error).code === "fenced") await this.#deleteRun(spec, { kind: "force" });
      throw error;
    }
    await this.#own(job, run.name, namespace);
    return accepted;
  }

  async stopWorkers(run: RunKey, mode: StopMode): Promise<void> {
    this.#check();
    this.#noteStop(run);
    await this.#fences.stop(run);
    await this.#deleteRun(run, mode);
  }

  async listWorkers(job: JobId, run?: RunId): Promise<readonly WorkerView[]> {
    this.#check();
    const labelSelector = `${jobSelector(this.#cluster, job)}${run === undefined ? "" : `,${LABEL.run}=${run}`}`;
    // Jobs first: a pod that is made meanwhile is then listed in its own right.
    const jobs = await this.#list("jobs", labelSelector);
    const pods = await this.#list("pods", labelSelector);
    const views = pods.flatMap((pod) => workerOf(pod, this.#mirror.nodes.get(pod.spec.nodeName ?? "")) ?? []);
    return sortWorkers([...views, ...jobs.flatMap((one) => promisedWorkers(one, pods))]);
  }

  observe(listener: (event: SchedulerEvent) => void): () => void {
    this.#check();
    this.#prune().catch((error: unknown) =>
      this.#options.logger.warn("old records of jobs were not removed", { error: toAppError(error) }),
    );
    return this.#mirror.observe(listener);
  }

  async plan(spec: RunSpec): Promise<SchedulerPlan> {
    this.#check();
    const { client, settings } = this.#options;
    const namespace = await client.namespace();
    const run = renderRun(spec, settings, namespace);
    const body = { ...run.job, metadata: { ...run.job.metadata, name: `${run.name}-p` } };
    const answer = await client.send({
      method: "POST",
      path: jobsPath(namespace),
      query: { dryRun: "All", fieldValidation: "Strict" },
      body,
    });
    if (!answer.ok) throw refusal(answer.status, `the Job "${run.name}"`);
    const room = await this.#room(run, spec).catch((error: unknown) => toAppError(error));
    const { dumpYaml } = await import("@kubernetes/client-node");
    const plan = { text: dumpYaml(run.job, { noRefs: true, lineWidth: -1 }), format: "yaml", workers: run.workers } as const;
    if ("fits" in room) {
      const missing = run.workers - room.fits;
      const reason = missing === 0 ? "" : `${missing} of ${run.workers} workers would not be placed: ${room.reason}`;
      return { ...plan, missing, reason, warnings: [...answer.warnings, ...room.warnings] };
    }
    return { ...plan, missing: undefined, reason: "", warnings: [...answer.warnings, `the room on nodes is not known: ${room.message}`] };
  }

  async *logs(handle: string, query: LogQuery): AsyncGenerator<LogPiece> {
    this.#check();
    yield* podLogs(this.#options.client, handle, query);
  }

  async view(): Promise<SchedulerView> {
    this.#check();
    const { client, settings } = this.#options;
    const mirror = this.#mirror;
    await mirror.look(FIRST_LOOK_MS);
    const { version, services } = await this.#servicesNow();
    const pods = [...mirror.pods.values()];
    const onNode = podsByNode(pods);
    const drainTaints = settings["kubernetes.drain-taints"];
    const place = await Promise.all([client.server(), client.namespace()]).catch(() => ["", ""]);
    return {
      scheduler: this.name,
      ...mirror.link,
      version,
      place: { server: place[0] ?? "", namespace: place[1] ?? "", cluster: this.#cluster },
      syncedAtMs: mirror.syncedAtMs,
      nodes: [...mirror.nodes.values()].map((node) => viewNode(node, onNode.get(node.metadata.name) ?? [], drainTaints, false)),
      runs: [...mirror.jobs.values()].flatMap((job) => viewRun(job, mirror.podsOf(job), mirror.createTrouble(job.metadata.name)) ?? []),
      workers: sortWorkers(pods.flatMap((pod) => workerOf(pod, mirror.nodes.get(pod.spec.nodeName ?? "")) ?? [])),
      services,
    };
  }

  async shutdown(): Promise<void> {
    if (this.#over) return;
    this.#over = true;
    this.#mirror.stop();
    await this.#options.client.close();
  }

  get #cluster(): string {
    return this.#options.settings["kubernetes.cluster-name"];
  }

  #check(): void {
    assert(!this.#over, "the scheduler has been shut down");
  }

  #noteStop(run: RunKey): void {
    this.#stops.add(keyOf(run));
    if (this.#stops.size <= STOPS_KEPT) return;
    const [oldest = ""] = this.#stops;
    this.#stops.delete(oldest);
  }

  async #list(what: "jobs", labelSelector: string): Promise<JobSeen[]>;
  async #list(what: "pods", labelSelector: string): Promise<PodSeen[]>;
  async #list(what: "jobs" | "pods", labelSelector: string): Promise<JobSeen[] | PodSeen[]> {
    const { client } = this.#options;
    const namespace = await client.namespace();
    const path = what === "jobs" ? jobsPath(namespace) : `/api/v1/namespaces/${namespace}/pods`;
    const { items } = await client.list(path, what, { labelSelector });
    return what === "jobs" ? items.map(parseJob) : items.map(parsePod);
  }

  /** Written again with every start: the list of controllers may be another one. */
  async #putSecret(spec: RunSpec, namespace: string): Promise<void> {
    const { client, settings } = this.#options;
    const secret = renderSecret(spec, settings, namespace);
    const folder = `/api/v1/namespaces/${namespace}/secrets`;
    const made = await client.send({ method: "POST", path: folder, query: { fieldValidation: "Strict" }, body: secret });
    if (made.ok) return;
    const name = secret.metadata?.name ?? "";
    if (made.status.reason !== "AlreadyExists") throw refusal(made.status, `making secret "${name}"`);
    const changed = await client.send({ method: "PATCH", path: `${folder}/${name}`, body: { data: secret.data } });
    if (!changed.ok) throw refusal(changed.status, `changing secret "${name}"`);
  }

  /** Makes the Job, or finds that an earlier call has. */
  async #makeJob(run: RenderedRun, namespace: string): Promise<JobSeen> {
    const { client } = this.#options;
    const path = jobsPath(namespace);
    const made = await client.send({ method: "POST", path, query: { fieldValidation: "Strict" }, body: run.job });
    if (made.ok) {
      const job = parseJob(made.body);
      for (const warning of made.warnings) this.#options.logger.warn("Kubernetes remarks on a worker Job", { name: run.name, warning });
      // An older API server knows the field and drops it: the first failure would then end all workers, and others would be started.
      if (job.spec.backoffLimitPerIndex === 0) return job;
      await client.send({ method: "DELETE", path: `${path}/${run.name}`, query: { propagationPolicy: "Background" } });
      throw externalError("unsupported", "this Kubernetes is too old: worker Jobs need 1.29 or newer (backoffLimitPerIndex)", {
        retry: "never",
      });
    }
    if (made.status.reason !== "AlreadyExists") throw refusal(made.status, `making the Job "${run.name}"`);
    const job = parseJob(await client.get(`${path}/${run.name}`, `the Job "${run.name}"`));
    if (job.metadata.annotations[ANNOTATION.specHash] === run.specHash && job.metadata.labels[LABEL.cluster] === this.#cluster) return job;
    throw externalError("already-exists", `a Job "${run.name}" exists that is not this run's`, { retry: "never" });
  }

  /** The secret goes with its Job. */
  async #own(job: JobSeen, name: string, namespace: string): Promise<void> {
    const owner = { apiVersion: "batch/v1", kind: "Job", name: job.metadata.name, uid: job.metadata.uid };
    const path = `/api/v1/namespaces/${namespace}/secrets/${name}`;
    const answer = await this.#options.client.send({ method: "PATCH", path, body: { metadata: { ownerReferences: [owner] } } });
    if (!answer.ok)
      this.#options.logger.warn("a run's secret was not given to its Job", {
        name,
        error: refusal(answer.status, `changing secret "${name}"`),
      });
  }

  /** Removes records of jobs that are long gone: once for each time that somebody begins to observe. */
  async #prune(): Promise<void> {
    const { client } = this.#options;
    const path = `/api/v1/namespaces/${await client.namespace()}/configmaps`;
    const { items } = await client.list(path, "config maps", { labelSelector: `${clusterSelector(this.#cluster)},${LABEL.record}=true` });
    if (items.length === 0) return;
    const jobs = await this.#list("jobs", clusterSelector(this.#cluster));
    await this.#fences.prune(items, new Set(jobs.flatMap(({ metadata }) => metadata.labels[LABEL.job] ?? [])));
  }

  async #deleteRun(run: RunKey, mode: StopMode): Promise<void> {
    const { client } = this.#options;
    const namespace = await client.namespace();
    const selector = jobSelector(this.#cluster, run.job, run.fence);
    // The Job first: it must not make a pod again. It stays, as terminating, until its pods are gone.
    for (const { metadata } of await this.#list("jobs", selector)) {
      await this.#delete(`${jobsPath(namespace)}/${metadata.name}`, { propagationPolicy: "Foreground" });
      await this.#delete(`/api/v1/namespaces/${namespace}/secrets/${metadata.name}`, {});
    }
    const gracePeriodSeconds = mode.kind === "force" ? FORCED_SECONDS : Math.max(FORCED_SECONDS, Math.ceil(mode.deadlineMs / 1000));
    for (const pod of await this.#list("pods", selector)) {
      await this.#delete(`/api/v1/namespaces/${namespace}/pods/${pod.metadata.name}`, { gracePeriodSeconds });
    }
  }

  async #delete(path: string, body: object): Promise<void> {
    const answer = await this.#options.client.send({ method: "DELETE", path, body });
    if (!answer.ok && answer.status.code !== 404) throw refusal(answer.status, `deleting ${path}`);
  }

  /** A run that was started before is not looked at again. */
  async #refuseForRoom(run: RenderedRun, key: RunKey): Promise<StartOutcome | undefined> {
    const known = await this.#fences.read(key.job);
    if (known !== undefined && known.fence >= key.fence) return undefined;
    const { fits } = await this.#room(run, key);
    if (fits >= run.workers) return undefined;
    return { kind: "not-enough-slots", needed: run.workers * run.slotsPerWorker, available: fits * run.slotsPerWorker };
  }

  /** Pods of the run itself take no room from it. */
  async #room(run: RenderedRun, key: RunKey): Promise<{ fits: number; reason: string; warnings: string[] }> {
    const { client, settings } = this.#options;
    if (!settings["kubernetes.watch-nodes"]) throw notAllowed();
    const nodes: NodeSeen[] = (await client.list("/api/v1/nodes", "nodes")).items.map(parseNode);
    const fieldSelector = "status.phase!=Succeeded,status.phase!=Failed";
    const all = await client.list("/api/v1/pods", "pods of all namespaces", { fieldSelector }).catch((error: unknown) => toAppError(error));
    const namespace = await client.namespace();
    const seen = "items" in all ? all : await client.list(`/api/v1/namespaces/${namespace}/pods`, "pods", { fieldSelector });
    const pods = seen.items.map(parsePod).filter((pod) => !isOf(key, pod));
    const warnings = "items" in all ? [] : ["pods of other namespaces cannot be listed: the room counts those of this namespace only"];
    return { ...roomFor(run.workers, needsOf(run.job), nodes, pods), warnings };
  }

  /** Wadi's own Deployments and the version of Kubernetes: what the Role does not allow is left out. */
  async #servicesNow() {
    const { client, clock } = this.#options;
    const nowMs = clock.elapsedMs();
    if (this.#services !== undefined && nowMs - this.#services.atMs < SERVICES_MS) return this.#services;
    const read = async (): Promise<{ version: string; services: SchedulerView["services"] }> => {
      const namespace = await client.namespace();
      const { gitVersion = "" } = (await client.get("/version", "the version")) as { readonly gitVersion?: string };
      const labelSelector = `${clusterSelector(this.#cluster)},app.kubernetes.io/component!=worker`;
      const found = await client
        .list(`/apis/apps/v1/namespaces/${namespace}/deployments`, "deployments", { labelSelector })
        .catch(() => undefined);
      return { version: gitVersion, services: (found?.items ?? []).map((item) => viewService(parseDeployment(item))) };
    };
    const before = this.#services ?? { version: "", services: [] };
    this.#services = { atMs: nowMs, ...(await read().catch(() => before)) };
    return this.#services;
  }
}

function jobsPath(namespace: string): string {
  return `/apis/batch/v1/namespaces/${namespace}/jobs`;
}

function keyOf({ job, fence }: RunKey): string {
  return `${job}/${fence}`;
}

function notAllowed(): AppError {
  return externalError("permission-denied", "nodes are not watched (kubernetes.watch-nodes)", { retry: "never" });
}
