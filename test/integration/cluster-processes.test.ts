/** The process tree of `wadi cluster` without pipelines: starting, dying, stopping. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { expect } from "chai";
import { kill, needsClusterBuild, TestCluster } from "../support/cluster-process.ts";
import { eventually } from "../support/eventually.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

/** Restarting a cluster, milliseconds; three times the 3 s of an idle machine. */
const RESTART_LIMIT_MS = 9_000;

describe("cluster processes", function () {
  this.timeout(120_000);
  needsClusterBuild();
  let cluster: TestCluster;

  beforeEach(async () => {
    cluster = await TestCluster.in(temporaryFolder("cluster"));
  });
  afterEach(function () {
    const left = cluster.processes();
    cluster.killAll();
    expect(left, this.currentTest?.state === "failed" ? cluster.logs() : "").to.deep.equal([]);
  });

  /** The parts that run, once there is one process of each. */
  const whole = (): Promise<Record<string, number>> =>
    eventually(
      "each part runs once",
      async () => {
        const answer = await fetch(`http://127.0.0.1:${cluster.ports.admin}/status`).catch(() => undefined);
        const parts = Object.fromEntries(cluster.processes().map(({ command, pid }) => [command, pid]));
        return answer?.status === 200 && Object.keys(parts).length === 3 && cluster.processes().length === 3 ? parts : undefined;
      },
      30_000,
    );

  it("starts the parts, prints the link, and stops with exit code 0 at Ctrl-C; starting again is fast", async () => {
    await cluster.start();
    const parts = await whole();
    expect(Object.keys(parts).sort()).to.deep.equal(["api", "cluster", "controller"]);
    expect(cluster.said).to.match(new RegExp(`http://localhost:${cluster.ports.api}/#token=[\\w-]{20,}`));
    expect((await cluster.api("GET", "/pipelines")).body.data).to.deep.equal([]);
    expect(await cluster.stop()).to.equal(0);
    expect(cluster.processes()).to.deep.equal([]);
    const restartMs = await cluster.start();
    expect(restartMs).to.be.lessThan(RESTART_LIMIT_MS);
    expect(await cluster.stop()).to.equal(0);
  });

  it("keeps the state directory to the user, and the token from start to start", async () => {
    await cluster.start();
    const token = join(cluster.stateDir, "session-token");
    const first = readFileSync(token, "utf8");
    expect(statSync(cluster.stateDir).mode & 0o777).to.equal(0o700);
    expect(statSync(token).mode & 0o777).to.equal(0o600);
    expect(cluster.logs(1_000)).not.to.contain(first.trim());
    await cluster.stop();
    await cluster.start();
    expect(readFileSync(token, "utf8")).to.equal(first);
    await cluster.stop();
  });

  for (const part of ["api", "controller"]) {
    it(`starts the ${part} again after kill -9, on the same port, and says so`, async () => {
      await cluster.start();
      const before = await whole();
      kill(before[part] as number);
      const after = await eventually("it runs again", async () => {
        const now = await whole();
        return now[part] === before[part] ? undefined : now;
      });
      expect({ ...after, [part]: 0 }).to.deep.equal({ ...before, [part]: 0 });
      expect(cluster.said).to.contain(`${part} died (it was ended by SIGKILL)`);
      expect((await cluster.api("GET", "/ping")).status).to.equal(200);
      expect(await cluster.stop()).to.equal(0);
    });
  }

  it("leaves no process behind when the supervisor is killed, and starts again at once", async () => {
    await cluster.start();
    await whole();
    kill(cluster.process.pid as number);
    await cluster.start();
    expect(
      cluster
        .processes()
        .map(({ command }) => command)
        .sort(),
    ).to.deep.equal(["api", "cluster", "controller"]);
    kill(cluster.process.pid as number);
    await eventually("all have ended", () => (cluster.processes().length === 0 ? true : undefined));
  });

  it("ends a child of a killed supervisor that hangs", async () => {
    await cluster.start();
    const { api = 0 } = await whole();
    process.kill(api, "SIGSTOP");
    kill(cluster.process.pid as number);
    await cluster.start();
    expect(cluster.pids("api")).to.have.length(1).and.not.to.include(api);
    await cluster.stop();
  });

  it("stops at once with exit code 130 at a second Ctrl-C", async () => {
    await cluster.start();
    const { controller = 0 } = await whole();
    process.kill(controller, "SIGSTOP");
    const ended = once(cluster.process, "exit");
    cluster.process.kill("SIGINT");
    await eventually("it stops", () => (cluster.said.includes("stopping") ? true : undefined));
    // A keystroke that arrives twice is one.
    cluster.process.kill("SIGINT");
    const again = setInterval(() => cluster.process.kill("SIGINT"), 350);
    const [code] = await ended;
    clearInterval(again);
    expect(code).to.equal(130);
    await eventually("all have ended", () => (cluster.processes().length === 0 ? true : undefined));
  });

  const run = (...words: string[]): ChildProcess =>
    spawn(process.execPath, cluster.command(...words), { cwd: cluster.folder, env: cluster.env, stdio: ["ignore", "ignore", "pipe"] });

  it("refuses a state directory in use, and names the process", async () => {
    await cluster.start();
    const second = run("cluster", "--state-dir", cluster.stateDir);
    const [said, [code]] = await Promise.all([text(second.stderr as NodeJS.ReadableStream), once(second, "exit")]);
    expect(said).to.contain(`in use by process ${cluster.process.pid}`);
    expect(code).to.equal(1);
    await whole();
    await cluster.stop();
  });

  for (const [part, setting] of [
    ["api", "api.http-port"],
    ["admin", "admin.http-port"],
    ["controller", "controller.rpc-port"],
  ] as const) {
    it(`says which port is taken, by whom, and that ${setting} chooses it`, async () => {
      const taken = createServer().listen(cluster.ports[part], "127.0.0.1");
      await once(taken, "listening");
      const refused = run("cluster", "--state-dir", cluster.stateDir);
      const [said, [code]] = await Promise.all([text(refused.stderr as NodeJS.ReadableStream), once(refused, "exit")]);
      taken.close();
      expect(said).to.contain(`port ${cluster.ports[part]} of 127.0.0.1 is taken by process ${process.pid}`).and.to.contain(setting);
      expect(code).to.equal(1);
    });
  }
});
