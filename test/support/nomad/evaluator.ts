/**
 * The evaluation broker and the scheduler's workers in one: evaluations are taken one after another, each becomes a plan that is applied in one
 * write, what could not be placed stays behind as a blocked evaluation and is tried again when capacity appears.
 */
import { randomUUID } from "node:crypto";
import { atLeast, type Cluster } from "./cluster.ts";
import { cancelDeployments, deploymentFor, mayReplace } from "./deployments.ts";
import { Placer } from "./placement.ts";
import { type GroupDecisions, reconcileGroup, type StopDecision, stopAll } from "./reconcile.ts";
import { reconcileSystemGroup } from "./reconcile-system.ts";
import type { Allocation, AllocationMetric, DesiredUpdates, Evaluation, Job, RescheduleEvent } from "./records.ts";
import { jobKey, type Write } from "./state.ts";

/** A new evaluation's fields that its maker decides. */
export interface EvaluationRequest {
  readonly namespace: string;
  readonly job: string;
  readonly type: string;
  readonly priority: number;
  readonly trigger: string;
  readonly jobModifyIndex?: number;
  readonly node?: string;
  readonly waitUntilMs?: number;
  readonly previous?: string;
  readonly description?: string;
}

/** What a plan would do, for applying it or for showing it. */
export interface Outcome {
  readonly stops: readonly StopDecision[];
  readonly decisions: readonly GroupDecisions[];
  readonly placed: readonly Allocation[];
  /** Allocations of other jobs that go for those that are placed. */
  readonly preempted: readonly Preempted[];
  readonly failed: Readonly<Record<string, AllocationMetric>>;
  readonly queued: Readonly<Record<string, number>>;
  readonly updates: Readonly<Record<string, DesiredUpdates>>;
}

/** An allocation whose place another gets. */
export interface Preempted {
  readonly allocation: Allocation;
  /** Id of the other. */
  readonly by: string;
}

/** An allocation without its indexes and times. */
function newAllocation(
  cluster: Cluster,
  fields: Partial<Allocation> & Pick<Allocation, "Job" | "Name" | "TaskGroup" | "NodeID" | "NodeName" | "Metrics" | "placement" | "EvalID">,
): Allocation {
  const now = cluster.state.nowNs();
  return {
    ID: randomUUID(),
    Namespace: fields.Job.Namespace,
    JobID: fields.Job.ID,
    DesiredStatus: "run",
    DesiredDescription: "",
    DesiredTransition: { Migrate: null, Reschedule: null, ForceReschedule: null, NoShutdownDelay: null, MigrateDisablePlacement: null },
    ClientStatus: "pending",
    ClientDescription: "",
    TaskStates: null,
    PreviousAllocation: "",
    NextAllocation: "",
    FollowupEvalID: "",
    PreemptedAllocations: undefined,
    PreemptedByAllocation: "",
    DeploymentID: "",
    DeploymentStatus: null,
    RescheduleTracker: null,
    unknownSinceMs: undefined,
    reconnecting: false,
    CreateIndex: 0,
    ModifyIndex: 0,
    AllocModifyIndex: 0,
    CreateTime: now,
    ModifyTime: now,
    ...fields,
  };
}

