/**
 * The schema and how a database comes to it: from nothing, again, by several at once, after a crash, and never backwards. Runs on PGlite
 * (one session for all clients) and on real PostgreSQL.
 */
import { expect } from "chai";
import { awaitDatabase } from "../../src/cli/database.ts";
import { release } from "../../src/cli/release.ts";
import { systemClock } from "../../src/core/clock.ts";
import { type Logger, silentLogger } from "../../src/core/log.ts";
import { type Database, type DatabaseOptions, openDatabase } from "../../src/db/connection.ts";
import {
  checkSchemaVersion,
  MIGRATIONS,
  type MigrateOptions,
  type Migration,
  migrateDatabase,
  readSchemaVersion,
} from "../../src/db/migrate.ts";
import { type DatabaseServer, postgresAbsence, startPglite, startPostgres } from "../support/databases.ts";
import { eventually } from "../support/eventually.ts";
import { rejection } from "../support/rejection.ts";
import { requires } from "../support/requirement.ts";

const TABLES = [
  "api_keys",
  "authorities",
  "checkpoints",
  "clusters",
  "connection_profiles",
  "connection_table_pipelines",
  "connection_tables",
  "job_events",
  "jobs",
  "leases",
  "log_chunks",
  "log_requests",
  "log_tail_chunks",
  "log_tails",
  "metric_samples",
  "nodes",
  "output_requests",
  "pipelines",
  "preview_rows",
  "scheduler_events",
  "scheduler_records",
  "scheduler_runs",
  "scheduler_services",
  "scheduler_status",
  "schema_migrations",
  "udfs",
  "worker_last_words",
  "workers",
];

function options(more: Partial<MigrateOptions> = {}): MigrateOptions {
  return { clock: systemClock, claimant: "test-1", release: "0.1.0", ...more };
}

/** A logger whose warnings end up in `said`. */
function hearing(said: string[]): Logger {
  return { ...silentLogger, warn: (message) => void said.push(message) };
}

async function saysMore(said: readonly string[], times: number): Promise<void> {
  await eventually("the process says that it waits", () => (said.length >= times ? true : undefined), 30_000);
}

/** Two steps that say how often they ran. */
function steps(ran: string[]): Migration[] {
  return ["0001-a", "0002-b"].map((name, i) => ({
    version: i + 1,
    name,
    async up(db) {
      ran.push(name);
      await db.raw(`create table ${name.replace("-", "_").replace(/^\d+/, "t")} (id int)`);
    },
  }));
}

async function textsOf(db: Database, query: string): Promise<string[]> {
  const { rows } = await db.raw<{ rows: { text: string }[] }>(query);
  return rows.map((row) => row.text);
}

const PIPELINE = { id: "pl_1", name: "Bids", slug: "bids", query: "select 1" };
const JOB = { id: "job_1", pipeline_id: "pl_1", desired_parallelism: 1, desired_checkpoint_interval_us: 10_000_000 };

