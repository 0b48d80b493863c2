/** Make before break: when the next run's workers come up beside the running one, when not, and what becomes of them. */
import { expect } from "chai";
import type { JobEffect } from "../../../src/job/effect.ts";
import { type JobContext, NO_CONTEXT } from "../../../src/job/job.ts";
import { failure, JobDriver, LIMITS } from "./job-driver.ts";

const PREPARED = ["prepare-run", "start-workers"];
const HANDED_OVER = ["drop-run", "end-workers", "start-run", "start-workers"];

function drain(driver: JobDriver, deadlineMs?: number): readonly string[] {
  return driver.feed({ kind: "drain", fence: driver.fence, reason: "node drain", deadlineMs });
}

/** Effects of a kind with the fences they are for. */
function fences(effects: readonly JobEffect[], kind: JobEffect["kind"]): readonly number[] {
  return effects.flatMap((effect) => (effect.kind === kind && "run" in effect ? [effect.run.fence] : []));
}

describe("job machine: make before break", () => {
  it("starts the next run's workers beside the running one, and makes way only when all wait", () => {
    const driver = new JobDriver().toRunning();
    expect(drain(driver)).to.deep.equal(PREPARED);
    expect(driver.job).to.deep.include({ state: "running", run: { id: "run_testr1", fence: 1 } });
    expect(driver.feed({ kind: "workers-accepted", fence: 2, workers: 1 })).to.deep.equal([]);
    expect(driver.prepared({ kind: "prepared" })).to.deep.equal(["command-run"]);
    expect(driver.job.state).to.equal("restarting");
    expect(driver.run({ kind: "drained", finished: false })).to.deep.equal(["command-run"]);
    expect(driver.run({ kind: "closed", finished: false })).to.deep.equal(HANDED_OVER);
    expect(fences(driver.effects, "end-workers")).to.deep.equal([1]);
    expect(fences(driver.effects, "start-run")).to.deep.equal([2]);
    expect(driver.job).to.deep.include({ state: "scheduling", run: { id: "run_testr2", fence: 2 }, restarts: 0 });
    expect(driver.toRunning().job.state).to.equal("running");
    driver.feed({ kind: "workers-gone", fence: 1 });
    expect(driver.job.context.leftovers).to.deep.equal([]);
  });

  for (const [what, event] of [
    ["there are too few slots", { kind: "not-enough-slots", needed: 2, available: 1 }],
    ["its workers cannot be placed", { kind: "placement-blocked", missing: 1, reason: "no node has memory" }],
    ["the scheduler refuses", { kind: "start-failed", error: failure("user") }],
    ["one of its workers dies", { kind: "run", report: { kind: "lost", error: failure() } }],
    ["its machines drain as well", { kind: "drain", reason: "all nodes drain", deadlineMs: undefined }],
  ] as const) {
    it(`takes a checkpoint first and moves then when ${what}; the fence is not used again`, () => {
      const driver = new JobDriver().toRunning();
      drain(driver);
      expect(driver.feed({ ...event, fence: 2 })).to.deep.equal(["end-workers", "command-run"]);
      expect(driver.job.state).to.equal("restarting");
      driver.run({ kind: "drained", finished: false });
      expect(driver.run({ kind: "closed", finished: false })).to.deep.equal(["drop-run", "stop-workers"]);
      driver.gone();
      expect(driver.job.run?.fence).to.equal(3);
    });
  }

  it("waits for a scheduler that is away, and moves without it when the time is over", () => {
    const driver = new JobDriver().toRunning();
    drain(driver);
    expect(driver.feed({ kind: "start-failed", fence: 2, error: failure() })).to.deep.equal([]);
    const beganMs = driver.nowMs;
    expect(driver.wake()).to.deep.equal(["command-run"]);
    expect(driver.nowMs - beganMs).to.equal(LIMITS.prepareMs);
    driver.run({ kind: "drained", finished: false });
    expect(driver.run({ kind: "closed", finished: false })).to.deep.equal(HANDED_OVER);
  });

  it("keeps time for the last checkpoint before workers are killed, and does not begin if there is none", () => {
    const driver = new JobDriver().toRunning();
    drain(driver, 10_000);
    expect((driver.job.context.prepared?.deadlineAtMs ?? 0) - driver.nowMs).to.equal(5_000);
    drain(driver, 8_000);
    expect((driver.job.context.prepared?.deadlineAtMs ?? 0) - driver.nowMs).to.equal(4_000);
    const hurried = new JobDriver().toRunning();
    expect(drain(hurried, 3_000)).to.deep.equal(["command-run"]);
  });

  it("does not move twice for one drain that many workers tell of", () => {
    const driver = new JobDriver().toRunning();
    drain(driver);
    expect(drain(driver)).to.deep.equal([]);
    expect(driver.run({ kind: "leaving", reason: "SIGTERM", deadlineMs: undefined })).to.deep.equal([]);
  });

  it("discards what was prepared when the wish is taken back, and makes another when it has changed", () => {
    const driver = new JobDriver().toRunning();
    driver.wish({ parallelism: 4 });
    expect(driver.wish({ parallelism: 3 })).to.deep.equal(["end-workers", ...PREPARED]);
    expect(driver.preparedFence).to.equal(3);
    expect(driver.wish({ parallelism: 2 })).to.deep.equal(["end-workers"]);
    expect(driver.job).to.deep.include({ state: "running" });
    expect(driver.job.context.leftovers.map(({ run }) => run.fence)).to.deep.equal([2, 3]);
  });

  it("moves all the same when a wish is taken back while a machine has to be left", () => {
    const driver = new JobDriver().toRunning();
    driver.wish({ parallelism: 4 });
    drain(driver, 60_000);
    expect(driver.wish({ parallelism: 2 })).to.deep.equal(["end-workers", ...PREPARED]);
    expect(driver.job.context.prepared).to.deep.include({ cause: "restarting", forced: true, parallelism: 2 });
  });

  it("goes on with the prepared workers when the running run fails meanwhile", () => {
    const driver = new JobDriver().toRunning();
    drain(driver);
    expect(driver.run({ kind: "lost", error: failure() })).to.deep.equal(["drop-run", "stop-workers"]);
    expect(driver.job.state).to.equal("recovering");
    driver.gone();
    driver.wake();
    driver.feed({ kind: "compiled", artifact: "a1", vertices: 3 });
    expect(driver.job).to.deep.include({ state: "scheduling", run: { id: "run_testr2", fence: 2 }, restarts: 1 });
    expect(driver.job.context.leftovers).to.deep.equal([]);
  });

  it("discards what was prepared when the user stops, when the job fails and when it finishes", () => {
    const stopped = new JobDriver().toRunning();
    drain(stopped);
    expect(stopped.wish({ stop: "checkpoint" })).to.deep.equal(["end-workers", "command-run"]);
    const failed = new JobDriver().toRunning();
    drain(failed);
    expect(failed.run({ kind: "failed", error: failure("user") })).to.deep.equal(["end-workers", "drop-run", "stop-workers"]);
    const finished = new JobDriver().toRunning();
    drain(finished);
    expect(finished.run({ kind: "ending" })).to.deep.equal(["end-workers"]);
    expect(finished.job.state).to.equal("finishing");
  });

  it("asks again for the end of a leftover's workers until the scheduler answers, also at rest and after a change of leaders", () => {
    const driver = new JobDriver().toRunning();
    drain(driver);
    driver.wish({ stop: "force" });
    driver.gone();
    expect(driver.job.state).to.equal("stopped");
    driver.feed({ kind: "stop-failed", fence: 2, error: failure() });
    expect(driver.wake()).to.deep.equal(["end-workers"]);
    driver.feed({ kind: "stop-failed", fence: 2, error: failure() });
    expect(driver.feed({ kind: "scheduler-back" })).to.deep.equal(["end-workers"]);
    expect(driver.feed({ kind: "loaded" })).to.deep.equal(["end-workers"]);
    driver.feed({ kind: "workers-gone", fence: 2 });
    expect(driver.feed({ kind: "loaded" })).to.deep.equal([]);
  });

  it("cleans a deleted job up only when no leftover is there any more", () => {
    const driver = new JobDriver().toRunning();
    drain(driver);
    driver.wish({ deleted: true });
    expect(driver.gone()).to.deep.equal(["drop-run"]);
    driver.feed({ kind: "workers-gone", fence: 2 });
    expect(driver.wake()).to.deep.equal(["clean-up"]);
  });

  it("lets a new leader go on where the last one died", () => {
    const driver = new JobDriver().toRunning();
    drain(driver);
    expect(driver.feed({ kind: "loaded" })).to.deep.equal([...PREPARED, "adopt-run"]);
    driver.prepared({ kind: "prepared" });
    expect(driver.feed({ kind: "loaded" })).to.deep.equal([...PREPARED, "adopt-run"]);
    driver.run({ kind: "drained", finished: false });
    const effects = driver.feed({ kind: "loaded" });
    expect(effects).to.deep.equal([...PREPARED, ...HANDED_OVER]);
  });

  it("gives the time again in which nobody ran the machine, once, and to a new leader", () => {
    const asleep = new JobDriver().toRunning();
    drain(asleep);
    asleep.nowMs += 10 * LIMITS.prepareMs;
    expect(asleep.feed({ kind: "tick" })).to.deep.equal([]);
    expect(asleep.wake()).to.deep.equal(["command-run"]);
    const driver = new JobDriver().toRunning();
    drain(driver);
    driver.nowMs += LIMITS.prepareMs;
    driver.feed({ kind: "loaded" });
    expect((driver.job.context.prepared?.deadlineAtMs ?? 0) - driver.nowMs).to.equal(LIMITS.prepareMs);
  });

  it("does none of it for previews, by force, or where it is switched off", () => {
    const preview = new JobDriver({ preview: true }).toRunning();
    expect(drain(preview)).to.deep.equal(["command-run"]);
    const forced = new JobDriver().toRunning();
    expect(forced.wish({ restartNonce: 1, restartMode: "force" })).to.deep.equal(["drop-run", "stop-workers"]);
  });

  it("loads rows that were written before there was anything of this", () => {
    const driver = new JobDriver().toRunning();
    const { prepared: _prepared, leftovers: _leftovers, lastFence: _fence, ...old } = driver.job.context;
    const context: JobContext = { ...NO_CONTEXT, ...JSON.parse(JSON.stringify(old)) };
    driver.job = { ...driver.job, context };
    expect(driver.feed({ kind: "loaded" })).to.deep.equal(["adopt-run"]);
    expect(drain(driver)).to.deep.equal(PREPARED);
    expect(driver.preparedFence).to.equal(2);
  });
});
