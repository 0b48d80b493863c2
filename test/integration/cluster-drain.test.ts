/**
 * Moving a run off its machine: workers are told to leave again and again, the next ones come up beside them, and the output hardly pauses.
 * Every row is published once. Real processes, the build in `dist/`. `WADI_DRAINS=20` for more of them; the gaps are printed.
 */
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { needsClusterBuild, TestCluster } from "../support/cluster-process.ts";
import { eventually } from "../support/eventually.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const DRAINS = Number(process.env["WADI_DRAINS"] ?? 3);
const INTERVAL_MS = 1_000;
/** Between two growths of the output; an interval of checkpoints is part of it. A machine with other work takes longer. */
const GAP_LIMIT_MS = Number(process.env["WADI_GAP_LIMIT"] ?? 6_000);

const SQL = `
CREATE TABLE ticks WITH (connector = 'impulse', event_rate = '200');
CREATE TABLE numbers (n BIGINT) WITH (connector = 'single_file', path = 'numbers.jsonl', format = 'json', type = 'sink');
INSERT INTO numbers SELECT CAST(counter AS BIGINT) AS n FROM ticks;
`;

interface State {
  readonly state: string;
  readonly run_id: number;
  readonly epoch: number;
  readonly restarts: number;
}

describe("a run whose workers are told to leave", function () {
  this.timeout(60_000 + DRAINS * 15_000);
  needsClusterBuild();
  let cluster: TestCluster;
  let pipeline = "";

  async function start(settings: NodeJS.ProcessEnv = {}): Promise<void> {
    cluster = await TestCluster.in(temporaryFolder("drains"), settings);
    await cluster.start();
    const request = { name: "drained", query: SQL, parallelism: 1, checkpoint_interval_micros: INTERVAL_MS * 1000 };
    const { status, body } = await cluster.api("POST", "/pipelines", request);
    expect(status, JSON.stringify(body)).to.equal(200);
    pipeline = body.id;
    await until("two epochs are complete", ({ epoch }) => epoch >= 2);
  }

  function until(what: string, wanted: (job: State) => boolean): Promise<State> {
    return eventually(
      what,
      async () => {
        const { body } = await cluster.api("GET", `/pipelines/${pipeline}/jobs`);
        const job = body.data[0] as State;
        return job.state === "Running" && wanted(job) ? job : undefined;
      },
      60_000,
    );
  }

  function outputSize(): number {
    const path = join(cluster.folder, "numbers.jsonl");
    return existsSync(path) ? statSync(path).size : 0;
  }

  /** Tells the worker to leave; the longest time without output until the next run has published twice. */
  async function drain(): Promise<number> {
    const [pid = 0] = cluster.pids("worker");
    const { run_id, epoch } = await until("it runs", () => true);
    let size = outputSize();
    let grownMs = performance.now();
    let gapMs = 0;
    let published = 0;
    process.kill(pid, "SIGTERM");
    await eventually(
      "another run has published",
      async () => {
        const now = outputSize();
        if (now > size) {
          gapMs = Math.max(gapMs, performance.now() - grownMs);
          grownMs = performance.now();
          size = now;
          const job = await until("it is told", () => true).catch(() => undefined);
          if (job !== undefined && job.run_id > run_id && job.epoch > epoch + 1) published += 1;
        }
        return published >= 2 ? true : undefined;
      },
      60_000,
    );
    await eventually("the old worker has ended", () => (cluster.pids("worker").includes(pid) ? undefined : true), 30_000);
    return gapMs;
  }

  function expectEveryRowOnce(drains: number): void {
    const numbers = readFileSync(join(cluster.folder, "numbers.jsonl"), "utf8").trimEnd().split("\n");
    expect(numbers.length).to.be.greaterThan(drains * 100);
    const wrong = numbers.findIndex((line, n) => line !== JSON.stringify({ n }));
    expect(wrong === -1 ? "" : `row ${wrong} is ${numbers[wrong]}`).to.equal("");
  }

  afterEach(async function () {
    const failed = this.currentTest?.state === "failed";
    if (failed) process.stderr.write(`${cluster.said}\n${cluster.logs()}\n`);
    else expect(await cluster.stop()).to.equal(0);
    const left = cluster.processes();
    cluster.killAll();
    if (!failed) expect(left, "processes left").to.deep.equal([]);
  });

  it(`moves ${DRAINS} times beside the running one, every row once`, async () => {
    await start();
    const gaps: number[] = [];
    for (let i = 0; i < DRAINS; i++) gaps.push(await drain());
    const sorted = gaps.map((ms) => Math.round(ms)).sort((a, b) => a - b);
    process.stdout.write(`      longest time without output (checkpoints every ${INTERVAL_MS} ms): ${sorted.join(", ")} ms\n`);
    expect(sorted.at(-1)).to.be.lessThan(GAP_LIMIT_MS);
    expect((await until("it runs", () => true)).restarts).to.equal(0);
    expectEveryRowOnce(DRAINS);
  });

  it("takes a checkpoint and moves then where there is no slot for another worker", async () => {
    await start({ WADI__PROCESS__SLOTS: "1" });
    process.stdout.write(`      longest time without output: ${Math.round(await drain())} ms\n`);
    expect((await until("it runs", () => true)).restarts).to.equal(0);
    expectEveryRowOnce(1);
  });
});
