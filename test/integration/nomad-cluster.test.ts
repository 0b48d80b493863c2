/** The whole system on Nomad: API, controllers and workers are real processes, and the rows are exact. */
import { expect } from "chai";
import { kill, needsClusterBuild, TestCluster } from "../support/cluster-process.ts";
import { FailurePipeline, type JobState } from "../support/failure-pipeline.ts";
import { nomadEnvironment } from "../support/nomad-cluster.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const READ_DELAY_MS = 300;

describe("a cluster on Nomad", function () {
  this.timeout(240_000);
  needsClusterBuild();
  let cluster: TestCluster;
  let pipeline: FailurePipeline;
  const address = process.env["NOMAD_ADDR"] ?? "";

  async function running(parallelism: number, more: NodeJS.ProcessEnv = {}): Promise<JobState> {
    const folder = temporaryFolder("nomad");
    cluster = await TestCluster.in(folder, FailurePipeline.environment(folder));
    cluster.set(nomadEnvironment(cluster, address, more));
    pipeline = new FailurePipeline(cluster, 7);
    pipeline.slow(READ_DELAY_MS);
    await cluster.start();
    await pipeline.create(parallelism);
    return await pipeline.advanced(0, 1);
  }

  afterEach(async function () {
    const failed = this.currentTest?.state === "failed";
    if (failed) process.stderr.write(`${cluster.said}\n${cluster.logs()}\n`);
    await cluster.stop();
    cluster.killAll();
  });

  it("a worker that is killed is replaced and no row is lost or repeated", async () => {
    const before = await running(2);
    kill(cluster.pids("worker")[0] as number);
    const after = await pipeline.until("another run runs", (job) => job.state === "Running" && job.run_id > before.run_id);
    expect(after.restarts).to.equal(1);
    await pipeline.finish();
  });
});
