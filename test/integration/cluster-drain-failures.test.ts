/** What becomes of a move when something dies in the middle of it: every row is published once. Real processes, the build in `dist/`. */
import { expect } from "chai";
import { kill, needsClusterBuild } from "../support/cluster-process.ts";
import { DrainStage, tellGaps } from "../support/drain-stage.ts";

describe("a run that moves, and something dies meanwhile", function () {
  this.timeout(120_000);
  needsClusterBuild();
  let stage: DrainStage;

  beforeEach(async () => {
    stage = await DrainStage.start();
  });

  afterEach(async function () {
    await stage.end(this.currentTest?.state === "failed");
  });

  it("takes a checkpoint and moves then when the worker that comes up is killed", async () => {
    tellGaps(await stage.drain(async (pid) => kill(await stage.prepared(pid))));
    expect(await stage.restarts()).to.equal(0);
    stage.pipeline.expectEveryNumberOnce(100);
  });

  it("recovers with the worker that comes up when the running one is killed", async () => {
    let next = 0;
    tellGaps(
      await stage.drain(async (pid) => {
        next = await stage.prepared(pid);
        kill(pid);
      }),
    );
    expect(stage.worker()).to.equal(next);
    stage.pipeline.expectEveryNumberOnce(100);
  });

  it("is moved by the next controller when this one is killed", async () => {
    tellGaps(
      await stage.drain(async (pid) => {
        await stage.prepared(pid);
        kill(stage.cluster.controllerOfCluster());
      }),
    );
    expect(await stage.restarts()).to.equal(0);
    stage.pipeline.expectEveryNumberOnce(100);
  });
});
