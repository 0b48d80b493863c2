/**
 * `wadi recover`: the database of a cluster is lost in the middle of a run, and a new one is made from what lies beside the checkpoints. What the
 * pipeline has written in the end is the batch answer, exactly.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect } from "chai";
import { needsClusterBuild, TestCluster } from "../support/cluster-process.ts";
import { type DatabaseServer, postgresAbsence, startPostgres } from "../support/databases.ts";
import { eventually } from "../support/eventually.ts";
import { FailurePipeline } from "../support/failure-pipeline.ts";
import { type MotoServer, motoAbsence, startMoto } from "../support/moto-server.ts";
import { requires } from "../support/requirement.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const READ_DELAY_MS = 150;

/** Settings that name a new database of `server`. */
async function newDatabase(server: DatabaseServer): Promise<NodeJS.ProcessEnv> {
  const { host, port, database, user, password } = await server.create();
  return { DATABASE_HOST: host, DATABASE_PORT: String(port), DATABASE_NAME: database, DATABASE_USER: user, DATABASE_PASSWORD: password };
}

function recovering(store: (folder: string) => { readonly url: string; readonly environment: NodeJS.ProcessEnv }): void {
  let server: DatabaseServer;
  let cluster: TestCluster;
  let pipeline: FailurePipeline;
  let url: string;

  before(async () => {
    server = await startPostgres();
  });
  after(async () => await server.stop());
  afterEach(function () {
    if (this.currentTest?.state === "failed") process.stderr.write(`${cluster.said}\n${cluster.logs()}\n`);
    cluster.killAll();
  });

  function recover(...args: string[]) {
    const words = cluster.command("recover", "--from", url, ...args);
    return spawnSync(process.execPath, words, { cwd: cluster.folder, env: cluster.env, encoding: "utf8", timeout: 60_000 });
  }

  it("brings a pipeline back to its last epoch in an empty database, and its rows are exact", async () => {
    const folder = temporaryFolder("recover");
    const place = store(folder);
    ({ url } = place);
    const environment = { ...FailurePipeline.environment(folder), ...place.environment, CHECKPOINT_URL: url };
    cluster = await TestCluster.in(folder, { ...environment, ...(await newDatabase(server)) });
    pipeline = new FailurePipeline(cluster, 23);
    pipeline.slow(READ_DELAY_MS);
    await cluster.start();
    await pipeline.create(2);
    const before = await pipeline.advanced(0, 2);
    expect(recover("--yes").stderr).to.match(/the database is in use: it has rows in pipelines/);
    cluster.killAll();
    await eventually("no process is left", () => (cluster.processes().length === 0 ? true : undefined), 30_000);

    cluster.set(await newDatabase(server));
    const plan = recover("--json");
    expect(plan.stderr).to.match(/recover asks before it changes anything/);
    const [found] = JSON.parse(plan.stdout).jobs;
    expect(found).to.deep.include({ job: before.id, pipeline: "failure test", parallelism: 2, recovered: true, refused: null });
    expect(found.epoch).to.be.at.least(before.epoch);
    const { status, stderr } = recover("--yes");
    expect(status, stderr).to.equal(0);

    await cluster.start();
    const stopped = await pipeline.job();
    expect(stopped).to.deep.include({ id: before.id, state: "Stopped", epoch: found.epoch });
    await pipeline.patch({ stop: "none" });
    await pipeline.advanced(stopped.epoch, 1);
    await pipeline.finish();
  });
}

describe("recovering from a directory", function () {
  this.timeout(240_000);
  requires("postgres", postgresAbsence);
  needsClusterBuild();
  recovering((folder) => ({ url: join(folder, "checkpoints"), environment: {} }));
});

describe("recovering from S3", function () {
  this.timeout(240_000);
  requires("postgres", postgresAbsence);
  requires("s3", motoAbsence);
  needsClusterBuild();
  let moto: MotoServer;
  before(async () => {
    moto = await startMoto();
  });
  after(async () => await moto.stop());
  recovering(() => {
    const keys = { AWS_ACCESS_KEY_ID: "testing", AWS_SECRET_ACCESS_KEY: "testing" };
    return { url: `s3://${moto.bucket}/recover?endpoint=${moto.endpoint}&region=us-east-1`, environment: keys };
  });
});
