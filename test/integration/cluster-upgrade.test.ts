/**
 * `wadi upgrade` on a real cluster, as the command that people type: pipelines move one by one to another build, a pinned one stays, builds that
 * crash are reported and given up, and the way back is known. Every row is published once.
 */
import { execFile } from "node:child_process";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect } from "chai";
import { needsClusterBuild, TestCluster } from "../support/cluster-process.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { TickPipeline } from "../support/tick-pipeline.ts";

const INTERVAL_MS = 1_000;

describe("wadi upgrade on a cluster", function () {
  this.timeout(180_000);
  needsClusterBuild();
  let cluster: TestCluster;

  afterEach(async function () {
    const failed = this.currentTest?.state === "failed";
    if (failed) process.stderr.write(`${cluster.said}\n${cluster.logs()}\n`);
    else expect(await cluster.stop()).to.equal(0);
    const left = cluster.processes();
    cluster.killAll();
    if (!failed) expect(left, "processes left").to.deep.equal([]);
  });

  /** Builds that workers can be moved to: a good one, one that ends at once, and one that ends when it has begun to run. */
  function install(): void {
    const builds = join(cluster.stateDir, "builds");
    const main = pathToFileURL(join(cluster.dist, "cli", "main.js")).href;
    const crashing = {
      broken: "process.exit(3);\n",
      // It takes over and runs, and dies of the first barrier of its own.
      frail: [
        'import { Worker } from "node:worker_threads";',
        "const { postMessage } = Worker.prototype;",
        "Worker.prototype.postMessage = function (message, ...rest) {",
        '  if (message?.kind === "trigger") process.exit(4);',
        "  return postMessage.call(this, message, ...rest);",
        "};",
        `await import(${JSON.stringify(main)});\n`,
      ].join("\n"),
    };
    for (const [name, text] of Object.entries(crashing)) {
      mkdirSync(join(builds, name, "cli"), { recursive: true });
      writeFileSync(join(builds, name, "cli", "main.js"), text);
      writeFileSync(join(builds, name, "package.json"), '{"type":"module"}\n');
    }
    symlinkSync(cluster.dist, join(builds, "next"));
  }

  /** What `wadi upgrade` with these words ends with, and what it says. */
  function upgrade(...words: string[]): Promise<{ readonly code: number; readonly said: string }> {
    const args = cluster.command("upgrade", ...words, "--api-url", `http://127.0.0.1:${cluster.ports.api}`);
    const env = { ...cluster.env, WADI_API_TOKEN: readFileSync(join(cluster.stateDir, "session-token"), "utf8").trim() };
    return new Promise((resolve) => {
      execFile(process.execPath, args, { cwd: cluster.folder, env }, (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : Number(error.code), said: `${stdout}${stderr}` });
      });
    });
  }

  it("moves pipelines one by one, gives up what crashes, leaves what is pinned, and goes back", async () => {
    cluster = await TestCluster.in(temporaryFolder("upgrade"));
    install();
    await cluster.start();
    const one = new TickPipeline(cluster, "one");
    const two = new TickPipeline(cluster, "two");
    const pinned = new TickPipeline(cluster, "pinned");
    const [first] = await Promise.all([one.create(INTERVAL_MS), two.create(INTERVAL_MS), pinned.create(INTERVAL_MS)]);
    await pinned.patch({ tags: { build: "pinned" } });
    const stays = await pinned.until("it runs", () => true);
    const builds = async () => (await Promise.all([one.job(), two.job(), pinned.job()])).map((job) => job?.running_worker_build);

    expect(await upgrade("plan", "next", "--out", "next.json")).to.include({ code: 0 });
    const moved = await upgrade("apply", "next.json", "--timeout", "40s");
    expect(moved.said.match(/: moved/g), moved.said).to.have.length(2);
    expect(moved.code).to.equal(0);
    expect(await builds()).to.deep.equal(["next", "next", ""]);
    // "Moved" means that the new build has taken a checkpoint of its own.
    expect(await one.timeline()).to.include("build-moved");
    expect(await two.timeline()).to.include("build-moved");

    const runs = async (): Promise<number> => ((await one.job())?.run_id ?? 0) + ((await two.job())?.run_id ?? 0);
    const before = await runs();
    for (const build of ["broken", "frail"]) {
      expect(await upgrade("plan", build, "--out", "bad.json")).to.include({ code: 0 });
      const refused = await upgrade("apply", "bad.json", "--timeout", "60s");
      expect(refused.said).to.match(/did not come up with build "\w+" and stays with build "next"/);
      expect(refused.said).to.contain("stopped: the 1 pipelines after it");
      expect(refused.code).to.equal(1);
      // The one never runs; the other did, and was left for another run of the good build.
      expect((await runs()) - before, build).to.be.within(build === "broken" ? 0 : 2, build === "broken" ? 0 : 4);
    }
    for (const pipeline of [one, two]) {
      expect(await pipeline.until("it runs on", () => true)).to.include({ running_worker_build: "next", restarts: 0 });
    }

    const back = await upgrade("rollback", "next.json", "--timeout", "40s");
    expect(back.said.match(/: moved/g), back.said).to.have.length(2);
    expect(back.code).to.equal(0);
    expect(await builds()).to.deep.equal(["", "", ""]);
    expect((await one.job())?.run_id).to.be.greaterThan(first.run_id);
    expect(await pinned.job()).to.include({ run_id: stays.run_id, restarts: 0 });
    for (const pipeline of [one, two, pinned]) pipeline.expectEveryNumberOnce(500);
  });
});
