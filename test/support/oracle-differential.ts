/**
 * The comparison of the engine with the oracle: the seam to the engine, and what "the same result" means. Rows compare as a multiset;
 * changelogs by what they leave; a run that the oracle finds row errors in must fail with one.
 */
import { toAppError } from "../../src/core/errors.ts";
import type { Program } from "../../src/program/program.ts";
import { consolidate } from "../oracle/encode.ts";
import { interpret, type OracleResult } from "../oracle/interpreter.ts";
import { type Comparison, difference } from "./duckdb.ts";

/** How the engine is to run. */
export interface EngineOptions {
  /** Slots, from 1. */
  readonly parallelism: number;
  /** Rows of a batch at most, 1 … 8192. */
  readonly batchRows: number;
  /** Barriers by row count: every so many rows of a source; 0: none. */
  readonly checkpointEveryRows?: number;
  /** Seed of everything the run may vary: sizes of input chunks, order of turns. */
  readonly seed?: number;
}

/** What an engine run gives. */
export interface EngineResult {
  /** Lines by sink table, without newlines. */
  readonly sinks: Readonly<Record<string, readonly string[]>>;
  readonly late: number;
  readonly bad: number;
}

/** Runs a program over the bytes of its tables to the end. Rejects with an `AppError` if the run fails. */
export type EngineRunner = (
  program: Program,
  inputs: Readonly<Record<string, Uint8Array>>,
  options: EngineOptions,
) => Promise<EngineResult>;

/** Where two results differ, in words; `undefined` if they are the same. */
export function compareResults(
  actual: EngineResult,
  expected: OracleResult,
  updatingSinks: ReadonlySet<string>,
  comparison: Comparison = {},
): string | undefined {
  if (actual.late !== expected.late) return `${actual.late} late rows instead of ${expected.late}`;
  if (actual.bad !== expected.bad) return `${actual.bad} bad rows instead of ${expected.bad}`;
  for (const [sink, lines] of Object.entries(expected.sinks)) {
    const settle = updatingSinks.has(sink) ? consolidate : (rows: readonly string[]): readonly string[] => rows;
    const found = difference(settle(actual.sinks[sink] ?? []), settle(lines), comparison);
    if (found !== undefined) return `sink "${sink}": ${found}`;
  }
  return undefined;
}

/** Runs both and compares. Returns the difference in words; `undefined` if they agree. Rejects if the engine fails where the oracle does not. */
export async function compareWithOracle(
  run: EngineRunner,
  program: Program,
  inputs: Readonly<Record<string, Uint8Array>>,
  updatingSinks: ReadonlySet<string>,
  options: EngineOptions,
): Promise<string | undefined> {
  const expected = interpret(program, inputs);
  if (expected.errors === 0) return compareResults(await run(program, inputs, options), expected, updatingSinks);
  try {
    await run(program, inputs, options);
  } catch (error) {
    const { code, message } = toAppError(error);
    return code === "row-error" ? undefined : `failed with ${code} (${message}) instead of a row error`;
  }
  return `finished although ${expected.errors} rows have errors`;
}

/** Sinks of a program whose input is a changelog. */
export function updatingSinksOf(program: Program): ReadonlySet<string> {
  const updating = program.vertices
    .filter((v) => v.operator.kind === "encode" && v.operator.format.kind === "debezium_json")
    .map((v) => v.id);
  const targets = program.edges.filter((e) => updating.includes(e.source)).map((e) => program.vertices[e.target]?.operator);
  return new Set(targets.flatMap((operator) => (operator?.kind === "sink" ? [operator.table] : [])));
}
