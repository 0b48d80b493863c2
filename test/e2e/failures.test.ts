/**
 * Issue 3's promise, told once from beginning to end: ONE pipeline that is made in the browser lives through every failure in turn, each time
 * goes on from an epoch > 0, and its exactly-once sinks hold the batch answer in the end. Each step is named with its time.
 *
 * `WADI_FAILURE_ROUNDS=10` repeats it whole. `WADI_FAILURE_SILENCE=40` stops the worker for so many seconds with the heartbeat's default limit
 * (also where `WADI_CLUSTER_ROUNDS` is set); otherwise both are shortened.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import type { Page } from "playwright-core";
import { kill, needsClusterBuild, TestCluster } from "../support/cluster-process.ts";
import { eventually } from "../support/eventually.ts";
import { failoverLimitMs } from "../support/failover-limit.ts";
import { FAILURE_SQL, FailurePipeline, type JobState } from "../support/failure-pipeline.ts";
import { StandbyController } from "../support/standby-controller.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { needsChromium, openPage, type WatchedPage } from "./support/browser.ts";

const ROUNDS = Number(process.env["WADI_FAILURE_ROUNDS"] ?? 1);
const PATIENCE_MS = Number(process.env["WADI_TEST_PATIENCE"] ?? 60_000);
/** Seconds; undefined: shortened. */
const SILENCE = process.env["WADI_FAILURE_SILENCE"] ?? (process.env["WADI_CLUSTER_ROUNDS"] === undefined ? undefined : "40");
const SHORT_HEARTBEAT_S = 4;
const SHORT_SILENCE_S = 6;
/** Some 190 blocks of a file, each a read of this time: more than all failures take. */
const ROWS = 72_000;
const READ_DELAY_MS = 1_500;
const NAME = "made-by-hand";

