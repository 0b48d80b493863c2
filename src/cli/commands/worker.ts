/**
 * `wadi worker`: a worker process, started by a scheduler. Who it is comes from the environment, its token from a file; it talks to nobody
 * but the controllers, the other workers of its run and the object store.
 */
import { systemClock } from "../../core/clock.ts";
import type { LoadedConfig } from "../../core/config.ts";
import { makeLogger } from "../../core/log.ts";
import { LogFile } from "../../core/log-file.ts";
import { makeRegistry } from "../../core/metrics.ts";
import { systemRandom } from "../../core/prng.ts";
import { RemoteWorker } from "../../worker/remote-worker.ts";
import { artifactCacheFolder } from "../compile.ts";
import { release } from "../release.ts";
import { type Environment, workerIdentity } from "../worker-identity.ts";

/** How long a worker that has to leave waits for the controller's checkpoint. */
const LEAVE_LIMIT_MS = 25_000;

/** What tests choose. */
export interface WorkerOverrides {
  readonly env?: Environment;
  readonly connectors?: string;
}

/** Runs the command; one of `WORKER_EXIT`. */
export async function worker(overrides: WorkerOverrides, { config, origins }: LoadedConfig): Promise<number> {
  const env = overrides.env ?? process.env;
  const { WADI_LOG_FILE: logFile = "" } = env;
  const log = logFile === "" ? undefined : new LogFile(logFile);
  const level = config["logging.level"];
  const logger =
    log === undefined
      ? makeLogger({ level, format: config["logging.format"] })
      : makeLogger({ level, format: "json", write: (line) => log.append(line) });
  const identity = workerIdentity(env, config, origins.has("worker.bind-address"));
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
    variable: (name) => env[name],
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
