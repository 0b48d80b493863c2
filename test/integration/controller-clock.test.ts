/** A controller whose wall clock is set while it leads: deadlines, leases and heartbeats count elapsed time, so nothing happens. */
import { expect } from "chai";
import { systemClock } from "../../src/core/clock.ts";
import { ControllerStage } from "../support/controller-stage.ts";
import { type DatabaseServer, startPglite } from "../support/databases.ts";
import { eventually } from "../support/eventually.ts";

const HOUR_NS = 3_600_000_000_000n;

describe("a controller whose clock jumps", function () {
  this.timeout(60_000);
  let server: DatabaseServer;
  let stage: ControllerStage;

  before(async () => {
    server = await startPglite();
    stage = await ControllerStage.open(await server.create());
  });
  after(async () => {
    await stage?.close();
    await server?.stop();
  });

  it("goes on leading, with the same workers and one epoch after the other", async () => {
    let offsetNs = 0n;
    const { controller } = await stage.start({ clock: { ...systemClock, nowNs: () => systemClock.nowNs() + offsetNs } });
    const job = await stage.create({ intervalMs: 200 });
    await stage.reaches(job, "running");
    for (const jump of [HOUR_NS, -2n * HOUR_NS, 24n * HOUR_NS, 0n]) {
      offsetNs = jump;
      const before = Number((await stage.row(job))?.["epoch"]);
      await eventually("epochs go on", async () => (Number((await stage.row(job))?.["epoch"]) > before + 3 ? true : undefined), 20_000);
      const row = await stage.row(job);
      expect([row?.["state"], row?.["run_fence"], row?.["restarts"]]).to.deep.equal(["running", 1n, 0]);
      expect(controller.leads).to.equal(true);
    }
    expect(stage.cluster.workers).to.have.length(1);
  });
});
