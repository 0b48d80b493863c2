/**
 * The benchmarks by name: what each runs, in interleaved pairs, and what its figures have to reach (design: `engine.md`, Speed to reach). A
 * benchmark whose two sides disagree about the answer fails: one that drops rows looks fast.
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { internalError } from "../../core/errors.ts";
import { bidsFile, warmPageCache } from "./bids.ts";
import { checksumFile } from "./checksum.ts";
import { perform } from "./child.ts";
import type { Cost, PipelineResult } from "./measurement.ts";
import type { BenchmarkResult, Figure } from "./record.ts";
import { type FileScripts, GROUPS, INGEST, latencyScript, WINDOW } from "./scripts.ts";
import { spread } from "./statistics.ts";

/** How to run a benchmark. */
export interface BenchmarkOptions {
  readonly rows: number;
  /** Interleaved repetitions. */
  readonly pairs: number;
  /** Where inputs are kept and outputs go. */
  readonly folder: string;
  /** False: Wadi alone. */
  readonly compare: boolean;
  /** Told what is going on. */
  say(text: string): void;
}

/** A benchmark. */
export type Benchmark = (options: BenchmarkOptions) => Promise<BenchmarkResult>;

const MILLION = 1e6;

/** Million rows a second. */
export function rate(rows: number, seconds: number): number {
  return rows / seconds / MILLION;
}

function figure(name: string, unit: string, values: readonly number[], bound?: "at least" | "at most", value?: number): Figure {
  const measured = { name, unit, value: spread(values) };
  return bound === undefined || value === undefined ? measured : { ...measured, target: { bound, value } };
}

/** Runs a pipeline and checks that it read `rows` rows, all of them good. */
export async function runWadi(
  sql: string,
  rows: number | undefined,
  settings: { readonly parallelism?: number; readonly stateUrl?: string; readonly checkpointIntervalMs?: number } = {},
): Promise<PipelineResult> {
  const result = await perform({ kind: "pipeline", parallelism: 1, ...settings, sql });
  const { rowsIn, bad, late } = result;
  if ((rows !== undefined && rowsIn !== rows) || bad !== 0 || late !== 0)
    throw internalError("invariant", `the pipeline read ${rowsIn} rows instead of ${rows}, ${bad} of them bad, ${late} late`);
  return result;
}

interface Input {
  readonly input: string;
  readonly mine: string;
  readonly theirs: string;
}

function prepare({ rows, folder, say }: BenchmarkOptions): Input {
  say(`input: ${rows} bids in ${folder}`);
  const input = bidsFile(folder, rows);
  warmPageCache(input);
  return { input, mine: join(folder, `wadi-${process.pid}.ndjson`), theirs: join(folder, `duckdb-${process.pid}.ndjson`) };
}

async function agree(mine: string, theirs: string | undefined): Promise<string> {
  const a = await checksumFile(mine);
  if (a.lines === 0) throw internalError("invariant", "the pipeline wrote nothing");
  const b = theirs === undefined ? a : await checksumFile(theirs);
  if (a.sum !== b.sum || a.lines !== b.lines)
    throw internalError("invariant", `Wadi wrote ${a.lines} lines with checksum ${a.sum}, DuckDB ${b.lines} with ${b.sum}`);
  return a.sum;
}

/** The pipeline against DuckDB over the same file. */
async function againstDuckDb(
  name: string,
  scripts: FileScripts,
  targets: readonly [number, number],
  options: BenchmarkOptions,
): Promise<BenchmarkResult> {
  const { rows, pairs, compare, say } = options;
  const { input, mine, theirs } = prepare(options);
  const wadi: Cost[] = [];
  const duckdb: Cost[] = [];
  let checksum = "";
  for (let pair = 1; pair <= pairs; pair++) {
    rmSync(mine, { force: true });
    const own = await runWadi(scripts.wadi(input, mine), rows);
    wadi.push(own);
    if (compare) duckdb.push(await perform({ kind: "duckdb", setup: [], sql: scripts.duckdb(input, theirs) }));
    checksum = await agree(mine, compare ? theirs : undefined);
    const other = duckdb.at(-1);
    const against = other === undefined ? "" : `, DuckDB ${rate(rows, other.cpuSeconds).toFixed(2)}`;
    say(`pair ${pair}: Wadi ${rate(rows, own.cpuSeconds).toFixed(2)} M rows / CPU s${against}; checksum ${checksum}`);
  }
  rmSync(mine, { force: true });
  rmSync(theirs, { force: true });
  const [least, ratio] = targets;
  const figures = [
    figure(
      "Wadi",
      "M rows / CPU s",
      wadi.map((c) => rate(rows, c.cpuSeconds)),
      "at least",
      least,
    ),
    figure(
      "Wadi, wall",
      "M rows / s",
      wadi.map((c) => rate(rows, c.wallSeconds)),
    ),
  ];
  if (compare) {
    figures.push(
      figure(
        "DuckDB, 1 thread",
        "M rows / CPU s",
        duckdb.map((c) => rate(rows, c.cpuSeconds)),
      ),
    );
    figures.push(
      figure(
        "DuckDB, wall",
        "M rows / s",
        duckdb.map((c) => rate(rows, c.wallSeconds)),
      ),
    );
    const ratios = wadi.map((c, i) => (duckdb[i]?.cpuSeconds ?? 0) / c.cpuSeconds);
    figures.push(figure("ratio, CPU", "×", ratios, "at least", ratio));
  }
  return { benchmark: name, rows, pairs, figures, checksum, notes: [] };
}

