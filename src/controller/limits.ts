/** Bounds of jobs and runs, out of the settings. */
import type { Config } from "../core/config.ts";
import { FIXED_LIMITS, type JobLimits } from "../job/job.ts";
import type { RunLimits } from "../job/run-event.ts";
import { HEARTBEAT_INTERVAL_MS, WORKER_RENEWAL_MS } from "./run-messages.ts";

/** Asked for at every tick of every job. */
const KNOWN = new WeakMap<Config, JobLimits>();

/** Bounds of the job machine. */
export function jobLimits(settings: Config): JobLimits {
  const known = KNOWN.get(settings);
  if (known !== undefined) return known;
  const limits = {
    ...FIXED_LIMITS,
    compileMs: settings["compiler.timeout"],
    workerStartupMs: settings["pipeline.worker-startup-time"],
    taskStartupMs: settings["pipeline.task-startup-time"],
    checkpointMs: settings["checkpoint.timeout"],
    healthyMs: settings["pipeline.healthy-duration"],
    allowedRestarts: settings["pipeline.allowed-restarts"],
  };
  KNOWN.set(settings, limits);
  return limits;
}

/** Bounds of the run machine. */
export function runLimits(settings: Config): RunLimits {
  return {
    heartbeatMs: settings["pipeline.worker-heartbeat-timeout"],
    unreachableMs: 2 * HEARTBEAT_INTERVAL_MS,
    renewMs: WORKER_RENEWAL_MS,
    checkpointMs: settings["checkpoint.timeout"],
    closeMs: FIXED_LIMITS.stopMs / 2,
    backoffMs: FIXED_LIMITS.backoffMs,
    maxBackoffMs: 10_000,
  };
}
