/** What is placed and stopped of jobs that run once on every node: `system`, which is kept running, and `sysbatch`, which ends. */
import type { GroupDecisions, Situation } from "./reconcile.ts";
import { type Allocation, clientTerminal, type Job, serverTerminal, type TaskGroup } from "./records.ts";

/** Whether an allocation settles its node: it runs, or it has done there what the job's version wants. */
function settles(allocation: Allocation, job: Job): boolean {
  if (allocation.Job.Version !== job.Version || allocation.Job.CreateIndex !== job.CreateIndex || serverTerminal(allocation)) return false;
  return !clientTerminal(allocation) || (job.Type === "sysbatch" && allocation.ClientStatus === "complete");
}

/** Decisions for one group; nodes that do not fit are found out when it is placed. Failed ones are tried again. */
export function reconcileSystemGroup(job: Job, group: TaskGroup, all: readonly Allocation[], { nodes }: Situation): GroupDecisions {
  const ready = [...nodes.values()].filter(
    ({ Status, Drain, SchedulingEligibility }) => Status === "ready" && !Drain && SchedulingEligibility === "eligible",
  );
  const keep = all.filter((one) => settles(one, job));
  const settled = new Set(keep.map(({ NodeID }) => NodeID));
  const stop = all
    .filter((one) => !settles(one, job) && !serverTerminal(one) && !clientTerminal(one))
    .map((allocation) => ({ allocation, clientStatus: undefined, description: "alloc is being updated due to job update" }));
  const place = ready
    .filter(({ ID }) => !settled.has(ID))
    .map(({ ID }) => ({ name: `${job.ID}.${group.Name}[0]`, previous: undefined, rescheduled: false, node: ID }));
  const nothing = { disconnect: [], reconnect: [], inPlace: [], later: [], destructive: 0, migrate: 0 };
  return { ...nothing, group, stop, place, keep: [...keep] };
}
