/**
 * The planner on damaged scripts: whatever the tokens, it gives either a valid program or at least one error, and never throws. The scripts
 * are those of the golden cases with tokens taken out, exchanged and added.
 */
import { readdirSync, readFileSync } from "node:fs";
import { expect } from "chai";
import { CONNECTOR_SPECS } from "../../../src/connectors/specs.ts";
import { Prng } from "../../../src/core/prng.ts";
import { decodeProgram, encodeProgram } from "../../../src/program/codec.ts";
import { SqlParser } from "../../../src/sql/parse.ts";
import { planScript } from "../../../src/sql/plan.ts";
import { parseGolden } from "../../support/golden.ts";

const FOLDER = new URL("../../golden/plan/", import.meta.url);
const RUNS = 150;
const SEED = 20260801;

const TABLES =
  "CREATE TABLE bids (auction BIGINT NOT NULL, bidder BIGINT, price BIGINT, channel TEXT, rate DOUBLE, small INT, ok BOOLEAN, day DATE, ts TIMESTAMP NOT NULL, WATERMARK FOR ts) " +
  "WITH (connector = 'single_file', format = 'json', type = 'source', path = 'b'); " +
  "CREATE TABLE sales (auction BIGINT, cents BIGINT, place STRUCT<city TEXT, zip INT>, ts TIMESTAMP NOT NULL, WATERMARK FOR ts) " +
  "WITH (connector = 'single_file', format = 'json', type = 'source', path = 's');";

function statements(): string[] {
  const files = readdirSync(FOLDER).filter((name) => name.endsWith(".golden"));
  const cases = files.flatMap((name) => parseGolden(readFileSync(new URL(name, FOLDER), "utf8")).cases);
  return cases.flatMap((c) =>
    c.directive === "expr"
      ? c.input.split("\n").map((line) => `SELECT ${line} AS x FROM bids`)
      : c.input.split(";").filter((s) => s.trim() !== ""),
  );
}

const tokens = (sql: string): string[] => sql.match(/'[^']*'|\w+|\s+|[^\w\s]/g) ?? [];

function damage(sql: string, other: string, prng: Prng): string {
  const list = tokens(sql);
  const spare = tokens(other);
  const at = prng.below(list.length);
  const token = spare[prng.below(spare.length)] ?? "";
  if (prng.below(3) === 0) list.splice(at, 1 + prng.below(3));
  else if (prng.below(2) === 0) list.splice(at, 1, token);
  else list.splice(at, 0, " ", token, " ");
  return list.join("");
}

describe("planner fuzz", () => {
  const parser = new SqlParser();
  after(() => parser.close());

  it(`plans or refuses ${RUNS} damaged scripts`, async () => {
    const corpus = statements();
    const prng = new Prng(SEED);
    const draw = (): string => corpus[prng.below(corpus.length)] ?? "";
    let planned = 0;
    for (let run = 0; run < RUNS; run++) {
      const sql = `${TABLES} ${damage(draw(), draw(), prng)};`;
      const result = planScript(await parser.parse(sql), { connectors: CONNECTOR_SPECS });
      if (result.ok) {
        planned++;
        expect(decodeProgram(encodeProgram(result.program)), sql).to.deep.equal(result.program);
      } else {
        expect(
          result.diagnostics.some((d) => d.severity === "error"),
          sql,
        ).to.equal(true);
      }
    }
    expect(planned).to.be.within(RUNS / 20, RUNS - RUNS / 20);
  });
});
