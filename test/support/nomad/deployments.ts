/**
 * Deployments of service jobs, without canaries: one per version of the job, successful once all its allocations are healthy. One that makes no
 * progress until `progress_deadline` fails, and with `auto_revert` the last version that was stable is registered again. A group without an update
 * block counts as healthy as soon as it runs.
 */
import { randomUUID } from "node:crypto";
import type { Cluster } from "./cluster.ts";
import { type Allocation, clientTerminal, type Deployment, groupOf, type Job, serverTerminal, type TaskGroup } from "./records.ts";
import { jobKey, type Write } from "./state.ts";

function deploymentOf(cluster: Cluster, job: Job): Deployment | undefined {
  const all = [...cluster.state.deployments.values()].filter(({ Namespace, JobID }) => Namespace === job.Namespace && JobID === job.ID);
  return all.findLast(({ JobVersion, JobCreateIndex }) => JobVersion === job.Version && JobCreateIndex === job.CreateIndex);
}

/** The deployment that new allocations of a service job belong to; undefined: the job has none. */
export function deploymentFor(cluster: Cluster, write: Write, job: Job, placed: readonly Allocation[]): Deployment | undefined {
  if (job.Type !== "service" || placed.length === 0) return undefined;
  const known = deploymentOf(cluster, job);
  const placedOf = (name: string) => placed.filter(({ TaskGroup }) => TaskGroup === name).length;
  if (known !== undefined) {
    if (known.Status !== "running") return undefined;
    const grown = Object.entries(known.TaskGroups).map(
      ([name, group]) => [name, { ...group, PlacedAllocs: group.PlacedAllocs + placedOf(name) }] as const,
    );
    return write.deployment({ ...known, TaskGroups: Object.fromEntries(grown) });
  }
  const groups = (job.TaskGroups ?? []).map(({ Name, Count, Update }) => {
    const progress = { AutoRevert: Update?.AutoRevert ?? false, ProgressDeadline: Update?.ProgressDeadline ?? 0 };
    return [Name, { ...progress, DesiredTotal: Count, PlacedAllocs: placedOf(Name), HealthyAllocs: 0, UnhealthyAllocs: 0 }] as const;
  });
  return write.deployment({
    ID: randomUUID(),
    Namespace: job.Namespace,
    JobID: job.ID,
    JobVersion: job.Version,
    JobModifyIndex: job.ModifyIndex,
    JobSpecModifyIndex: job.JobModifyIndex,
    JobCreateIndex: job.CreateIndex,
    Status: "running",
    StatusDescription: "Deployment is running",
    TaskGroups: Object.fromEntries(groups),
    CreateIndex: 0,
    ModifyIndex: 0,
  });
}

/** Ends the deployments of a job that is stopped, or that has a newer version. */
export function cancelDeployments(cluster: Cluster, write: Write, job: Job, why: string): void {
  for (const one of cluster.state.deployments.values()) {
    if (one.JobID !== job.ID || one.Namespace !== job.Namespace || one.Status !== "running") continue;
    if (!job.Stop && one.JobVersion === job.Version) continue;
    write.deployment({ ...one, Status: "cancelled", StatusDescription: why });
  }
}

/** How many allocations of a group may be exchanged for the new version now. */
export function mayReplace(cluster: Cluster, job: Job, group: TaskGroup, all: readonly Allocation[]): number {
  const most = group.Update?.MaxParallel ?? 0;
  if (job.Type !== "service" || most === 0) return Number.POSITIVE_INFINITY;
  const deployment = deploymentOf(cluster, job);
  if (deployment?.Status === "failed") return 0;
  const begun = all.filter(({ Job: { Version, CreateIndex } }) => Version === job.Version && CreateIndex === job.CreateIndex);
  const open = begun.filter((one) => !clientTerminal(one) && !serverTerminal(one) && one.DeploymentStatus?.Healthy !== true);
  return Math.max(0, most - open.length);
}

