/**
 * Many small pipelines on one cluster: the control plane (supervisor with the embedded database, controller, API) takes less than half a core.
 * `WADI_CLUSTER_PIPELINES=200` is the measurement of issue 3; it prints the figures.
 */
import { readFileSync } from "node:fs";
import { expect } from "chai";
import { needsClusterBuild, type PartProcess, TestCluster } from "../support/cluster-process.ts";
import { eventually } from "../support/eventually.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const PIPELINES = Number(process.env["WADI_CLUSTER_PIPELINES"] ?? 10);
/** Starting workers is what takes time: seconds each where other work goes on. */
const START_LIMIT_MS = 60_000 + PIPELINES * 6_000;
/** Code that is warm, and a few checkpoints. */
const SETTLE_MS = PIPELINES >= 50 ? 30_000 : 5_000;
const MEASURE_MS = PIPELINES >= 50 ? 60_000 : 10_000;
const CORES_MAX = 0.5;
const CONTROL_PLANE: ReadonlySet<string> = new Set(["cluster", "controller", "api"]);

/** Times of /proc are in hundredths of a second. */
const TICKS_PER_SECOND = 100;

function cpuSeconds({ pid }: PartProcess): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

function sql(number: number): string {
  return `CREATE TABLE events WITH (connector = 'impulse', event_rate = '10');
CREATE TABLE nothing (n BIGINT) WITH (connector = 'blackhole', type = 'sink');
INSERT INTO nothing SELECT counter + ${number % 5} FROM events;`;
}

describe("many small pipelines", function () {
  this.timeout(START_LIMIT_MS + SETTLE_MS + MEASURE_MS + 240_000);
  needsClusterBuild();
  let cluster: TestCluster;

  afterEach(function () {
    const left = cluster.processes();
    cluster.killAll();
    if (this.currentTest?.state === "failed") process.stderr.write(`${cluster.said}\n${cluster.logs(20).slice(0, 20_000)}\n`);
    else expect(left).to.deep.equal([]);
  });

  const states = async (): Promise<Record<string, number>> => {
    const { body } = await cluster.api("GET", "/jobs");
    const counts: Record<string, number> = {};
    for (const { state } of body.data) counts[state] = (counts[state] ?? 0) + 1;
    return counts;
  };

  it(`${PIPELINES} of them: the control plane takes less than half a core`, async () => {
    cluster = await TestCluster.in(temporaryFolder("many"));
    await cluster.start();
    const beganMs = performance.now();
    for (let number = 0; number < PIPELINES; number++) {
      const request = { name: `small ${number}`, query: sql(number), parallelism: 1, checkpoint_interval_micros: 10_000_000 };
      expect((await cluster.api("POST", "/pipelines", request)).status).to.equal(200);
    }
    await eventually("all run", async () => ((await states())["Running"] === PIPELINES ? true : undefined), START_LIMIT_MS);
    const runningMs = performance.now() - beganMs;
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    const parts = cluster.processes();
    const before = parts.map(cpuSeconds);
    const fromMs = performance.now();
    await new Promise((resolve) => setTimeout(resolve, MEASURE_MS));
    const seconds = (performance.now() - fromMs) / 1000;
    const cores: Record<string, number> = {};
    for (const [index, part] of parts.entries()) {
      cores[part.command] = (cores[part.command] ?? 0) + (cpuSeconds(part) - (before[index] ?? 0)) / seconds;
    }
    const total = Object.entries(cores).reduce((sum, [command, used]) => sum + (CONTROL_PLANE.has(command) ? used : 0), 0);
    const figures = Object.entries(cores).map(([command, used]) => `${command} ${used.toFixed(3)}`);
    process.stdout.write(
      `      ${PIPELINES} pipelines ran after ${(runningMs / 1000).toFixed(0)} s; cores: ${figures.join(", ")}; control plane ${total.toFixed(3)}\n`,
    );
    expect(total).to.be.lessThan(CORES_MAX);
    expect(await states()).to.deep.equal({ Running: PIPELINES });
    expect(await cluster.stop()).to.equal(0);
  });
});