/** Two pipelines of one slot each, at the same time and with nothing in common: what the machine's two processors give at best. */
async function independent({ rows }: BenchmarkOptions, { input, mine }: Input): Promise<Cost> {
  const outputs = [mine, `${mine}.second`];
  for (const output of outputs) rmSync(output, { force: true });
  const costs = await Promise.all(outputs.map((output) => runWadi(WINDOW.wadi(input, output), rows)));
  for (const output of outputs) rmSync(output, { force: true });
  return {
    cpuSeconds: costs.reduce((sum, cost) => sum + cost.cpuSeconds, 0) / outputs.length,
    wallSeconds: Math.max(...costs.map((cost) => cost.wallSeconds)) / outputs.length,
  };
}

/** One slot against two, the window benchmark's pipeline; beside them two processes that share nothing, as the machine's own limit. */
async function slots(options: BenchmarkOptions): Promise<BenchmarkResult> {
  const { rows, pairs, say } = options;
  const files = prepare(options);
  const { input, mine } = files;
  const one: Cost[] = [];
  const two: Cost[] = [];
  const apart: Cost[] = [];
  let checksum = "";
  for (let pair = 1; pair <= pairs; pair++) {
    const sums: string[] = [];
    for (const [parallelism, costs] of [
      [1, one],
      [2, two],
    ] as const) {
      rmSync(mine, { force: true });
      costs.push(await runWadi(WINDOW.wadi(input, mine), rows, { parallelism }));
      sums.push(await agree(mine, undefined));
    }
    [checksum = ""] = sums;
    if (sums[0] !== sums[1]) throw internalError("invariant", `one slot's checksum is ${sums[0]}, that of two ${sums[1]}`);
    apart.push(await independent(options, files));
    const seconds = [one, two, apart].map((costs) => costs.at(-1)?.wallSeconds.toFixed(2));
    say(`pair ${pair}: one slot ${seconds[0]} s, two ${seconds[1]} s, two processes apart ${seconds[2]} s for as many rows`);
  }
  rmSync(mine, { force: true });
  const figures = [
    figure(
      "two slots, wall",
      "× one",
      two.map((c, i) => (one[i]?.wallSeconds ?? 0) / c.wallSeconds),
      "at least",
      1.6,
    ),
    figure(
      "CPU per row of two slots",
      "× one",
      two.map((c, i) => c.cpuSeconds / (one[i]?.cpuSeconds ?? 1)),
      "at most",
      1.15,
    ),
    figure(
      "two processes apart, wall",
      "× one",
      apart.map((c, i) => (one[i]?.wallSeconds ?? 0) / c.wallSeconds),
    ),
    figure(
      "CPU per row of two processes apart",
      "× one",
      apart.map((c, i) => c.cpuSeconds / (one[i]?.cpuSeconds ?? 1)),
    ),
    figure(
      "one slot, wall",
      "M rows / s",
      one.map((c) => rate(rows, c.wallSeconds)),
    ),
    figure(
      "two slots, wall rate",
      "M rows / s",
      two.map((c) => rate(rows, c.wallSeconds)),
    ),
  ];
  return {
    benchmark: "slots",
    rows,
    pairs,
    figures,
    checksum,
    notes: ["wall figures need two idle cores: see the machine's load", "processes apart share nothing: what they lose, the machine takes"],
  };
}

