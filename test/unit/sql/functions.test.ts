/**
 * The function registry: every scalar function of the program can be reached from SQL, no name means two things, and missing functions are
 * told apart from misspelt ones.
 */
import { expect } from "chai";
import { CONNECTOR_SPECS } from "../../../src/connectors/specs.ts";
import { children, type Expression } from "../../../src/program/expression.ts";
import { SCALAR_FUNCTIONS } from "../../../src/program/scalar-function.ts";
import { aggregateFunction, missingFunction, SCALAR_FUNCTION_ROWS, scalarFunction } from "../../../src/sql/functions/registry.ts";
import { SqlParser } from "../../../src/sql/parse.ts";
import { planScript } from "../../../src/sql/plan.ts";

const TABLE =
  "CREATE TABLE t (i BIGINT, f DOUBLE, s TEXT, b BOOLEAN, ts TIMESTAMP) WITH (connector = 'single_file', path = 't', format = 'json', type = 'source');";

const EXPRESSIONS = [
  "i + i - i * i / i % -i",
  "i = 1 OR i <> 2 AND NOT i < 3 OR i <= 4 AND i > 5 OR i >= 6",
  "(i IS DISTINCT FROM 1) OR i IS NULL OR b IS TRUE OR b IS FALSE",
  "coalesce(i, 1) + greatest(i, 1) + least(i, 1) + nullif(i, 1)",
  "abs(i) + signum(f) + ceil(f) + floor(f) + trunc(f) + round(f)",
  "sqrt(f) + exp(f) + ln(f) + log10(f) + log2(f) + power(f, f)",
  "(i & i) + (i | i) + (i ^ i)",
  "s LIKE 'a' OR s ILIKE 'a' OR starts_with(s, 'a') OR ends_with(s, 'a') OR contains(s, 'a')",
  "concat(s, s) || lower(s) || upper(s) || substr(s, 1) || left(s, 1) || right(s, 1)",
  "btrim(s) || ltrim(s) || rtrim(s) || replace(s, 'a', 'b') || split_part(s, ',', 1) || reverse(s)",
  "repeat(s, 2) || lpad(s, 2) || rpad(s, 2)",
  "char_length(s) + octet_length(s) + strpos(s, 'a')",
  "ts + INTERVAL '1 day' - INTERVAL '1 month'",
  "CAST(ts - date_trunc('day', ts) AS BIGINT) + extract(hour FROM ts) + to_unixtime(date_bin(INTERVAL '1 hour', ts))",
  "to_timestamp_seconds(i) = to_timestamp_millis(i) OR to_timestamp_micros(i) = to_timestamp_nanos(i)",
];

function functionsOf(expression: Expression): string[] {
  const own = expression.kind === "call" ? [expression.function] : [];
  return [...own, ...children(expression).flatMap(functionsOf)];
}

describe("functions", () => {
  const parser = new SqlParser();
  after(() => parser.close());

  it("every scalar function of the program is reached by SQL", async () => {
    const reached = new Set<string>();
    for (const expression of EXPRESSIONS) {
      const planned = planScript(await parser.parse(`${TABLE} SELECT ${expression} AS x FROM t`), { connectors: CONNECTOR_SPECS });
      if (!planned.ok) expect.fail(`${expression}: ${JSON.stringify(planned.diagnostics)}`);
      for (const { operator } of planned.program.vertices) {
        if (operator.kind === "compute") for (const name of operator.outputs.flatMap(functionsOf)) reached.add(name);
      }
    }
    expect(Object.keys(SCALAR_FUNCTIONS).filter((name) => !reached.has(name))).to.deep.equal([]);
  });

  it("no name stands for two functions", () => {
    const names = SCALAR_FUNCTION_ROWS.flatMap((row) => row.names);
    expect(names.filter((name, i) => names.indexOf(name) !== i)).to.deep.equal([]);
    expect(names.filter((name) => aggregateFunction(name) !== undefined || missingFunction(name) !== undefined)).to.deep.equal([]);
  });

  it("names are found in any case", () => {
    expect(scalarFunction("SubString")).to.equal(scalarFunction("substr"));
    expect(aggregateFunction("MEAN")).to.equal("avg");
    expect(missingFunction("Row_Number")).to.equal("window function");
    expect(missingFunction("sbustr")).to.equal(undefined);
  });
});
