/** Upgrades of one job: the wanted build comes up beside the running one, is on trial until a checkpoint, and is given up by itself. */
import { expect } from "chai";
import type { JobEffect } from "../../../src/job/effect.ts";
import { failure, JobDriver } from "./job-driver.ts";

/** Builds that workers are asked for. */
function builds(effects: readonly JobEffect[]): readonly string[] {
  return effects.flatMap((effect) => (effect.kind === "start-workers" ? [effect.build] : []));
}

/** A job whose workers of the scheduler's own build have completed a checkpoint. */
function proved(): JobDriver {
  const driver = new JobDriver().toRunning();
  driver.run({ kind: "epoch-complete", epoch: 1 });
  return driver;
}

/** It hands over to the run of the new build. */
function moved(driver: JobDriver): JobDriver {
  driver.prepared({ kind: "prepared" });
  driver.run({ kind: "drained", finished: false });
  driver.run({ kind: "closed", finished: false });
  return driver;
}

function timeline({ effects }: JobDriver): readonly string[] {
  return effects.flatMap((effect) => (effect.kind === "record" ? [effect.entry.kind] : []));
}

describe("job machine: builds", () => {
  it("moves to the wanted build beside the running one, and takes it for good once it has completed a checkpoint", () => {
    const driver = proved();
    expect(driver.wish({ build: "2.0" })).to.deep.equal(["prepare-run", "start-workers"]);
    expect(builds(driver.effects)).to.deep.equal(["2.0"]);
    moved(driver);
    expect(driver.job.context).to.deep.include({ build: "2.0", goodBuild: "" });
    driver.toRunning();
    driver.run({ kind: "epoch-complete", epoch: 2 });
    expect(driver.job.context.goodBuild).to.equal("2.0");
    expect(timeline(driver)).to.deep.equal(["build-moved"]);
  });

  it("goes on running where workers of the new build do not come up", () => {
    const driver = proved();
    driver.wish({ build: "2.0" });
    expect(driver.prepared({ kind: "lost", error: failure() })).to.deep.equal(["end-workers"]);
    expect(driver.job).to.deep.include({ state: "running", restarts: 0 });
    expect(driver.job.context).to.deep.include({ rejectedBuild: "2.0", build: "" });
    expect(driver.wish({ checkpointIntervalMs: 77 })).to.deep.equal(["command-run"]);
  });

  it("also where they are not there in time, for which they have that of a start", () => {
    const driver = proved();
    driver.wish({ build: "2.0" });
    expect(driver.wake()).to.deep.equal(["end-workers"]);
    expect(driver.job.state).to.equal("running");
    expect(timeline(driver)).to.deep.equal(["build-rejected", "prepare-failed"]);
  });

  for (const domain of ["external", "user"] as const) {
    it(`goes back to the last good build when the new one fails on trial (${domain}), and counts no restart`, () => {
      const driver = proved();
      driver.wish({ build: "2.0" });
      moved(driver).run({ kind: "failed", error: failure(domain) });
      expect(driver.job).to.deep.include({ state: "recovering", restarts: 0 });
      driver.gone();
      driver.wake();
      driver.feed({ kind: "compiled", artifact: "a1", vertices: 3 });
      expect(builds(driver.effects)).to.deep.equal([""]);
      driver.toRunning();
      expect(driver.job.context).to.deep.include({ build: "", goodBuild: "", rejectedBuild: "2.0" });
    });
  }

  it("tries a rejected build again only when it is wished for anew", () => {
    const driver = proved();
    driver.wish({ build: "2.0" });
    driver.prepared({ kind: "lost", error: failure() });
    expect(driver.wish({ build: "" })).to.deep.equal([]);
    expect(driver.job.context.rejectedBuild).to.equal(undefined);
    expect(driver.wish({ build: "2.0" })).to.deep.equal(["prepare-run", "start-workers"]);
  });

  it("counts a failure of a build that is proved, and of one with nothing to go back to, as any other", () => {
    const unproved = new JobDriver({ desired: { build: "2.0" } }).toRunning();
    unproved.run({ kind: "lost", error: failure() });
    expect(unproved.job).to.deep.include({ state: "recovering", restarts: 1 });
    const good = proved();
    good.run({ kind: "lost", error: failure() });
    expect(good.job).to.deep.include({ state: "recovering", restarts: 1 });
  });

  it("moves without room as well: checkpoint first", () => {
    const driver = proved();
    driver.wish({ build: "2.0" });
    expect(driver.feed({ kind: "not-enough-slots", fence: 2, needed: 2, available: 0 })).to.deep.equal(["end-workers", "command-run"]);
    driver.run({ kind: "drained", finished: false });
    driver.run({ kind: "closed", finished: false });
    driver.gone();
    expect(builds(driver.effects)).to.deep.equal(["2.0"]);
  });
});
