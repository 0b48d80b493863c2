/** A cluster whose database goes away for a while: workers go on, users are told, and nothing is lost when it is back. */
import { expect } from "chai";
import { needsClusterBuild, TestCluster } from "../support/cluster-process.ts";
import { DatabaseProxy } from "../support/database-proxy.ts";
import { type DatabaseServer, startPglite } from "../support/databases.ts";
import { eventually } from "../support/eventually.ts";
import { FailurePipeline } from "../support/failure-pipeline.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

/** A minute, where there is time. */
const AWAY_MS = 1_000 * Number(process.env["WADI_DATABASE_AWAY_SECONDS"] ?? 10);
const READ_DELAY_MS = 500 + AWAY_MS / 30;

describe("a cluster without its database", function () {
  this.timeout(240_000 + 2 * AWAY_MS);
  needsClusterBuild();
  let server: DatabaseServer;
  let proxy: DatabaseProxy;
  let cluster: TestCluster;

  before(() => {
    server = startPglite();
  });
  after(async () => {
    proxy.close();
    await server.stop();
  });
  afterEach(function () {
    const left = cluster.processes();
    cluster.killAll();
    if (this.currentTest?.state === "failed") process.stderr.write(`${cluster.said}\n${cluster.logs()}\n`);
    else expect(left).to.deep.equal([]);
  });

  it("goes on with the same worker when it is back, and says meanwhile that it is away", async () => {
    const folder = temporaryFolder("away");
    const { host, port, database, user } = await server.create();
    proxy = new DatabaseProxy(folder, host, port);
    await proxy.open();
    const settings = { DATABASE_HOST: folder, DATABASE_PORT: String(port), DATABASE_NAME: database, DATABASE_USER: user };
    cluster = await TestCluster.in(folder, { ...FailurePipeline.environment(folder), ...settings });
    const pipeline = new FailurePipeline(cluster, 13);
    pipeline.slow(READ_DELAY_MS);
    await cluster.start();
    await pipeline.create(2);
    const before = await pipeline.advanced(0);
    const parts = cluster.processes();

    proxy.close();
    const answer = await cluster.api("GET", "/pipelines");
    expect(answer.status).to.be.within(500, 503);
    expect(answer.body.error).to.match(/database/);
    await new Promise((resolve) => setTimeout(resolve, AWAY_MS));
    expect(cluster.processes()).to.deep.equal(parts);
    pipeline.expectMiddle();
    await proxy.open();

    await eventually(
      "the API answers again",
      async () => ((await cluster.api("GET", "/pipelines")).status === 200 ? true : undefined),
      30_000,
    );
    await pipeline.advanced(before.epoch, 2);
    await pipeline.finish();
    expect((await pipeline.job()).run_id).to.equal(before.run_id);
    expect(await cluster.stop()).to.equal(0);
  });
});
