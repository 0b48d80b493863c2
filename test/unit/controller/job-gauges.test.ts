/** What Prometheus is told of jobs as they are. */
import { expect } from "chai";
import { Registry } from "prom-client";
import { JobGauges, type SampledJob, slotDemand } from "../../../src/controller/job-gauges.ts";
import { ControllerMetrics } from "../../../src/controller/metrics.ts";
import type { Job } from "../../../src/job/job.ts";
import { sampleJob } from "../../support/sample-job.ts";

const WAITING = { sinceMs: 0, for: "slots", reason: "no room" } as const;

function sampled(job: Job, more: Partial<SampledJob> = {}): SampledJob {
  return {
    labels: { job_id: job.id, pipeline_id: "pl_a" },
    pipeline: "trips",
    job,
    checkpointMs: undefined,
    commitAgeMs: undefined,
    ...more,
  };
}

describe("gauges of jobs", () => {
  it("count slots of runs that wait and of runs that have them, whoever keeps them waiting", () => {
    const jobs = [
      sampleJob("job_a", "scheduling", 1, { waiting: WAITING }),
      { ...sampleJob("job_b", "scheduling", 2, { waiting: WAITING, live: true }), parallelism: 16 },
      { ...sampleJob("job_c", "running", 1, { live: true }), parallelism: 3 },
      sampleJob("job_d", "compiling", 0),
      sampleJob("job_e", "stopped", 1),
      sampleJob("job_f", "scheduling", 1, { waiting: { ...WAITING, for: "start" } }),
    ];
    expect(slotDemand(jobs)).to.deep.equal({ runsWaiting: 2, slotsWaiting: 20, slotsUsed: 11 });
    expect(slotDemand([])).to.deep.equal({ runsWaiting: 0, slotsWaiting: 0, slotsUsed: 0 });
  });

  it("say the state of each job, and of a running one its interval, newest checkpoint and commit", async () => {
    const registry = new Registry();
    new JobGauges(registry).set([sampled(sampleJob("job_a", "running", 1), { checkpointMs: 1_500, commitAgeMs: 250 })], 600_000);
    const text = await registry.metrics();
    const labels = 'job_id="job_a",pipeline_id="pl_a"';
    for (const line of [
      `wadi_controller_job_info{${labels},pipeline="trips"} 1`,
      `wadi_controller_job_state{${labels},state="running"} 1`,
      `wadi_controller_checkpoint_interval_seconds{${labels}} 10`,
      `wadi_controller_checkpoint_last_duration_seconds{${labels}} 1.5`,
      `wadi_controller_sink_commit_age_seconds{${labels}} 0.25`,
      "wadi_controller_sink_commit_timeout_seconds 600",
      "wadi_scheduler_slots_waiting 0",
      "wadi_scheduler_slots_used 4",
    ]) {
      expect(text).to.contain(`\n${line}\n`);
    }
  });

  it("say nothing of previews, nor of what is gone since the last time", async () => {
    const registry = new Registry();
    const gauges = new JobGauges(registry);
    gauges.set([sampled(sampleJob("job_a", "running", 1))], 1_000);
    gauges.set([sampled({ ...sampleJob("job_b", "scheduling", 1, { waiting: WAITING }), preview: true })], 1_000);
    const text = await registry.metrics();
    expect(text).not.to.match(/job_[ab]"/);
    expect(text).to.contain("\nwadi_scheduler_slots_waiting 4\n");
  });
});

describe("the controller's metrics", () => {
  it("begin counters of a job at 0 and forget them with it", async () => {
    const registry = new Registry();
    const metrics = new ControllerMetrics(registry);
    metrics.jobKnown({ job_id: "job_a", pipeline_id: "pl_a" });
    expect(await registry.metrics()).to.contain('wadi_controller_restarts_total{job_id="job_a",pipeline_id="pl_a"} 0');
    metrics.jobDeleted({ job_id: "job_a", pipeline_id: "pl_a" });
    expect(await registry.metrics()).not.to.contain("job_a");
  });
});
