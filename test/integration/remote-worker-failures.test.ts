/** Worker processes and controllers that go away, come back, or are not who they say. */
import { readFileSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { expect } from "chai";
import { Prng } from "../../src/core/prng.ts";
import { fencedOut, leaderMoved } from "../../src/rpc/refusal.ts";
import { CuttingProxy } from "../support/cutting-proxy.ts";
import { compileScript } from "../support/script-artifact.ts";
import { ScriptedController, ScriptedRun, type TestArtifact } from "../support/scripted-controller.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { killSpawnedWorkers, type SpawnedWorker, spawnWorker } from "../support/worker-spawner.ts";

const THROTTLED = {
  WADI_TEST_CONNECTORS: new URL("../support/throttled-connectors.ts", import.meta.url).href,
  WADI_TEST_READ_DELAY_MS: "50",
};
const ROWS = 40_000;

describe("a worker process and failures", function () {
  this.timeout(180_000);
  const folder = temporaryFolder("worker-failures");
  let artifact: TestArtifact;
  let controllers: ScriptedController[];
  let tests = 0;

  before(async () => {
    writeFileSync(join(folder, "in.json"), Array.from({ length: ROWS }, (_, i) => `{"k":${i}}\n`).join(""));
  });

  beforeEach(async () => {
    tests += 1;
    controllers = [];
    artifact = await compileScript(`
      CREATE TABLE input (k BIGINT) WITH (connector = 'single_file', path = '${join(folder, "in.json")}', format = 'json', type = 'source');
      CREATE TABLE output (k BIGINT) WITH (connector = 'single_file', path = '${output()}', format = 'json', type = 'sink');
      INSERT INTO output SELECT k FROM input;`);
  });

  afterEach(async () => {
    killSpawnedWorkers();
    for (const controller of controllers) await controller.close();
  });

  const output = (): string => join(folder, `out-${tests}.json`);
  const store = (): string => join(folder, `state-${tests}`);

  async function controllerOf(token?: string): Promise<ScriptedController> {
    const controller = new ScriptedController(undefined, token);
    await controller.listen();
    controllers.push(controller);
    return controller;
  }

  const spawn = (
    controller: ScriptedController,
    env: Readonly<Record<string, string>> = THROTTLED,
    token = controller.token,
  ): SpawnedWorker =>
    spawnWorker({ id: "wk_a", fence: controller.fence, endpoints: controllers.map(({ endpoint }) => endpoint), token, env });

  async function running(controller: ScriptedController, settings = {}): Promise<ScriptedRun> {
    await controller.workers(1);
    const run = await ScriptedRun.open(controller, { artifact, store: store(), parallelism: 1, settings });
    run.assign();
    await run.start();
    await controller.until("rows", () => rowsRead(controller) > 0);
    return run;
  }

  function rowsRead(controller: ScriptedController): number {
    return Number(controller.said("heartbeat").at(-1)?.slots[0]?.rowsRead ?? 0n);
  }

  it("registers with another controller when its own dies, says what it is doing, and is led to its end", async () => {
    const first = await controllerOf();
    const second = await controllerOf(first.token);
    second.leaderEpoch = 2n;
    const refused = leaderMoved(first.endpoint, [first.endpoint, second.endpoint]);
    second.admit = () => {
      throw refused;
    };
    const worker = spawn(first);
    const run = await running(first);
    run.trigger(1);
    await run.complete(1);
    run.trigger(2);
    // Reports of an epoch that the first controller does not complete any more.
    await first.until("reports of epoch 2", () => run.reports(2).length === artifact.program.vertices.length);
    second.admit = undefined;
    second.epochComplete = 1n;
    await first.close();
    const resumed = await ScriptedRun.open(second, { artifact, store: store(), parallelism: 1 });
    await second.workers(1);
    const resumption = second.registered.at(-1)?.resumption;
    expect(resumption).to.deep.include({
      worker: 0,
      startedEpoch: 2n,
      completeEpoch: 1n,
      committedEpoch: 1n,
      readySubtasks: [0],
      running: true,
      paused: false,
    });
    // A new leader says again what it cannot know to have been heard: it changes nothing.
    resumed.assign();
    second.tell({ $case: "runSlots", value: {} });
    await resumed.complete(2);
    await resumed.commit(1, []);
    await resumed.finish(3);
    expect(await worker.exited, worker.log()).to.equal(0);
    expect(readFileSync(output(), "utf8").trim().split("\n")).to.have.length(ROWS);
  });

  it("pauses its sources while no controller answers, and goes on when one is back", async () => {
    const controller = await controllerOf();
    const worker = spawn(controller);
    const run = await running(controller, { controllerAbsenceLimitMs: 500 });
    controller.renew(false);
    await controller.until("the pause", () => worker.log().includes("sources are paused"));
    // A chunk that was being read may still come.
    const paused = await controller.until("standstill", () => {
      const [before, now] = controller
        .said("heartbeat")
        .slice(-5)
        .map(({ slots }) => slots[0]?.rowsRead)
        .filter((_, i) => i === 0 || i === 4);
      return now !== undefined && before === now && Number(now);
    });
    expect(paused).to.be.lessThan(ROWS);
    controller.renew(true);
    await run.finish(1);
    expect(await worker.exited, worker.log()).to.equal(0);
    expect(worker.log()).to.include("sources go on");
    expect(readFileSync(output(), "utf8").trim().split("\n")).to.have.length(ROWS);
  });

  it("ends itself with code 4 when nobody renews its lease", async () => {
    const controller = await controllerOf();
    controller.leaseMs = 300;
    const worker = spawn(controller);
    await running(controller, { controllerAbsenceLimitMs: 200, orphanTimeoutMs: 600 });
    await controller.close();
    expect(await worker.exited, worker.log()).to.equal(4);
  });

  it("ends itself with code 4 when no controller ever answers", async () => {
    const silent = createServer();
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    const { port } = silent.address() as { port: number };
    const token = "token";
    const fence = { jobId: "job_test", runId: "run_1", fence: 1n };
    const env = { WADI__WORKER__ORPHAN_TIMEOUT: "1s" };
    const worker = spawnWorker({ id: "wk_a", fence, endpoints: [`127.0.0.1:${port}`], token, env });
    expect(await worker.exited, worker.log()).to.equal(4);
    silent.close();
  });

  it("says on SIGTERM that it has to leave, and obeys the controller's stop", async () => {
    const controller = await controllerOf();
    const worker = spawn(controller);
    const run = await running(controller);
    worker.process.kill("SIGTERM");
    const notice = await controller.until("the notice", () => controller.said("leave")[0]);
    expect(notice.reason).to.equal("SIGTERM");
    run.trigger(1, true);
    await run.complete(1);
    controller.tell({ $case: "stop", value: { mode: "checkpoint", deadlineMs: 10_000 } });
    expect(await worker.exited, worker.log()).to.equal(0);
  });

  it("ends at once on SIGTERM while it has no assignment", async () => {
    const controller = await controllerOf();
    const worker = spawn(controller);
    await controller.workers(1);
    worker.process.kill("SIGTERM");
    expect(await worker.exited).to.equal(0);
  });

  it("ends with code 3 for a wrong token, and writes it nowhere", async () => {
    const controller = await controllerOf();
    const worker = spawn(controller, {}, "a-guessed-token");
    expect(await worker.exited).to.equal(3);
    expect(worker.log()).to.include("has a wrong run token");
    expect(worker.log() + worker.stderr()).to.not.include("a-guessed-token");
    expect(controller.heard).to.deep.equal([]);
  });

  it("ends with code 3 when another run counts: refused, or fenced in the middle", async () => {
    const controller = await controllerOf();
    controller.admit = () => {
      throw fencedOut(2n, "run 2 counts");
    };
    const late = spawn(controller);
    expect(await late.exited).to.equal(3);
    controller.admit = undefined;
    const worker = spawn(controller);
    const run = await running(controller);
    run.trigger(1);
    await controller.until("reports", () => run.reports(1).length === artifact.program.vertices.length);
    const { answer } = fencedOut(2n, "run 2 counts");
    controller.tell(answer);
    expect(await worker.exited, worker.log()).to.equal(3);
    expect(controller.said("committed")).to.deep.equal([]);
  });

  it("refuses an assignment of another build in words", async () => {
    const controller = await controllerOf();
    const worker = spawn(controller);
    await controller.workers(1);
    const run = await ScriptedRun.open(controller, { artifact, store: store(), parallelism: 1, abiVersion: 77 });
    run.assign();
    const failed = await controller.until("the failure", () => controller.said("failed")[0]);
    expect(failed.error).to.include({ code: "version-mismatch", message: "the module has format version 77, this worker reads version 1" });
    expect(await worker.exited).to.equal(1);
  });

  it("keeps its word that it failed until a controller has heard it", async () => {
    writeFileSync(join(folder, "bad.json"), '{"k":1}\n{"k":"x"}\n');
    const first = await controllerOf();
    const second = await controllerOf(first.token);
    artifact = await compileScript(`
      CREATE TABLE input (k BIGINT) WITH (connector = 'single_file', path = '${join(folder, "bad.json")}', format = 'json', type = 'source');
      CREATE TABLE output (k BIGINT) WITH (connector = 'single_file', path = '${output()}', format = 'json', type = 'sink');
      INSERT INTO output SELECT k FROM input;`);
    const moved = leaderMoved("", [first.endpoint, second.endpoint]);
    second.admit = () => {
      throw moved;
    };
    const worker = spawn(first, {});
    await first.workers(1);
    const run = await ScriptedRun.open(first, { artifact, store: store(), parallelism: 1 });
    run.assign();
    await first.until("readiness", () => first.said("slotReady").length === 1);
    first.tell({ $case: "runSlots", value: {} });
    await first.close();
    await second.until("attempts", () => second.registered.length >= 2);
    second.admit = undefined;
    const failed = await second.until("the failure", () => second.said("failed")[0] ?? first.said("failed")[0]);
    expect(failed.error).to.include({ code: "bad-data" });
    expect(await worker.exited).to.equal(1);
  });

  it("loses nothing and does nothing twice while its connection breaks again and again", async () => {
    const controller = await controllerOf();
    const proxy = new CuttingProxy(Number(controller.endpoint.split(":")[1]), new Prng(7));
    const port = await proxy.listen();
    const { fence, token } = controller;
    controller.endpoint = `127.0.0.1:${port}`;
    const worker = spawnWorker({ id: "wk_a", fence, endpoints: [controller.endpoint], token, env: THROTTLED });
    try {
      const run = await running(controller);
      proxy.cutting = true;
      let epoch = 0;
      while (proxy.cuts < 6) {
        epoch += 1;
        const trigger = { $case: "triggerBarrier", value: { epoch: BigInt(epoch), thenStop: false } } as const;
        controller.retell = () => [trigger];
        controller.tell(trigger);
        const reports = await controller.until(`reports of epoch ${epoch}`, () => {
          const found = run.reports(epoch);
          return found.length === artifact.program.vertices.length && found;
        });
        const staged = reports.flatMap(({ vertex, subtask, sink }) =>
          sink?.commit === undefined ? [] : [{ vertex, subtask, commit: JSON.stringify(sink.commit) }],
        );
        const commit = { $case: "commit", value: { epoch: BigInt(epoch), staged } } as const;
        controller.retell = () => [commit];
        await run.complete(epoch);
      }
      proxy.cutting = false;
      controller.retell = () => [];
      await controller.until("a stream", () => controller.sessions.size === 1);
      await run.finish(epoch + 1);
      expect(await worker.exited, worker.log()).to.equal(0);
      expect(controller.registered.filter(({ resumption }) => resumption !== undefined).length).to.be.greaterThan(3);
      const rows = readFileSync(output(), "utf8").trim().split("\n");
      expect(rows).to.have.length(ROWS);
      expect(new Set(rows).size).to.equal(ROWS);
    } finally {
      proxy.close();
    }
  });

  it("ends, and says why, where one of its ports is taken", async () => {
    const controller = await controllerOf();
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
    const { port } = taken.address() as AddressInfo;
    try {
      for (const which of ["WADI_ADMIN", "WADI_DATA"]) {
        const worker = spawn(controller, { [`${which}_HOST`]: "127.0.0.1", [`${which}_PORT`]: String(port) });
        expect(await worker.exited, which).to.equal(1);
        expect(worker.stderr()).to.include(`port ${port} of 127.0.0.1 is taken`);
      }
    } finally {
      taken.close();
    }
  });
});
