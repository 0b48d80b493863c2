/**
 * What has to happen so that a group has the allocations it wants: which are stopped, replaced, left unknown, taken back, and how many are to be
 * placed. Pure; follows the order of the servers' reconciler, with its differences between versions. Tried on real servers of 1.8.4, 1.11.2 and
 * 2.0.5: `Replace: false` alone does not keep a lost node's allocation from being started a second time, `LostAfter` with it does.
 */
import { atLeast } from "./cluster.ts";
import { specOf } from "./job-decoder.ts";
import type { ClientNode } from "./node-records.ts";
import { type Allocation, clientTerminal, type Job, serverTerminal, type TaskGroup } from "./records.ts";

/** An allocation that is to be stopped. */
export interface StopDecision {
  readonly allocation: Allocation;
  /** Status to give it now, since nobody can ask its client. */
  readonly clientStatus: "lost" | undefined;
  readonly description: string;
}

/** An allocation that is to be placed. */
export interface PlaceDecision {
  readonly name: string;
  readonly previous: Allocation | undefined;
  /** It replaces a failed one, which counts as an attempt. */
  readonly rescheduled: boolean;
  /** The node that it has to be on; undefined: any. */
  readonly node?: string;
}

/** Decisions for one group. */
export interface GroupDecisions {
  readonly group: TaskGroup;
  readonly stop: StopDecision[];
  readonly place: PlaceDecision[];
  /** To be marked unknown; `expiresMs`: wall time at which they are lost; undefined: there is no limit. */
  readonly disconnect: { readonly allocation: Allocation; readonly sinceMs: number; readonly expiresMs: number | undefined }[];
  readonly reconnect: Allocation[];
  readonly keep: Allocation[];
  /** Same spec in another version: only their job is exchanged. */
  readonly inPlace: Allocation[];
  readonly destructive: number;
  readonly migrate: number;
  /** Failed ones that are replaced later. */
  readonly later: { readonly allocation: Allocation; readonly atMs: number }[];
}

/** Descriptions that allocations are stopped with. */
export const NOT_NEEDED = "alloc not needed due to job update";
const LOST = "alloc is lost since its node is down";
const MIGRATING = "alloc is being migrated";
const UPDATING = "alloc is being updated due to job update";
const RESCHEDULED = "alloc was rescheduled because it failed";
const RECONNECTED = "alloc not needed due to disconnected client reconnect";

type Category = "untainted" | "migrate" | "lost" | "disconnecting" | "reconnecting" | "ignore" | "expiring";

/** What the reconciler is told. */
export interface Situation {
  readonly version: string;
  readonly nowMs: number;
  readonly nodes: ReadonlyMap<string, ClientNode>;
  readonly evaluation: string;
}

function lostAfterOf(allocation: Allocation): number {
  return allocation.Job.TaskGroups?.find(({ Name }) => Name === allocation.TaskGroup)?.Disconnect?.LostAfter ?? 0;
}

function replacesOnDisconnect(allocation: Allocation): boolean {
  return allocation.Job.TaskGroups?.find(({ Name }) => Name === allocation.TaskGroup)?.Disconnect?.Replace ?? true;
}

/** Whether an unknown allocation has waited for its client long enough; without `LostAfter` that is at once, since 1.11.2. */
function expired(allocation: Allocation, nowMs: number, modern: boolean): boolean {
  const after = lostAfterOf(allocation);
  if (allocation.unknownSinceMs === undefined || allocation.ClientStatus !== "unknown" || (after === 0 && !modern)) return false;
  return nowMs >= allocation.unknownSinceMs + after / 1e6;
}

/** Where an allocation stands, seen from its node. */
function classify(allocation: Allocation, { version, nodes, nowMs }: Situation): Category {
  const modern = atLeast(version, "1.11.2");
  const node = nodes.get(allocation.NodeID);
  const { reconnecting, ClientStatus } = allocation;
  if (reconnecting && allocation.DesiredStatus === "run" && ClientStatus === "failed") return "reconnecting";
  if ((clientTerminal(allocation) || serverTerminal(allocation)) && !reconnecting) {
    if (modern && serverTerminal(allocation)) return allocation.DesiredTransition.MigrateDisablePlacement === true ? "untainted" : "ignore";
    return "untainted";
  }
  if (expired(allocation, nowMs, modern)) return "expiring";
  if (node?.Status === "disconnected") return classifyDisconnected(allocation, modern);
  if (allocation.DesiredTransition.Migrate === true) return "migrate";
  if (node === undefined) return "lost";
  if (node.Status !== "down") return reconnecting ? "reconnecting" : "untainted";
  if (!replacesOnDisconnect(allocation)) {
    if (ClientStatus === "unknown") return "untainted";
    if (ClientStatus === "running") return "disconnecting";
  }
  // A group with LostAfter keeps what is unknown, also once its node counts as down.
  if (!modern && lostAfterOf(allocation) > 0 && ClientStatus === "unknown") return "untainted";
  return "lost";
}

