/**
 * The generated JSON scanner against the reference reader (`decode.ts`) on random tables and lines, row by row: accepted or refused
 * alike, equal values, and for refused rows reason, column, position and bytes. And, for lines that it takes, against lossless-json,
 * which neither of the two shares code with. `WADI_FUZZ_SCALE` multiplies the number of tables.
 */
import { expect } from "chai";
import { isLosslessNumber, parse as parseLossless } from "lossless-json";
import { must } from "../../src/core/assert.ts";
import { Prng } from "../../src/core/prng.ts";
import { isInteger } from "../../src/data/data-type.ts";
import type { Column, Shape, ShapeField } from "../../src/data/schema.ts";
import type { Format } from "../../src/program/operator.ts";
import { compileProgram, instantiate } from "../support/module-runner.ts";
import { JSON_FORMAT } from "../support/oracle-programs.ts";
import { QUICK } from "../support/quick.ts";
import { type RandomTable, randomLines, randomTable } from "../support/random-lines.ts";
import { type ScanError, type ScanOutcome, scanPieces, scanProgram } from "../support/scan-runner.ts";
import { type DecodedLine, decodeLines } from "./decode.ts";
import { encodeRow } from "./encode.ts";
import type { Value } from "./value.ts";

const SCALE = Number(process.env["WADI_FUZZ_SCALE"] ?? 1);
const SEED = Number(process.env["WADI_FUZZ_SEED"] ?? 1);
/** Compiling a table takes as long as thousands of lines: up to five times the lines, then more tables. */
const LINES = 6500 * Math.min(SCALE, 5);
const TABLES = QUICK ? 2 : 5 * Math.ceil(SCALE / 5);

interface Expected {
  readonly lines: string[];
  readonly errors: ScanError[];
  readonly rows: number;
}

/** A bad string: which of its faults is named first is nobody's concern. */
const isTextFault = (reason: string): boolean => reason === "malformed JSON" || reason === "invalid UTF-8";

class Fuzz {
  readonly seen = { lines: 0, good: 0, bad: 0, lossless: 0, reasons: new Map<string, number>() };

  async table(seed: number): Promise<void> {
    const prng = new Prng(seed);
    const table = randomTable(prng);
    const format: Format = { kind: "json", timestampFormat: table.timestampFormat, decimalEncoding: "number" };
    const compiled = await compileProgram(scanProgram(table, format, JSON_FORMAT));
    for (let left = LINES; left > 0; ) {
      const count = prng.pick([1, 10, 300, 2000]);
      left -= count;
      const bytes = randomLines(prng, table, count);
      const outcome = scanPieces(instantiate(compiled, 8192), bytes, prng);
      this.#compare(outcome, this.#expect(bytes, format, table), `seed ${seed}`);
    }
  }

  #expect(bytes: Buffer, format: Format, table: RandomTable): Expected {
    const expected = { lines: [] as string[], errors: [] as ScanError[], rows: 0 };
    for (let from = 0; from < bytes.length; ) {
      const newline = bytes.indexOf(10, from);
      const line = bytes.subarray(from, newline < 0 ? bytes.length : newline);
      const decoded = decodeLines(line, format, table.shape, table.columns)[0];
      if (decoded !== undefined) {
        expected.rows++;
        this.#judge(expected, line, decoded, table, { position: from, cut: newline < 0 });
      }
      from += line.length + 1;
    }
    return expected;
  }

  #judge(expected: Expected, line: Buffer, decoded: DecodedLine, table: RandomTable, at: { position: number; cut: boolean }): void {
    const lossless = readLossless(line);
    if (lossless !== undefined) this.seen.lossless++;
    if ("bad" in decoded) {
      if (lossless !== undefined && decoded.column === undefined) expect(decoded.bad, line.toString()).to.not.equal("malformed JSON");
      const reason = at.cut && decoded.bad === "malformed JSON" && decoded.column === undefined ? "truncated last row" : decoded.bad;
      const payload = line.subarray(0, 1024).toString("latin1");
      expected.errors.push({ reason, column: decoded.column ?? -1, position: at.position, partition: 3, payload });
      this.seen.reasons.set(reason, (this.seen.reasons.get(reason) ?? 0) + 1);
      return;
    }
    const row = must(decoded.added[0], "row");
    if (lossless !== undefined) compareLossless(lossless, table.shape, table.columns, row, line.toString());
    expected.lines.push(encodeRow(row, table.shape, table.columns, JSON_FORMAT));
  }

  #compare(outcome: ScanOutcome, expected: Expected, where: string): void {
    const { seen } = this;
    const refusedAt = (errors: readonly ScanError[]): string[] =>
      errors.map(
        (e) => `${e.position} ${e.column >= 0 && isTextFault(e.reason) ? "bad text" : e.reason} ${e.column} ${e.partition} ${e.payload}`,
      );
    expectSame(refusedAt(outcome.errors), refusedAt(expected.errors), `${where}: refused`);
    expectSame(outcome.lines, expected.lines, `${where}: rows`);
    expect(outcome.rows, `${where}: rows taken`).to.equal(expected.rows);
    seen.lines += expected.rows;
    seen.good += expected.lines.length;
    seen.bad += expected.errors.length;
  }
}

