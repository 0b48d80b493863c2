/** What the servers check of a decoded job, with their texts: `multiError` writes several the way Go's go-multierror does. */
import type { Job, Task, TaskGroup } from "./records.ts";

const TYPES = ["service", "batch", "system", "sysbatch"];

/** Several errors as one text. */
export function multiError(errors: readonly string[]): string {
  const heading = errors.length === 1 ? "1 error occurred:" : `${errors.length} errors occurred:`;
  return `${heading}\n${errors.map((error) => `\t* ${error}`).join("\n")}\n\n`;
}

function checkResources({ Resources: { CPU, Cores, MemoryMB, MemoryMaxMB } }: Task): string[] {
  const errors: string[] = [];
  if (Cores > 0 && CPU > 0) errors.push("Task can only ask for 'cpu' or 'cores' resource, not both.");
  if (Cores === 0 && CPU < 1) errors.push(multiError([`minimum CPU value is 1; got ${CPU}`]));
  if (MemoryMB < 10) errors.push(multiError([`minimum MemoryMB value is 10; got ${MemoryMB}`]));
  if (MemoryMaxMB !== 0 && MemoryMaxMB !== -1 && MemoryMaxMB < MemoryMB) {
    errors.push(`MemoryMaxMB value (${MemoryMaxMB}) should be larger than MemoryMB value (${MemoryMB})`);
  }
  return errors;
}

function checkTask(task: Task, group: TaskGroup): string[] {
  const errors: string[] = [];
  if (task.Name === "") errors.push("Missing task name");
  if (/[/\\]/.test(task.Name)) errors.push("Task name cannot include slashes");
  if (task.Driver === "") errors.push("Missing task driver");
  if (task.KillTimeout < 0) errors.push("KillTimeout must be a positive value");
  if (task.ShutdownDelay < 0) errors.push("ShutdownDelay must be a positive value");
  const logs = task.LogConfig.MaxFiles * task.LogConfig.MaxFileSizeMB;
  if (!task.LogConfig.Disabled && group.EphemeralDisk.SizeMB <= logs) {
    errors.push(multiError([`log storage (${logs} MB) must be less than requested disk capacity (${group.EphemeralDisk.SizeMB} MB)`]));
  }
  const resources = checkResources(task);
  if (resources.length > 0) errors.push(multiError(resources));
  for (const [index, template] of (task.Templates ?? []).entries()) {
    if (template.DestPath === "")
      errors.push(`Template ${index + 1} validation failed: ${multiError(["Must specify a destination for the template"])}`);
  }
  for (const identity of task.Identities ?? []) {
    if (identity.Name === "default")
      errors.push("Identity default validation failed: 1 error occurred:\n\t* only the Identity block may be named default");
    if (identity.TTL < 0) errors.push("ttl must be >= 0");
  }
  for (const service of task.Services ?? []) if (service.Name === "") errors.push("Service name must be provided");
  return errors;
}

function checkGroup(group: TaskGroup, job: Job): string[] {
  const errors: string[] = [];
  if (group.Name === "") errors.push("Missing task group name");
  if (group.Count < 0) errors.push("Task group count can't be negative");
  if (group.Tasks.length === 0) errors.push("Missing tasks for task group");
  const { Disconnect } = group;
  if (Disconnect !== null) {
    if (Disconnect.LostAfter < 0) errors.push("disconnect.lost_after cannot be a negative duration");
    if (Disconnect.StopOnClientAfter !== null && Disconnect.LostAfter > 0) {
      errors.push("Disconnect cannot be configured with both lost_after and stop_after");
    }
    if (!["keep_original", "keep_replacement", "best_score", "longest_running"].includes(Disconnect.Reconcile)) {
      errors.push(
        `Reconcile strategy can only be best_score, keep_original, keep_replacement or longest_running, got ${Disconnect.Reconcile}`,
      );
    }
  }
  if (!["fail", "delay"].includes(group.RestartPolicy.Mode)) errors.push(`Unsupported restart mode: "${group.RestartPolicy.Mode}"`);
  const { ReschedulePolicy } = group;
  if (ReschedulePolicy !== null && ReschedulePolicy.Attempts > 0 && ReschedulePolicy.Interval <= 0) {
    errors.push("Reschedule Policy: Interval must be a non-zero value if Attempts > 0");
  }
  const labels = (group.Networks ?? []).flatMap(({ DynamicPorts, ReservedPorts }) => [...(DynamicPorts ?? []), ...(ReservedPorts ?? [])]);
  const seen = new Set<string>();
  for (const { Label } of labels) {
    if (seen.has(Label)) errors.push(`Port label ${Label} already in use`);
    seen.add(Label);
  }
  for (const service of group.Services ?? []) {
    if (service.PortLabel !== "" && !seen.has(service.PortLabel) && !/^\d+$/.test(service.PortLabel)) {
      errors.push(`Task group service "${service.Name}" port label "${service.PortLabel}" references unknown port`);
    }
  }
  const names = new Set<string>();
  for (const task of group.Tasks) {
    if (names.has(task.Name)) errors.push(`Task ${task.Name} redefined`);
    names.add(task.Name);
  }
  for (const task of group.Tasks) {
    const wrong = checkTask(task, group);
    if (wrong.length > 0) errors.push(`Task ${task.Name} validation failed: ${multiError(wrong)}`);
  }
  if (job.Type === "system" && group.Count > 1) errors.push(`Only allow a count of 0 or 1 for system jobs, got ${group.Count}`);
  return errors;
}

/** What is wrong with `job`; empty: nothing. `namespaces` and `pools` are those that exist. */
export function checkJob(job: Job, namespaces: ReadonlySet<string>, pools: ReadonlySet<string>): string[] {
  const errors: string[] = [];
  if (job.ID === "") errors.push("Missing job ID");
  else if (job.ID.includes(" ")) errors.push("Job ID contains a space");
  else if (job.ID.includes("\u0000")) errors.push("Job ID contains a null character");
  if (!namespaces.has(job.Namespace)) errors.push(`job "${job.ID}" is in nonexistent namespace "${job.Namespace}"`);
  if (!pools.has(job.NodePool)) errors.push(`job "${job.ID}" is in nonexistent node pool "${job.NodePool}"`);
  if (!TYPES.includes(job.Type)) errors.push(`Invalid job type: "${job.Type}"`);
  if (job.Priority < 1 || job.Priority > 100) errors.push("Job priority must be between [1, 100]");
  if (job.Datacenters.length === 0 || job.Datacenters.includes("")) errors.push("Job must specify at least one datacenter");
  const groups = job.TaskGroups ?? [];
  if (groups.length === 0) errors.push("Missing job task groups");
  const names = new Set<string>();
  for (const [index, group] of groups.entries()) {
    if (names.has(group.Name)) errors.push(`Job task group ${index + 1} redefines '${group.Name}' from earlier task group`);
    names.add(group.Name);
  }
  for (const group of groups) {
    const wrong = checkGroup(group, job);
    if (wrong.length > 0) errors.push(`Task group ${group.Name} validation failed: ${multiError(wrong)}`);
  }
  return errors;
}
