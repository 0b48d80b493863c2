/**
 * The parser as a whole: limits, the thread's replacement, spans, and a fuzz over token soups and mutated scripts.
 */
import { once } from "node:events";
import { expect } from "chai";
import { systemClock } from "../../../src/core/clock.ts";
import { startThreadFile } from "../../../src/core/thread-file.ts";
import type { DiagnosticCollector } from "../../../src/sql/diagnostics.ts";
import { MAX_CHAIN, MAX_NESTING, MAX_STATEMENTS } from "../../../src/sql/limits.ts";
import { SqlParser } from "../../../src/sql/parse.ts";

/** The findings as `code line:column message`. */
function findings(diagnostics: DiagnosticCollector): string[] {
  return diagnostics.all().map((d) => `${d.code} ${d.span?.start.line}:${d.span?.start.column} ${d.message}`);
}

describe("SqlParser", () => {
  const parser = new SqlParser();
  after(() => parser.close());

  it("refuses 100,000 OR terms at the place of the first too many, names the way out, and then still parses SELECT 1", async () => {
    const sql = `SELECT * FROM t WHERE ${Array.from({ length: 100_000 }, (_, i) => `x=${i % 10}`).join(" OR ")}`;
    const refused = await parser.parse(sql);
    const [found] = refused.diagnostics.all();
    expect(found).to.include({ code: "limit-exceeded", message: "chain of more than 256 OR operators" });
    expect(found?.hint).to.contain("IN (");
    expect(sql.slice(found?.span?.start.offset, found?.span?.end.offset)).to.equal("OR");
    expect(sql.slice(0, found?.span?.start.offset).match(/OR/g)).to.have.length(MAX_CHAIN);
    const next = await parser.parse("SELECT 1");
    expect(next.statements).to.have.length(1);
    expect(findings(next.diagnostics)).to.deep.equal([]);
  });

  it("takes a chain of as many operators as the limit says, and nesting as deep", async () => {
    const chain = (op: string) => Array.from({ length: MAX_CHAIN + 1 }, (_, i) => `x${i}`).join(` ${op} `);
    const nested = `${"(".repeat(MAX_NESTING)}1${")".repeat(MAX_NESTING)}`;
    for (const sql of ["OR", "AND", "||", "+", "->"].map((op) => `SELECT ${chain(op)}`).concat(`SELECT ${nested}`)) {
      const { statements, diagnostics } = await parser.parse(sql);
      expect(findings(diagnostics)).to.deep.equal([]);
      expect(statements).to.have.length(1);
    }
    expect(parser.replacedThreads).to.equal(0);
  });

  it("takes lists of thousands of values", async () => {
    const { statements, diagnostics } = await parser.parse(`SELECT x IN (${Array.from({ length: 5000 }, (_, i) => i).join(",")})`);
    expect(findings(diagnostics)).to.deep.equal([]);
    expect(statements).to.have.length(1);
  });

  const tooMuch: readonly (readonly [what: string, sql: string, message: string])[] = [
    ["brackets", `SELECT ${"(".repeat(41)}1${")".repeat(41)}`, "nesting deeper than 40 levels"],
    ["CASE in CASE", `SELECT ${"CASE WHEN a THEN ".repeat(41)}1${" END".repeat(41)}`, "nesting deeper than 40 levels"],
    ["a chain of ||", `SELECT ${Array.from({ length: 300 }, () => "'a'").join("||")}`, "chain of more than 256 || operators"],
    ["a chain of casts", `SELECT a${"::int".repeat(300)}`, "chain of more than 256 :: operators"],
    ["a chain of NOT", `SELECT ${"NOT ".repeat(300)}a`, "chain of more than 256 NOT operators"],
    ["a chain of UNION", Array.from({ length: 300 }, () => "SELECT 1").join(" UNION "), "chain of more than 256 UNION operators"],
    ["EXPLAIN of EXPLAIN", `${"EXPLAIN ".repeat(50)}SELECT 1`, "more than 40 EXPLAIN in one statement"],
    [
      "chains inside chains",
      `SELECT ${"(a".repeat(3)}${" + a".repeat(200)}${`)${" + a".repeat(200)}`.repeat(3)}`,
      "expression of more than 450 levels of operators and brackets",
    ],
    ["statements", "SELECT 1;".repeat(MAX_STATEMENTS + 1), "script of 1001 statements exceeds the limit of 1000"],
    ["bytes", `SELECT '${"é".repeat(600_000)}'`, "script of 1200009 bytes exceeds the limit of 1048576 bytes"],
  ];
  for (const [what, sql, message] of tooMuch) {
    it(`refuses too many or too deep: ${what}`, async () => {
      const { statements, diagnostics } = await parser.parse(sql);
      expect(diagnostics.all().map((d) => d.message)).to.deep.equal([message]);
      expect(diagnostics.all()[0]?.hint, "a hint").to.be.a("string");
      expect(statements).to.have.length(0);
    });
  }

  it("parses the rest of a script when one statement is refused", async () => {
    const { statements, diagnostics } = await parser.parse(`SELECT 1; SELECT ${"NOT ".repeat(300)}a; SELECT 2; SELEC`);
    expect(statements).to.have.length(2);
    expect(diagnostics.all().map((d) => d.code)).to.deep.equal(["limit-exceeded", "syntax"]);
  });

  it("keeps the script's own text for names that the pre-pass quotes", async () => {
    const { statements } = await parser.parse('SELECT top, "top", TOP FROM t');
    const body = statements[0]?.kind === "select-statement" ? statements[0].query.body : undefined;
    const names =
      body?.kind === "select"
        ? body.projection.map((item) => (item.kind === "expr" && item.expr.kind === "column" ? item.expr.path[0] : undefined))
        : [];
    expect(names.map((n) => [n?.text, n?.quoted])).to.deep.equal([
      ["top", false],
      ["top", true],
      ["TOP", false],
    ]);
  });

  it("parses scripts given at the same time one after the other", async () => {
    const results = await Promise.all(Array.from({ length: 20 }, (_, i) => parser.parse(`SELECT ${i}`)));
    expect(results.map((r) => r.diagnostics.source.text)).to.deep.equal(Array.from({ length: 20 }, (_, i) => `SELECT ${i}`));
    expect(results.every((r) => r.statements.length === 1)).to.equal(true);
  });
});

