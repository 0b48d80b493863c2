/** Pipelines as descriptions and back: what a query refers to comes with it, and a database in use is seen. On PGlite and on real PostgreSQL. */
import { expect } from "chai";
import { systemClock } from "../../src/core/clock.ts";
import type { Database } from "../../src/db/connection.ts";
import { openDatabase } from "../../src/db/connection.ts";
import { describeJob, insertRecovered, tablesInUse } from "../../src/db/descriptions.ts";
import { migrateDatabase } from "../../src/db/migrate.ts";
import { type DatabaseServer, postgresAbsence, startPglite, startPostgres } from "../support/databases.ts";
import { requires } from "../support/requirement.ts";

async function fill(db: Database): Promise<void> {
  await db("connection_profiles").insert({ id: "cp_one", name: "broker", connector: "kafka", config: '{"servers":"b:9092"}' });
  await db("connection_tables").insert({
    id: "ct_one",
    name: "orders",
    connector: "kafka",
    connection_profile_id: "cp_one",
    table_type: "source",
    config: '{"topic":"orders"}',
    schema: '{"fields":[]}',
  });
  await db("udfs").insert({ id: "udf_one", name: "plus_one", language: "typescript", definition: "export …", signature: '{"args":[]}' });
  await db("udfs").insert({ id: "udf_two", name: "unused", language: "typescript", definition: "export …", signature: "{}" });
  const query = "SELECT plus_one(n) FROM orders";
  await db("pipelines").insert({ id: "pl_one", name: "Orders", slug: "orders", query, program: "{}", tags: '{"team":"a"}' });
  await db("jobs").insert({ id: "job_one", pipeline_id: "pl_one", desired_parallelism: 3, desired_checkpoint_interval_us: 5_000_000 });
  await db("connection_table_pipelines").insert({ connection_table_id: "ct_one", pipeline_id: "pl_one" });
}

function suite(start: () => DatabaseServer | Promise<DatabaseServer>): void {
  let server: DatabaseServer;

  async function open(): Promise<Database> {
    const db = openDatabase({ ...(await server.create()), connections: 1 });
    await migrateDatabase(db, { clock: systemClock, claimant: "test", release: "test" });
    return db;
  }
  before(async () => {
    server = await start();
  });
  after(async () => await server.stop());

  it("a described job comes back with its connections and functions, stopped at its position", async () => {
    const old = await open();
    expect(await tablesInUse(old)).to.deep.equal([]);
    await fill(old);
    expect(await tablesInUse(old)).to.deep.equal(["pipelines", "connection_profiles", "connection_tables", "udfs"]);
    const description = await describeJob(old, "job_one");
    expect(description?.udfs.map(({ name }) => name)).to.deep.equal(["plus_one"]);
    await old.destroy();
    if (description === undefined) return expect.fail("there is no description");

    const db = await open();
    const position = { epoch: 7, run: "run_oner4", fence: 4n, parallelism: 2, finished: false };
    await insertRecovered(db, [{ description, position, stateUrl: "s3://elsewhere", start: false }]);
    const wanted = { ...description, pipeline: { ...description.pipeline, state_url: "s3://elsewhere" } };
    expect(await describeJob(db, "job_one")).to.deep.equal(wanted);
    const [job] = await db("jobs").select();
    expect(job).to.include({ state: "stopped", desired_stop: "checkpoint", run_id: "run_oner4", parallelism: 2 });
    expect([Number(job.epoch), Number(job.run_fence), job.state_context.lastFence]).to.deep.equal([7, 4, 4]);
    await db.destroy();
  });
}

describe("recovered rows on PGlite", function () {
  this.timeout(60_000);
  suite(startPglite);
});

describe("recovered rows on PostgreSQL", function () {
  this.timeout(60_000);
  requires("postgres", postgresAbsence);
  suite(startPostgres);
});
