/**
 * The controller against a database and workers that only talk: how a job comes to run, stops and starts again, and what is left in the
 * database. On PGlite (one session for all clients) and on real PostgreSQL.
 */
import { expect } from "chai";
import { Registry } from "prom-client";
import { ControllerStage } from "../support/controller-stage.ts";
import { type DatabaseServer, postgresAbsence, startPglite, startPostgres } from "../support/databases.ts";
import { eventually } from "../support/eventually.ts";
import { requires } from "../support/requirement.ts";

for (const [name, absence, start] of [
  ["PGlite", () => undefined, async () => startPglite()],
  ["PostgreSQL", postgresAbsence, startPostgres],
] as const) {
  describe(`a controller on ${name}`, () => {
    requires("postgres", absence);
    let server: DatabaseServer;
    let stage: ControllerStage;

    before(async function () {
      this.timeout(60_000);
      server = await start();
    });
    after(() => server?.stop());
    beforeEach(async function () {
      this.timeout(90_000);
      stage = await ControllerStage.open(await server.create());
    });
    afterEach(() => stage?.close());

    it("brings a job from created to running, and to finished when its sources end", async () => {
      await stage.start();
      const job = await stage.create({ parallelism: 2 });
      const row = await stage.reaches(job, "running");
      expect(row["run_fence"]).to.equal(1n);
      expect(row["tasks"]).to.equal(8);
      for (const worker of stage.cluster.of(job)) worker.finish();
      const finished = await stage.reaches(job, "finished");
      expect(finished["epoch"]).to.equal(1n);
      const [worker] = stage.cluster.workers;
      expect(worker?.published).to.deep.equal([{ epoch: 1, staged: ['{"epoch":1,"subtask":0}', '{"epoch":1,"subtask":1}'] }]);
      const checkpoints = await eventually("the checkpoint's row is complete", async () => {
        const found = await stage.db("checkpoints").select<{ state: string; kind: string }[]>("state", "kind");
        return found[0]?.state === "complete" ? found : undefined;
      });
      expect(checkpoints).to.deep.equal([{ state: "complete", kind: "final" }]);
      const workers = await eventually("the worker's row says that it exited", async () => {
        const found = await stage.db("workers").select<{ state: string; number: number }[]>("state", "number");
        return found.length > 0 && found.every(({ state }) => state === "exited") ? found : undefined;
      });
      expect(workers).to.have.length(1);
    });

    it("stops with a checkpoint and goes on from it, and restores what the run before left", async () => {
      await stage.start();
      const job = await stage.create();
      await stage.reaches(job, "running");
      await stage.wish(job, { desired_stop: "checkpoint" });
      const stopped = await stage.reaches(job, "stopped");
      expect(stopped["epoch"]).to.equal(1n);
      expect(stage.cluster.alive).to.have.length(0);
      await stage.wish(job, { desired_stop: "none" });
      const again = await stage.reaches(job, "running");
      expect(again["run_fence"]).to.equal(2n);
      const [worker] = stage.cluster.of(job);
      expect(worker?.assignment?.restore?.epoch).to.equal(1n);
      expect(worker?.assignment?.restore?.origins).to.have.length(4);
    });

    it("starts fresh when the user says so, and counts epochs on", async () => {
      await stage.start();
      const job = await stage.create();
      await stage.reaches(job, "running");
      await stage.wish(job, { desired_stop: "checkpoint" });
      await stage.reaches(job, "stopped");
      await stage.wish(job, { desired_stop: "none", desired_ignore_state_before_epoch: 2 });
      await stage.reaches(job, "running");
      expect(stage.cluster.of(job)[0]?.assignment?.restore).to.equal(undefined);
      await stage.wish(job, { desired_stop: "checkpoint" });
      expect((await stage.reaches(job, "stopped"))["epoch"]).to.equal(2n);
      await stage.wish(job, { desired_stop: "none" });
      await stage.reaches(job, "running");
      expect(stage.cluster.of(job)[0]?.assignment?.restore?.epoch).to.equal(2n);
    });

    it("takes checkpoints at the interval and keeps the newest", async () => {
      await stage.start({}, undefined);
      const job = await stage.create({ intervalMs: 100 });
      await stage.reaches(job, "running");
      await eventually("twelve epochs", async () => (Number((await stage.row(job))?.["epoch"]) >= 12 ? true : undefined), 15_000);
      const counting = await eventually("old epochs are retired", async () => {
        const rows = await stage.db("checkpoints").whereIn("state", ["complete", "committing"]).select<{ epoch: bigint }[]>("epoch");
        return rows.length > 0 && rows.every(({ epoch }) => epoch > 1n) ? rows : undefined;
      });
      expect(counting.length).to.be.at.most(12);
    });

    it("starts another run when a worker dies, from the newest checkpoint", async () => {
      const metrics = new Registry();
      await stage.start({ metrics });
      const job = await stage.create({ intervalMs: 200 });
      await stage.reaches(job, "running");
      await eventually("an epoch", async () => (Number((await stage.row(job))?.["epoch"]) >= 1 ? true : undefined));
      stage.cluster.of(job)[0]?.die();
      const row = await eventually("another run is running", async () => {
        const found = await stage.row(job);
        return found?.["state"] === "running" && found["run_fence"] === 2n ? found : undefined;
      });
      expect(row["restarts"]).to.equal(1);
      expect(Number(stage.cluster.of(job)[0]?.assignment?.restore?.epoch ?? 0n)).to.be.at.least(1);
      const told = await eventually("the timeline is written", async () => {
        const kinds = await stage.timeline(job);
        return kinds.includes("worker-lost") ? kinds : undefined;
      });
      expect(told).to.include.members(["state-changed", "worker-registered"]);
      const text = await metrics.metrics();
      expect(text).to.match(/wadi_controller_restarts_total\{job_id="job_\w+",pipeline_id="pl_\w+"\} 1\n/);
      expect(text).to.match(/wadi_controller_leader 1\n/);
      expect(text).to.match(/wadi_controller_checkpoints_total\{.*outcome="complete"\} [1-9]/);
    });

    it("rescales a running job by a checkpoint and a run with the new parallelism", async () => {
      await stage.start();
      const job = await stage.create();
      await stage.reaches(job, "running");
      await stage.wish(job, { desired_parallelism: 4 });
      await eventually("it runs with 4 subtasks", async () => {
        const row = await stage.row(job);
        return row?.["state"] === "running" && row["parallelism"] === 4 ? true : undefined;
      });
      expect(stage.cluster.of(job)[0]?.assignment?.parallelism).to.equal(4);
      expect(stage.cluster.of(job)[0]?.assignment?.restore?.epoch).to.equal(1n);
    });

    it("ends and deletes a job whose pipeline is deleted while it runs", async () => {
      await stage.start();
      const job = await stage.create({ intervalMs: 100 });
      await stage.reaches(job, "running");
      await stage.db("pipelines").update({ deleted_at: stage.db.fn.now() });
      await stage.db.raw("notify wadi_jobs");
      await eventually("the job's row is gone", async () => ((await stage.row(job)) === undefined ? true : undefined));
      expect(stage.cluster.alive).to.have.length(0);
      const pipelines = await eventually("the pipeline's row is gone", async () => {
        const rows = await stage.db("pipelines").select();
        return rows.length === 0 ? rows : undefined;
      });
      expect(pipelines).to.deep.equal([]);
    });

    it("shows rows of a preview, and answers or refuses requests for logs", async () => {
      await stage.start();
      const job = await stage.create({ preview: true });
      await stage.reaches(job, "running");
      const [worker] = stage.cluster.of(job);
      worker?.preview(['{"a":1}', '{"a":"\\u0000"}']);
      const rows = await eventually("both rows", async () => {
        const found = await stage.db("preview_rows").orderBy("cursor").select<{ row: string; row_number: bigint }[]>("row", "row_number");
        return found.length === 2 ? found : undefined;
      });
      expect(rows.map(({ row_number }) => row_number)).to.deep.equal([0n, 1n]);
      const id = "3f1c4de2-3cf8-4a41-8f0a-6f7f7a1f8f11";
      const expires_at = stage.db.raw("now() + interval '1 minute'");
      await stage.db("log_requests").insert({ id, job_id: job, worker_id: "wk_none", from_offset: -100, limit_bytes: 100, expires_at });
      const refused = await eventually("the request is refused", async () => {
        const [row] = await stage.db("log_requests").where({ state: "failed" }).select<{ failure_message: string }[]>("failure_message");
        return row;
      });
      expect(refused.failure_message).to.equal("nothing is known of worker wk_none");
    });
  });
}
