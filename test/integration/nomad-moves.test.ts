/**
 * Machines of Nomad that go: lost without a word, drained, or taken away after a notice. Several pipelines at once move from machine to machine;
 * every row is published once, and the times without output are printed. A drain or a notice moves all pipelines of its machine:
 * `WADI_NOMAD_MOVES=100` counts moves of pipelines, and makes as many by drains as by notices. `WADI_NOMAD_FIGURES=1` asserts the figures of
 * issue 4, which an idle machine shows.
 */
import { expect } from "chai";
import { kill, needsClusterBuild, TestCluster } from "../support/cluster-process.ts";
import { eventually } from "../support/eventually.ts";
import { FakeNomad } from "../support/nomad/fake-nomad.ts";
import { nomadEnvironment } from "../support/nomad-cluster.ts";
import { OutputWatch } from "../support/output-watch.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { type TickJob, TickPipeline } from "../support/tick-pipeline.ts";

const MOVES = Number(process.env["WADI_NOMAD_MOVES"] ?? 4);
const LOSSES = Number(process.env["WADI_NOMAD_LOSSES"] ?? 1);
const PIPELINES = Number(process.env["WADI_NOMAD_PIPELINES"] ?? 2);
const ROUNDS = Math.ceil(MOVES / PIPELINES);
const FIGURES = process.env["WADI_NOMAD_FIGURES"] !== undefined;
const GAP_LIMIT_MS = FIGURES ? 2_000 : 6_000;
const LOSS_LIMIT_MS = FIGURES ? 8_000 : 25_000;
const INTERVAL_MS = 1_000;
const PATIENCE_MS = 90_000;
/** As providers give: some two minutes, some half of one. */
const LONG_NOTICE_MS = 120_000;
const SHORT_NOTICE_MS = 30_000;
/** What notices a machine's notice drains it with so much less. */
const NOTICED_MS = 2_000;
/** A node has room for all pipelines at once. */
const NODE = { cpuMhz: 4_000 };
/** Several losses in a row are to be several first ones: a job that fails again and again takes longer and longer breaks. */
const FORGETFUL = LOSSES > 1 ? { WADI__PIPELINE__HEALTHY_DURATION: "1s" } : {};