/** What would be done for `job` now; undefined: there is no such job, all its allocations stop. Changes nothing. */
export function decide(cluster: Cluster, job: Job | undefined, all: readonly Allocation[], evaluation: string): Outcome {
  const { state, options } = cluster;
  const situation = { version: options.version, nowMs: state.nowMs(), nodes: state.nodes, evaluation };
  if (job === undefined || job.Stop) {
    const stops = stopAll(all, situation);
    const updates = countStops(stops);
    const queued = Object.fromEntries((job?.TaskGroups ?? []).map(({ Name }) => [Name, 0]));
    return { stops, decisions: [], placed: [], preempted: [], failed: {}, queued, updates };
  }
  const groups = job.TaskGroups ?? [];
  const known = new Set(groups.map(({ Name }) => Name));
  const stops: StopDecision[] = stopAll(
    all.filter(({ TaskGroup }) => !known.has(TaskGroup)),
    situation,
  );
  const placer = new Placer(cluster, job);
  const decisions = groups.map((group) => {
    const own = all.filter(({ TaskGroup }) => TaskGroup === group.Name);
    if (job.Type === "system" || job.Type === "sysbatch") return reconcileSystemGroup(job, group, own, situation);
    return reconcileGroup(job, group, own, situation, mayReplace(cluster, job, group, own));
  });
  for (const one of decisions) stops.push(...one.stop);
  for (const { allocation } of stops) placer.release(allocation);
  const placed: Allocation[] = [];
  const preempted: Preempted[] = [];
  const failed: Record<string, AllocationMetric> = {};
  const queued: Record<string, number> = {};
  const updates: Record<string, DesiredUpdates> = {};
  for (const one of decisions) {
    const { Name } = one.group;
    queued[Name] = 0;
    for (const { name, previous, rescheduled, node: only } of one.place) {
      const avoid = rescheduled ? previous?.NodeID : undefined;
      const first = failed[Name] === undefined || only !== undefined ? placer.choose(one.group, avoid, only) : failed[Name];
      // Jobs for every node are not meant for those that they do not fit.
      if (only !== undefined && !("node" in first) && first.NodesExhausted === 0) continue;
      const chosen = "node" in first ? first : (placer.preempt(one.group, first) ?? first);
      if (!("node" in chosen)) {
        const before = failed[Name];
        failed[Name] = before === undefined ? chosen : { ...before, CoalescedFailures: before.CoalescedFailures + 1 };
        queued[Name] = (queued[Name] ?? 0) + 1;
        continue;
      }
      const { node, placement, metric } = chosen;
      const tracker = previous === undefined ? null : trackerOf(cluster, previous, rescheduled);
      const fields = {
        Job: job,
        Name: name,
        TaskGroup: Name,
        NodeID: node.ID,
        NodeName: node.Name,
        Metrics: metric,
        placement,
        EvalID: evaluation,
      };
      const allocation = newAllocation(cluster, { ...fields, PreviousAllocation: previous?.ID ?? "", RescheduleTracker: tracker });
      const victims = chosen.preempted ?? [];
      placer.add(allocation);
      placed.push(victims.length === 0 ? allocation : { ...allocation, PreemptedAllocations: victims.map(({ ID }) => ID) });
      for (const victim of victims) preempted.push({ allocation: victim, by: allocation.ID });
    }
    updates[Name] = updatesOf(one, preempted.length, placed.filter(({ TaskGroup }) => TaskGroup === Name).length + (queued[Name] ?? 0));
  }
  return { stops, decisions, placed, preempted, failed, queued, updates };
}

function trackerOf(cluster: Cluster, previous: Allocation, rescheduled: boolean): { readonly Events: readonly RescheduleEvent[] } | null {
  const events = previous.RescheduleTracker?.Events ?? [];
  if (!rescheduled) return events.length === 0 ? null : { Events: events };
  const delay = previous.Job.TaskGroups?.find(({ Name }) => Name === previous.TaskGroup)?.ReschedulePolicy?.Delay ?? 0;
  const event = { RescheduleTime: cluster.state.nowNs(), PrevAllocID: previous.ID, PrevNodeID: previous.NodeID, Delay: delay };
  return { Events: [...events, event] };
}

const NO_UPDATES: DesiredUpdates = {
  Canary: 0,
  DestructiveUpdate: 0,
  Disconnect: 0,
  Ignore: 0,
  InPlaceUpdate: 0,
  Migrate: 0,
  Place: 0,
  Preemptions: 0,
  Reconnect: 0,
  RescheduleLater: 0,
  RescheduleNow: 0,
  Stop: 0,
};

function countStops(stops: readonly StopDecision[]): Record<string, DesiredUpdates> {
  const updates: Record<string, DesiredUpdates> = {};
  for (const { allocation } of stops) {
    const old = updates[allocation.TaskGroup] ?? NO_UPDATES;
    updates[allocation.TaskGroup] = { ...old, Stop: old.Stop + 1 };
  }
  return updates;
}

function updatesOf(one: GroupDecisions, preemptions: number, placed: number): DesiredUpdates {
  const rescheduled = one.place.filter((place) => place.rescheduled).length;
  const moved = one.place.filter(({ previous }) => previous?.DesiredTransition.Migrate === true).length;
  return {
    ...NO_UPDATES,
    Preemptions: preemptions,
    Place: placed - moved - one.destructive,
    Migrate: moved,
    Stop: one.stop.length - moved - one.destructive,
    DestructiveUpdate: one.destructive,
    InPlaceUpdate: one.inPlace.length,
    Disconnect: one.disconnect.length,
    Reconnect: one.reconnect.length,
    RescheduleNow: rescheduled,
    RescheduleLater: one.later.length,
    Ignore: Math.max(0, one.keep.length - one.inPlace.length),
  };
}

