/**
 * Moving a run off its machine: workers are told to leave, the next ones come up beside them, and the output hardly pauses. Every row is
 * published once. Real processes, the build in `dist/`. `WADI_DRAINS=20` for more moves; the times without output are printed.
 */
import { expect } from "chai";
import { needsClusterBuild } from "../support/cluster-process.ts";
import { DrainStage, tellGaps } from "../support/drain-stage.ts";
import { eventually } from "../support/eventually.ts";
import { FakeNomad } from "../support/nomad/fake-nomad.ts";
import { nomadEnvironment } from "../support/nomad-cluster.ts";

const DRAINS = Number(process.env["WADI_DRAINS"] ?? 3);
/** Without output. An idle machine needs a tenth of it; one with other work takes longer. */
const GAP_LIMIT_MS = Number(process.env["WADI_GAP_LIMIT"] ?? 6_000);

describe("a run whose workers are told to leave", function () {
  this.timeout(90_000 + DRAINS * 15_000);
  needsClusterBuild();
  let stage: DrainStage | undefined;
  let nomad: FakeNomad | undefined;

  afterEach(async function () {
    await stage?.end(this.currentTest?.state === "failed");
    stage = undefined;
    await nomad?.stop();
    nomad = undefined;
  });

  it(`moves ${DRAINS} times beside the running one`, async () => {
    stage = await DrainStage.start();
    const gaps: number[] = [];
    for (let i = 0; i < DRAINS; i++) gaps.push(await stage.drain());
    gaps.sort((a, b) => a - b);
    tellGaps(...gaps);
    expect(gaps.at(-1)).to.be.lessThan(GAP_LIMIT_MS);
    expect(await stage.restarts()).to.equal(0);
    expect(await stage.pipeline.timeline()).to.include("run-prepared");
    stage.pipeline.expectEveryNumberOnce(DRAINS * 100);
  });

  it("takes a checkpoint and moves then where there is no slot for another worker", async () => {
    stage = await DrainStage.start(() => ({ WADI__PROCESS__SLOTS: "1" }));
    tellGaps(await stage.drain());
    expect(await stage.restarts()).to.equal(0);
    expect(await stage.pipeline.timeline()).to.include("prepare-failed");
    stage.pipeline.expectEveryNumberOnce(100);
  });

  it("moves beside the running one from node to node when nodes of Nomad drain", async () => {
    const fake = await FakeNomad.start({ nodes: [{ name: "one" }, { name: "two" }] });
    nomad = fake;
    stage = await DrainStage.start((cluster) => nomadEnvironment(cluster, fake.address, { WADI__NOMAD__KILL_TIMEOUT: "30s" }));
    const nodes = () => fake.allocations().flatMap(({ ClientStatus, NodeName }) => (ClientStatus === "running" ? [NodeName] : []));
    for (let i = 0; i < 2; i++) {
      const [from = ""] = nodes();
      tellGaps(await stage.pipeline.gapOf(() => fake.drain(from, { deadlineMs: 60_000 })));
      await eventually("the node is empty", () => (nodes().includes(from) ? undefined : true), 30_000);
      fake.cancelDrain(from);
    }
    expect(await stage.restarts()).to.equal(0);
    expect((await stage.pipeline.timeline()).filter((kind) => kind === "run-prepared").length).to.equal(2);
    stage.pipeline.expectEveryNumberOnce(200);
  });
});
