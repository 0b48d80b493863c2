/** The command line as its contract says: exit codes, what goes where, state, interrupts. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { CliFolder, needsBuild } from "../support/wadi-cli.ts";

const ROWS = 1000;
const TABLE = `CREATE TABLE t (k BIGINT, name TEXT) WITH (connector = 'single_file', path = 't.jsonl', format = 'json', type = 'source');\n`;
const SINK = `CREATE TABLE o (k BIGINT) WITH (connector = 'single_file', path = 'o.jsonl', format = 'json', type = 'sink');\n`;
const COPY = `${TABLE}${SINK}INSERT INTO o SELECT k FROM t WHERE k >= 0;`;
const LIVE = `CREATE TABLE i WITH (connector = 'impulse', event_rate = '200000');\n`;

describe("wadi", function () {
  this.timeout(120_000);
  needsBuild();
  let folder: CliFolder;

  beforeEach(() => {
    folder = new CliFolder();
    folder.write("t.jsonl", Array.from({ length: ROWS }, (_, k) => `{"k":${k},"name":"n${k % 7}"}\n`).join(""));
    folder.write("copy.sql", COPY);
  });

  const output = (): string => readFileSync(join(folder.path, "o.jsonl"), "utf8");
  const rowsUpTo = (count: number): string => Array.from({ length: count }, (_, k) => `{"k":${k}}\n`).join("");

  it("prints the rows of a bare SELECT as JSON lines and nothing else, from a file, standard input and parameters", async () => {
    const select = `${TABLE}SELECT k, name FROM t WHERE k < 2 OR name = $name AND k < 5;`;
    const expected = '{"k":0,"name":"n0"}\n{"k":1,"name":"n1"}\n{"k":4,"name":"n4"}\n';
    folder.write("q.sql", select);
    expect(await folder.run(["run", "--param", "name=n4", "q.sql"])).to.deep.equal({ code: 0, stdout: expected, stderr: "" });
    expect(await folder.run(["run", "-", "--param", "name=n4"], select)).to.deep.equal({ code: 0, stdout: expected, stderr: "" });
  });

  it("says what is wrong with a command line, with the nearest name, and exits with 2", async () => {
    const cases: [args: string[], message: RegExp][] = [
      [[], /a command is missing/],
      [["rnu", "copy.sql"], /command "rnu" does not exist\nhint: Did you mean "run"\?/],
      [["run"], /needs a SQL file, or - for standard input/],
      [["run", "--paralelism", "2", "copy.sql"], /"--paralelism" is no option of wadi run\nhint: Did you mean "--parallelism"\?/],
      [["run", "--parallelism", "0", "copy.sql"], /--parallelism must be a whole number from 1 to 4096, not 0/],
      [["run", "--late", "never", "copy.sql"], /--late must be one of "count", "fail", not "never"/],
      [["run", "--checkpoint-interval", "soon", "copy.sql"], /--checkpoint-interval "soon" is not a duration/],
      [["run", "--param", "x", "copy.sql"], /parameter "x" is not of the form name=value/],
      [["run", "missing.sql"], /SQL file "missing.sql" does not exist/],
      [["run", "copy.sql", "more.sql"], /takes one SQL file, and "more.sql" is one more/],
      [["compile", "copy.sql"], /--out is missing/],
    ];
    for (const [args, message] of cases) {
      const { code, stdout, stderr } = await folder.run(args);
      expect(stderr, args.join(" ")).to.match(message);
      expect(stderr, args.join(" ")).not.to.match(/\n {4}at /);
      expect({ code, stdout }, args.join(" ")).to.deep.equal({ code: 2, stdout: "" });
    }
  });

  it("has help with examples for every command, and a version", async () => {
    for (const command of ["run", "explain", "validate", "compile", "bench"]) {
      const { code, stdout } = await folder.run([command, "--help"]);
      expect(code).to.equal(0);
      expect(stdout).to.contain(`wadi ${command}`).and.to.contain("Examples:");
    }
    expect((await folder.run(["--version"])).stdout).to.match(/^wadi \d+\.\d+\.\d+\n$/);
  });

  it("explains, validates and compiles without running", async () => {
    expect((await folder.run(["explain", "copy.sql"])).stdout)
      .to.contain("Logical plan")
      .and.to.contain("Watermarks");
    expect(JSON.parse((await folder.run(["explain", "--format", "json", "copy.sql"])).stdout)).to.have.property("fingerprint");
    expect((await folder.run(["explain", "--format", "graph", "copy.sql"])).stdout).to.match(/^digraph /);
    expect(await folder.run(["validate", "copy.sql"])).to.include({ code: 0, stderr: "" });
    const invalid = await folder.run(["validate", "-"], "SELECT a FROM nothing;\nSELECT b FROM nowhere");
    expect(invalid.code).to.equal(2);
    const { diagnostics } = JSON.parse(invalid.stdout);
    expect(diagnostics.map((d: { code: string; span: { start: object } }) => [d.code, d.span.start])).to.deep.equal([
      ["unknown-table", { line: 1, column: 15, offset: 14 }],
      ["unknown-table", { line: 2, column: 15, offset: 37 }],
    ]);
    expect((await folder.run(["compile", "copy.sql", "--out", "built"])).code).to.equal(0);
    expect(
      readFileSync(join(folder.path, "built", "module.wasm"))
        .subarray(0, 4)
        .toString("latin1"),
    ).to.equal("\0asm");
    expect(["program.json", "generated/main.ts"].every((name) => existsSync(join(folder.path, "built", name)))).to.equal(true);
    expect(existsSync(join(folder.path, "o.jsonl"))).to.equal(false);
  });

  it("stops behind a checkpoint, resumes at another parallelism, and writes nothing once it has finished", async () => {
    const state = ["--state-dir", "state", "--checkpoint-every-rows", "100"];
    const stopped = await folder.run(["run", ...state, "--stop-after-checkpoint", "3", "copy.sql"]);
    expect(stopped, stopped.stderr).to.include({ code: 0, stdout: "" });
    expect(output().split("\n").length - 1).to.equal(300);
    expect((await folder.run(["run", ...state, "--parallelism", "2", "copy.sql"])).code).to.equal(0);
    expect(output().split("\n").sort().join("\n")).to.equal(rowsUpTo(ROWS).split("\n").sort().join("\n"));
    const finished = output();
    const again = await folder.run(["run", ...state, "copy.sql"]);
    expect(again.code).to.equal(0);
    expect(again.stderr).to.contain("already finished").and.to.contain("--ignore-state");
    expect(output()).to.equal(finished);
  });

  it("refuses the state of another program with the difference, and starts over with --ignore-state", async () => {
    await folder.run(["run", "--state-dir", "state", "copy.sql"]);
    folder.write("copy.sql", COPY.replace("k >= 0", "k >= 990"));
    const refused = await folder.run(["run", "--state-dir", "state", "copy.sql"]);
    expect(refused.code).to.equal(2);
    expect(refused.stderr)
      .to.contain("belongs to another program")
      .and.to.match(/detail: .*which the program does not have/);
    expect(refused.stderr).to.contain("--ignore-state");
    expect(output()).to.equal(rowsUpTo(ROWS));
    expect((await folder.run(["run", "--state-dir", "state", "--ignore-state", "copy.sql"])).code).to.equal(0);
    expect(output().split("\n").length - 1).to.equal(10);
  });

  it("takes a checkpoint at Ctrl-C, exits with 0, and goes on from there without a row lost or doubled", async () => {
    folder.write("live.sql", `${LIVE}${SINK}INSERT INTO o SELECT counter AS k FROM i;`);
    let last = 0;
    for (let round = 1; round <= 2; round++) {
      const { child, seen, ended } = folder.start("run", "--state-dir", "state", "--checkpoint-interval", "100ms", "live.sql");
      const grown = (): boolean => existsSync(join(folder.path, "o.jsonl")) && output().length > last + 20_000;
      const watch = setInterval(() => {
        if (grown()) child.kill("SIGINT");
      }, 20);
      await seen("stderr", "stopping: taking a checkpoint").finally(() => clearInterval(watch));
      expect(await ended).to.include({ code: 0, stdout: "" });
      last = output().length;
    }
    expect(output()).to.equal(rowsUpTo(output().split("\n").length - 1));
  });

  it("ends at once with 130 at the second Ctrl-C", async () => {
    folder.write("live.sql", `${LIVE}SELECT counter FROM i;`);
    const { child, seen, ended } = folder.start("run", "live.sql");
    await seen("stdout", "\n");
    // Nobody reads the rows any more, so the barrier of the first Ctrl-C cannot get past them.
    child.stdout.pause();
    await new Promise((resolve) => setTimeout(resolve, 1000));
    child.kill("SIGINT");
    await seen("stderr", "Ctrl-C again stops at once");
    child.kill("SIGINT");
    const code = await new Promise((resolve) => child.once("exit", resolve));
    child.stdout.resume();
    await ended;
    expect(code).to.equal(130);
  });

  it("exits with 0 and without a word when the reader of its rows has seen enough", async () => {
    folder.write("live.sql", `${LIVE}SELECT counter FROM i;`);
    const { child, seen, ended } = folder.start("run", "live.sql");
    await seen("stdout", "\n");
    child.stdout.destroy();
    expect(await ended).to.include({ code: 0, stderr: "" });
  });

  it("reaches only the directories of connectors.file.roots, where that is set", async () => {
    folder.write("wadi.toml", '[connectors.file]\nroots = ["elsewhere"]\n');
    const refused = await folder.run(["run", "copy.sql"]);
    expect(refused.code).to.equal(1);
    expect(refused.stderr).to.contain('table "t" may not reach "t.jsonl"').and.to.contain("connectors.file.roots");
  });
});
