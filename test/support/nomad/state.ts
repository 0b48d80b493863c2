/**
 * The servers' replicated state: tables, one index that grows with every write, who waits for changes, and the ring of events. A write is one
 * call of `commit`: everything in it gets the same index, as one Raft entry does. Not replicated, not kept: an index reset is a fault to inject.
 */
import type { ClientNode } from "./node-records.ts";
import type { Allocation, Deployment, Evaluation, Job, SchedulerConfiguration, ServiceRegistration, Token, Variable } from "./records.ts";
import { UsageBook } from "./usage.ts";

/** Tables whose indexes blocking queries wait for. */
export type Table = "jobs" | "evals" | "allocs" | "nodes" | "variables" | "services" | "deployments" | "config" | "acl" | "job_summary";

/** A policy; `JobACL`: it is for what runs of a job, without a token. */
export interface Policy {
  readonly Name: string;
  readonly Description: string;
  readonly Rules: string;
  readonly JobACL?: { readonly Namespace: string; readonly JobID: string } | undefined;
}

/** One event of the stream. */
export interface StreamEvent {
  readonly Topic: string;
  readonly Type: string;
  readonly Key: string;
  readonly Namespace: string;
  readonly FilterKeys: readonly string[] | null;
  readonly Index: number;
  readonly Payload: Readonly<Record<string, unknown>>;
}

/** The events of one write. */
export interface EventBatch {
  readonly index: number;
  readonly events: readonly StreamEvent[];
}

const RING_LENGTH = 100;

/** A write in progress. */
export class Write {
  readonly index: number;
  readonly type: string;
  readonly events: StreamEvent[] = [];
  readonly tables = new Set<Table>();
  readonly #state: State;

  constructor(state: State, index: number, type: string) {
    this.#state = state;
    this.index = index;
    this.type = type;
  }

