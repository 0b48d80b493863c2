/**
 * A pipeline that shows whether a cluster loses or repeats anything: a slow file of rows that goes, through a filter, through windows and
 * through a changing aggregate, into three exactly-once files. The batch answers are computed here.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect } from "chai";
import { Prng } from "../../src/core/prng.ts";
import type { TestCluster } from "./cluster-process.ts";
import { eventually } from "./eventually.ts";

/** Some 64 blocks of a file: each is at least one slow read. */
const ROWS = 24_000;
const KEYS = 40;
const WINDOW_MS = 60_000;
const START_MS = Date.UTC(2024, 0, 1);
const SPAN_MS = 30 * 60_000;
const DELAY_FILE = "read-delay";

/** What the API tells of the job. */
export interface JobState {
  readonly id: string;
  readonly state: string;
  readonly run_id: number;
  readonly epoch: number;
  readonly restarts: number;
  readonly parallelism: number;
  readonly running_parallelism: number | null;
  readonly failure_reason: unknown;
  readonly waiting: { readonly for: string; readonly reason: string } | null;
}

interface Row {
  readonly id: number;
  readonly k: number;
  readonly v: number;
  readonly at: string;
}

/** The pipeline's text, for whoever creates it by hand. */
export const FAILURE_SQL = `
CREATE TABLE input (id BIGINT, k BIGINT, v BIGINT, at TIMESTAMP, WATERMARK FOR at AS at - INTERVAL '1 hour')
WITH (connector = 'single_file', path = 'input.slow.jsonl', format = 'json', type = 'source');
CREATE TABLE passed (id BIGINT, v BIGINT) WITH (connector = 'single_file', path = 'passed.jsonl', format = 'json', type = 'sink');
CREATE TABLE windows (since TIMESTAMP, k BIGINT, n BIGINT, total BIGINT)
WITH (connector = 'single_file', path = 'windows.jsonl', format = 'json', type = 'sink');
CREATE TABLE totals (k BIGINT, n BIGINT, total BIGINT)
WITH (connector = 'single_file', path = 'totals.jsonl', format = 'debezium_json', type = 'sink');
INSERT INTO passed SELECT id, v FROM input WHERE v >= 500;
INSERT INTO windows SELECT window.start, k, n, total FROM (
  SELECT tumble(INTERVAL '1 minute') AS window, k, count(*) AS n, sum(v) AS total FROM input GROUP BY 1, 2);
INSERT INTO totals SELECT k, count(*), sum(v) FROM input GROUP BY k;
`;

/** See the file's comment. */
export class FailurePipeline {
  readonly #cluster: TestCluster;
  readonly #rows: readonly Row[];
  #pipelineId = "";

