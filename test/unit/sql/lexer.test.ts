/** Tokens of the dialect and their spans. */
import { expect } from "chai";
import { DiagnosticCollector } from "../../../src/sql/diagnostics.ts";
import { tokenize, unquote } from "../../../src/sql/lexer.ts";
import { splitStatements, TokenStream } from "../../../src/sql/token-stream.ts";

/** The tokens of `sql` as `kind:text`, and the findings' codes. */
function lex(sql: string): string[] {
  const diagnostics = new DiagnosticCollector(sql);
  const tokens = tokenize(sql, diagnostics).map((t) => `${t.kind}:${sql.slice(t.start, t.end)}`);
  return [...tokens, ...diagnostics.all().map((d) => `${d.code}@${d.span?.start.offset}`)];
}

describe("tokenize", () => {
  it("knows strings in all their forms", () => {
    const strings = ["'a''b'", "''", "'--'", "'/*'", "E'a\\'b'", "e''''", "U&'\\0041'", "N'x'", "X'0a'", "'a\nb'", "';'"];
    for (const text of strings) expect(lex(`${text},`), text).to.deep.equal([`string:${text}`, "punctuation:,"]);
  });

  it("knows dollar-quoted strings and parameters apart", () => {
    expect(lex("$$a;b$$")).to.deep.equal(["dollar-string:$$a;b$$"]);
    expect(lex("$t$ $$ $t$")).to.deep.equal(["dollar-string:$t$ $$ $t$"]);
    expect(lex("$name + $1")).to.deep.equal(["parameter:$name", "operator:+", "parameter:$1"]);
    expect(lex("a$b")).to.deep.equal(["word:a$b"]);
  });

  it("skips comments, nested ones too", () => {
    expect(lex("a -- ' \nb /* ' /* $$ */ \" */ c --")).to.deep.equal(["word:a", "word:b", "word:c"]);
  });

  it("splits operators that stand side by side", () => {
    expect(lex("a<-1")).to.deep.equal(["word:a", "operator:<", "operator:-", "number:1"]);
    expect(lex("a->>b->c ? d")).to.deep.equal(["word:a", "operator:->>", "word:b", "operator:->", "word:c", "operator:?", "word:d"]);
    expect(lex("a::int:b")).to.deep.equal(["word:a", "punctuation:::", "word:int", "punctuation::", "word:b"]);
  });

  it("knows numbers", () => {
    for (const text of ["1", "1.5", ".5", "1.", "1e5", "1.5e-5", "0x1F", "1_000"])
      expect(lex(`${text} `), text).to.deep.equal([`number:${text}`]);
    expect(lex("a.1")).to.deep.equal(["word:a", "number:.1"]);
  });

  it("takes letters of all scripts and symbols beyond ASCII as parts of words", () => {
    expect(lex("é 変数 😀x")).to.deep.equal(["word:é", "word:変数", "word:😀x"]);
  });

  it("reports what never ends at its start, and takes the rest of the text for it", () => {
    expect(lex("a 'b; c")).to.deep.equal(["word:a", "invalid:'b; c", "unterminated-string@2"]);
    expect(lex('a "b; c')).to.deep.equal(["word:a", 'invalid:"b; c', "unterminated-string@2"]);
    expect(lex("a E'b\\'")).to.deep.equal(["word:a", "invalid:E'b\\'", "unterminated-string@2"]);
    expect(lex("a $x$ b $y$")).to.deep.equal(["word:a", "invalid:$x$ b $y$", "unterminated-string@2"]);
    expect(lex("a /* b /* */")).to.deep.equal(["word:a", "invalid:/* b /* */", "unterminated-comment@2"]);
  });

  it("gives words in upper case and offsets into the text as written", () => {
    const [token] = tokenize("  select", new DiagnosticCollector(""));
    expect(token).to.deep.equal({ kind: "word", text: "SELECT", start: 2, end: 8 });
  });
});

describe("unquote", () => {
  it("removes the quotes and doubles", () => {
    expect(['"a""b"', "'it''s'", "E'x'", "''"].map(unquote)).to.deep.equal(['a"b', "it's", "x", ""]);
  });
});

describe("TokenStream", () => {
  const stream = (sql: string) => new TokenStream(tokenize(sql, new DiagnosticCollector(sql)));

  it("pairs brackets and leaves those that do not match unpaired", () => {
    const s = stream("( [ a ] ) ( ]");
    expect([0, 1, 3, 4, 5, 6].map((i) => s.partner(i))).to.deep.equal([4, 3, 1, 0, undefined, undefined]);
    expect([s.enclosing(0), s.enclosing(2)]).to.deep.equal([undefined, 1]);
  });

  it("splits the items between brackets at their own commas only", () => {
    expect(stream("(a, f(b, c), [d, e])").items(0)).to.deep.equal([
      [1, 2],
      [3, 9],
      [10, 15],
    ]);
    expect(stream("()").items(0)).to.deep.equal([]);
    expect(stream("(a,)").items(0)).to.deep.equal([
      [1, 2],
      [3, 3],
    ]);
  });

  it("splits statements at semicolons outside of strings, and drops empty ones", () => {
    const sql = "; a 'x;y' ;; b (;c) -- ;\n;";
    const texts = splitStatements(tokenize(sql, new DiagnosticCollector(sql))).map((s) => s.tokens.map((t) => t.text).join(" "));
    expect(texts).to.deep.equal(["A 'x;y'", "B (", "C )"]);
  });
});