/** The window pipeline with a checkpoint every second against none. */
async function checkpoints(options: BenchmarkOptions): Promise<BenchmarkResult> {
  const { rows, pairs, folder, say } = options;
  const { input, mine } = prepare(options);
  const state = join(folder, `state-${process.pid}`);
  const plain: Cost[] = [];
  const kept: PipelineResult[] = [];
  for (let pair = 1; pair <= pairs; pair++) {
    rmSync(mine, { force: true });
    plain.push(await runWadi(WINDOW.wadi(input, mine), rows));
    const without = await agree(mine, undefined);
    rmSync(mine, { force: true });
    rmSync(state, { recursive: true, force: true });
    kept.push(await runWadi(WINDOW.wadi(input, mine), rows, { stateUrl: state, checkpointIntervalMs: 1000 }));
    const withCheckpoints = await agree(mine, undefined);
    if (without !== withCheckpoints)
      throw internalError("invariant", `checksum ${without} without checkpoints, ${withCheckpoints} with them`);
    say(`pair ${pair}: ${kept.at(-1)?.epochs} checkpoints in ${kept.at(-1)?.wallSeconds.toFixed(2)} s`);
  }
  rmSync(mine, { force: true });
  rmSync(state, { recursive: true, force: true });
  const figures = [
    figure(
      "cost in CPU",
      "%",
      kept.map((c, i) => (c.cpuSeconds / (plain[i]?.cpuSeconds ?? 1) - 1) * 100),
      "at most",
      5,
    ),
    figure(
      "cost in wall time",
      "%",
      kept.map((c, i) => (c.wallSeconds / (plain[i]?.wallSeconds ?? 1) - 1) * 100),
    ),
    figure(
      "checkpoints",
      "complete",
      kept.map((c) => c.epochs),
    ),
  ];
  return { benchmark: "checkpoints", rows, pairs, figures, notes: ["the last checkpoint of a run is its end, not due to the interval"] };
}

/** Bytes per group up to a million groups, whatever `rows` says. */
async function groups({ say }: BenchmarkOptions): Promise<BenchmarkResult> {
  const figures: Figure[] = [];
  for (const [name, sql] of Object.entries(GROUPS)) {
    const result = await perform({ kind: "groups", sql, groups: 1_000_000 });
    say(`${name}: ${result.final.toFixed(1)} bytes a group at ${result.groups} groups, at worst ${result.worst.toFixed(1)}`);
    figures.push(figure(`${name}, worst from 100,000 groups on`, "bytes / group", [result.worst], "at most", 64));
    figures.push(figure(`${name}, at the end`, "bytes / group", [result.final]));
    figures.push(figure(`${name}, time`, "ns / new group", [result.nsPerRow]));
  }
  return {
    benchmark: "groups",
    rows: 1_000_000,
    pairs: 1,
    figures,
    notes: ["64-bit key, two 64-bit accumulators; the changelog's group keeps its row count and last output too"],
  };
}

/** A new pipeline from its text to its first row, in a warm process. */
async function latency(options: BenchmarkOptions): Promise<BenchmarkResult> {
  const { pairs, folder, say } = options;
  const input = bidsFile(folder, 20_000);
  const output = join(folder, `latency-${process.pid}.ndjson`);
  const results = [];
  for (let pair = 1; pair <= pairs; pair++) {
    rmSync(output, { force: true });
    const warmUp = latencyScript(input, join(folder, `warm-${process.pid}.ndjson`), 1);
    const result = await perform({ kind: "latency", warmUp, sql: latencyScript(input, output, 1 + pair), output });
    say(
      `run ${pair}: planned ${result.plannedMs.toFixed(0)} ms, compiled ${result.compiledMs.toFixed(0)} ms, first row ${result.firstRowMs.toFixed(0)} ms`,
    );
    results.push(result);
  }
  rmSync(output, { force: true });
  rmSync(join(folder, `warm-${process.pid}.ndjson`), { force: true });
  const figures = [
    figure(
      "submit to first row, warm",
      "ms",
      results.map((r) => r.firstRowMs),
      "at most",
      1000,
    ),
    figure(
      "planned after",
      "ms",
      results.map((r) => r.plannedMs),
    ),
    figure(
      "compiled after",
      "ms",
      results.map((r) => r.compiledMs),
    ),
    figure(
      "generated source",
      "lines",
      results.map((r) => r.lines),
    ),
  ];
  return { benchmark: "latency", rows: 20_000, pairs, figures, notes: ["level preview; the module is new, the process is not"] };
}

/** The benchmarks on files. */
export const BENCHMARKS: Readonly<Record<string, Benchmark>> = {
  ingest: (options) => againstDuckDb("ingest", INGEST, [10, 4], options),
  window: (options) => againstDuckDb("window", WINDOW, [6, 2.5], options),
  slots,
  checkpoints,
  groups,
  latency,
};
