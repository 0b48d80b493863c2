/**
 * The Nexmark benchmark: each query over the in-process generator into a blackhole, beside it the generator alone; before that, over few events,
 * its result against DuckDB's over the same events.
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { internalError } from "../../core/errors.ts";
import { type BenchmarkOptions, rate, runWadi } from "./benchmarks.ts";
import { checksumFile } from "./checksum.ts";
import { perform } from "./child.ts";
import { dumpScript, generatorScript, loadBids, NEXMARK, type NexmarkQuery, nexmarkScript } from "./nexmark.ts";
import type { BenchmarkResult, Figure } from "./record.ts";
import { spread } from "./statistics.ts";

/** Events whose results are compared: 40 s of event time, so four tumbling windows. */
const CHECKED_EVENTS = 4_000_000;

/** Compares a query's result with DuckDB's; the checksum both have. */
async function check(query: NexmarkQuery, bids: string, options: BenchmarkOptions): Promise<string> {
  const mine = join(options.folder, `wadi-${process.pid}.ndjson`);
  const theirs = join(options.folder, `duckdb-${process.pid}.ndjson`);
  try {
    rmSync(mine, { force: true });
    await runWadi(nexmarkScript(query, checkedEvents(options), mine), checkedEvents(options));
    const a = await checksumFile(mine);
    if (!options.compare) return a.sum;
    await perform({ kind: "duckdb", setup: [loadBids(bids)], sql: `COPY (${query.duckdb}) TO '${theirs}' (FORMAT json);` });
    const b = await checksumFile(theirs);
    if (a.lines === 0 || a.lines !== b.lines || a.sum !== b.sum)
      throw internalError("invariant", `${query.name}: Wadi has ${a.lines} rows with checksum ${a.sum}, DuckDB ${b.lines} with ${b.sum}`);
    return a.sum;
  } finally {
    rmSync(mine, { force: true });
    rmSync(theirs, { force: true });
  }
}

/** Fewer events when the benchmark itself is small. */
function checkedEvents({ rows }: BenchmarkOptions): number {
  return Math.min(rows, CHECKED_EVENTS);
}

async function measureQuery(query: NexmarkQuery, { rows, pairs, say }: BenchmarkOptions): Promise<Figure[]> {
  const cpu: number[] = [];
  const wall: number[] = [];
  const generator: number[] = [];
  for (let pair = 1; pair <= pairs; pair++) {
    const all = await runWadi(nexmarkScript(query, rows, undefined), rows);
    const made = await runWadi(generatorScript(query, rows), rows);
    cpu.push(rate(rows, all.cpuSeconds));
    wall.push(rate(rows, all.wallSeconds));
    generator.push(rate(rows, made.cpuSeconds));
  }
  const figures: Figure[] = [
    { name: query.name, unit: "M events / CPU s", value: spread(cpu), target: { bound: "at least", value: query.target } },
    { name: `${query.name}, wall`, unit: "M events / s", value: spread(wall) },
    { name: `${query.name}, its generator alone`, unit: "M events / CPU s", value: spread(generator) },
  ];
  say(`${query.name}: ${figures[0]?.value.median} M events / CPU s, its generator alone ${figures[2]?.value.median}`);
  return figures;
}

/** Runs the queries named in `only`, or all. */
export async function nexmark(options: BenchmarkOptions, only: readonly string[] = []): Promise<BenchmarkResult> {
  const bids = join(options.folder, `nexmark-${process.pid}.ndjson`);
  const figures: Figure[] = [];
  const sums: string[] = [];
  try {
    await runWadi(dumpScript(checkedEvents(options), bids), checkedEvents(options));
    for (const query of NEXMARK) {
      if (only.length > 0 && !only.includes(query.name)) continue;
      sums.push(`${query.name} ${await check(query, bids, options)}`);
      options.say(`${query.name}: ${options.compare ? "equal to DuckDB's" : "not compared"} over ${checkedEvents(options)} events`);
      figures.push(...(await measureQuery(query, options)));
    }
  } finally {
    rmSync(bids, { force: true });
  }
  const notes = ["q12 over event time instead of processing time", "events are persons, auctions and bids; queries read bids"];
  return { benchmark: "nexmark", rows: options.rows, pairs: options.pairs, figures, checksum: sums.join(", "), notes };
}