describe("a pipeline made in the browser, through every failure", function () {
  this.timeout(400_000);
  const browser = needsChromium();
  needsClusterBuild();
  let cluster: TestCluster;
  let standby: StandbyController;
  let pipeline: FailurePipeline;
  let watched: WatchedPage | undefined;
  let said: string[] = [];

  async function open(seed: number): Promise<Page> {
    const folder = temporaryFolder("ui-failures");
    const heartbeat = SILENCE === undefined ? { WADI__PIPELINE__WORKER_HEARTBEAT_TIMEOUT: `${SHORT_HEARTBEAT_S}s` } : {};
    cluster = await TestCluster.in(folder, { ...FailurePipeline.environment(folder), ...heartbeat });
    standby = await StandbyController.of(cluster);
    pipeline = new FailurePipeline(cluster, seed, ROWS);
    pipeline.slow(READ_DELAY_MS);
    await cluster.start();
    watched = await openPage(browser());
    const { page } = watched;
    page.setDefaultTimeout(PATIENCE_MS);
    const token = readFileSync(join(cluster.stateDir, "session-token"), "utf8").trim();
    await page.goto(`http://localhost:${cluster.ports.api}/#token=${token}`);
    await page.getByRole("heading", { name: "First steps" }).waitFor();
    return page;
  }

  /** Types the query, and starts it with the dialog. */
  async function make(page: Page): Promise<void> {
    await page.getByRole("link", { name: "New pipeline" }).click();
    await page.locator(".cm-content").click();
    await page.keyboard.insertText(FAILURE_SQL);
    await page.getByText("Valid", { exact: true }).waitFor();
    await page.getByRole("button", { name: "Start", exact: true }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Name", { exact: true }).fill(NAME);
    await dialog.getByLabel("Parallelism").fill("1");
    await dialog.getByLabel("Checkpoint every").fill("1");
    await dialog.getByRole("button", { name: "Start" }).click();
    await page.getByRole("heading", { name: NAME }).waitFor();
    await shows(page, "Running");
    await pipeline.createdAs(NAME);
    await pipeline.advanced(0);
  }

  async function shows(page: Page, state: string): Promise<void> {
    await page.locator(".pipeline-title").getByText(state).waitFor();
  }

  /** Rescales with the dialog. */
  async function rescale(page: Page, parallelism: number): Promise<JobState> {
    const before = await pipeline.job();
    await page.getByRole("button", { name: "Edit", exact: true }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Parallelism").fill(String(parallelism));
    await dialog.getByRole("button", { name: "Save" }).click();
    const after = await pipeline.until(
      `it runs ${parallelism} times`,
      (job) => job.state === "Running" && job.running_parallelism === parallelism && job.run_id > before.run_id,
    );
    return pipeline.advanced(after.epoch, 1);
  }

  /** The same worker, the same run: only what watches over it is gone. */
  async function sameRun(harm: () => Promise<void>): Promise<void> {
    const before = await pipeline.job();
    const workers = cluster.pids("worker");
    await harm();
    await pipeline.advanced((await pipeline.job()).epoch, 2);
    expect(cluster.pids("worker")).to.deep.equal(workers);
    const { run_id, restarts } = await pipeline.job();
    expect({ run_id, restarts }).to.deep.equal({ run_id: before.run_id, restarts: before.restarts });
  }

  /** Another run, which goes on from what the last one had completed. */
  async function nextRun(harm: () => Promise<void>): Promise<void> {
    const before = await pipeline.job();
    await harm();
    const after = await pipeline.until("another run runs", (job) => job.state === "Running" && job.run_id > before.run_id, 120_000);
    expect(after.epoch).to.be.at.least(before.epoch);
    await pipeline.advanced(after.epoch, 1);
    expect(restoredEpochs().at(-1), "the epoch it went on from").to.be.at.least(before.epoch);
  }

  /** Epochs from which runs were started, as the controllers' logs tell. */
  function restoredEpochs(): number[] {
    return [...`${cluster.logs(20_000)}\n${standby.said}`.matchAll(/run started.* epoch=(\d+)/g)].map((match) => Number(match[1]));
  }

  function oneWorker(): number {
    const [pid, ...more] = cluster.pids("worker");
    expect(more).to.deep.equal([]);
    return pid as number;
  }

  /** A step of the story: afterwards the page shows a pipeline that runs, and what it has written so far is right. */
  async function step(page: Page, name: string, happen: () => Promise<unknown>): Promise<void> {
    const beganMs = performance.now();
    const detail = await happen();
    await shows(page, "Running");
    const { epoch, run_id } = await pipeline.job();
    expect(epoch).to.be.greaterThan(0);
    pipeline.expectMiddle();
    const rows = pipeline.expectPrefix();
    tell(beganMs, `${name}${typeof detail === "string" ? ` (${detail})` : ""}: run ${run_id}, epoch ${epoch}, ${rows} rows`);
  }

  function tell(beganMs: number, what: string): void {
    const seconds = ((performance.now() - beganMs) / 1000).toFixed(1).padStart(6);
    said.push(`${seconds} s  ${what}`);
    process.stdout.write(`      ${said.at(-1)}\n`);
  }

  async function isBack(part: "api" | "controller", pid: number): Promise<void> {
    await eventually(`the ${part} is back`, () => (cluster.pids(part).some((other) => other !== pid) ? true : undefined), 30_000);
  }

  /** The worker hangs for longer than it may be silent; it finds out when it wakes up. */
  async function silence(): Promise<void> {
    const pid = oneWorker();
    const seconds = Number(SILENCE ?? SHORT_SILENCE_S);
    await nextRun(async () => {
      process.kill(pid, "SIGSTOP");
      const untilMs = performance.now() + seconds * 1000;
      await eventually("the silence is over", () => (performance.now() >= untilMs ? true : undefined), seconds * 2000);
      try {
        process.kill(pid, "SIGCONT");
      } catch {
        // It was killed while it was stopped.
      }
    });
    await eventually("the old worker has ended", () => (cluster.pids("worker").includes(pid) ? undefined : true), 30_000);
  }

  async function failover(): Promise<string> {
    await standby.start();
    let tookMs = Number.POSITIVE_INFINITY;
    await sameRun(async () => {
      const terms = leadings();
      kill(cluster.controllerOfCluster());
      const diedMs = performance.now();
      const leads = async () => ((await standby.leads()) === true || leadings() > terms ? true : undefined);
      await eventually("another controller leads", leads, 20_000);
      tookMs = performance.now() - diedMs;
    });
    expect(tookMs).to.be.lessThan(failoverLimitMs());
    return `${(tookMs / 1000).toFixed(2)} s to the new leader`;
  }

  /** Terms of the cluster's own controllers. */
  function leadings(): number {
    return cluster.logs(20_000).match(/ leading .*leaderEpoch=/g)?.length ?? 0;
  }

  afterEach(async function () {
    const failed = this.currentTest?.state === "failed";
    if (failed) process.stderr.write(`${said.join("\n")}\n${cluster.said}\n${cluster.logs()}\n${standby.said}\n`);
    await watched?.close();
    const code = failed ? 0 : await cluster.stop();
    await standby.stop();
    const left = cluster.processes();
    cluster.killAll();
    said = [];
    expect(code).to.equal(0);
    if (!failed) expect(left, "processes left").to.deep.equal([]);
  });

  for (let round = 1; round <= ROUNDS; round++) {
    it(`goes on from an epoch > 0 each time, and its sinks hold the batch answer${ROUNDS === 1 ? "" : ` (round ${round})`}`, async () => {
      const page = await open(20 + round);
      await step(page, "made in the browser", () => make(page));
      await step(page, "kill -9 of the worker", () => nextRun(async () => kill(oneWorker())));
      await step(page, "kill -9 of the controller", () =>
        sameRun(async () => {
          const pid = cluster.controllerOfCluster();
          kill(pid);
          await isBack("controller", pid);
        }),
      );
      await step(page, "kill -9 of the API", () =>
        sameRun(async () => {
          const [pid = 0] = cluster.pids("api");
          kill(pid);
          await isBack("api", pid);
        }),
      );
      await step(page, "kill -9 of the supervisor, which is started again", () =>
        sameRun(async () => {
          kill(cluster.process.pid as number);
          await eventually("only the worker is left", () => (cluster.processes().length === 1 ? true : undefined));
          await cluster.start();
        }),
      );
      await step(page, `SIGSTOP of the worker for ${SILENCE ?? SHORT_SILENCE_S} s`, silence);
      await step(page, "rescaled from 1 to 4", () => rescale(page, 4));
      await step(page, "rescaled from 4 to 2", () => rescale(page, 2));
      await step(page, "failover to another controller", failover);
      const finishingMs = performance.now();
      await pipeline.finish();
      await shows(page, "Finished");
      tell(finishingMs, "read to the end at full speed; the sinks hold the batch answer");
      for (const epoch of restoredEpochs().slice(1)) expect(epoch).to.be.greaterThan(0);
    });
  }
});