function classifyDisconnected(allocation: Allocation, modern: boolean): Category {
  if (allocation.ClientStatus === "unknown") return "untainted";
  if (allocation.ClientStatus === "pending") return "lost";
  if (lostAfterOf(allocation) === 0) return !modern && !replacesOnDisconnect(allocation) ? "disconnecting" : "lost";
  return "disconnecting";
}

function ranSuccessfully(allocation: Allocation): boolean {
  const states = Object.values(allocation.TaskStates ?? {});
  return states.length > 0 && states.every(({ State, Failed }) => State === "dead" && !Failed);
}

/** Attempts that were made within the policy's interval. */
function attemptsOf(allocation: Allocation, group: TaskGroup, nowMs: number): number {
  const events = allocation.RescheduleTracker?.Events ?? [];
  const interval = group.ReschedulePolicy?.Interval ?? 0;
  return events.filter(({ RescheduleTime }) => interval === 0 || nowMs - RescheduleTime / 1e6 < interval / 1e6).length;
}

function finishedMs(allocation: Allocation): number {
  const times = Object.values(allocation.TaskStates ?? {}).map(({ FinishedAt }) => (FinishedAt === null ? 0 : Date.parse(FinishedAt)));
  const last = Math.max(0, ...times);
  return last === 0 ? allocation.ModifyTime / 1e6 : last;
}

/** When a failed allocation may be replaced; undefined: never. */
function rescheduleAt(allocation: Allocation, group: TaskGroup, nowMs: number): number | undefined {
  const policy = group.ReschedulePolicy;
  if (policy === null) return undefined;
  const attempts = attemptsOf(allocation, group, nowMs);
  if (!policy.Unlimited && (policy.Attempts === 0 || attempts >= policy.Attempts)) return undefined;
  const delayMs = policy.Delay / 1e6;
  if (policy.DelayFunction !== "exponential") return finishedMs(allocation) + delayMs;
  const grown = delayMs * 2 ** attempts;
  return finishedMs(allocation) + (policy.MaxDelay > 0 ? Math.min(grown, policy.MaxDelay / 1e6) : grown);
}

/** What an allocation that is over, or fine where it is, means for the group: it counts, it is replaced now or later, or it is nothing. */
function disposition(
  allocation: Allocation,
  group: TaskGroup,
  batch: boolean,
  situation: Situation,
): "counts" | "replace" | "nothing" | number {
  if (allocation.NextAllocation !== "" && (clientTerminal(allocation) || serverTerminal(allocation))) return "nothing";
  if (serverTerminal(allocation)) {
    if (allocation.DesiredTransition.MigrateDisablePlacement === true) return "counts";
    return batch && allocation.DesiredStatus === "stop" && ranSuccessfully(allocation) ? "counts" : "nothing";
  }
  if (allocation.ClientStatus === "failed") {
    if (allocation.DesiredTransition.ForceReschedule === true) return "replace";
    const at = rescheduleAt(allocation, group, situation.nowMs);
    if (at === undefined) return "counts";
    return allocation.FollowupEvalID === situation.evaluation || at - situation.nowMs <= 0 ? "replace" : at;
  }
  if (!batch && (allocation.ClientStatus === "complete" || allocation.ClientStatus === "lost")) return "nothing";
  return "counts";
}

/** Index in an allocation's name, such as 3 of "w.worker[3]". */
export function indexOf({ Name }: Allocation): number {
  return Number(/\[(\d+)\]$/.exec(Name)?.[1] ?? 0);
}

/** The group's sets, changed step by step. */
class Sets {
  readonly decisions: GroupDecisions;
  readonly replaced: Allocation[] = [];
  readonly migrating: Allocation[] = [];
  readonly lost: Allocation[] = [];

