/**
 * What the servers do about client nodes: registration, reports of clients, missed heartbeats, coming back, eligibility, drains. A drain moves
 * allocations of services at once and leaves those of batch jobs until its deadline, as the servers' drainer does.
 */
import { randomUUID } from "node:crypto";
import { arch } from "node:os";
import type { ClientReport } from "./allocation-runner.ts";
import { atLeast, type Cluster, goTime, type NodeOptions } from "./cluster.ts";
import { withHealth } from "./deployments.ts";
import { type Evaluator, refreshJob } from "./evaluator.ts";
import type { ClientNode, Driver } from "./node-records.ts";
import { type Allocation, clientTerminal, groupOf, serverTerminal } from "./records.ts";
import { jobKey, type Write } from "./state.ts";

const ALL_DRIVERS = ["docker", "exec", "java", "mock_driver", "qemu", "raw_exec"];
const SIGNALS =
  "SIGABRT,SIGALRM,SIGBUS,SIGCHLD,SIGCONT,SIGFPE,SIGHUP,SIGILL,SIGINT,SIGIO,SIGIOT,SIGKILL,SIGNULL,SIGPIPE,SIGPROF,SIGQUIT,SIGSEGV,SIGSTOP,SIGSYS,SIGTERM,SIGTRAP,SIGTSTP,SIGTTIN,SIGTTOU,SIGURG,SIGUSR1,SIGUSR2,SIGWINCH,SIGXCPU,SIGXFSZ";
const ZERO_TIME = "0001-01-01T00:00:00Z";
const EVENTS_KEPT = 10;

/** A node that has just registered. */
export function makeNode(cluster: Cluster, options: NodeOptions, number: number): ClientNode {
  const version = options.version ?? cluster.options.version;
  const name = options.name ?? `client-${number}`;
  const address = options.address ?? "127.0.0.1";
  const cores = options.cpuCores ?? 4;
  const mhz = options.cpuMhz ?? cores * 2600;
  const memory = options.memoryMb ?? 8192;
  const healthy = options.drivers ?? ["docker", "exec", "raw_exec"];
  const updated = goTime(cluster.state.nowMs());
  const driver = (kind: string): Driver => ({
    Attributes: healthy.includes(kind) ? { [`driver.${kind}`]: "true" } : {},
    Detected: healthy.includes(kind),
    Healthy: healthy.includes(kind),
    HealthDescription: healthy.includes(kind) ? "Healthy" : kind === "docker" ? "Failed to connect to docker daemon" : "",
    UpdateTime: updated,
  });
  const kinds = [...new Set([...ALL_DRIVERS, ...healthy])];
  const attributes: Record<string, string> = {
    "kernel.name": "linux",
    "kernel.arch": arch() === "arm64" ? "aarch64" : "x86_64",
    "cpu.arch": arch() === "arm64" ? "arm64" : "amd64",
    "cpu.numcores": String(cores),
    "cpu.totalcompute": String(mhz),
    "cpu.usablecompute": String(mhz),
    "cpu.reservablecores": String(cores),
    "memory.totalbytes": String(memory * 1024 * 1024),
    "nomad.version": version,
    "nomad.service_discovery": "true",
    "os.name": "debian",
    "os.signals": SIGNALS,
    "unique.hostname": name,
    "unique.network.ip-address": address,
    ...Object.fromEntries(healthy.map((kind) => [`driver.${kind}`, "1"])),
    ...options.attributes,
  };
  return {
    ID: options.id ?? randomUUID(),
    Name: name,
    Address: address,
    Datacenter: options.datacenter ?? "dc1",
    NodePool: options.nodePool ?? "default",
    NodeClass: options.nodeClass ?? "",
    Attributes: attributes,
    Meta: options.meta ?? {},
    Drivers: Object.fromEntries(kinds.map((kind) => [kind, driver(kind)])),
    Version: version,
    Status: "ready",
    StatusDescription: "",
    StatusUpdatedAt: Math.floor(cluster.state.nowMs() / 1000),
    SchedulingEligibility: "eligible",
    Drain: false,
    DrainStrategy: null,
    LastDrain: null,
    CpuShares: mhz,
    CpuCores: cores,
    MemoryMB: memory,
    DiskMB: options.diskMb ?? 100_000,
    ReservedPorts: options.reservedPorts ?? [],
    Events: [],
    CreateIndex: 0,
    ModifyIndex: 0,
  };
}

/** The servers' view of nodes and how it changes. */
export class Nodes {
  readonly #cluster: Cluster;
  readonly #evaluator: Evaluator;
  readonly #deadlines = new Map<string, NodeJS.Timeout>();

  constructor(cluster: Cluster, evaluator: Evaluator) {
    this.#cluster = cluster;
    this.#evaluator = evaluator;
  }

