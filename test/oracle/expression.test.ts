/** The oracle's expressions against DuckDB's, on random expressions of the kinds that both define alike. */
import { expect } from "chai";
import { Prng } from "../../src/core/prng.ts";
import { isInteger, type ScalarType } from "../../src/data/data-type.ts";
import type { Column } from "../../src/data/schema.ts";
import { runDuckDb } from "../support/duckdb.ts";
import { literal } from "../support/oracle-programs.ts";
import { EXPRESSION_TYPES, ExpressionGenerator } from "../support/random-expression.ts";
import { expressionSql, literalSql } from "../support/random-expression-sql.ts";
import { randomFloat, randomInteger, randomSimpleText } from "../support/random-values.ts";
import { rowJson } from "./encode.ts";
import { evaluate } from "./expression.ts";
import { RowError, type Value } from "./value.ts";

const EXPRESSIONS = Number(process.env["ORACLE_EXPRESSIONS"] ?? 300);
const COLUMNS: readonly Column[] = EXPRESSION_TYPES.flatMap((type) => [
  { name: `${type.kind}_a`, type, nullable: true },
  { name: `${type.kind}_b`, type, nullable: true },
]);

function randomValue(prng: Prng, type: ScalarType): Value {
  if (prng.chance(1, 8)) return null;
  if (isInteger(type)) return prng.chance(1, 4) ? randomInteger(prng, type) : BigInt(prng.between(0, 100));
  switch (type.kind) {
    case "boolean":
      return prng.chance(1, 2);
    case "float32":
      return Math.fround(randomFloat(prng));
    case "float64":
      return randomFloat(prng);
    case "timestamp":
      return BigInt(prng.between(-2_000_000_000, 2_000_000_000)) * 1_000_000_000n + BigInt(prng.below(1_000_000)) * 1000n;
    case "date":
      return BigInt(prng.between(-20_000, 20_000));
    case "time":
      return BigInt(prng.below(86_400)) * 1_000_000_000n;
    default:
      return randomSimpleText(prng, 10);
  }
}

describe("oracle expressions against DuckDB", () => {
  it(`agree on ${EXPRESSIONS} random expressions`, async function () {
    this.timeout(120_000);
    let compared = 0;
    const printed = (v: Value, type: ScalarType): string => literalSql(literal(v, type), "duckdb");
    for (let seed = 1; seed <= EXPRESSIONS; seed += 25) {
      const prng = new Prng(seed);
      const row = COLUMNS.map((c) => randomValue(prng, c.type));
      const generator = new ExpressionGenerator(prng, COLUMNS, "duckdb");
      const cases = Array.from({ length: 25 }, () => generator.make(prng.pick(EXPRESSION_TYPES), 4)).flatMap((expression) => {
        try {
          return [{ expression, value: evaluate(expression, row) }];
        } catch (error) {
          if (error instanceof RowError) return [];
          throw error;
        }
      });
      const values = COLUMNS.map((c, i) => `${printed(row[i] ?? null, c.type)} AS ${c.name}`).join(", ");
      const names = COLUMNS.map((c) => c.name);
      const queries = cases.map(({ expression }, i) => `${expressionSql(expression, names, "duckdb")} AS c${i}`);
      const outputs = cases.map(({ expression }, i) => ({ name: `c${i}`, type: expression.type, nullable: true, column: i }));
      const format = { kind: "json", timestampFormat: "rfc3339", decimalEncoding: "number" } as const;
      const expected = JSON.parse(
        rowJson(
          cases.map((c) => c.value),
          outputs,
          outputs,
          format,
        ),
      ) as Record<string, unknown>;
      const [line = ""] = await runDuckDb(`SELECT ${queries.join(", ")} FROM (SELECT ${values})`);
      const actual = JSON.parse(line) as Record<string, unknown>;
      for (const [i, query] of queries.entries()) {
        // DuckDB hands out a REAL as the double it is, we spell it with its own digits.
        const isReal = outputs[i]?.type.kind === "float32" && typeof expected[`c${i}`] === "number";
        if (isReal) expected[`c${i}`] = Math.fround(expected[`c${i}`] as number);
        expect(actual[`c${i}`], `seed ${seed}: ${query}\nover ${values}`).to.deep.equal(expected[`c${i}`]);
        compared++;
      }
    }
    expect(compared).to.be.greaterThan(EXPRESSIONS * 0.7);
  });
});
