/**
 * The real engine as the oracle's opponent: compiles a program once and runs it by `runPipeline` over files in a folder of its own, with
 * any number of slots. Only the paths of the tables are changed.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compileModule, type OptimisationLevel } from "../../src/codegen/asc.ts";
import { ENTRY, generateModule } from "../../src/codegen/module.ts";
import type { Operator } from "../../src/program/operator.ts";
import type { Program } from "../../src/program/program.ts";
import { runPipeline } from "../../src/worker/embedded-run.ts";
import type { EngineResult, EngineRunner } from "./oracle-differential.ts";

/** Generated modules by program: the same program is run over many inputs. */
const compiled = new WeakMap<Program, Promise<Uint8Array<ArrayBuffer>>>();

function compile(program: Program, level: OptimisationLevel): Promise<Uint8Array<ArrayBuffer>> {
  const known = compiled.get(program);
  if (known !== undefined) return known;
  const started = compileModule(generateModule(program).sources, ENTRY, level);
  compiled.set(program, started);
  return started;
}

/** `program` with its tables in `folder`: `<table>.ndjson`. */
function relocate(program: Program, folder: string): Program {
  const move = (operator: Operator): Operator => {
    if (operator.kind !== "source" && operator.kind !== "sink") return operator;
    return { ...operator, connector: "single_file", options: { path: join(folder, `${operator.table}.ndjson`) } };
  };
  return { ...program, vertices: program.vertices.map((vertex) => ({ ...vertex, operator: move(vertex.operator) })) };
}

/** Lines of the file of a sink; none if the run has not made it. */
function linesOf(path: string): string[] {
  const text = readFileSync(path, "utf8");
  return text === "" ? [] : text.replace(/\n$/, "").split("\n");
}

/** The engine with slots as threads of this process. `level` is "checked" (assertions, slow code) by default. */
export function engineRunner(level: OptimisationLevel = "checked"): EngineRunner {
  return async (program, inputs, { parallelism, batchRows, checkpointEveryRows }): Promise<EngineResult> => {
    const bytes = await compile(program, level);
    const folder = mkdtempSync(join(tmpdir(), "wadi-engine-"));
    try {
      const local = relocate(program, folder);
      for (const [table, input] of Object.entries(inputs)) writeFileSync(join(folder, `${table}.ndjson`), input);
      const state = checkpointEveryRows === undefined ? {} : { stateUrl: join(folder, "state"), checkpointEveryRows };
      const summary = await runPipeline({ program: local, module: { kind: "wasm", bytes }, parallelism, batchRows, ...state });
      const tables = local.vertices.flatMap(({ operator }) => (operator.kind === "sink" ? [operator.table] : []));
      const sinks = Object.fromEntries(tables.map((table) => [table, linesOf(join(folder, `${table}.ndjson`))]));
      return { sinks, late: Number(summary.late), bad: Number(summary.bad) };
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  };
}
