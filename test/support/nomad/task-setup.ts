/**
 * What a client does before it starts a task: folders, identities, artifacts, templates, and the command that the driver's configuration means.
 * Each step may fail with a `SetupFailure`, whose event is what people read in the task's history.
 */

import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { basename, dirname, isAbsolute, join } from "node:path";
import { promisify } from "node:util";
import type { Cluster } from "./cluster.ts";
import type { ClientNode } from "./node-records.ts";
import type { Allocation, Artifact, Task, Template, WorkloadIdentity } from "./records.ts";
import { signToken } from "./signing-key.ts";
import {
  ConfigError,
  evaluateConfig,
  interpolate,
  nodeNames,
  nomadVariables,
  type TaskFolders,
  taskEnvironment,
} from "./task-environment.ts";
import type { TaskCommand } from "./task-process.ts";
import { renderTemplate, TemplateError, type TemplateSource } from "./template.ts";

const FETCH_LIMIT_MS = 60_000;
/** "For ever", for identities without a TTL. */
const NO_TTL_MS = 3650 * 86_400_000;

/** The task cannot be started: an event of its own kind. `recoverable`: it is tried again as the restart policy allows. */
export class SetupFailure extends Error {
  readonly type: string;
  readonly detail: string;
  readonly recoverable: boolean;

  constructor(type: string, detail: string, message: string, recoverable: boolean) {
    super(message);
    this.type = type;
    this.detail = detail;
    this.recoverable = recoverable;
  }
}

/** Everything about one task on one node. */
export interface TaskContext {
  readonly cluster: Cluster;
  readonly node: ClientNode;
  readonly allocation: Allocation;
  readonly task: Task;
  readonly folders: TaskFolders;
}

/** Writes a file so that a reader sees the old one or the new one. */
export function replaceFile(path: string, text: string, mode: number): void {
  mkdirSync(dirname(path), { recursive: true });
  const next = `${path}.next-${process.hrtime.bigint()}`;
  writeFileSync(next, text, { mode });
  chmodSync(next, mode);
  renameSync(next, path);
}

/** Makes the folders of a task. */
export function makeFolders({ folders }: TaskContext): void {
  for (const name of ["data", "logs", "tmp"]) mkdirSync(join(folders.alloc, name), { recursive: true });
  for (const folder of [folders.local, folders.secrets, join(folders.task, "tmp")]) mkdirSync(folder, { recursive: true });
}

/** A path of the job: absolute, or within the task's folder. */
export function taskPath(context: TaskContext, path: string): string {
  const own = nomadVariables(context.cluster, context.node, context.allocation, context.task, context.folders);
  const filled = interpolate(path, { ...nodeNames(context.cluster, context.node), ...own });
  return isAbsolute(filled) ? filled : join(context.folders.task, filled);
}

/** A signed identity and when it ends, in wall milliseconds. */
export function makeIdentity(context: TaskContext, identity: WorkloadIdentity): { token: string; expiresMs: number } {
  const { cluster, allocation, task } = context;
  const [key] = cluster.signingKeys;
  if (key === undefined) throw new SetupFailure("Setup Failure", "setup_error", "no signing key", true);
  const nowMs = cluster.state.nowMs();
  const lifeMs = cluster.faults.identityLifeMs ?? (identity.TTL === 0 ? NO_TTL_MS : identity.TTL / 1e6);
  const issued = Math.floor(nowMs / 1000);
  const audience = cluster.faults.identityAudience === undefined ? (identity.Audience ?? []) : [cluster.faults.identityAudience];
  const { region, oidcIssuer } = cluster.options;
  const claims = {
    // One audience is a text, several are a list: so the library does it that the servers use.
    aud: audience.length === 1 ? audience[0] : audience,
    ...(identity.TTL === 0 && cluster.faults.identityLifeMs === undefined ? {} : { exp: Math.floor((nowMs + lifeMs) / 1000) }),
    iat: issued,
    ...(oidcIssuer === undefined ? {} : { iss: oidcIssuer }),
    jti: `${allocation.ID.slice(0, 24)}${createHash("sha256").update(`${identity.Name}${nowMs}`).digest("hex").slice(0, 12)}`,
    nbf: issued,
    nomad_allocation_id: allocation.ID,
    nomad_job_id: allocation.JobID,
    nomad_namespace: allocation.Namespace,
    nomad_task: task.Name,
    sub: `${region}:${allocation.Namespace}:${allocation.JobID}:${allocation.TaskGroup}:${task.Name}:${identity.Name}`,
  };
  return { token: signToken(key, claims), expiresMs: nowMs + lifeMs };
}

