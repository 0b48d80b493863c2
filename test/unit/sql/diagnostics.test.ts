/** Places of findings and how findings are shown. */
import { expect } from "chai";
import { DiagnosticCollector, MAX_DIAGNOSTICS, renderJson, renderText } from "../../../src/sql/diagnostics.ts";
import { nearestName } from "../../../src/sql/nearest-name.ts";
import { SourceText } from "../../../src/sql/source-text.ts";

describe("SourceText", () => {
  const text = "ab\n😀c\r\n\né";
  const source = new SourceText(text);

  it("turns offsets into lines and columns of UTF-16 units", () => {
    expect([0, 2, 3, 5, 6, 8, 9, 10].map((o) => source.positionOf(o)).map((p) => [p.line, p.column])).to.deep.equal([
      [1, 1],
      [1, 3],
      [2, 1],
      [2, 3],
      [2, 4],
      [3, 1],
      [4, 1],
      [4, 2],
    ]);
  });

  it("clamps what lies outside", () => {
    expect(source.positionOf(-5).offset).to.equal(0);
    expect(source.positionOf(99).offset).to.equal(text.length);
    expect([source.lineText(0), source.lineText(9)]).to.deep.equal(["", ""]);
  });

  it("turns the parser's code points into UTF-16 offsets", () => {
    expect(source.offsetOfCodePoint(2, 1)).to.equal(3);
    expect(source.offsetOfCodePoint(2, 2)).to.equal(5);
    expect(source.offsetOfCodePoint(2, 3)).to.equal(6);
    expect(source.offsetOfCodePoint(4, 2)).to.equal(10);
    expect(source.offsetOfCodePoint(2, 99)).to.equal(8);
    expect(source.offsetOfCodePoint(99, 1)).to.equal(text.length);
    expect(new SourceText("abc").offsetOfCodePoint(1, 3)).to.equal(2);
  });

  it("gives a line without its end", () => {
    expect([1, 2, 3, 4].map((l) => source.lineText(l))).to.deep.equal(["ab", "😀c", "", "é"]);
  });
});

describe("DiagnosticCollector", () => {
  it("sorts by place, those without one last, and keeps the same finding once", () => {
    const d = new DiagnosticCollector("abcdef");
    d.error("no-query", undefined, "no place");
    d.warning("deprecated", { start: 3, end: 4 }, "later");
    d.error("syntax", { start: 1, end: 2 }, "earlier");
    d.error("syntax", { start: 1, end: 2 }, "earlier");
    expect(d.all().map((x) => x.message)).to.deep.equal(["earlier", "later", "no place"]);
    expect(d.hasErrors).to.equal(true);
  });

  it("counts warnings not as errors", () => {
    const d = new DiagnosticCollector("a");
    d.warning("deprecated", { start: 0, end: 1 }, "old");
    expect(d.hasErrors).to.equal(false);
  });

  it("keeps a hundred and counts the rest", () => {
    const d = new DiagnosticCollector("x".repeat(500));
    for (let i = 0; i < MAX_DIAGNOSTICS + 7; i++) d.error("syntax", { start: i, end: i + 1 }, "bad");
    expect(d.all()).to.have.length(MAX_DIAGNOSTICS + 1);
    expect(d.all().at(-1)?.message).to.equal("7 more findings are not shown");
    expect(d.errorCount).to.equal(MAX_DIAGNOSTICS + 7);
  });

  it("becomes an error for callers that throw, with all findings as detail", () => {
    const d = new DiagnosticCollector("SELEC");
    d.error("syntax", { start: 0, end: 5 }, "expected a statement");
    const error = d.toError();
    expect(error).to.include({ domain: "user", code: "invalid-sql", message: "expected a statement" });
    expect(error.detail).to.contain("1 | SELEC");
  });
});

describe("rendering of diagnostics", () => {
  const render = (sql: string, start: number, end: number, fileName?: string): string[] => {
    const d = new DiagnosticCollector(sql);
    d.error("syntax", { start, end }, "bad", { detail: "Because.", hint: "Do it." });
    return renderText(d.all(), sql, fileName).split("\n");
  };

  it("shows the source line with carets, detail and hint", () => {
    expect(render("a\nbcd e", 3, 5, "q.sql")).to.deep.equal([
      "error[syntax]: bad",
      " --> q.sql:2:2",
      "  |",
      "2 | bcd e",
      "  |  ^^",
      "detail: Because.",
      "hint: Do it.",
    ]);
  });

  it("keeps carets under tabs and wide characters", () => {
    expect(render("\t😀 x", 4, 5).slice(3, 5)).to.deep.equal(["1 | \t😀 x", "  | \t  ^"]);
  });

  it("marks an empty range with one caret, and a range over several lines up to the first line's end", () => {
    expect(render("ab", 2, 2).at(4)).to.equal("  |   ^");
    expect(render("ab\ncd", 1, 5).at(4)).to.equal("  |  ^");
  });

  it("cuts long lines around the place", () => {
    const [, , , line = "", carets = ""] = render(`${"x".repeat(500)}HERE${"y".repeat(500)}`, 500, 504);
    expect(line.length).to.be.below(180);
    expect(line.slice(carets.indexOf("^"), carets.lastIndexOf("^") + 1)).to.equal("HERE");
  });

  it("renders JSON with 1-based lines and columns and 0-based offsets", () => {
    const d = new DiagnosticCollector("a\nb");
    d.error("syntax", { start: 2, end: 3 }, "bad");
    expect(JSON.parse(renderJson(d.all()))).to.deep.equal({
      diagnostics: [
        {
          severity: "error",
          code: "syntax",
          message: "bad",
          span: { start: { line: 2, column: 1, offset: 2 }, end: { line: 2, column: 2, offset: 3 } },
        },
      ],
    });
  });
});

describe("nearestName", () => {
  it("finds a name one or two slips away, and none that is further", () => {
    const names = ["customer", "order_id", "price"];
    expect(["custmer", "Customer", "prcie", "orderid", "quantity", "x"].map((n) => nearestName(n, names))).to.deep.equal([
      "customer",
      "customer",
      "price",
      "order_id",
      undefined,
      undefined,
    ]);
  });
});
