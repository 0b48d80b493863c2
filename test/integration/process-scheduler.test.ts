/** What the process scheduler does beyond its contract: it survives its own death, kills nobody else, and leaves no secrets behind. */
import { existsSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { must } from "../../src/core/assert.ts";
import type { JobId } from "../../src/core/ids.ts";
import { identityOf, isRunning } from "../../src/scheduler/process/processes.ts";
import type { SchedulerEvent } from "../../src/scheduler/scheduler.ts";
import { ProcessStage } from "../support/process-stage.ts";
import { rejection } from "../support/rejection.ts";
import { sampleSpec } from "../support/scheduler-conformance.ts";

const pidOf = (handle: string): number => Number(handle.split("@")[0]);

describe("process scheduler", function () {
  this.timeout(30_000);
  let stage: ProcessStage;
  beforeEach(() => {
    stage = new ProcessStage();
  });
  afterEach(() => stage.close());

  it("tells workers who they are, and their token only in a file that nobody else can read", async () => {
    const scheduler = await stage.open();
    await scheduler.startWorkers({ ...sampleSpec(2), runToken: "very-secret", environment: { WADI__LOGGING__LEVEL: "debug" } });
    const [worker] = await scheduler.listWorkers(sampleSpec(2).job);
    const { handle, worker: id } = must(worker, "the worker");
    const environment = readFileSync(`/proc/${pidOf(handle)}/environ`, "utf8").split("\0");
    expect(environment).to.include.members([
      "WADI_JOB_ID=job_conformance",
      "WADI_RUN_ID=run_1",
      "WADI_RUN_FENCE=1",
      `WADI_WORKER_ID=${id}`,
      "WADI_TASK_SLOTS=2",
      "WADI_CONTROLLER_ENDPOINTS=127.0.0.1:5116",
      "WADI__LOGGING__LEVEL=debug",
    ]);
    expect(environment.join() + readFileSync(`/proc/${pidOf(handle)}/cmdline`, "utf8")).to.not.include("very-secret");
    const folder = join(stage.workers, must(id, "its id"));
    const token = join(folder, "token");
    expect(environment).to.include(`WADI_RUN_TOKEN_FILE=${token}`);
    expect(readFileSync(token, "utf8")).to.equal("very-secret");
    expect(statSync(token).mode & 0o777).to.equal(0o600);
    expect(statSync(folder).mode & 0o777).to.equal(0o700);
    for (const name of readdirSync(folder).filter((file) => file !== "token")) {
      expect(readFileSync(join(folder, name), "utf8"), name).to.not.include("very-secret");
    }
    await scheduler.stopWorkers(sampleSpec(2), { kind: "force" });
    await stage.until(() => !existsSync(token));
  });

  it("takes over living workers after its death, hears of their end, and counts their slots", async () => {
    const first = await stage.open();
    await first.startWorkers(sampleSpec(4));
    const before = await first.listWorkers(sampleSpec(4).job);
    await first.shutdown();
    const second = await stage.open();
    const events: SchedulerEvent[] = [];
    second.observe((event) => events.push(event));
    expect(await second.listWorkers(sampleSpec(4).job)).to.deep.equal(before);
    const outcome = await second.startWorkers(sampleSpec(stage.capacity, 2n));
    expect(outcome).to.include({ kind: "not-enough-slots", available: stage.capacity - 4 });
    await second.stopWorkers(sampleSpec(4), { kind: "graceful", deadlineMs: 5_000 });
    await stage.until(() => events.filter((event) => event.kind === "worker" && event.worker.phase === "exited").length === 2);
  });

  it("knows that a worker ended while no scheduler ran, and does not start it again", async () => {
    const first = await stage.open();
    await first.startWorkers(sampleSpec(2));
    const [worker] = await first.listWorkers(sampleSpec(2).job);
    const identity = identityOf(pidOf(must(worker, "the worker").handle));
    await first.shutdown();
    process.kill(identity.pid, "SIGKILL");
    await stage.until(() => !isRunning(identity));
    const second = await stage.open();
    expect(await second.startWorkers(sampleSpec(2))).to.deep.equal({ kind: "accepted", workers: 1 });
    const after = await second.listWorkers(sampleSpec(2).job);
    expect(after.map(({ phase, handle }) => ({ phase, handle }))).to.deep.equal([{ phase: "exited", handle: worker?.handle }]);
  });

  it("does not take a stranger with a worker's old process id for the worker, and does not kill it", async () => {
    const first = await stage.open();
    await first.startWorkers(sampleSpec(2));
    const [worker] = await first.listWorkers(sampleSpec(2).job);
    const { worker: id, handle } = must(worker, "the worker");
    await first.shutdown();
    // The record now names this very process with another start time, as if its id had been used again.
    const record = join(stage.workers, must(id, "its id"), "record.json");
    const text = JSON.parse(readFileSync(record, "utf8")) as object;
    writeFileSync(record, JSON.stringify({ ...text, pid: process.pid, ticks: "1" }));
    const second = await stage.open();
    await second.stopWorkers(sampleSpec(2), { kind: "force" });
    const [after] = await second.listWorkers(sampleSpec(2).job);
    expect(after?.phase).to.equal("exited");
    expect(isRunning(identityOf(pidOf(handle)))).to.equal(true);
  });

  it("finds a worker whose start was not written down any more, and starts it only once", async () => {
    const first = await stage.open();
    await first.startWorkers(sampleSpec(2));
    const [worker] = await first.listWorkers(sampleSpec(2).job);
    const { worker: id, handle } = must(worker, "the worker");
    await first.shutdown();
    const record = join(stage.workers, must(id, "its id"), "record.json");
    const { pid: _pid, ticks: _ticks, ...rest } = JSON.parse(readFileSync(record, "utf8")) as Record<string, unknown>;
    writeFileSync(record, JSON.stringify(rest));
    const job = join(stage.folder, "runs", "job_conformance.json");
    writeFileSync(job, readFileSync(job, "utf8").replace(`"handle":"${handle}"`, '"note":""'));
    const second = await stage.open();
    expect(await second.startWorkers(sampleSpec(2))).to.deep.equal({ kind: "accepted", workers: 1 });
    const after = await second.listWorkers(sampleSpec(2).job);
    expect(after.map((view) => view.handle)).to.deep.equal([handle]);
  });

  it("starts what its predecessor had promised and not started", async () => {
    const first = await stage.open();
    await first.startWorkers(sampleSpec(2));
    const [worker] = await first.listWorkers(sampleSpec(2).job);
    await stage.crash(must(worker, "the worker"));
    await first.shutdown();
    const job = join(stage.folder, "runs", "job_conformance.json");
    const record = JSON.parse(readFileSync(job, "utf8")) as { runs: { workers: { handle?: string; exit?: unknown }[] }[] };
    for (const { workers } of record.runs)
      for (const one of workers) {
        delete one.handle;
        delete one.exit;
      }
    writeFileSync(job, JSON.stringify(record));
    const second = await stage.open();
    await second.startWorkers(sampleSpec(2));
    const [after] = await second.listWorkers(sampleSpec(2).job);
    expect(after?.phase).to.equal("running");
    expect(after?.handle).to.not.equal(worker?.handle);
  });

  it("forgets jobs that are over and long past, and no others", async () => {
    const first = await stage.open();
    await first.startWorkers(sampleSpec(2));
    const [worker] = await first.listWorkers(sampleSpec(2).job);
    await first.startWorkers(sampleSpec(2, 1n, "job_living" as JobId));
    await stage.crash(must(worker, "the worker"));
    await first.shutdown();
    const longAgo = new Date("2020-01-01");
    for (const name of readdirSync(join(stage.folder, "runs"))) utimesSync(join(stage.folder, "runs", name), longAgo, longAgo);
    const second = await stage.open();
    expect(await second.listWorkers(sampleSpec(2).job)).to.deep.equal([]);
    expect(await second.listWorkers("job_living" as JobId)).to.have.length(1);
  });

  it("kills workers that do not end in time", async () => {
    await stage.close();
    stage = new ProcessStage({ WADI_TEST_STUBBORN: "1" });
    const scheduler = await stage.open();
    const events: SchedulerEvent[] = [];
    scheduler.observe((event) => events.push(event));
    await scheduler.startWorkers(sampleSpec(2));
    await stage.ready();
    await scheduler.stopWorkers(sampleSpec(2), { kind: "graceful", deadlineMs: 200 });
    const exit = () => events.flatMap((event) => (event.kind === "worker" ? [event.worker.exit] : [])).at(-1);
    await stage.until(() => exit() !== undefined);
    expect(exit()).to.include({ signal: "SIGKILL", reason: "killed by the scheduler", outOfMemory: false });
  });

  it("refuses secrets in the environment, and wishes it does not know", async () => {
    const scheduler = await stage.open();
    await rejection(scheduler.startWorkers({ ...sampleSpec(1), environment: { MY_PASSWORD: "x" } }), "invalid-config");
    await rejection(scheduler.startWorkers({ ...sampleSpec(1), overrides: { datacenter: "x" } }), "invalid-config");
    const secret = { variable: "X", store: "env", reference: "X" };
    await rejection(scheduler.startWorkers({ ...sampleSpec(1), secrets: [secret] }), "invalid-config");
    expect(await scheduler.listWorkers(sampleSpec(1).job)).to.deep.equal([]);
  });

  it("says so when a record cannot be read, instead of forgetting a run", async () => {
    const first = await stage.open();
    await first.startWorkers(sampleSpec(2));
    await first.shutdown();
    writeFileSync(join(stage.folder, "runs", "job_conformance.json"), "{");
    const second = await stage.open();
    await rejection(second.startWorkers(sampleSpec(2)), "io");
    await rejection(second.startWorkers(sampleSpec(2)), "io");
  });
});
