/**
 * Issue 3's promise, end to end: a pipeline made through the API goes on from an epoch > 0, and its exactly-once sinks hold the batch answer,
 * whatever is killed, stopped or rescaled. Real processes, the build in `dist/`. `WADI_CLUSTER_ROUNDS=10` repeats every case.
 */
import { expect } from "chai";
import { kill, needsClusterBuild, TestCluster } from "../support/cluster-process.ts";
import { eventually } from "../support/eventually.ts";
import { FailurePipeline, type JobState } from "../support/failure-pipeline.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const ROUNDS = Number(process.env["WADI_CLUSTER_ROUNDS"] ?? 1);
/** Each of some 64 reads: what is not hurried lasts half a minute. */
const READ_DELAY_MS = 500;

describe("a cluster under failures", function () {
  this.timeout(240_000);
  needsClusterBuild();
  let cluster: TestCluster;
  let pipeline: FailurePipeline;

  /** A cluster with a pipeline that has complete epochs and much to read. */
  async function running(parallelism = 1, settings: NodeJS.ProcessEnv = {}): Promise<JobState> {
    const folder = temporaryFolder("failures");
    cluster = await TestCluster.in(folder, { ...FailurePipeline.environment(folder), ...settings });
    pipeline = new FailurePipeline(cluster, 7);
    pipeline.slow(READ_DELAY_MS);
    await cluster.start();
    await pipeline.create(parallelism);
    const job = await pipeline.advanced(0);
    pipeline.expectMiddle();
    return job;
  }

  /** The one worker's process. */
  function worker(): number {
    const [pid, ...more] = cluster.pids("worker");
    expect(more).to.deep.equal([]);
    return pid as number;
  }

  /** Epochs from which runs were started, as the controller's log tells. */
  function restoredEpochs(): number[] {
    return [...cluster.logs(10_000).matchAll(/run started.* epoch=(\d+)/g)].map((match) => Number(match[1]));
  }

  afterEach(async function () {
    const failed = this.currentTest?.state === "failed";
    const code = failed ? 0 : await cluster.stop();
    const left = await eventually("all processes have ended", () =>
      cluster.processes().length === 0 || failed ? cluster.processes() : undefined,
    ).catch(() => cluster.processes());
    cluster.killAll();
    if (failed) process.stderr.write(`${cluster.said}\n${cluster.logs()}\n`);
    else expect(left, "processes left").to.deep.equal([]);
    expect(code).to.equal(0);
  });

  /** The failure is over, and it was in the middle of the input. */
  async function expectGoneOn(since: number): Promise<void> {
    await pipeline.advanced(since, 1);
    pipeline.expectMiddle();
  }

  for (let round = 1; round <= ROUNDS; round++) {
    const name = (claim: string): string => (ROUNDS === 1 ? claim : `${claim} (round ${round})`);

    it(name("kill -9 of a worker"), async () => {
      const before = await running();
      kill(worker());
      const after = await pipeline.until("another run runs", (job) => job.state === "Running" && job.run_id > before.run_id);
      await expectGoneOn(after.epoch);
      await pipeline.finish();
      expect(restoredEpochs().at(-1)).to.be.at.least(before.epoch);
    });

    for (const part of ["controller", "api"] as const) {
      it(name(`kill -9 of the ${part}: the worker goes on`), async () => {
        const before = await running();
        const pid = worker();
        kill(cluster.pids(part)[0] as number);
        await eventually(`the ${part} is back`, () => (cluster.pids(part).length === 1 ? true : undefined));
        await pipeline.advanced(before.epoch, 4);
        expect(worker()).to.equal(pid);
        await pipeline.finish();
        expect((await pipeline.job()).run_id).to.equal(before.run_id);
      });
    }

    it(name("kill -9 of the supervisor: the worker lives on and is taken over by the next"), async () => {
      const before = await running();
      const pid = worker();
      kill(cluster.process.pid as number);
      await eventually("only the worker is left", () => (cluster.processes().length === 1 ? true : undefined));
      await cluster.start();
      await pipeline.advanced(before.epoch, 4);
      expect(worker()).to.equal(pid);
      await pipeline.finish();
      expect((await pipeline.job()).run_id).to.equal(before.run_id);
    });

    it(name("SIGSTOP of a worker for longer than its heartbeat may be silent"), async () => {
      const before = await running(1, { WADI__PIPELINE__WORKER_HEARTBEAT_TIMEOUT: "4s" });
      const pid = worker();
      process.kill(pid, "SIGSTOP");
      const after = await pipeline.until("another run runs", (job) => job.state === "Running" && job.run_id > before.run_id, 90_000);
      try {
        process.kill(pid, "SIGCONT");
      } catch {
        // It was killed while it was stopped.
      }
      await expectGoneOn(after.epoch);
      await eventually("the old worker has ended", () => (cluster.pids("worker").includes(pid) ? undefined : true), 30_000);
      await pipeline.finish();
      expect(restoredEpochs().at(-1)).to.be.at.least(before.epoch);
    });

    it(name("rescaling from 1 to 4 to 2 while it runs"), async () => {
      const before = await running(1);
      await pipeline.patch({ parallelism: 4 });
      const wide = await pipeline.until(
        "it runs four times",
        (job) => job.state === "Running" && job.running_parallelism === 4 && job.run_id > before.run_id,
      );
      const later = await pipeline.advanced(wide.epoch, 1);
      await pipeline.patch({ parallelism: 2 });
      const narrow = await pipeline.until(
        "it runs twice",
        (job) => job.state === "Running" && job.running_parallelism === 2 && job.run_id > later.run_id,
      );
      expect(narrow.epoch).to.be.greaterThan(before.epoch);
      await pipeline.finish();
      for (const epoch of restoredEpochs().slice(1)) expect(epoch).to.be.greaterThan(0);
    });

    it(name("Ctrl-C of the cluster: a checkpoint, and the next start goes on from it"), async () => {
      const before = await running(2);
      expect(await cluster.stop()).to.equal(0);
      expect(cluster.processes()).to.deep.equal([]);
      await cluster.start();
      const after = await pipeline.until("it runs again", (job) => job.state === "Running" && job.run_id > before.run_id);
      expect(restoredEpochs().at(-1)).to.be.at.least(before.epoch);
      await expectGoneOn(after.epoch);
      await pipeline.finish();
    });

    it(name("Ctrl-C while a worker hangs: it is killed when its time is over, and the next start goes on"), async () => {
      const before = await running(1, { WADI__CLUSTER__STOP_TIMEOUT: "3s" });
      process.kill(worker(), "SIGSTOP");
      expect(await cluster.stop()).to.equal(0);
      expect(cluster.processes()).to.deep.equal([]);
      expect(cluster.said).to.contain("not all pipelines took a checkpoint");
      await cluster.start();
      const after = await pipeline.until("it runs again", (job) => job.state === "Running" && job.run_id > before.run_id);
      await expectGoneOn(after.epoch);
      await pipeline.finish();
    });

    it(name("a second Ctrl-C: everything ends at once, and the next start goes on"), async () => {
      const before = await running();
      process.kill(cluster.controllerOfCluster(), "SIGSTOP");
      const interrupting = setInterval(() => cluster.process.kill("SIGINT"), 400);
      const code = await cluster.stop();
      clearInterval(interrupting);
      expect(code).to.equal(130);
      await eventually("all have ended", () => (cluster.processes().length === 0 ? true : undefined));
      await cluster.start();
      const after = await pipeline.until("it runs again", (job) => job.state === "Running" && job.run_id > before.run_id);
      await expectGoneOn(after.epoch);
      await pipeline.finish();
    });
  }
});
