/**
 * Every scalar function, cast and IN of the engine against the oracle, in every overload, over NULLs and extremes. A row is for one
 * expression, so that a row error says which one it was; all expressions of one program are compiled together.
 */
import { expect } from "chai";
import { assert } from "../../src/core/assert.ts";
import { Prng } from "../../src/core/prng.ts";
import { formatDate, formatTimeOfDay, formatTimestamp } from "../../src/core/time.ts";
import { INT32, TEXT } from "../../src/data/data-type.ts";
import { FRAME_HEADER, FRAME_HEADER_SIZE } from "../../src/data/frame.ts";
import { ERROR_REASONS } from "../../src/program/abi.ts";
import type { Expression } from "../../src/program/expression.ts";
import type { Program } from "../../src/program/program.ts";
import { SCALAR_FUNCTIONS } from "../../src/program/scalar-function.ts";
import { PooledInstance } from "../support/cluster-memory.ts";
import { allFunctionCases, CASE_COLUMNS, type FunctionCase, rowsOf } from "../support/function-cases.ts";
import { compileProgram } from "../support/module-runner.ts";
import { call, column, literal, ProgramBuilder } from "../support/oracle-programs.ts";
import { QUICK } from "../support/quick.ts";
import { rowJson } from "./encode.ts";
import { evaluate } from "./expression.ts";
import { RowError, type Value } from "./value.ts";

const ROWS_PER_CASE = QUICK ? 40 : 120;
/** Expressions of one vertex. */
const GROUP = 25;
const FORMAT = { kind: "json", timestampFormat: "rfc3339", decimalEncoding: "number" } as const;
/** Expressions of one program. */
const PROGRAM = 100;

/** Floats are shown as text: JSON has no word for NaN and none for −0. */
function shown(expression: Expression): Expression {
  if (!expression.type.kind.startsWith("float")) return expression;
  return { kind: "cast", value: expression, safe: false, type: TEXT, nullable: expression.nullable };
}

/** A program whose vertex g computes cases g·GROUP …, each only on the rows that are for it. */
function programOf(cases: readonly FunctionCase[]): Program {
  const builder = new ProgramBuilder();
  const source = builder.source({ name: "cases", fields: CASE_COLUMNS });
  const chosen = column(1, INT32, false);
  for (let first = 0; first < cases.length; first += GROUP) {
    const outputs = cases.slice(first, first + GROUP).map((c, i): Expression => {
      const value = shown(c.expression);
      const condition = call("eq", [chosen, literal(BigInt(first + i), INT32)]);
      return { kind: "case", branches: [{ condition, value }], otherwise: literal(null, value.type), type: value.type, nullable: true };
    });
    const within = call("and", [
      call("ge", [chosen, literal(BigInt(first), INT32)]),
      call("lt", [chosen, literal(BigInt(first + GROUP), INT32)]),
    ]);
    builder.sink("results", [builder.compute([source], [column(0, { kind: "int64" }, false), ...outputs], within)]);
  }
  return builder.build();
}

/** A row for one case: its line, and what is to come of it: a line of the sink, or a reason. */
interface CaseRow {
  readonly line: string;
  readonly expected: string;
  readonly test: FunctionCase;
}

function spell(value: Value, index: number): string {
  if (typeof value !== "bigint") return JSON.stringify(value);
  switch (CASE_COLUMNS[index]?.type.kind) {
    case "timestamp":
      return `"${formatTimestamp(value)}"`;
    case "date":
      return `"${formatDate(Number(value))}"`;
    case "time":
      return `"${formatTimeOfDay(value)}"`;
    default:
      return value.toString();
  }
}

function makeRows(prng: Prng, cases: readonly FunctionCase[]): readonly CaseRow[] {
  const rows: CaseRow[] = [];
  for (const [number, test] of cases.entries()) {
    for (const operands of rowsOf(prng, test, ROWS_PER_CASE)) {
      const id = BigInt(rows.length);
      const values: Value[] = CASE_COLUMNS.map((_, i) => operands.get(i) ?? null);
      values[0] = id;
      values[1] = BigInt(number);
      const members = values.flatMap((value, i) => {
        // JSON columns are embedded as they are.
        const text = CASE_COLUMNS[i]?.type.kind === "json" && typeof value === "string" ? value : spell(value, i);
        return value === null ? [] : [`"${CASE_COLUMNS[i]?.name}":${text}`];
      });
      rows.push({ line: `{${members.join(",")}}`, expected: expectedOf(test, number, values), test });
    }
  }
  return rows;
}

