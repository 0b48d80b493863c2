/** A slot's loop over fake modules and connectors. */
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import type { SubtaskReport } from "../../../src/checkpoint/manifest.ts";
import { must } from "../../../src/core/assert.ts";
import { systemClock } from "../../../src/core/clock.ts";
import type { AppError } from "../../../src/core/errors.ts";
import { Instance } from "../../../src/dataflow/instance.ts";
import { Slot } from "../../../src/dataflow/slot.ts";
import type { SlotSettings } from "../../../src/dataflow/slot-contract.ts";
import { makeTopology } from "../../../src/dataflow/topology.ts";
import type { SinkOperator, SourceOperator } from "../../../src/program/operator.ts";
import type { Program } from "../../../src/program/program.ts";
import { createSink, createSource } from "../../support/fake-connectors.ts";
import { makeModule } from "../../support/fake-module.ts";
import { fakeProgram } from "../../support/fake-program.ts";

const SETTINGS: SlotSettings = {
  batchRows: 100,
  fence: 1n,
  windowBytes: 1 << 20,
  flushIntervalMs: 1000,
  lingerMs: 10,
  checkpointEveryRows: 0,
  stopAfterCheckpoint: undefined,
  restoredEpoch: 0,
  late: "count",
};

interface Outcome {
  readonly reports: { epoch: number; report: SubtaskReport }[];
  readonly started: number[];
  readonly error: AppError | undefined;
  readonly skipped: { late: number; bad: number };
  readonly slot: Slot;
}

/** Runs one slot at parallelism 1 until its input ends; every epoch is "complete" at once. */
async function runSlot(
  program: Program,
  settings: Partial<SlotSettings> = {},
  onStarted: (slot: Slot, epoch: number) => void = () => undefined,
): Promise<Outcome> {
  const topology = makeTopology(program, 0, 1);
  const instance = new Instance(makeModule(program), { program, subtask: 0, parallelism: 1, batchRows: 100, stateLimit: 1e9, fence: 1n });
  const context = { job: "test", run: 1, vertex: 0, subtask: 0, parallelism: 1, table: "t", options: {} };
  const sources = new Map(topology.sources.map((v) => [v, createSource(program.vertices[v]?.operator as SourceOperator, context)]));
  const sinks = new Map(topology.sinks.map((v) => [v, createSink(program.vertices[v]?.operator as SinkOperator, context)]));
  for (const source of sources.values()) await source.open(undefined);
  for (const sink of sinks.values()) await sink.open(undefined);
  const reports: Outcome["reports"] = [];
  const started: number[] = [];
  const skipped = { late: 0, bad: 0 };
  let epochs = 0;
  const slot: Slot = new Slot({
    instance,
    topology,
    settings: { ...SETTINGS, ...settings },
    clock: systemClock,
    sources,
    sinks,
    idleMs: (v) => (must(program.vertices[v], "the vertex").operator as SourceOperator).idleMs,
    links: { outgoing: [], incoming: [] },
    doorbells: undefined,
    snapshots: undefined,
    restoredWatermarks: new Map(),
    host: {
      started: (epoch) => {
        started.push(epoch);
        epochs = epoch;
        onStarted(slot, epoch);
      },
      reported: (epoch, report) => {
        reports.push({ epoch, report });
        const own = reports.filter((r) => r.epoch === epochs + 1 || r.epoch === settings.stopAfterCheckpoint);
        if (own.length === program.vertices.length) slot.close(true);
      },
      committed: () => undefined,
      ended: () => slot.trigger(epochs + 1, true),
      skippedRows: (rows) => {
        skipped.late += rows.late;
        skipped.bad += rows.bad;
      },
    },
  });
  let error: AppError | undefined;
  await slot.run().catch((e: AppError) => {
    error = e;
  });
  return { reports, started, error, skipped, slot };
}

