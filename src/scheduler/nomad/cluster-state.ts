/**
 * What is known of Nomad: our jobs, their allocations and evaluations, the nodes. Rows come from complete lists (the truth) and from single
 * events (early news of it), in any order and more than once: a row counts if its index is higher than the known one's. What a change means for
 * the scheduler's observers is returned by the call that made it. No I/O.
 */
import type { JobId, RunId } from "../../core/ids.ts";
import type { RunKey, SchedulerEvent, WorkerView } from "../scheduler.ts";
import {
  type NomadAllocation,
  type NomadEvaluation,
  type NomadJobState,
  type NomadMetric,
  type NomadNode,
  nomadTimeMs,
} from "./answers.ts";
import { placementReason } from "./reasons.ts";
import { JOB_PREFIX, runOfMeta, WORKER_NAME } from "./spec.ts";
import { toldOfEvaluation, toldOfTask } from "./told.ts";
import { phaseOf, unplacedView, type WorkerSetting, workerView } from "./worker-view.ts";

/** A run as Nomad has it. */
export interface KnownRun {
  /** Of the Nomad job. */
  readonly id: string;
  readonly name: string;
  readonly key: RunKey;
  /** Workers asked for, and the slots of each. */
  readonly workers: number;
  readonly slots: number;
  readonly status: string;
  readonly stopped: boolean;
  readonly submittedAtMs: number | undefined;
  readonly index: number;
}

/** Workers of a run that wait for a place. */
export interface Waiting {
  readonly missing: number;
  readonly reason: string;
  readonly sinceMs: number;
}

interface KnownAllocation {
  readonly row: NomadAllocation;
  /** JSON of the view that was told last; undefined: none was. */
  told: string | undefined;
  exitTold: boolean;
  /** Time of the newest task event that was told, as Nomad wrote it. */
  newestEvent: number;
}

/** What the state needs to be told. */
export interface ClusterStateOptions {
  readonly clusterId: string;
  /** Page of an allocation in Nomad's UI. */
  readonly allocationLink: (id: string) => string | undefined;
  /** Milliseconds that an evicted allocation has left. */
  readonly killTimeoutMs: number;
  readonly nowMs: () => number;
}

/** See the file's comment. */
export class ClusterState {
  readonly #options: ClusterStateOptions;
  readonly #runs = new Map<string, KnownRun>();
  readonly #byJob = new Map<JobId, Set<string>>();
  readonly #allocations = new Map<string, KnownAllocation>();
  /** Allocations' ids by Nomad job. */
  readonly #placed = new Map<string, Set<string>>();
  readonly #failures = new Map<string, { readonly index: number; readonly metric: NomadMetric | undefined }>();
  readonly #waiting = new Map<string, Waiting>();
  readonly #nodes = new Map<string, NomadNode>();
  /** Runs that were told of a node's drain, by node. */
  readonly #drained = new Map<string, Set<string>>();
  /** Evaluations' states that were told, newest last. */
  readonly #toldEvaluations = new Map<string, string>();
  /** Rows up to the first complete look are old news, except those of runs that were started here. */
  #settled = false;
  #baseline = 0;
  /** Of the last complete list of allocations: one that is older and not known is gone. */
  #listedIndex = 0;
  #listedJobsIndex = 0;
  /** Index of the registration, by Nomad job. */
  readonly #own = new Map<string, number>();

  constructor(options: ClusterStateOptions) {
    this.#options = options;
  }

