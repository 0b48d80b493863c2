/**
 * The controller against a database and workers that only talk: how a job comes to run, stops and starts again, and what is left in the
 * database. On PGlite (one session for all clients) and on real PostgreSQL.
 */
import { expect } from "chai";
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
      this.timeout(30_000);
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
  });
}