describe("slot", () => {
  let folder: string;
  const input = (): string => join(folder, "in");
  const output = (): string[] =>
    readFileSync(join(folder, "out-0"), "utf8")
      .split("\n")
      .filter((l) => l !== "");
  const sinkOptions = () => ({ path: join(folder, "out") });

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "wadi-slot-"));
  });

  it("carries every row from source to sink, the last line without newline included", async () => {
    const lines = Array.from({ length: 1234 }, (_, i) => `${i % 7},${i},${i}`);
    writeFileSync(input(), lines.join("\n"));
    const source = { kind: "source" as const, options: { path: input(), chunk_bytes: 999 } };
    const { error, reports } = await runSlot(
      fakeProgram([source, { kind: "compute" }, { kind: "encode" }, { kind: "sink", options: sinkOptions() }]),
    );
    expect(error).to.equal(undefined);
    expect(output()).to.deep.equal(lines);
    expect(reports.find((r) => r.report.vertex === 0)?.report.counts).to.include({ rowsIn: 1234, rowsOut: 1234 });
  });

  it("fires windows behind the watermark and all that is left at the end", async () => {
    writeFileSync(input(), Array.from({ length: 5000 }, (_, i) => `${i % 3},${i},1`).join("\n"));
    const source = { kind: "source" as const, options: { path: input(), chunk_bytes: 1000 } };
    const { error, skipped } = await runSlot(
      fakeProgram([source, { kind: "window-aggregate", widthMs: 1000 }, { kind: "encode" }, { kind: "sink", options: sinkOptions() }]),
    );
    expect(error).to.equal(undefined);
    expect(skipped.late).to.equal(0);
    expect(output()).to.have.length(15);
    expect(output().reduce((sum, line) => sum + Number(line.split(",")[2]), 0)).to.equal(5000);
  });

  it("flushes updating vertices at barriers and at the end", async () => {
    writeFileSync(input(), Array.from({ length: 1000 }, (_, i) => `${i % 4},${i},1`).join("\n"));
    const source = { kind: "source" as const, options: { path: input() } };
    const program = fakeProgram([source, { kind: "updating-aggregate" }, { kind: "encode" }, { kind: "sink", options: sinkOptions() }]);
    const { error, started } = await runSlot(program, { checkpointEveryRows: 300, flushIntervalMs: 1e6 });
    expect(error).to.equal(undefined);
    expect(started).to.deep.equal([1, 2, 3]);
    expect(output()).to.have.length(16);
    expect(output().slice(12)).to.have.members(["0,0,250", "1,0,250", "2,0,250", "3,0,250"]);
  });

  it("puts barrier k behind exactly k times N rows and reports every vertex in every epoch", async () => {
    writeFileSync(input(), Array.from({ length: 1000 }, (_, i) => `${i},${i},1`).join("\n"));
    const source = { kind: "source" as const, options: { path: input(), block_rows: 300, chunk_bytes: 700 } };
    const program = fakeProgram([source, { kind: "compute" }, { kind: "encode" }, { kind: "sink", options: sinkOptions() }]);
    const { reports } = await runSlot(program, { checkpointEveryRows: 250 });
    const rows = reports.filter((r) => r.report.vertex === 0).map((r) => r.report.counts.rowsIn);
    expect(rows).to.deep.equal([250, 250, 250, 250, 0]);
    expect(reports).to.have.length(20);
    const staged = reports.filter((r) => r.report.vertex === 3).map((r) => r.report.sink?.commit as { length: number });
    expect(staged.at(-1)?.length).to.equal(readFileSync(join(folder, "out-0")).length);
    expect(staged[0]?.length).to.be.lessThan(staged[1]?.length ?? 0);
  });

  it("pauses the sources behind the barrier it was told to stop after", async () => {
    writeFileSync(input(), Array.from({ length: 1000 }, (_, i) => `${i},${i},1`).join("\n"));
    const source = { kind: "source" as const, options: { path: input() } };
    const program = fakeProgram([source, { kind: "compute" }, { kind: "encode" }, { kind: "sink", options: sinkOptions() }]);
    const { started } = await runSlot(program, { checkpointEveryRows: 200, stopAfterCheckpoint: 2 });
    expect(started).to.deep.equal([1, 2]);
    expect(output()).to.have.length(400);
  });

  it("goes on up to a later barrier when it is told to stop behind that one", async () => {
    writeFileSync(input(), Array.from({ length: 1000 }, (_, i) => `${i},${i},1`).join("\n"));
    const source = { kind: "source" as const, options: { path: input() } };
    const program = fakeProgram([source, { kind: "compute" }, { kind: "encode" }, { kind: "sink", options: sinkOptions() }]);
    const settings = { checkpointEveryRows: 200, stopAfterCheckpoint: 3 };
    const { started } = await runSlot(program, settings, (slot, epoch) => {
      if (epoch === 1) slot.trigger(1, true);
      if (epoch === 1) slot.trigger(3, true);
    });
    expect(started).to.deep.equal([1, 2, 3]);
  });

  it("fails on bad data with table, position, bytes and a hint", async () => {
    writeFileSync(input(), "1,1,1\n2,2,2\nnonsense\n3,3,3\n");
    const source = { kind: "source" as const, options: { path: input() } };
    const { error } = await runSlot(fakeProgram([source, { kind: "encode" }, { kind: "sink", options: sinkOptions() }]));
    expect(error?.code).to.equal("bad-data");
    expect(error?.message).to.equal(`cannot read a row of table "events": malformed JSON, file "${input()}" at byte 12`);
    expect(error?.detail).to.equal("The offending bytes: nonsense");
    expect(error?.hint).to.contain("bad_data = 'drop'");
  });

  it("counts bad rows under drop, and late rows unless told to fail", async () => {
    writeFileSync(input(), "1,100,1\nx\n1,5000,1\n1,50,1\n1,6000,1\n");
    const source = { kind: "source" as const, badData: "drop" as const, options: { path: input(), chunk_bytes: 10 } };
    const program = fakeProgram([source, { kind: "window-aggregate" }, { kind: "encode" }, { kind: "sink", options: sinkOptions() }]);
    const counted = await runSlot(program);
    expect(counted.error).to.equal(undefined);
    expect(counted.skipped).to.deep.equal({ late: 1, bad: 1 });
    const failed = await runSlot(program, { late: "fail" });
    expect(failed.error?.code).to.equal("late-row");
  });

  it("does not feed a slow sink beyond its limit and loses nothing", async () => {
    const text = Array.from({ length: 20000 }, (_, i) => `${i},${i},1`).join("\n");
    writeFileSync(input(), text);
    const source = { kind: "source" as const, options: { path: input() } };
    const { error } = await runSlot(fakeProgram([source, { kind: "encode" }, { kind: "sink", options: { ...sinkOptions(), slow: true } }]));
    expect(error).to.equal(undefined);
    expect(output().join("\n")).to.equal(text);
  });
});
