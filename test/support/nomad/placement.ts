/**
 * Which node an allocation goes to, or why none will do: constraints and drivers filter, resources and ports exhaust, scores choose. The order of
 * the checks and the names under which they are counted are those of the servers' scheduler; every feasible node is scored, not a sample of them.
 */
import { randomInt } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Cluster } from "./cluster.ts";
import { computedClass, constraintName, escapesClass, meets, resolveTarget } from "./constraints.ts";
import type { ClientNode } from "./node-records.ts";
import type { Allocation, AllocationMetric, Constraint, Job, PlacedPort, Placement, TaskGroup } from "./records.ts";
import { holds, NodeUsage, type Usage } from "./usage.ts";

/** Range of dynamic ports. */
export const DYNAMIC_PORTS = { first: 20_000, last: 32_000 };

/** What the group's tasks need in all. */
interface Need {
  readonly cpu: number;
  readonly cores: number;
  readonly memoryMb: number;
  readonly diskMb: number;
}

/** Where an allocation goes. */
export interface Chosen {
  readonly node: ClientNode;
  readonly placement: Placement;
  readonly metric: AllocationMetric;
  /** Allocations of lower priority that have to go for it. */
  readonly preempted?: readonly Allocation[];
}

/** A job may take the place of those whose priority is lower by so much at least. */
const PREEMPTION_GAP = 10;

interface Counts {
  readonly filtered: Map<string, number>;
  readonly classFiltered: Map<string, number>;
  readonly exhausted: Map<string, number>;
  readonly classExhausted: Map<string, number>;
  evaluated: number;
  nodesFiltered: number;
  nodesExhausted: number;
}

function count(map: Map<string, number>, key: string): void {
  map.set(key, (map.get(key) ?? 0) + 1);
}

function orNull(map: ReadonlyMap<string, number>): Record<string, number> | null {
  return map.size === 0 ? null : Object.fromEntries(map);
}

function needOf(group: TaskGroup): Need {
  let [cpu, cores, memoryMb] = [0, 0, 0];
  for (const { Resources } of group.Tasks) {
    cpu += Resources.Cores > 0 ? 0 : Resources.CPU;
    cores += Resources.Cores;
    memoryMb += Resources.MemoryMB;
  }
  return { cpu, cores, memoryMb, diskMb: group.EphemeralDisk.SizeMB };
}

/** Ports that anybody on this machine listens on: real tasks share it with everything else. */
function portsInUse(): Set<number> {
  const used = new Set<number>();
  for (const path of ["/proc/net/tcp", "/proc/net/tcp6"]) {
    let text = "";
    try {
      text = readFileSync(path, "utf8");
    } catch {
      // Not Linux, or no IPv6.
    }
    for (const line of text.split("\n").slice(1)) {
      const port = /^\s*\d+: [0-9A-F]+:([0-9A-F]{4}) /.exec(line)?.[1];
      if (port !== undefined) used.add(Number.parseInt(port, 16));
    }
  }
  return used;
}

/** Places allocations of one job, each seeing those placed before it. */
export class Placer {
  readonly #cluster: Cluster;
  readonly #job: Job;
  readonly #nodes: readonly ClientNode[];
  readonly #usages = new Map<string, NodeUsage>();
  readonly #refusals = new Map<string, string | undefined>();
  #peersNow: readonly Allocation[] = [];
  readonly #added: Allocation[] = [];
  readonly #removed = new Set<string>();
  #inUse: Set<number> | undefined;

  constructor(cluster: Cluster, job: Job) {
    this.#cluster = cluster;
    this.#job = job;
    const all = [...cluster.state.nodes.values()].filter(({ Status, Drain, SchedulingEligibility }) => {
      return Status === "ready" && !Drain && SchedulingEligibility === "eligible";
    });
    const pool = all.filter((node) => job.NodePool === "all" || node.NodePool === job.NodePool);
    this.#nodes = pool.filter((node) => job.Datacenters.some((pattern) => globFits(pattern, node.Datacenter)));
  }

  /** Takes an allocation that will be stopped out of the reckoning. */
  release(allocation: Allocation): void {
    this.#removed.add(allocation.ID);
    if (holds(allocation)) this.#touch(allocation.NodeID).count(allocation, -1);
  }

