/**
 * The generated JSON encoder against the reference writer (`encode.ts`): random tables of every type that can be read, among them text with
 * control characters, NULL structs and times at the ends; and changelogs as Debezium pairs. Rows get into the module as JSON lines whose
 * reading `scanner.test.ts` has judged.
 */
import { expect } from "chai";
import { must } from "../../src/core/assert.ts";
import { Prng } from "../../src/core/prng.ts";
import type { Format } from "../../src/program/operator.ts";
import { compileProgram, instantiate } from "../support/module-runner.ts";
import { DEBEZIUM_FORMAT, JSON_FORMAT } from "../support/oracle-programs.ts";
import { some } from "../support/quick.ts";
import { randomLines, randomTable } from "../support/random-lines.ts";
import { scanPieces, scanProgram } from "../support/scan-runner.ts";
import { decodeLines } from "./decode.ts";
import { encodeRow } from "./encode.ts";

const SCALE = Number(process.env["WADI_FUZZ_SCALE"] ?? 1);
const TEXT = { kind: "text" } as const;

describe("JSON encoder", function () {
  this.timeout(180_000 * SCALE);

  const outputs: readonly Format[] = [
    JSON_FORMAT,
    { kind: "json", timestampFormat: "unix_millis", decimalEncoding: "number" },
    DEBEZIUM_FORMAT,
    { kind: "debezium_json", timestampFormat: "unix_millis", decimalEncoding: "number" },
  ];
  for (const [i, output] of some([...outputs.entries()], 2)) {
    it(`writes ${output.kind} with timestamps as ${"timestampFormat" in output ? output.timestampFormat : "text"} as the reference does`, async () => {
      let rows = 0;
      for (let seed = 1; seed <= SCALE; seed++) {
        const prng = new Prng(seed * 10 + i);
        const table = randomTable(prng);
        const input: Format = { kind: "json", timestampFormat: table.timestampFormat, decimalEncoding: "number" };
        const compiled = await compileProgram(scanProgram(table, input, output));
        const bytes = randomLines(prng, table, 4000);
        const expected = decodeLines(bytes, input, table.shape, table.columns).flatMap((line) => ("bad" in line ? [] : line.added));
        const lines = scanPieces(instantiate(compiled, 8192), bytes, prng).lines;
        for (const [at, row] of expected.entries())
          expect(lines[at], `seed ${seed}`).to.equal(encodeRow(row, table.shape, table.columns, output));
        expect(lines.length).to.equal(expected.length);
        rows += lines.length;
      }
      expect(rows).to.be.greaterThan(500 * SCALE);
    });
  }

  it("escapes every character that needs it, at every place of a block", async () => {
    const shape = [{ name: "t", type: TEXT, nullable: false, column: 0 }];
    const table = { declared: [{ name: "t", type: TEXT }], shape, columns: [{ name: "t", type: TEXT, nullable: false }] };
    const compiled = await compileProgram(scanProgram(table, JSON_FORMAT, JSON_FORMAT));
    const texts: string[] = [];
    for (let code = 0; code < 300; code++) {
      for (const before of [0, 1, 14, 15, 16, 31]) texts.push(`${"x".repeat(before)}${String.fromCodePoint(code)}${"é".repeat(code % 9)}`);
    }
    texts.push("\0".repeat(100_000), "\u{10ffff}".repeat(50), "\u2028\u2029\ufeff\ufffe");
    const lines = texts.map((t) => JSON.stringify({ t }));
    const outcome = scanPieces(instantiate(compiled, 8192), Buffer.from(`${lines.join("\n")}\n`), new Prng(1));
    expect(outcome.errors).to.deep.equal([]);
    expect(outcome.lines.map((line) => (JSON.parse(line) as { t: string }).t)).to.deep.equal(texts);
    expect(outcome.lines).to.deep.equal(lines);
  });
});

