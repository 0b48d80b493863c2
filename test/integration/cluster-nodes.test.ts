/**
 * A cluster whose workers are on two machines with `wadi node` daemons: whatever becomes of a daemon or of its machine, the pipeline goes on and
 * its exactly-once sinks hold the batch answer. Real processes.
 */
import { expect } from "chai";
import { needsClusterBuild, TestCluster } from "../support/cluster-process.ts";
import { eventually } from "../support/eventually.ts";
import { FailurePipeline, type JobState } from "../support/failure-pipeline.ts";
import { NODE_CLUSTER, NodeProcess } from "../support/node-process.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const READ_DELAY_MS = 1_000;

describe("a cluster of nodes", function () {
  this.timeout(180_000);
  needsClusterBuild();
  let cluster: TestCluster;
  let pipeline: FailurePipeline;
  let nodes: NodeProcess[];

  /** Two nodes with two slots each, and a pipeline with a worker on either. */
  async function running(settings: NodeJS.ProcessEnv = {}): Promise<JobState> {
    const folder = temporaryFolder("nodes");
    cluster = await TestCluster.in(folder, { ...FailurePipeline.environment(folder), ...NODE_CLUSTER, ...settings });
    nodes = [await NodeProcess.of(cluster, "machine-a", 2), await NodeProcess.of(cluster, "machine-b", 2)];
    pipeline = new FailurePipeline(cluster, 7);
    pipeline.slow(READ_DELAY_MS);
    await cluster.start();
    await Promise.all(nodes.map((node) => node.start()));
    await pipeline.create(2);
    const job = await pipeline.advanced(0);
    expect(nodes.map(({ workers }) => workers.length)).to.deep.equal([1, 1]);
    pipeline.expectMiddle();
    return job;
  }

  const node = (index: number): NodeProcess => nodes[index] ?? expect.fail("no such node");

  afterEach(async function () {
    const failed = this.currentTest?.state === "failed";
    if (failed) process.stderr.write(`${cluster.said}\n${cluster.logs()}\n${nodes.map(({ said }) => said).join("\n")}\n`);
    await cluster.stop();
    for (const one of nodes) await one.killAll();
    cluster.killAll();
  });

  it("goes on with the same workers after kill -9 of a daemon, which the next one finds, and of the controller", async () => {
    const before = await running();
    const workers = nodes.flatMap((one) => one.workers);
    const [own] = node(0).workers;
    const states = async () => (await cluster.api("GET", "/scheduler/nodes")).body.data.map(({ state }: { state: string }) => state).sort();
    await node(0).killDaemon();
    await eventually("the node is lost", async () => ((await states()).includes("lost") ? true : undefined), 30_000);
    await pipeline.advanced(before.epoch, 1);
    await node(0).start();
    expect(await node(0).status()).to.include({ workers: "1", free: "1" });
    expect(node(0).command("status"))
      .to.match(/running/)
      .and.to.include(String(own));
    expect(await node(0).metrics()).to.match(/^wadi_node_workers 1$/m);
    await eventually("it is back", async () => ((await states()).includes("lost") ? undefined : true), 30_000);
    const later = await pipeline.job();
    process.kill(cluster.controllerOfCluster(), "SIGKILL");
    await pipeline.advanced(later.epoch, 2);
    expect(nodes.flatMap((one) => one.workers)).to.deep.equal(workers);
    pipeline.expectMiddle();
    await pipeline.finish();
    expect((await pipeline.job()).run_id).to.equal(before.run_id);
    await eventually("the workers have ended", () => (nodes.every((one) => one.workers.length === 0) ? true : undefined), 30_000);
  });

  it("goes on on the other node when a machine is gone", async () => {
    const before = await running({ WADI__PIPELINE__WORKER_HEARTBEAT_TIMEOUT: "4s" });
    await node(0).killAll();
    const after = await pipeline.until("another run runs", (job) => job.state === "Running" && job.run_id > before.run_id, 90_000);
    expect(node(1).workers).to.have.length(2);
    await pipeline.advanced(after.epoch, 1);
    pipeline.expectMiddle();
    await pipeline.finish();
  });

  it("leaves a node that is drained, with a checkpoint, and the daemon ends when the machine is empty", async () => {
    const before = await running();
    const spare = await NodeProcess.of(cluster, "machine-c", 2);
    nodes.push(spare);
    await spare.start();
    expect(JSON.parse(node(0).command("drain", "--json"))).to.deep.equal({ draining: true, workers: 1 });
    await eventually("the node is empty", () => (node(0).workers.length === 0 ? true : undefined), 60_000);
    const after = await pipeline.until("another run runs", (job) => job.state === "Running" && job.run_id > before.run_id, 60_000);
    expect(after.epoch).to.be.at.least(before.epoch);
    expect(node(0).command("status")).to.include("draining");
    expect(await node(0).leave()).to.equal(0);
    await pipeline.advanced(after.epoch, 1);
    await pipeline.finish();
  });
});
