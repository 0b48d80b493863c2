/** Runs fake programs through `runPipeline`: input files, options and the sink's output in one place. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Program } from "../../src/program/program.ts";
import { type RunOptions, type RunSummary, runPipeline } from "../../src/worker/embedded-run.ts";
import { type FakeVertex, fakeProgram, GATHER, KEYED } from "./fake-program.ts";

const MODULE = new URL("./fake-module.ts", import.meta.url).href;
const CONNECTORS = new URL("./fake-connectors.ts", import.meta.url).href;

/** A folder with an input, an output and a state directory. */
export class FakeRun {
  readonly folder: string;
  readonly input: string;
  readonly state: string;

  /** In a new folder, or in one that another process made. */
  constructor(folder = mkdtempSync(join(tmpdir(), "wadi-run-"))) {
    this.folder = folder;
    this.input = join(folder, "in");
    this.state = join(folder, "state");
  }

  /** Writes the input: `rows` lines, one a millisecond, keys 0 … `keys` − 1 in turn, value 1. */
  write(rows: number, keys: number): void {
    writeFileSync(this.input, Array.from({ length: rows }, (_, i) => `${i % keys},${i},1\n`).join(""));
  }

  /** source → window sums by key (keyed) → encode → sink (gathered or one per subtask). */
  windowed(source: FakeVertex["options"] = {}, sink: FakeVertex["options"] = {}, gather = true): Program {
    return fakeProgram([
      { kind: "source", options: { path: this.input, block_rows: 500, ...source } },
      { kind: "compute" },
      { kind: "window-aggregate", widthMs: 1000, inputs: [[1, KEYED]] },
      { kind: "encode" },
      { kind: "sink", options: { path: join(this.folder, "out"), ...sink }, ...(gather ? { inputs: [[3, GATHER] as const] } : {}) },
    ]);
  }

  /** source → running sums by key (keyed) → encode → sink. */
  updating(): Program {
    return fakeProgram([
      { kind: "source", options: { path: this.input, block_rows: 500 } },
      { kind: "updating-aggregate", inputs: [[0, KEYED]] },
      { kind: "encode" },
      { kind: "sink", options: { path: join(this.folder, "out") }, inputs: [[2, GATHER]] },
    ]);
  }

  run(program: Program, options: Partial<RunOptions> = {}, module = MODULE): Promise<RunSummary> {
    return runPipeline({
      program,
      module: { kind: "script", url: module },
      connectors: CONNECTORS,
      parallelism: 1,
      batchRows: 200,
      ...options,
    });
  }

  /** All lines of all sink files, sorted. */
  output(): string[] {
    const files = readdirSync(this.folder).filter((name) => /^out-\d+$/.test(name));
    const lines = files.flatMap((name) => readFileSync(join(this.folder, name), "utf8").split("\n"));
    return lines.filter((line) => line !== "").sort();
  }

  /** What the windowed program gives for `write(rows, keys)`, sorted. */
  windowedAnswer(rows: number, keys: number): string[] {
    const sums = new Map<string, number>();
    for (let i = 0; i < rows; i++) {
      const group = `${i % keys},${(Math.floor(i / 1000) + 1) * 1000 - 1}`;
      sums.set(group, (sums.get(group) ?? 0) + 1);
    }
    return [...sums].map(([group, sum]) => `${group},${sum}`).sort();
  }

  /** Whether the sink's file of `subtask` was committed. */
  committed(subtask: number): boolean {
    return existsSync(join(this.folder, `out-${subtask}.committed`));
  }
}
