/**
 * What is known of Kubernetes, kept up to date by watches while somebody observes: pods and Jobs of ours, nodes and events where the Role allows
 * it. Changes become the contract's events here; nothing is asked for and nothing decided.
 */
import type { Clock } from "../../core/clock.ts";
import { type AppError, toAppError } from "../../core/errors.ts";
import type { Logger } from "../../core/log.ts";
import type { RandomSource } from "../../core/prng.ts";
import { NS_PER_MS } from "../../core/time.ts";
import type { RunKey, SchedulerEvent, WorkerView } from "../scheduler.ts";
import type { SchedulerLink } from "../view.ts";
import type { KubernetesClient } from "./client.ts";
import { drainOf } from "./drain.ts";
import { EventTeller } from "./event-teller.ts";
import { clusterSelector, runOf } from "./labels.ts";
import { type EventSeen, type JobSeen, type NodeSeen, type PodSeen, parseEvent, parseJob, parseNode, parsePod } from "./objects.ts";
import { describePlacement } from "./placement-words.ts";
import { keepWatching } from "./watch.ts";
import { goneWorker, workerOf } from "./workers.ts";

/** What a mirror works with. */
export interface MirrorOptions {
  readonly client: KubernetesClient;
  readonly cluster: string;
  readonly watchNodes: boolean;
  readonly drainTaints: readonly string[];
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly logger: Logger;
  /** Whether this scheduler itself has told the run to stop. */
  readonly isStopping: (run: RunKey) => boolean;
}

/** Changes of a run's placement within this time are told as one. */
const SETTLE_MS = 150;

type Part = "pods" | "jobs" | "nodes" | "events";

/** See the file's comment. */
export class Mirror {
  readonly #options: MirrorOptions;
  readonly #listeners = new Set<(event: SchedulerEvent) => void>();
  /** By name: unique among ours at any time, and what everything else refers to. */
  readonly pods = new Map<string, PodSeen>();
  readonly jobs = new Map<string, JobSeen>();
  readonly nodes = new Map<string, NodeSeen>();
  /** By run: its Job and the names of its pods. */
  readonly #jobOfRun = new Map<string, string>();
  readonly #podsOfRun = new Map<string, Set<string>>();
  /** What was told last of a worker, so that nothing is told twice. */
  readonly #told = new Map<string, string>();
  readonly #ended = new Set<string>();
  readonly #drains = new Map<string, string>();
  readonly #placements = new Map<string, string>();
  readonly #unsettled = new Map<string, RunKey>();
  readonly #held = new Map<string, number>();
  readonly #troubles = new Map<Part, AppError>();
  readonly #listed = new Set<Part>();
  readonly #events: EventTeller;
  #watching: AbortController | undefined;
  #firstLook: Promise<void> = Promise.resolve();
  #looked: () => void = () => undefined;
  /** Wall time of the last word from the API server; undefined: none yet. */
  syncedAtMs: number | undefined;