function migrating(start: () => DatabaseServer | Promise<DatabaseServer>): void {
  let server: DatabaseServer;
  const pools: Database[] = [];
  before(async () => {
    server = await start();
  });
  afterEach(async () => {
    for (const pool of pools.splice(0)) await pool.destroy();
  });
  after(async () => {
    await server?.stop();
  });

  function open(where: DatabaseOptions): Database {
    const pool = openDatabase(where);
    pools.push(pool);
    return pool;
  }

  it("makes all tables out of nothing, with a comment on each table and column", async () => {
    const db = open(await server.create());
    expect(await readSchemaVersion(db)).to.deep.equal({ version: 0, release: "" });
    expect(await migrateDatabase(db, options())).to.deep.equal(MIGRATIONS.map(({ version }) => version));
    const inSchema = "n.nspname = current_schema() and c.relkind = 'r'";
    const from = "from pg_class c join pg_namespace n on n.oid = c.relnamespace";
    expect(await textsOf(db, `select c.relname as text ${from} where ${inSchema} order by 1`)).to.deep.equal(TABLES);
    const bare = `select c.relname || '.' || coalesce(a.attname, '') as text ${from} join pg_attribute a on a.attrelid = c.oid
      where ${inSchema} and a.attnum >= 0 and not a.attisdropped and col_description(c.oid, a.attnum) is null`;
    expect(await textsOf(db, bare)).to.deep.equal([]);
    expect(await textsOf(db, `select c.relname as text ${from} where ${inSchema} and obj_description(c.oid) is null`)).to.deep.equal([]);
    expect(await textsOf(db, `select c.relname as text ${from} where ${inSchema} and c.relpersistence = 'u' order by 1`)).to.deep.equal([
      "log_tail_chunks",
      "log_tails",
      "metric_samples",
      "preview_rows",
    ]);
  });

  it("does nothing the second time", async () => {
    const db = open(await server.create());
    await migrateDatabase(db, options());
    await db("pipelines").insert(PIPELINE);
    expect(await migrateDatabase(db, options({ claimant: "test-2" }))).to.deep.equal([]);
    expect(await db("pipelines").pluck("id")).to.deep.equal(["pl_1"]);
    await checkSchemaVersion(db, "0.1.0");
  });

  it("applies each step once when four processes come at the same moment", async () => {
    const where = await server.create();
    const ran: string[] = [];
    const results = await Promise.all(
      ["a", "b", "c", "d"].map((claimant) => migrateDatabase(open(where), options({ claimant, migrations: steps(ran) }))),
    );
    expect(ran).to.deep.equal(["0001-a", "0002-b"]);
    expect(results.flat().sort()).to.deep.equal([1, 2]);
  });

  it("refuses a database that is newer, in words, also where nothing is migrated", async () => {
    const db = open(await server.create());
    await migrateDatabase(db, options({ migrations: steps([]), release: "0.2.0" }));
    const older = steps([]).slice(0, 1);
    const words = "schema version 2 of release 0.2.0, release 0.1.0 knows versions up to 1";
    await rejection(migrateDatabase(db, options({ migrations: older })), "version-mismatch", words);
    await rejection(checkSchemaVersion(db, "0.1.0", older), "version-mismatch", words);
  });

  it("tells a process that does not migrate that the database is older", async () => {
    const db = open(await server.create());
    await rejection(checkSchemaVersion(db, "0.1.0"), "version-mismatch", "the database has schema version 0");
  });

  it("lets a process wait that was started before the migration, which says so", async () => {
    const db = open(await server.create());
    const said: string[] = [];
    const waiting = awaitDatabase(db, hearing(said), new AbortController().signal);
    await saysMore(said, 1);
    expect(said[0]).to.equal("waiting for the database to be migrated");
    await migrateDatabase(db, options({ release: release() }));
    await waiting;
  });

  it("lets a process end that waits for a server which is not there", async () => {
    const db = open({ ...(await server.create()), host: "127.0.0.1", port: 9 });
    const said: string[] = [];
    const stop = new AbortController();
    const waiting = rejection(awaitDatabase(db, hearing(said), stop.signal), "connection-lost", "ECONNREFUSED");
    await saysMore(said, 2);
    expect(new Set(said)).to.deep.equal(new Set(["waiting for the database, which does not answer"]));
    stop.abort();
    await waiting;
  });

  it("leaves nothing behind when a step fails, and goes on with it the next time", async () => {
    const db = open(await server.create());
    const ran: string[] = [];
    const [first, second] = steps(ran);
    const broken: Migration = {
      version: 2,
      name: "0002-b",
      async up(transaction) {
        await transaction.raw("create table half (id int)");
        await transaction.raw("create table half (id int)");
      },
    };
    await rejection(migrateDatabase(db, options({ migrations: [first as Migration, broken] })), "invariant", "migration 0002-b", "half");
    expect(await readSchemaVersion(db)).to.deep.include({ version: 1 });
    expect(await db.schema.hasTable("half")).to.equal(false);
    expect(await migrateDatabase(db, options({ migrations: [first as Migration, second as Migration] }))).to.deep.equal([2]);
  });

  it("takes over the claim of a process that died, and not before its time", async () => {
    const db = open(await server.create());
    const migrations = steps([]);
    await migrateDatabase(db, options({ migrations: migrations.slice(0, 1) }));
    await db("schema_migrations").insert({ version: 2, name: "0002-b", release: "0.1.0", claimed_by: "dead" });
    const patient = options({ migrations, waitMs: 250 });
    await rejection(migrateDatabase(db, patient), "timeout", 'migration 0002-b is being applied by "dead"');
    expect(await migrateDatabase(db, options({ migrations, claimTimeoutMs: 1 }))).to.deep.equal([2]);
  });

  it("changes nothing for a process whose claim was taken over while it slept", async () => {
    const where = await server.create();
    const [db, other] = [open(where), open(where)];
    const ran: string[] = [];
    const migrations = steps(ran);
    await migrateDatabase(db, options({ migrations: migrations.slice(0, 1) }));
    // The sleeper has its claim; before its transaction begins the other one takes it.
    const pool = open(where);
    let stolen = false;
    const transaction = async (work: (db: Database) => Promise<unknown>) => {
      stolen = (await other("schema_migrations").where({ version: 2 }).update({ claimed_by: "thief" })) === 1;
      return pool.transaction(work);
    };
    const sleeper = new Proxy((() => undefined) as unknown as Database, {
      apply: (_target, _self, [table]: [string]) => pool(table),
      get: (_target, name) => (name === "transaction" ? transaction : Reflect.get(pool, name)),
    });
    expect(await migrateDatabase(sleeper, options({ claimant: "sleeper", migrations }))).to.deep.equal([]);
    expect(stolen).to.equal(true);
    expect(ran).to.deep.equal(["0001-a"]);
    expect(await readSchemaVersion(db)).to.deep.include({ version: 1 });
  });

  it("gives 64-bit integers exactly, and refuses states and ids that do not exist", async () => {
    const db = open(await server.create());
    await migrateDatabase(db, options());
    await db("pipelines").insert(PIPELINE);
    const big = 2n ** 63n - 1n;
    await db("jobs").insert({ ...JOB, run_fence: big });
    expect(await db("jobs").pluck("run_fence")).to.deep.equal([big]);
    await refused(db("jobs").update({ state: "Running" }), "jobs_state_check");
    await refused(db("jobs").update({ desired_parallelism: 5000 }), "jobs_desired_parallelism_check");
    await refused(db("pipelines").insert({ ...PIPELINE, id: "x_1" }), "pl_id_check");
    await refused(db("jobs").insert({ ...JOB, id: "job_2", pipeline_id: "pl_2" }), "foreign key");
  });

  it("lets one manifest count per epoch, and none without its checksum", async () => {
    const db = open(await server.create());
    await migrateDatabase(db, options());
    await db("pipelines").insert(PIPELINE);
    await db("jobs").insert(JOB);
    const checkpoint = { job_id: "job_1", epoch: 1, state: "complete", kind: "scheduled", program_fingerprint: "ab", parallelism: 1 };
    const manifest = { manifest_path: "m", manifest_checksum: "cd", manifest_version: 1 };
    await refused(db("checkpoints").insert({ ...checkpoint, id: "chk_1", run_fence: 1 }), "checkpoints_manifest_check");
    await db("checkpoints").insert({ ...checkpoint, ...manifest, id: "chk_1", run_fence: 1 });
    await refused(db("checkpoints").insert({ ...checkpoint, ...manifest, id: "chk_2", run_fence: 2 }), "checkpoints_counting_index");
    await db("checkpoints").insert({ ...checkpoint, id: "chk_3", run_fence: 3, state: "failed" });
    await db("pipelines").delete();
    expect(await db("checkpoints").pluck("id"), "checkpoints go with their pipeline").to.deep.equal([]);
  });

  it("answers each of several clients with its own rows", async () => {
    const where = await server.create();
    const clients = [open(where), open(where), open(where)];
    const ask = (i: number) => clients[i % 3]?.raw<{ rows: { n: number }[] }>("select ?::int as n", [i]);
    const answers = await Promise.all(Array.from({ length: 90 }, (_, i) => ask(i)));
    expect(answers.map((answer) => answer?.rows[0]?.n)).to.deep.equal(Array.from({ length: 90 }, (_, i) => i));
  });

  it("has a lease that compare-and-set gives to one of several who want it", async () => {
    const where = await server.create();
    await migrateDatabase(open(where), options());
    const [first, second] = [open(where), open(where)];
    await first("leases").insert({ name: "controller", expires_at: first.fn.now() });
    const take = (db: Database, holder: string) =>
      db("leases")
        .where({ name: "controller", fencing_epoch: 0 })
        .whereRaw("expires_at <= now()")
        .update({ holder, fencing_epoch: 1, expires_at: db.raw("now() + interval '10 seconds'") });
    const taken = await Promise.all([take(first, "a"), take(second, "b"), take(first, "c"), take(second, "d")]);
    expect(taken.sort()).to.deep.equal([0, 0, 0, 1]);
  });
}

async function refused(query: PromiseLike<unknown>, part: string): Promise<void> {
  const message = await Promise.resolve(query).then(
    () => expect.fail(`not refused: ${part}`),
    (error: unknown) => String(error),
  );
  expect(message).to.contain(part);
}

describe("migrations on PGlite", function () {
  this.timeout(120_000);
  migrating(startPglite);
});

describe("migrations on PostgreSQL", function () {
  this.timeout(120_000);
  requires("postgres", postgresAbsence);
  migrating(startPostgres);

  it("keeps its tables in the schema it was told, and times statements out", async () => {
    const server = await startPostgres();
    const where = await server.create();
    const admin = openDatabase(where);
    await admin.raw("create schema streams");
    const db = openDatabase({ ...where, schema: "streams", statementTimeoutMs: 60 });
    await migrateDatabase(db, options({ migrations: steps([]) }));
    const found = await textsOf(admin, "select schemaname as text from pg_tables where tablename = 'schema_migrations'");
    expect(found).to.deep.equal(["streams"]);
    await refused(db.raw("select pg_sleep(5)"), "statement timeout");
    await Promise.all([admin.destroy(), db.destroy()]);
    await server.stop();
  });
});
