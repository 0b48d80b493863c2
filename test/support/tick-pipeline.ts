/** Pipelines of numbers 0, 1, 2, …, each into a file, on a test cluster: show whether any is lost or doubled, and how long the output pauses. */
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import type { TestCluster } from "./cluster-process.ts";
import { eventually } from "./eventually.ts";

const PATIENCE_MS = 60_000;

const sqlInto = (file: string): string => `
CREATE TABLE ticks WITH (connector = 'impulse', event_rate = '200');
CREATE TABLE numbers (n BIGINT) WITH (connector = 'single_file', path = '${file}', format = 'json', type = 'sink');
INSERT INTO numbers SELECT CAST(counter AS BIGINT) AS n FROM ticks;
`;

/** What the API tells of the job. */
export interface TickJob {
  readonly id: string;
  readonly state: string;
  readonly run_id: number;
  readonly epoch: number;
  readonly restarts: number;
  readonly waiting: { readonly for: string; readonly reason: string } | null;
  readonly running_worker_build: string;
  readonly rejected_worker_build: string | null;
}

/** See the file's comment. */
export class TickPipeline {
  readonly #cluster: TestCluster;
  readonly #name: string;
  #id = "";

  /** One of its cluster's, told apart by their names. */
  constructor(cluster: TestCluster, name = "numbers") {
    this.#cluster = cluster;
    this.#name = name;
  }

  /** The file that it writes. */
  get path(): string {
    return join(this.#cluster.folder, `${this.#name}.jsonl`);
  }

  /** Bytes written so far. */
  get size(): number {
    return existsSync(this.path) ? statSync(this.path).size : 0;
  }

  /** Creates it, and waits until two checkpoints are complete. */
  async create(intervalMs: number): Promise<TickJob> {
    const request = {
      name: this.#name,
      query: sqlInto(`${this.#name}.jsonl`),
      parallelism: 1,
      checkpoint_interval_micros: intervalMs * 1000,
    };
    const { status, body } = await this.#cluster.api("POST", "/pipelines", request);
    expect(status, JSON.stringify(body)).to.equal(200);
    this.#id = body.id;
    return this.until("two epochs are complete", ({ epoch }) => epoch >= 2);
  }

  /** Changes what is wished of it. */
  async patch(change: object): Promise<void> {
    const { status, body } = await this.#cluster.api("PATCH", `/pipelines/${this.#id}`, change);
    expect(status, JSON.stringify(body)).to.equal(200);
  }

  /** The job as the API tells; undefined while it does not answer. */
  async job(): Promise<TickJob | undefined> {
    const answer = await this.#cluster.api("GET", `/pipelines/${this.#id}/jobs`).catch(() => undefined);
    return answer?.status === 200 ? (answer.body.data[0] as TickJob) : undefined;
  }

  /** Waits until it runs and is as `wanted`. */
  until(what: string, wanted: (job: TickJob) => boolean): Promise<TickJob> {
    return eventually(
      what,
      async () => {
        const job = await this.job();
        return job?.state === "Running" && wanted(job) ? job : undefined;
      },
      PATIENCE_MS,
    );
  }

  /** Kinds of the job's timeline entries, the newest first. */
  async timeline(): Promise<readonly string[]> {
    const { id } = await this.until("it runs", () => true);
    const answer = await this.#cluster.api("GET", `/pipelines/${this.#id}/jobs/${id}/events?limit=100`);
    return (answer.body.data as { kind: string }[]).map(({ kind }) => kind);
  }

  /** Does `harm`, and waits until another run has published twice; the longest time without output meanwhile, milliseconds. */
  async gapOf(harm: () => Promise<void> | void): Promise<number> {
    const before = await this.until("it runs", () => true);
    let size = this.size;
    let grownMs = performance.now();
    let gapMs = 0;
    let published = 0;
    await harm();
    await eventually(
      "another run has published",
      async () => {
        const now = this.size;
        if (now === size) return undefined;
        gapMs = Math.max(gapMs, performance.now() - grownMs);
        grownMs = performance.now();
        size = now;
        const job = await this.job();
        if (job !== undefined && job.run_id > before.run_id && job.epoch > before.epoch + 1) published += 1;
        return published >= 2 ? true : undefined;
      },
      PATIENCE_MS,
    );
    return gapMs;
  }

  /** Asserts that at least `least` numbers are there, in order, none twice and none missing. */
  expectEveryNumberOnce(least: number): void {
    const lines = readFileSync(this.path, "utf8").split("\n").slice(0, -1);
    expect(lines.length).to.be.greaterThan(least);
    const wrong = lines.findIndex((line, n) => line !== JSON.stringify({ n }));
    expect(wrong === -1 ? "" : `line ${wrong} is ${lines[wrong]}`).to.equal("");
  }
}
