/**
 * What the fake Nomad's state is made of, in the names of the wire (Go's, upper case), so that a record is its own JSON. Records are never
 * changed: a change is a new record, and what an event or a snapshot holds stays as it was. Blocks of a job that nothing here decides by are `unknown`.
 */

/** A constraint, an affinity (with `Weight`). */
export interface Constraint {
  readonly LTarget: string;
  readonly Operand: string;
  readonly RTarget: string;
}

/** A port of a group's network: `Value` is 0 where it is dynamic. */
export interface Port {
  readonly Label: string;
  readonly Value: number;
  readonly To: number;
  readonly HostNetwork: string;
}

/** A network block. */
export interface Network {
  readonly Mode: string;
  readonly DynamicPorts: readonly Port[] | null;
  readonly ReservedPorts: readonly Port[] | null;
}

/** What a task asks for. */
export interface Resources {
  readonly CPU: number;
  readonly Cores: number;
  readonly MemoryMB: number;
  readonly MemoryMaxMB: number;
  readonly DiskMB: number;
}

/** A template block. */
export interface Template {
  readonly ChangeMode: string;
  readonly ChangeSignal: string;
  readonly DestPath: string;
  readonly EmbeddedTmpl: string;
  readonly Envvars: boolean;
  readonly ErrMissingKey: boolean;
  readonly LeftDelim: string;
  readonly RightDelim: string;
  readonly Perms: string;
  readonly SourcePath: string;
  readonly Once: boolean;
}

/** An identity block; `TTL` in nanoseconds, 0: for ever. */
export interface WorkloadIdentity {
  readonly Name: string;
  readonly Audience: readonly string[] | null;
  readonly ChangeMode: string;
  readonly ChangeSignal: string;
  readonly Env: boolean;
  readonly File: boolean;
  readonly Filepath: string;
  readonly TTL: number;
}

/** An artifact block. */
export interface Artifact {
  readonly GetterSource: string;
  readonly GetterOptions: Readonly<Record<string, string>> | null;
  readonly GetterMode: string;
  readonly RelativeDest: string;
}

/** A service block. */
export interface Service {
  readonly Name: string;
  readonly PortLabel: string;
  readonly Provider: string;
  readonly Address: string;
  readonly Tags: readonly string[] | null;
  readonly TaskName: string;
  readonly Checks: readonly ServiceCheck[] | null;
}

/** A native check; durations in nanoseconds. */
export interface ServiceCheck {
  readonly Name: string;
  readonly Type: string;
  readonly Path: string;
  readonly PortLabel: string;
  readonly Interval: number;
  readonly Timeout: number;
}

/** Restarts in place; durations in nanoseconds. */
export interface RestartPolicy {
  readonly Attempts: number;
  readonly Delay: number;
  readonly Interval: number;
  readonly Mode: string;
}

/** Replacement of failed allocations; durations in nanoseconds. */
export interface ReschedulePolicy {
  readonly Attempts: number;
  readonly Delay: number;
  readonly DelayFunction: string;
  readonly Interval: number;
  readonly MaxDelay: number;
  readonly Unlimited: boolean;
}

/** What happens to allocations of a client that is gone; durations in nanoseconds. */
export interface Disconnect {
  readonly LostAfter: number;
  readonly Replace: boolean | null;
  readonly Reconcile: string;
  readonly StopOnClientAfter: number | null;
}

/** A task; durations in nanoseconds. */
export interface Task {
  readonly Name: string;
  readonly Driver: string;
  readonly User: string;
  readonly Config: Readonly<Record<string, unknown>> | null;
  readonly Env: Readonly<Record<string, string>> | null;
  readonly Meta: Readonly<Record<string, string>> | null;
  readonly Constraints: readonly Constraint[] | null;
  readonly Templates: readonly Template[] | null;
  readonly Artifacts: readonly Artifact[] | null;
  readonly Identity: WorkloadIdentity | null;
  readonly Identities: readonly WorkloadIdentity[] | null;
  readonly Lifecycle: { readonly Hook: string; readonly Sidecar: boolean } | null;
  readonly Services: readonly Service[] | null;
  readonly Resources: Resources;
  readonly RestartPolicy: RestartPolicy | null;
  readonly LogConfig: { readonly Disabled: boolean; readonly MaxFileSizeMB: number; readonly MaxFiles: number };
  readonly KillSignal: string;
  readonly KillTimeout: number;
  readonly ShutdownDelay: number;
  readonly Leader: boolean;
  readonly Actions: readonly { readonly Name: string; readonly Command: string; readonly Args: readonly string[] | null }[] | null;
}

