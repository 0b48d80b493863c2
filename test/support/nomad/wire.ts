/** Records as the HTTP API shows them: full ones, and the stubs of lists. */
import { computedClass } from "./constraints.ts";
import type { ClientNode } from "./node-records.ts";
import type { Allocation, Evaluation, Job, TaskEvent, TaskState } from "./records.ts";
import { jobKey, type State } from "./state.ts";
import { resourcesOf } from "./usage.ts";

type Json = Readonly<Record<string, unknown>>;

/** A task event with the flat fields that newer clients do not use. */
function wireEvent(event: TaskEvent): Json {
  const { Details } = event;
  return {
    Details,
    DiskLimit: 0,
    DisplayMessage: event.DisplayMessage,
    DownloadError: Details["download_error"] ?? "",
    DriverError: Details["driver_error"] ?? "",
    DriverMessage: "",
    ExitCode: Number(Details["exit_code"] ?? 0),
    FailedSibling: "",
    FailsTask: Details["fails_task"] === "true",
    GenericSource: "",
    KillError: "",
    KillReason: Details["kill_reason"] ?? "",
    KillTimeout: 0,
    Message: event.Message,
    RestartReason: Details["restart_reason"] ?? "",
    SetupError: Details["setup_error"] ?? "",
    Signal: Number(Details["signal"] ?? 0) || 0,
    StartDelay: Number(Details["start_delay"] ?? 0),
    TaskSignal: "",
    TaskSignalReason: "",
    Time: event.Time,
    Type: event.Type,
    ValidationError: Details["validation_error"] ?? "",
    VaultError: "",
  };
}

function wireStates(states: Readonly<Record<string, TaskState>> | null): Json | null {
  if (states === null) return null;
  const wired = Object.entries(states).map(([name, { Events, ...state }]) => [name, { ...state, Events: Events.map(wireEvent) }]);
  return Object.fromEntries(wired);
}

/** An allocation in a list. */
export function allocationStub(allocation: Allocation, withStates = true, withResources = false): Json {
  return {
    ClientDescription: allocation.ClientDescription,
    ClientStatus: allocation.ClientStatus,
    CreateIndex: allocation.CreateIndex,
    CreateTime: allocation.CreateTime,
    DeploymentStatus: allocation.DeploymentStatus,
    DesiredDescription: allocation.DesiredDescription,
    DesiredStatus: allocation.DesiredStatus,
    DesiredTransition: allocation.DesiredTransition,
    EvalID: allocation.EvalID,
    FollowupEvalID: allocation.FollowupEvalID,
    ID: allocation.ID,
    JobID: allocation.JobID,
    JobType: allocation.Job.Type,
    JobVersion: allocation.Job.Version,
    ModifyIndex: allocation.ModifyIndex,
    ModifyTime: allocation.ModifyTime,
    Name: allocation.Name,
    Namespace: allocation.Namespace,
    NextAllocation: allocation.NextAllocation,
    NodeID: allocation.NodeID,
    NodeName: allocation.NodeName,
    PreemptedAllocations: allocation.PreemptedAllocations ?? null,
    PreemptedByAllocation: allocation.PreemptedByAllocation,
    RescheduleTracker: allocation.RescheduleTracker,
    TaskGroup: allocation.TaskGroup,
    TaskStates: withStates ? wireStates(allocation.TaskStates) : null,
    ...(withResources ? { AllocatedResources: allocatedResources(allocation) } : {}),
  };
}

function allocatedResources(allocation: Allocation): Json {
  const { diskMb } = resourcesOf(allocation);
  const { ports, cpuShares, cores } = allocation.placement;
  const group = allocation.Job.TaskGroups?.find(({ Name }) => Name === allocation.TaskGroup);
  const dynamic = (group?.Networks ?? []).flatMap(({ DynamicPorts }) => DynamicPorts ?? []).map(({ Label }) => Label);
  const listed = (wanted: boolean) =>
    ports
      .filter(({ Label }) => dynamic.includes(Label) === wanted)
      .map(({ Label, Value, To }) => ({ HostNetwork: "default", Label, To, Value }));
  const network = { DynamicPorts: listed(true), ReservedPorts: listed(false), IP: ports[0]?.HostIP ?? "", Mode: "host" };
  const tasks = (group?.Tasks ?? []).map(({ Name, Resources }) => [
    Name,
    {
      Cpu: { CpuShares: cpuShares[Name] ?? 0, ReservedCores: cores[Name] ?? null },
      Devices: null,
      Memory: { MemoryMB: Resources.MemoryMB, MemoryMaxMB: Resources.MemoryMaxMB },
      Networks: null,
    },
  ]);
  const shared = {
    DiskMB: diskMb,
    Networks: ports.length === 0 ? null : [network],
    Ports: ports.length === 0 ? null : ports.map(({ Label, Value, To, HostIP }) => ({ HostIP, Label, To, Value })),
  };
  return { Shared: shared, TaskLifecycles: Object.fromEntries(tasks.map(([name]) => [name, null])), Tasks: Object.fromEntries(tasks) };
}

