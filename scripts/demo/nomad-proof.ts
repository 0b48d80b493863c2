/** The demo's pipeline as text, and the proof: what the sinks hold against the same SQL run as a batch in one process, without a pace. */
import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../process.ts";

/** Events a second while the demo is watched. */
const RATE = 8_000;
/** Beyond what any machine makes: no pace. */
const NO_RATE = 1_000_000_000;

/** The pipeline's SQL with its files in `folder`: rows of `seconds`. `paced`: as it is watched. */
export function demoSql(folder: string, seconds: number, paced: boolean): string {
  return readFileSync(join(ROOT, "scripts", "demo", "nomad.sql"), "utf8")
    .replaceAll("$rate", String(paced ? RATE : NO_RATE))
    .replaceAll("$count", String(RATE * seconds))
    .replaceAll("$folder", folder);
}

/** Runs the batch beside the pipeline; resolves to the folder of its answer. `signal` ends it. */
export function runBatch(folder: string, seconds: number, signal: AbortSignal): Promise<string> {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, "batch.sql");
  writeFileSync(file, demoSql(folder, seconds, false));
  return new Promise((resolve, reject) => {
    const env = { ...process.env, WADI__CONNECTORS__FILE__ROOTS: folder };
    const child = spawn(process.execPath, [join(ROOT, "dist", "cli", "main.js"), "run", file], {
      cwd: folder,
      stdio: ["ignore", "ignore", "pipe"],
      env,
      signal,
    });
    let said = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
    child.on("error", reject);
    child.on("exit", (code) => (code === 0 ? resolve(folder) : reject(new Error(`the batch failed: ${said}`))));
  });
}

/** What two folders of answers come to. */
export interface Proof {
  readonly equal: boolean;
  /** Rows of the sink, of the batch. */
  readonly picked: readonly [number, number];
  readonly totals: readonly [number, number];
  /** Changes from which the sink's totals are made. */
  readonly changes: number;
  /** The first difference in words; empty: none. */
  readonly difference: string;
}

/** Compares the sink's files with the batch's. */
export function compareAnswers(sink: string, batch: string): Proof {
  const [ours, theirs] = [pickedOf(sink), pickedOf(batch)];
  const [ourTotals, theirTotals] = [totalsOf(sink), totalsOf(batch)];
  const difference = firstDifference("row", ours, theirs) || firstDifference("total", ourTotals.rows, theirTotals.rows);
  return {
    equal: difference === "",
    picked: [ours.length, theirs.length],
    totals: [ourTotals.rows.length, theirTotals.rows.length],
    changes: ourTotals.changes,
    difference,
  };
}

function linesOf(path: string): string[] {
  return readFileSync(path, "utf8").split("\n").filter(Boolean);
}

/** The order of rows of several workers is nobody's. */
function pickedOf(folder: string): string[] {
  return linesOf(join(folder, "picked.jsonl")).sort();
}

interface Change {
  readonly before: object | null;
  readonly after: object | null;
}

/** The rows that are left when all changes are applied: each retracts a row that is there. */
function totalsOf(folder: string): { readonly rows: readonly string[]; readonly changes: number } {
  const rows = new Map<string, number>();
  const lines = linesOf(join(folder, "totals.jsonl"));
  const add = (row: object, weight: number): void => {
    const text = JSON.stringify(row);
    const left = (rows.get(text) ?? 0) + weight;
    if (left === 0) rows.delete(text);
    else rows.set(text, left);
  };
  for (const line of lines) {
    const { before, after } = JSON.parse(line) as Change;
    if (before !== null) add(before, -1);
    if (after !== null) add(after, 1);
  }
  return { rows: [...rows].flatMap(([text, weight]) => (weight === 1 ? [text] : [`${weight} × ${text}`])).sort(), changes: lines.length };
}

function firstDifference(what: string, ours: readonly string[], theirs: readonly string[]): string {
  const at = Array.from({ length: Math.max(ours.length, theirs.length) }).findIndex((_, i) => ours[i] !== theirs[i]);
  return at < 0 ? "" : `${what} ${ours[at] ?? "missing"} in the sink, ${theirs[at] ?? "none"} in the batch answer`;
}
