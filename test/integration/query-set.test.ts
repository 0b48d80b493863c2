/**
 * The committed query set on the real engine: DuckDB's batch answer at parallelism 1, 2 and 4; the same after kill -9 in the
 * middle and a resume; the same after a stop at parallelism 2 and a resume at 3. `WADI_KILL_SEEDS` is the number of seeded
 * kills a query; under `WADI_QUICK` only some queries are killed.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { Prng } from "../../src/core/prng.ts";
import { QUERIES, QUERY_ROWS, QUICK_ROWS } from "../support/queries/queries.ts";
import { compareOutput, prepareQuery, type QueryFiles, writeScript } from "../support/query-files.ts";
import { runScript } from "../support/run-child.ts";

const KILL_SEEDS = Number(process.env["WADI_KILL_SEEDS"] ?? 1);
const EVERY_ROWS = 20_000;
/** The epoch that must be complete before the process is killed. */
const KILL_EPOCH = 3;
const CHILD = fileURLToPath(new URL("../support/run-child.ts", import.meta.url));

/** Rows of the query's tables together. */
function rowsOf(files: QueryFiles): number {
  return files.query.tables.length * QUERY_ROWS;
}

/** Starts the run in a child, kills it a little after epoch 3 is complete; the epochs it reported. */
async function runAndKill(script: string, state: string, parallelism: number, delayMs: number): Promise<readonly number[]> {
  const child = spawn(process.execPath, ["--import", "tsx", CHILD, script, state, String(parallelism), String(EVERY_ROWS)], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, WADI_TEST_READ_DELAY_MS: "60" },
  });
  const epochs: number[] = [];
  let errors = "";
  child.stderr.on("data", (text: Buffer) => {
    errors += text.toString();
  });
  child.stdout.on("data", (text: Buffer) => {
    for (const [, epoch] of text.toString().matchAll(/epoch (\d+)/g)) epochs.push(Number(epoch));
    if (epochs.some((e) => e >= KILL_EPOCH)) void sleep(delayMs).then(() => child.kill("SIGKILL"));
  });
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve) =>
    child.on("exit", (c, s) => resolve([c, s])),
  );
  expect(signal, `the child was to be killed, but ended with ${code}: ${errors}`).to.equal("SIGKILL");
  return epochs;
}

describe("query set", function () {
  this.timeout(180_000);
  const folder = mkdtempSync(join(tmpdir(), "wadi-queries-"));
  after(() => rmSync(folder, { recursive: true, force: true }));

  for (const query of QUERIES) {
    it(`gives DuckDB's answer to "${query.name}" at parallelism 1, 2 and 4`, async () => {
      const files = await prepareQuery(query, folder, QUICK_ROWS, 11);
      expect(files.expected.length).to.be.greaterThan(5);
      for (const parallelism of [1, 2, 4]) {
        const output = join(folder, `${query.name}-${parallelism}`);
        const summary = await runScript({ script: writeScript(files, output), state: undefined, parallelism });
        expect(summary.outcome).to.equal("finished");
        expect(summary.rowsIn).to.equal(query.tables.length * QUICK_ROWS);
        expect(summary.imbalances).to.deep.equal([]);
        expect(compareOutput(files, output), `parallelism ${parallelism}`).to.equal(undefined);
      }
    });
  }

  for (const query of QUERIES) {
    for (let seed = 1; seed <= KILL_SEEDS; seed++) {
      it(`answers "${query.name}" once after kill -9 (seed ${seed})`, async () => {
        const prng = new Prng(seed * 7919 + query.name.length);
        const files = await prepareQuery(query, folder, QUERY_ROWS, 12);
        const output = join(folder, `${query.name}-kill-${seed}`);
        const script = writeScript(files, output);
        const state = `${output}-state`;
        const parallelism = prng.pick([1, 1, 2]);
        await runAndKill(script, state, parallelism, prng.below(80));
        const summary = await runScript({ script, state, parallelism: prng.pick([1, 2, 3]), everyRows: EVERY_ROWS });
        expect(summary.outcome).to.equal("finished");
        expect(summary.restoredEpoch).to.be.at.least(KILL_EPOCH);
        expect(summary.rowsIn).to.be.lessThan(rowsOf(files));
        expect(compareOutput(files, output)).to.equal(undefined);
        rmSync(state, { recursive: true });
      });
    }
  }

  for (const query of QUERIES) {
    it(`answers "${query.name}" once when stopped at parallelism 2 and resumed at 3`, async () => {
      const files = await prepareQuery(query, folder, QUERY_ROWS, 12);
      const output = join(folder, `${query.name}-stop`);
      const script = writeScript(files, output);
      const state = `${output}-state`;
      const first = await runScript({ script, state, parallelism: 2, everyRows: EVERY_ROWS, stopAfter: 2 });
      expect(first.outcome).to.equal("stopped");
      expect(first.epochs.at(-1)).to.equal(2);
      const second = await runScript({ script, state, parallelism: 3, everyRows: EVERY_ROWS });
      expect(second.outcome).to.equal("finished");
      expect(second.restoredEpoch).to.equal(2);
      expect(second.rowsIn).to.equal(rowsOf(files) - first.rowsIn);
      expect(compareOutput(files, output)).to.equal(undefined);
      rmSync(state, { recursive: true });
    });
  }
});