/** A spread block. */
export interface Spread {
  readonly Attribute: string;
  readonly Weight: number;
  readonly SpreadTarget: readonly { readonly Value: string; readonly Percent: number }[] | null;
}

/** An affinity. */
export interface Affinity extends Constraint {
  readonly Weight: number;
}

/** How a service's new version takes the place of the old one; durations in nanoseconds. */
export interface UpdateStrategy {
  readonly AutoRevert: boolean;
  readonly HealthCheck: string;
  readonly HealthyDeadline: number;
  readonly MaxParallel: number;
  readonly MinHealthyTime: number;
  readonly ProgressDeadline: number;
}

/** Whether a task runs as long as its allocation does: not a prestart, poststart or poststop task without `sidecar`. */
export function isMainTask({ Lifecycle }: Task): boolean {
  return Lifecycle === null || (Lifecycle.Sidecar && Lifecycle.Hook !== "poststop");
}

/** A task group. */
export interface TaskGroup {
  readonly Name: string;
  readonly Count: number;
  readonly Constraints: readonly Constraint[] | null;
  readonly Affinities: readonly Affinity[] | null;
  readonly Spreads: readonly Spread[] | null;
  readonly Disconnect: Disconnect | null;
  readonly EphemeralDisk: { readonly Migrate: boolean; readonly SizeMB: number; readonly Sticky: boolean };
  readonly Meta: Readonly<Record<string, string>> | null;
  readonly Networks: readonly Network[] | null;
  readonly ReschedulePolicy: ReschedulePolicy | null;
  readonly RestartPolicy: RestartPolicy;
  readonly Services: readonly Service[] | null;
  readonly Tasks: readonly Task[];
  readonly Update: UpdateStrategy | null;
  readonly MaxRunDuration: number | null;
  readonly ShutdownDelay: number | null;
}

/** A job. */
export interface Job {
  readonly ID: string;
  readonly Name: string;
  readonly Namespace: string;
  readonly Type: string;
  readonly Priority: number;
  readonly Region: string;
  readonly Datacenters: readonly string[];
  readonly NodePool: string;
  readonly Meta: Readonly<Record<string, string>> | null;
  readonly Constraints: readonly Constraint[] | null;
  readonly Affinities: readonly Affinity[] | null;
  readonly Spreads: readonly Spread[] | null;
  readonly TaskGroups: readonly TaskGroup[] | null;
  readonly ParameterizedJob: unknown;
  readonly Periodic: unknown;
  readonly ParentID: string;
  readonly Stop: boolean;
  readonly Stable: boolean;
  readonly Status: string;
  readonly StatusDescription: string;
  readonly SubmitTime: number;
  readonly Version: number;
  readonly CreateIndex: number;
  readonly ModifyIndex: number;
  readonly JobModifyIndex: number;
}

/** Why allocations were (not) placed. */
export interface AllocationMetric {
  readonly AllocationTime: number;
  readonly ClassExhausted: Readonly<Record<string, number>> | null;
  readonly ClassFiltered: Readonly<Record<string, number>> | null;
  readonly CoalescedFailures: number;
  readonly ConstraintFiltered: Readonly<Record<string, number>> | null;
  readonly DimensionExhausted: Readonly<Record<string, number>> | null;
  readonly NodePool: string;
  readonly NodesAvailable: Readonly<Record<string, number>>;
  readonly NodesEvaluated: number;
  readonly NodesExhausted: number;
  readonly NodesFiltered: number;
  readonly NodesInPool: number;
  readonly QuotaExhausted: null;
  readonly ResourcesExhausted: Readonly<Record<string, unknown>> | null;
  readonly ScoreMetaData: readonly unknown[] | null;
  readonly Scores: null;
}