/** One allocation, with its job. */
export function wireAllocation(allocation: Allocation, withJob = true): Json {
  const { placement: _placement, unknownSinceMs: _since, reconnecting: _back, Job, TaskStates, DesiredTransition, ...rest } = allocation;
  const transition = Object.fromEntries(Object.entries(DesiredTransition).filter(([, value]) => value !== null));
  const filled = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== "" && value !== null));
  return {
    DesiredDescription: "",
    ...filled,
    ...(Object.keys(transition).length === 0 ? {} : { DesiredTransition: transition }),
    AllocatedResources: allocatedResources(allocation),
    TaskStates: wireStates(TaskStates),
    ...(withJob ? { Job } : {}),
  };
}

/** A job in a list, with its summary. */
export function jobStub(job: Job, state: State, meta: boolean): Json {
  return {
    CreateIndex: job.CreateIndex,
    Datacenters: job.Datacenters,
    ID: job.ID,
    JobModifyIndex: job.JobModifyIndex,
    JobSummary: jobSummary(job, state),
    ...(meta ? { Meta: job.Meta } : {}),
    ModifyIndex: job.ModifyIndex,
    Multiregion: null,
    Name: job.Name,
    Namespace: job.Namespace,
    NodePool: job.NodePool,
    ParameterizedJob: job.ParameterizedJob !== null,
    ParentID: job.ParentID,
    Periodic: job.Periodic !== null,
    Priority: job.Priority,
    Status: job.Status,
    StatusDescription: job.StatusDescription,
    Stop: job.Stop,
    SubmitTime: job.SubmitTime,
    Type: job.Type,
  };
}

const SUMMARY_KEYS: Readonly<Record<string, string>> = {
  pending: "Starting",
  running: "Running",
  complete: "Complete",
  failed: "Failed",
  lost: "Lost",
  unknown: "Unknown",
};

/** How many allocations of each group are in which state. */
export function jobSummary(job: Job, state: State): Json {
  const allocations = state.allocationsOfJob(job.Namespace, job.ID);
  const queued = state
    .evaluationsOfJob(job.Namespace, job.ID)
    .findLast(({ QueuedAllocations, Status }) => QueuedAllocations !== undefined && Status !== "canceled");
  const groups = (job.TaskGroups ?? []).map(({ Name }) => {
    const counts: Record<string, number> = {
      Complete: 0,
      Failed: 0,
      Lost: 0,
      Queued: queued?.QueuedAllocations?.[Name] ?? 0,
      Running: 0,
      Starting: 0,
      Unknown: 0,
    };
    for (const { TaskGroup, ClientStatus } of allocations) {
      const key = SUMMARY_KEYS[ClientStatus];
      if (TaskGroup === Name && key !== undefined) counts[key] = (counts[key] ?? 0) + 1;
    }
    return [Name, counts];
  });
  const modified = Math.max(job.CreateIndex, ...allocations.map(({ ModifyIndex }) => ModifyIndex));
  return {
    Children: { Dead: 0, Pending: 0, Running: 0 },
    CreateIndex: job.CreateIndex,
    JobID: job.ID,
    ModifyIndex: modified,
    Namespace: job.Namespace,
    Summary: Object.fromEntries(groups),
  };
}

