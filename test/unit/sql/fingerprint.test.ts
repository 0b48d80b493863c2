/**
 * Fingerprints through the planner: unique within a program, the same for the same meaning, different for another meaning.
 */
import { expect } from "chai";
import { CONNECTOR_SPECS } from "../../../src/connectors/specs.ts";
import type { OperatorKind } from "../../../src/program/operator.ts";
import type { Program } from "../../../src/program/program.ts";
import { SqlParser } from "../../../src/sql/parse.ts";
import { planScript } from "../../../src/sql/plan.ts";

const table = (name: string, columns = "k BIGINT, v BIGINT, s TEXT, ts TIMESTAMP NOT NULL", path = "t") =>
  `CREATE TABLE ${name} (${columns}, WATERMARK FOR ts) WITH (connector = 'single_file', path = '${path}', format = 'json', type = 'source');`;

describe("fingerprints", () => {
  const parser = new SqlParser();
  after(() => parser.close());

  async function plan(sql: string): Promise<Program> {
    const planned = planScript(await parser.parse(sql), { connectors: CONNECTOR_SPECS });
    if (!planned.ok) expect.fail(JSON.stringify(planned.diagnostics));
    return planned.program;
  }

  const of = (program: Program, kind: OperatorKind): string[] =>
    program.vertices.filter((v) => v.operator.kind === kind).map((v) => v.fingerprint);

  it("are unique within a program of equal queries", async () => {
    const query = "SELECT k, count(*) AS n FROM t GROUP BY k;";
    const { vertices } = await plan(table("t") + query.repeat(3));
    expect(new Set(vertices.map((v) => v.fingerprint)).size).to.equal(vertices.length);
    expect(vertices.filter((v) => v.operator.kind === "updating-aggregate")).to.have.length(1);
    expect(vertices.filter((v) => v.operator.kind === "sink")).to.have.length(3);
  });

  it("do not depend on names of tables, views, columns and aliases", async () => {
    const a = await plan(`${table("t")} SELECT k, sum(v) AS n FROM t GROUP BY k`);
    const b = await plan(
      `${table("other")} CREATE VIEW w AS SELECT v AS value, k AS key FROM other; SELECT key AS k, sum(value) AS n FROM w GROUP BY key`,
    );
    expect(b.vertices.map((v) => v.fingerprint)).to.deep.equal(a.vertices.map((v) => v.fingerprint));
    expect(b.fingerprint).to.equal(a.fingerprint);
  });

  it("of an aggregate survive another query over more columns of its source", async () => {
    const query = "SELECT k, sum(v) AS n FROM t WHERE v > 5 GROUP BY k;";
    const alone = await plan(table("t") + query);
    const together = await plan(`${table("t")} SELECT upper(s) AS u, k FROM t WHERE s <> ''; ${query}`);
    expect(of(together, "updating-aggregate")).to.deep.equal(of(alone, "updating-aggregate"));
    expect(of(together, "source")).to.deep.equal(of(alone, "source"));
    expect(together.fingerprint).to.not.equal(alone.fingerprint);
  });

  it("differ where the meaning does", async () => {
    const scripts = [
      `${table("t")} SELECT k, sum(v) AS n FROM t GROUP BY k`,
      `${table("t")} SELECT k, sum(v + 1) AS n FROM t GROUP BY k`,
      `${table("t")} SELECT k, max(v) AS n FROM t GROUP BY k`,
      `${table("t")} SELECT v AS k, sum(k) AS n FROM t GROUP BY v`,
      `${table("t")} SELECT k, sum(v) AS n FROM t WHERE v > 1 GROUP BY k`,
      `${table("t")} SELECT k, sum(DISTINCT v) AS n FROM t GROUP BY k`,
      `${table("t")} SET updating_ttl = INTERVAL '1 hour'; SELECT k, sum(v) AS n FROM t GROUP BY k`,
      `${table("t", undefined, "u")} SELECT k, sum(v) AS n FROM t GROUP BY k`,
      `${table("t", "k INT, v BIGINT, ts TIMESTAMP NOT NULL")} SELECT k, sum(v) AS n FROM t GROUP BY k`,
    ];
    const aggregates = await Promise.all(scripts.map(async (s) => of(await plan(s), "updating-aggregate")[0]));
    expect(new Set(aggregates).size).to.equal(scripts.length);
  });

  it("of sinks include the format's field names", async () => {
    const a = await plan(`${table("t")} SELECT k AS a FROM t`);
    const b = await plan(`${table("t")} SELECT k AS b FROM t`);
    expect(of(a, "sink")).to.not.deep.equal(of(b, "sink"));
  });

  it("tell apart two tables over one file that read different fields, and merge them where they read the same", async () => {
    const apart = await plan(`${table("a")} ${table("b")} SELECT k FROM a; SELECT v FROM b;`);
    expect(of(apart, "source")).to.have.length(2);
    const merged = await plan(`${table("a")} ${table("b")} SELECT k FROM a; SELECT k + 1 AS l FROM b;`);
    expect(of(merged, "source")).to.have.length(1);
  });
});
