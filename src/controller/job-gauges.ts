/**
 * What Prometheus is told of jobs as they are now: set anew for all jobs at every sample of the leader, so that nothing of a job that is gone
 * stays behind. Jobs are told apart by their labels; previews are left out, except among those that wait for slots.
 */
import { Gauge, type Registry } from "prom-client";
import type { Job, JobState } from "../job/job.ts";

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

/** What runs have of the outside system's capacity, and what they lack. */
export interface SlotDemand {
  /** Runs that have not got all of their slots. */
  readonly runsWaiting: number;
  /** Slots of those runs, whether they are kept back here or wait in the outside system. */
  readonly slotsWaiting: number;
  /** Slots of all other runs that there are or that are about to start, prepared ones left out. */
  readonly slotsUsed: number;
}

/** States of jobs without a run. */
const AT_REST: ReadonlySet<JobState> = new Set<JobState>(["created", "stopped", "finished", "failed"]);

/** Of all jobs. */
export function slotDemand(jobs: Iterable<Job>): SlotDemand {
  let [runsWaiting, slotsWaiting, slotsUsed] = [0, 0, 0];
  for (const { state, context, parallelism, desired } of jobs) {
    const slots = parallelism ?? desired.parallelism;
    if (context.waiting?.for === "slots") {
      runsWaiting += 1;
      slotsWaiting += slots;
    } else if (context.live || !AT_REST.has(state)) slotsUsed += slots;
  }
  return { runsWaiting, slotsWaiting, slotsUsed };
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
  readonly #slotsUsed: Gauge;
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
    this.#slotsUsed = gauge("wadi_scheduler_slots_used", "slots of runs that have them or are about to start", []);
    this.#runsWaiting = gauge("wadi_scheduler_runs_waiting", "runs that wait for capacity", []);
  }

  /** All jobs as they are now; `commitTimeoutMs` of all of them. */
  set(jobs: readonly SampledJob[], commitTimeoutMs: number): void {
    this.reset();
    const demand = slotDemand(jobs.map(({ job }) => job));
    this.#slotsWaiting.set(demand.slotsWaiting);
    this.#slotsUsed.set(demand.slotsUsed);
    this.#runsWaiting.set(demand.runsWaiting);
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
    this.#slotsUsed.set(0);
    this.#runsWaiting.set(0);
  }
}
