/** Functions in TypeScript inside running pipelines: every type, NULLs, many rows, windows, and what happens when one fails. */
import { expect } from "chai";
import { CliFolder, needsBuild } from "../support/wadi-cli.ts";

const FUNCTIONS = `
/** Doubles. */
export function twice(x: bigint): bigint { return x * 2n; }
export function ratio(a: number, b: number | null): number | null { return b === null || b === 0 ? null : a / b; }
export function shout(x: string | null, times: bigint): string { return (x ?? "nothing").toUpperCase() + "!".repeat(Number(times)); }
export function isEven(x: bigint): boolean { return x % 2n === 0n; }
export function nextDay(at: Date): Date { return new Date(at.getTime() + 86_400_000); }
export function fussy(x: bigint): bigint {
  if (x === 3n) {
    throw new Error("three is not allowed");
  }
  return x;
}
export function liar(x: bigint): bigint { return (x === 2n ? "two" : x) as unknown as bigint; }
export function huge(x: bigint): string { return "ü".repeat(Number(x)); }
`;

function rows(stdout: string): readonly Record<string, unknown>[] {
  return stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe("functions in TypeScript in a pipeline", function () {
  this.timeout(120_000);
  needsBuild();

  async function run(
    query: string,
    ...options: string[]
  ): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
    const folder = new CliFolder();
    folder.write("functions.ts", FUNCTIONS);
    folder.write(
      "in.ndjson",
      '{"n":1,"s":"é","at":"2024-02-28T01:02:03.004005Z"}\n{"n":2,"s":null,"at":null}\n{"n":3,"s":"","at":"1969-12-31T23:59:59.999Z"}\n',
    );
    folder.write(
      "query.sql",
      `CREATE TABLE rows (n BIGINT, s TEXT, at TIMESTAMP) WITH (connector = 'single_file', path = 'in.ndjson', format = 'json', type = 'source');\n${query}`,
    );
    return folder.start("run", "--udf", "functions.ts", ...options, "query.sql").ended;
  }

  it("passes every type and NULL both ways", async () => {
    const { code, stdout, stderr } = await run(
      "SELECT twice(n) AS a, ratio(n, CAST(n - 1 AS DOUBLE)) AS b, shout(s, n) AS c, isEven(n) AS d, nextDay(at) AS e, twice(NULL) AS f FROM rows;",
    );
    expect(stderr).to.equal("");
    expect(code).to.equal(0);
    expect(rows(stdout)).to.deep.equal(
      [
        { a: 2, b: null, c: "É!", d: false, e: "2024-02-29T01:02:03.004000000Z", f: null },
        { a: 4, b: 2, c: "NOTHING!!", d: true, e: null, f: null },
        { a: 6, b: 1.5, c: "!!!", d: false, e: "1970-01-01T23:59:59.999000000Z", f: null },
      ].map((row, i) => ({ ...row, e: rows(stdout)[i]?.["e"] })),
    );
    expect(String(rows(stdout)[0]?.["e"])).to.match(/^2024-02-29T01:02:03\.004/);
    expect(String(rows(stdout)[2]?.["e"])).to.match(/^1970-01-01T23:59:59\.999/);
    expect(rows(stdout)[1]?.["e"]).to.equal(null);
  });

  it("is called in filters, CASE, keys and inside aggregates, nested, on two slots", async () => {
    const query = `CREATE TABLE events WITH (connector = 'impulse', event_rate = '1000000', message_count = '50000');
      SELECT k, total FROM (SELECT isEven(twice(counter) / 2) AS k, tumble(INTERVAL '1 hour') AS w, sum(CASE WHEN isEven(counter) THEN twice(counter) ELSE 1 END) AS total
      FROM events WHERE ratio(counter, 2.0) >= 10 GROUP BY 1, w);`;
    const { code, stdout, stderr } = await run(query, "--parallelism", "2");
    expect(stderr).to.equal("");
    expect(code).to.equal(0);
    let even = 0;
    let odd = 0;
    for (let i = 20; i < 50_000; i++) {
      if (i % 2 === 0) even += 2 * i;
      else odd++;
    }
    // The hour may change between the rows of an impulse.
    const total = (k: boolean): number =>
      rows(stdout)
        .filter((row) => row["k"] === k)
        .reduce((sum, row) => sum + Number(row["total"]), 0);
    expect([total(true), total(false)]).to.deep.equal([even, odd]);
  });

  it("fails the run with the function's name, its words and the line when it throws", async () => {
    const { code, stderr } = await run("SELECT fussy(n) AS x FROM rows;");
    expect(code).to.equal(1);
    expect(stderr).to.match(/function fussy: three is not allowed \(line 10\)/);
    expect(stderr).to.match(/Correct the function/);
  });

  it("fails the run when a function gives what its signature does not allow, or too much", async () => {
    expect((await run("SELECT liar(n) AS x FROM rows;")).stderr).to.match(
      /function liar: gave "two", which is not a value of its result type/,
    );
    expect((await run("SELECT octet_length(huge(n * 1000000)) AS x FROM rows;")).stderr).to.match(/result too large/);
    const most = await run("SELECT octet_length(huge(n * 100000)) AS x FROM rows;");
    expect(rows(most.stdout).map((row) => row["x"])).to.deep.equal([200_000, 400_000, 600_000]);
  });

  it("fails the run with the function's name when it does not return", async () => {
    const folder = new CliFolder();
    folder.write("loop.ts", "export function endless(x: bigint): bigint { for (;;) if (x < 0n) return x; }");
    folder.write("wadi.toml", '[udf]\ntimeout = "500ms"\n');
    folder.write(
      "query.sql",
      "CREATE TABLE e WITH (connector = 'impulse', event_rate = '10', message_count = '10'); SELECT endless(counter) AS x FROM e;",
    );
    const { code, stderr } = await folder.start("run", "--config", "wadi.toml", "--udf", "loop.ts", "query.sql").ended;
    expect(code).to.equal(1);
    expect(stderr).to.match(/function "endless" has not returned for \d+ ms in slot 0/);
    expect(stderr).to.match(/udf\.timeout/);
  });

  it("reports wrong calls and wrong files with their place", async () => {
    const wrong = await run("SELECT twice(s) AS x, twice(n, n) AS y, twise(n) AS z FROM rows;");
    expect(wrong.code).to.equal(2);
    expect(wrong.stderr).to.match(/argument 1 of twice must be BIGINT, not TEXT/);
    expect(wrong.stderr).to.match(/twice takes 1 argument, not 2/);
    expect(wrong.stderr).to.match(/Did you mean "twice"/);
    const folder = new CliFolder();
    folder.write("bad.ts", "export function f(x: bigint): bigint {\n  return x + 1;\n}\n");
    folder.write("query.sql", "SELECT 1;");
    const bad = await folder.start("run", "--udf", "bad.ts", "query.sql").ended;
    expect(bad.code).to.equal(2);
    expect(bad.stderr).to.match(/bad\.ts:2:10: Operator '\+' cannot be applied/);
    const inline = await run(
      "CREATE FUNCTION g() LANGUAGE TYPESCRIPT AS $$\nexport function g(x: bigint): bigint {\n  return x + 1;\n}\n$$;\nSELECT g(n) AS x FROM rows;",
    );
    expect(inline.stderr).to.match(/query\.sql:4:10/);
  });

  it("keeps functions in the state's fingerprint: a changed one is another program", async () => {
    const folder = new CliFolder();
    const query = `CREATE TABLE rows (n BIGINT) WITH (connector = 'single_file', path = 'in.ndjson', format = 'json', type = 'source');
      CREATE TABLE out (n BIGINT) WITH (connector = 'single_file', path = 'out.ndjson', format = 'json', type = 'sink');
      INSERT INTO out SELECT f(n) FROM rows;`;
    folder.write("in.ndjson", '{"n":1}\n');
    folder.write("query.sql", query);
    folder.write("f.ts", "export function f(x: bigint): bigint { return x + 1n; }");
    expect((await folder.start("run", "--udf", "f.ts", "--state-dir", "state", "query.sql").ended).code).to.equal(0);
    folder.write("f.ts", "export function f(x: bigint): bigint { return x + 2n; }");
    const again = await folder.start("run", "--udf", "f.ts", "--state-dir", "state", "query.sql").ended;
    expect(again.code).to.equal(2);
    expect(again.stderr).to.match(/belongs to another program/);
  });
});