/** The sink's line for the row, or the reason why there is none. */
function expectedOf(test: FunctionCase, number: number, row: readonly Value[]): string {
  const expression = shown(test.expression);
  try {
    const value = evaluate(expression, row);
    const { type } = expression;
    return `c${1 + (number % GROUP)}: ${rowJson([value], [{ name: "v", type, nullable: true, column: 0 }], [{ name: "v", type, nullable: true }], FORMAT)}`;
  } catch (error) {
    if (error instanceof RowError) return error.message;
    throw error;
  }
}

/** What the engine made of each row: as `expected`. */
async function runEngine(program: Program, rows: readonly CaseRow[]): Promise<readonly string[]> {
  const compiled = await compileProgram(program);
  const instance = new PooledInstance(compiled.module, program, 0, 1, 8192);
  const outcomes = new Array<string>(rows.length).fill("nothing");
  const starts = new Map<number, number>();
  let bytes = 0;
  for (const [i, row] of rows.entries()) {
    starts.set(bytes, i);
    bytes += Buffer.byteLength(row.line) + 1;
  }
  const base = instance.inputBuffer(0, bytes + 64);
  instance.memory.set(Buffer.from(rows.map((row) => `${row.line}\n`).join("")), base);
  const view = new DataView(instance.memory.buffer);
  for (let from = 0; from < bytes; from += instance.scanBytes()) {
    assert(from === 0 || instance.scanBytes() > 0, "scan consumes nothing");
    instance.scan(0, base + from, base + bytes, true, 256, 0, BigInt(from));
    for (const { reason, position } of instance.drainErrors()) {
      outcomes[starts.get(Number(position)) ?? -1] = ERROR_REASONS[reason] ?? `reason ${reason}`;
    }
    for (let entry = instance.nextOutput(); entry !== undefined; entry = instance.nextOutput()) {
      const at = entry.frame + FRAME_HEADER_SIZE;
      const text = Buffer.from(instance.memory.subarray(at, at + view.getUint32(entry.frame + FRAME_HEADER.bytes, true))).toString();
      for (const line of text.split("\n").slice(0, -1)) keepLine(line, outcomes);
      instance.freeFrame(entry.frame);
    }
  }
  instance.close();
  return outcomes;
}

/** `{"c0":12,"c1":null,…,"c7":"x",…}`: the row's number and the one column that is not NULL. */
function keepLine(line: string, outcomes: string[]): void {
  const match = /^\{"c0":(\d+)(?:,"c\d+":null)*(?:,"(c\d+)":(.*?))?(?:,"c\d+":null)*\}$/.exec(line);
  outcomes[Number(match?.[1] ?? -1)] = match?.[2] === undefined ? `null in ${line}` : `${match[2]}: {"v":${match[3]}}`;
}

describe("scalar functions of the engine against the oracle", function () {
  this.timeout(180_000);
  const all = allFunctionCases();
  // Under `WADI_QUICK` each function once, and some of the rest.
  const cases = QUICK ? all.filter((c, i) => i % 9 === 0 || all.findIndex((other) => other.function === c.function) === i) : all;

  it("has cases of every function of the registry, in hundreds of expressions", () => {
    const names = Object.keys(SCALAR_FUNCTIONS);
    expect(names.filter((name) => !cases.some((c) => c.function === name))).to.deep.equal([]);
    expect(all.length).to.be.greaterThan(1500);
    expect(cases.length).to.be.at.least(200);
    expect(new Set(cases.map((c) => c.expression.type.kind)).size).to.equal(16);
  });

  for (let first = 0; first < cases.length; first += PROGRAM) {
    const own = cases.slice(first, first + PROGRAM);
    it(`gives the oracle's values and errors for expressions ${first + 1} to ${first + own.length}`, async () => {
      const rows = makeRows(new Prng(first + 1), own);
      const outcomes = await runEngine(programOf(own), rows);
      const failures = rows.flatMap(({ test, line, expected }, i) => {
        const outcome = outcomes[i] ?? "";
        const agrees = outcome === expected || (outcome.startsWith("null in") && expected.endsWith('{"v":null}'));
        return agrees ? [] : [`${test.name} of ${line}: ${outcome} instead of ${expected}`];
      });
      const shown = [...new Map(failures.map((f) => [f.split(" of ")[0], f])).values()];
      expect(shown.slice(0, 30).join("\n"), `${failures.length} of ${rows.length} rows`).to.equal("");
    });
  }
});
