/**
 * Four workers of a real cluster with TLS everywhere, whose controller moves: the leader hangs, another one leads at an address that the
 * workers can only learn from their file. No worker is started again, and no row is lost or repeated.
 */
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "node:tls";
import { expect } from "chai";
import { kill, needsClusterBuild, TestCluster } from "../support/cluster-process.ts";
import { eventually } from "../support/eventually.ts";
import { FailurePipeline } from "../support/failure-pipeline.ts";
import { StandbyController } from "../support/standby-controller.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const READ_DELAY_MS = 1_000;
const WORKERS = 4;

/** The names in the certificate that whoever listens on `port` shows. */
async function nameOf(port: number): Promise<string> {
  const socket = connect({ host: "127.0.0.1", port, rejectUnauthorized: false, ALPNProtocols: ["h2"] });
  try {
    await once(socket, "secureConnect");
    return socket.getPeerCertificate().subjectaltname ?? "";
  } finally {
    socket.destroy();
  }
}

describe("a controller that moves under workers that speak TLS", function () {
  this.timeout(240_000);
  needsClusterBuild();
  let cluster: TestCluster;
  let standby: StandbyController;

  afterEach(async function () {
    const failed = this.currentTest?.state === "failed";
    if (failed) process.stderr.write(`${cluster.said}\n${cluster.logs()}\n--- standby\n${standby.said}\n`);
    else expect(await cluster.stop()).to.equal(0);
    await standby.stop();
    const left = cluster.processes();
    cluster.killAll();
    if (!failed) expect(left, "processes left").to.deep.equal([]);
  });

  it("is found by their file, and none of them is started again", async () => {
    const folder = temporaryFolder("tls");
    const controllers = join(folder, "controllers");
    cluster = await TestCluster.in(folder, {
      ...FailurePipeline.environment(folder),
      WADI__TLS__MODE: "on",
      WADI__PROCESS__SLOTS_PER_PROCESS: "1",
      WADI_CONTROLLERS_FILE: controllers,
    });
    standby = await StandbyController.of(cluster);
    // Nobody is told of the other one: as where controllers are placed by an outside system.
    const first = `127.0.0.1:${cluster.ports.controller}`;
    cluster.set({ WADI__CONTROLLER_ENDPOINT: first });
    writeFileSync(controllers, `${first}\n`);
    const pipeline = new FailurePipeline(cluster, 12);
    pipeline.slow(READ_DELAY_MS);
    await cluster.start();
    await standby.start();
    await pipeline.create(WORKERS);
    const before = await pipeline.advanced(0);
    expect(await nameOf(cluster.ports.controller)).to.contain("DNS:controller.wadi.internal");
    const workers = cluster.pids("worker");
    expect(workers).to.have.length(WORKERS);
    const leader = cluster.controllerOfCluster();
    process.kill(leader, "SIGSTOP");
    await eventually("the other one leads", async () => ((await standby.leads()) === true ? true : undefined), 20_000);
    writeFileSync(controllers, `${standby.endpoint}\n`);
    await pipeline.advanced((await pipeline.job()).epoch, 3);
    expect(cluster.pids("worker")).to.deep.equal(workers);
    await pipeline.finish();
    expect((await pipeline.job()).run_id).to.equal(before.run_id);
    kill(leader);
  });
});
