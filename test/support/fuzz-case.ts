/**
 * One fuzz case: a program, an input and the way it is run, all from seeds; and the judgement of the cluster's result by the oracle. Programs
 * come by turns from random graphs and, through the planner, from random scripts.
 */
import type { OptimisationLevel } from "../../src/codegen/asc.ts";
import { toAppError } from "../../src/core/errors.ts";
import { Prng } from "../../src/core/prng.ts";
import type { Program } from "../../src/program/program.ts";
import { interpret, type OracleOptions } from "../oracle/interpreter.ts";
import { type ClusterCase, type ClusterResult, randomClusterCase, runCluster } from "./module-cluster.ts";
import { type CompiledProgram, compileProgram } from "./module-runner.ts";
import { compareResults, updatingSinksOf } from "./oracle-differential.ts";
import { planSql } from "./oracle-planner.ts";
import type { SourceTable } from "./oracle-programs.ts";
import { randomInputs, randomProgram } from "./random-program.ts";
import { randomScript } from "./random-sql.ts";

const SECOND = 1_000_000_000n;

/** A program to be run many times. */
export interface FuzzProgram extends CompiledProgram {
  readonly tables: readonly SourceTable[];
  /** What is in it: `tumble`, `join`, `updating over updating` … */
  readonly shapes: readonly string[];
  readonly level: OptimisationLevel;
}

/**
 * The program of a seed: even seeds are scripts. One in eight is compiled as in production, the others with assertions. Undefined if the
 * planner refuses the script, because a literal in it does not fit its type.
 */
export async function fuzzProgram(seed: number): Promise<FuzzProgram | undefined> {
  const prng = new Prng(seed);
  const level = prng.chance(1, 8) ? "production" : "checked";
  if (seed % 2 === 0) {
    const { sql, tables } = randomScript(prng);
    const program = await planSql(sql).catch((error: unknown) => {
      if (toAppError(error).message.includes("is not a valid")) return undefined;
      throw error;
    });
    if (program === undefined) return undefined;
    return { ...(await compileProgram(program, level)), tables, level, shapes: ["script", ...shapesOf(program)] };
  }
  const { program, tables } = randomProgram(prng);
  return { ...(await compileProgram(program, level)), tables, level, shapes: ["graph", ...shapesOf(program)] };
}

/** What a report counts a program under. */
export function shapesOf(program: Program): readonly string[] {
  const shapes = new Set<string>();
  const updating = (vertex: number): boolean => program.vertices[vertex]?.output.updating === true;
  for (const { id, operator } of program.vertices) {
    const incoming = program.edges.filter((e) => e.target === id);
    if (operator.kind === "window-aggregate") shapes.add(operator.window.kind);
    if (operator.kind === "window-join") shapes.add(`${operator.join} join`);
    if (operator.kind === "updating-aggregate")
      shapes.add(incoming.some((e) => updating(e.source)) ? "updating over updating" : "updating");
    if ("aggregates" in operator && operator.aggregates.some((a) => a.distinct)) shapes.add("distinct");
    if (operator.kind === "compute" && incoming.length > 1) shapes.add("union");
    if (operator.kind === "sink" && incoming.length > 1) shapes.add("several inserts");
    if (operator.kind === "compute" && operator.outputs.length === 0) shapes.add("no columns");
  }
  if (![...program.vertices].some((v) => "aggregates" in v.operator || v.operator.kind === "window-join")) shapes.add("plain");
  return [...shapes];
}

/** What became of a case. */
export interface FuzzOutcome {
  /** The first difference in words; undefined if engine and oracle agree. */
  readonly difference: string | undefined;
  readonly options: ClusterCase;
  /** Absent if the run threw. */
  readonly result: ClusterResult | undefined;
}

/** Case `index` of the program of `seed`. */
export function fuzzCase(program: FuzzProgram, seed: number, index: number): FuzzOutcome {
  const prng = new Prng(Math.imul(seed, 0x9e3779b1) + index);
  const rows = prng.pick([0, 1, 3, 20, 60, 150]);
  const lateness = program.tables.length === 1 && prng.chance(1, 4) ? prng.pick([1, 2, 7, 30]) : undefined;
  const options = { ...randomClusterCase(prng), ...(lateness === undefined ? {} : { watermarkEveryRows: lateness }) };
  // Out of order by more than the watermark allows: then rows are late, and the oracle knows which.
  const spread = prng.chance(1, 2) ? 1n : 4n;
  const tables =
    lateness === undefined ? program.tables : program.tables.map((t) => ({ ...t, delayNs: (t.delayNs ?? 0n) * spread + SECOND }));
  const inputs = randomInputs(prng, tables, { rows, badPerMille: prng.chance(1, 3) ? 20 : 0 });
  return judge(program, inputs, options, prng, lateness === undefined ? {} : { watermarkEveryRows: lateness });
}

/** In a changelog a row that fails does so each time it is taken back and added again: there errors are only at least those of the end. */
function errorDifference(program: Program, actual: number, expected: number): string | undefined {
  const repeats = expected > 0 && program.vertices.some((v) => v.output.updating);
  if (actual === expected || (repeats && actual > expected)) return undefined;
  return `${actual} row errors instead of ${expected}`;
}

/** Runs one case and compares it with the oracle, skipped rows included. */
export function judge(
  program: CompiledProgram,
  inputs: Readonly<Record<string, Uint8Array>>,
  options: ClusterCase,
  prng: Prng,
  oracle: OracleOptions = {},
): FuzzOutcome {
  const expected = interpret(program.program, inputs, oracle);
  let result: ClusterResult;
  try {
    result = runCluster(program, inputs, options, prng);
  } catch (error) {
    return { difference: error instanceof Error ? (error.stack ?? error.message) : String(error), options, result: undefined };
  }
  try {
    const difference = compareResults(result, expected, updatingSinksOf(program.program));
    return { difference: difference ?? errorDifference(program.program, result.errors, expected.errors), options, result };
  } catch (error) {
    return { difference: String(error), options, result };
  }
}