/** Where an identity's file is; undefined: it has none. */
export function identityFile(context: TaskContext, identity: WorkloadIdentity): string | undefined {
  if (!identity.File) return undefined;
  if (identity.Filepath !== "") return taskPath(context, identity.Filepath);
  return join(context.folders.secrets, identity.Name === "default" ? "nomad_token" : `nomad_${identity.Name}.jwt`);
}

/** All identities of a task. */
export function identitiesOf(task: Task): WorkloadIdentity[] {
  return [...(task.Identity === null ? [] : [task.Identity]), ...(task.Identities ?? [])];
}

async function download(source: string): Promise<Buffer> {
  const url = source.replace(/^(s3|https?)::/, "");
  const response = await fetch(url, { signal: AbortSignal.timeout(FETCH_LIMIT_MS) });
  if (!response.ok) throw new SetupFailure("Failed Artifact Download", "download_error", `bad response code: ${response.status}`, true);
  return Buffer.from(await response.arrayBuffer());
}

/** Fetches one artifact, checks it and unpacks it. */
export async function fetchArtifact(context: TaskContext, artifact: Artifact): Promise<void> {
  const { cluster, node } = context;
  const own = nomadVariables(cluster, node, context.allocation, context.task, context.folders);
  const source = interpolate(artifact.GetterSource, { ...nodeNames(cluster, node), ...own });
  const failed = (text: string) => {
    const message = `failed to download artifact "${source}": getter subprocess failed: exit status 1: ${text}`;
    return new SetupFailure("Failed Artifact Download", "download_error", message, true);
  };
  if (cluster.faults.artifactFailure !== undefined) throw failed(cluster.faults.artifactFailure);
  let data: Buffer;
  try {
    data = await download(source);
  } catch (error) {
    throw failed(`error downloading '${source}': ${error instanceof Error ? error.message : "failed"}`);
  }
  const [algorithm = "", wanted = ""] = (artifact.GetterOptions?.["checksum"] ?? "").split(":");
  if (wanted !== "") {
    const got = createHash(algorithm).update(data).digest("hex");
    if (got !== wanted) throw failed(`Checksums did not match for ${basename(source)}.\nExpected: ${wanted}\nGot: ${got}`);
  }
  const target = taskPath(context, artifact.RelativeDest);
  const name = basename(new URL(source.replace(/^(s3|https?)::/, "")).pathname);
  const packed = /\.(tar\.gz|tgz|tar)$/.test(name) && artifact.GetterMode !== "file";
  const file = artifact.GetterMode === "file" ? target : join(target, name);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, data, { mode: 0o755 });
  if (packed) await promisify(execFile)("tar", ["-xf", file, "-C", target]);
}