  #tell(
    topic: string,
    key: string,
    namespace: string,
    filterKeys: readonly string[] | null,
    payload: Readonly<Record<string, unknown>>,
  ): void {
    this.events.push({
      Topic: topic,
      Type: this.type,
      Key: key,
      Namespace: namespace,
      FilterKeys: filterKeys,
      Index: this.index,
      Payload: payload,
    });
  }

  /** Writes a job; `spec`: it is a new version of what the user submitted. */
  job(job: Job, spec = false): Job {
    const old = this.#state.jobs.get(jobKey(job.Namespace, job.ID));
    const written: Job = {
      ...job,
      CreateIndex: old?.CreateIndex ?? this.index,
      ModifyIndex: this.index,
      JobModifyIndex: spec ? this.index : job.JobModifyIndex,
    };
    this.#state.jobs.set(jobKey(job.Namespace, job.ID), written);
    const versions = this.#state.versions.get(jobKey(job.Namespace, job.ID)) ?? [];
    const kept = versions.filter(({ Version }) => Version !== written.Version);
    this.#state.versions.set(jobKey(job.Namespace, job.ID), [written, ...kept].slice(0, 6));
    this.tables.add("jobs");
    this.#tell("Job", job.ID, job.Namespace, null, { Job: written });
    return written;
  }

  /** Forgets a job and its versions. */
  removeJob(job: Job): void {
    this.#state.jobs.delete(jobKey(job.Namespace, job.ID));
    this.#state.versions.delete(jobKey(job.Namespace, job.ID));
    this.tables.add("jobs");
    this.#tell("Job", job.ID, job.Namespace, null, { Job: { ...job, Stop: true, ModifyIndex: this.index } });
  }

  /** Writes an evaluation. */
  evaluation(evaluation: Omit<Evaluation, "CreateIndex" | "ModifyIndex" | "CreateTime" | "ModifyTime">): Evaluation {
    const old = this.#state.evaluations.get(evaluation.ID);
    const now = this.#state.nowNs();
    const written: Evaluation = {
      ...evaluation,
      CreateIndex: old?.CreateIndex ?? this.index,
      ModifyIndex: this.index,
      CreateTime: old?.CreateTime ?? now,
      ModifyTime: now,
    };
    this.#state.putEvaluation(written);
    this.tables.add("evals");
    this.#tell("Evaluation", written.ID, written.Namespace, [written.JobID, written.DeploymentID ?? ""], { Evaluation: written });
    return written;
  }

  /** Writes an allocation; `byClient`: what the servers want of it has not changed. */
  allocation(allocation: Allocation, byClient = false): Allocation {
    const old = this.#state.allocations.get(allocation.ID);
    const now = this.#state.nowNs();
    const written: Allocation = {
      ...allocation,
      CreateIndex: old?.CreateIndex ?? this.index,
      ModifyIndex: this.index,
      AllocModifyIndex: byClient ? allocation.AllocModifyIndex : this.index,
      CreateTime: old?.CreateTime ?? now,
      ModifyTime: now,
    };
    this.#state.putAllocation(written);
    this.tables.add("allocs");
    this.#tell("Allocation", written.ID, written.Namespace, [written.JobID, written.DeploymentID], { Allocation: written });
    return written;
  }

  /** Forgets an allocation, without telling: so it is with those of a purged job. */
  removeAllocation(allocation: Allocation): void {
    this.#state.dropAllocation(allocation);
    this.tables.add("allocs");
  }

  /** Writes a node. */
  node(node: ClientNode): ClientNode {
    const written: ClientNode = {
      ...node,
      CreateIndex: this.#state.nodes.get(node.ID)?.CreateIndex ?? this.index,
      ModifyIndex: this.index,
    };
    this.#state.nodes.set(node.ID, written);
    this.tables.add("nodes");
    this.#tell("Node", node.ID, "", null, { Node: written });
    return written;
  }

  /** Forgets a node. */
  removeNode(node: ClientNode): void {
    this.#state.nodes.delete(node.ID);
    this.tables.add("nodes");
    this.#tell("Node", node.ID, "", null, { Node: node });
  }

  /** Tells of a node without changing it, as updates of its allocations do. */
  touchNode(node: ClientNode): void {
    this.#tell("Node", node.ID, "", null, { Node: node });
  }

  /** Registers an instance of a service. */
  service(service: Omit<ServiceRegistration, "CreateIndex" | "ModifyIndex">): void {
    const old = this.#state.services.get(service.ID);
    const written: ServiceRegistration = { ...service, CreateIndex: old?.CreateIndex ?? this.index, ModifyIndex: this.index };
    this.#state.services.set(service.ID, written);
    this.tables.add("services");
    this.#tell("Service", written.ID, written.Namespace, [written.JobID, written.ServiceName], { Service: written });
  }

  /** Takes an instance of a service away. */
  removeService(service: ServiceRegistration): void {
    if (!this.#state.services.delete(service.ID)) return;
    this.tables.add("services");
    this.#tell("Service", service.ID, service.Namespace, [service.JobID, service.ServiceName], { Service: service });
  }

  /** Writes a variable. */
  variable(namespace: string, path: string, items: Readonly<Record<string, string>>): Variable {
    const old = this.#state.variables.get(jobKey(namespace, path));
    const now = this.#state.nowNs();
    const written: Variable = {
      Namespace: namespace,
      Path: path,
      Items: items,
      CreateIndex: old?.CreateIndex ?? this.index,
      ModifyIndex: this.index,
      CreateTime: old?.CreateTime ?? now,
      ModifyTime: now,
    };
    this.#state.variables.set(jobKey(namespace, path), written);
    this.tables.add("variables");
    return written;
  }

  /** Forgets a variable. */
  removeVariable(namespace: string, path: string): void {
    if (this.#state.variables.delete(jobKey(namespace, path))) this.tables.add("variables");
  }

  /** Writes a deployment. */
  deployment(deployment: Deployment): Deployment {
    const old = this.#state.deployments.get(deployment.ID);
    const written: Deployment = { ...deployment, CreateIndex: old?.CreateIndex ?? this.index, ModifyIndex: this.index };
    this.#state.deployments.set(deployment.ID, written);
    this.tables.add("deployments");
    this.#tell("Deployment", written.ID, written.Namespace, [written.JobID], { Deployment: written });
    return written;
  }

  /** Writes the scheduler configuration. */
  configuration(configuration: SchedulerConfiguration): void {
    this.#state.configuration = { ...configuration, ModifyIndex: this.index };
    this.tables.add("config");
  }

  /** Says that tokens or policies have changed. */
  acl(): void {
    this.tables.add("acl");
  }
}

/** Key of a job or a variable in its table. */
export function jobKey(namespace: string, id: string): string {
  return `${namespace}\u0000${id}`;
}

/** Tables, index, waiters and the ring of events. */
export class State {
  readonly jobs = new Map<string, Job>();
  readonly versions = new Map<string, readonly Job[]>();
  readonly evaluations = new Map<string, Evaluation>();
  readonly allocations = new Map<string, Allocation>();
  readonly nodes = new Map<string, ClientNode>();
  readonly variables = new Map<string, Variable>();
  readonly services = new Map<string, ServiceRegistration>();
  readonly deployments = new Map<string, Deployment>();
  readonly tokens = new Map<string, Token>();
  readonly policies = new Map<string, Policy>();
  readonly submissions = new Map<string, unknown>();
  readonly namespaces = new Set(["default"]);
  readonly nodePools = new Set(["default", "all"]);
  configuration: SchedulerConfiguration = {
    SchedulerAlgorithm: "binpack",
    MemoryOversubscriptionEnabled: false,
    RejectJobRegistration: false,
    PauseEvalBroker: false,
    PreemptionConfig: {
      BatchSchedulerEnabled: false,
      ServiceSchedulerEnabled: false,
      SysBatchSchedulerEnabled: false,
      SystemSchedulerEnabled: true,
    },
    CreateIndex: 5,
    ModifyIndex: 5,
  };
  /** The last write's. */
  index = 7;
  readonly ring: EventBatch[] = [];
  /** Added to the clock of servers and clients, in milliseconds. */
  skewMs = 0;
  readonly #tables = new Map<Table, number>([["services", 1]]);
  readonly #waiters = new Set<() => void>();
  readonly #observers = new Set<(batch: EventBatch, tables: ReadonlySet<Table>) => void>();
  readonly #allocationsOfNode = new Map<string, Set<string>>();
  readonly #allocationsOfJob = new Map<string, Set<string>>();
  /** What is held on each node. */
  readonly usage = new UsageBook();
  /** Ids of evaluations that wait for capacity. */
  readonly blocked = new Set<string>();
  readonly #evaluationsOfJob = new Map<string, Set<string>>();

  /** Wall milliseconds by the cluster's clock. */
  nowMs(): number {
    return Date.now() + this.skewMs;
  }

  /** The same in nanoseconds, rounded to what a double holds. */
  nowNs(): number {
    return this.nowMs() * 1e6;
  }

  /** Index of a table: 0 while it has never been written. */
  tableIndex(table: Table): number {
    return this.#tables.get(table) ?? 0;
  }

  /** Runs one write. */
  commit<T>(type: string, body: (write: Write) => T): T {
    const write = new Write(this, this.index + 1, type);
    const result = body(write);
    this.index = write.index;
    for (const table of write.tables) this.#tables.set(table, write.index);
    const batch: EventBatch = { index: write.index, events: write.events };
    if (write.events.length > 0) {
      this.ring.push(batch);
      if (this.ring.length > RING_LENGTH) this.ring.shift();
    }
    for (const observer of [...this.#observers]) observer(batch, write.tables);
    const waiters = [...this.#waiters];
    this.#waiters.clear();
    for (const wake of waiters) wake();
    return result;
  }

  /** Calls `observer` after every write, until the returned function is called. */
  observe(observer: (batch: EventBatch, tables: ReadonlySet<Table>) => void): () => void {
    this.#observers.add(observer);
    return () => this.#observers.delete(observer);
  }

  /** Resolves after the next write, or after `limitMs`. */
  async changed(limitMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.#waiters.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, limitMs);
      this.#waiters.add(wake);
    });
  }

  /** Wakes all who wait, as the end of a server does. */
  wakeAll(): void {
    for (const wake of [...this.#waiters]) wake();
  }

  /** As after a restore from an old snapshot: the index starts low again, the ring is empty. */
  resetIndex(): void {
    this.index = 7;
    for (const table of this.#tables.keys()) this.#tables.set(table, 7);
    this.ring.length = 0;
    for (const [id, allocation] of this.allocations)
      this.allocations.set(id, { ...allocation, CreateIndex: 7, ModifyIndex: 7, AllocModifyIndex: 7 });
    for (const [id, evaluation] of this.evaluations) this.evaluations.set(id, { ...evaluation, CreateIndex: 7, ModifyIndex: 7 });
    for (const [id, job] of this.jobs) this.jobs.set(id, { ...job, CreateIndex: 7, ModifyIndex: 7, JobModifyIndex: 7 });
    for (const [id, node] of this.nodes) this.nodes.set(id, { ...node, CreateIndex: 7, ModifyIndex: 7 });
    this.wakeAll();
  }

  /** Keeps an allocation and finds it by node and job. */
  putAllocation(allocation: Allocation): void {
    this.usage.replace(this.allocations.get(allocation.ID), allocation);
    this.allocations.set(allocation.ID, allocation);
    remember(this.#allocationsOfNode, allocation.NodeID, allocation.ID);
    remember(this.#allocationsOfJob, jobKey(allocation.Namespace, allocation.JobID), allocation.ID);
  }

  /** Forgets an allocation. */
  dropAllocation({ ID, NodeID, Namespace, JobID }: Allocation): void {
    this.usage.replace(this.allocations.get(ID), undefined);
    this.allocations.delete(ID);
    this.#allocationsOfNode.get(NodeID)?.delete(ID);
    this.#allocationsOfJob.get(jobKey(Namespace, JobID))?.delete(ID);
  }

  /** Keeps an evaluation and finds it by job. */
  putEvaluation(evaluation: Evaluation): void {
    this.evaluations.set(evaluation.ID, evaluation);
    if (evaluation.Status === "blocked") this.blocked.add(evaluation.ID);
    else this.blocked.delete(evaluation.ID);
    remember(this.#evaluationsOfJob, jobKey(evaluation.Namespace, evaluation.JobID), evaluation.ID);
  }

  /** Allocations of a node. */
  allocationsOfNode(node: string): Allocation[] {
    return pick(this.#allocationsOfNode.get(node), this.allocations);
  }

  /** Allocations of a job, oldest first. */
  allocationsOfJob(namespace: string, job: string): Allocation[] {
    return pick(this.#allocationsOfJob.get(jobKey(namespace, job)), this.allocations);
  }

  /** Evaluations of a job, oldest first. */
  evaluationsOfJob(namespace: string, job: string): Evaluation[] {
    return pick(this.#evaluationsOfJob.get(jobKey(namespace, job)), this.evaluations);
  }

  /** Forgets dead jobs with their evaluations and allocations, as `nomad system gc` does. */
  collectGarbage(): void {
    this.commit("JobBatchDeregisterRequest", (write) => {
      for (const job of [...this.jobs.values()]) {
        const allocations = this.allocationsOfJob(job.Namespace, job.ID);
        if (job.Status !== "dead" || allocations.some((one) => one.ClientStatus === "running" || one.ClientStatus === "pending")) continue;
        for (const one of allocations) write.removeAllocation(one);
        for (const { ID } of this.evaluationsOfJob(job.Namespace, job.ID)) this.evaluations.delete(ID);
        this.#allocationsOfJob.delete(jobKey(job.Namespace, job.ID));
        this.#evaluationsOfJob.delete(jobKey(job.Namespace, job.ID));
        write.removeJob(job);
        for (const table of ["allocs", "evals"] as const) write.tables.add(table);
      }
    });
  }
}

function remember(index: Map<string, Set<string>>, key: string, id: string): void {
  const ids = index.get(key);
  if (ids === undefined) index.set(key, new Set([id]));
  else ids.add(id);
}

function pick<T>(ids: ReadonlySet<string> | undefined, from: ReadonlyMap<string, T>): T[] {
  const found: T[] = [];
  for (const id of ids ?? []) {
    const one = from.get(id);
    if (one !== undefined) found.push(one);
  }
  return found;
}