  /** Stops waiting for deadlines. */
  close(): void {
    for (const timer of this.#deadlines.values()) clearTimeout(timer);
  }

  #withEvent(write: Write, node: ClientNode, message: string, subsystem: string): ClientNode {
    const event = {
      Message: message,
      Subsystem: subsystem,
      Timestamp: goTime(this.#cluster.state.nowMs()),
      Details: null,
      CreateIndex: write.index,
    };
    return { ...node, Events: [...node.Events, event].slice(-EVENTS_KEPT) };
  }

  /** A node is new. */
  register(node: ClientNode): void {
    const { state } = this.#cluster;
    state.commit("NodeRegistration", (write) => {
      write.node(this.#withEvent(write, node, "Node registered", "Cluster"));
      // Jobs for every node are for this one, too.
      const everywhere = [...state.jobs.values()].filter(({ Type, Stop }) => ["system", "sysbatch"].includes(Type) && !Stop);
      for (const { Namespace: namespace, ID: job, Type: type, Priority: priority } of everywhere) {
        this.#evaluator.create(write, { namespace, job, type, priority, trigger: "node-update", node: node.ID });
      }
    });
    this.#evaluator.unblock();
  }

  /** A new evaluation for every job with live allocations on the node. */
  #evaluateNode(write: Write, node: ClientNode, trigger: string): void {
    const seen = new Set<string>();
    for (const allocation of this.#cluster.state.allocationsOfNode(node.ID)) {
      const key = jobKey(allocation.Namespace, allocation.JobID);
      if (seen.has(key)) continue;
      seen.add(key);
      const job = this.#cluster.state.jobs.get(key) ?? allocation.Job;
      const request = { namespace: job.Namespace, job: job.ID, type: job.Type, priority: job.Priority };
      this.#evaluator.create(write, { ...request, trigger, node: node.ID, jobModifyIndex: job.JobModifyIndex });
    }
  }

  #update(id: string, type: string, message: string, change: (node: ClientNode) => Partial<ClientNode>, trigger?: string): void {
    const node = this.#cluster.state.nodes.get(id);
    if (node === undefined) return;
    this.#cluster.state.commit(type, (write) => {
      const subsystem = type === "NodeDrain" ? "Drain" : "Cluster";
      const written = write.node(this.#withEvent(write, { ...node, ...change(node) }, message, subsystem));
      if (trigger !== undefined) this.#evaluateNode(write, written, trigger);
    });
  }

  /** The client has been silent for too long: the node is down, or disconnected where a group can wait for it. */
  missed(id: string): void {
    const nowMs = this.#cluster.state.nowMs();
    const waits = this.#cluster.state.allocationsOfNode(id).some((one) => {
      const after = groupOf(one.Job, one.TaskGroup)?.Disconnect?.LostAfter ?? 0;
      const over = one.unknownSinceMs !== undefined && nowMs >= one.unknownSinceMs + after / 1e6;
      return after > 0 && one.DesiredStatus === "run" && !clientTerminal(one) && !over;
    });
    const updatedAt = Math.floor(nowMs / 1000);
    const status = waits ? "disconnected" : "down";
    const description = "";
    this.#update(
      id,
      "NodeUpdate",
      "Node heartbeat missed",
      () => ({ Status: status, StatusDescription: description, StatusUpdatedAt: updatedAt }),
      "node-update",
    );
  }

  /** The client is heard again. */
  heard(id: string): void {
    const updatedAt = Math.floor(this.#cluster.state.nowMs() / 1000);
    this.#update(
      id,
      "NodeUpdate",
      "Node reregistered by heartbeat",
      () => ({ Status: "ready", StatusUpdatedAt: updatedAt }),
      "node-update",
    );
    this.#evaluator.unblock();
  }

  /** Whether the node gets new allocations. */
  eligibility(id: string, eligible: boolean): void {
    const message = eligible ? "Node marked as eligible for scheduling" : "Node marked as ineligible for scheduling";
    this.#update(
      id,
      "NodeEligibility",
      message,
      () => ({ SchedulingEligibility: eligible ? "eligible" : "ineligible" }),
      eligible ? "node-update" : undefined,
    );
    if (eligible) this.#evaluator.unblock();
  }

  /** Takes what a client tells. */
  report(node: string, reports: readonly ClientReport[]): void {
    const { state } = this.#cluster;
    let freed = false;
    state.commit("AllocationUpdated", (write) => {
      for (const report of reports) {
        const old = state.allocations.get(report.allocation);
        if (old === undefined) continue;
        const written = this.#reported(write, old, report);
        freed ||= clientTerminal(written) && !clientTerminal(old);
        this.#follow(write, old, written);
        refreshJob(this.#cluster, write, written.Namespace, written.JobID);
      }
      const record = state.nodes.get(node);
      if (record !== undefined) write.touchNode(record);
    });
    if (freed) {
      this.#evaluator.unblock();
      this.drained(node);
    }
  }

  #reported(write: Write, old: Allocation, report: ClientReport): Allocation {
    const back = old.ClientStatus === "unknown" && report.ClientStatus !== "unknown";
    return write.allocation(
      withHealth(
        this.#cluster,
        write,
        {
          ...old,
          ClientStatus: report.ClientStatus,
          ClientDescription: report.ClientDescription,
          TaskStates: report.TaskStates,
          reconnecting: old.reconnecting || back,
        },
        report.healthy,
      ),
      true,
    );
  }

  /** Evaluations that follow from a report: a failed allocation may be replaced, one that is back has to be looked at. */
  #follow(write: Write, old: Allocation, written: Allocation): void {
    const job = this.#cluster.state.jobs.get(jobKey(written.Namespace, written.JobID));
    if (job === undefined || job.Stop) return;
    const request = { namespace: job.Namespace, job: job.ID, type: job.Type, priority: job.Priority, jobModifyIndex: job.JobModifyIndex };
    if (written.DeploymentStatus !== null && old.DeploymentStatus === null)
      this.#evaluator.create(write, { ...request, trigger: "deployment-watcher" });
    if (written.reconnecting && !old.reconnecting)
      this.#evaluator.create(write, { ...request, trigger: "reconnect", node: written.NodeID });
    else if (written.ClientStatus === "failed" && old.ClientStatus !== "failed" && !serverTerminal(written)) {
      this.#evaluator.create(write, { ...request, trigger: "alloc-failure" });
    } else if (job.Type === "service" && clientTerminal(written) && !clientTerminal(old) && !serverTerminal(written)) {
      this.#evaluator.create(write, { ...request, trigger: "alloc-failure" });
    }
  }

  /** Begins a drain; `deadlineMs`: negative: at once, undefined: without a limit. */
  drain(id: string, deadlineMs: number | undefined, ignoreSystemJobs = false): void {
    const nowMs = this.#cluster.state.nowMs();
    const forced = deadlineMs !== undefined && deadlineMs < 0;
    const force = deadlineMs === undefined ? ZERO_TIME : goTime(forced ? nowMs : nowMs + deadlineMs);
    const deadline = deadlineMs === undefined ? 0 : forced ? -1 : deadlineMs * 1e6;
    const strategy = { Deadline: deadline, IgnoreSystemJobs: ignoreSystemJobs, StartedAt: goTime(nowMs), ForceDeadline: force };
    const last = { AccessorID: "", Meta: null, StartedAt: goTime(nowMs), Status: "draining", UpdatedAt: goTime(nowMs) };
    this.#update(id, "NodeDrain", "Node drain strategy set", () => ({
      Drain: true,
      DrainStrategy: strategy,
      SchedulingEligibility: "ineligible",
      LastDrain: last,
    }));
    clearTimeout(this.#deadlines.get(id));
    this.#migrate(id, (one) => forced || one.Job.Type === "service");
    if (deadlineMs !== undefined && !forced) {
      const timer = setTimeout(() => this.#migrate(id, () => true), deadlineMs);
      timer.unref();
      this.#deadlines.set(id, timer);
    }
    this.drained(id);
  }

  /** Ends a drain before it is over; `eligible`: the node may get allocations again. */
  cancelDrain(id: string, eligible: boolean): void {
    clearTimeout(this.#deadlines.get(id));
    const eligibility = eligible ? "eligible" : "ineligible";
    this.#update(
      id,
      "NodeDrain",
      "Node drain disabled",
      () => ({ Drain: false, DrainStrategy: null, SchedulingEligibility: eligibility }),
      "node-update",
    );
    this.#evaluator.unblock();
  }

  #migrate(id: string, which: (allocation: Allocation) => boolean): void {
    const { state, options } = this.#cluster;
    const node = state.nodes.get(id);
    if (node?.Drain !== true) return;
    const leaving = state.allocationsOfNode(id).filter((one) => !clientTerminal(one) && !serverTerminal(one) && which(one));
    if (leaving.length === 0) return;
    state.commit("AllocationUpdateDesiredStatus", (write) => {
      for (const one of leaving) {
        const batch = one.Job.Type === "batch";
        const stays = batch && atLeast(options.version, "1.11.0") ? true : one.DesiredTransition.MigrateDisablePlacement;
        write.allocation({ ...one, DesiredTransition: { ...one.DesiredTransition, Migrate: true, MigrateDisablePlacement: stays } });
      }
      this.#evaluateNode(write, node, "node-drain");
    });
  }

  /** Ends the node's drain if nothing is left on it. */
  drained(id: string): void {
    const { state } = this.#cluster;
    const node = state.nodes.get(id);
    if (node?.Drain !== true || state.allocationsOfNode(id).some((one) => !clientTerminal(one))) return;
    clearTimeout(this.#deadlines.get(id));
    const last = { ...(node.LastDrain as Readonly<Record<string, unknown>>), Status: "complete", UpdatedAt: goTime(state.nowMs()) };
    this.#update(id, "NodeDrain", "Node drain complete", () => ({ Drain: false, DrainStrategy: null, LastDrain: last }));
  }
}