/** What templates of a task may read. */
export function templateSource(context: TaskContext, environment: Readonly<Record<string, string>>): TemplateSource {
  const { cluster, allocation, task } = context;
  const { state } = cluster;
  const names = nodeNames(cluster, context.node);
  const base = `nomad/jobs/${allocation.Job.ParentID === "" ? allocation.JobID : allocation.Job.ParentID}`;
  const group = `${base}/${allocation.TaskGroup}`;
  const implied = new Set(["nomad/jobs", base, group, `${group}/${task.Name}`]);
  return {
    service: (name) => {
      const found = [...state.services.values()].filter(
        ({ ServiceName, Namespace }) => ServiceName === name && Namespace === allocation.Namespace,
      );
      return found.sort((left, right) => (left.ID < right.ID ? -1 : 1)).map((one) => ({ ...one, Name: one.ServiceName, Node: one.NodeID }));
    },
    variable: (path) => {
      if (cluster.options.acl && !implied.has(path))
        throw new TemplateError(`nomad.var.block(${path}@default.global): Unexpected response code: 403 (Permission denied)`);
      return state.variables.get(`${allocation.Namespace}\u0000${path}`)?.Items;
    },
    services: () => {
      const names = new Map<string, Set<string>>();
      for (const { ServiceName, Namespace, Tags } of state.services.values()) {
        if (Namespace === allocation.Namespace) names.set(ServiceName, new Set([...(names.get(ServiceName) ?? []), ...Tags]));
      }
      return [...names].sort().map(([Name, tags]) => ({ Name, Tags: [...tags].sort() }));
    },
    env: (name) => environment[name] ?? names[name] ?? "",
  };
}

/** The text of one template. Throws `TemplateWaits` or `TemplateError`. */
export function renderOne(context: TaskContext, template: Template, environment: Readonly<Record<string, string>>): string {
  return renderTemplate(template.EmbeddedTmpl, templateSource(context, environment), [template.LeftDelim, template.RightDelim]);
}

/** Lines `NAME=value` of a template that is for the environment. */
export function variablesOf(text: string): Record<string, string> {
  const variables: Record<string, string> = {};
  for (const line of text.split("\n")) {
    const [, name, value] = /^\s*(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (name !== undefined) variables[name] = (value ?? "").replace(/^"(.*)"$/, "$1");
  }
  return variables;
}

function stringsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}

function driverFailure(message: string, recoverable: boolean): SetupFailure {
  return new SetupFailure("Driver Failure", "driver_error", message, recoverable);
}

/** What the driver's configuration means. Throws `SetupFailure`. */
export function commandOf(context: TaskContext, extra: Readonly<Record<string, string>>): TaskCommand {
  const { cluster, node, allocation, task, folders } = context;
  const own = { ...nomadVariables(cluster, node, allocation, task, folders), ...extra };
  const names = nodeNames(cluster, node);
  const environment = taskEnvironment(own, names, task);
  const fault = cluster.faults.driverFailures.get(task.Driver);
  if (fault !== undefined) throw driverFailure(fault, true);
  let config: Readonly<Record<string, unknown>>;
  try {
    config = evaluateConfig(task.Config ?? {}, { ...names, ...environment }) as Readonly<Record<string, unknown>>;
  } catch (error) {
    if (error instanceof ConfigError) throw new SetupFailure("Failed Validation", "validation_error", error.message, false);
    throw error;
  }
  const program = typeof config["command"] === "string" ? config["command"] : "";
  const args = stringsOf(config["args"]);
  if (task.Driver === "docker") return dockerCommand(cluster, config, environment, folders);
  if (task.Driver === "mock_driver") return { program: "sleep", args: ["1000000"], folder: folders.task, environment };
  if (program === "")
    throw new SetupFailure("Failed Validation", "validation_error", "1 error occurred:\n\t* command must not be empty\n\n", false);
  const local = isAbsolute(program) || !program.includes("/") ? program : join(folders.task, program);
  return { program: local, args, folder: folders.task, environment };
}

function dockerCommand(
  cluster: Cluster,
  config: Readonly<Record<string, unknown>>,
  environment: Readonly<Record<string, string>>,
  folders: TaskFolders,
): TaskCommand {
  const image = String(config["image"] ?? "");
  const known = cluster.options.images[image];
  if (known === undefined) {
    const message = `Failed to pull \`${image}\`: Error response from daemon: pull access denied for ${image.split("@")[0]}, repository does not exist or may require 'docker login'`;
    throw driverFailure(message, true);
  }
  const entry = typeof config["command"] === "string" ? [config["command"]] : [];
  const args = [...entry, ...stringsOf(config["args"])];
  return { program: known.command, args: [...(known.args ?? []), ...args], folder: folders.task, environment };
}