  constructor(group: TaskGroup) {
    this.decisions = {
      group,
      stop: [],
      place: [],
      disconnect: [],
      reconnect: [],
      keep: [],
      inPlace: [],
      destructive: 0,
      migrate: 0,
      later: [],
    };
  }
}

function sortIn(sets: Sets, allocation: Allocation, category: Category, job: Job, situation: Situation): void {
  const { decisions } = sets;
  const batch = job.Type === "batch";
  switch (category) {
    case "ignore":
      return;
    case "migrate":
      sets.migrating.push(allocation);
      return;
    case "lost":
    case "expiring":
      sets.lost.push(allocation);
      return;
    case "disconnecting":
      sortDisconnecting(sets, allocation, situation);
      return;
    case "reconnecting":
      if (allocation.ClientStatus === "failed") decisions.stop.push({ allocation, clientStatus: undefined, description: RESCHEDULED });
      else if (allocation.DesiredStatus !== "run" || allocation.Job.Version < job.Version || allocation.Job.CreateIndex < job.CreateIndex) {
        decisions.stop.push({ allocation, clientStatus: undefined, description: NOT_NEEDED });
      } else {
        decisions.reconnect.push(allocation);
        decisions.keep.push(allocation);
      }
      return;
    case "untainted": {
      const what = disposition(allocation, decisions.group, batch, situation);
      if (what === "counts") decisions.keep.push(allocation);
      else if (what === "replace") sets.replaced.push(allocation);
      else if (typeof what === "number") {
        decisions.keep.push(allocation);
        if (allocation.FollowupEvalID === "") decisions.later.push({ allocation, atMs: what });
      }
    }
  }
}

function sortDisconnecting(sets: Sets, allocation: Allocation, { nowMs, version }: Situation): void {
  const { decisions } = sets;
  const modern = atLeast(version, "1.11.2");
  const after = lostAfterOf(allocation);
  decisions.disconnect.push({ allocation, sinceMs: nowMs, expiresMs: after === 0 && !modern ? undefined : nowMs + after / 1e6 });
  // Before 1.11.2 it is simply not counted without LostAfter, so that a new one takes its place at once; since then it is lost in a moment.
  if (after === 0 && !modern) return;
  if (!replacesOnDisconnect(allocation)) decisions.keep.push(allocation);
  else if (modern && rescheduleAt(allocation, decisions.group, nowMs) === undefined) decisions.keep.push(allocation);
  else sets.replaced.push(allocation);
}

/** Replacements of a reconnected allocation are stopped, or the allocation itself, as `Reconcile` says. */
function settleReconnected(sets: Sets, all: readonly Allocation[]): void {
  const { decisions } = sets;
  for (const original of [...decisions.reconnect]) {
    const replacement = all.find(({ ID, DesiredStatus }) => ID === original.NextAllocation && DesiredStatus === "run");
    if (replacement === undefined) continue;
    const strategy = decisions.group.Disconnect?.Reconcile ?? "best_score";
    const loser = strategy === "keep_replacement" ? original : replacement;
    decisions.stop.push({ allocation: loser, clientStatus: undefined, description: RECONNECTED });
    decisions.keep.splice(0, decisions.keep.length, ...decisions.keep.filter(({ ID }) => ID !== loser.ID));
    if (loser === original) decisions.reconnect.splice(decisions.reconnect.indexOf(original), 1);
  }
}

function stopSurplus(sets: Sets): void {
  const { decisions } = sets;
  const { Count } = decisions.group;
  const live = decisions.keep.filter((one) => !serverTerminal(one));
  if (decisions.keep.length <= Count) return;
  const candidates = live
    .filter((one) => !clientTerminal(one))
    .sort((left, right) => indexOf(right) - indexOf(left) || right.CreateIndex - left.CreateIndex);
  for (const allocation of candidates.slice(0, Math.max(0, decisions.keep.length - Count))) {
    decisions.stop.push({ allocation, clientStatus: undefined, description: NOT_NEEDED });
    decisions.keep.splice(decisions.keep.indexOf(allocation), 1);
  }
}

