/**
 * The file benchmarks at a small size: both engines agree about every row, and Wadi is not less than half as fast beside DuckDB as when the
 * figures of this size were recorded (`npm run bench -- ingest window --rows 500000 --record`). CPU time, so a busy machine changes little.
 */

import { readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { BENCHMARKS } from "../../src/cli/bench/benchmarks.ts";
import type { BenchmarkResult } from "../../src/cli/bench/record.ts";

const ROWS = 500_000;
const RATIO = "ratio, CPU";

function ratioOf(result: Pick<BenchmarkResult, "figures">): number {
  return result.figures.find((figure) => figure.name === RATIO)?.value.median ?? Number.NaN;
}

function recorded(name: string): BenchmarkResult {
  const path = new URL(`../bench/records/${name}-${ROWS}.json`, import.meta.url);
  return JSON.parse(readFileSync(path, "utf8")) as BenchmarkResult;
}

describe("benchmarks", function () {
  this.timeout(300_000);

  for (const name of ["ingest", "window"]) {
    it(`${name}: DuckDB's answer, at no less than half of the recorded ratio`, async () => {
      const benchmark = BENCHMARKS[name];
      if (benchmark === undefined) return expect.fail(`there is no benchmark "${name}"`);
      const folder = join(tmpdir(), "wadi-bench");
      const result = await benchmark({ rows: ROWS, pairs: 1, folder, compare: true, say: () => undefined });
      const before = recorded(name);
      expect(result.checksum).to.equal(before.checksum);
      expect(ratioOf(result)).to.be.at.least(ratioOf(before) / 2);
    });
  }
});
