/**
 * Records of benchmarks: figures with everything needed to read them a year later. One JSON file a benchmark and size, replaced by the next
 * run of that size; `test/integration/bench.test.ts` compares its own small runs with the records of their size.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Spread } from "./statistics.ts";

/** One figure, with what it should be. */
export interface Figure {
  readonly name: string;
  readonly unit: string;
  readonly value: Spread;
  readonly target?: { readonly bound: "at least" | "at most"; readonly value: number };
}

/** What a benchmark found. */
export interface BenchmarkResult {
  readonly benchmark: string;
  readonly rows: number;
  readonly pairs: number;
  readonly figures: readonly Figure[];
  /** What both sides agreed on; undefined where there is nothing to agree on. */
  readonly checksum?: string | undefined;
  readonly notes: readonly string[];
}

/** True if the figure reaches its target, or has none. */
export function reached({ value, target }: Figure): boolean {
  if (target === undefined) return true;
  return target.bound === "at least" ? value.median >= target.value : value.median <= target.value;
}

function commit(): string {
  try {
    const git = (...args: string[]): string => execFileSync("git", args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
    return git("rev-parse", "--short", "HEAD") + (git("status", "--porcelain", "src") === "" ? "" : " with changes");
  } catch {
    return "unknown";
  }
}

/** Writes the result beside the others, in `test/bench` of this repository; the path. */
export function record(result: BenchmarkResult, command: string): string {
  const folder = fileURLToPath(new URL("../../../test/bench/records/", import.meta.url));
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${result.benchmark}-${result.rows}.json`);
  const machine = {
    cpu: cpus()[0]?.model ?? "unknown",
    threads: cpus().length,
    node: process.version,
    load: Number((loadavg()[0] ?? 0).toFixed(1)),
  };
  writeFileSync(path, `${JSON.stringify({ version: 1, commit: commit(), command, machine, ...result }, null, 2)}\n`);
  return path;
}
