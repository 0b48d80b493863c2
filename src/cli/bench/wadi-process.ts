/** Wadi's side of a benchmark, in a process of its own: plans, compiles (from the cache if it can), runs, and measures what the task asks for. */
import { statSync } from "node:fs";
import { compileModule } from "../../codegen/asc.ts";
import { ENTRY, generateModule } from "../../codegen/module.ts";
import { noCache } from "../../compiler/cache.ts";
import { Compiler } from "../../compiler/compiler.ts";
import { CONNECTOR_SPECS } from "../../connectors/specs.ts";
import { must } from "../../core/assert.ts";
import { systemClock } from "../../core/clock.ts";
import { internalError } from "../../core/errors.ts";
import { Instance, instantiate } from "../../dataflow/instance.ts";
import { STATUS } from "../../program/abi.ts";
import type { Program } from "../../program/program.ts";
import { SqlParser } from "../../sql/parse.ts";
import { planScript } from "../../sql/plan.ts";
import { runPipeline } from "../../worker/embedded-run.ts";
import { compileOnce } from "../compile.ts";
import { readConfig } from "../config.ts";
import { answerWith } from "./child.ts";
import type { GroupsResult, GroupsTask, LatencyResult, LatencyTask, PipelineResult, PipelineTask, Results, Task } from "./measurement.ts";

/** How often the output is looked at for a first row. */
const POLL_MS = 2;
const STATE_LIMIT = 3 * 2 ** 30;

async function plan(parser: SqlParser, sql: string): Promise<Program> {
  const planned = planScript(await parser.parse(sql, new Map()), { connectors: CONNECTOR_SPECS, defaultSink: "blackhole" });
  if (planned.ok) return planned.program;
  throw internalError("invalid-sql", `a benchmark's SQL does not plan: ${planned.diagnostics.map((d) => d.message).join("; ")}`);
}

async function planOnce(sql: string): Promise<Program> {
  const parser = new SqlParser();
  try {
    return await plan(parser, sql);
  } finally {
    await parser.close();
  }
}

async function pipeline(task: PipelineTask): Promise<PipelineResult> {
  const program = await planOnce(task.sql);
  const { config } = await readConfig();
  const artifact = await compileOnce(program, "production", config);
  let before = process.cpuUsage();
  let began = 0;
  const summary = await runPipeline({
    program,
    module: { kind: "wasm", bytes: artifact.wasm },
    stateSchemas: artifact.stateSchemas,
    parallelism: task.parallelism,
    stateUrl: task.stateUrl,
    checkpointIntervalMs: task.checkpointIntervalMs,
    onRunning: () => {
      before = process.cpuUsage();
      began = performance.now();
    },
  });
  const wallSeconds = (performance.now() - began) / 1e3;
  const { user, system } = process.cpuUsage(before);
  const { rowsIn, rowsOut, late, bad, epochs } = summary;
  return { cpuSeconds: (user + system) / 1e6, wallSeconds, rowsIn, rowsOut, late, bad, epochs: epochs.length };
}

/** Milliseconds until the file at `path` has bytes, by `until` at the latest. */
async function firstBytes(path: string, running: Promise<unknown>): Promise<number> {
  let over = false;
  running.then(
    () => {
      over = true;
    },
    () => {
      over = true;
    },
  );
  for (;;) {
    if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) > 0) return performance.now();
    if (over) throw internalError("invariant", `the pipeline ended and "${path}" is empty`);
    await systemClock.sleep(POLL_MS);
  }
}

async function latency(task: LatencyTask): Promise<LatencyResult> {
  const parser = new SqlParser();
  const compiler = new Compiler({ timeoutMs: 60_000, memoryMb: 2048 }, noCache, systemClock);
  const warm = await compiler.compile({ program: await plan(parser, task.warmUp), level: "preview" });
  await runPipeline({ program: await plan(parser, task.warmUp), module: { kind: "wasm", bytes: warm.wasm }, parallelism: 1 });
  const began = performance.now();
  const program = await plan(parser, task.sql);
  const plannedMs = performance.now() - began;
  const artifact = await compiler.compile({ program, level: "preview" });
  const compiledMs = performance.now() - began;
  const running = runPipeline({ program, module: { kind: "wasm", bytes: artifact.wasm }, parallelism: 1 });
  const firstRowMs = (await firstBytes(task.output, running)) - began;
  await running;
  await parser.close();
  await compiler.close();
  return { plannedMs, compiledMs, firstRowMs, lines: artifact.lines };
}

/** Feeds one instance by hand: bytes per group after every batch, which no report of a run would show. */
async function groups(task: GroupsTask): Promise<GroupsResult> {
  const program = await planOnce(task.sql);
  const wasm = await compileModule(generateModule(program).sources, ENTRY, "production");
  const settings = { program, subtask: 0, parallelism: 1, batchRows: 8192, stateLimit: STATE_LIMIT, fence: 1n };
  const instance = new Instance(instantiate(new WebAssembly.Module(wasm)), settings);
  const source = must(
    program.vertices.find((v) => v.operator.kind === "source"),
    "the source",
  ).id;
  const keyed = must(
    program.vertices.find((v) => v.operator.kind === "window-aggregate" || v.operator.kind === "updating-aggregate"),
    "the aggregate",
  ).id;
  let worst = 0;
  let busyMs = 0;
  let rows = 0;
  for (; rows < task.groups; rows += 8192) {
    const began = performance.now();
    const status = instance.generate(source, BigInt(rows), 1, 8192, 0n);
    busyMs += performance.now() - began;
    if (status !== STATUS.idle) throw internalError("invariant", `generate answered ${status}`);
    const { keys, stateBytes } = instance.stats(keyed);
    if (keys !== rows + 8192) throw internalError("invariant", `${keys} groups after ${rows + 8192} events`);
    if (keys >= task.groups / 10) worst = Math.max(worst, stateBytes / keys);
  }
  const { keys, stateBytes } = instance.stats(keyed);
  return { groups: keys, final: stateBytes / keys, worst, nsPerRow: (busyMs * 1e6) / rows };
}

function measure(task: Task): Promise<Results[keyof Results]> {
  if (task.kind === "pipeline") return pipeline(task);
  if (task.kind === "latency") return latency(task);
  if (task.kind === "groups") return groups(task);
  throw internalError("invariant", `a task of kind ${task.kind} is not Wadi's`);
}

answerWith(measure);
