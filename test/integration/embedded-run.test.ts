/** Runs of one process over fake connectors: answers, checkpoints, resuming, failures. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import type { AppError } from "../../src/core/errors.ts";
import { fakeProgram, GATHER, KEYED } from "../support/fake-program.ts";
import { FakeRun } from "../support/fake-run.ts";

const ROWS = 10_000;
const KEYS = 13;

async function errorOf(run: Promise<unknown>): Promise<AppError> {
  return run.then(
    () => expect.fail("the run did not fail"),
    (error: AppError) => error,
  );
}

describe("embedded run", function () {
  this.timeout(60_000);
  let fake: FakeRun;

  beforeEach(() => {
    fake = new FakeRun();
    fake.write(ROWS, KEYS);
  });

  for (const parallelism of [1, 2, 4]) {
    it(`gives the batch answer at parallelism ${parallelism}`, async () => {
      const summary = await fake.run(fake.windowed(), { parallelism });
      expect(fake.output()).to.deep.equal(fake.windowedAnswer(ROWS, KEYS));
      expect(summary).to.include({ outcome: "finished", rowsIn: ROWS, rowsOut: fake.output().length, late: 0, bad: 0 });
    });
  }

  for (const workers of [1, 2]) {
    it(`neither stalls nor loses rows with two exchanges, a slow sink and little credit, in ${workers} worker processes`, async () => {
      fake.write(30_000, 1009);
      const program = fakeProgram([
        { kind: "source", options: { path: fake.input, block_rows: 500 } },
        { kind: "compute", inputs: [[0, KEYED]] },
        { kind: "window-aggregate", widthMs: 1000, inputs: [[1, KEYED]] },
        { kind: "encode" },
        { kind: "sink", options: { path: join(fake.folder, "out"), slow: true }, inputs: [[3, GATHER]] },
      ]);
      const summary = await fake.run(program, { parallelism: 3, workers, windowBytes: 4096, checkpointEveryRows: 2000 });
      expect(summary.rowsIn).to.equal(30_000);
      expect(fake.output()).to.deep.equal(fake.windowedAnswer(30_000, 1009));
    });
  }

  it("commits sinks that have one writer per subtask", async () => {
    await fake.run(fake.windowed({}, {}, false), { parallelism: 3 });
    expect(fake.output()).to.deep.equal(fake.windowedAnswer(ROWS, KEYS));
    expect([0, 1, 2].map((subtask) => fake.committed(subtask))).to.deep.equal([true, true, true]);
  });

  it("resumes behind the epoch it stopped after, at another parallelism, without a row twice", async () => {
    const stopped = await fake.run(fake.windowed(), {
      parallelism: 2,
      stateUrl: fake.state,
      checkpointEveryRows: 1000,
      stopAfterCheckpoint: 3,
    });
    expect(stopped).to.include({ outcome: "stopped", rowsIn: 6000 });
    expect(stopped.epochs).to.deep.equal([1, 2, 3]);
    expect(fake.output().length).to.be.lessThan(fake.windowedAnswer(ROWS, KEYS).length);
    const resumed = await fake.run(fake.windowed(), { parallelism: 3, stateUrl: fake.state, checkpointEveryRows: 1000 });
    expect(resumed).to.include({ outcome: "finished", restoredEpoch: 3, rowsIn: ROWS - 6000 });
    expect(resumed.imbalances).to.deep.equal([]);
    expect(fake.output()).to.deep.equal(fake.windowedAnswer(ROWS, KEYS));
  });

  it("writes nothing when a finished run is resumed", async () => {
    await fake.run(fake.windowed(), { parallelism: 2, stateUrl: fake.state });
    const before = readFileSync(join(fake.folder, "out-0"), "utf8");
    const again = await fake.run(fake.windowed(), { parallelism: 2, stateUrl: fake.state });
    expect(again).to.include({ alreadyFinished: true, rowsIn: 0, outcome: "finished" });
    expect(readFileSync(join(fake.folder, "out-0"), "utf8")).to.equal(before);
  });

  it("keeps the state of updating vertices over a restore", async () => {
    await fake.run(fake.updating(), { parallelism: 2, stateUrl: fake.state, checkpointEveryRows: 700, stopAfterCheckpoint: 4 });
    await fake.run(fake.updating(), { parallelism: 1, stateUrl: fake.state });
    const last = new Map(
      readFileSync(join(fake.folder, "out-0"), "utf8")
        .trim()
        .split("\n")
        .map((l) => [l.split(",")[0], l.split(",")[2]]),
    );
    const sums = [...last.values()].map(Number);
    expect(sums).to.have.length(KEYS);
    expect(sums.reduce((a, b) => a + b)).to.equal(ROWS);
  });

  it("refuses the state of another program, with the difference, unless told to ignore it", async () => {
    await fake.run(fake.windowed(), { stateUrl: fake.state });
    const error = await errorOf(fake.run(fake.updating(), { stateUrl: fake.state }));
    expect(error.code).to.equal("state-mismatch");
    expect(error.detail).to.contain("updating-aggregate").and.to.contain("window-aggregate");
    expect(error.hint).to.contain("--ignore-state");
    const fresh = await fake.run(fake.updating(), { stateUrl: fake.state, ignoreState: true });
    expect(fresh).to.include({ restoredEpoch: 0, rowsIn: ROWS });
  });

  it("checkpoints and stops when it is asked to, and goes on later", async () => {
    const controller = new AbortController();
    const stopped = await fake.run(fake.windowed({ throttle: true, chunk_bytes: 500 }), {
      parallelism: 2,
      stateUrl: fake.state,
      checkpointIntervalMs: 20,
      signal: controller.signal,
      onEpoch: (epoch) => {
        if (epoch === 2) controller.abort();
      },
    });
    expect(stopped.outcome).to.equal("stopped");
    expect(stopped.rowsIn).to.be.lessThan(ROWS);
    const resumed = await fake.run(fake.windowed({ throttle: true, chunk_bytes: 500 }), { parallelism: 2, stateUrl: fake.state });
    expect(resumed.restoredEpoch).to.be.greaterThanOrEqual(3);
    expect(resumed.rowsIn + stopped.rowsIn).to.equal(ROWS);
    expect(fake.output()).to.deep.equal(fake.windowedAnswer(ROWS, KEYS));
  });

  it("keeps the newest five epochs and nothing else", async () => {
    const summary = await fake.run(fake.windowed(), { stateUrl: fake.state, checkpointEveryRows: 500 });
    expect(summary.epochs.at(-1)).to.equal(21);
    const { readdirSync } = await import("node:fs");
    const epochs = readdirSync(join(fake.state, "checkpoints/run")).filter((name) => /^\d+$/.test(name));
    expect(epochs.length).to.be.within(5, 6);
  });

  it("fails with the row's provenance and goes on from the last epoch when the input is corrected", async () => {
    const good = readFileSync(fake.input, "utf8");
    writeFileSync(fake.input, good.replace("\n5,8000,1\n", "\n!,8000,1\n"));
    const slow = fake.windowed({ throttle: true, chunk_bytes: 500 });
    const error = await errorOf(fake.run(slow, { parallelism: 2, stateUrl: fake.state, checkpointEveryRows: 1000 }));
    expect(error.code).to.equal("bad-data");
    expect(error.message).to.match(/at byte \d+$/);
    writeFileSync(fake.input, good);
    const resumed = await fake.run(slow, { parallelism: 2, stateUrl: fake.state, checkpointEveryRows: 1000 });
    expect(resumed.restoredEpoch).to.be.greaterThanOrEqual(1);
    expect(fake.output()).to.deep.equal(fake.windowedAnswer(ROWS, KEYS));
  });

  it("refuses a state directory that another process holds", async () => {
    const { mkdirSync } = await import("node:fs");
    mkdirSync(fake.state);
    writeFileSync(join(fake.state, "lock"), `${process.ppid}\n`);
    const error = await errorOf(fake.run(fake.windowed(), { stateUrl: fake.state }));
    expect(error.message).to.contain(`process ${process.ppid}`);
  });
});