describe("the parser's thread", () => {
  it("traps on a deep chain and is of no further use, which is why it is replaced", async () => {
    const thread = startThreadFile("parser-thread", new URL("../../../src/sql/parse.ts", import.meta.url).href);
    expect((await once(thread, "message"))[0]).to.deep.equal({ kind: "ready" });
    thread.postMessage({ text: `SELECT ${Array.from({ length: 5000 }, () => "a").join(" OR ")}` });
    const [reply] = await once(thread, "message");
    expect(reply).to.include({ kind: "error", trapped: true });
    await thread.terminate();
  });

  it("is replaced when it overruns its time limit, and the next script parses", async () => {
    let limited = true;
    const clock = {
      ...systemClock,
      sleep: (ms: number, signal?: AbortSignal) => (limited ? Promise.resolve() : systemClock.sleep(ms, signal)),
    };
    const parser = new SqlParser({ clock });
    const overrun = await parser.parse("SELECT 1");
    expect(findings(overrun.diagnostics)).to.deep.equal(["parser-failed 1:1 the parser took longer than 2000 ms on this statement"]);
    expect(parser.replacedThreads).to.equal(1);
    limited = false;
    const next = await parser.parse("SELECT 1");
    expect(next.statements).to.have.length(1);
    await parser.close();
  });

  it("ends with close, after which parsing is refused", async () => {
    const parser = new SqlParser();
    const last = parser.parse("SELECT 1");
    await parser.close();
    expect((await last).statements).to.have.length(1);
    const outcome = await parser.parse("SELECT 1").then(
      () => "parsed",
      (error: unknown) => String(error),
    );
    expect(outcome).to.contain("the SQL parser is closed");
  });
});
