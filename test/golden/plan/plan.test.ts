/**
 * Golden cases of the planner, over the tables of `PRELUDE` (line 1 of every script). Directives: `plan` prints the program and the findings;
 * `errors` the findings alone; `expr` one expression over `bids` a line; `rewrite` the logical plan after the rules up to `until`; `explain`
 * an explanation in `format`.
 */

import { expect } from "chai";
import { CONNECTOR_SPECS } from "../../../src/connectors/specs.ts";
import { printType } from "../../../src/data/data-type.ts";
import { decodeProgram, encodeProgram } from "../../../src/program/codec.ts";
import { printExpression, printProgram } from "../../../src/program/print.ts";
import { renderText } from "../../../src/sql/diagnostics.ts";
import { type ExplainFormat, explainScript, planLines } from "../../../src/sql/explain.ts";
import { SqlParser } from "../../../src/sql/parse.ts";
import { planScript } from "../../../src/sql/plan.ts";
import { REWRITES } from "../../../src/sql/rewrite/rewrite.ts";
import { type GoldenCase, goldenFiles, goldenSuite } from "../../support/golden.ts";

const FILE = "connector = 'single_file', format = 'json'";
const PRELUDE = [
  "CREATE TABLE bids (auction BIGINT NOT NULL, bidder BIGINT, price BIGINT, channel TEXT, rate DOUBLE, small INT, ok BOOLEAN, day DATE,",
  `ts TIMESTAMP NOT NULL, WATERMARK FOR ts AS ts - INTERVAL '5 seconds') WITH (${FILE}, type = 'source', path = 'bids.ndjson');`,
  "CREATE TABLE sales (auction BIGINT, cents BIGINT, place STRUCT<city TEXT, zip INT>, ts TIMESTAMP NOT NULL, WATERMARK FOR ts)",
  `WITH (${FILE}, type = 'source', path = 'sales.ndjson');`,
  "CREATE TABLE nexmark WITH (connector = 'nexmark', event_rate = '1000');",
  `CREATE TABLE pairs (id BIGINT, n BIGINT) WITH (${FILE}, type = 'sink', path = 'pairs.ndjson');`,
  "CREATE TABLE changes (id BIGINT, n BIGINT) WITH (connector = 'single_file', format = 'debezium_json', type = 'sink', path = 'c.ndjson');\n",
].join(" ");

describe("golden: plan", () => {
  const parser = new SqlParser();
  after(() => parser.close());

  async function plan(input: string) {
    const sql = PRELUDE + input;
    const planned = planScript(await parser.parse(sql), { connectors: CONNECTOR_SPECS });
    return { planned, findings: renderText(planned.diagnostics, sql) };
  }

  async function expressions(input: string): Promise<string> {
    const lines = [];
    for (const line of input.split("\n")) {
      const { planned } = await plan(`SELECT ${line} AS x FROM bids`);
      const compute = planned.ok ? planned.program.vertices.find((v) => v.operator.kind === "compute") : undefined;
      if (compute?.operator.kind === "compute") {
        const types = compute.output.columns.map((c) => `${printType(c.type)}${c.nullable ? "" : " NOT NULL"}`);
        lines.push(`${line}\n    ${compute.operator.outputs.map((o, i) => `${printExpression(o)} : ${types[i]}`).join("\n    ")}`);
      }
      const found = planned.diagnostics.map((d) => `${d.code}: ${d.message}${d.hint === undefined ? "" : ` (${d.hint})`}`);
      if (found.length > 0) lines.push(`${line}\n    ${found.join("\n    ")}`);
    }
    return lines.join("\n");
  }

  async function run({ directive, input, args }: GoldenCase): Promise<string> {
    if (directive === "expr") return expressions(input);
    const { planned, findings } = await plan(input);
    if (!planned.ok) return findings;
    switch (directive) {
      case "plan": {
        const text = encodeProgram(planned.program);
        expect(encodeProgram(decodeProgram(text)), "the program survives its codec").to.equal(text);
        return [findings, printProgram(planned.program)].filter((t) => t !== "").join("\n");
      }
      case "rewrite": {
        const last = REWRITES.findIndex((r) => r.name === args.get("until"));
        expect(last, `rule ${args.get("until")}`).to.be.at.least(0);
        return planLines(REWRITES.slice(0, last + 1).reduce((p, rule) => rule.apply(p), planned.bound)).join("\n");
      }
      case "explain":
        return explainScript(planned, (args.get("format") ?? "text") as ExplainFormat);
      default:
        return findings === "" ? "no findings" : findings;
    }
  }

  for (const path of goldenFiles("plan")) goldenSuite(path, run);
});
