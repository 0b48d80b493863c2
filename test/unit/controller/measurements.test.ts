/** From counters to rates, shares and what the API reads. */
import { expect } from "chai";
import { type HeardSlot, sampleRun } from "../../../src/controller/measurements.ts";
import { RunMeter } from "../../../src/controller/run-meter.ts";
import { Heartbeat } from "../../../src/gen/controller.ts";
import { SlotProgress, VertexProgress } from "../../../src/gen/report.ts";

function heard(atMs: number, subtask: number, vertex: Partial<VertexProgress>, blockedMs = 0n): HeardSlot {
  const vertices = [VertexProgress.create({ vertex: 0, ...vertex })];
  return { atMs, progress: SlotProgress.create({ subtask, vertices, blockedMs }) };
}

describe("measurements", () => {
  it("have rates and shares since the sample before, and none for a slot that is new", () => {
    const before = new Map([[0, heard(1_000, 0, { rowsIn: 100n, rowsOut: 10n, blockedMs: 100n }, 500n)]]);
    const sample = sampleRun(
      [heard(3_000, 1, { rowsIn: 7n }), heard(3_000, 0, { rowsIn: 1_100n, rowsOut: 11n, blockedMs: 1_100n }, 1_000n)],
      before,
    );
    const [first, second] = sample.operators[0]?.subtasks ?? [];
    expect([first?.subtask, first?.rows_in_per_s, first?.rows_out_per_s, first?.backpressure]).to.deep.equal([0, 500, 0.5, 0.5]);
    expect([second?.subtask, second?.rows_in, second?.rows_in_per_s, second?.backpressure]).to.deep.equal([1, 7, 0, 0]);
    expect(sample.slots.map(({ blocked }) => blocked)).to.deep.equal([0.25, 0]);
  });

  it("count bytes that move between processes or in from outside", () => {
    const before = new Map([[0, heard(1_000, 0, { bytesIn: 10n, bytesOut: 0n })]]);
    const [operator] = sampleRun([heard(3_000, 0, { bytesIn: 2_010n, bytesOut: 500n })], before).operators;
    expect([operator?.subtasks[0]?.bytes_in_per_s, operator?.subtasks[0]?.bytes_out_per_s]).to.deep.equal([1_000, 250]);
  });

  it("are not negative when a slot's counters begin anew", () => {
    const before = new Map([[0, heard(0, 0, { rowsIn: 1_000n, blockedMs: 900n })]]);
    const [operator] = sampleRun([heard(1_000, 0, { rowsIn: 5n, blockedMs: 1n })], before).operators;
    expect([operator?.subtasks[0]?.rows_in_per_s, operator?.subtasks[0]?.backpressure]).to.deep.equal([0, 0]);
  });

  it("keep times exact and say who holds them back", () => {
    const watermarkNs = 9_223_372_036_854_775_807n;
    const [held] = sampleRun([heard(0, 0, { watermarkNs, holderVertex: 2 })], new Map()).operators;
    expect(held?.subtasks[0]?.watermark_ns).to.equal("9223372036854775807");
    expect(held?.subtasks[0]?.holder).to.deep.equal({ vertex: 2, partition: 0 });
    const [none] = sampleRun([heard(0, 0, {})], new Map()).operators;
    expect([none?.subtasks[0]?.watermark_ns, none?.subtasks[0]?.holder]).to.deep.equal([null, null]);
  });

  it("are taken only when something was heard since, and bad rows are told once a minute", () => {
    const meter = new RunMeter();
    expect(meter.sample()).to.equal(undefined);
    const heartbeat = Heartbeat.create({ slots: [heard(0, 0, {}).progress], badRows: 3n });
    meter.heard("wk_1", heartbeat, 0);
    expect(meter.sample()?.operators).to.have.length(1);
    expect(meter.sample()).to.equal(undefined);
    expect([meter.takeBadRows(0), meter.takeBadRows(100_000)]).to.deep.equal([3, 0]);
    meter.heard("wk_1", { ...heartbeat, badRows: 5n }, 100_001);
    meter.heard("wk_2", { ...heartbeat, badRows: 1n }, 100_001);
    expect([meter.takeBadRows(100_001), meter.takeBadRows(100_002)]).to.deep.equal([3, 0]);
  });
});
