/** Real worker processes under a scripted controller. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { eventually } from "../support/eventually.ts";
import { compileScript } from "../support/script-artifact.ts";
import { ScriptedController, ScriptedRun, type TestArtifact, type TestAssignment } from "../support/scripted-controller.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { killSpawnedWorkers, type SpawnedWorker, spawnWorker } from "../support/worker-spawner.ts";

const ROWS = 40_000;
const KEYS = 17;
const THROTTLED = {
  WADI_TEST_CONNECTORS: new URL("../support/throttled-connectors.ts", import.meta.url).href,
  WADI_TEST_READ_DELAY_MS: "20",
};

/** Sums of v by k. */
function sums(lines: readonly string[]): Map<number, number> {
  const found = new Map<number, number>();
  for (const line of lines) {
    const { k, total } = JSON.parse(line) as { k: number; total: number };
    found.set(k, (found.get(k) ?? 0) + total);
  }
  return found;
}

describe("a worker process under a controller", function () {
  this.timeout(180_000);
  const folder = temporaryFolder("remote-worker");
  let store: string;
  let output: string;
  let artifact: TestArtifact;
  let controller: ScriptedController;
  let tests = 0;

  const script = (): string => `
    CREATE TABLE input (k BIGINT, v BIGINT, t TIMESTAMP, WATERMARK FOR t) WITH
      (connector = 'single_file', path = '${join(folder, "in.json")}', format = 'json', type = 'source');
    CREATE TABLE output (k BIGINT, total BIGINT) WITH (connector = 'single_file', path = '${output}', format = 'json', type = 'sink');
    INSERT INTO output SELECT k, sum(v) FROM input GROUP BY tumble(interval '1 second'), k;`;

  before(async () => {
    const rows = Array.from({ length: ROWS }, (_, i) => JSON.stringify({ k: i % KEYS, v: i, t: new Date(i).toISOString() }));
    writeFileSync(join(folder, "in.json"), `${rows.join("\n")}\n`);
  });

  beforeEach(async () => {
    tests += 1;
    store = join(folder, `state-${tests}`);
    output = join(folder, `out-${tests}.json`);
    artifact = await compileScript(script());
    controller = new ScriptedController();
    await controller.listen();
  });

  afterEach(async () => {
    killSpawnedWorkers();
    await controller.close();
  });

  const spawn = (id: string, env: Readonly<Record<string, string>> = {}, by = controller): SpawnedWorker =>
    spawnWorker({ id, fence: by.fence, endpoints: [by.endpoint], token: by.token, env });
  const open = (more: Partial<TestAssignment> = {}, by = controller): Promise<ScriptedRun> =>
    ScriptedRun.open(by, { artifact, store, parallelism: 1, ...more });

  function expectAnswer(): void {
    const expected = new Map<number, number>();
    for (let i = 0; i < ROWS; i++) expected.set(i % KEYS, (expected.get(i % KEYS) ?? 0) + i);
    const found = sums(readFileSync(output, "utf8").trim().split("\n"));
    expect([...found].sort(([a], [b]) => a - b)).to.deep.equal([...expected]);
  }

  it("registers, runs to the end, tells where the time went, and exits with 0", async () => {
    const worker = spawn("wk_a");
    await controller.workers(1);
    const run = await open();
    run.assign();
    await run.start();
    await run.finish(1);
    expect(await worker.exited, worker.log()).to.equal(0);
    expectAnswer();
    expect(controller.said("finished")).to.deep.equal([{ sourcesEnded: true }]);
    expect(controller.closed.map(({ error }) => error)).to.deep.equal([undefined]);
    const [register] = controller.registered;
    expect(register).to.include({ workerId: "wk_a", slots: 1, credentialKind: "run-token" });
    expect(register?.adminPort).to.be.greaterThan(0);
    const phases = new Set(controller.said("vertexReport").flatMap((report) => report.phases.map(({ phase }) => phase)));
    expect([...phases]).to.include("stage");
    expect(controller.said("committed").flatMap((message) => message.phases.map(({ phase }) => phase))).to.include("commit");
  });

  it("shares a run with another worker over TCP, takes checkpoints, and gives the batch answer", async () => {
    const workers = [spawn("wk_a"), spawn("wk_b")];
    await controller.workers(2);
    const run = await open({ parallelism: 3, everyRows: 2_500 });
    run.assign();
    await run.start();
    let epoch = 0;
    // By row count the slots begin epochs; the controller tells all of them.
    const announce = controller.until("the end", () => {
      for (const started of controller.said("epochStarted")) {
        if (Number(started.epoch) <= epoch) continue;
        epoch = Number(started.epoch);
        run.trigger(epoch);
      }
      return new Set(controller.said("slotEnded").map(({ subtask }) => subtask)).size === 3;
    });
    for (let done = 1; done <= 3; done++) await run.complete(done);
    await announce;
    for (let done = 4; done <= epoch; done++) await run.complete(done);
    await run.finish(epoch + 1);
    expect(await Promise.all(workers.map(({ exited }) => exited))).to.deep.equal([0, 0]);
    expectAnswer();
    const aligned = controller.said("vertexReport").flatMap((report) => report.phases.filter(({ phase }) => phase === "alignment"));
    expect(aligned.length).to.be.greaterThan(0);
  });

  it("asks for a checkpoint on its machine's wish, says which one came of it, and why none can", async () => {
    controller.takesCheckpointRequests = false;
    spawn("wk_a", THROTTLED);
    await controller.workers(1);
    const url = `http://127.0.0.1:${controller.registered[0]?.adminPort}/checkpoint`;
    const wish = async (): Promise<string> => {
      const answer = await fetch(url, { method: "POST" });
      return `${answer.status} ${await answer.text()}`;
    };
    expect(await wish()).to.equal("409 no checkpoint: the worker does not run yet\n");
    const run = await open();
    run.assign();
    await run.start();
    await controller.until("a heartbeat", () => controller.said("heartbeat").length > 0);
    const old = "409 no checkpoint: the controller is of an older build, which takes no such requests\n";
    await eventually("it runs", async () => ((await wish()) === old ? true : undefined), 30_000);
    expect(controller.said("checkpointRequest")).to.deep.equal([]);
    // The next leader is of this build.
    controller.takesCheckpointRequests = true;
    for (const session of controller.sessions.values()) session.close();
    await controller.until("the worker is back", () => controller.registered.length === 2 && controller.sessions.size === 1);
    // What is under way when the wish comes is older than the wish.
    run.trigger(1);
    await controller.until("epoch 1", () => controller.said("epochStarted").length > 0);
    const wished = wish();
    await run.complete(1);
    await controller.until("the request", () => controller.said("checkpointRequest").length > 0);
    run.trigger(2);
    await run.complete(2);
    expect(await wished).to.match(/^200 epoch 2 is complete, after \d+ ms\n$/);
  });

  it("goes on from the object store in another worker after it was killed", async () => {
    const first = spawn("wk_a", THROTTLED);
    await controller.workers(1);
    const run = await open({ everyRows: 5_000 });
    run.assign();
    await run.start();
    for (const epoch of [1, 2]) {
      await controller.until(`epoch ${epoch}`, () => controller.said("epochStarted").some((m) => m.epoch >= BigInt(epoch)));
      run.trigger(epoch);
      await run.complete(epoch);
    }
    first.process.kill("SIGKILL");
    await controller.until("the broken stream", () => controller.closed.some(({ error }) => error !== undefined));
    const second = new ScriptedController({ jobId: "job_test", runId: "run_2", fence: 2n });
    await second.listen();
    try {
      const worker = spawn("wk_b", {}, second);
      await second.workers(1);
      const again = await open({ parallelism: 1 }, second);
      expect(again.restoredEpoch).to.equal(2);
      again.assign();
      await again.start();
      await again.finish(3);
      expect(await worker.exited, worker.log()).to.equal(0);
      expectAnswer();
      expect(second.said("slotReady")[0]?.restoredBytes).to.not.equal(0n);
      const [last] = second.said("heartbeat").slice(-1);
      expect(Number(last?.slots[0]?.rowsRead ?? 0n)).to.be.at.most(ROWS - 10_000);
    } finally {
      await second.close();
    }
  });

  it("fails when another worker of its run dies, and the run goes on from the object store with another parallelism", async () => {
    const [survivor, victim] = [spawn("wk_a", THROTTLED), spawn("wk_b", THROTTLED)];
    await controller.workers(2);
    const run = await open({ parallelism: 2, everyRows: 4_000 });
    run.assign();
    await run.start();
    await controller.until("epoch 1", () => controller.said("epochStarted").some((m) => m.epoch >= 1n));
    run.trigger(1);
    await run.complete(1);
    victim.process.kill("SIGKILL");
    const failed = await controller.until("the failure", () => controller.said("failed")[0]);
    expect(failed.error).to.include({ code: "connection-lost", domain: "external", retry: "backoff" });
    expect(await survivor.exited).to.equal(1);
    const second = new ScriptedController({ jobId: "job_test", runId: "run_2", fence: 2n });
    await second.listen();
    try {
      const worker = spawn("wk_c", {}, second);
      await second.workers(1);
      const again = await open({ parallelism: 3 }, second);
      expect(again.restoredEpoch).to.equal(1);
      again.assign();
      await again.start();
      await again.finish(2);
      expect(await worker.exited, worker.log()).to.equal(0);
      expectAnswer();
    } finally {
      await second.close();
    }
  });

  it("tells of a row that fails the run, and exits with 1", async () => {
    writeFileSync(join(folder, "bad.json"), '{"k":1,"v":"no number"}\n');
    artifact = await compileScript(script().replace("in.json", "bad.json"));
    const worker = spawn("wk_a");
    await controller.workers(1);
    const run = await open();
    run.assign();
    await run.start();
    const failed = await controller.until("the failure", () => controller.said("failed")[0]);
    expect(failed).to.deep.include({ subtask: 0 });
    expect(failed.error).to.include({ domain: "user", code: "bad-data" });
    expect(await worker.exited).to.equal(1);
  });

  it("refuses files outside of connectors.file.roots", async () => {
    const worker = spawn("wk_a", { WADI__CONNECTORS__FILE__ROOTS: join(folder, "nothing") });
    await controller.workers(1);
    (await open()).assign();
    const failed = await controller.until("the failure", () => controller.said("failed")[0]);
    expect(failed.error).to.include({ code: "permission-denied" });
    expect(await worker.exited).to.equal(1);
  });

  it("refuses a module that is not the one that was compiled", async () => {
    const worker = spawn("wk_a", { WADI__COMPILER__CACHE_DIR: join(folder, "empty-cache") });
    await controller.workers(1);
    const run = await open({ checksum: "00" });
    run.assign();
    const failed = await controller.until("the failure", () => controller.said("failed")[0]);
    expect(failed.error).to.include({ code: "checksum-mismatch" });
    expect(await worker.exited).to.equal(1);
  });

  for (const mode of ["immediate", "graceful", "force"]) {
    it(`stops when it is told to (${mode}) and exits with 0`, async () => {
      const worker = spawn("wk_a", THROTTLED);
      await controller.workers(1);
      const run = await open();
      run.assign();
      await run.start();
      await controller.until("rows", () => controller.said("heartbeat").some(({ slots }) => (slots[0]?.rowsRead ?? 0n) > 0n));
      controller.tell({ $case: "stop", value: { mode, deadlineMs: 10_000 } });
      expect(await worker.exited, worker.log()).to.equal(0);
      expect(controller.said("finished")).to.deep.equal([{ sourcesEnded: false }]);
    });
  }

  it("shows rows of a sink that somebody looks at, and pieces of its log", async () => {
    spawn("wk_a", THROTTLED);
    await controller.workers(1);
    const run = await open();
    run.assign();
    await run.start();
    const sink = artifact.program.vertices.findIndex(({ operator }) => operator.kind === "sink");
    controller.tell({ $case: "previewRequest", value: { vertex: sink, rowsPerSecond: 3 } });
    const shown = await controller.until("rows", () => controller.said("previewRows")[0]);
    expect(shown.vertex).to.equal(sink);
    expect(shown.rows.length).to.be.within(1, 3);
    expect(JSON.parse(shown.rows[0] ?? "")).to.have.keys("k", "total");
    controller.tell({ $case: "logRequest", value: { requestId: "r1", offset: -1000n, limitBytes: 0n } });
    await controller.until("the log", () => controller.said("logChunk").some(({ last }) => last));
    const text = controller.said("logChunk").map((chunk) => Buffer.from(chunk.text).toString());
    expect(text.join("")).to.include('"message":"assigned"');
  });

  it("tells its health and counts its rows on its admin port", async () => {
    spawn("wk_a", THROTTLED);
    await controller.workers(1);
    const run = await open();
    run.assign();
    await run.start();
    await controller.until("rows", () => controller.said("heartbeat").some(({ slots }) => (slots[0]?.rowsRead ?? 0n) > 0n));
    const base = `http://127.0.0.1:${controller.registered[0]?.adminPort}`;
    const status = await fetch(`${base}/status`);
    expect(await status.json()).to.include({ status: "ok", phase: "runs", worker: "wk_a" });
    const metrics = await (await fetch(`${base}/metrics`)).text();
    expect(metrics).to.match(
      /wadi_worker_messages_sent\{pipeline_id="",job_id="job_test",run_fence="1",node_id="0",subtask_idx="0",operator_name="[^"]+"\} [1-9]/,
    );
    for (const name of ["backpressure", "tx_queue_size", "state_bytes", "bytes_recv", "source_lag_bytes"]) {
      expect(metrics, name).to.include(`wadi_worker_${name}{`);
    }
  });
});
