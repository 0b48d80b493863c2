/** What a worker counts. */
import { expect } from "chai";
import { Registry } from "prom-client";
import { ManualClock } from "../../../src/core/clock.ts";
import type { VertexProgress } from "../../../src/dataflow/slot-contract.ts";
import { BEFORE_TIME } from "../../../src/dataflow/watermark.ts";
import { WorkerMetrics } from "../../../src/worker/worker-metrics.ts";
import { sampleProgram } from "../program/sample-program.ts";

function progressOf(vertex: number, rowsIn: number, rowsOut: number, ended: boolean): VertexProgress {
  const stats = { rowsIn, rowsOut, flushes: 0, filtered: 0, late: 0, bad: 0, stateBytes: 0, keys: 0 };
  const rest = { holder: undefined, idle: false, bytesIn: 0, bytesOut: 0, queueBytes: 0, blockedMs: 0 };
  return { vertex, stats, watermarkNs: BEFORE_TIME, ended, ...rest };
}

describe("a worker's metrics", () => {
  it("tell rows of sources and of sinks apart from all others, whether a source has ended, and the limits", async () => {
    const registry = new Registry();
    const traits = { workerId: "wk_a", memoryLimitBytes: 1_000_000 };
    const metrics = new WorkerMetrics(registry, { jobId: "job_a", runId: "run_a", fence: 7n }, "pl_a", new ManualClock(), traits);
    metrics.describe(sampleProgram(), 4_096);
    const slot = { rowsRead: 0, rowsWritten: 0, blockedMs: 0, stateBytes: 0, epoch: 1 };
    metrics.progress(0, { ...slot, vertices: [progressOf(0, 0, 5, false), progressOf(1, 5, 4, false), progressOf(3, 4, 0, false)] });
    metrics.progress(0, { ...slot, vertices: [progressOf(0, 0, 9, true), progressOf(1, 9, 8, true), progressOf(3, 8, 0, true)] });
    const text = await registry.metrics();
    const samples = (name: string): readonly string[] => text.split("\n").filter((line) => line.startsWith(`${name}{`));
    expect(samples("wadi_worker_source_rows")).to.have.length(1);
    expect(samples("wadi_worker_source_rows")[0]).to.match(/node_id="0".*operator_name="source t".* 9$/);
    expect(samples("wadi_worker_sink_rows")).to.have.length(1);
    expect(samples("wadi_worker_sink_rows")[0]).to.match(/node_id="3".* 8$/);
    expect(samples("wadi_worker_source_ended")[0]).to.match(/ 1$/);
    const ofWorker = '{pipeline_id="pl_a",job_id="job_a",run_fence="7",worker="wk_a"}';
    expect(text).to.contain(`wadi_worker_state_limit_bytes${ofWorker} 4096`);
    expect(text).to.contain(`wadi_worker_memory_limit_bytes${ofWorker} 1000000`);
    expect(samples("wadi_worker_memory_bytes")[0]).to.match(/ [1-9]\d{6,}$/);
  });
});
