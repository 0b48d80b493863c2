/**
 * Differential tests of whole programs. The oracle is tested against DuckDB on the query set, then planner and oracle on random scripts.
 * `ORACLE_PROGRAMS` sets how many random programs there are.
 */
import { rmSync, writeFileSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { Prng } from "../../src/core/prng.ts";
import { difference, runDuckDb } from "../support/duckdb.ts";
import { updatingSinksOf } from "../support/oracle-differential.ts";
import { closePlanner, planSql } from "../support/oracle-planner.ts";
import { duckdbSql, QUERIES, QUICK_ROWS, tableSeed, wadiSql } from "../support/queries/queries.ts";
import { randomInputs, randomProgram } from "../support/random-program.ts";
import { randomScript } from "../support/random-sql.ts";
import { consolidate } from "./encode.ts";
import { interpret } from "./interpreter.ts";

const PROGRAMS = Number(process.env["ORACLE_PROGRAMS"] ?? 60);

describe("oracle on the query set", function () {
  this.timeout(60_000);
  let folder = "";
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "wadi-oracle-"));
  });
  after(async () => {
    rmSync(folder, { recursive: true });
    await closePlanner();
  });

  it("has queries enough", () => {
    expect(QUERIES.length).to.be.at.least(14);
  });

  for (const query of QUERIES) {
    it(`gives DuckDB's answer to "${query.name}"`, async () => {
      const seed = 20_230_301;
      const inputs = Object.fromEntries(query.tables.map((table) => [table.name, table.generate(tableSeed(table, seed), QUICK_ROWS)]));
      const paths = Object.fromEntries(query.tables.map((table) => [table.name, join(folder, `${table.name}.ndjson`)]));
      for (const [name, bytes] of Object.entries(inputs)) writeFileSync(paths[name] as string, bytes);
      const program = await planSql(wadiSql(query.name, { ...paths, output: join(folder, "output.ndjson") }));
      const result = interpret(program, inputs);
      expect(result).to.include({ late: 0, bad: 0, errors: 0 });
      const lines = result.sinks["output"] ?? [];
      const expected = await runDuckDb(duckdbSql(query, paths));
      expect(expected.length).to.be.greaterThan(5);
      expect(difference(query.updating ? consolidate(lines) : lines, expected, query.comparison)).to.equal(undefined);
    });
  }

  it("finds no row late at a watermark after every row", async () => {
    const query = QUERIES.find((q) => q.name === "tumble-null-keys");
    const table = query?.tables[0];
    expect(table).to.not.equal(undefined);
    const orders = table?.generate(7, QUICK_ROWS) ?? new Uint8Array();
    const program = await planSql(wadiSql("tumble-null-keys", { orders: "orders", output: "output" }));
    const strict = interpret(program, { orders }, { watermarkEveryRows: 1 });
    expect(strict.late).to.equal(0);
    expect(difference(strict.sinks["output"] ?? [], interpret(program, { orders }).sinks["output"] ?? [])).to.equal(undefined);
  });
});

describe("random programs", function () {
  this.timeout(120_000);
  after(closePlanner);

  it(`run on the oracle: ${PROGRAMS} graphs`, () => {
    let rows = 0;
    let bad = 0;
    for (let seed = 1; seed <= PROGRAMS; seed++) {
      const prng = new Prng(seed);
      const { program, tables, updatingSinks } = randomProgram(prng);
      const result = interpret(program, randomInputs(prng, tables, { badPerMille: prng.chance(1, 3) ? 20 : 0 }));
      for (const [sink, lines] of Object.entries(result.sinks)) rows += updatingSinks.has(sink) ? consolidate(lines).length : lines.length;
      bad += result.bad;
    }
    expect(rows).to.be.greaterThan(PROGRAMS * 10);
    expect(bad).to.be.greaterThan(0);
  });

  it(`are the same from the same seed`, () => {
    const of = (seed: number): unknown => randomProgram(new Prng(seed));
    expect(of(5)).to.deep.equal(of(5));
    expect(of(5)).to.not.deep.equal(of(6));
  });

  it(`are planned from SQL and run on the oracle: ${PROGRAMS} scripts`, async () => {
    let rows = 0;
    for (let seed = 1; seed <= PROGRAMS; seed++) {
      const prng = new Prng(seed);
      const { sql, tables, updating } = randomScript(prng);
      const program = await planSql(sql);
      expect(updatingSinksOf(program).has("output"), `seed ${seed} is updating`).to.equal(updating);
      rows += interpret(program, randomInputs(prng, tables)).sinks["output"]?.length ?? 0;
    }
    expect(rows).to.be.greaterThan(PROGRAMS * 10);
  });
});
