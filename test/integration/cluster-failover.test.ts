/**
 * Two controllers: when the leader dies the other leads within 3 seconds, and no worker is restarted. On the embedded database and, where it
 * is installed, on a server of PostgreSQL, which also goes away for a while.
 */
import { expect } from "chai";
import { kill, needsClusterBuild, TestCluster } from "../support/cluster-process.ts";
import { type DatabaseServer, postgresAbsence, startPostgres } from "../support/databases.ts";
import { eventually } from "../support/eventually.ts";
import { failoverLimitMs } from "../support/failover-limit.ts";
import { FailurePipeline, type JobState } from "../support/failure-pipeline.ts";
import { requires } from "../support/requirement.ts";
import { StandbyController } from "../support/standby-controller.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const ROUNDS = Number(process.env["WADI_CLUSTER_ROUNDS"] ?? 1);
const READ_DELAY_MS = 1_000;
/**
 * A leader that hangs keeps its connections: its worker leaves it when leases have not been renewed for 4.5 s, and is with the next one within
 * 5 s. The next checkpoint begins when it is due, a second apart, and has to be complete.
 */
const HANGING_LIMIT_MS = 6_000;

describe("two controllers", function () {
  this.timeout(240_000);
  needsClusterBuild();
  let cluster: TestCluster;
  let pipeline: FailurePipeline;
  let standby: StandbyController;

  async function start(settings: NodeJS.ProcessEnv): Promise<JobState> {
    const folder = temporaryFolder("failover");
    cluster = await TestCluster.in(folder, { ...FailurePipeline.environment(folder), ...settings });
    standby = await StandbyController.of(cluster);
    pipeline = new FailurePipeline(cluster, 11);
    pipeline.slow(READ_DELAY_MS);
    await cluster.start();
    await standby.start();
    await pipeline.create(1);
    return pipeline.advanced(0);
  }

  afterEach(async function () {
    const failed = this.currentTest?.state === "failed";
    if (failed) process.stderr.write(`${cluster.said}\n${cluster.logs()}\n--- standby\n${standby.said}\n`);
    else expect(await cluster.stop()).to.equal(0);
    await standby.stop();
    const left = cluster.processes();
    cluster.killAll();
    if (!failed) expect(left, "processes left").to.deep.equal([]);
  });

  for (let round = 1; round <= ROUNDS; round++) {
    it(`the standby leads within 3 s of the leader's death and goes on with the same worker (embedded database${ROUNDS === 1 ? "" : `, round ${round}`})`, async () => {
      const before = await start({});
      const workers = cluster.pids("worker");
      const leader = cluster.controllerOfCluster();
      // The supervisor would start it again, and it might come first.
      process.kill(leader, "SIGSTOP");
      const diedMs = performance.now();
      await eventually("the standby leads", async () => ((await standby.leads()) === true ? true : undefined), 20_000);
      expect(performance.now() - diedMs).to.be.lessThan(failoverLimitMs());
      const { epoch } = await pipeline.job();
      await pipeline.until("the next epoch is complete", (job) => job.epoch > epoch, 20_000);
      expect(performance.now() - diedMs, "until the next epoch was complete").to.be.lessThan(HANGING_LIMIT_MS + failoverLimitMs());
      await pipeline.advanced(before.epoch, 3);
      expect(cluster.pids("worker")).to.deep.equal(workers);
      // It wakes up and believes to lead.
      process.kill(leader, "SIGCONT");
      await pipeline.advanced((await pipeline.job()).epoch, 2);
      await pipeline.finish();
      expect((await pipeline.job()).run_id).to.equal(before.run_id);
      kill(leader);
    });
  }

  describe("with PostgreSQL", () => {
    requires("postgres", postgresAbsence);
    let server: DatabaseServer;

    it("the other leads within 3 s of kill -9", async () => {
      server = await startPostgres();
      const { host, port, database, user } = await server.create();
      const before = await start({ DATABASE_HOST: host, DATABASE_PORT: String(port), DATABASE_NAME: database, DATABASE_USER: user });
      const workers = cluster.pids("worker");
      // The supervisor would start it again, and it might come first: it sleeps until the other leads.
      cluster.process.kill("SIGSTOP");
      kill(cluster.controllerOfCluster());
      const diedMs = performance.now();
      await eventually("the standby leads", async () => ((await standby.leads()) === true ? true : undefined), 20_000);
      expect(performance.now() - diedMs).to.be.lessThan(failoverLimitMs());
      cluster.process.kill("SIGCONT");
      await pipeline.advanced(before.epoch, 3);
      expect(cluster.pids("worker")).to.deep.equal(workers);
      await pipeline.finish();
      expect((await pipeline.job()).run_id).to.equal(before.run_id);
    });
    after(async () => server?.stop());
  });
});
