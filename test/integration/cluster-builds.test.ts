/**
 * Upgrades on a real cluster: a pipeline's workers move to another installed build by a checkpoint, beside the running ones, and stay with the
 * good one where the other does not start or is not there. Every row is published once.
 */
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { needsClusterBuild, TestCluster } from "../support/cluster-process.ts";
import { eventually } from "../support/eventually.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { TickPipeline } from "../support/tick-pipeline.ts";

describe("builds of the worker", function () {
  this.timeout(180_000);
  needsClusterBuild();
  let cluster: TestCluster;

  afterEach(async function () {
    const failed = this.currentTest?.state === "failed";
    if (failed) process.stderr.write(`${cluster.said}\n${cluster.logs()}\n`);
    else expect(await cluster.stop()).to.equal(0);
    const left = cluster.processes();
    cluster.killAll();
    if (!failed) expect(left, "processes left").to.deep.equal([]);
  });

  it("are changed beside the running one, proved by a checkpoint, and given up where they do not start", async () => {
    cluster = await TestCluster.in(temporaryFolder("builds"));
    const builds = join(cluster.stateDir, "builds");
    mkdirSync(join(builds, "broken", "cli"), { recursive: true });
    writeFileSync(join(builds, "broken", "cli", "main.js"), "process.exit(3);\n");
    symlinkSync(cluster.dist, join(builds, "next"));
    await cluster.start();
    const pipeline = new TickPipeline(cluster);
    await pipeline.create(1_000);

    const gapMs = await pipeline.gapOf(() => pipeline.patch({ worker_build: "next" }));
    process.stdout.write(`      longest time without output: ${Math.round(gapMs)} ms\n`);
    const moved = await pipeline.until("the next build runs", (job) => job.running_worker_build === "next");
    expect(moved.restarts).to.equal(0);
    await eventually("it is proved", async () => ((await pipeline.timeline()).includes("build-moved") ? true : undefined), 30_000);
    const workers = cluster.pids("worker");

    for (const build of ["broken", "absent"]) {
      await pipeline.patch({ worker_build: build });
      const kept = await pipeline.until(`build "${build}" is given up`, (job) => job.rejected_worker_build === build);
      expect(kept, build).to.deep.include({ running_worker_build: "next", run_id: moved.run_id, restarts: 0 });
      await pipeline.until("it goes on", ({ epoch }) => epoch > kept.epoch + 1);
      expect(cluster.pids("worker")).to.deep.equal(workers);
    }
    expect(await pipeline.timeline()).to.include("build-rejected");
    pipeline.expectEveryNumberOnce(500);
  });
});
