/** What the node scheduler and its daemons do beyond the contract: nodes that vanish, come back, drain, and controllers that take turns. */
import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { systemClock } from "../../src/core/clock.ts";
import type { JobId } from "../../src/core/ids.ts";
import { DaemonClient } from "../../src/rpc/node-client.ts";
import { identityOf, isRunning } from "../../src/scheduler/process/processes.ts";
import type { SchedulerEvent, WorkerView } from "../../src/scheduler/scheduler.ts";
import { eventually } from "../support/eventually.ts";
import { NodeStage } from "../support/node-stage.ts";
import { rejection } from "../support/rejection.ts";
import { sampleSpec } from "../support/scheduler-conformance.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const FORCE = { kind: "force" } as const;

describe("node scheduler", function () {
  this.timeout(30_000);
  let stage: NodeStage;
  beforeEach(() => {
    stage = new NodeStage();
  });
  afterEach(() => stage.close());

  const only = <K extends SchedulerEvent["kind"]>(kind: K) =>
    stage.events.filter((event): event is Extract<SchedulerEvent, { kind: K }> => event.kind === kind);
  const node = (index: number) => stage.nodes[index] ?? expect.fail("no such node");
  const daemonOf = (index: number, token = "a-node-token") =>
    new DaemonClient(`127.0.0.1:${node(index).port}`, { token, release: "test", clock: systemClock });
  const on = (workers: readonly WorkerView[], index: number) => workers.find((one) => one.node === node(index).id) ?? expect.fail("none");

  it("calls workers of a silent node lost, and finds them again when its daemon is back", async () => {
    const scheduler = await stage.open();
    await scheduler.startWorkers(sampleSpec(4));
    const workers = await scheduler.listWorkers(sampleSpec(4).job);
    const lost = on(workers, 0);
    const id = node(0).id;
    await node(0).kill();
    const phase = async () => (await scheduler.listWorkers(lost.job)).find(({ handle }) => handle === lost.handle)?.phase;
    await eventually("it is lost", async () => ((await phase()) === "lost" ? true : undefined));
    expect(only("told").some(({ handle, message }) => handle === lost.handle && /has not been heard of/.test(message))).to.equal(true);
    expect((await scheduler.view()).nodes.find((one) => one.id === id)?.state).to.equal("lost");
    // What is lost is not replaced, and what is left of the cluster is all there is.
    expect(await scheduler.startWorkers(sampleSpec(8, 1n, "job_other" as JobId))).to.include({ kind: "not-enough-slots", available: 4 });
    await node(0).start();
    await eventually("it runs again", async () => ((await phase()) === "running" ? true : undefined));
    expect(node(0).id).to.equal(id);
    expect(isRunning(identityOf(stage.pid(lost) ?? 0))).to.equal(true);
  });

  it("hears of a worker that ended while its daemon was away", async () => {
    const scheduler = await stage.open();
    await scheduler.startWorkers(sampleSpec(4));
    const victim = on(await scheduler.listWorkers(sampleSpec(4).job), 0);
    await node(0).kill();
    process.kill(stage.pid(victim) ?? 0, "SIGKILL");
    await node(0).start();
    const exits = () => only("worker").filter(({ worker }) => worker.handle === victim.handle && worker.phase === "exited");
    await eventually("its end is told", () => exits().length > 0 || undefined);
    expect(exits()).to.have.length(1);
    // A daemon that is started again does not tell it again.
    await node(0).kill();
    await node(0).start();
    await stage.heard(2);
    expect(exits()).to.have.length(1);
  });

  it("takes workers of a stopped run on a lost node for gone after their lease, and ends them when the node is back", async () => {
    const scheduler = await stage.open();
    await scheduler.startWorkers(sampleSpec(4));
    const stray = on(await scheduler.listWorkers(sampleSpec(4).job), 0);
    const process = identityOf(stage.pid(stray) ?? 0);
    await node(0).kill();
    await scheduler.stopWorkers(sampleSpec(4), FORCE);
    const left = async () => (await scheduler.listWorkers(stray.job)).filter(({ phase }) => phase !== "exited");
    await eventually("all are gone", async () => ((await left()).length === 0 ? true : undefined));
    expect(isRunning(process)).to.equal(true);
    await node(0).start();
    await eventually("the stray has ended", () => (isRunning(process) ? undefined : true));
  });

  it("places nothing on a node that drains, and tells which runs have to leave", async () => {
    const scheduler = await stage.open();
    await scheduler.startWorkers(sampleSpec(4));
    const daemon = daemonOf(0);
    expect((await daemon.drain({ deadlineMs: 60_000, cancel: false })).workers).to.equal(1);
    await eventually("the drain is told", () => only("drain").length > 0 || undefined);
    const [told] = only("drain");
    expect(told?.node).to.equal(node(0).id);
    expect(told?.runs).to.deep.equal([{ job: sampleSpec(4).job, run: sampleSpec(4).run, fence: 1n }]);
    expect(told?.deadlineMs).to.be.within(50_000, 60_000);
    await scheduler.startWorkers(sampleSpec(4, 2n));
    const young = await scheduler.listWorkers(sampleSpec(4).job, sampleSpec(4, 2n).run);
    expect(new Set(young.map((worker) => worker.node))).to.deep.equal(new Set([node(1).id]));
    const plan = await scheduler.plan(sampleSpec(8, 1n, "job_other" as JobId));
    expect(plan.reason).to.equal("8 slots are needed and 0 are free on 1 node (besides 1 draining)");
    await daemon.drain({ deadlineMs: 0, cancel: true });
    await eventually(
      "it takes workers again",
      async () => (await scheduler.view()).nodes.every(({ state }) => state === "ready") || undefined,
    );
    expect(only("drain")).to.have.length(1);
    daemon.close();
  });

  it("kills workers that have not left when the deadline of a drain is over", async () => {
    const scheduler = await stage.open();
    await scheduler.startWorkers(sampleSpec(4));
    const daemon = daemonOf(0);
    await daemon.drain({ deadlineMs: 300, cancel: false });
    const victim = on(await scheduler.listWorkers(sampleSpec(4).job), 0);
    const now = async () => (await scheduler.listWorkers(victim.job)).find(({ handle }) => handle === victim.handle);
    await eventually("it is killed", async () => ((await now())?.phase === "exited" ? true : undefined));
    expect((await now())?.exit?.reason).to.equal("killed by the scheduler");
    daemon.close();
  });

  it("obeys no leader that has been superseded", async () => {
    const old = await stage.open();
    await stage.open();
    await stage.heard(2);
    const daemon = daemonOf(0);
    const stop = () => daemon.stop({ fence: undefined, leaderEpoch: 1n, workerId: "wk_1", force: true, deadlineMs: 0 });
    await eventually("the new leader is known", () =>
      stop().then(
        () => undefined,
        () => true,
      ),
    );
    await rejection(stop(), "fenced");
    daemon.close();
    await old.shutdown();
  });

  it("starts a worker once however often it is asked to, also after its end", async () => {
    await stage.open();
    const daemon = daemonOf(0);
    const start = () =>
      daemon.start({
        fence: { jobId: "job_1", runId: "run_1", fence: 1n },
        leaderEpoch: 1n,
        workerId: "wk_1",
        slots: 2,
        controllerEndpoints: ["127.0.0.1:1"],
        runToken: "secret",
        environment: {},
        memoryLimitBytes: 0n,
        artifactHash: "",
        artifactStoreUrl: "",
        controllerCa: "",
        build: "",
      });
    const [first, second] = await Promise.all([start(), start()]);
    expect(second.worker?.pid).to.equal(first.worker?.pid);
    // A worker that is in no book is ended by the controller.
    await eventually("it has ended", async () => ((await start()).worker?.exit === undefined ? undefined : true));
    expect((await daemon.list()).freeSlots).to.equal(6);
    daemon.close();
  });

  it("talks to nobody without the token of the cluster", async () => {
    await stage.open();
    const stranger = daemonOf(0, "a-guess");
    await rejection(stranger.list(), "permission-denied");
    stranger.close();
    await stage.close();
    stage = new NodeStage(1, "a-guess");
    const scheduler = await stage.open();
    await eventually("the node tries", () => stage.nodes[0]?.daemon?.status["controller"] === "" || undefined);
    expect((await scheduler.view()).nodes).to.deep.equal([]);
  });

  it("starts nothing that could not be written down, and starts it once the database is back", async () => {
    const scheduler = await stage.open();
    stage.store.away = true;
    await rejection(scheduler.startWorkers(sampleSpec(4)), "connection-lost");
    expect(await scheduler.listWorkers(sampleSpec(4).job)).to.deep.equal([]);
    await eventually("it is shown", async () => ((await scheduler.view()).link === "live" ? true : undefined));
    stage.store.away = false;
    expect(await scheduler.startWorkers(sampleSpec(4))).to.deep.equal({ kind: "accepted", workers: 2 });
  });

  it("asks a node again that did not answer, and says meanwhile what is missing", async () => {
    const scheduler = await stage.open();
    await node(0).kill();
    const starting = scheduler.startWorkers(sampleSpec(4));
    await starting;
    await eventually("it is said", () => only("placement").some(({ missing }) => missing === 1) || undefined);
    expect(only("placement")[0]?.reason).to.match(/did not start it/);
    // The daemon is back on another port before the lease is over, or the worker is given up with a reason.
    await node(0).start();
    await eventually("it is settled", async () => {
      const workers = await scheduler.listWorkers(sampleSpec(4).job);
      return workers.every(({ phase }) => phase === "running" || phase === "exited") || undefined;
    });
  });

  it("fetches the artifact of a worker ahead, and prefers a node that has it", async () => {
    await stage.open();
    const store = temporaryFolder("artifacts");
    const wasm = new Uint8Array([0, 97, 115, 109]);
    mkdirSync(join(store, "artifacts"));
    writeFileSync(join(store, "artifacts", "ab.wasm"), wasm);
    const checksum = createHash("sha256").update(wasm).digest("hex");
    writeFileSync(join(store, "artifacts", "ab.json"), JSON.stringify({ checksum }));
    const scheduler = await stage.open({ artifactUrl: store });
    await scheduler.startWorkers({ ...sampleSpec(1), artifact: "ab" });
    const artifacts = async () => (await scheduler.view()).nodes.map(({ attributes }) => attributes["artifacts"]);
    await eventually("a node has it", async () => ((await artifacts()).includes("1") ? true : undefined));
    const [first] = await scheduler.listWorkers(sampleSpec(1).job);
    await scheduler.stopWorkers(sampleSpec(1), FORCE);
    await stage.settle();
    await scheduler.startWorkers({ ...sampleSpec(1, 2n), artifact: "ab" });
    const [second] = await scheduler.listWorkers(sampleSpec(1).job, sampleSpec(1, 2n).run);
    expect(second?.node).to.equal(first?.node);
  });
});