  /** Writes the input into the cluster's folder; `seed` makes the rows. */
  constructor(cluster: TestCluster, seed: number, rows = ROWS) {
    this.#cluster = cluster;
    const random = new Prng(seed);
    this.#rows = Array.from({ length: rows }, (_, id) => ({
      id,
      k: random.below(KEYS),
      v: random.below(1_000),
      at: new Date(START_MS + Math.floor((id * SPAN_MS) / rows)).toISOString(),
    }));
    writeFileSync(join(cluster.folder, "input.slow.jsonl"), this.#rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  }

  /** Settings of a cluster that runs it. */
  static environment(folder: string): NodeJS.ProcessEnv {
    const loader = pathToFileURL(join(import.meta.dirname, "slow-reads.mjs")).href;
    return { NODE_OPTIONS: `--import ${loader}`, WADI_TEST_READ_DELAY: join(folder, DELAY_FILE) };
  }

  /** Makes each read of the input wait so long from now on. */
  slow(ms: number): void {
    writeFileSync(join(this.#cluster.folder, DELAY_FILE), String(ms));
  }

  /** Creates it through the API. */
  async create(parallelism: number): Promise<void> {
    const request = { name: "failure test", query: FAILURE_SQL, parallelism, checkpoint_interval_micros: 1_000_000 };
    const { status, body } = await this.#cluster.api("POST", "/pipelines", request);
    expect(status, JSON.stringify(body)).to.equal(200);
    this.#pipelineId = body.id;
  }

  /** Somebody else has created it under this name. */
  async createdAs(name: string): Promise<void> {
    const { body } = await this.#cluster.api("GET", "/pipelines");
    const made = (body.data as { id: string; name: string }[]).find((pipeline) => pipeline.name === name);
    this.#pipelineId = made?.id ?? expect.fail(`there is no pipeline "${name}"`);
  }

  /** Its id, once it is created. */
  get id(): string {
    return this.#pipelineId;
  }

  /** Changes what is wished of it. */
  async patch(change: object): Promise<void> {
    const { status, body } = await this.#cluster.api("PATCH", `/pipelines/${this.#pipelineId}`, change);
    expect(status, JSON.stringify(body)).to.equal(200);
  }

  /** The job as the API tells. An API that is away for a moment is asked again. */
  async job(): Promise<JobState> {
    return eventually(
      "the API tells the job",
      async () => {
        const answer = await this.#cluster.api("GET", `/pipelines/${this.#pipelineId}/jobs`).catch(() => undefined);
        return answer?.status === 200 ? (answer.body.data[0] as JobState) : undefined;
      },
      30_000,
    );
  }

  /** Waits until the job is as `wanted`. */
  async until(what: string, wanted: (job: JobState) => boolean, limitMs = 60_000): Promise<JobState> {
    let last: JobState | undefined;
    try {
      return await eventually(
        what,
        async () => {
          last = await this.job();
          expect(last.state, JSON.stringify(last.failure_reason)).not.to.equal("Failed");
          return wanted(last) ? last : undefined;
        },
        limitMs,
      );
    } catch (error) {
      throw Object.assign(error as Error, {
        message: `${(error as Error).message}; job: ${JSON.stringify(last)}\n${this.#cluster.logs()}`,
      });
    }
  }

  /** Waits until it runs and at least `more` epochs beyond `after` are complete. */
  advanced(after: number, more = 2): Promise<JobState> {
    return this.until(`epoch ${after + more} is complete`, (job) => job.state === "Running" && job.epoch >= after + more);
  }

  /** Lets it read at full speed, waits for its end and compares the files with the batch answers. */
  async finish(): Promise<void> {
    this.slow(0);
    await this.until("it has finished", (job) => job.state === "Finished");
    this.verify();
  }

  /** Compares what the sinks hold with the batch answers. */
  verify(): void {
    const passed = this.#rows.filter(({ v }) => v >= 500).map(({ id, v }) => JSON.stringify({ id, v }));
    expectSame("passed", this.#lines("passed.jsonl"), passed);
    expectSame("windows", this.#lines("windows.jsonl").map(normalWindow), this.#windows());
    expectSame(
      "totals",
      [...this.#totals()],
      aggregate(this.#rows, ({ k }) => `${k}`).map(([k, n, total]) => JSON.stringify({ k: Number(k), n, total })),
    );
  }

  /** Asserts that some rows have been written and some have not. */
  expectMiddle(): void {
    const all = this.#rows.filter(({ v }) => v >= 500).length;
    expect(this.#lines("passed.jsonl").length, "rows written so far").to.be.greaterThan(0).and.lessThan(all);
  }

  /** Asserts that what is written so far is right: rows of the answer, each once. Gives their number. */
  expectPrefix(): number {
    const wanted = new Set(this.#rows.filter(({ v }) => v >= 500).map(({ id, v }) => JSON.stringify({ id, v })));
    const found = this.#lines("passed.jsonl");
    expect(new Set(found).size, "different rows written").to.equal(found.length);
    expect(found.filter((line) => !wanted.has(line))).to.deep.equal([]);
    return found.length;
  }

  #lines(name: string): string[] {
    const text = readFileSync(join(this.#cluster.folder, name), "utf8");
    return text.split("\n").filter((line) => line !== "");
  }

  #windows(): string[] {
    const groups = aggregate(this.#rows, ({ at, k }) => `${Math.floor((Date.parse(at) - START_MS) / WINDOW_MS)} ${k}`);
    return groups.map(([key, n, total]) => {
      const [window = 0, k = 0] = key.split(" ").map(Number);
      return JSON.stringify({ since: START_MS + window * WINDOW_MS, k, n, total });
    });
  }

  /** The changelog, applied. */
  #totals(): string[] {
    const state = new Map<number, string>();
    for (const line of this.#lines("totals.jsonl")) {
      const { before, after } = JSON.parse(line) as { before: { k: number } | null; after: { k: number; n: number; total: number } | null };
      if (before !== null && before !== undefined) {
        const known = state.get(before.k);
        expect(known, `a change of a row that is not there: ${line}`).to.equal(JSON.stringify(before));
        state.delete(before.k);
      }
      if (after !== null && after !== undefined) {
        expect(state.has(after.k), `a row that is there already: ${line}`).to.equal(false);
        state.set(after.k, JSON.stringify(after));
      }
    }
    return [...state.values()];
  }
}

function normalWindow(line: string): string {
  const { since, k, n, total } = JSON.parse(line) as { since: string; k: number; n: number; total: number };
  return JSON.stringify({ since: Date.parse(/Z$/.test(since) ? since : `${since}Z`), k, n, total });
}

function aggregate(rows: readonly Row[], keyOf: (row: Row) => string): [key: string, n: number, total: number][] {
  const groups = new Map<string, [string, number, number]>();
  for (const row of rows) {
    const key = keyOf(row);
    const group = groups.get(key) ?? [key, 0, 0];
    group[1] += 1;
    group[2] += row.v;
    groups.set(key, group);
  }
  return [...groups.values()];
}

/** Compares as multisets, and says little about large differences. */
function expectSame(what: string, found: readonly string[], wanted: readonly string[]): void {
  const counts = new Map<string, number>();
  for (const line of wanted) counts.set(line, (counts.get(line) ?? 0) + 1);
  for (const line of found) counts.set(line, (counts.get(line) ?? 0) - 1);
  const missing = [...counts].filter(([, count]) => count > 0);
  const extra = [...counts].filter(([, count]) => count < 0);
  const some = (lines: [string, number][]): string =>
    lines
      .slice(0, 3)
      .map(([line, count]) => `${line} ×${Math.abs(count)}`)
      .join(", ");
  const text = `${what}: ${found.length} of ${wanted.length} rows; ${missing.length} missing (${some(missing)}), ${extra.length} too many (${some(extra)})`;
  expect(missing.length + extra.length, text).to.equal(0);
}
