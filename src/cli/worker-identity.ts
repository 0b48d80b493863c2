/**
 * Who a worker process is and where it is, as the environment tells that its scheduler gave it. Nothing here is asked of anybody; of files
 * only the run token is read, because it does not change. The variables are the same for all schedulers: see src/scheduler/README.md.
 */
import { readFileSync } from "node:fs";
import { hostname, networkInterfaces } from "node:os";
import { join } from "node:path";
import type { Config } from "../core/config.ts";
import { toAppError, userError } from "../core/errors.ts";
import { isId, makeId, type WorkerId, workerIdOf } from "../core/ids.ts";
import { type RandomSource, systemRandom } from "../core/prng.ts";
import { type EndpointSource, parseEndpoints } from "../worker/endpoint-list.ts";
import type { RemoteWorkerOptions, WorkerAddresses } from "../worker/worker-options.ts";

/** Variables of a process. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** What the environment says of a worker. */
export type WorkerIdentity = Pick<
  RemoteWorkerOptions,
  | "fence"
  | "pipelineId"
  | "workerId"
  | "slots"
  | "endpoints"
  | "credential"
  | "credentialKind"
  | "identityFile"
  | "controllerCaFile"
  | "handle"
  | "machine"
  | "addresses"
  | "memoryLimitBytes"
>;

/** The machine, as far as it decides something. */
export interface MachineFacts {
  readonly hostName: string;
  /** Addresses of its interfaces. */
  readonly addresses: ReadonlySet<string>;
}

const EVERYWHERE: ReadonlySet<string> = new Set(["0.0.0.0", "::"]);

/** This machine. */
export function machineFacts(): MachineFacts {
  const interfaces = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return { hostName: hostname(), addresses: new Set(interfaces.map(({ address }) => address)) };
}

/**
 * The worker that `env` describes. `bindIsSet`: somebody chose `worker.bind-address`. Throws `invalid-usage` if a variable is missing or makes
 * no sense, and the system's error in words if the token cannot be read.
 */
export function workerIdentity(
  env: Environment,
  config: Config,
  bindIsSet: boolean,
  facts: MachineFacts = machineFacts(),
  random: RandomSource = systemRandom,
): WorkerIdentity {
  const handle = optional(env, "WADI_WORKER_HANDLE");
  return {
    fence: { jobId: required(env, "WADI_JOB_ID"), runId: required(env, "WADI_RUN_ID"), fence: integerOf(env, "WADI_RUN_FENCE") ?? 0n },
    pipelineId: env["WADI_PIPELINE_ID"] ?? "",
    workerId: workerId(env, handle, random),
    slots: Number(integerOf(env, "WADI_TASK_SLOTS") ?? config["worker.task-slots"]),
    endpoints: endpointSource(env, config),
    credential: readToken(required(env, "WADI_RUN_TOKEN_FILE")),
    credentialKind: "run-token",
    identityFile: optional(env, "WADI_IDENTITY_FILE"),
    controllerCaFile: optional(env, "WADI_CONTROLLER_CA_FILE"),
    handle: handle ?? String(process.pid),
    machine: optional(env, "WADI_MACHINE") ?? facts.hostName,
    addresses: workerAddresses(env, config, bindIsSet, facts),
    memoryLimitBytes: memoryLimit(),
  };
}

/** A worker whose scheduler only gave it a handle has the same id after a restart of its process within the same allocation. */
function workerId(env: Environment, handle: string | undefined, random: RandomSource): WorkerId {
  const given = optional(env, "WADI_WORKER_ID") ?? "";
  if (isId("worker", given)) return given;
  return handle === undefined ? makeId("worker", random) : workerIdOf(handle);
}

function endpointSource(env: Environment, config: Config): EndpointSource {
  const path = optional(env, "WADI_CONTROLLERS_FILE");
  if (path !== undefined) return { kind: "file", path };
  const { endpoints, refused } = parseEndpoints(optional(env, "WADI_CONTROLLER_ENDPOINTS") ?? config["controller-endpoint"]);
  if (endpoints.length > 0 && refused.length === 0) return { kind: "list", endpoints };
  throw userError("invalid-usage", `the list of controllers is not one of host:port: "${refused.join(",")}"`, {
    hint: "See WADI_CONTROLLER_ENDPOINTS, WADI_CONTROLLERS_FILE and the setting controller-endpoint.",
  });
}

/**
 * What a scheduler gives as host and port is where others find the worker. It listens there if that is an address of its own; inside a
 * container with a network of its own it is not, and the worker listens on all interfaces of the container.
 */
export function workerAddresses(env: Environment, config: Config, bindIsSet: boolean, facts: MachineFacts): WorkerAddresses {
  const given = optional(env, "WADI_DATA_HOST");
  const configured = config["worker.bind-address"];
  const bindHost = given === undefined || bindIsSet ? configured : facts.addresses.has(given) ? given : "0.0.0.0";
  // Nobody can dial "all interfaces".
  const dataHost = given ?? config.hostname ?? (EVERYWHERE.has(bindHost) ? facts.hostName : bindHost);
  return {
    bindHost,
    dataHost,
    dataPort: portOf(env, "WADI_DATA_PORT") ?? config["worker.data-port"],
    adminHost: optional(env, "WADI_ADMIN_HOST") ?? dataHost,
    adminPort: portOf(env, "WADI_ADMIN_PORT") ?? 0,
  };
}

/** An empty variable counts as not set: templates of outside systems write such. */
function optional(env: Environment, name: string): string | undefined {
  const value = env[name]?.trim();
  return value === "" ? undefined : value;
}

function required(env: Environment, name: string): string {
  const value = optional(env, name);
  if (value !== undefined) return value;
  throw userError("invalid-usage", `environment variable ${name} is not set`, {
    hint: "Workers are started by a scheduler, not by hand: see `wadi run` for running a query in this process.",
  });
}

function integerOf(env: Environment, name: string): bigint | undefined {
  const value = optional(env, name);
  if (value === undefined) return undefined;
  if (/^[1-9]\d{0,18}$/.test(value)) return BigInt(value);
  throw userError("invalid-usage", `environment variable ${name} must be an integer from 1, not "${value}"`);
}

function portOf(env: Environment, name: string): number | undefined {
  const value = Number(integerOf(env, name) ?? 0n);
  if (value <= 65_535) return value === 0 ? undefined : value;
  throw userError("invalid-usage", `environment variable ${name} must be a port, not ${value}`);
}

function readToken(path: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch (thrown) {
    const error = toAppError(thrown);
    throw userError(error.code, `the run token cannot be read: ${error.message}`, { cause: error });
  }
}

/** What the process' control group may use, bytes; 0: as much as there is. https://docs.kernel.org/admin-guide/cgroup-v2.html */
function memoryLimit(): number {
  try {
    const group = /^0::(.*)$/m.exec(readFileSync("/proc/self/cgroup", "utf8"))?.[1] ?? "/";
    const limit = readFileSync(join("/sys/fs/cgroup", group, "memory.max"), "utf8").trim();
    return /^\d+$/.test(limit) ? Number(limit) : 0;
  } catch {
    return 0;
  }
}