describe("machines of Nomad that go", function () {
  this.timeout(240_000 + (ROUNDS * 2 + LOSSES) * 30_000);
  needsClusterBuild();
  let cluster: TestCluster;
  let nomad: FakeNomad;
  let pipelines: TickPipeline[];
  let watch: OutputWatch;

  before(async () => {
    nomad = await FakeNomad.start({ nodes: ["a", "b", "c"].map((name) => ({ name, ...NODE })) });
    cluster = await TestCluster.in(temporaryFolder("nomad-moves"));
    cluster.set(nomadEnvironment(cluster, nomad.address, { ...FORGETFUL, WADI__NOMAD__KILL_TIMEOUT: "30s" }));
    await cluster.start();
    pipelines = Array.from({ length: PIPELINES }, (_, index) => new TickPipeline(cluster, `numbers${index}`));
    for (const pipeline of pipelines) await pipeline.create(INTERVAL_MS);
    watch = new OutputWatch(pipelines);
  });

  afterEach(function () {
    if (this.currentTest?.state === "failed") process.stderr.write(`${cluster.said}\n${cluster.logs()}\n`);
  });

  after(async () => {
    watch.stop();
    await cluster.stop();
    cluster.killAll();
    await nomad.stop();
  });

  /** Allocations by the names of their nodes. */
  const placed = () => nomad.allocations().filter(({ ClientStatus }) => ClientStatus === "running" || ClientStatus === "pending");
  const on = (node: string) => placed().filter(({ NodeName }) => NodeName === node);

  const jobs = () => Promise.all(pipelines.map((pipeline) => pipeline.until("it runs", () => true)));

  /** The node with the most workers. */
  function fullest(): string {
    const names = placed().map(({ NodeName }) => NodeName);
    const count = (name: string) => names.filter((other) => other === name).length;
    return names.reduce((best, name) => (count(name) > count(best) ? name : best), names[0] ?? "");
  }

  /** Waits until those that were on the node have published twice since they moved. */
  async function settled(before: readonly TickJob[], moved: readonly number[]): Promise<void> {
    for (const index of moved) {
      const { run_id, epoch } = before[index] as TickJob;
      await pipelines[index]?.until("it has moved", (job) => job.run_id > run_id && job.epoch >= epoch + 3);
    }
  }

  /** Which pipelines have a worker on the node. */
  function pipelinesOn(node: string, states: readonly TickJob[]): readonly number[] {
    const ids = on(node).map(({ JobID }) => JobID);
    return states.flatMap(({ id }, index) => (ids.some((job) => job.includes(id)) ? [index] : []));
  }

  /** Does `harm` to the fullest node and waits until all is well again; the times without output of the pipelines that were on it. */
  async function move(harm: (node: string) => void): Promise<readonly number[]> {
    const before = await jobs();
    const node = fullest();
    const moved = pipelinesOn(node, before);
    expect(moved.length, "pipelines on the node").to.be.greaterThan(0);
    const sinceMs = performance.now();
    harm(node);
    await settled(before, moved);
    const gaps = moved.map((index) => watch.longestMs(index, sinceMs));
    await eventually("the node is empty", () => on(node).length === 0 || undefined, PATIENCE_MS);
    return gaps;
  }

  /** Tells the times, and holds them against the limit. */
  function judge(what: string, gaps: readonly number[]): void {
    const sorted = [...gaps].sort((a, b) => a - b);
    const at = (share: number) => Math.round(sorted[Math.ceil(sorted.length * share) - 1] ?? 0);
    expect(sorted.length).to.be.at.least(MOVES);
    process.stdout.write(`      ${sorted.length} ${what}: without output p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, longest ${at(1)} ms\n`);
    expect(at(0.99), "99th percentile").to.be.at.most(GAP_LIMIT_MS);
  }

  async function expectExact(): Promise<void> {
    for (const pipeline of pipelines) pipeline.expectEveryNumberOnce(100);
    for (const { restarts } of await jobs()) expect(restarts).to.equal(0);
    expect(nomad.notes).to.deep.equal([]);
  }

  it(`${ROUNDS} drains of a node with ${PIPELINES} pipelines: they move beside their running ones, every row once`, async () => {
    const gaps: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      let drained = "";
      gaps.push(
        ...(await move((node) => {
          drained = node;
          nomad.drain(node, { deadlineMs: 120_000 });
        })),
      );
      nomad.cancelDrain(drained);
    }
    await expectExact();
    judge("moves by drains", gaps);
  });

  it(`${ROUNDS} spot notices of a node with ${PIPELINES} pipelines, long and short ones: they are gone in time, every row once`, async () => {
    const gaps: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const noticeMs = round % 2 === 0 ? LONG_NOTICE_MS : SHORT_NOTICE_MS;
      const moved = await move((node) => {
        nomad.spotNotice(node, noticeMs);
        nomad.drain(node, { deadlineMs: noticeMs - NOTICED_MS });
        nomad.addNode({ name: `spot-${round}`, ...NODE });
      });
      gaps.push(...moved);
    }
    await expectExact();
    judge("moves by spot notices", gaps);
  });

  for (const silent of [false, true]) {
    const how = silent ? "falls silent with its connections open" : "dies with its processes";
    it(`a node that ${how}: its pipelines are on another one within seconds`, async () => {
      const times: number[] = [];
      for (let i = 0; i < LOSSES; i++) {
        const before = await jobs();
        const node = fullest();
        const lost = pipelinesOn(node, before);
        const pids = on(node).flatMap(({ ID }) => nomad.pids(ID));
        expect(pids).to.not.deep.equal([]);
        if (silent) for (const pid of pids) process.kill(pid, "SIGSTOP");
        const lostMs = performance.now();
        nomad.loseNode(node, silent ? "partitioned" : "killed");
        await settled(before, lost);
        times.push(...lost.map((index) => watch.longestMs(index, lostMs)));
        for (const pid of pids) kill(pid);
        nomad.addNode({ name: `next-${silent}-${i}`, ...NODE });
      }
      process.stdout.write(`      node lost → next row: ${times.map(Math.round).join(", ")} ms\n`);
      expect(Math.max(...times)).to.be.lessThan(LOSS_LIMIT_MS);
      for (const one of pipelines) one.expectEveryNumberOnce(100);
    });
  }
});