/** Counts an allocation for its deployment once its client has decided on its health; the allocation with its health. */
export function withHealth(cluster: Cluster, write: Write, allocation: Allocation, reported: boolean | undefined): Allocation {
  const deployment = cluster.state.deployments.get(allocation.DeploymentID);
  if (deployment === undefined || deployment.Status !== "running" || allocation.DeploymentStatus !== null) return allocation;
  const plain = groupOf(allocation.Job, allocation.TaskGroup)?.Update === null || cluster.options.phantom;
  const healthy = allocation.ClientStatus === "failed" ? false : plain && allocation.ClientStatus === "running" ? true : reported;
  const old = deployment.TaskGroups[allocation.TaskGroup];
  if (old === undefined || healthy === undefined) return allocation;
  const counted = {
    ...old,
    HealthyAllocs: old.HealthyAllocs + (healthy ? 1 : 0),
    UnhealthyAllocs: old.UnhealthyAllocs + (healthy ? 0 : 1),
  };
  const groups = { ...deployment.TaskGroups, [allocation.TaskGroup]: counted };
  const done = Object.values(groups).every(({ DesiredTotal, HealthyAllocs }) => HealthyAllocs >= DesiredTotal);
  const ended = done ? { Status: "successful", StatusDescription: "Deployment completed successfully" } : {};
  write.deployment({ ...deployment, TaskGroups: groups, ...ended });
  const job = cluster.state.jobs.get(jobKey(allocation.Namespace, allocation.JobID));
  if (done && job?.Version === deployment.JobVersion) write.job({ ...job, Stable: true });
  const timestamp = new Date(cluster.state.nowMs()).toISOString();
  return { ...allocation, DeploymentStatus: { Healthy: healthy, Timestamp: timestamp, Canary: false, ModifyIndex: write.index } };
}

/** When a running deployment has to have made progress, in wall milliseconds; undefined: it may take its time. */
function dueMs(cluster: Cluster, deployment: Deployment): number | undefined {
  const deadlines = Object.values(deployment.TaskGroups).flatMap(({ ProgressDeadline }) =>
    ProgressDeadline > 0 ? [ProgressDeadline] : [],
  );
  if (deadlines.length === 0) return undefined;
  const seen = [...cluster.state.allocations.values()].filter(({ DeploymentID }) => DeploymentID === deployment.ID);
  const healthy = seen.flatMap(({ DeploymentStatus }) =>
    DeploymentStatus?.Healthy === true ? [Date.parse(DeploymentStatus.Timestamp)] : [],
  );
  const sinceMs = Math.max(...seen.map(({ CreateTime }) => CreateTime / 1e6), ...healthy, 0);
  return sinceMs === 0 ? undefined : sinceMs + Math.min(...deadlines) / 1e6 / cluster.options.deadlineHurry;
}

/** Running deployments that have made no progress in time. */
export function lateDeployments(cluster: Cluster): Deployment[] {
  const nowMs = cluster.state.nowMs();
  return [...cluster.state.deployments.values()].filter((one) => {
    const due = one.Status === "running" ? dueMs(cluster, one) : undefined;
    return due !== undefined && nowMs >= due;
  });
}

/** Fails a deployment; with `auto_revert` its job is the last stable version again. The job that is to be evaluated, if it is still there. */
export function failDeployment(cluster: Cluster, write: Write, deployment: Deployment): Job | undefined {
  const { state } = cluster;
  const key = jobKey(deployment.Namespace, deployment.JobID);
  const job = state.jobs.get(key);
  const reverts = Object.values(deployment.TaskGroups).some(({ AutoRevert }) => AutoRevert);
  const stable = state.versions.get(key)?.find(({ Stable, Version }) => Stable && Version < (job?.Version ?? 0));
  const back = reverts && job?.Version === deployment.JobVersion ? stable : undefined;
  const rolling =
    back === undefined ? (reverts ? " - no stable job version to auto revert to" : "") : ` - rolling back to job version ${back.Version}`;
  write.deployment({ ...deployment, Status: "failed", StatusDescription: `Failed due to progress deadline${rolling}` });
  if (job === undefined || back === undefined) return job;
  return write.job({ ...back, Version: job.Version + 1, Stable: false, Status: job.Status, SubmitTime: state.nowNs() }, true);
}
