/**
 * The whole system on Nomad: API, two controllers and workers are real processes, Nomad is the fake or, where NOMAD_ADDR is set, a real one as
 * well. Whatever happens to workers, nodes and controllers, the rows are exact.
 */
import { expect } from "chai";
import { kill, needsClusterBuild, TestCluster } from "../support/cluster-process.ts";
import { eventually } from "../support/eventually.ts";
import { FailurePipeline, type JobState } from "../support/failure-pipeline.ts";
import { FakeNomad } from "../support/nomad/fake-nomad.ts";
import { nomadEnvironment } from "../support/nomad-cluster.ts";
import { StandbyController } from "../support/standby-controller.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const READ_DELAY_MS = 1_000;

describe("a cluster on Nomad", function () {
  this.timeout(300_000);
  needsClusterBuild();
  let cluster: TestCluster;
  let pipeline: FailurePipeline;
  let nomad: FakeNomad | undefined;
  let standby: StandbyController | undefined;

  async function start(address: string, more: NodeJS.ProcessEnv = {}): Promise<void> {
    const folder = temporaryFolder("nomad");
    cluster = await TestCluster.in(folder, FailurePipeline.environment(folder));
    cluster.set(nomadEnvironment(cluster, address, more));
    standby = await StandbyController.of(cluster);
    pipeline = new FailurePipeline(cluster, 7);
    pipeline.slow(READ_DELAY_MS);
    await cluster.start();
  }

  afterEach(async function () {
    const failed = this.currentTest?.state === "failed";
    if (failed) process.stderr.write(`${cluster.said}\n${cluster.logs()}\n--- standby\n${standby?.said ?? ""}\n`);
    await cluster.stop();
    await standby?.stop();
    cluster.killAll();
    await nomad?.stop();
    nomad = undefined;
    standby = undefined;
  });

  /** The run after `before` runs and has completed an epoch. */
  async function movedOn(before: JobState): Promise<JobState> {
    const after = await pipeline.until("another run runs", (job) => job.state === "Running" && job.run_id > before.run_id, 90_000);
    return await pipeline.advanced(after.epoch, 1);
  }

  it("goes through start, want of capacity, a crash, a drain, a failover and the end with exact rows", async () => {
    nomad = await FakeNomad.start({ nodes: [{ name: "one", cpuMhz: 150 }] });
    const fake = nomad;
    const alive = () => fake.allocations().filter(({ ClientStatus }) => ClientStatus === "running" || ClientStatus === "pending");
    await start(nomad.address);
    await standby?.start();

    // One of two workers fits: nothing is started, the job waits and says why.
    await pipeline.create(2);
    await pipeline.until("it waits for capacity", (job) => job.state !== "Created" && job.state !== "Compiling", 90_000);
    await eventually("it was planned", () => [...fake.requests.keys()].some((call) => call.endsWith("/plan")) || undefined, 60_000);
    expect((await pipeline.job()).state).to.not.equal("Running");
    expect(alive()).to.deep.equal([]);
    nomad.addNode({ name: "two", cpuMhz: 350 });
    const first = await pipeline.advanced(0, 1);
    expect(alive()).to.have.length(2);

    // A worker crashes: Nomad does not replace it, the controller starts another run.
    const [victim] = alive();
    for (const pid of fake.pids(victim?.ID ?? "")) kill(pid);
    const second = await movedOn(first);
    pipeline.expectMiddle();

    // A node is drained: its workers leave it with a checkpoint.
    nomad.addNode({ name: "three", cpuMhz: 350 });
    nomad.drain("two", { deadlineMs: 120_000 });
    const third = await movedOn(second);
    await eventually("the node is empty", () => alive().every(({ NodeName }) => NodeName !== "two") || undefined, 60_000);
    expect(third.restarts).to.equal(second.restarts);
    pipeline.expectMiddle();

    // The leader dies: the standby takes over, and no worker is started again.
    const workers = alive().map(({ ID }) => ID);
    const leader = cluster.controllerOfCluster();
    // The supervisor would start it again at once, and it might come first.
    process.kill(leader, "SIGSTOP");
    await eventually("the standby leads", async () => ((await standby?.leads()) === true ? true : undefined), 30_000);
    kill(leader);
    await pipeline.advanced((await pipeline.job()).epoch, 2);
    expect(alive().map(({ ID }) => ID)).to.have.members(workers);
    expect((await pipeline.job()).run_id).to.equal(third.run_id);

    // An operator wants a checkpoint, with Nomad's own tools.
    const before = await pipeline.job();
    const { output, code } = await fake.runAction(alive()[0]?.ID ?? "", "worker", "checkpoint");
    expect(output).to.match(/^epoch \d+ is complete, after \d+ ms\n/);
    expect(code).to.equal(0);
    expect(Number(/\d+/.exec(output)?.[0])).to.be.greaterThan(before.epoch);

    await pipeline.finish();
    await eventually("no worker is left", () => alive().length === 0 || undefined, 60_000);
    expect(fake.notes).to.deep.equal([]);
  });

  const { NOMAD_ADDR: address = "" } = process.env;
  const real = "on a real Nomad a worker that is killed is replaced and no row is lost or repeated";
  (address === "" ? it.skip : it)(address === "" ? `${real} [set NOMAD_ADDR]` : real, async () => {
    await start(address);
    await pipeline.create(2);
    const before = await pipeline.advanced(0, 1);
    kill(cluster.pids("worker")[0] as number);
    await movedOn(before);
    await pipeline.finish();
  });
});
