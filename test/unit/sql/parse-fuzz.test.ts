/**
 * Fuzz: whatever the text, the parser answers with statements or findings whose spans lie inside the text, and never hangs or rejects.
 */
import { readFileSync } from "node:fs";
import { expect } from "chai";
import { SqlParser } from "../../../src/sql/parse.ts";
import { goldenFiles, parseGolden } from "../../support/golden.ts";

/** A small seeded generator (mulberry32, https://gist.github.com/tommyettinger/46a874533244883189143505d203312c): the seed is in the test's name. */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

const WORDS = (
  "SELECT FROM WHERE GROUP BY HAVING ORDER LIMIT OFFSET JOIN LEFT FULL CROSS ON USING UNION ALL EXCEPT VALUES WITH AS CASE WHEN THEN ELSE END " +
  "CAST TRY_CAST INTERVAL TIMESTAMP DATE STRUCT ARRAY NOT NULL IS IN LIKE ESCAPE BETWEEN AND OR EXISTS EXTRACT POSITION SUBSTRING TRIM OVERLAY " +
  "CREATE TABLE VIEW FUNCTION INSERT INTO SET EXPLAIN DESCRIBE SHOW TABLES WATERMARK FOR METADATA PARTITIONED GENERATED ALWAYS STORED PRIMARY KEY " +
  "OVER PARTITION ROWS FILTER DISTINCT LATERAL UNNEST a b c t start end window top user f count sum INT BIGINT TEXT DECIMAL DOUBLE UNSIGNED"
).split(" ");
const SYMBOLS = "( ) ( ) [ ] { } , , ; . : :: + - * / % = < > <> <= >> << -> ->> ? @> || | & ^ ~ ! @ # $ $$ \\ ` ' \" -- /* */ \n".split(
  " ",
);
const LITERALS = [
  "1",
  "1.5",
  "1e9",
  "0x",
  "'a'",
  "'",
  "E'\\'",
  "$p",
  "$x$ a $x$",
  '"q"',
  "😀",
  "é",
  "\u0000",
  "X'0'",
  "'5 s'",
  "\t",
  "\r\n",
];

function soup(random: (below: number) => number): string {
  const pick = (list: readonly string[]): string => list[random(list.length)] ?? "";
  return Array.from({ length: 1 + random(40) }, () => {
    const kind = random(10);
    return (kind < 5 ? pick(WORDS) : kind < 8 ? pick(SYMBOLS) : pick(LITERALS)) + (random(8) === 0 ? "" : " ");
  }).join("");
}

/** A valid script with some tokens dropped, doubled, swapped or replaced. */
function mutate(script: string, random: (below: number) => number): string {
  const tokens = script.match(/'[^']*'|\w+|\s+|[^\w\s]/gu) ?? [];
  for (let n = 1 + random(4); n > 0; n--) {
    const at = random(tokens.length);
    const other = random(tokens.length);
    const change = random(5);
    if (change === 0) tokens.splice(at, 1);
    else if (change === 1) tokens.splice(at, 0, tokens[other] ?? "");
    else if (change === 2) [tokens[at], tokens[other]] = [tokens[other] ?? "", tokens[at] ?? ""];
    else if (change === 3) tokens[at] = [...WORDS, ...SYMBOLS, ...LITERALS][random(WORDS.length + SYMBOLS.length + LITERALS.length)] ?? "";
    else tokens.splice(at, random(10));
  }
  return tokens.join("");
}

describe("fuzz: SqlParser", function () {
  this.timeout(120_000);
  const seed = Number(process.env["FUZZ_SEED"] ?? 20_261_123);
  const rounds = Number(process.env["FUZZ_ROUNDS"] ?? 2500);
  const parser = new SqlParser();
  const scripts = goldenFiles("parse").flatMap((path) => parseGolden(readFileSync(path, "utf8")).cases.map((c) => c.input));
  after(() => parser.close());

  async function check(sql: string): Promise<"parsed" | "refused"> {
    const { statements, diagnostics } = await parser.parse(sql, new Map([["p", "1"]]));
    const found = diagnostics.all().filter((d) => d.code !== "unused-parameter");
    expect(statements.length + found.length, JSON.stringify(sql)).to.be.greaterThan(0);
    for (const d of found) {
      if (d.code === "empty-script") continue;
      expect(d.code, JSON.stringify(sql)).to.not.equal("parser-failed");
      const inside =
        d.span !== undefined && d.span.start.offset >= 0 && d.span.start.offset <= d.span.end.offset && d.span.end.offset <= sql.length;
      expect(inside, `${JSON.stringify(d)} in ${JSON.stringify(sql)}`).to.equal(true);
    }
    checkSpans(statements, sql);
    return found.some((d) => d.severity === "error") ? "refused" : "parsed";
  }

  /** Every span of every node lies inside the text and inside its parent's. */
  function checkSpans(node: unknown, sql: string): void {
    if (typeof node !== "object" || node === null) return;
    const span = (node as { span?: { start: number; end: number } }).span;
    if (span !== undefined) {
      const inside = span.start >= 0 && span.start <= span.end && span.end <= sql.length;
      expect(inside, `${JSON.stringify(node)} in ${JSON.stringify(sql)}`).to.equal(true);
    }
    for (const value of Object.values(node)) checkSpans(value, sql);
  }

  it(`answers ${rounds} token soups (FUZZ_SEED=${seed})`, async () => {
    const random = generator(seed);
    const counts = { parsed: 0, refused: 0 };
    for (let i = 0; i < rounds; i++) counts[await check(soup(random))]++;
    expect(counts.refused, "most soups are refused").to.be.greaterThan(rounds / 2);
  });

  it(`answers ${rounds} mutated scripts (FUZZ_SEED=${seed})`, async () => {
    const random = generator(seed + 1);
    const counts = { parsed: 0, refused: 0 };
    for (let i = 0; i < rounds; i++) counts[await check(mutate(scripts[random(scripts.length)] ?? "", random))]++;
    expect(counts.parsed, "some mutants still parse").to.be.greaterThan(0);
    expect(counts.refused, "most mutants are refused").to.be.greaterThan(rounds / 4);
  });
});