  /** Counts an allocation that was placed in this pass. */
  add(allocation: Allocation): void {
    this.#added.push(allocation);
    this.#touch(allocation.NodeID).count(allocation, 1);
  }

  /** Sums of a node that this pass changes. */
  #touch(node: string): NodeUsage {
    const known = this.#usages.get(node);
    if (known !== undefined) return known;
    const made = new NodeUsage(this.#cluster.state.usage.of(node));
    this.#usages.set(node, made);
    return made;
  }

  /** What is held on a node, with what this pass has added and released. */
  #usage({ ID }: ClientNode): Usage {
    return this.#usages.get(ID) ?? this.#cluster.state.usage.of(ID);
  }

  /** Allocations of this job's group that are or will be on any node. */
  #peers(group: TaskGroup): Allocation[] {
    const all = this.#cluster.state.allocationsOfJob(this.#job.Namespace, this.#job.ID);
    const live = all.filter(
      (one) => one.DesiredStatus === "run" && !this.#removed.has(one.ID) && !["complete", "failed", "lost"].includes(one.ClientStatus),
    );
    return [...live, ...this.#added].filter(({ TaskGroup }) => TaskGroup === group.Name);
  }

  /** The node for one more allocation of `group`, or the metric that says why there is none. `avoid`: where it failed before; `only`: no other will do. */
  choose(group: TaskGroup, avoid: string | undefined, only?: string): Chosen | AllocationMetric {
    const counts: Counts = {
      filtered: new Map(),
      classFiltered: new Map(),
      exhausted: new Map(),
      classExhausted: new Map(),
      evaluated: 0,
      nodesFiltered: 0,
      nodesExhausted: 0,
    };
    const need = needOf(group);
    this.#peersNow = this.#peers(group);
    const classes = new Map<string, string | undefined>();
    const candidates: { node: ClientNode; placement: Placement; score: number; scores: Record<string, number> }[] = [];
    for (const node of this.#nodes) {
      if (only !== undefined && node.ID !== only) continue;
      counts.evaluated += 1;
      const refusal = this.#refusal(group, node, classes);
      if (refusal !== undefined) {
        counts.nodesFiltered += 1;
        count(counts.filtered, refusal);
        if (node.NodeClass !== "") count(counts.classFiltered, node.NodeClass);
        continue;
      }
      const fit = this.#fit(group, node, need);
      if (typeof fit === "string") {
        counts.nodesExhausted += 1;
        count(counts.exhausted, fit);
        if (node.NodeClass !== "") count(counts.classExhausted, node.NodeClass);
        continue;
      }
      const scores = this.#scores(group, node, need, avoid);
      const values = Object.values(scores);
      candidates.push({ node, placement: fit, score: values.reduce((sum, one) => sum + one, 0) / values.length, scores });
    }
    candidates.sort((left, right) => right.score - left.score);
    const best = candidates.filter(({ score }) => score === candidates[0]?.score);
    const chosen = best[best.length > 1 ? randomInt(best.length) : 0];
    const metric = this.#metric(counts, group, need, candidates);
    return chosen === undefined ? metric : { node: chosen.node, placement: chosen.placement, metric };
  }

  /**
   * The node for one more allocation of `group` if allocations of jobs of lower priority go: the fewest, those of the lowest priority first.
   * Undefined: that is switched off for jobs of this type, or it would not help. They are released.
   */
  preempt(group: TaskGroup, metric: AllocationMetric): Chosen | undefined {
    const { configuration } = this.#cluster.state;
    const type = { service: "Service", batch: "Batch", system: "System", sysbatch: "SysBatch" }[this.#job.Type] ?? "";
    if (configuration.PreemptionConfig[`${type}SchedulerEnabled`] !== true) return undefined;
    const need = needOf(group);
    const classes = new Map<string, string | undefined>();
    const found: (Chosen & { readonly preempted: readonly Allocation[] })[] = [];
    for (const node of this.#nodes) {
      if (this.#refusal(group, node, classes) !== undefined) continue;
      const chosen = this.#victims(group, node, need);
      if (chosen !== undefined) found.push({ node, metric, ...chosen });
    }
    const cost = ({ preempted }: { readonly preempted: readonly Allocation[] }) =>
      preempted.reduce((sum, { Job }) => sum + Job.Priority, 0);
    const best = found.sort((left, right) => cost(left) - cost(right))[0];
    for (const allocation of best?.preempted ?? []) this.release(allocation);
    return best;
  }

  /** Who would have to leave a node; what was tried is put back. */
  #victims(group: TaskGroup, node: ClientNode, need: Need): { placement: Placement; preempted: Allocation[] } | undefined {
    const usage = this.#touch(node.ID);
    const weak = this.#cluster.state
      .allocationsOfNode(node.ID)
      .filter((one) => holds(one) && one.DesiredStatus === "run" && !this.#removed.has(one.ID))
      .filter(({ Job }) => Job.Priority + PREEMPTION_GAP <= this.#job.Priority)
      .sort((left, right) => left.Job.Priority - right.Job.Priority);
    const gone: Allocation[] = [];
    let fit = this.#fit(group, node, need);
    while (typeof fit === "string" && weak.length > 0) {
      const next = weak.shift() as Allocation;
      usage.count(next, -1);
      gone.push(next);
      fit = this.#fit(group, node, need);
    }
    // Those that need not have gone stay.
    for (const one of [...gone].reverse()) {
      usage.count(one, 1);
      const without = this.#fit(group, node, need);
      if (typeof without === "string") usage.count(one, -1);
      else {
        fit = without;
        gone.splice(gone.indexOf(one), 1);
      }
    }
    for (const one of gone) usage.count(one, 1);
    return typeof fit === "string" ? undefined : { placement: fit, preempted: gone };
  }

  #metric(
    counts: Counts,
    group: TaskGroup,
    need: Need,
    candidates: readonly { node: ClientNode; score: number; scores: Record<string, number> }[],
  ): AllocationMetric {
    const available: Record<string, number> = {};
    for (const { Datacenter } of this.#nodes) available[Datacenter] = (available[Datacenter] ?? 0) + 1;
    const exhausted = counts.nodesExhausted === 0 ? null : this.#exhaustedResources(counts, group, need);
    return {
      AllocationTime: 20_000 + counts.evaluated * 1000,
      ClassExhausted: orNull(counts.classExhausted),
      ClassFiltered: orNull(counts.classFiltered),
      CoalescedFailures: 0,
      ConstraintFiltered: orNull(counts.filtered),
      DimensionExhausted: orNull(counts.exhausted),
      NodePool: this.#job.NodePool,
      NodesAvailable: available,
      NodesEvaluated: counts.evaluated,
      NodesExhausted: counts.nodesExhausted,
      NodesFiltered: counts.nodesFiltered,
      // Real servers count only those of the job's data centres.
      NodesInPool: this.#nodes.length,
      QuotaExhausted: null,
      ResourcesExhausted: exhausted,
      ScoreMetaData:
        candidates.length === 0
          ? null
          : candidates.slice(0, 5).map(({ node, score, scores }) => ({ NodeID: node.ID, NormScore: score, Scores: scores })),
      Scores: null,
    };
  }

  #exhaustedResources(counts: Counts, group: TaskGroup, need: Need): Record<string, unknown> {
    const blank = {
      CPU: 0,
      Cores: 0,
      Devices: null,
      DiskMB: 0,
      IOPS: 0,
      MemoryMB: 0,
      MemoryMaxMB: 0,
      NUMA: null,
      Networks: null,
      SecretsMB: 0,
    };
    const task = group.Tasks[0]?.Name ?? "";
    const memory = counts.exhausted.has("memory") ? need.memoryMb : 0;
    const cpu = counts.exhausted.has("cpu") ? need.cpu : 0;
    return { [task]: { ...blank, CPU: cpu, MemoryMB: memory, Cores: counts.exhausted.has("cores") ? need.cores : 0 } };
  }

  /** Why the node is filtered; undefined: it is not. */
  #refusal(group: TaskGroup, node: ClientNode, classes: Map<string, string | undefined>): string | undefined {
    const all = [
      ...(this.#job.Constraints ?? []),
      ...(group.Constraints ?? []),
      ...group.Tasks.flatMap(({ Constraints }) => Constraints ?? []),
    ];
    const escaped = all.some(escapesClass);
    const kind = computedClass(node);
    if (!escaped && classes.has(kind)) {
      if (classes.get(kind) !== undefined) return "computed class ineligible";
    } else {
      const key = `${group.Name} ${escaped ? node.ID : kind}`;
      if (!this.#refusals.has(key)) this.#refusals.set(key, refusalByClass(this.#job, group, node));
      const refusal = this.#refusals.get(key);
      classes.set(kind, refusal);
      if (refusal !== undefined) return refusal;
    }
    return this.#refusalByPeers(node, all);
  }

  #refusalByPeers(node: ClientNode, constraints: readonly Constraint[]): string | undefined {
    const peers = this.#peersNow;
    for (const constraint of constraints) {
      if (constraint.Operand === "distinct_hosts" && constraint.RTarget !== "false" && peers.some(({ NodeID }) => NodeID === node.ID)) {
        return "distinct_hosts";
      }
      if (constraint.Operand !== "distinct_property") continue;
      const value = resolveTarget(constraint.LTarget, node);
      const limit = constraint.RTarget === "" ? 1 : Number(constraint.RTarget);
      const used = peers.filter(({ NodeID }) => {
        const other = this.#cluster.state.nodes.get(NodeID);
        return other !== undefined && resolveTarget(constraint.LTarget, other) === value;
      });
      if (value === undefined) return `missing property "${constraint.LTarget.slice(2, -1)}"`;
      if (used.length >= limit) return `distinct_property: ${constraint.LTarget}=${value} used by ${used.length} allocs`;
    }
    return undefined;
  }

  /** What the group gets on the node, or the dimension that is exhausted. */
  #fit(group: TaskGroup, node: ClientNode, need: Need): Placement | string {
    const ports = this.#ports(group, node);
    if (typeof ports === "string") return ports;
    const there = this.#usage(node);
    const perCore = Math.floor(node.CpuShares / node.CpuCores);
    const freeCores = Array.from({ length: node.CpuCores }, (_, index) => index).filter((core) => !there.cores.has(core));
    if (need.cores > freeCores.length) return "cores";
    const cpu = need.cpu + need.cores * perCore;
    if (there.cpu + cpu > node.CpuShares) return "cpu";
    if (there.memoryMb + need.memoryMb > node.MemoryMB) return "memory";
    if (there.diskMb + need.diskMb > node.DiskMB) return "disk";
    const cores: Record<string, readonly number[]> = {};
    const cpuShares: Record<string, number> = {};
    for (const { Name, Resources } of group.Tasks) {
      if (Resources.Cores > 0) cores[Name] = freeCores.splice(0, Resources.Cores);
      cpuShares[Name] = Resources.Cores > 0 ? Resources.Cores * perCore : Resources.CPU;
    }
    return { cpuShares, cores, ports };
  }

  #ports(group: TaskGroup, node: ClientNode): PlacedPort[] | string {
    const { phantom } = this.#cluster.options;
    // Phantom tasks listen nowhere, so that ports count per node as on different machines; real tasks of all nodes share this machine.
    const neighbours = phantom ? [node] : [...this.#cluster.state.nodes.values()].filter(({ Address }) => Address === node.Address);
    const mine = new Set<number>();
    const taken = (port: number) =>
      mine.has(port) || neighbours.some((one) => one.ReservedPorts.includes(port) || this.#usage(one).ports.has(port));
    const placed: PlacedPort[] = [];
    for (const { DynamicPorts, ReservedPorts } of group.Networks ?? []) {
      for (const { Label, Value, To } of ReservedPorts ?? []) {
        if (taken(Value)) return `network: reserved port collision ${Label}=${Value}`;
        mine.add(Value);
        placed.push({ Label, Value, To, HostIP: node.Address });
      }
      for (const { Label, To } of DynamicPorts ?? []) {
        const value = this.#freePort(taken);
        if (value === undefined) return "network: dynamic port selection failed";
        mine.add(value);
        placed.push({ Label, Value: value, To, HostIP: node.Address });
      }
    }
    return placed;
  }

  #freePort(taken: (port: number) => boolean): number | undefined {
    if (!this.#cluster.options.phantom) this.#inUse ??= portsInUse();
    for (let attempt = 0; attempt < 20_000; attempt += 1) {
      const port = randomInt(DYNAMIC_PORTS.first, DYNAMIC_PORTS.last + 1);
      if (!taken(port) && !this.#inUse?.has(port)) return port;
    }
    return undefined;
  }

  #scores(group: TaskGroup, node: ClientNode, need: Need, avoid: string | undefined): Record<string, number> {
    const there = this.#usage(node);
    const freeCpu = 1 - (there.cpu + need.cpu) / node.CpuShares;
    const freeMemory = 1 - (there.memoryMb + need.memoryMb) / node.MemoryMB;
    const total = 10 ** freeCpu + 10 ** freeMemory;
    const raw = this.#cluster.state.configuration.SchedulerAlgorithm === "spread" ? total - 2 : 20 - total;
    const peers = this.#peersNow;
    const collisions = peers.filter(({ NodeID }) => NodeID === node.ID).length;
    const scores: Record<string, number> = { binpack: Math.min(18, Math.max(0, raw)) / 18 };
    if (collisions > 0) scores["job-anti-affinity"] = -(collisions + 1) / Math.max(1, group.Count);
    if (avoid === node.ID) scores["node-reschedule-penalty"] = -1;
    const affinities = [...(this.#job.Affinities ?? []), ...(group.Affinities ?? [])];
    const weight = affinities.reduce((sum, { Weight }) => sum + Math.abs(Weight), 0);
    const fitting = affinities.filter((one) => meets(node, one)).reduce((sum, { Weight }) => sum + Weight, 0);
    if (fitting !== 0) scores["node-affinity"] = fitting / weight;
    const spread = this.#spread(group, node, peers);
    if (spread !== 0) scores["allocation-spread"] = spread;
    return scores;
  }

  #spread(group: TaskGroup, node: ClientNode, peers: readonly Allocation[]): number {
    const spreads = [...(group.Spreads ?? []), ...(this.#job.Spreads ?? [])];
    const weights = spreads.reduce((sum, { Weight }) => sum + Weight, 0);
    let boost = 0;
    for (const { Attribute, Weight, SpreadTarget } of spreads) {
      const value = resolveTarget(Attribute, node);
      if (value === undefined) {
        boost -= 1;
        continue;
      }
      const counts = new Map<string, number>();
      for (const { NodeID } of peers) {
        const other = this.#cluster.state.nodes.get(NodeID);
        const theirs = other === undefined ? undefined : resolveTarget(Attribute, other);
        if (theirs !== undefined) count(counts, theirs);
      }
      const used = counts.get(value) ?? 0;
      const target = (SpreadTarget ?? []).find(({ Value }) => Value === value);
      if ((SpreadTarget ?? []).length > 0) {
        const desired = ((target?.Percent ?? 0) / 100) * group.Count;
        boost += desired === 0 ? -1 : ((desired - used - 1) / desired) * (Weight / weights);
      } else {
        const least = Math.min(...(counts.size === 0 ? [0] : counts.values()));
        const most = Math.max(0, ...counts.values());
        const even =
          used === 0 && counts.size > 0 ? 1 : used === least ? (most - least) / Math.max(1, least) : (least - used) / Math.max(1, least);
        boost += even * (Weight / Math.max(1, weights));
      }
    }
    return boost;
  }
}

/** What all nodes of a class have in common: constraints and drivers. */
function refusalByClass(job: Job, group: TaskGroup, node: ClientNode): string | undefined {
  const failed = (constraints: readonly Constraint[]) => constraints.find((one) => !meets(node, one));
  const ofJob = failed(job.Constraints ?? []);
  if (ofJob !== undefined) return constraintName(ofJob);
  for (const { Driver } of group.Tasks) {
    const driver = node.Drivers[Driver];
    if (driver === undefined || !driver.Detected || !driver.Healthy) return "missing drivers";
  }
  const ofGroup = failed([...(group.Constraints ?? []), ...group.Tasks.flatMap(({ Constraints }) => Constraints ?? [])]);
  if (ofGroup !== undefined) return constraintName(ofGroup);
  const mode = group.Networks?.[0]?.Mode;
  return mode === "bridge" && node.Attributes["plugins.cni.version.bridge"] === undefined ? "missing network" : undefined;
}

/** Whether `pattern` with `*` fits `text`. */
export function globFits(pattern: string, text: string): boolean {
  if (pattern === "*") return true;
  const escaped = pattern.replace(/[.+^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*");
  return new RegExp(`^${escaped}$`).test(text);
}