/** Takes evaluations, one after another. */
export class Evaluator {
  readonly #cluster: Cluster;
  readonly #queue: string[] = [];
  readonly #timers = new Set<NodeJS.Timeout>();
  #scheduled = false;
  #stopped = false;
  #unblock = false;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /** Makes an evaluation within a write and queues it. */
  create(write: Write, request: EvaluationRequest): Evaluation {
    const waitUntil = request.waitUntilMs === undefined ? {} : { WaitUntil: new Date(request.waitUntilMs).toISOString() };
    const evaluation = write.evaluation({
      ID: randomUUID(),
      Namespace: request.namespace,
      JobID: request.job,
      Type: request.type,
      TriggeredBy: request.trigger,
      Priority: request.priority,
      Status: "pending",
      ...(request.description === undefined ? {} : { StatusDescription: request.description }),
      ...(request.jobModifyIndex === undefined ? {} : { JobModifyIndex: request.jobModifyIndex }),
      ...(request.node === undefined ? {} : { NodeID: request.node }),
      ...(request.previous === undefined ? {} : { PreviousEval: request.previous }),
      ...waitUntil,
    });
    if (request.waitUntilMs === undefined) this.#enqueue(evaluation.ID);
    else this.#later(evaluation.ID, request.waitUntilMs);
    return evaluation;
  }

  /** Tries blocked evaluations again: capacity may have appeared. */
  unblock(): void {
    this.#unblock = true;
    this.wake();
  }

