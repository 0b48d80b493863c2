/** A cluster whose workers are threads of the controller: no worker process, and the same rows. */
import { expect } from "chai";
import { needsClusterBuild, TestCluster } from "../support/cluster-process.ts";
import { FailurePipeline } from "../support/failure-pipeline.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

describe("a cluster of threads", function () {
  this.timeout(120_000);
  needsClusterBuild();
  let cluster: TestCluster;
  afterEach(async function () {
    if (this.currentTest?.state === "failed") process.stderr.write(`${cluster.said}\n${cluster.logs()}\n`);
    await cluster.stop();
    cluster.killAll();
  });

  it("runs a pipeline without a worker process, and goes on exactly after the end of the controller that had it", async () => {
    const folder = temporaryFolder("embedded");
    const settings = { WADI__CONTROLLER__SCHEDULER: "embedded", WADI__PIPELINE__WORKER_HEARTBEAT_TIMEOUT: "4s" };
    cluster = await TestCluster.in(folder, { ...FailurePipeline.environment(folder), ...settings });
    const pipeline = new FailurePipeline(cluster, 7);
    pipeline.slow(500);
    await cluster.start();
    await pipeline.create(1);
    const before = await pipeline.advanced(0);
    expect(cluster.pids("worker")).to.deep.equal([]);
    pipeline.expectMiddle();
    process.kill(cluster.controllerOfCluster(), "SIGKILL");
    const after = await pipeline.until("another run runs", (job) => job.state === "Running" && job.run_id > before.run_id);
    expect(after.epoch).to.be.at.least(before.epoch);
    await pipeline.finish();
    expect(cluster.pids("worker")).to.deep.equal([]);
  });
});
