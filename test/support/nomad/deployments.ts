/**
 * Deployments of service jobs, without canaries and rollbacks: one per version of the job, successful once all its allocations are healthy. An
 * allocation is healthy when it runs; the fake does not wait for `MinHealthyTime` and leaves checks out of it.
 */
import { randomUUID } from "node:crypto";
import type { Cluster } from "./cluster.ts";
import type { Allocation, Deployment, Job } from "./records.ts";
import type { Write } from "./state.ts";

function deploymentOf(cluster: Cluster, job: Job): Deployment | undefined {
  const all = [...cluster.state.deployments.values()].filter(({ Namespace, JobID }) => Namespace === job.Namespace && JobID === job.ID);
  return all.findLast(({ JobVersion, JobCreateIndex }) => JobVersion === job.Version && JobCreateIndex === job.CreateIndex);
}

/** The deployment that new allocations of a service job belong to; undefined: the job has none. */
export function deploymentFor(cluster: Cluster, write: Write, job: Job, placed: readonly Allocation[]): Deployment | undefined {
  if (job.Type !== "service" || placed.length === 0) return undefined;
  const known = deploymentOf(cluster, job);
  if (known !== undefined) return known.Status === "running" ? known : undefined;
  const groups = (job.TaskGroups ?? []).map(({ Name, Count }) => {
    const count = placed.filter(({ TaskGroup }) => TaskGroup === Name).length;
    return [Name, { DesiredTotal: Count, PlacedAllocs: count, HealthyAllocs: 0, UnhealthyAllocs: 0 }] as const;
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

/** Counts an allocation that runs or has failed for its deployment; the allocation with its health. */
export function withHealth(cluster: Cluster, write: Write, allocation: Allocation): Allocation {
  const deployment = cluster.state.deployments.get(allocation.DeploymentID);
  const settled = ["running", "failed"].includes(allocation.ClientStatus);
  if (deployment === undefined || deployment.Status !== "running" || allocation.DeploymentStatus !== null || !settled) return allocation;
  const healthy = allocation.ClientStatus === "running";
  const old = deployment.TaskGroups[allocation.TaskGroup];
  if (old === undefined) return allocation;
  const counted = {
    ...old,
    HealthyAllocs: old.HealthyAllocs + (healthy ? 1 : 0),
    UnhealthyAllocs: old.UnhealthyAllocs + (healthy ? 0 : 1),
  };
  const groups = { ...deployment.TaskGroups, [allocation.TaskGroup]: counted };
  const done = Object.values(groups).every(({ DesiredTotal, HealthyAllocs }) => HealthyAllocs >= DesiredTotal);
  const ended = done ? { Status: "successful", StatusDescription: "Deployment completed successfully" } : {};
  write.deployment({ ...deployment, TaskGroups: groups, ...ended });
  const timestamp = new Date(cluster.state.nowMs()).toISOString();
  return { ...allocation, DeploymentStatus: { Healthy: healthy, Timestamp: timestamp, Canary: false, ModifyIndex: write.index } };
}
