/**
 * The engine against the oracle: the query set and random programs, on real slots. `ORACLE_CASES` sets the number of random cases (one
 * case is a program, an input, a parallelism and a batch size); a failure prints the seed that brings it back as `ORACLE_SEED`.
 */
import { expect } from "chai";
import { Prng } from "../../src/core/prng.ts";
import type { Program } from "../../src/program/program.ts";
import { engineRunner } from "../support/engine-runner.ts";
import { compareWithOracle, updatingSinksOf } from "../support/oracle-differential.ts";
import { closePlanner, planSql } from "../support/oracle-planner.ts";
import type { SourceTable } from "../support/oracle-programs.ts";
import { QUERIES, tableSeed, wadiSql } from "../support/queries/queries.ts";
import { QUICK, some } from "../support/quick.ts";
import { randomInputs, randomProgram } from "../support/random-program.ts";
import { randomScript } from "../support/random-sql.ts";

const CASES = Number(process.env["ORACLE_CASES"] ?? (QUICK ? 4 : 40));
const FIRST_SEED = Number(process.env["ORACLE_SEED"] ?? 1);
const CASES_PER_PROGRAM = QUICK ? 2 : 8;
const ROWS = 2_000;

const run = engineRunner();

/** Compares `CASES_PER_PROGRAM` runs; the first difference with what it takes to repeat it. */
async function firstDifference(seed: number, program: Program, tables: readonly SourceTable[]): Promise<string | undefined> {
  const prng = new Prng(seed ^ 0xca5e);
  for (let i = 0; i < CASES_PER_PROGRAM; i++) {
    const inputs = randomInputs(prng, tables, { badPerMille: prng.chance(1, 3) ? 20 : 0 });
    const options = { parallelism: prng.between(1, 4), batchRows: prng.pick([1, 2, 7, 64, 1000, 8192]) };
    const difference = await compareWithOracle(run, program, inputs, updatingSinksOf(program), options);
    if (difference !== undefined) return `ORACLE_SEED=${seed}, run ${i}, ${JSON.stringify(options)}: ${difference}`;
  }
  return undefined;
}

describe("engine against the oracle", function () {
  this.timeout(60_000 + CASES * 2_000);
  after(closePlanner);

  for (const query of some(QUERIES, 6)) {
    it(`gives the oracle's answer to "${query.name}" at parallelism 1, 2 and 4`, async () => {
      const inputs = Object.fromEntries(query.tables.map((table) => [table.name, table.generate(tableSeed(table, 99), ROWS)]));
      const program = await planSql(wadiSql(query.name, { orders: "orders", payments: "payments", output: "output" }));
      for (const [parallelism, batchRows] of [
        [1, 8192],
        [2, 500],
        [4, 64],
      ] as const) {
        const found = await compareWithOracle(run, program, inputs, updatingSinksOf(program), { parallelism, batchRows });
        expect(found, `parallelism ${parallelism}`).to.equal(undefined);
      }
    });
  }

  const programs = Math.ceil(CASES / CASES_PER_PROGRAM / 2);

  it(`gives the oracle's answer to ${programs} random graphs`, async () => {
    for (let seed = FIRST_SEED; seed < FIRST_SEED + programs; seed++) {
      const { program, tables } = randomProgram(new Prng(seed));
      expect(await firstDifference(seed, program, tables)).to.equal(undefined);
    }
  });

  it(`gives the oracle's answer to ${programs} random scripts`, async () => {
    for (let seed = FIRST_SEED; seed < FIRST_SEED + programs; seed++) {
      const { sql, tables } = randomScript(new Prng(seed));
      expect(await firstDifference(seed, await planSql(sql), tables), sql).to.equal(undefined);
    }
  });
});