/** Counts of a plan for one group. */
export interface DesiredUpdates {
  readonly Ignore: number;
  readonly Place: number;
  readonly Migrate: number;
  readonly Stop: number;
  readonly InPlaceUpdate: number;
  readonly DestructiveUpdate: number;
  readonly Canary: number;
  readonly Preemptions: number;
  readonly Disconnect: number;
  readonly Reconnect: number;
  readonly RescheduleLater: number;
  readonly RescheduleNow: number;
}

/** An evaluation. Absent keys are absent on the wire too. */
export interface Evaluation {
  readonly ID: string;
  readonly Namespace: string;
  readonly JobID: string;
  readonly Type: string;
  readonly TriggeredBy: string;
  readonly Priority: number;
  readonly Status: string;
  readonly StatusDescription?: string | undefined;
  readonly JobModifyIndex?: number | undefined;
  readonly NodeID?: string | undefined;
  readonly PreviousEval?: string | undefined;
  readonly NextEval?: string | undefined;
  readonly BlockedEval?: string | undefined;
  readonly DeploymentID?: string | undefined;
  readonly WaitUntil?: string | undefined;
  readonly FailedTGAllocs?: Readonly<Record<string, AllocationMetric>> | undefined;
  readonly QueuedAllocations?: Readonly<Record<string, number>> | undefined;
  readonly PlanAnnotations?: unknown;
  readonly ClassEligibility?: Readonly<Record<string, boolean>> | undefined;
  readonly SnapshotIndex?: number | undefined;
  readonly CreateIndex: number;
  readonly ModifyIndex: number;
  readonly CreateTime: number;
  readonly ModifyTime: number;
}

/** Something that happened to a task; the flat fields that Nomad calls deprecated are added when it is written out. */
export interface TaskEvent {
  readonly Type: string;
  readonly Time: number;
  readonly DisplayMessage: string;
  readonly Message: string;
  readonly Details: Readonly<Record<string, string>>;
}

/** What the client knows of a task. */
export interface TaskState {
  readonly State: string;
  readonly Failed: boolean;
  readonly Restarts: number;
  readonly LastRestart: string | null;
  readonly StartedAt: string | null;
  readonly FinishedAt: string | null;
  readonly Paused: string;
  readonly Events: readonly TaskEvent[];
}

/** A port that was given to an allocation. */
export interface PlacedPort {
  readonly Label: string;
  readonly Value: number;
  readonly To: number;
  readonly HostIP: string;
}

/** What was given to an allocation. */
export interface Placement {
  readonly cpuShares: Readonly<Record<string, number>>;
  readonly cores: Readonly<Record<string, readonly number[]>>;
  readonly ports: readonly PlacedPort[];
}

/** What the servers want to happen to an allocation next. */
export interface DesiredTransition {
  readonly Migrate: boolean | null;
  readonly Reschedule: boolean | null;
  readonly ForceReschedule: boolean | null;
  readonly NoShutdownDelay: boolean | null;
  readonly MigrateDisablePlacement: boolean | null;
}

/** A replacement that was made before. */
export interface RescheduleEvent {
  readonly RescheduleTime: number;
  readonly PrevAllocID: string;
  readonly PrevNodeID: string;
  readonly Delay: number;
}

