/** The job machine's ways: starting, stopping, restarting, rescaling, failing, and going on under another leader. */
import { expect } from "chai";
import type { StopMode } from "../../../src/job/job.ts";
import { wakeAtMs } from "../../../src/job/step.ts";
import { failure, JobDriver, LIMITS, PLACEMENT } from "./job-driver.ts";

describe("job machine: starting", () => {
  it("compiles, asks for slots, stores the placement and runs", () => {
    const driver = new JobDriver();
    expect(driver.feed({ kind: "loaded" })).to.deep.equal(["compile"]);
    expect(driver.feed({ kind: "compiled", artifact: "a1", vertices: 3 })).to.deep.equal(["start-run", "start-workers"]);
    expect(driver.job.run).to.deep.equal({ id: "run_testr1", fence: 1 });
    expect(driver.job.tasks).to.equal(6);
    expect(driver.run({ kind: "placed", placement: PLACEMENT })).to.deep.equal(["command-run"]);
    expect(driver.job.context.placement).to.deep.equal(PLACEMENT);
    expect(driver.job.stateDeadlineAtMs).to.equal(driver.nowMs + LIMITS.taskStartupMs);
    driver.run({ kind: "running" });
    expect(driver.job.state).to.equal("running");
    expect(driver.job.stateDeadlineAtMs).to.equal(undefined);
  });

  it("waits for slots, says since when, and gives up at its deadline", () => {
    const driver = new JobDriver();
    driver.feed({ kind: "loaded" });
    driver.feed({ kind: "compiled", artifact: "a1", vertices: 1 });
    const sinceMs = driver.nowMs;
    driver.feed({ kind: "not-enough-slots", fence: 1, needed: 2, available: 0 });
    expect(driver.job.context.waiting).to.deep.equal({ sinceMs, for: "slots", reason: "2 slots are needed, 0 are free" });
    expect(driver.wake()).to.include("start-workers");
    driver.feed({ kind: "not-enough-slots", fence: 1, needed: 2, available: 1 });
    expect(driver.job.context.waiting?.sinceMs).to.equal(sinceMs);
    for (let i = 0; i < 100 && driver.job.state === "scheduling"; i++) {
      driver.wake();
      driver.feed({ kind: "not-enough-slots", fence: 1, needed: 2, available: 1 });
    }
    expect(driver.job.state).to.equal("recovering");
    expect(driver.nowMs).to.equal(sinceMs + LIMITS.workerStartupMs);
    expect(driver.job.failure?.message).to.contain("2 slots are needed");
  });

  it("repeats a failed start, but not one that cannot succeed", () => {
    const driver = new JobDriver();
    driver.feed({ kind: "loaded" });
    driver.feed({ kind: "compiled", artifact: "a1", vertices: 1 });
    driver.feed({ kind: "start-failed", fence: 1, error: failure() });
    driver.feed({ kind: "workers-accepted", fence: 1, workers: 1 });
    expect(driver.wake()).to.deep.equal(["start-run", "start-workers"]);
    driver.feed({ kind: "start-failed", fence: 1, error: failure("user") });
    expect(driver.job.state).to.equal("failing");
  });

  it("asks at once for what it waits for when the scheduler is back, and for nothing else", () => {
    const driver = new JobDriver();
    driver.feed({ kind: "loaded" });
    driver.feed({ kind: "compiled", artifact: "a1", vertices: 1 });
    expect(driver.feed({ kind: "scheduler-back" })).to.deep.equal([]);
    for (let attempt = 0; attempt < 8; attempt++) driver.feed({ kind: "start-failed", fence: 1, error: failure() });
    expect(driver.feed({ kind: "scheduler-back" })).to.deep.equal(["start-run", "start-workers"]);
    expect(driver.job.context.attempts).to.equal(0);
    driver.toRunning();
    driver.run({ kind: "lost", error: failure() });
    driver.feed({ kind: "stop-failed", fence: 1, error: failure() });
    expect(driver.feed({ kind: "scheduler-back" })).to.deep.equal(["stop-workers"]);
  });

  it("fails at once what the user has to mend", () => {
    const driver = new JobDriver();
    driver.feed({ kind: "loaded" });
    driver.feed({ kind: "compile-failed", error: failure("user") });
    expect(driver.job.state).to.equal("failed");
    expect(driver.job.failure?.domain).to.equal("user");
  });
});