  /** All runs. */
  get runs(): readonly KnownRun[] {
    return [...this.#runs.values()];
  }

  /** All nodes. */
  get nodes(): readonly NomadNode[] {
    return [...this.#nodes.values()];
  }

  /** Index of the last change of an allocation that is known. */
  get newestAllocation(): number {
    let newest = 0;
    for (const { row } of this.#allocations.values()) newest = Math.max(newest, row.ModifyIndex);
    return newest;
  }

  /** The run of a Nomad job; undefined: unknown. */
  run(id: string): KnownRun | undefined {
    return this.#runs.get(id);
  }

  /** Why workers of a Nomad job wait; undefined: none do. */
  waiting(id: string): Waiting | undefined {
    return this.#waiting.get(id);
  }

  /** Allocations of a Nomad job. */
  allocations(id: string): readonly NomadAllocation[] {
    return [...(this.#placed.get(id) ?? [])].flatMap((one) => this.#allocations.get(one)?.row ?? []);
  }

  /** The allocation `handle` names; undefined: unknown. */
  allocation(handle: string): NomadAllocation | undefined {
    return this.#allocations.get(handle)?.row;
  }

  /** Workers of a job, those that are not placed included. */
  workersOf(job: JobId, run?: RunId): readonly WorkerView[] {
    const ids = [...(this.#byJob.get(job) ?? [])];
    const runs = ids.flatMap((id) => this.#runs.get(id) ?? []).filter(({ key }) => run === undefined || key.run === run);
    return runs.sort((a, b) => (a.key.fence < b.key.fence ? -1 : 1)).flatMap((known) => this.workersOfRun(known));
  }

  /** Workers of one run. */
  workersOfRun(known: KnownRun): readonly WorkerView[] {
    const rows = [...this.allocations(known.id)].sort((a, b) => a.CreateTime - b.CreateTime || (a.Name < b.Name ? -1 : 1));
    const views = rows.map((row) => workerView(row, this.#setting(known, row.ID)));
    if (known.stopped || known.status === "dead") return views;
    const names = new Set(rows.map(({ Name }) => Name));
    const note = this.#waiting.get(known.id)?.reason ?? "is being placed";
    const open = Array.from({ length: known.workers }, (_, index) => index).filter((i) => !names.has(`${known.id}.${WORKER_NAME}[${i}]`));
    return [...views, ...open.map((index) => unplacedView(known.id, index, this.#setting(known, undefined), note))];
  }

  /** A run that this process has just started: everything of it is news. */
  started(run: KnownRun): void {
    this.#own.set(run.id, run.index);
    this.#putRun(run);
  }

  /** A run that this process has just stopped. */
  stopped(id: string): void {
    const run = this.#runs.get(id);
    if (run !== undefined) this.#runs.set(id, { ...run, stopped: true });
    this.#waiting.delete(id);
  }

  /** A complete list of our jobs as of `index`. */
  setJobs(rows: readonly NomadJobState[], index: number): readonly SchedulerEvent[] {
    const listed = new Set(rows.map(({ ID }) => ID));
    for (const known of this.runs) if (!listed.has(known.id) && known.index <= index) this.#dropRun(known.id);
    this.#listedJobsIndex = index;
    return rows.flatMap((row) => this.putJob(row, true));
  }

  /** A job; `listed` as with allocations. */
  putJob(row: NomadJobState, listed = false): readonly SchedulerEvent[] {
    const meta = row.ID.startsWith(JOB_PREFIX) ? runOfMeta(row.Meta, this.#options.clusterId) : undefined;
    const known = this.#runs.get(row.ID);
    if (meta === undefined || (known !== undefined && known.index > row.ModifyIndex)) return [];
    if (known === undefined && !listed && row.ModifyIndex <= this.#listedJobsIndex) return [];
    this.#putRun({
      id: row.ID,
      name: row.Name,
      key: meta.key,
      workers: meta.workers,
      slots: meta.slots,
      status: row.Status,
      stopped: row.Stop,
      // Nomad changes it when the job is stopped.
      submittedAtMs: known?.submittedAtMs ?? (row.SubmitTime === 0 ? undefined : nomadTimeMs(row.SubmitTime)),
      index: row.ModifyIndex,
    });
    if (known === undefined) return this.allocations(row.ID).flatMap((allocation) => this.#tell(allocation.ID));
    return this.#placement(row.ID);
  }

  /** A job that Nomad has forgotten. */
  dropJob(id: string): void {
    this.#dropRun(id);
  }

  /** A complete list of our allocations as of `index`, or of those of one Nomad job. */
  setAllocations(rows: readonly NomadAllocation[], index: number, nomadJob?: string): readonly SchedulerEvent[] {
    const listed = new Set(rows.map(({ ID }) => ID));
    const candidates = nomadJob === undefined ? [...this.#allocations.values()].map(({ row }) => row) : this.allocations(nomadJob);
    const gone = candidates.filter((row) => !listed.has(row.ID) && row.ModifyIndex <= index);
    if (nomadJob === undefined) this.#listedIndex = index;
    return [...gone.flatMap((row) => this.#forget(row)), ...rows.flatMap((row) => this.putAllocation(row, true))];
  }

  /** An allocation; `listed` by Nomad, or of an event that may be older than what is known of all. */
  putAllocation(row: NomadAllocation, listed = false): readonly SchedulerEvent[] {
    if (!row.JobID.startsWith(JOB_PREFIX)) return [];
    const known = this.#allocations.get(row.ID);
    if (known !== undefined && known.row.ModifyIndex >= row.ModifyIndex) return [];
    if (known === undefined && !listed && row.ModifyIndex <= this.#listedIndex) return [];
    const old = !this.#isNews(row);
    const fresh = known ?? { told: undefined, exitTold: old && phaseOf(row) === "exited", newestEvent: old ? newestEvent(row) : 0 };
    this.#allocations.set(row.ID, { ...fresh, row });
    const placed = this.#placed.get(row.JobID) ?? new Set();
    this.#placed.set(row.JobID, placed.add(row.ID));
    return [...this.#tell(row.ID), ...this.#evicted(row, known?.row), ...(known === undefined ? this.#placement(row.JobID) : [])];
  }

  /** A complete list of evaluations that are blocked or have failed. */
  setEvaluations(rows: readonly NomadEvaluation[]): readonly SchedulerEvent[] {
    return rows.flatMap((row) => this.putEvaluation(row));
  }

  /** An evaluation. */
  putEvaluation(row: NomadEvaluation): readonly SchedulerEvent[] {
    const run = this.#runs.get(row.JobID);
    if (run === undefined) return [];
    const metric = row.FailedTGAllocs[WORKER_NAME];
    const known = this.#failures.get(row.JobID);
    const counts = (metric !== undefined || row.Status === "complete") && (known?.index ?? 0) <= row.ModifyIndex;
    if (counts) this.#failures.set(row.JobID, { index: row.ModifyIndex, metric });
    return [...(counts ? this.#placement(row.JobID) : []), ...this.#toldEvaluation(row, run.key)];
  }

  /** A complete list of nodes as of `index`. */
  setNodes(rows: readonly NomadNode[], index: number): readonly SchedulerEvent[] {
    const listed = new Set(rows.map(({ ID }) => ID));
    for (const node of this.nodes) if (!listed.has(node.ID) && node.ModifyIndex <= index) this.#nodes.delete(node.ID);
    return rows.flatMap((row) => this.putNode(row));
  }

  /** A node. Lists say nothing of a drain's deadline and events nothing of usage: what is known already stays. */
  putNode(row: NomadNode): readonly SchedulerEvent[] {
    const known = this.#nodes.get(row.ID);
    if (known !== undefined && known.ModifyIndex > row.ModifyIndex) return [];
    const strategy = row.DrainStrategy ?? (row.Drain ? known?.DrainStrategy : undefined);
    this.#nodes.set(row.ID, {
      ...row,
      DrainStrategy: strategy,
      NodeResources: row.NodeResources?.Cpu?.CpuShares === undefined ? known?.NodeResources : row.NodeResources,
      Version: row.Version || row.Attributes["nomad.version"] || known?.Version || "",
      Address: row.Address || known?.Address || row.HTTPAddr.replace(/:\d+$/, ""),
    });
    if (!row.Drain) this.#drained.delete(row.ID);
    return row.Drain ? this.#draining(row.ID) : [];
  }

  /** Nodes that are drained by a deadline that is not known. */
  drainsWithoutDeadline(): readonly string[] {
    return this.nodes.filter((node) => node.Drain && node.DrainStrategy === undefined).map(({ ID }) => ID);
  }

  /** The first complete look, as of `index`, is over: what is newer is news. Drains that were found are told. */
  settle(index: number): readonly SchedulerEvent[] {
    this.#settled = true;
    this.#baseline = index;
    return this.nodes.flatMap((node) => (node.Drain ? this.#draining(node.ID) : []));
  }

  /** Nomad's indexes have gone back (its state was restored from a snapshot): what is listed next counts, whatever its index. */
  forgetIndexes(): void {
    for (const [id, known] of this.#allocations) this.#allocations.set(id, { ...known, row: { ...known.row, ModifyIndex: 0 } });
    for (const [id, run] of this.#runs) this.#runs.set(id, { ...run, index: 0 });
    for (const [id, node] of this.#nodes) this.#nodes.set(id, { ...node, ModifyIndex: 0 });
    this.#failures.clear();
    this.#baseline = 0;
    this.#listedIndex = 0;
    this.#listedJobsIndex = 0;
  }

  #isNews({ JobID, ModifyIndex }: { readonly JobID: string; readonly ModifyIndex: number }): boolean {
    return ModifyIndex >= (this.#own.get(JobID) ?? Number.POSITIVE_INFINITY) || (this.#settled && ModifyIndex > this.#baseline);
  }

  #putRun(run: KnownRun): void {
    this.#runs.set(run.id, run);
    const ids = this.#byJob.get(run.key.job) ?? new Set();
    this.#byJob.set(run.key.job, ids.add(run.id));
  }

  #dropRun(id: string): void {
    const run = this.#runs.get(id);
    if (run === undefined) return;
    this.#runs.delete(id);
    this.#waiting.delete(id);
    this.#failures.delete(id);
    this.#own.delete(id);
    const ids = this.#byJob.get(run.key.job);
    ids?.delete(id);
    if (ids?.size === 0) this.#byJob.delete(run.key.job);
  }

  #setting(run: KnownRun, allocation: string | undefined): WorkerSetting {
    const link = allocation === undefined ? undefined : this.#options.allocationLink(allocation);
    return { key: run.key, slots: run.slots, link };
  }

  /** What observers have not heard of an allocation yet. */
  #tell(id: string): readonly SchedulerEvent[] {
    const known = this.#allocations.get(id);
    const run = known === undefined ? undefined : this.#runs.get(known.row.JobID);
    if (known === undefined || run === undefined) return [];
    const events: SchedulerEvent[] = toldOfTask(known.row, run.key, known.newestEvent);
    known.newestEvent = Math.max(known.newestEvent, newestEvent(known.row));
    if (known.exitTold) return events;
    const worker = workerView(known.row, this.#setting(run, id));
    const text = JSON.stringify(worker, (_key, value: unknown) => (typeof value === "bigint" ? String(value) : value));
    if (text === known.told) return events;
    known.told = text;
    known.exitTold = worker.phase === "exited";
    return [...events, { kind: "worker", worker }];
  }

  /** An allocation that Nomad has forgotten; if its end was not seen, this is it. */
  #forget(row: NomadAllocation): readonly SchedulerEvent[] {
    const known = this.#allocations.get(row.ID);
    const run = this.#runs.get(row.JobID);
    this.#allocations.delete(row.ID);
    const placed = this.#placed.get(row.JobID);
    placed?.delete(row.ID);
    if (placed?.size === 0) this.#placed.delete(row.JobID);
    if (known === undefined || known.exitTold || run === undefined) return [];
    const reason = "Nomad has forgotten the allocation";
    const exit = { code: undefined, signal: undefined, outOfMemory: false, reason };
    return [{ kind: "worker", worker: { ...workerView(row, this.#setting(run, row.ID)), phase: "exited", exit, note: reason } }];
  }

  /** Whether workers of a Nomad job wait for a place, if that is not what was told last. */
  #placement(id: string): readonly SchedulerEvent[] {
    const run = this.#runs.get(id);
    if (run === undefined) return [];
    const known = this.#waiting.get(id);
    const names = new Set(this.allocations(id).map(({ Name }) => Name));
    const metric = this.#failures.get(id)?.metric;
    const waits = !run.stopped && metric !== undefined;
    const missing = waits ? Math.max(0, run.workers - names.size) : 0;
    if (missing === 0) {
      this.#waiting.delete(id);
      return known === undefined || run.stopped ? [] : [{ kind: "placement", run: run.key, missing: 0, reason: "" }];
    }
    const reason = placementReason(missing, run.workers, metric);
    if (known?.missing === missing && known.reason === reason) return [];
    this.#waiting.set(id, { missing, reason, sinceMs: known?.sinceMs ?? this.#options.nowMs() });
    return [{ kind: "placement", run: run.key, missing, reason }];
  }

  #toldEvaluation(row: NomadEvaluation, key: RunKey): readonly SchedulerEvent[] {
    if (this.#toldEvaluations.get(row.ID) === row.Status) return [];
    this.#toldEvaluations.set(row.ID, row.Status);
    for (const id of this.#toldEvaluations.keys()) {
      if (this.#toldEvaluations.size <= 10_000) break;
      this.#toldEvaluations.delete(id);
    }
    return this.#isNews(row) ? toldOfEvaluation(row, key, this.#runs.get(row.JobID)?.workers ?? 0) : [];
  }

  /** An allocation that has to make place for a more important one. */
  #evicted(row: NomadAllocation, before: NomadAllocation | undefined): readonly SchedulerEvent[] {
    const run = this.#runs.get(row.JobID);
    if (run === undefined || row.DesiredStatus !== "evict" || before?.DesiredStatus === "evict" || phaseOf(row) === "exited") return [];
    const by = row.PreemptedByAllocation === "" ? "a more important job" : `allocation ${row.PreemptedByAllocation.slice(0, 8)}`;
    const reason = `allocation ${row.ID.slice(0, 8)} on node ${row.NodeName} is preempted by ${by}`;
    return [{ kind: "drain", node: row.NodeID, runs: [run.key], deadlineMs: this.#options.killTimeoutMs, reason }];
  }

  /** Runs on a draining node that have not been told. */
  #draining(node: string): readonly SchedulerEvent[] {
    if (!this.#settled) return [];
    const told = this.#drained.get(node) ?? new Set<string>();
    this.#drained.set(node, told);
    const runs: RunKey[] = [];
    for (const { row } of this.#allocations.values()) {
      const run = this.#runs.get(row.JobID);
      if (row.NodeID !== node || run === undefined || run.stopped || told.has(row.JobID) || phaseOf(row) === "exited") continue;
      told.add(row.JobID);
      runs.push(run.key);
    }
    if (runs.length === 0) return [];
    const deadline = drainDeadlineMs(this.#nodes.get(node));
    return [{ kind: "drain", node, runs, deadlineMs: deadline === undefined ? undefined : Math.max(0, deadline - this.#options.nowMs()) }];
  }
}

/** Wall time at which what is left on a draining node is stopped; undefined: not draining, or there is no limit. */
export function drainDeadlineMs(node: NomadNode | undefined): number | undefined {
  const at = Date.parse(node?.DrainStrategy?.ForceDeadline ?? "");
  return Number.isFinite(at) && at > 0 ? at : undefined;
}

function newestEvent(row: NomadAllocation): number {
  return Math.max(0, ...(row.TaskStates[WORKER_NAME]?.Events ?? []).map(({ Time }) => Time));
}