/** Names the first difference: whole lists are too long to print. */
function expectSame(actual: readonly string[], expected: readonly string[], where: string): void {
  const at = expected.findIndex((line, i) => actual[i] !== line);
  if (at >= 0 || actual.length !== expected.length)
    expect.fail(`${where}: ${actual[at < 0 ? expected.length : at]}\n  expected ${expected[at]}`);
}

/** The line as an object by a strict parser; undefined if that refuses it. */
function readLossless(line: Buffer): Readonly<Record<string, unknown>> | undefined {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(line);
    const value: unknown = parseLossless(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function compareLossless(node: unknown, shape: Shape, columns: readonly Column[], row: readonly Value[], where: string): void {
  for (const field of shape) {
    const value = node === null || node === undefined ? undefined : (node as Record<string, unknown>)[field.name];
    if (field.fields !== undefined) compareLossless(value, field.fields, columns, row, where);
    else compareScalar(value, field, columns, row, where);
  }
}

function compareScalar(value: unknown, field: ShapeField, columns: readonly Column[], row: readonly Value[], where: string): void {
  const read = row[must(field.column, "column")];
  const { type } = must(columns[must(field.column, "column")], "column");
  if (value === null || value === undefined) expect(read, where).to.equal(null);
  else if (typeof value === "boolean" || type.kind === "text") {
    if (type.kind !== "json") expect(read, where).to.equal(value);
  } else if (isLosslessNumber(value) && isInteger(type) && /^-?\d+$/.test(value.value)) expect(read, where).to.equal(BigInt(value.value));
  else if (isLosslessNumber(value) && type.kind === "float64") expect(read, where).to.equal(Number(value.value));
  else if (isLosslessNumber(value) && type.kind === "float32")
    expect(Math.fround(Number(value.value)), where).to.be.closeTo(Number(read), Math.abs(Number(read)) * 1e-6);
}

describe("JSON scanner", function () {
  this.timeout(60_000 * SCALE);

  it(`reads ${TABLES} tables as the reference reader does`, async () => {
    const fuzz = new Fuzz();
    for (let i = 0; i < TABLES; i++) await fuzz.table(SEED * 1_000_000 + i);
    const { seen } = fuzz;
    expect(seen.lines).to.be.at.least(6_000 * TABLES);
    expect(seen.good).to.be.greaterThan(seen.lines / 4);
    expect(seen.bad).to.be.greaterThan(seen.lines / 8);
    expect(seen.lossless).to.be.greaterThan(seen.lines / 4);
    const reasons = ["malformed JSON", "wrong type", "number out of range", "invalid UTF-8", "missing value for a NOT NULL column"];
    if (!QUICK) expect([...seen.reasons.keys()]).to.include.members([...reasons, "invalid timestamp"]);
    if (SCALE > 1) process.stdout.write(`      ${JSON.stringify({ ...seen, reasons: Object.fromEntries(seen.reasons) })}\n`);
  });
});