describe("job machine: stopping", () => {
  const first: readonly (readonly [Exclude<StopMode, "none">, string, string])[] = [
    ["checkpoint", "checkpoint-stopping", "command-run"],
    ["graceful", "stopping", "command-run"],
    ["immediate", "stopping", "command-run"],
    ["force", "stopping", "stop-workers"],
  ];
  for (const [mode, state, effect] of first) {
    it(`stops by ${mode} and ends stopped`, () => {
      const driver = new JobDriver().toRunning();
      expect(driver.wish({ stop: mode })).to.include(effect);
      expect(driver.job.state).to.equal(state);
      if (mode !== "force") {
        if (mode !== "immediate") expect(driver.run({ kind: "drained", finished: false })).to.deep.equal(["command-run"]);
        expect(driver.run({ kind: "closed", finished: false })).to.deep.equal(["drop-run", "stop-workers"]);
      }
      driver.gone();
      expect(driver.job.state).to.equal("stopped");
      expect(driver.job.observedRevision).to.equal(driver.job.desired.revision);
    });
  }

  it("lets a harder wish override a softer one, and not the other way round", () => {
    const driver = new JobDriver().toRunning();
    driver.wish({ stop: "checkpoint" });
    expect(driver.wish({ stop: "graceful" })).to.deep.equal(["command-run"]);
    expect(driver.job.state).to.equal("stopping");
    expect(driver.wish({ stop: "checkpoint" })).to.deep.equal([]);
    expect(driver.wish({ stop: "immediate" })).to.deep.equal(["command-run"]);
    expect(driver.wish({ stop: "force" })).to.deep.equal(["drop-run", "stop-workers"]);
  });

  it("stops without the last checkpoint when that takes too long", () => {
    const driver = new JobDriver().toRunning();
    driver.wish({ stop: "checkpoint" });
    const beganMs = driver.nowMs;
    expect(driver.wake()).to.deep.equal(["command-run"]);
    expect(driver.nowMs - beganMs).to.equal(LIMITS.checkpointMs);
    expect(driver.job.state).to.equal("stopping");
    expect(driver.wake()).to.deep.equal(["drop-run", "stop-workers"]);
    driver.wake();
    expect(driver.job.state).to.equal("stopped");
    expect(driver.job.context.live).to.equal(true);
    expect(driver.wake()).to.deep.equal(["stop-workers"]);
    driver.gone();
    expect(driver.job.context.live).to.equal(false);
    expect(wakeAtMs(driver.job, LIMITS)).to.equal(undefined);
  });

  it("runs again when the stop is taken back", () => {
    const driver = new JobDriver().toRunning();
    driver.wish({ stop: "force" });
    driver.wish({ stop: "none" });
    expect(driver.gone()).to.deep.equal(["drop-run", "compile"]);
    expect(driver.toRunning().fence).to.equal(2);
  });

  it("is finished when all sources had ended, whatever it was stopped for", () => {
    for (const change of [{ stop: "checkpoint" }, { parallelism: 3 }, { restartNonce: 1 }] as const) {
      const driver = new JobDriver().toRunning();
      driver.wish(change);
      driver.run({ kind: "drained", finished: true });
      driver.run({ kind: "closed", finished: true });
      driver.gone();
      expect(driver.job.state).to.equal("finished");
    }
  });

  it("cleans up a deleted job once nothing runs, again until it is gone", () => {
    const driver = new JobDriver().toRunning();
    expect(driver.wish({ stop: "force", deleted: true })).to.include("stop-workers");
    expect(driver.gone()).to.include("clean-up");
    expect(driver.wake()).to.deep.equal(["clean-up"]);
    expect(driver.feed({ kind: "loaded" })).to.deep.equal(["clean-up"]);
  });

  it("stops a preview at once when its time is over, and never runs it again", () => {
    const driver = new JobDriver({ preview: true, ttlMs: 60_000 }).toRunning();
    const startedMs = driver.nowMs;
    expect(driver.wake()).to.deep.equal(["command-run"]);
    expect(driver.nowMs).to.equal(startedMs + 60_000);
    driver.run({ kind: "closed", finished: false });
    driver.gone();
    expect(driver.job.state).to.equal("stopped");
    expect(driver.wish({ checkpointIntervalMs: 5 })).to.deep.equal([]);
  });
});