/** Allocations of older versions of the job: kept as they are, exchanged in place, or replaced. */
function sortVersions(sets: Sets, job: Job, limit: number): Allocation[] {
  const { decisions } = sets;
  const replaced: Allocation[] = [];
  for (const allocation of [...decisions.keep]) {
    if (allocation.Job.Version === job.Version && allocation.Job.CreateIndex === job.CreateIndex) continue;
    if (clientTerminal(allocation) || serverTerminal(allocation)) continue;
    const old = allocation.Job.TaskGroups?.find(({ Name }) => Name === decisions.group.Name);
    const same = JSON.stringify({ ...old, Count: 0 }) === JSON.stringify({ ...decisions.group, Count: 0 });
    const jobs = specOf({ ...job, TaskGroups: null }) === specOf({ ...allocation.Job, TaskGroups: null });
    if (same && jobs) decisions.inPlace.push(allocation);
    else if (replaced.length < limit) {
      decisions.stop.push({ allocation, clientStatus: undefined, description: UPDATING });
      decisions.keep.splice(decisions.keep.indexOf(allocation), 1);
      replaced.push(allocation);
    }
  }
  return replaced;
}

function placeMissing(sets: Sets, updated: readonly Allocation[], job: Job): void {
  const { decisions } = sets;
  const { Count, Name } = decisions.group;
  let existing = decisions.keep.length;
  for (const previous of updated) {
    decisions.place.push({ name: previous.Name, previous, rescheduled: false });
    existing += 1;
  }
  for (const previous of sets.replaced) {
    if (existing >= Count) break;
    decisions.place.push({ name: previous.Name, previous, rescheduled: true });
    existing += 1;
  }
  for (const previous of [...sets.migrating, ...sets.lost]) {
    const stays = previous.DesiredTransition.MigrateDisablePlacement === true;
    if (stays) {
      existing += 1;
      continue;
    }
    if (existing >= Count) break;
    decisions.place.push({ name: previous.Name, previous, rescheduled: false });
    existing += 1;
  }
  const taken = new Set([...decisions.keep, ...sets.migrating].map(({ Name: name }) => name));
  for (const { name } of decisions.place) taken.add(name);
  for (let index = 0; existing < Count; index += 1) {
    const name = `${job.ID}.${Name}[${index}]`;
    if (taken.has(name) && index < Count * 2) continue;
    decisions.place.push({ name, previous: undefined, rescheduled: false });
    existing += 1;
  }
}

/** Decisions for one group of a job that shall run; `limit`: how many allocations may be exchanged for another version now. */
export function reconcileGroup(
  job: Job,
  group: TaskGroup,
  all: readonly Allocation[],
  situation: Situation,
  limit = Number.POSITIVE_INFINITY,
): GroupDecisions {
  const sets = new Sets(group);
  const { decisions } = sets;
  for (const allocation of all) {
    const older = allocation.Job.Version < job.Version || allocation.Job.CreateIndex < job.CreateIndex;
    if (job.Type === "batch" && older && (clientTerminal(allocation) || serverTerminal(allocation))) continue;
    sortIn(sets, allocation, classify(allocation, situation), job, situation);
  }
  settleReconnected(sets, all);
  stopSurplus(sets);
  const updated = sortVersions(sets, job, limit);
  for (const allocation of sets.lost) decisions.stop.push({ allocation, clientStatus: "lost", description: LOST });
  for (const allocation of sets.migrating) decisions.stop.push({ allocation, clientStatus: undefined, description: MIGRATING });
  for (const allocation of sets.replaced) {
    // One that waits for its client stays as it is; the replacement is what counts.
    if (allocation.ClientStatus === "failed") decisions.stop.push({ allocation, clientStatus: undefined, description: RESCHEDULED });
  }
  placeMissing(sets, updated, job);
  return { ...decisions, destructive: updated.length, migrate: sets.migrating.length };
}

/** What to stop of a job or group that shall not run any more. */
export function stopAll(all: readonly Allocation[], situation: Situation): StopDecision[] {
  const live = all.filter((one) => !serverTerminal(one) && !clientTerminal(one));
  return live.map((allocation) => {
    const node = situation.nodes.get(allocation.NodeID);
    const gone = node === undefined || node.Status === "down";
    return gone && allocation.ClientStatus !== "unknown"
      ? { allocation, clientStatus: "lost", description: LOST }
      : { allocation, clientStatus: undefined, description: NOT_NEEDED };
  });
}