describe("raw_string", function () {
  this.timeout(30_000);
  const shape = [{ name: "value", type: TEXT, nullable: true, column: 0 }];
  const columns = [{ name: "value", type: TEXT, nullable: true }];
  const table = { declared: [{ name: "value", type: TEXT }], shape, columns };
  const raw: Format = { kind: "raw_string" };

  it("takes each line as it is, blank ones too, without its line end", async () => {
    const compiled = await compileProgram(scanProgram(table, raw, JSON_FORMAT));
    const text = 'plain\n\n  two blanks \r\n{"a":1}\n"quoted\\"\nkömmt\n\u0001\nlast without newline';
    const values = ["plain", "", "  two blanks ", '{"a":1}', '"quoted\\"', "kömmt", "\u0001", "last without newline"];
    for (let seed = 1; seed <= 20; seed++) {
      const outcome = scanPieces(instantiate(compiled, 8192), Buffer.from(text), new Prng(seed));
      expect(outcome.lines.map((line) => (JSON.parse(line) as { value: string }).value)).to.deep.equal(values);
      expect(outcome.rows).to.equal(values.length);
    }
  });

  it("refuses lines that are no UTF-8 with their position", async () => {
    const compiled = await compileProgram(scanProgram(table, raw, raw));
    const bytes = Buffer.concat([Buffer.from("good\n"), Buffer.from([0xc3, 0x28, 10]), Buffer.from("ünd\n")]);
    const outcome = scanPieces(instantiate(compiled, 8192), bytes, new Prng(1));
    expect(outcome.lines).to.deep.equal(["good", "ünd"]);
    expect(outcome.errors).to.deep.equal([{ reason: "invalid UTF-8", partition: 3, position: 5, column: 0, payload: "\u00c3(" }]);
  });

  it("is written as the text alone, NULL as an empty line", async () => {
    const compiled = await compileProgram(scanProgram(table, JSON_FORMAT, raw));
    const outcome = scanPieces(instantiate(compiled, 8192), Buffer.from('{"value":"a\\tb"}\n{}\n{"value":"ü"}\n'), new Prng(1));
    expect(outcome.lines).to.deep.equal(["a\tb", "", "ü"]);
  });

  it("agrees with the reference reader on noise", async () => {
    const compiled = await compileProgram(scanProgram(table, raw, JSON_FORMAT));
    const prng = new Prng(9);
    const bytes = Buffer.from(Array.from({ length: 20_000 }, () => prng.pick([10, 13, 32, 65, 0x80, 0xc3, 0xa9, 34, 92])));
    const decoded = decodeLines(bytes, raw, shape, columns);
    const outcome = scanPieces(instantiate(compiled, 8192), bytes, prng);
    expect(outcome.lines).to.deep.equal(
      decoded.flatMap((d) => ("bad" in d ? [] : [encodeRow(must(d.added[0], "row"), shape, columns, JSON_FORMAT)])),
    );
    expect(outcome.errors.length).to.equal(decoded.filter((d) => "bad" in d).length);
  });
});

describe("long rows", function () {
  this.timeout(30_000);

  it("are bad data above 16 MiB, with whole lines in the chunk or not, and the next row is read", async () => {
    const table = {
      declared: [{ name: "t", type: TEXT }],
      shape: [{ name: "t", type: TEXT, nullable: false, column: 0 }],
      columns: [{ name: "t", type: TEXT, nullable: false }],
    };
    const compiled = await compileProgram(scanProgram(table, JSON_FORMAT, JSON_FORMAT));
    const row = (bytes: number): string => `{"t":"${"x".repeat(bytes - 8)}"}`;
    for (const [size, taken] of [
      [16 * 2 ** 20, true],
      [16 * 2 ** 20 + 1, false],
    ] as const) {
      const bytes = Buffer.from(`{"t":"a"}\n${row(size)}\n{"t":"b"}\n`);
      const outcome = scanPieces(instantiate(compiled, 8192), bytes, new Prng(1), [bytes.length]);
      expect(outcome.lines.map((line) => line.length)).to.deep.equal(taken ? [9, size, 9] : [9, 9]);
      expect(outcome.errors.map((e) => [e.reason, e.position, e.column, e.payload.length])).to.deep.equal(
        taken ? [] : [["row too long", 10, -1, 1024]],
      );
      expect(outcome.rows).to.equal(3);
    }
  });
});