/** An allocation. `Job` is the job as it was when the allocation was placed; `placement` is not on the wire in this form. */
export interface Allocation {
  readonly ID: string;
  readonly Namespace: string;
  readonly EvalID: string;
  readonly Name: string;
  readonly NodeID: string;
  readonly NodeName: string;
  readonly JobID: string;
  readonly Job: Job;
  readonly TaskGroup: string;
  readonly Metrics: AllocationMetric;
  readonly DesiredStatus: string;
  readonly DesiredDescription: string;
  readonly DesiredTransition: DesiredTransition;
  readonly ClientStatus: string;
  readonly ClientDescription: string;
  readonly TaskStates: Readonly<Record<string, TaskState>> | null;
  readonly PreviousAllocation: string;
  readonly NextAllocation: string;
  readonly FollowupEvalID: string;
  /** Allocations of lower priority whose place it has; undefined: none. */
  readonly PreemptedAllocations: readonly string[] | undefined;
  /** What has the place of this one; empty: nothing. */
  readonly PreemptedByAllocation: string;
  readonly DeploymentID: string;
  readonly DeploymentStatus: {
    readonly Healthy: boolean | null;
    readonly Timestamp: string;
    readonly Canary: boolean;
    readonly ModifyIndex: number;
  } | null;
  readonly RescheduleTracker: { readonly Events: readonly RescheduleEvent[] } | null;
  /** Wall milliseconds of the change to `unknown`, and since; undefined: the client is heard. */
  readonly unknownSinceMs: number | undefined;
  /** The client came back, and the scheduler has not looked at it yet. */
  readonly reconnecting: boolean;
  readonly placement: Placement;
  readonly CreateIndex: number;
  readonly ModifyIndex: number;
  readonly AllocModifyIndex: number;
  readonly CreateTime: number;
  readonly ModifyTime: number;
}

/** A variable, decrypted. */
export interface Variable {
  readonly Namespace: string;
  readonly Path: string;
  readonly Items: Readonly<Record<string, string>>;
  readonly CreateIndex: number;
  readonly ModifyIndex: number;
  readonly CreateTime: number;
  readonly ModifyTime: number;
}

/** A registration of a native service. */
export interface ServiceRegistration {
  readonly ID: string;
  readonly ServiceName: string;
  readonly Namespace: string;
  readonly NodeID: string;
  readonly Datacenter: string;
  readonly JobID: string;
  readonly AllocID: string;
  readonly Tags: readonly string[];
  readonly Address: string;
  readonly Port: number;
  readonly CreateIndex: number;
  readonly ModifyIndex: number;
}

/** A deployment of a service job; `TaskGroups` by group. */
export interface Deployment {
  readonly ID: string;
  readonly Namespace: string;
  readonly JobID: string;
  readonly JobVersion: number;
  readonly JobModifyIndex: number;
  readonly JobSpecModifyIndex: number;
  readonly JobCreateIndex: number;
  readonly Status: string;
  readonly StatusDescription: string;
  readonly TaskGroups: Readonly<
    Record<
      string,
      {
        readonly AutoRevert: boolean;
        readonly ProgressDeadline: number;
        readonly DesiredTotal: number;
        readonly PlacedAllocs: number;
        readonly HealthyAllocs: number;
        readonly UnhealthyAllocs: number;
      }
    >
  >;
  readonly CreateIndex: number;
  readonly ModifyIndex: number;
}

/** The servers' scheduler configuration, as far as it decides here. */
export interface SchedulerConfiguration {
  readonly SchedulerAlgorithm: string;
  readonly MemoryOversubscriptionEnabled: boolean;
  readonly RejectJobRegistration: boolean;
  readonly PauseEvalBroker: boolean;
  readonly PreemptionConfig: Readonly<Record<string, boolean>>;
  readonly CreateIndex: number;
  readonly ModifyIndex: number;
}

/** An ACL token by its policies; `management` may do all. */
export interface Token {
  readonly AccessorID: string;
  readonly SecretID: string;
  readonly Name: string;
  readonly Type: "client" | "management";
  readonly Policies: readonly string[];
  readonly ExpirationTime: string | undefined;
}

/** Whether the client has no more to do for the allocation. */
export function clientTerminal(allocation: Allocation): boolean {
  return allocation.ClientStatus === "complete" || allocation.ClientStatus === "failed" || allocation.ClientStatus === "lost";
}

/** Whether the servers want it stopped. */
export function serverTerminal(allocation: Allocation): boolean {
  return allocation.DesiredStatus === "stop" || allocation.DesiredStatus === "evict";
}

/** The group of `job` by name. */
export function groupOf(job: Job, name: string): TaskGroup | undefined {
  return (job.TaskGroups ?? []).find((group) => group.Name === name);
}
