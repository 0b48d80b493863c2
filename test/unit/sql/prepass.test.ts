/** Clauses that the parser does not know: taken out in place. */
import { expect } from "chai";
import { DiagnosticCollector } from "../../../src/sql/diagnostics.ts";
import { EditedText } from "../../../src/sql/edited-text.ts";
import { tokenize } from "../../../src/sql/lexer.ts";
import { ParameterTable, parameterLiteral } from "../../../src/sql/parameter.ts";
import { prepare } from "../../../src/sql/prepass.ts";
import { TokenStream } from "../../../src/sql/token-stream.ts";

/** The text that the parser would read for `sql`, and what was taken out. */
function run(sql: string, parameters: Readonly<Record<string, string>> = {}) {
  const diagnostics = new DiagnosticCollector(sql);
  const stream = new TokenStream(tokenize(sql, diagnostics));
  const prepared = prepare(stream, new ParameterTable(new Map(Object.entries(parameters))), diagnostics);
  const edited = new EditedText(sql, 0, sql.length, prepared.edits);
  return { prepared, edited, text: edited.text, found: diagnostics.all().map((d) => d.message) };
}

describe("prepare", () => {
  it("leaves ordinary statements alone", () => {
    const sql = "SELECT * FROM t WHERE watermark = 1 AND metadata -> 'x' ? 'k' /* $x */ AND struct < 5 AND b > 1";
    expect(run(sql).text).to.equal(sql);
    for (const statement of [
      "EXPLAIN SELECT 1",
      "DESCRIBE t",
      "SHOW TABLES",
      "SET updating_ttl = INTERVAL '1 day'",
      "CREATE FUNCTION f() LANGUAGE TYPESCRIPT AS $$ $x $$",
    ]) {
      expect(run(statement).text).to.equal(statement);
    }
  });

  it("blanks clauses in place, so that everything else keeps its offset", () => {
    const sql = "CREATE TABLE t (a INT METADATA FROM 'k' PRIMARY KEY, WATERMARK FOR a AS (a - 1), s STRUCT<x INT>, b INT)";
    const { text, prepared } = run(sql);
    expect(text.length).to.equal(sql.length);
    expect(text.replace(/ +/g, " ")).to.equal("CREATE TABLE t (a INT PRIMARY KEY, s STRUCT , b INT)");
    expect(text.indexOf("b INT")).to.equal(sql.indexOf("b INT"));
    expect(prepared.watermark?.column.text).to.equal("a");
    const { start = 0, end = 0 } = prepared.watermark?.expr ?? {};
    expect(sql.slice(start, end)).to.equal("(a - 1)");
    expect(prepared.metadata.get(sql.indexOf("a INT"))?.key).to.equal("k");
  });

  it("takes the comma before a last WATERMARK, and no comma from an only one", () => {
    expect(run("CREATE TABLE t (a INT, WATERMARK FOR a)").text.replace(/ +/g, " ")).to.equal("CREATE TABLE t (a INT )");
    expect(run("CREATE TABLE t (WATERMARK FOR a)").text.replace(/ +/g, " ")).to.equal("CREATE TABLE t ( )");
    expect(run("CREATE TABLE t (WATERMARK FOR a, a INT)").text.replace(/ +/g, " ")).to.equal("CREATE TABLE t ( a INT)");
  });

  it("finds the clauses after every head of CREATE TABLE", () => {
    for (const head of [
      "CREATE TABLE",
      "create or replace table",
      "CREATE TEMPORARY TABLE",
      "CREATE TABLE IF NOT EXISTS",
      "EXPLAIN CREATE TABLE",
    ]) {
      expect(run(`${head} a.t (x INT, WATERMARK FOR x)`).prepared.watermark, head).to.not.equal(undefined);
    }
  });

  it("takes a column called watermark or metadata for a column", () => {
    const sql = "CREATE TABLE t (watermark INT, metadata TEXT NOT NULL)";
    expect(run(sql).text).to.equal(sql);
  });

  it("closes the fields of a STRUCT at the right bracket", () => {
    const rewritten = (type: string) => run(`CREATE TABLE t (a ${type}, b INT)`).text.replace(/ +/g, " ");
    expect(rewritten("STRUCT<x INT, y STRUCT<z TEXT>>")).to.equal("CREATE TABLE t (a STRUCT , b INT)");
    expect(rewritten("ARRAY<STRUCT<x INT>>")).to.equal("CREATE TABLE t (a ARRAY<STRUCT >, b INT)");
    expect(rewritten("STRUCT<x DECIMAL(1, 2), y INT[]>[]")).to.equal("CREATE TABLE t (a STRUCT [], b INT)");
  });

  it("takes PARTITIONED BY out before and after WITH", () => {
    for (const sql of [
      "CREATE TABLE t (a INT) WITH ('x' = 'y') PARTITIONED BY (a, day(b))",
      "CREATE TABLE t (a INT) PARTITIONED BY (a, day(b)) WITH ('x' = 'y')",
    ]) {
      const { prepared, text } = run(sql);
      expect(prepared.partitionedBy.map((s) => sql.slice(s.start, s.end))).to.deep.equal(["a", "day(b)"]);
      expect(text).to.not.contain("PARTITIONED");
    }
  });

  it("replaces parameters by literals as tokens only", () => {
    expect(run("SELECT $n, '$n', \"$n\", a$n -- $n", { n: "5" }).text).to.equal("SELECT 5, '$n', \"$n\", a$n -- $n");
    expect(run("SELECT $s", { s: "x'; DROP TABLE t; --" }).text).to.equal("SELECT 'x''; DROP TABLE t; --'");
  });

  it("names the nearest parameter for an unknown one", () => {
    expect(run("SELECT $limt", { limit: "1" }).found).to.deep.equal(['parameter "$limt" has no value']);
  });
});

describe("parameterLiteral", () => {
  it("makes one literal of any value", () => {
    const cases = {
      "5": "5",
      "-2.5": "(-2.5)",
      "+1": "1",
      "1e3": "1e3",
      true: "true",
      NULL: "NULL",
      abc: "'abc'",
      "it's": "'it''s'",
      "'5'": "'5'",
      "": "''",
      "1; x": "'1; x'",
      "'a' b'": "'''a'' b'''",
    };
    for (const [value, literal] of Object.entries(cases)) expect(parameterLiteral(value), value).to.equal(literal);
  });
});

describe("EditedText", () => {
  it("maps places in kept text exactly and places in changed text to the whole original range", () => {
    const edited = new EditedText("aa$name bb", 0, 10, [{ start: 2, end: 7, text: "1" }], "SELECT ");
    expect(edited.text).to.equal("SELECT aa1 bb");
    const map = (offset: number): number[] => [edited.original(offset, "start"), edited.original(offset, "end")];
    expect(map(7)[0]).to.equal(0);
    expect(map(9)).to.deep.equal([2, 2]);
    expect(map(10)).to.deep.equal([7, 7]);
    expect(map(11)).to.deep.equal([8, 8]);
    expect(map(13)[1]).to.equal(10);
    expect(map(3)).to.deep.equal([0, 0]);
  });
});