describe("job machine: other runs", () => {
  it("rescales with a checkpoint, into the next run with the new parallelism", () => {
    const driver = new JobDriver().toRunning();
    driver.wish({ parallelism: 5 });
    expect(driver.prepared({ kind: "prepared" })).to.deep.equal(["command-run"]);
    expect(driver.job.state).to.equal("rescaling");
    driver.run({ kind: "drained", finished: false });
    expect(driver.run({ kind: "closed", finished: false })).to.deep.equal(["drop-run", "end-workers", "start-run", "start-workers"]);
    expect(driver.job).to.deep.include({ state: "scheduling", parallelism: 5, tasks: 15, restarts: 0 });
  });

  it("restarts safely with a checkpoint, by force without, by the nonce once", () => {
    const safe = new JobDriver().toRunning();
    expect(safe.wish({ restartNonce: 1 })).to.deep.equal(["prepare-run", "start-workers"]);
    const forced = new JobDriver().toRunning();
    expect(forced.wish({ restartNonce: 1, restartMode: "force" })).to.deep.equal(["drop-run", "stop-workers"]);
    forced.gone();
    expect(forced.job).to.deep.include({ state: "scheduling", observedRestartNonce: 1, restarts: 0 });
    expect(forced.toRunning().job.state).to.equal("running");
  });

  it("takes a change of environment for a restart, and one of the interval to the run", () => {
    const driver = new JobDriver().toRunning();
    expect(driver.wish({ checkpointIntervalMs: 7 })).to.deep.equal(["command-run"]);
    expect(driver.job.state).to.equal("running");
    driver.wish({ launchKey: "x" });
    driver.prepared({ kind: "prepared" });
    expect(driver.job.state).to.equal("restarting");
  });

  it("turns a rescale into a stop when the user wants one", () => {
    const driver = new JobDriver().toRunning();
    driver.wish({ parallelism: 3 });
    driver.prepared({ kind: "prepared" });
    const deadlineMs = driver.job.stateDeadlineAtMs;
    expect(driver.wish({ stop: "checkpoint" })).to.deep.equal(["end-workers"]);
    expect(driver.job).to.deep.include({ state: "checkpoint-stopping", stateDeadlineAtMs: deadlineMs });
  });

  it("moves a run off a machine that drains, and counts no failure", () => {
    const driver = new JobDriver().toRunning();
    expect(driver.run({ kind: "leaving", reason: "node drain", deadlineMs: 1000 })).to.deep.equal(["command-run"]);
    expect(driver.job).to.deep.include({ state: "restarting", restarts: 0 });
  });

  it("recovers from failures with growing waits, and fails when they are too many in a row", () => {
    const driver = new JobDriver().toRunning();
    const waits: number[] = [];
    for (let i = 1; i <= LIMITS.allowedRestarts; i++) {
      driver.run({ kind: "lost", error: failure() });
      expect(driver.job).to.deep.include({ state: "recovering", restarts: i });
      driver.gone();
      const beganMs = driver.nowMs;
      expect(driver.wake()).to.deep.equal(["compile"]);
      waits.push(driver.nowMs - beganMs);
      driver.toRunning();
    }
    expect(waits).to.deep.equal([500, 1000, 2000]);
    driver.run({ kind: "failed", error: failure("internal") });
    expect(driver.job.state).to.equal("failing");
    driver.gone();
    expect(driver.job).to.deep.include({ state: "failed", failure: failure("internal") });
    expect(driver.wish({ restartNonce: 1 })).to.deep.equal(["compile"]);
    expect(driver.job).to.deep.include({ restarts: 0, failure: undefined });
  });

  it("forgets failures once it has been healthy for long enough", () => {
    const driver = new JobDriver().toRunning();
    driver.run({ kind: "lost", error: failure() });
    driver.gone();
    driver.wake();
    driver.toRunning();
    driver.wake();
    expect(driver.job).to.deep.include({ state: "running", restarts: 0 });
  });

  it("never restarts a preview", () => {
    const driver = new JobDriver({ preview: true, ttlMs: 1000 }).toRunning();
    driver.run({ kind: "lost", error: failure() });
    expect(driver.job.state).to.equal("failing");
  });

  it("does not try a row that cannot be read again", () => {
    const driver = new JobDriver().toRunning();
    driver.run({ kind: "failed", error: failure("user") });
    expect(driver.job.state).to.equal("failing");
  });

  it("ignores what an older run says", () => {
    const driver = new JobDriver().toRunning();
    expect(driver.feed({ kind: "run", fence: 7, report: { kind: "lost", error: failure() } })).to.deep.equal([]);
    expect(driver.feed({ kind: "workers-gone", fence: 0 })).to.deep.equal([]);
    expect(driver.job.state).to.equal("running");
  });
});

