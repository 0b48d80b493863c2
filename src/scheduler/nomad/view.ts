/** What people are shown of Nomad: runs and workers of the watched state, nodes with what is promised on them, links into Nomad's own UI. */
import type { Clock } from "../../core/clock.ts";
import type { NodeView, RunView, SchedulerLink, SchedulerView, ServiceView } from "../view.ts";
import type { NomadNode } from "./answers.ts";
import type { NomadClient } from "./client.ts";
import { type ClusterState, drainDeadlineMs, type KnownRun } from "./cluster-state.ts";
import type { NomadLinks } from "./links.ts";
import type { NomadConnection } from "./settings.ts";
import { readServices, readUsage, type Usage } from "./surroundings.ts";

/** What the view is made of. */
export interface NomadShowOptions {
  readonly client: NomadClient;
  readonly state: ClusterState;
  readonly links: NomadLinks;
  readonly clock: Clock;
  readonly connection: NomadConnection;
}

/** How well Nomad is seen. */
export interface Sight {
  readonly link: SchedulerLink;
  readonly trouble: string;
  readonly syncedAtMs: number | undefined;
}

/** What is around our own jobs is read at most this often, and only while somebody looks. */
const SURROUNDINGS_MS = 15_000;
const MIB = 2 ** 20;

/** See the file's comment. */
export class NomadShow {
  readonly #options: NomadShowOptions;
  #usage: ReadonlyMap<string, Usage> = new Map();
  #services: readonly ServiceView[] = [];
  #leader = "";
  #region = "";
  #readAtMs = Number.NEGATIVE_INFINITY;
  #reading: Promise<void> | undefined;

  constructor(options: NomadShowOptions) {
    this.#options = options;
  }

  /** The view. Never throws. */
  async view({ link, trouble, syncedAtMs }: Sight): Promise<SchedulerView> {
    const { state, client, links, connection, clock } = this.#options;
    if (link !== "down" && clock.elapsedMs() - this.#readAtMs > SURROUNDINGS_MS) {
      this.#reading ??= this.#read().finally(() => {
        this.#reading = undefined;
      });
      await this.#reading;
    }
    const nodes = state.nodes;
    const versions = [...new Set(nodes.map(({ Version }) => Version).filter((version) => version !== ""))].sort();
    return {
      scheduler: "nomad",
      link,
      trouble,
      version: versions.join(", "),
      place: {
        address: client.address,
        leader: this.#leader,
        region: connection.region ?? this.#region,
        namespace: connection.namespace,
      },
      syncedAtMs,
      nodes: nodes.map((node) => nodeView(node, this.#usage.get(node.ID), links)),
      runs: state.runs.map((run) => runView(run, state, links)),
      workers: state.runs.flatMap((run) => state.workersOfRun(run)),
      services: this.#services,
    };
  }

  /** What is not readable stays as it was: the view says how old the rest is. */
  async #read(): Promise<void> {
    const { client, links, clock } = this.#options;
    this.#readAtMs = clock.elapsedMs();
    const [usage, services, leader, regions] = await Promise.allSettled([
      readUsage(client),
      readServices(client, links),
      client.call({ path: "/v1/status/leader" }),
      client.call({ path: "/v1/regions" }),
    ]);
    if (usage.status === "fulfilled") this.#usage = usage.value;
    if (services.status === "fulfilled") this.#services = services.value;
    const known = regions.status === "fulfilled" ? regions.value.body : undefined;
    if (Array.isArray(known) && known.length === 1) this.#region = String(known[0]);
    if (leader.status === "fulfilled") this.#leader = String(leader.value.body ?? "");
  }
}

function runView(run: KnownRun, state: ClusterState, links: NomadLinks): RunView {
  const waiting = state.waiting(run.id);
  return {
    ...run.key,
    name: run.id,
    workers: run.workers,
    missing: waiting?.missing ?? 0,
    reason: waiting?.reason ?? "",
    waitingSinceMs: waiting?.sinceMs,
    status: run.stopped && run.status !== "dead" ? "stopping" : run.status,
    submittedAtMs: run.submittedAtMs,
    link: links.job(run.id),
  };
}

function nodeView(node: NomadNode, used: Usage | undefined, links: NomadLinks): NodeView {
  const cpu = (node.NodeResources?.Cpu?.CpuShares ?? 0) - (node.ReservedResources?.Cpu?.CpuShares ?? 0);
  const memory = (node.NodeResources?.Memory?.MemoryMB ?? 0) - (node.ReservedResources?.Memory?.MemoryMB ?? 0);
  const drivers = Object.entries(node.Drivers).flatMap(([name, { Detected, Healthy }]) => (Detected && Healthy ? [name] : []));
  return {
    id: node.ID,
    name: node.Name,
    address: node.Address || node.HTTPAddr,
    pool: node.NodePool,
    zone: node.Attributes["platform.aws.placement.availability-zone"] ?? node.Datacenter,
    state: nodeState(node),
    drainDeadlineMs: drainDeadlineMs(node),
    cpu: cpu > 0 ? { total: cpu, used: used?.mhz ?? 0 } : undefined,
    memory: memory > 0 ? { total: memory * MIB, used: (used?.memoryMb ?? 0) * MIB } : undefined,
    slots: undefined,
    release: node.Version,
    attributes: {
      datacenter: node.Datacenter,
      class: node.NodeClass,
      drivers: drivers.sort().join(", "),
      cpu: "MHz",
      cores: String(node.NodeResources?.Cpu?.TotalCpuCores ?? ""),
    },
    link: links.node(node.ID),
  };
}

function nodeState({ Status, Drain, SchedulingEligibility }: NomadNode): NodeView["state"] {
  if (Status !== "ready") return "lost";
  if (Drain) return "draining";
  return SchedulingEligibility === "eligible" ? "ready" : "ineligible";
}
