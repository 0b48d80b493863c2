/**
 * Bad situations of a running cluster that are nobody's crash: the object store away, the disk full, a worker that never registers, a
 * function that throws or does not return, a pipeline deleted while it runs. Each has to show in the job's state and words, and to leave
 * nothing behind.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { needsClusterBuild, TestCluster } from "../support/cluster-process.ts";
import { eventually } from "../support/eventually.ts";
import { FailurePipeline } from "../support/failure-pipeline.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

interface Failure {
  readonly error: string;
  readonly domain: string;
}

interface Job {
  readonly id: string;
  readonly state: string;
  readonly restarts: number;
  readonly failure_reason: Failure | null;
}

describe("bad situations of a cluster", function () {
  this.timeout(240_000);
  needsClusterBuild();
  let cluster: TestCluster;

  async function start(settings: NodeJS.ProcessEnv = {}): Promise<void> {
    const folder = temporaryFolder("situations");
    cluster = await TestCluster.in(folder, { ...FailurePipeline.environment(folder), ...settings });
    await cluster.start();
  }

  async function create(query: string): Promise<string> {
    const { status, body } = await cluster.api("POST", "/pipelines", {
      name: "situation",
      query,
      parallelism: 1,
      checkpoint_interval_micros: 1_000_000,
    });
    expect(status, JSON.stringify(body)).to.equal(200);
    return body.id as string;
  }

  function jobWhen(pipeline: string, what: string, wanted: (job: Job) => boolean, limitMs = 60_000): Promise<Job> {
    return eventually(
      what,
      async () => {
        const { body } = await cluster.api("GET", `/pipelines/${pipeline}/jobs`);
        const job = body.data[0] as Job;
        return wanted(job) ? job : undefined;
      },
      limitMs,
    );
  }

  afterEach(async function () {
    const failed = this.currentTest?.state === "failed";
    const code = failed ? 0 : await cluster.stop();
    if (failed) process.stderr.write(`${cluster.said}\n${cluster.logs()}\n`);
    const left = failed ? [] : cluster.processes();
    cluster.killAll();
    expect(left, "processes left").to.deep.equal([]);
    expect(code).to.equal(0);
  });

  const EVENTS =
    "CREATE TABLE events WITH (connector = 'impulse', event_rate = '100');\nCREATE TABLE gone (x BIGINT) WITH (connector = 'blackhole', format = 'json', type = 'sink');\n";

  it("a function that throws, and one that does not return, fail their jobs with its name and are not tried again", async () => {
    await start({ WADI__UDF__TIMEOUT: "1s" });
    const udf = (body: string): string =>
      `CREATE FUNCTION f() LANGUAGE TYPESCRIPT AS $$\nexport function f(x: bigint): bigint {\n  ${body}\n}\n$$;\n`;
    const throwing = await create(
      `${udf('if (x === 50n) throw new Error("fifty is not allowed");\n  return x;')}${EVENTS}INSERT INTO gone SELECT f(counter) FROM events;`,
    );
    const endless = await create(`${udf("while (x === 50n);\n  return x;")}${EVENTS}INSERT INTO gone SELECT f(counter) FROM events;`);
    const thrown = await jobWhen(throwing, "the job has failed", (job) => job.state === "Failed");
    expect(thrown.failure_reason?.error).to.match(/function f: fifty is not allowed \(line 3\)/);
    expect(thrown.failure_reason?.domain).to.equal("user");
    expect(thrown.restarts).to.equal(0);
    const looped = await jobWhen(endless, "the job has failed", (job) => job.state === "Failed");
    expect(looped.failure_reason?.error).to.match(/function "f" has not returned/);
    expect(looped.restarts).to.equal(0);
    await eventually("no worker is left", () => (cluster.pids("worker").length === 0 ? true : undefined), 30_000);
  });

  it("a worker that never registers is given up in time, and the next one runs", async () => {
    await start({ WADI__PIPELINE__WORKER_STARTUP_TIME: "5s" });
    const pipeline = await create(`${EVENTS}INSERT INTO gone SELECT counter FROM events;`);
    const pid = await eventually("a worker's process is there", () => cluster.pids("worker")[0], 60_000);
    process.kill(pid, "SIGSTOP");
    const job = await jobWhen(pipeline, "another worker runs", ({ state, restarts }) => state === "Running" && restarts > 0);
    expect(job.restarts).to.equal(1);
    const { body } = await cluster.api("GET", `/pipelines/${pipeline}/jobs/${job.id}/errors`);
    expect(JSON.stringify(body)).to.match(/regist/);
    await eventually("the one that stood still is gone", () => (cluster.pids("worker").includes(pid) ? undefined : true), 60_000);
  });

  it("a pipeline deleted while it runs leaves no worker, no checkpoint and no row", async () => {
    await start();
    const pipeline = await create(
      `${EVENTS}INSERT INTO gone SELECT count(*) FROM events GROUP BY counter % 10;`.replace("format = 'json'", "format = 'debezium_json'"),
    );
    const job = await jobWhen(pipeline, "it runs", ({ state }) => state === "Running");
    await eventually("it has checkpoints", async () => {
      const { body } = await cluster.api("GET", `/pipelines/${pipeline}/jobs/${job.id}/checkpoints`);
      return body.data.length > 0 ? true : undefined;
    });
    const refused = await cluster.api("DELETE", `/pipelines/${pipeline}`);
    if (refused.status !== 200) {
      await cluster.api("PATCH", `/pipelines/${pipeline}`, { stop: "immediate" });
      await jobWhen(pipeline, "it has stopped", ({ state }) => state === "Stopped");
      expect((await cluster.api("DELETE", `/pipelines/${pipeline}`)).status).to.equal(200);
    }
    await eventually("no worker is left", () => (cluster.pids("worker").length === 0 ? true : undefined), 30_000);
    expect((await cluster.api("GET", `/pipelines/${pipeline}`)).status).to.equal(404);
    await eventually("its state is gone", () => (filesOf(cluster.stateDir, job.id).length === 0 ? true : undefined), 30_000);
  });

  it("the object store is away for a while: nothing is lost, and the pipeline goes on by itself", async () => {
    const folder = temporaryFolder("situations");
    cluster = await TestCluster.in(folder, FailurePipeline.environment(folder));
    const pipeline = new FailurePipeline(cluster, 11);
    pipeline.slow(400);
    await cluster.start();
    await pipeline.create(1);
    const before = await pipeline.advanced(0);
    const checkpoints = join(cluster.stateDir, "checkpoints");
    renameSync(checkpoints, `${checkpoints}.away`);
    writeFileSync(checkpoints, "not a directory");
    await new Promise((resolve) => setTimeout(resolve, 6_000));
    const during = await pipeline.job();
    expect(during.state).not.to.equal("Failed");
    rmSync(checkpoints);
    renameSync(`${checkpoints}.away`, checkpoints);
    await pipeline.advanced(Math.max(before.epoch, during.epoch), 1);
    await pipeline.finish();
  });

  it("a full disk fails or restarts the job with the disk's words, and the cluster goes on", async function () {
    const folder = temporaryFolder("situations");
    const small = join(folder, "small");
    mkdirSync(small);
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=256k", "tmpfs", small], { stdio: "ignore" });
    } catch {
      return this.skip();
    }
    try {
      cluster = await TestCluster.in(folder, { WADI__PIPELINE__ALLOWED_RESTARTS: "1" });
      await cluster.start();
      const events = "CREATE TABLE events WITH (connector = 'impulse', event_rate = '100000');\n";
      const out =
        "CREATE TABLE out (x BIGINT) WITH (connector = 'single_file', path = 'small/out.jsonl', format = 'json', type = 'sink');\n";
      const full = await create(`${events}${out}INSERT INTO out SELECT counter FROM events;`);
      const failed = await jobWhen(full, "the job has failed", ({ state }) => state === "Failed", 90_000);
      expect(failed.failure_reason?.error).to.match(/no space left|disk.*full|ENOSPC/i);
      expect(failed.failure_reason?.error).to.match(/out\.jsonl/);
      const other = await create(`${EVENTS}INSERT INTO gone SELECT counter FROM events;`);
      await jobWhen(other, "another pipeline runs", ({ state }) => state === "Running");
    } finally {
      await cluster.stop();
      execFileSync("umount", ["-l", small], { stdio: "ignore" });
    }
    return undefined;
  });
});

/** Files of the state directory that belong to a job; its logs stay. */
function filesOf(stateDir: string, job: string): readonly string[] {
  const folder = join(stateDir, "checkpoints");
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((path) => path.includes(job) && isFile(join(folder, path)));
}

function isFile(path: string): boolean {
  try {
    readFileSync(path);
    return true;
  } catch {
    return false;
  }
}
