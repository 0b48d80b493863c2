/**
 * Controllers that die, are cut off or come back, and a database that is away: who leads, what a leader that lost its lease can still do, and
 * what workers notice. On PGlite and on real PostgreSQL.
 */
import { expect } from "chai";
import { systemClock } from "../../src/core/clock.ts";
import type { DatabaseOptions } from "../../src/db/connection.ts";
import { insertJobEvents } from "../../src/db/job-events.ts";
import { fenceJobs, readJobs, writeJob } from "../../src/db/jobs.ts";
import { acquireLease, readLease, releaseLease, renewLease } from "../../src/db/leases.ts";
import { writeWorkers } from "../../src/db/workers.ts";
import { ControllerStage } from "../support/controller-stage.ts";
import { CuttableDatabase } from "../support/cuttable-database.ts";
import { type DatabaseServer, postgresAbsence, startPglite, startPostgres } from "../support/databases.ts";
import { eventually } from "../support/eventually.ts";
import { requires } from "../support/requirement.ts";

const HOLDER = { endpoint: "127.0.0.1:1", release: "test", protocol: 1 };

for (const [name, absence, start] of [
  ["PGlite", () => undefined, async () => startPglite()],
  ["PostgreSQL", postgresAbsence, startPostgres],
] as const) {
  describe(`leading on ${name}`, () => {
    requires("postgres", absence);
    let server: DatabaseServer;
    let options: DatabaseOptions;
    let stage: ControllerStage;
    let proxy: CuttableDatabase;

    before(async function () {
      this.timeout(60_000);
      server = await start();
    });
    after(() => server?.stop());
    beforeEach(async function () {
      this.timeout(90_000);
      options = await server.create();
      stage = await ControllerStage.open(options);
      proxy = await CuttableDatabase.open(options);
    });
    afterEach(async () => {
      await proxy?.restore();
      await stage?.close();
      await proxy?.close();
    });

    it("is one process' at a time, and its epoch grows with every change of holder", async () => {
      const { db } = stage;
      const both = await Promise.all(["a", "b"].map((holder) => acquireLease(db, "test", { holder, ...HOLDER }, 400)));
      expect(both.map(({ kind }) => kind).sort()).to.deep.equal(["held", "taken"]);
      const first = (await readLease(db, "test"))?.holder ?? "";
      const second = first === "a" ? "b" : "a";
      expect(await renewLease(db, "test", first, 1n, 400)).to.equal(true);
      const startedMs = systemClock.elapsedMs();
      const taken = await eventually("the lease runs out", async () => {
        const attempt = await acquireLease(db, "test", { holder: second, ...HOLDER }, 400);
        return attempt.kind === "held" ? attempt : undefined;
      });
      expect(taken.fencingEpoch).to.equal(2n);
      expect(systemClock.elapsedMs() - startedMs).to.be.at.least(300);
      expect(await renewLease(db, "test", first, 1n, 400)).to.equal(false);
      await releaseLease(db, "test", first, 1n);
      expect((await readLease(db, "test"))?.holder).to.equal(second);
      await releaseLease(db, "test", second, 2n);
      expect(await acquireLease(db, "test", { holder: first, ...HOLDER }, 400)).to.deep.equal({ kind: "held", fencingEpoch: 3n });
    });

    it("lets a leader that was superseded write nothing", async () => {
      const { db } = stage;
      const job = await stage.create();
      const [stored] = await readJobs(db);
      if (stored === undefined) return expect.fail("the job is not there");
      const event = { job, run: undefined, runFence: 0n, occurredAtMs: 0, kind: "test", level: "info", message: "", details: {} } as const;
      await fenceJobs(db, 2n);
      expect(await writeJob(db, 1n, stored, [event])).to.equal(undefined);
      await insertJobEvents(db, 1n, [event]);
      const worker = { id: "wk_1", job, run: "run_1", runFence: 1n, state: "placing", slots: 1, release: "", reason: "" } as const;
      const unknown = { number: undefined, handle: undefined, node: undefined, dataAddress: undefined, adminAddress: undefined };
      const running = { exitCode: undefined, exitSignal: undefined, outOfMemory: false, startedAtMs: 0, heartbeatAtMs: undefined };
      await writeWorkers(db, 1n, [{ ...worker, ...unknown, ...running, endedAtMs: undefined }]);
      expect(await db("job_events").select()).to.deep.equal([]);
      expect(await db("workers").select()).to.deep.equal([]);
      expect((await stage.row(job))?.["revision"]).to.equal(0n);
      expect(await writeJob(db, 2n, stored, [event])).to.equal(1n);
      expect(await writeJob(db, 2n, stored, [event]), "a repetition after a lost answer").to.equal(1n);
      expect(await stage.timeline(job)).to.deep.equal(["test"]);
    });

    it("passes within 3 s from a leader that is cut off, and no worker is started again", async function () {
      this.timeout(40_000);
      const first = await stage.start({}, proxy.options);
      await eventually("the first leads", () => (first.controller.leads ? true : undefined));
      const job = await stage.create({ parallelism: 2, intervalMs: 300 });
      await stage.reaches(job, "running");
      const second = await stage.start();
      const [worker] = stage.cluster.of(job);
      const endpoints = [first, second].map(async ({ controller }) => `127.0.0.1:${await controller.listening}`);
      worker?.knows(await Promise.all(endpoints));
      proxy.silence();
      const cutMs = systemClock.elapsedMs();
      await eventually("the second leads", () => (second.controller.leads ? true : undefined));
      expect(first.controller.leads, "the first stopped before").to.equal(false);
      expect(systemClock.elapsedMs() - cutMs).to.be.below(3_000);
      await eventually("the worker is adopted", () => (worker?.registrations === 2 ? true : undefined), 3_000);
      const epoch = Number((await stage.row(job))?.["epoch"]);
      await eventually("epochs go on", async () => (Number((await stage.row(job))?.["epoch"]) > epoch + 1 ? true : undefined));
      const row = await stage.row(job);
      expect([row?.["state"], row?.["run_fence"], row?.["leader_epoch"]]).to.deep.equal(["running", 1n, 2n]);
      expect(stage.cluster.workers).to.have.length(1);
      const epochs = worker?.published.map((one) => one.epoch) ?? [];
      expect(epochs).to.deep.equal(Array.from({ length: epochs.length }, (_, i) => i + 1));
      await stage.wish(job, { desired_stop: "checkpoint" });
      await stage.reaches(job, "stopped");
    });

    it("passes at once when the leader is stopped in order, and leaves workers alone", async () => {
      const first = await stage.start();
      const job = await stage.create({ intervalMs: 300 });
      await stage.reaches(job, "running");
      const second = await stage.start();
      const endpoint = `127.0.0.1:${await second.controller.listening}`;
      stage.cluster.of(job)[0]?.knows([endpoint]);
      await first.stop();
      await eventually("the second leads", () => (second.controller.leads ? true : undefined), 1_500);
      await eventually("the worker is adopted", () => (stage.cluster.of(job)[0]?.registrations === 2 ? true : undefined));
      expect(stage.cluster.workers).to.have.length(1);
    });

    it("survives a database that is away: runs go on and the controller is back when it is", async function () {
      this.timeout(40_000);
      const { controller } = await stage.start({}, proxy.options);
      const job = await stage.create({ intervalMs: 300 });
      await stage.reaches(job, "running");
      await proxy.refuse();
      await eventually("it does not lead any more", () => (controller.leads ? undefined : true));
      const awayMs = systemClock.elapsedMs();
      await eventually("it has been away for a while", () => (systemClock.elapsedMs() - awayMs > 3_000 ? true : undefined));
      await proxy.restore();
      await eventually("it leads again", () => (controller.leads ? true : undefined), 5_000);
      const worker = stage.cluster.of(job)[0];
      await eventually("the worker is adopted", () => (worker?.registrations === 2 ? true : undefined));
      expect(stage.cluster.workers).to.have.length(1);
      await stage.wish(job, { desired_stop: "checkpoint" });
      expect((await stage.reaches(job, "stopped"))["run_fence"]).to.equal(1n);
    });

    it("repairs the rows of checkpoints from the record when it takes over", async () => {
      const first = await stage.start();
      const job = await stage.create({ intervalMs: 60_000 });
      await stage.reaches(job, "running");
      await stage.wish(job, { desired_stop: "checkpoint" });
      await stage.reaches(job, "stopped");
      await first.stop();
      await stage.db("checkpoints").delete();
      const wrong = { job_id: job, run_id: "run_0", kind: "scheduled", program_fingerprint: "f", parallelism: 1 };
      const manifest = { manifest_path: "m", manifest_checksum: "c", manifest_version: 1 };
      await stage.db("checkpoints").insert([
        { ...wrong, id: "chk_x", epoch: 7, state: "in-progress" },
        { ...wrong, ...manifest, id: "chk_y", epoch: 8, state: "complete" },
      ]);
      await stage.wish(job, { desired_stop: "none" });
      await stage.start();
      await stage.reaches(job, "running");
      const rows = await stage
        .db("checkpoints")
        .orderBy("epoch")
        .select<Record<string, unknown>[]>("epoch", "state", "run_fence", "failure_message");
      expect(rows).to.deep.equal([
        { epoch: 1n, state: "complete", run_fence: 1n, failure_message: null },
        { epoch: 7n, state: "failed", run_fence: 0n, failure_message: "the run ended before it was complete" },
        { epoch: 8n, state: "retired", run_fence: 0n, failure_message: null },
      ]);
      expect(stage.cluster.of(job)[0]?.assignment?.restore?.epoch).to.equal(1n);
    });

    it("continues a start that the leader before did not finish", async function () {
      this.timeout(40_000);
      stage.cluster.placing = false;
      const first = await stage.start();
      const job = await stage.create();
      await stage.reaches(job, "scheduling");
      await first.stop();
      stage.cluster.placing = true;
      await stage.start();
      expect((await stage.reaches(job, "running"))["run_fence"]).to.equal(1n);
    });

    it("hears of a worker that ended while nobody led and a start was under way, and starts another run", async function () {
      this.timeout(40_000);
      stage.cluster.placing = false;
      const first = await stage.start();
      const job = await stage.create();
      await stage.reaches(job, "scheduling");
      await eventually("workers are asked for", () => stage.cluster.list().length > 0 || undefined);
      await first.stop();
      const [worker] = stage.cluster.list();
      stage.cluster.exit(worker?.handle ?? "", { code: 1, signal: undefined, outOfMemory: false, reason: "broken" });
      await stage.start();
      await eventually("another run is started", async () => (await stage.row(job))?.["run_fence"] === 2n || undefined);
    });

    it("drains: every job stops with a checkpoint, and the next leader starts it again", async () => {
      const first = await stage.start();
      const job = await stage.create();
      await stage.reaches(job, "running");
      await first.controller.drain(new AbortController().signal);
      expect(stage.cluster.alive).to.have.length(0);
      const row = await stage.row(job);
      expect([row?.["state"], row?.["epoch"], row?.["desired_stop"]]).to.deep.equal(["stopped", 1n, "none"]);
      await first.stop();
      await stage.start();
      expect((await stage.reaches(job, "running"))["run_fence"]).to.equal(2n);
    });
  });
}