describe("job machine: another leader", () => {
  it("adopts a run that runs, or whose workers are placed", () => {
    const driver = new JobDriver().toRunning();
    expect(driver.feed({ kind: "loaded" })).to.deep.equal(["adopt-run"]);
    const starting = new JobDriver();
    starting.feed({ kind: "loaded" });
    starting.feed({ kind: "compiled", artifact: "a1", vertices: 1 });
    expect(starting.feed({ kind: "loaded" })).to.deep.equal(["start-run", "start-workers"]);
    starting.run({ kind: "placed", placement: PLACEMENT });
    expect(starting.feed({ kind: "loaded" })).to.deep.equal(["adopt-run"]);
  });

  it("adopts a run that stops and tells it again", () => {
    const driver = new JobDriver().toRunning();
    driver.wish({ stop: "checkpoint" });
    driver.feed({ kind: "loaded" });
    expect(driver.effects[0]).to.deep.include({ kind: "adopt-run", stop: "checkpoint" });
  });

  it("gives the time in which nobody led to the state again", () => {
    const driver = new JobDriver().toRunning();
    driver.wish({ stop: "checkpoint" });
    driver.nowMs += 10 * LIMITS.checkpointMs;
    driver.feed({ kind: "loaded" });
    expect(driver.job).to.deep.include({ state: "checkpoint-stopping", stateDeadlineAtMs: driver.nowMs + LIMITS.checkpointMs });
  });

  it("does not adopt what has published its last epoch", () => {
    const driver = new JobDriver().toRunning();
    driver.wish({ stop: "checkpoint" });
    driver.run({ kind: "drained", finished: false });
    expect(driver.feed({ kind: "loaded" })).to.deep.equal(["drop-run", "stop-workers"]);
  });

  it("adopts again when that failed, and still stops what is to be stopped", () => {
    const driver = new JobDriver().toRunning();
    driver.feed({ kind: "loaded" });
    driver.feed({ kind: "start-failed", fence: 1, error: failure() });
    driver.wish({ stop: "checkpoint" });
    driver.wake();
    expect(driver.effects[0]).to.deep.include({ kind: "adopt-run", stop: "checkpoint" });
  });

  it("goes on with every other state from the row alone", () => {
    const compiling = new JobDriver();
    compiling.feed({ kind: "loaded" });
    expect(compiling.feed({ kind: "loaded" })).to.deep.equal(["compile"]);
    const recovering = new JobDriver().toRunning();
    recovering.run({ kind: "lost", error: failure() });
    expect(recovering.feed({ kind: "loaded" })).to.deep.equal(["stop-workers"]);
    recovering.gone();
    expect(recovering.feed({ kind: "loaded" })).to.deep.equal([]);
    expect(recovering.wake()).to.deep.equal(["compile"]);
  });
});
