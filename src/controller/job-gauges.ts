/**
 * What Prometheus is told of jobs as they are now: set anew for all jobs at every sample of the leader, so that nothing of a job that is gone
 * stays behind. Jobs are told apart by their labels; previews are left out, except among those that wait for slots.
 */
import { Gauge, type Registry } from "prom-client";
import type { Job } from "../job/job.ts";

/** Which job a value is of. */
export interface JobLabels {
  readonly job_id: string;
  readonly pipeline_id: string;
}

const JOB_LABELS = ["job_id", "pipeline_id"] as const;

/** A job at the time of a sample. */
export interface SampledJob {
  readonly labels: JobLabels;
  /** The pipeline's name. */
  readonly pipeline: string;
  readonly job: Job;
  /** Of its run's newest complete epoch, from the barrier to the record; undefined: none yet. */
  readonly checkpointMs: number | undefined;
  /** How long the oldest complete epoch waits for its sinks to publish; undefined: none does. */
  readonly commitAgeMs: number | undefined;
}

/** Slots that wait for capacity, with the runs they are of. */
export interface WaitingSlots {
  readonly runs: number;
  readonly slots: number;
}

/** Whether kept back here or waiting in the outside system: slots of all runs that have not got all of theirs. */
export function waitingSlots(jobs: Iterable<Job>): WaitingSlots {
  let runs = 0;
  let slots = 0;
  for (const { context, parallelism, desired } of jobs) {
    if (context.waiting?.for !== "slots") continue;
    runs += 1;
    slots += parallelism ?? desired.parallelism;
  }
  return { runs, slots };
}

/** See the file's comment. */
export class JobGauges {
  readonly #info: Gauge;
  readonly #state: Gauge;
  readonly #interval: Gauge;
  readonly #lastDuration: Gauge;
  readonly #commitAge: Gauge;
  readonly #commitTimeout: Gauge;
  readonly #slotsWaiting: Gauge;
  readonly #runsWaiting: Gauge;

  constructor(registry: Registry) {
    const registers = [registry];
    const gauge = (name: string, help: string, labels: readonly string[]) => new Gauge({ name, help, labelNames: labels, registers });
    this.#info = gauge("wadi_controller_job_info", "1; the name of the job's pipeline", [...JOB_LABELS, "pipeline"]);
    this.#state = gauge("wadi_controller_job_state", "1 for the state that the job is in", [...JOB_LABELS, "state"]);
    this.#interval = gauge("wadi_controller_checkpoint_interval_seconds", "time between two checkpoints of a running job", JOB_LABELS);
    this.#lastDuration = gauge(
      "wadi_controller_checkpoint_last_duration_seconds",
      "time that the newest complete checkpoint took",
      JOB_LABELS,
    );
    this.#commitAge = gauge(
      "wadi_controller_sink_commit_age_seconds",
      "how long the oldest complete epoch waits for its sinks to publish",
      JOB_LABELS,
    );
    this.#commitTimeout = gauge("wadi_controller_sink_commit_timeout_seconds", "time after which an epoch is given up", []);
    this.#slotsWaiting = gauge("wadi_scheduler_slots_waiting", "slots of runs that wait for capacity", []);
    this.#runsWaiting = gauge("wadi_scheduler_runs_waiting", "runs that wait for capacity", []);
  }

  /** All jobs as they are now; `commitTimeoutMs` of all of them. */
  set(jobs: readonly SampledJob[], commitTimeoutMs: number): void {
    this.reset();
    const waiting = waitingSlots(jobs.map(({ job }) => job));
    this.#slotsWaiting.set(waiting.slots);
    this.#runsWaiting.set(waiting.runs);
    this.#commitTimeout.set(commitTimeoutMs / 1000);
    for (const sampled of jobs) if (!sampled.job.preview) this.#setJob(sampled);
  }

  #setJob({ labels, pipeline, job, checkpointMs, commitAgeMs }: SampledJob): void {
    this.#info.set({ ...labels, pipeline }, 1);
    this.#state.set({ ...labels, state: job.state }, 1);
    if (job.state !== "running") return;
    this.#interval.set({ ...labels }, job.context.checkpointIntervalMs / 1000);
    if (checkpointMs !== undefined) this.#lastDuration.set({ ...labels }, checkpointMs / 1000);
    this.#commitAge.set({ ...labels }, (commitAgeMs ?? 0) / 1000);
  }

  /** Nothing is known of jobs. */
  reset(): void {
    for (const gauge of [this.#info, this.#state, this.#interval, this.#lastDuration, this.#commitAge]) gauge.reset();
    this.#slotsWaiting.set(0);
    this.#runsWaiting.set(0);
  }
}
