/**
 * Two controllers: when the leader dies the other leads within 3 seconds, and no worker is restarted. On the embedded database and, where it
 * is installed, on a server of PostgreSQL, which also goes away for a while.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { kill, needsClusterBuild, TestCluster } from "../support/cluster-process.ts";
import { type DatabaseServer, postgresAbsence, startPostgres } from "../support/databases.ts";
import { eventually } from "../support/eventually.ts";
import { FailurePipeline, type JobState } from "../support/failure-pipeline.ts";
import { freePorts } from "../support/free-ports.ts";
import { requires } from "../support/requirement.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const ROUNDS = Number(process.env["WADI_CLUSTER_ROUNDS"] ?? 1);
/** A worker notices a controller that hangs only when its connection is not answered for a while. */
const READ_DELAY_MS = 1_000;
const FAILOVER_LIMIT_MS = 3_000;

describe("two controllers", function () {
  this.timeout(240_000);
  needsClusterBuild();
  let cluster: TestCluster;
  let pipeline: FailurePipeline;
  let standby: ChildProcess;
  let standbyAdmin = 0;

  async function start(settings: NodeJS.ProcessEnv): Promise<JobState> {
    const folder = temporaryFolder("failover");
    const [standbyRpc = 0, admin = 0] = await freePorts(2);
    standbyAdmin = admin;
    cluster = await TestCluster.in(folder, { ...FailurePipeline.environment(folder), ...settings });
    const both = `127.0.0.1:${cluster.ports.controller},127.0.0.1:${standbyRpc}`;
    cluster.set({ WADI__CONTROLLER_ENDPOINT: both });
    pipeline = new FailurePipeline(cluster, 11);
    pipeline.slow(READ_DELAY_MS);
    await cluster.start();
    const output = openSync(join(folder, "standby.out"), "a");
    standby = spawn(process.execPath, cluster.command("controller"), {
      cwd: folder,
      env: {
        ...cluster.env,
        WADI__STATE_DIR: cluster.stateDir,
        WADI__CHECKPOINT_URL: join(cluster.stateDir, "checkpoints"),
        WADI__CONTROLLER__RPC_PORT: String(standbyRpc),
        WADI__ADMIN__HTTP_PORT: String(admin),
        ...(settings["DATABASE_HOST"] === undefined
          ? { DATABASE_HOST: join(cluster.stateDir, "socket"), DATABASE_USER: "postgres", DATABASE_NAME: "postgres" }
          : {}),
      },
      stdio: ["ignore", output, output],
    });
    await eventually("the standby stands by", async () => ((await standbyLeads()) === false ? true : undefined), 30_000);
    await pipeline.create(1);
    return pipeline.advanced(0);
  }

  /** Whether the standby leads now; undefined while it does not answer. */
  async function standbyLeads(): Promise<boolean | undefined> {
    const answer = await fetch(`http://127.0.0.1:${standbyAdmin}/status`).catch(() => undefined);
    const status = (await answer?.json()) as { leads?: string } | undefined;
    return status?.leads === undefined ? undefined : status.leads === "true";
  }

  afterEach(async function () {
    const failed = this.currentTest?.state === "failed";
    if (failed)
      process.stderr.write(
        `${cluster.said}\n${cluster.logs()}\n--- standby\n${readFileSync(join(cluster.folder, "standby.out"), "utf8")}\n`,
      );
    else expect(await cluster.stop()).to.equal(0);
    const ended = once(standby, "exit");
    standby.kill("SIGTERM");
    if (standby.exitCode === null && standby.signalCode === null) await ended;
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
      await eventually("the standby leads", async () => ((await standbyLeads()) === true ? true : undefined), 20_000);
      expect(performance.now() - diedMs).to.be.lessThan(FAILOVER_LIMIT_MS);
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
      kill(cluster.controllerOfCluster());
      const diedMs = performance.now();
      await eventually("the standby leads", async () => ((await standbyLeads()) === true ? true : undefined), 20_000);
      expect(performance.now() - diedMs).to.be.lessThan(FAILOVER_LIMIT_MS);
      await pipeline.advanced(before.epoch, 3);
      expect(cluster.pids("worker")).to.deep.equal(workers);
      await pipeline.finish();
      expect((await pipeline.job()).run_id).to.equal(before.run_id);
    });
    after(async () => server?.stop());
  });
});
