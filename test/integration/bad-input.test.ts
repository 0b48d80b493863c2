/**
 * Bad input through the real command line: every case ends in time with the right exit code and a message that names the object, the row's
 * place and the fix, without a stack trace; nothing is dropped in silence. All cases share one query, so that it is compiled once.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { CliFolder, type CliResult, needsBuild } from "../support/wadi-cli.ts";

const GOOD = '{"a":1,"b":"x"}\n';
const PLACE = 'file "t.jsonl" at byte 16';
const FIX = "bad_data = 'drop'";

function source(options = "", path = "t.jsonl", connector = "single_file"): string {
  return `CREATE TABLE t (a BIGINT, b TEXT) WITH (connector = '${connector}', path = '${path}', format = 'json', type = 'source'${options});\n`;
}

const QUERY = "SELECT a, b FROM t;";

/** Whether a small disk could be mounted at `path`: only root may. */
function mountsSmallDisk(path: string): boolean {
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=128k", "tmpfs", path], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

describe("bad input", function () {
  this.timeout(180_000);
  needsBuild();
  let folder: CliFolder;

  beforeEach(() => {
    folder = new CliFolder();
    folder.write("t.jsonl", GOOD);
  });

  const run = (sql: string): Promise<CliResult> => folder.run(["run", "-"], sql);

  /** It failed with `code`, in words that hold all of `words`. */
  function expectFailure(result: CliResult, code: number, words: readonly string[]): void {
    expect(result.code, result.stderr).to.equal(code);
    for (const word of words) expect(result.stderr).to.contain(word);
    expect(result.stderr, "a stack trace").not.to.match(/\n {4}at |defect of Wadi/);
    expect(result.stderr.length, "length of the message").to.be.lessThan(4000);
  }

  const rows: [name: string, row: string | Uint8Array, words: string[]][] = [
    ["malformed JSON", '{"a":2,"b":\n', ["malformed JSON", '{"a":2,"b":']],
    ["a wrong type", '{"a":"two","b":"x"}\n', ['wrong type in column "a"', '"two"']],
    ["a number out of range", '{"a":9223372036854775808,"b":"x"}\n', ['number out of range in column "a"', "9223372036854775808"]],
    ["a fraction for an integer", '{"a":1.5,"b":"x"}\n', ['column "a"']],
    ["invalid UTF-8", Buffer.from('{"a":2,"b":"\xff\xfe"}\n', "latin1"), ['invalid UTF-8 in column "b"']],
    ["a truncated last line", '{"a":2,"b":"cut o', ["truncated last row"]],
    [
      "a line of 100 MB",
      Buffer.concat([Buffer.from('{"a":2,"b":"'), Buffer.alloc(100_000_000, "y"), Buffer.from('"}\n')]),
      ["row too long"],
    ],
  ];

  for (const [name, row, words] of rows) {
    it(`fails on ${name} with the row's place, or drops and counts it`, async () => {
      const rest = name.startsWith("a truncated") ? "" : '{"a":3,"b":"z"}\n';
      folder.write("t.jsonl", Buffer.concat([Buffer.from(GOOD), Buffer.from(row), Buffer.from(rest)]));
      expectFailure(await run(source() + QUERY), 1, ['table "t"', PLACE, FIX, ...words]);
      const dropped = await run(source(", bad_data = 'drop'") + QUERY);
      expect(dropped, dropped.stderr).to.include({ code: 0, stdout: GOOD + rest });
      expect(dropped.stderr).to.equal("1 bad row was dropped (fail instead with bad_data = 'fail')\n");
    });
  }

  it("takes a complete last line without a newline", async () => {
    folder.write("t.jsonl", GOOD.trimEnd());
    expect(await run(source() + QUERY)).to.deep.equal({ code: 0, stdout: GOOD, stderr: "" });
  });

  it("names a missing file, a directory without files, and a directory where a file should be", async () => {
    mkdirSync(join(folder.path, "empty"));
    expectFailure(await run(source("", "none.jsonl") + QUERY), 1, ['file "none.jsonl" of table "t" does not exist', "path option"]);
    expectFailure(await run(source("", "empty", "filesystem") + QUERY), 1, ['directory "empty" of table "t" has no files', "hint: "]);
    expectFailure(await run(source("", "none", "filesystem") + QUERY), 1, ['"none" of table "t"', "path option"]);
    expectFailure(await run(source("", "empty") + QUERY), 1, ['path "empty" of table "t" is a directory', "'filesystem'"]);
  });

  describe("in sinks", () => {
    const sink = (path: string, connector = "single_file"): string =>
      `CREATE TABLE o (a BIGINT, b TEXT) WITH (connector = '${connector}', path = '${path}', format = 'json', type = 'sink');\n`;
    const copy = (path: string, connector?: string): Promise<CliResult> => run(`${source()}${sink(path, connector)}INSERT INTO o ${QUERY}`);

    it("names what cannot be written", async () => {
      mkdirSync(join(folder.path, "folder"));
      expectFailure(await copy("folder"), 1, ['cannot write file "folder" of table "o": it is a directory', "'filesystem'"]);
      expectFailure(await copy("t.jsonl/below"), 1, ['cannot write file "t.jsonl/below" of table "o"', "hint: "]);
      expectFailure(await copy("/proc/none/o.jsonl"), 1, ['cannot write file "/proc/none/o.jsonl" of table "o"', "hint: "]);
      expectFailure(await copy("/proc/none", "filesystem"), 1, ['cannot write directory "/proc/none" of table "o"', "hint: "]);
      expectFailure(await copy("/dev/full"), 1, ['cannot write file "/dev/full" of table "o": no space left on the device', "Free space"]);
    });

    it("says that the disk is full, for rows and for checkpoints", async () => {
      const disk = join(folder.path, "disk");
      mkdirSync(disk);
      const isSmall = mountsSmallDisk(disk);
      try {
        folder.write("t.jsonl", `{"a":1,"b":"${"x".repeat(1000)}"}\n`.repeat(1000));
        // Without the right to mount, the device that is always full has to do.
        const path = isSmall ? "disk/o.jsonl" : "/dev/full";
        expectFailure(await copy(path), 1, [`"${path}" of table "o": no space left on the device`, "hint: Free space"]);
        if (!isSmall) return;
        const args = ["run", "--state-dir", "disk/state", "--checkpoint-every-rows", "10", "-"];
        expectFailure(await folder.run(args, `${source()}${sink("o.jsonl")}INSERT INTO o ${QUERY}`), 1, ["no space left"]);
      } finally {
        if (isSmall) execFileSync("umount", ["-l", disk]);
      }
    });
  });

  it("refuses SQL that means nothing, with place and advice, before anything runs", async () => {
    const cases: [sql: string, words: string[]][] = [
      [source(", pth = 'x'") + QUERY, ['has no option "pth"', "<stdin>:1:", 'Did you mean "path"?']],
      [`${source()}SELECT a, bb FROM t;`, ['column "bb" does not exist', "<stdin>:2:11"]],
      [`${source()}SELECT a, tumble(INTERVAL '10 seconds') FROM t;`, ["tumble", "GROUP BY", "<stdin>:2:11"]],
      [`${source()}${QUERY.replace(";", "")} WHERE ${Array.from({ length: 100_000 }, () => "a=1").join(" OR ")};`, ["limit", "<stdin>:2:"]],
      ["", ["no statement"]],
    ];
    for (const [sql, words] of cases) {
      const result = await run(sql);
      expectFailure(result, 2, words);
      expect(result.stdout).to.equal("");
    }
  });

  it("fails on an integer division by zero with the row's place", async () => {
    folder.write("t.jsonl", `${GOOD}{"a":0,"b":"y"}\n`);
    expectFailure(await run(`${source()}SELECT 10 / a AS q FROM t;`), 1, ["division by zero", PLACE, "NULLIF"]);
  });
});
