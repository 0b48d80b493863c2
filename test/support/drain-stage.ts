/** A test cluster with a pipeline of numbers whose worker is told to leave: what tests of moves have in common. */
import { expect } from "chai";
import { kill, TestCluster } from "./cluster-process.ts";
import { eventually } from "./eventually.ts";
import { temporaryFolder } from "./temporary-folder.ts";
import { TickPipeline } from "./tick-pipeline.ts";

const INTERVAL_MS = 1_000;
const PATIENCE_MS = 30_000;

/** See the file's comment. */
export class DrainStage {
  readonly cluster: TestCluster;
  readonly pipeline: TickPipeline;

  private constructor(cluster: TestCluster) {
    this.cluster = cluster;
    this.pipeline = new TickPipeline(cluster);
  }

  /** A cluster that runs the pipeline, with two checkpoints. `settingsOf` gives settings for it. */
  static async start(settingsOf: (cluster: TestCluster) => NodeJS.ProcessEnv = () => ({})): Promise<DrainStage> {
    const cluster = await TestCluster.in(temporaryFolder("drains"));
    cluster.set(settingsOf(cluster));
    const stage = new DrainStage(cluster);
    try {
      await cluster.start();
      await stage.pipeline.create(INTERVAL_MS);
    } catch (error) {
      await stage.end(true);
      throw error;
    }
    return stage;
  }

  /** The one worker's process. */
  worker(): number {
    const [pid, ...more] = this.cluster.pids("worker");
    expect(more).to.deep.equal([]);
    return pid as number;
  }

  /** Waits until the worker that comes up beside `pid` has a process. */
  prepared(pid: number): Promise<number> {
    return eventually("another worker comes up", () => this.cluster.pids("worker").find((other) => other !== pid), PATIENCE_MS);
  }

  /** Waits until the worker has ended. */
  gone(pid: number): Promise<true> {
    return eventually("the old worker has ended", () => (this.cluster.pids("worker").includes(pid) ? undefined : true), PATIENCE_MS);
  }

  /** Tells the worker to leave, as a machine does that drains, and does `harm` meanwhile; milliseconds without output. */
  async drain(harm: (worker: number) => Promise<void> | void = () => undefined): Promise<number> {
    const pid = this.worker();
    const gapMs = await this.pipeline.gapOf(async () => {
      process.kill(pid, "SIGTERM");
      await harm(pid);
    });
    await this.gone(pid);
    return Math.round(gapMs);
  }

  /** Failures in a row, as the job counts them. */
  async restarts(): Promise<number> {
    return (await this.pipeline.until("it runs", () => true)).restarts;
  }

  /** Stops it; of a test that failed the logs are shown and everything is killed, otherwise nothing may be left. */
  async end(failed: boolean): Promise<void> {
    const { cluster } = this;
    if (failed) process.stderr.write(`${cluster.said}\n${cluster.logs()}\n`);
    const code = failed ? 0 : await cluster.stop();
    const left = cluster.processes();
    for (const { pid } of left) kill(pid);
    expect(code).to.equal(0);
    if (!failed) expect(left, "processes left").to.deep.equal([]);
  }
}

/** Prints times without output. */
export function tellGaps(...gapsMs: readonly number[]): void {
  process.stdout.write(`      longest time without output: ${gapsMs.map(Math.round).join(", ")} ms\n`);
}