  /** Goes on, after a leader is back or the broker is no longer paused. */
  wake(): void {
    if (this.#scheduled || this.#stopped) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#run();
    });
  }

  /** Evaluates nothing any more. */
  stop(): void {
    this.#stopped = true;
    for (const timer of this.#timers) clearTimeout(timer);
  }

  #enqueue(id: string): void {
    this.#queue.push(id);
    this.wake();
  }

  #later(id: string, atMs: number): void {
    const timer = setTimeout(
      () => {
        this.#timers.delete(timer);
        this.#enqueue(id);
      },
      // Timers may fire a millisecond early; the evaluation must not look before its time.
      Math.min(2 ** 31 - 1, Math.max(0, atMs - this.#cluster.state.nowMs() + 2)),
    );
    timer.unref();
    this.#timers.add(timer);
  }

  #run(): void {
    const { faults, state } = this.#cluster;
    if (this.#stopped || faults.leaderless || state.configuration.PauseEvalBroker) return;
    if (this.#unblock) this.#requeueBlocked();
    // A slice at a time, so that requests are answered between them.
    const deadline = performance.now() + 20;
    while (this.#queue.length > 0 && performance.now() < deadline) {
      const evaluation = state.evaluations.get(this.#queue.shift() ?? "");
      if (evaluation !== undefined && evaluation.Status === "pending") this.#evaluate(evaluation);
    }
    if (this.#queue.length > 0 || this.#unblock) this.wake();
  }

  #requeueBlocked(): void {
    const { state } = this.#cluster;
    this.#unblock = false;
    const blocked = [...state.blocked].flatMap((id) => state.evaluations.get(id) ?? []);
    if (blocked.length === 0) return;
    state.commit("EvaluationUpdated", (write) => {
      for (const evaluation of blocked.sort((left, right) => right.Priority - left.Priority || left.CreateIndex - right.CreateIndex)) {
        const { FailedTGAllocs: _failed, ...rest } = evaluation;
        write.evaluation({ ...rest, Status: "pending" });
        this.#queue.push(evaluation.ID);
      }
    });
  }

  #evaluate(evaluation: Evaluation): void {
    const { state } = this.#cluster;
    const job = state.jobs.get(jobKey(evaluation.Namespace, evaluation.JobID));
    const all = state.allocationsOfJob(evaluation.Namespace, evaluation.JobID);
    const snapshot = state.index;
    const outcome = decide(this.#cluster, job, all, evaluation.ID);
    const changes = outcome.stops.length + outcome.placed.length + outcome.decisions.reduce((sum, one) => sum + changesOf(one), 0);
    if (changes > 0) state.commit("PlanResult", (write) => this.#apply(write, evaluation, outcome));
    state.commit("EvaluationUpdated", (write) => this.#finish(write, evaluation, job, outcome, snapshot));
    for (const agent of this.#cluster.agents.values()) {
      const touched = [...outcome.placed, ...[...outcome.stops, ...outcome.preempted].map(({ allocation }) => allocation)];
      if (touched.some(({ NodeID }) => NodeID === agent.nodeId)) agent.sync();
    }
    if (outcome.stops.some(({ clientStatus }) => clientStatus === "lost")) this.unblock();
  }

  #apply(write: Write, evaluation: Evaluation, outcome: Outcome): void {
    const { state } = this.#cluster;
    write.evaluation(evaluation);
    const replacedBy = new Map(
      outcome.placed.filter(({ PreviousAllocation }) => PreviousAllocation !== "").map((one) => [one.PreviousAllocation, one.ID]),
    );
    const current = (allocation: Allocation) => {
      const stored = state.allocations.get(allocation.ID) ?? allocation;
      return { ...stored, NextAllocation: replacedBy.get(allocation.ID) ?? stored.NextAllocation };
    };
    for (const { allocation, clientStatus, description } of outcome.stops) {
      const status = clientStatus === undefined ? {} : { ClientStatus: clientStatus };
      write.allocation({ ...current(allocation), DesiredStatus: "stop", DesiredDescription: description, reconnecting: false, ...status });
      replacedBy.delete(allocation.ID);
      if (clientStatus === "lost") this.#forgetServices(write, allocation.ID);
    }
    this.#preempt(write, outcome.preempted);
    for (const one of outcome.decisions) this.#applyGroup(write, evaluation, one, current, replacedBy);
    for (const [previous, next] of replacedBy) {
      const stored = state.allocations.get(previous);
      if (stored !== undefined) write.allocation({ ...stored, NextAllocation: next });
    }
    const job = state.jobs.get(jobKey(evaluation.Namespace, evaluation.JobID));
    if (job !== undefined)
      cancelDeployments(this.#cluster, write, job, job.Stop ? "Cancelled because job is stopped" : "Cancelled due to newer version of job");
    const deployment = job === undefined ? undefined : deploymentFor(this.#cluster, write, job, outcome.placed);
    for (const allocation of outcome.placed) write.allocation({ ...allocation, DeploymentID: deployment?.ID ?? "" });
    refreshJob(this.#cluster, write, evaluation.Namespace, evaluation.JobID);
  }

  /** Evicts allocations; their jobs are looked at again. */
  #preempt(write: Write, preempted: readonly Preempted[]): void {
    const { state } = this.#cluster;
    for (const { allocation, by } of preempted) {
      const stored = state.allocations.get(allocation.ID) ?? allocation;
      write.allocation({
        ...stored,
        DesiredStatus: "evict",
        DesiredDescription: `Preempted by alloc ID ${by}`,
        PreemptedByAllocation: by,
      });
    }
    const jobs = new Map(preempted.map(({ allocation: { Job } }) => [jobKey(Job.Namespace, Job.ID), Job]));
    for (const { Namespace: namespace, ID: job, Type: type, Priority: priority } of jobs.values()) {
      this.create(write, { namespace, job, type, priority, trigger: "preemption" });
    }
  }

  #applyGroup(
    write: Write,
    evaluation: Evaluation,
    one: GroupDecisions,
    current: (allocation: Allocation) => Allocation,
    replacedBy: Map<string, string>,
  ): void {
    const { state } = this.#cluster;
    const request = {
      namespace: evaluation.Namespace,
      job: evaluation.JobID,
      type: evaluation.Type,
      priority: evaluation.Priority,
      previous: evaluation.ID,
    };
    for (const { allocation, sinceMs, expiresMs } of one.disconnect) {
      const followup =
        expiresMs === undefined
          ? ""
          : this.create(write, {
              ...request,
              trigger: "max-disconnect-timeout",
              waitUntilMs: expiresMs,
              description: "created for delayed disconnect timeout",
            }).ID;
      const description = "alloc is unknown since its node is disconnected";
      write.allocation({
        ...current(allocation),
        ClientStatus: "unknown",
        ClientDescription: description,
        unknownSinceMs: sinceMs,
        FollowupEvalID: followup,
      });
      replacedBy.delete(allocation.ID);
    }
    for (const allocation of one.reconnect) {
      const followup = state.evaluations.get(allocation.FollowupEvalID);
      if (followup?.Status === "pending" && atLeast(this.#cluster.options.version, "1.11.0")) {
        write.evaluation({ ...followup, Status: "canceled", StatusDescription: "allocs reconnected" });
      }
      write.allocation({ ...current(allocation), reconnecting: false, unknownSinceMs: undefined, FollowupEvalID: "" });
    }
    const job = state.jobs.get(jobKey(evaluation.Namespace, evaluation.JobID));
    for (const allocation of one.inPlace) if (job !== undefined) write.allocation({ ...current(allocation), Job: job });
    for (const { allocation, atMs } of one.later) {
      const followup = this.create(write, { ...request, trigger: "alloc-failure", waitUntilMs: atMs });
      write.allocation({ ...current(allocation), FollowupEvalID: followup.ID });
    }
  }

  #forgetServices(write: Write, allocation: string): void {
    for (const service of [...this.#cluster.state.services.values()]) if (service.AllocID === allocation) write.removeService(service);
  }

  #finish(write: Write, evaluation: Evaluation, job: Job | undefined, outcome: Outcome, snapshot: number): void {
    const { state } = this.#cluster;
    const stored = state.evaluations.get(evaluation.ID) ?? evaluation;
    const failed = Object.keys(outcome.failed).length > 0;
    const rest = {
      ...stored,
      SnapshotIndex: snapshot,
      QueuedAllocations: outcome.queued,
      PlanAnnotations: { DesiredTGUpdates: outcome.updates, PreemptedAllocs: null },
    };
    if (failed && evaluation.TriggeredBy === "queued-allocs") {
      write.evaluation({ ...rest, Status: "blocked", FailedTGAllocs: outcome.failed });
    } else if (failed) {
      const blocked = this.#block(write, evaluation, outcome);
      write.evaluation({ ...rest, Status: "complete", FailedTGAllocs: outcome.failed, BlockedEval: blocked });
    } else {
      write.evaluation({ ...rest, Status: "complete" });
      for (const other of state.evaluationsOfJob(evaluation.Namespace, evaluation.JobID)) {
        if (other.Status === "blocked")
          write.evaluation({ ...other, Status: "canceled", StatusDescription: `evaluation "${evaluation.ID}" successful` });
      }
    }
    if (job !== undefined) refreshJob(this.#cluster, write, evaluation.Namespace, evaluation.JobID);
  }

  #block(write: Write, evaluation: Evaluation, outcome: Outcome): string {
    const { state } = this.#cluster;
    for (const other of state.evaluationsOfJob(evaluation.Namespace, evaluation.JobID)) {
      if (other.Status !== "blocked") continue;
      write.evaluation({
        ...other,
        Status: "canceled",
        StatusDescription: `existing blocked evaluation exists for job "${evaluation.JobID}"`,
      });
    }
    const id = randomUUID();
    write.evaluation({
      ID: id,
      Namespace: evaluation.Namespace,
      JobID: evaluation.JobID,
      Type: evaluation.Type,
      Priority: evaluation.Priority,
      TriggeredBy: "queued-allocs",
      Status: "blocked",
      StatusDescription: "created to place remaining allocations",
      PreviousEval: evaluation.ID,
      FailedTGAllocs: outcome.failed,
    });
    return id;
  }
}

function changesOf(one: GroupDecisions): number {
  return one.disconnect.length + one.reconnect.length + one.inPlace.length + one.later.length;
}

/** Writes the job's status if it has changed: running with live allocations, pending with evaluations to come, dead otherwise. */
export function refreshJob(cluster: Cluster, write: Write, namespace: string, id: string): void {
  const { state } = cluster;
  const job = state.jobs.get(jobKey(namespace, id));
  if (job === undefined || job.ParameterizedJob !== null || job.Periodic !== null) return;
  const allocations = state.allocationsOfJob(namespace, id);
  const live = allocations.some((one) => !["complete", "failed", "lost"].includes(one.ClientStatus) && one.DesiredStatus === "run");
  const evaluations = state.evaluationsOfJob(namespace, id);
  const waiting = evaluations.some(({ Status }) => Status === "pending" || Status === "blocked");
  const status = job.Stop ? "dead" : live ? "running" : waiting || evaluations.length === 0 ? "pending" : "dead";
  if (status !== job.Status) write.job({ ...job, Status: status });
}
