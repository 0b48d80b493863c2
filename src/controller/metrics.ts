/** The controller's own numbers for Prometheus. Rows and bytes of operators are the workers' to tell, how jobs are is `JobGauges`'. */
import { X509Certificate } from "node:crypto";
import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import { JOB_STATES, type JobState } from "../job/job.ts";
import { JobGauges, type JobLabels } from "./job-gauges.ts";

const JOB_LABELS = ["job_id", "pipeline_id"];

/** See the file's comment. Made once per process: names are unique in a registry. */
export class ControllerMetrics {
  readonly leader: Gauge;
  readonly leaderEpoch: Gauge;
  readonly workers: Gauge;
  readonly restarts: Counter;
  readonly placementFailures: Counter;
  readonly checkpoints: Counter;
  readonly checkpointSeconds: Histogram;
  readonly checkpointPhaseSeconds: Histogram;
  readonly checkpointBytes: Counter;
  readonly loopSeconds: Histogram;
  readonly databaseErrors: Counter;
  /** Of jobs as they are now. */
  readonly now: JobGauges;
  readonly #schedulerUp: Gauge;
  readonly #certificateIssued: Gauge;
  readonly #certificateExpiry: Gauge;
  readonly #replicationLag: Gauge;
  readonly #jobs: Gauge;
  readonly #checkpointAge: Gauge;
  readonly #stateBytes: Gauge;

  constructor(registry: Registry) {
    const registers = [registry];
    const gauge = (name: string, help: string, labelNames: string[] = []) => new Gauge({ name, help, labelNames, registers });
    const counter = (name: string, help: string, labelNames: string[] = []) => new Counter({ name, help, labelNames, registers });
    const seconds = (name: string, help: string, labelNames: string[] = []) =>
      new Histogram({ name, help, labelNames, registers, buckets: [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60, 300] });
    this.leader = gauge("wadi_controller_leader", "1 while this controller leads");
    this.leaderEpoch = gauge("wadi_controller_leader_epoch", "fencing epoch of the lease while this controller leads");
    this.workers = gauge("wadi_controller_workers", "workers that are connected");
    this.#jobs = gauge("wadi_controller_jobs", "jobs by state", ["state"]);
    this.restarts = counter("wadi_controller_restarts_total", "runs that failed and were started again", JOB_LABELS);
    this.placementFailures = counter(
      "wadi_controller_placement_failures_total",
      "requests for workers that could not be placed",
      JOB_LABELS,
    );
    this.checkpoints = counter("wadi_controller_checkpoints_total", "checkpoints by outcome", [...JOB_LABELS, "outcome"]);
    this.checkpointSeconds = seconds("wadi_controller_checkpoint_duration_seconds", "time from the barrier to the record");
    this.checkpointPhaseSeconds = seconds("wadi_controller_checkpoint_phase_seconds", "time of one phase in one subtask", ["phase"]);
    this.checkpointBytes = counter("wadi_controller_checkpoint_bytes_total", "bytes written for checkpoints", JOB_LABELS);
    this.#checkpointAge = gauge("wadi_controller_checkpoint_age_seconds", "time since the newest complete checkpoint began", JOB_LABELS);
    this.#stateBytes = gauge("wadi_controller_state_bytes", "live state by the newest checkpoint", JOB_LABELS);
    this.loopSeconds = seconds("wadi_controller_loop_seconds", "time of one turn of the reconcile loop");
    this.databaseErrors = counter("wadi_controller_database_errors_total", "statements that failed");
    this.now = new JobGauges(registry);
    this.#schedulerUp = gauge("wadi_scheduler_up", "1 while the scheduler's outside system answers, 0 while it does not", ["scheduler"]);
    this.#certificateIssued = gauge("wadi_controller_certificate_issued_timestamp_seconds", "when certificate and key were made", ["name"]);
    this.#certificateExpiry = gauge("wadi_controller_certificate_expiry_timestamp_seconds", "when the certificate ends", ["name"]);
    this.#replicationLag = gauge("wadi_controller_replication_slot_lag_bytes", "log that the database's server keeps for a slot", [
      "slot",
      "active",
    ]);
  }

  /** The job is there: its counters begin at 0, so that their first step is seen. */
  jobKnown(job: JobLabels): void {
    for (const metric of [this.restarts, this.placementFailures, this.checkpointBytes]) metric.inc({ ...job }, 0);
    for (const outcome of ["complete", "failed"]) this.checkpoints.inc({ ...job, outcome }, 0);
  }

  /** Whether the outside system of `scheduler` answers. */
  schedulerUp(scheduler: string, up: boolean): void {
    this.#schedulerUp.set({ scheduler }, up ? 1 : 0);
  }

  /** A certificate that this controller uses, PEM; `name`: "service", "authority". */
  certificate(name: string, pem: string): void {
    const { validFrom, validTo } = new X509Certificate(pem);
    this.#certificateIssued.set({ name }, Date.parse(validFrom) / 1000);
    this.#certificateExpiry.set({ name }, Date.parse(validTo) / 1000);
  }

  /** All replication slots of the database's server. */
  replicationSlots(slots: readonly { readonly name: string; readonly active: boolean; readonly lagBytes: number }[]): void {
    this.#replicationLag.reset();
    for (const { name, active, lagBytes } of slots) this.#replicationLag.set({ slot: name, active: String(active) }, lagBytes);
  }

  /** Jobs by state; states without a job are 0. */
  countJobs(states: Iterable<JobState>): void {
    const counts = new Map<JobState, number>();
    for (const state of states) counts.set(state, (counts.get(state) ?? 0) + 1);
    for (const state of JOB_STATES) this.#jobs.set({ state }, counts.get(state) ?? 0);
  }

  /** `ageMs` of the newest complete checkpoint of a running job. */
  checkpointAge(job: JobLabels, ageMs: number): void {
    this.#checkpointAge.set({ ...job }, ageMs / 1000);
  }

  /** Bytes of live state. */
  stateBytes(job: JobLabels, bytes: number): void {
    this.#stateBytes.set({ ...job }, bytes);
  }

  /** The job does not run here any more: gauges of it would only mislead. */
  jobGone(job: JobLabels): void {
    this.#checkpointAge.remove({ ...job });
    this.#stateBytes.remove({ ...job });
  }

  /** The job does not exist any more. */
  jobDeleted(job: JobLabels): void {
    this.jobGone(job);
    for (const metric of [this.restarts, this.placementFailures, this.checkpointBytes]) metric.remove({ ...job });
    for (const outcome of ["complete", "failed"]) this.checkpoints.remove({ ...job, outcome });
  }

  /** The term is over. */
  reset(): void {
    this.leader.set(0);
    this.workers.set(0);
    this.#jobs.reset();
    this.#checkpointAge.reset();
    this.#stateBytes.reset();
    this.now.reset();
    this.#schedulerUp.reset();
    this.#replicationLag.reset();
  }
}
