/**
 * `wadi bench`: measures this build by the protocol of the design (CPU time of a process of its own, interleaved with DuckDB on one thread where
 * there is an opponent) and says which figures reach their targets.
 */
import { createRequire } from "node:module";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { userError } from "../../core/errors.ts";
import { nearestName } from "../../core/nearest.ts";
import { BENCHMARKS, type Benchmark } from "../bench/benchmarks.ts";
import { nexmark } from "../bench/nexmark-benchmark.ts";
import { type BenchmarkResult, type Figure, reached, record } from "../bench/record.ts";
import { EXIT, print, say } from "../output.ts";

/** Arguments of the command. */
export interface BenchArguments {
  /** Names of benchmarks (`BENCHMARK_NAMES`) or of Nexmark queries (`nexmark:q5`); none: all. */
  readonly names: readonly string[];
  /** Rows of the input (Nexmark: events). */
  readonly rows: number;
  /** Interleaved repetitions. */
  readonly pairs: number;
  /** Writes the results to `test/bench/records`. */
  readonly record: boolean;
  /** The command line, for the records. */
  readonly command: string;
}

/** What `wadi bench` can run. */
export const BENCHMARK_NAMES: readonly string[] = [...Object.keys(BENCHMARKS), "nexmark"];

/**
 * Size of a run that nobody has sized.
 * @public for scripts/bench.ts, which takes it from the build
 */
export const BENCH_DEFAULTS = { rows: 2_000_000, pairs: 3 } as const;

function hasDuckDb(): boolean {
  try {
    createRequire(import.meta.url).resolve("@duckdb/node-api");
    return true;
  } catch {
    return false;
  }
}

function benchmarkOf(name: string): Benchmark {
  const [kind = "", query] = name.split(":");
  if (kind === "nexmark") return (options) => nexmark(options, query === undefined ? [] : [query]);
  const benchmark = BENCHMARKS[kind];
  if (benchmark !== undefined) return benchmark;
  const nearest = nearestName(kind, BENCHMARK_NAMES);
  throw userError("invalid-usage", `benchmark "${name}" does not exist${nearest === undefined ? "" : `; did you mean "${nearest}"?`}`, {
    hint: `There are ${BENCHMARK_NAMES.join(", ")}; one query of Nexmark is nexmark:q5.`,
  });
}

function line(figure: Figure): string {
  const { name, unit, value, target } = figure;
  const range = value.least === value.largest ? "" : ` (${value.least} … ${value.largest})`;
  const goal = target === undefined ? "" : `   target ${target.bound} ${target.value}: ${reached(figure) ? "reached" : "MISSED"}`;
  return `  ${name.padEnd(38)} ${String(value.median).padStart(9)} ${unit}${range}${goal}\n`;
}

function report(result: BenchmarkResult): string {
  const head = `${result.benchmark}: ${result.rows} rows, ${result.pairs} pairs, load ${(loadavg()[0] ?? 0).toFixed(1)}\n`;
  const notes = result.notes.map((note) => `  (${note})\n`).join("");
  const checksum = result.checksum === undefined ? "" : `  checksum ${result.checksum}\n`;
  return head + result.figures.map(line).join("") + checksum + notes;
}

/** Runs the benchmarks; the exit code. A missed target is no failure: the figures are what was asked for. */
export async function bench(args: BenchArguments): Promise<number> {
  const benchmarks = (args.names.length === 0 ? BENCHMARK_NAMES : args.names).map((name) => [name, benchmarkOf(name)] as const);
  const compare = hasDuckDb();
  if (!compare) say("DuckDB (npm package @duckdb/node-api) is not installed: Wadi is measured alone");
  const options = {
    rows: args.rows,
    pairs: args.pairs,
    folder: join(tmpdir(), "wadi-bench"),
    compare,
    say: (text: string) => say(`  ${text}`),
  };
  for (const [name, benchmark] of benchmarks) {
    say(`${name}…`);
    const result = await benchmark(options);
    print(report(result));
    if (args.record) say(`recorded in ${record(result, args.command)}`);
  }
  return EXIT.done;
}
