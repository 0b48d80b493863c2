/**
 * `wadi worker`: a worker process, started by a scheduler. Who it is comes from the environment, its token from a file; it talks to nobody
 * but the controllers, the other workers of its run and the object store.
 */
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../core/clock.ts";
import type { Config, LoadedConfig } from "../../core/config.ts";
import { toAppError, userError } from "../../core/errors.ts";
import { isId, makeId } from "../../core/ids.ts";
import { makeLogger } from "../../core/log.ts";
import { makeRegistry } from "../../core/metrics.ts";
import { systemRandom } from "../../core/prng.ts";
import { LogFile } from "../../worker/log-file.ts";
import { RemoteWorker } from "../../worker/remote-worker.ts";
import type { RemoteWorkerOptions } from "../../worker/worker-options.ts";
import { artifactCacheFolder } from "../compile.ts";
import { release } from "../release.ts";

/** How long a worker that has to leave waits for the controller's checkpoint. */
const LEAVE_LIMIT_MS = 25_000;

type Environment = Readonly<Record<string, string | undefined>>;

/** What tests choose. */
export interface WorkerOverrides {
  readonly env?: Environment;
  readonly connectors?: string;
}

/** Runs the command; one of `WORKER_EXIT`. */
export async function worker(overrides: WorkerOverrides, { config }: LoadedConfig): Promise<number> {
  const env = overrides.env ?? process.env;
  const { WADI_LOG_FILE: logFile = "" } = env;
  const log = logFile === "" ? undefined : new LogFile(logFile);
  const level = config["logging.level"];
  const logger =
    log === undefined
      ? makeLogger({ level, format: config["logging.format"] })
      : makeLogger({ level, format: "json", write: (line) => log.append(line) });
  const identity = readIdentity(env, config);
  const remote = new RemoteWorker({
    ...identity,
    config,
    clock: systemClock,
    random: systemRandom,
    logger: logger.child({ job: identity.fence.jobId, run: identity.fence.runId, worker: identity.workerId }),
    release: release(),
    metrics: makeRegistry(),
    log,
    cacheFolder: artifactCacheFolder(config),
    leaveLimitMs: LEAVE_LIMIT_MS,
    connectors: overrides.connectors,
  });
  const leave = new AbortController();
  // A second signal, or one while the worker is stuck, ends it as the system would.
  const onSignal = (): void => (leave.signal.aborted ? process.exit(1) : leave.abort());
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
  try {
    await remote.run(leave.signal);
  } finally {
    process.off("SIGTERM", onSignal);
    process.off("SIGINT", onSignal);
    log?.close();
  }
  return remote.exitCode;
}

type Identity = Pick<
  RemoteWorkerOptions,
  "fence" | "pipelineId" | "workerId" | "slots" | "endpoints" | "credential" | "credentialKind" | "handle" | "machine" | "memoryLimitBytes"
>;

function readIdentity(env: Environment, config: Config): Identity {
  const slots = integerOf(env, "WADI_TASK_SLOTS") ?? BigInt(config["worker.task-slots"]);
  const { WADI_WORKER_ID: given = "", WADI_CONTROLLER_ENDPOINTS: endpoints = config["controller-endpoint"] } = env;
  return {
    fence: { jobId: required(env, "WADI_JOB_ID"), runId: required(env, "WADI_RUN_ID"), fence: integerOf(env, "WADI_RUN_FENCE") ?? 0n },
    pipelineId: env["WADI_PIPELINE_ID"] ?? "",
    workerId: isId("worker", given) ? given : makeId("worker", systemRandom),
    slots: Number(slots),
    endpoints: endpoints.split(",").map((endpoint) => endpoint.trim().replace(/^https?:\/\//, "")),
    credential: readToken(required(env, "WADI_RUN_TOKEN_FILE")),
    credentialKind: "run-token",
    handle: env["WADI_WORKER_HANDLE"] ?? String(process.pid),
    machine: hostname(),
    memoryLimitBytes: memoryLimit(),
  };
}

function required(env: Environment, name: string): string {
  const value = env[name];
  if (value !== undefined && value !== "") return value;
  throw userError("invalid-usage", `environment variable ${name} is not set`, {
    hint: "Workers are started by a scheduler, not by hand: see `wadi run` for running a query in this process.",
  });
}

function integerOf(env: Environment, name: string): bigint | undefined {
  const value = env[name];
  if (value === undefined || value === "") return undefined;
  if (/^[1-9]\d{0,18}$/.test(value)) return BigInt(value);
  throw userError("invalid-usage", `environment variable ${name} must be an integer from 1, not "${value}"`);
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