  constructor(options: MirrorOptions) {
    this.#options = options;
    this.#events = new EventTeller(
      (name) => this.#runOfObject(name),
      (event) => this.#tell(event),
    );
  }

  /** Tells `listener` what happens until the returned function is called. */
  observe(listener: (event: SchedulerEvent) => void): () => void {
    this.#listeners.add(listener);
    this.#start();
    return () => {
      if (this.#listeners.delete(listener) && this.#listeners.size === 0) this.stop();
    };
  }

  /** Ends the watches; what is known is forgotten. */
  stop(): void {
    this.#watching?.abort();
    this.#watching = undefined;
    for (const map of [
      this.pods,
      this.jobs,
      this.nodes,
      this.#told,
      this.#ended,
      this.#drains,
      this.#placements,
      this.#troubles,
      this.#listed,
    ])
      map.clear();
    this.#events.clear();
  }

  /** Resolves when pods and Jobs were listed once, or `limitMs` are over; starts the watches if nobody observes. */
  async look(limitMs: number): Promise<void> {
    this.#start();
    if (this.#listed.has("pods") && this.#listed.has("jobs")) return;
    const enough = new AbortController();
    await Promise.race([this.#firstLook, this.#options.clock.sleep(limitMs, enough.signal)]);
    enough.abort();
  }

  /** How well Kubernetes is seen, and why not better. */
  get link(): { readonly link: SchedulerLink; readonly trouble: string } {
    const vital = this.#troubles.get("pods") ?? this.#troubles.get("jobs");
    if (vital !== undefined) return { link: "down", trouble: vital.message };
    const others = [...this.#troubles.values()].map(({ message }) => message);
    return { link: this.#listed.has("pods") && this.#listed.has("jobs") ? "live" : "down", trouble: others.join("; ") };
  }

  /** Nothing of the run's placement is told until its start was answered: the answer would count as the newer word. */
  hold(run: RunKey): () => void {
    const key = keyOf(run);
    this.#held.set(key, (this.#held.get(key) ?? 0) + 1);
    return () => {
      const left = (this.#held.get(key) ?? 1) - 1;
      if (left > 0) this.#held.set(key, left);
      else this.#held.delete(key);
      this.#placements.delete(key);
      this.#unsettled.set(key, run);
    };
  }

  /** Pods of a Job's run. */
  podsOf(job: JobSeen): readonly PodSeen[] {
    return [...(this.#podsOfRun.get(keyOf(runOf(job.metadata.labels))) ?? [])].flatMap((name) => this.pods.get(name) ?? []);
  }

  /** Why pods of the run's Job cannot be made, as its controller says; empty: they can. */
  createTrouble(jobName: string): string {
    return this.#events.createTrouble(jobName);
  }

  #start(): void {
    if (this.#watching !== undefined) return;
    const { client, cluster, watchNodes } = this.#options;
    const watching = new AbortController();
    this.#watching = watching;
    this.#firstLook = new Promise((resolve) => {
      this.#looked = resolve;
    });
    const labelSelector = clusterSelector(cluster);
    const { signal } = watching;
    const begin = async (): Promise<void> => {
      const namespace = await this.#namespace(client, signal);
      if (namespace === undefined) return;
      const folder = `namespaces/${namespace}`;
      const lists = {
        onList: (items: readonly PodSeen[]) => this.#podsListed(items),
        onChange: (kind: "changed" | "deleted", pod: PodSeen) => this.#podChanged(kind, pod),
      };
      this.#keep("pods", { path: `/api/v1/${folder}/pods`, labelSelector, parse: parsePod, ...lists }, signal);
      const jobs = {
        onList: (items: readonly JobSeen[]) => this.#replaceJobs(items),
        onChange: (kind: "changed" | "deleted", job: JobSeen) => this.#jobChanged(kind, job),
      };
      this.#keep("jobs", { path: `/apis/batch/v1/${folder}/jobs`, labelSelector, parse: parseJob, ...jobs }, signal);
      const events = {
        onList: (items: readonly EventSeen[]) => this.#eventsListed(items),
        onChange: (kind: "changed" | "deleted", event: EventSeen) => this.#eventChanged(kind, event),
      };
      this.#keep("events", { path: `/api/v1/${folder}/events`, parse: parseEvent, ...events }, signal);
      if (!watchNodes) return;
      const nodes = {
        onList: (items: readonly NodeSeen[]) => this.#nodesListed(items),
        onChange: (kind: "changed" | "deleted", node: NodeSeen) => this.#nodeChanged(kind, node),
      };
      this.#keep("nodes", { path: "/api/v1/nodes", parse: parseNode, ...nodes }, signal);
    };
    begin().catch((error: unknown) => this.#options.logger.error("Kubernetes is not watched", { error: toAppError(error) }));
    this.#settle(signal).catch(() => undefined);
  }

  /** A kubeconfig that cannot be read may be mended; undefined: nobody watches any more. */
  async #namespace(client: KubernetesClient, signal: AbortSignal): Promise<string | undefined> {
    while (!signal.aborted) {
      try {
        return await client.namespace();
      } catch (error) {
        this.#troubles.set("pods", toAppError(error));
        await this.#options.clock.sleep(5_000, signal);
      }
    }
    return undefined;
  }

  #keep<T extends PodSeen | JobSeen | NodeSeen | EventSeen>(
    part: Part,
    options: Pick<Parameters<typeof keepWatching<T>>[0], "path" | "parse" | "onList" | "onChange"> & { readonly labelSelector?: string },
    signal: AbortSignal,
  ): void {
    const { client, clock, random } = this.#options;
    const onList = (items: readonly T[]): void => {
      if (signal.aborted) return;
      options.onList(items);
      this.#listed.add(part);
      if (this.#listed.has("pods") && this.#listed.has("jobs")) this.#looked();
    };
    const onChange: typeof options.onChange = (kind, item) => {
      if (!signal.aborted) options.onChange(kind, item);
      this.#heard();
    };
    void keepWatching(
      { ...options, client, clock, random, what: part, onList, onChange, onState: (trouble) => this.#state(part, trouble) },
      signal,
    );
  }

  #state(part: Part, trouble: AppError | undefined): void {
    const before = this.#troubles.get(part);
    if (trouble !== undefined) {
      if (before?.message !== trouble.message) this.#options.logger.warn("Kubernetes is not watched", { part, error: trouble });
      this.#troubles.set(part, trouble);
      return;
    }
    this.#heard();
    if (before === undefined) return;
    this.#troubles.delete(part);
    this.#options.logger.info("Kubernetes is watched again", { part });
    if (part === "pods" || part === "jobs") this.#tell({ kind: "resync" });
  }

  #heard(): void {
    this.syncedAtMs = this.#nowMs();
  }

  #nowMs(): number {
    return Number(this.#options.clock.nowNs() / NS_PER_MS);
  }

  #podsListed(items: readonly PodSeen[]): void {
    const names = new Set(items.map(({ metadata }) => metadata.name));
    for (const pod of [...this.pods.values()]) if (!names.has(pod.metadata.name)) this.#podChanged("deleted", pod);
    for (const pod of items) this.#podChanged("changed", pod);
  }

  #podChanged(kind: "changed" | "deleted", pod: PodSeen): void {
    const { name } = pod.metadata;
    const before = this.pods.get(name);
    const run = runOf(pod.metadata.labels);
    if (run === undefined) return;
    this.#unsettled.set(keyOf(run), run);
    if (kind === "deleted") {
      this.pods.delete(name);
      this.#forgetPod(keyOf(run), name);
      this.#tellWorker(goneWorker(pod));
      this.#told.delete(name);
      this.#ended.delete(name);
      return;
    }
    this.pods.set(name, pod);
    const names = this.#podsOfRun.get(keyOf(run)) ?? new Set();
    this.#podsOfRun.set(keyOf(run), names.add(name));
    const leaves = pod.metadata.deletionTimestamp;
    if (leaves !== undefined && before !== undefined && before.metadata.deletionTimestamp === undefined) this.#leaving(run, pod, leaves);
    this.#tellWorker(workerOf(pod, this.nodes.get(pod.spec.nodeName ?? "")));
  }

  #forgetPod(key: string, name: string): void {
    const names = this.#podsOfRun.get(key);
    names?.delete(name);
    if (names?.size === 0) this.#podsOfRun.delete(key);
  }

  #jobOf(key: string): JobSeen | undefined {
    return this.jobs.get(this.#jobOfRun.get(key) ?? "");
  }

  /** Somebody else has the pod deleted: an eviction, a taint, a hand. */
  #leaving(run: RunKey, pod: PodSeen, leavesAtMs: number): void {
    const job = this.#jobOf(keyOf(run));
    if (this.#options.isStopping(run) || job?.metadata.deletionTimestamp !== undefined || pod.spec.nodeName === undefined) return;
    const deadlineMs = Math.max(0, leavesAtMs - this.#nowMs());
    this.#tell({ kind: "drain", node: pod.spec.nodeName, runs: [run], deadlineMs });
  }

  #tellWorker(worker: WorkerView | undefined): void {
    if (worker === undefined || this.#ended.has(worker.handle)) return;
    const text = JSON.stringify(worker, (_key, value: unknown) => (typeof value === "bigint" ? String(value) : value));
    if (this.#told.get(worker.handle) === text) return;
    this.#told.set(worker.handle, text);
    if (worker.phase === "exited") this.#ended.add(worker.handle);
    this.#tell({ kind: "worker", worker });
  }

  #replaceJobs(items: readonly JobSeen[]): void {
    this.jobs.clear();
    this.#jobOfRun.clear();
    for (const job of items) this.#jobChanged("changed", job);
  }

  #jobChanged(kind: "changed" | "deleted", job: JobSeen): void {
    const run = runOf(job.metadata.labels);
    if (run === undefined) return;
    this.#unsettled.set(keyOf(run), run);
    if (kind === "changed") {
      this.jobs.set(job.metadata.name, job);
      this.#jobOfRun.set(keyOf(run), job.metadata.name);
    } else {
      this.jobs.delete(job.metadata.name);
      this.#jobOfRun.delete(keyOf(run));
      this.#events.forgetJob(job.metadata.name);
    }
  }

  #nodesListed(items: readonly NodeSeen[]): void {
    const names = new Set(items.map(({ metadata }) => metadata.name));
    for (const node of [...this.nodes.values()]) if (!names.has(node.metadata.name)) this.#nodeChanged("deleted", node);
    for (const node of items) this.#nodeChanged("changed", node);
  }

  #nodeChanged(kind: "changed" | "deleted", node: NodeSeen): void {
    const { name } = node.metadata;
    if (kind === "deleted") {
      this.nodes.delete(name);
      this.#drains.delete(name);
      return;
    }
    this.nodes.set(name, node);
    const here = [...this.pods.values()].filter(({ spec }) => spec.nodeName === name);
    for (const pod of here) this.#tellWorker(workerOf(pod, node));
    const drain = drainOf(node, this.#options.drainTaints);
    const before = this.#drains.get(name);
    if (drain === undefined) this.#drains.delete(name);
    else this.#drains.set(name, drain.reason);
    if (drain === undefined || drain.reason === before) return;
    const runs = new Map(
      here
        .filter((pod) => !this.#ended.has(pod.metadata.name))
        .map((pod) => [keyOf(runOf(pod.metadata.labels)), runOf(pod.metadata.labels)]),
    );
    const leaving = [...runs.values()].filter((run) => run !== undefined && !this.#options.isStopping(run)) as RunKey[];
    if (leaving.length > 0) this.#tell({ kind: "drain", node: name, runs: leaving, deadlineMs: drain.deadlineMs });
  }

  #eventsListed(items: readonly EventSeen[]): void {
    this.#events.list(items, !this.#listed.has("events"));
  }

  #eventChanged(kind: "changed" | "deleted", event: EventSeen): void {
    if (kind === "deleted") return this.#events.forget(event);
    this.#events.tell(event);
    const run = this.#runOfObject(event.involvedObject.name);
    if (run !== undefined) this.#unsettled.set(keyOf(run), run);
  }

  /** The run of a pod or Job by its name; a pod that is gone is known by its Job's name. */
  #runOfObject(name: string): RunKey | undefined {
    const labels =
      this.pods.get(name)?.metadata.labels ??
      this.jobs.get(name)?.metadata.labels ??
      this.jobs.get(name.replace(/-\d+-[0-9a-z]{5}$/, ""))?.metadata.labels;
    return labels === undefined ? undefined : runOf(labels);
  }

  /** Tells placements that have changed, a little later than they changed. */
  async #settle(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#options.clock.sleep(SETTLE_MS, signal);
      if (signal.aborted) return;
      const runs = [...this.#unsettled];
      this.#unsettled.clear();
      for (const [key, run] of runs) this.#tellPlacement(key, run);
    }
  }

  #tellPlacement(key: string, run: RunKey): void {
    const job = this.#jobOf(key);
    if (this.#held.has(key)) {
      this.#unsettled.set(key, run);
      return;
    }
    const before = this.#placements.get(key) ?? "";
    if (job === undefined || this.#options.isStopping(run)) {
      this.#placements.delete(key);
      return;
    }
    const { missing, reason } = describePlacement(job, this.podsOf(job), this.createTrouble(job.metadata.name));
    // Not placed and no reason yet: nobody has tried.
    if (missing > 0 && reason === "") return;
    if (reason === before) return;
    this.#placements.set(key, reason);
    this.#tell({ kind: "placement", run, missing, reason });
  }

  #tell(event: SchedulerEvent): void {
    for (const listener of [...this.#listeners]) listener(event);
  }
}

function keyOf(run: RunKey | undefined): string {
  return run === undefined ? "" : `${run.job}/${run.fence}`;
}
