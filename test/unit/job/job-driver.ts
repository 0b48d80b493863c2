/** Drives the job machine in tests: a job, its time, what it wanted done, and events in short words. */
import type { ErrorRecord } from "../../../src/core/errors.ts";
import type { JobId, WorkerId } from "../../../src/core/ids.ts";
import type { JobEffect } from "../../../src/job/effect.ts";
import type { JobEvent, RunReport } from "../../../src/job/event.ts";
import { type Desired, type Job, type JobLimits, newJob } from "../../../src/job/job.ts";
import { stepJob, wakeAtMs } from "../../../src/job/step.ts";

/** Limits that tell each other apart. */
export const LIMITS: JobLimits = {
  compileMs: 60_000,
  workerStartupMs: 600_000,
  taskStartupMs: 120_000,
  checkpointMs: 500_000,
  stopMs: 50_000,
  healthyMs: 110_000,
  allowedRestarts: 3,
  backoffMs: 500,
  maxBackoffMs: 40_000,
  prepareMs: 30_000,
};

/** What the user wants at first. */
export const DESIRED: Desired = {
  revision: 1,
  stop: "none",
  parallelism: 2,
  checkpointIntervalMs: 10_000,
  restartNonce: 0,
  restartMode: "safe",
  ignoreStateBeforeEpoch: undefined,
  launchKey: "",
  build: "",
  deleted: false,
};

/** An error of the world outside, or of the user. */
export function failure(domain: ErrorRecord["domain"] = "external"): ErrorRecord {
  return { domain, code: "io", message: "the disk is on fire", retry: domain === "external" ? "backoff" : "never" };
}

/** A job of the machine. */
export class JobDriver {
  job: Job;
  nowMs = 1_000_000;
  effects: readonly JobEffect[] = [];

  constructor(init: Partial<Pick<Job, "preview" | "ttlMs">> & { readonly desired?: Partial<Desired> } = {}) {
    const { preview = false, ttlMs, desired } = init;
    this.job = newJob({ id: "job_test" as JobId, preview, ttlMs, desired: { ...DESIRED, ...desired } }, this.nowMs);
  }

  /** Feeds an event; the kinds of what it wants done, the timeline left out. */
  feed(event: JobEvent): readonly string[] {
    const { job, effects } = stepJob(this.job, event, this.nowMs, LIMITS);
    this.job = job;
    this.effects = effects;
    return effects.filter(({ kind }) => kind !== "record").map(({ kind }) => kind);
  }

  get fence(): number {
    return this.job.run?.fence ?? 0;
  }

  run(report: RunReport): readonly string[] {
    return this.feed({ kind: "run", fence: this.fence, report });
  }

  /** A report of the prepared run. */
  prepared(report: RunReport): readonly string[] {
    return this.feed({ kind: "run", fence: this.preparedFence, report });
  }

  /** Of the prepared run; 0: there is none. */
  get preparedFence(): number {
    return this.job.context.prepared?.run.fence ?? 0;
  }

  wish(desired: Partial<Desired>): readonly string[] {
    const { revision } = this.job.desired;
    return this.feed({ kind: "desired-changed", desired: { ...this.job.desired, ...desired, revision: revision + 1 } });
  }

  gone(): readonly string[] {
    return this.feed({ kind: "workers-gone", fence: this.fence });
  }

  /** Goes to the time the machine wants to wake at, and ticks. */
  wake(): readonly string[] {
    this.nowMs = Math.max(this.nowMs, wakeAtMs(this.job, LIMITS) ?? this.nowMs);
    return this.feed({ kind: "tick" });
  }

  /** From created to running. */
  toRunning(): this {
    if (this.job.state === "created") this.feed({ kind: "loaded" });
    if (this.job.state === "compiling") this.feed({ kind: "compiled", artifact: "a1", vertices: 3 });
    this.feed({ kind: "workers-accepted", fence: this.fence, workers: 1 });
    this.run({ kind: "placed", placement: PLACEMENT });
    this.run({ kind: "running" });
    return this;
  }
}

/** Who runs what. */
export const PLACEMENT = [{ worker: "wk_a" as WorkerId, first: 0, count: 2 }];
