/**
 * Many jobs at once: all of them come to run, a bounded number at a time, nothing is left over, and the controller's share of a processor
 * stays small. With workers that only talk, in this process: what is measured includes them.
 */
import { expect } from "chai";
import { ControllerStage } from "../support/controller-stage.ts";
import { type DatabaseServer, postgresAbsence, startPostgres } from "../support/databases.ts";
import { eventually } from "../support/eventually.ts";
import { requires } from "../support/requirement.ts";

const JOBS = 500;

describe("many jobs at once", () => {
  requires("postgres", postgresAbsence);
  let server: DatabaseServer;
  let stage: ControllerStage;

  before(async function () {
    this.timeout(60_000);
    server = await startPostgres();
    stage = await ControllerStage.open(await server.create());
  });
  after(async function () {
    this.timeout(60_000);
    await stage?.close();
    await server?.stop();
  });

  it(`brings ${JOBS} jobs that were created at once to running, a few at a time`, async function () {
    this.timeout(120_000);
    await stage.start();
    const jobs = await stage.createMany(JOBS);
    let most = 0;
    await eventually(
      "all jobs run",
      async () => {
        const states = await stage.states();
        most = Math.max(most, (states.get("compiling") ?? 0) + (states.get("scheduling") ?? 0));
        return states.get("running") === JOBS ? true : undefined;
      },
      100_000,
    );
    expect(most, "jobs on their way at a time").to.be.within(1, 16);
    expect(stage.cluster.alive).to.have.length(JOBS);
    const [row] = await stage.db("jobs").max<{ max: bigint }[]>("run_fence");
    expect(row?.max, "no job needed a second run").to.equal(1n);
    expect(jobs).to.have.length(JOBS);
  });

  it("stops and deletes all of them and leaves nothing behind", async function () {
    this.timeout(120_000);
    await stage.db("pipelines").update({ deleted_at: stage.db.fn.now() });
    await eventually("no job is left", async () => ((await stage.states()).size === 0 ? true : undefined), 100_000);
    expect(stage.cluster.alive).to.have.length(0);
    await eventually("no pipeline is left", async () => ((await stage.db("pipelines").select()).length === 0 ? true : undefined));
    for (const table of ["pipelines", "jobs", "checkpoints", "job_events", "workers", "metric_samples", "preview_rows"]) {
      expect(await stage.db(table).select(), table).to.deep.equal([]);
    }
  });
});