/** A job in `/v1/jobs/statuses`. */
export function jobStatus(job: Job, state: State): Json {
  const allocations = state.allocationsOfJob(job.Namespace, job.ID);
  const deployment = [...state.deployments.values()].filter((one) => one.JobID === job.ID && one.Namespace === job.Namespace).at(-1);
  return {
    Allocs: allocations.map((one) => ({
      ClientStatus: one.ClientStatus,
      DeploymentStatus: { Canary: false, Healthy: one.DeploymentStatus?.Healthy ?? null },
      FollowupEvalID: one.FollowupEvalID,
      Group: one.TaskGroup,
      HasPausedTask: false,
      ID: one.ID,
      JobVersion: one.Job.Version,
      NodeID: one.NodeID,
    })),
    ChildStatuses: null,
    Datacenters: job.Datacenters,
    GroupCountSum: (job.TaskGroups ?? []).reduce((sum, { Count }) => sum + Count, 0),
    ID: job.ID,
    IsPack: false,
    LatestDeployment:
      deployment === undefined
        ? null
        : {
            ID: deployment.ID,
            IsActive: deployment.Status === "running",
            JobVersion: deployment.JobVersion,
            Status: deployment.Status,
            StatusDescription: deployment.StatusDescription,
            AllAutoPromote: false,
            RequiresPromotion: false,
          },
    ModifyIndex: job.ModifyIndex,
    Name: job.Name,
    Namespace: job.Namespace,
    NodePool: job.NodePool,
    ParentID: job.ParentID,
    Priority: job.Priority,
    Status: job.Status,
    Stop: job.Stop,
    SubmitTime: job.SubmitTime,
    Type: job.Type,
    Version: job.Version,
  };
}

/** An evaluation without what it does not have. */
export function wireEvaluation(evaluation: Evaluation): Json {
  return Object.fromEntries(Object.entries(evaluation).filter(([, value]) => value !== undefined));
}

function nodeResources(node: ClientNode): Json {
  const network = { CIDR: `${node.Address}/32`, Device: "eth0", IP: node.Address, MBits: 1000, Mode: "host" };
  const address = { Address: node.Address, Alias: "default", Family: "ipv4", Gateway: "", ReservedPorts: node.ReservedPorts.join(",") };
  return {
    Cpu: {
      CpuShares: node.CpuShares,
      ReservableCpuCores: Array.from({ length: node.CpuCores }, (_, index) => index),
      TotalCpuCores: node.CpuCores,
    },
    Devices: null,
    Disk: { DiskMB: node.DiskMB },
    MaxDynamicPort: 32_000,
    Memory: { MemoryMB: node.MemoryMB },
    MinDynamicPort: 20_000,
    Networks: [{ Mode: "bridge" }, network],
    NodeNetworks: [{ Addresses: [address], Device: "eth0", MacAddress: "", Mode: "host", Speed: 1000 }],
  };
}

function reservedResources(node: ClientNode): Json {
  return {
    Cpu: { CpuShares: 0, ReservedCpuCores: null },
    Disk: { DiskMB: 0 },
    Memory: { MemoryMB: 0 },
    Networks: { ReservedHostPorts: node.ReservedPorts.join(",") },
  };
}

/** A node in a list. */
export function nodeStub(node: ClientNode, withResources: boolean, withOs: boolean): Json {
  return {
    Address: node.Address,
    ...(withOs ? { Attributes: { "os.name": node.Attributes["os.name"] ?? "" } } : {}),
    CreateIndex: node.CreateIndex,
    Datacenter: node.Datacenter,
    Drain: node.Drain,
    Drivers: node.Drivers,
    HostVolumes: {},
    ID: node.ID,
    LastDrain: node.LastDrain,
    ModifyIndex: node.ModifyIndex,
    Name: node.Name,
    NodeClass: node.NodeClass,
    NodePool: node.NodePool,
    ...(withResources ? { NodeResources: nodeResources(node), ReservedResources: reservedResources(node) } : {}),
    SchedulingEligibility: node.SchedulingEligibility,
    Status: node.Status,
    StatusDescription: node.StatusDescription,
    Version: node.Version,
  };
}

/** One node; `httpAddress` is that of its agent. */
export function wireNode(node: ClientNode, httpAddress: string): Json {
  const {
    CpuShares: _shares,
    CpuCores: _cores,
    MemoryMB: _memory,
    DiskMB: _disk,
    ReservedPorts: _ports,
    Version: _version,
    Address,
    ...rest
  } = node;
  return {
    ...rest,
    HTTPAddr: httpAddress,
    ComputedClass: computedClass(node),
    CSIControllerPlugins: {},
    CSINodePlugins: {},
    CgroupParent: "nomad.slice",
    HostNetworks: null,
    HostVolumes: {},
    LastAllocUpdateIndex: 0,
    LastMissedHeartbeatIndex: 0,
    Links: {},
    NodeMaxAllocs: 0,
    NodeResources: nodeResources(node),
    ReservedResources: reservedResources(node),
    SecretID: "",
    TLSEnabled: false,
  };
}

/** A job by namespace and id. */
export function findJob(state: State, namespace: string, id: string): Job | undefined {
  return state.jobs.get(jobKey(namespace, id));
}
