/**
 * Moving a run off its machine: workers are told to leave, the next ones come up beside them, and the output hardly pauses; and what becomes
 * of it when something dies in between. Every row is published once. Real processes, the build in `dist/`. `WADI_DRAINS=20` for more moves;
 * the times without output are printed.
 */
import { expect } from "chai";
import { kill, needsClusterBuild, TestCluster } from "../support/cluster-process.ts";
import { eventually } from "../support/eventually.ts";
import { FakeNomad } from "../support/nomad/fake-nomad.ts";
import { nomadEnvironment } from "../support/nomad-cluster.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { TickPipeline } from "../support/tick-pipeline.ts";

const DRAINS = Number(process.env["WADI_DRAINS"] ?? 3);
const INTERVAL_MS = 1_000;
/** Without output. An idle machine needs a tenth of it; one with other work takes longer. */
const GAP_LIMIT_MS = Number(process.env["WADI_GAP_LIMIT"] ?? 6_000);

describe("a run whose workers are told to leave", function () {
  this.timeout(90_000 + DRAINS * 15_000);
  needsClusterBuild();
  let cluster: TestCluster;
  let pipeline: TickPipeline;

  async function start(settings: NodeJS.ProcessEnv = {}): Promise<void> {
    cluster = await TestCluster.in(temporaryFolder("drains"), settings);
    await cluster.start();
    pipeline = new TickPipeline(cluster);
    await pipeline.create(INTERVAL_MS);
  }

  function worker(): number {
    const [pid, ...more] = cluster.pids("worker");
    expect(more).to.deep.equal([]);
    return pid as number;
  }

  function gone(pid: number): Promise<boolean> {
    return eventually("the old worker has ended", () => (cluster.pids("worker").includes(pid) ? undefined : true), 30_000);
  }

  /** Tells the worker to leave, as a machine does that drains; milliseconds without output. */
  async function drain(): Promise<number> {
    const pid = worker();
    const gapMs = await pipeline.gapOf(() => void process.kill(pid, "SIGTERM"));
    await gone(pid);
    return Math.round(gapMs);
  }

  /** The worker that comes up beside `pid`. */
  function prepared(pid: number): Promise<number> {
    return eventually("another worker comes up", () => cluster.pids("worker").find((other) => other !== pid), 30_000);
  }

  function tell(...gapsMs: readonly number[]): void {
    process.stdout.write(`      longest time without output: ${gapsMs.map(Math.round).join(", ")} ms\n`);
  }

  async function restarts(): Promise<number> {
    return (await pipeline.until("it runs", () => true)).restarts;
  }

  afterEach(async function () {
    const failed = this.currentTest?.state === "failed";
    if (failed) process.stderr.write(`${cluster.said}\n${cluster.logs()}\n`);
    else expect(await cluster.stop()).to.equal(0);
    const left = cluster.processes();
    cluster.killAll();
    if (!failed) expect(left, "processes left").to.deep.equal([]);
  });

  it(`moves ${DRAINS} times beside the running one, every row once`, async () => {
    await start();
    const gaps: number[] = [];
    for (let i = 0; i < DRAINS; i++) gaps.push(await drain());
    gaps.sort((a, b) => a - b);
    tell(...gaps);
    expect(gaps.at(-1)).to.be.lessThan(GAP_LIMIT_MS);
    expect(await restarts()).to.equal(0);
    expect(await pipeline.timeline()).to.include("run-prepared");
    pipeline.expectEveryNumberOnce(DRAINS * 100);
  });

  it("takes a checkpoint and moves then where there is no slot for another worker", async () => {
    await start({ WADI__PROCESS__SLOTS: "1" });
    tell(await drain());
    expect(await restarts()).to.equal(0);
    expect(await pipeline.timeline()).to.include("prepare-failed");
    pipeline.expectEveryNumberOnce(100);
  });

  it("takes a checkpoint and moves then when the worker that comes up is killed", async () => {
    await start();
    const pid = worker();
    const gapMs = await pipeline.gapOf(async () => {
      process.kill(pid, "SIGTERM");
      kill(await prepared(pid));
    });
    tell(gapMs);
    await gone(pid);
    expect(await restarts()).to.equal(0);
    pipeline.expectEveryNumberOnce(100);
  });

  it("recovers with the worker that comes up when the running one is killed", async () => {
    await start();
    const pid = worker();
    let next = 0;
    const gapMs = await pipeline.gapOf(async () => {
      process.kill(pid, "SIGTERM");
      next = await prepared(pid);
      kill(pid);
    });
    tell(gapMs);
    expect(worker()).to.equal(next);
    pipeline.expectEveryNumberOnce(100);
  });

  it("moves beside the running one from one node of Nomad to another when nodes drain (fake Nomad)", async () => {
    const nomad = await FakeNomad.start({ nodes: [{ name: "one" }, { name: "two" }] });
    try {
      cluster = await TestCluster.in(temporaryFolder("drains"));
      cluster.set(nomadEnvironment(cluster, nomad.address, { WADI__NOMAD__KILL_TIMEOUT: "30s" }));
      await cluster.start();
      pipeline = new TickPipeline(cluster);
      await pipeline.create(INTERVAL_MS);
      const nodes = () => nomad.allocations().flatMap(({ ClientStatus, NodeName }) => (ClientStatus === "running" ? [NodeName] : []));
      for (let i = 0; i < 2; i++) {
        const [from = ""] = nodes();
        tell(await pipeline.gapOf(() => nomad.drain(from, { deadlineMs: 60_000 })));
        await eventually("the node is empty", () => (nodes().includes(from) ? undefined : true), 30_000);
        nomad.cancelDrain(from);
      }
      expect(await restarts()).to.equal(0);
      expect((await pipeline.timeline()).filter((kind) => kind === "run-prepared").length).to.equal(2);
      pipeline.expectEveryNumberOnce(200);
    } finally {
      await cluster.stop();
      await nomad.stop();
    }
  });

  it("is moved by the next controller when this one is killed while the next worker comes up", async () => {
    await start();
    const pid = worker();
    const gapMs = await pipeline.gapOf(async () => {
      process.kill(pid, "SIGTERM");
      await prepared(pid);
      kill(cluster.controllerOfCluster());
    });
    tell(gapMs);
    await gone(pid);
    expect(await restarts()).to.equal(0);
    pipeline.expectEveryNumberOnce(100);
  });
});
