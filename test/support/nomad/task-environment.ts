/** What a task finds in its environment, and how `${…}` in a job is filled in: leniently in `Env` and paths, strictly in a driver's `Config`. */
import { join } from "node:path";
import { atLeast, type Cluster } from "./cluster.ts";
import type { ClientNode } from "./node-records.ts";
import { indexOf } from "./reconcile.ts";
import type { Allocation, Task } from "./records.ts";

/** The folders of a task. */
export interface TaskFolders {
  /** Shared by the allocation's tasks. */
  readonly alloc: string;
  readonly task: string;
  readonly local: string;
  readonly secrets: string;
}

/** Folders of a task in the folder of its node. */
export function foldersOf(nodeFolder: string, allocation: string, task: string): TaskFolders {
  const own = join(nodeFolder, allocation, task);
  return { alloc: join(nodeFolder, allocation, "alloc"), task: own, local: join(own, "local"), secrets: join(own, "secrets") };
}

/** What a real client keeps from tasks, and what only concerns the process that runs the fake. */
const WITHHELD = /^(NOMAD_|WADI_|CONSUL_|VAULT_|AWS_(ACCESS|SECRET|SESSION)|GOOGLE_APPLICATION_CREDENTIALS|npm_|NODE_OPTIONS)/;

function hostEnvironment(): Record<string, string> {
  const kept = Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined && !WITHHELD.test(entry[0]));
  return Object.fromEntries(kept);
}

function portVariables(allocation: Allocation): Record<string, string> {
  const variables: Record<string, string> = {};
  for (const { Label, Value, HostIP } of allocation.placement.ports) {
    const label = Label.replace(/[^a-zA-Z0-9_]/g, "_");
    for (const [name, value] of [
      ["IP", HostIP],
      ["PORT", String(Value)],
      ["ADDR", `${HostIP}:${Value}`],
      ["HOST_IP", HostIP],
      ["HOST_PORT", String(Value)],
      ["HOST_ADDR", `${HostIP}:${Value}`],
      ["ALLOC_PORT", String(Value)],
    ] as const) {
      variables[`NOMAD_${name}_${label}`] = value;
    }
  }
  return variables;
}

function metaVariables(allocation: Allocation, task: Task): Record<string, string> {
  const group = allocation.Job.TaskGroups?.find(({ Name }) => Name === allocation.TaskGroup);
  const variables: Record<string, string> = {};
  for (const [key, value] of Object.entries({ ...allocation.Job.Meta, ...group?.Meta, ...task.Meta })) {
    const name = key.replace(/[^a-zA-Z0-9_]/g, "_");
    variables[`NOMAD_META_${name}`] = value;
    variables[`NOMAD_META_${name.toUpperCase()}`] = value;
  }
  return variables;
}

/** Variables that Nomad itself sets, without those of identities and templates. */
export function nomadVariables(
  cluster: Cluster,
  node: ClientNode,
  allocation: Allocation,
  task: Task,
  folders: TaskFolders,
): Record<string, string> {
  const { Resources } = task;
  const cores = allocation.placement.cores[task.Name];
  return {
    NOMAD_ALLOC_DIR: folders.alloc,
    NOMAD_TASK_DIR: folders.local,
    NOMAD_SECRETS_DIR: folders.secrets,
    NOMAD_ALLOC_ID: allocation.ID,
    NOMAD_SHORT_ALLOC_ID: allocation.ID.slice(0, 8),
    NOMAD_ALLOC_NAME: allocation.Name,
    NOMAD_ALLOC_INDEX: String(indexOf(allocation)),
    NOMAD_TASK_NAME: task.Name,
    NOMAD_GROUP_NAME: allocation.TaskGroup,
    NOMAD_JOB_ID: allocation.JobID,
    NOMAD_JOB_NAME: allocation.Job.Name,
    ...(allocation.Job.ParentID === "" ? {} : { NOMAD_JOB_PARENT_ID: allocation.Job.ParentID }),
    NOMAD_DC: node.Datacenter,
    NOMAD_REGION: cluster.options.region,
    NOMAD_NAMESPACE: allocation.Namespace,
    NOMAD_CPU_LIMIT: String(allocation.placement.cpuShares[task.Name] ?? Resources.CPU),
    ...(cores === undefined ? {} : { NOMAD_CPU_CORES: cores.join(",") }),
    NOMAD_MEMORY_LIMIT: String(Resources.MemoryMB),
    ...(Resources.MemoryMaxMB > 0 ? { NOMAD_MEMORY_MAX_LIMIT: String(Resources.MemoryMaxMB) } : {}),
    NOMAD_PARENT_CGROUP: "nomad.slice",
    ...(atLeast(cluster.options.version, "1.10.3") ? { NOMAD_UNIX_ADDR: `unix://${folders.secrets}/api.sock` } : {}),
    ...portVariables(allocation),
    ...metaVariables(allocation, task),
  };
}

/** Everything that `${…}` may name on a node, besides variables of the environment. */
export function nodeNames(cluster: Cluster, node: ClientNode): Record<string, string> {
  const names: Record<string, string> = {
    "node.unique.id": node.ID,
    "node.unique.name": node.Name,
    "node.datacenter": node.Datacenter,
    "node.region": cluster.options.region,
    "node.class": node.NodeClass,
    "node.pool": node.NodePool,
  };
  for (const [key, value] of Object.entries(node.Attributes)) names[`attr.${key}`] = value;
  for (const [key, value] of Object.entries(node.Meta)) names[`meta.${key}`] = value;
  return names;
}

/** `text` with the names that are known filled in; others stay as they are. */
export function interpolate(text: string, names: Readonly<Record<string, string>>): string {
  return text.replace(
    /\$\{([^}]+)\}/g,
    (whole, name: string) => names[name.trim()] ?? names[name.trim().replace(/^env\["(.*)"\]$/, "$1")] ?? whole,
  );
}

/** What the task's process gets: the host's variables, Nomad's, the job's. */
export function taskEnvironment(
  own: Readonly<Record<string, string>>,
  names: Readonly<Record<string, string>>,
  task: Task,
): Record<string, string> {
  const given: Record<string, string> = {};
  const known = { ...names, ...own };
  for (const [key, value] of Object.entries(task.Env ?? {})) given[key] = interpolate(value, known);
  return { ...hostEnvironment(), ...own, ...given };
}

/** A name in `Config` that is not known: the task fails its validation with the text. */
export class ConfigError extends Error {}

function evaluate(text: string, known: Readonly<Record<string, string>>): string {
  return text.replace(/\$\$\{|\$\{([^}]*)\}/g, (whole, name: string | undefined) => {
    if (whole === "$${") return "${";
    const value = known[(name ?? "").trim()];
    if (value !== undefined) return value;
    const wrong = (name ?? "").trim().split(".").at(-1) ?? "";
    throw new ConfigError(
      `2 errors occurred:\n\t* failed to parse config: \n\t* Unsupported attribute: This object does not have an attribute named "${wrong}".\n\n`,
    );
  });
}

/** A driver's configuration, evaluated as HCL: an unknown name is an error, `$${` is a dollar and a brace. Throws `ConfigError`. */
export function evaluateConfig(config: unknown, known: Readonly<Record<string, string>>): unknown {
  if (typeof config === "string") return evaluate(config, known);
  if (Array.isArray(config)) return config.map((one) => evaluateConfig(one, known));
  if (typeof config !== "object" || config === null) return config;
  return Object.fromEntries(Object.entries(config).map(([key, value]) => [key, evaluateConfig(value, known)]));
}
