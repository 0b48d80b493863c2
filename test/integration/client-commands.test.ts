/** `wadi pipelines|jobs|checkpoints|connections` against a real API: what they print, what they change, and how they fail. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { runCommandLine } from "../../src/cli/command-line.ts";
import { splitArray } from "../../src/cli/commands/pipelines.ts";
import { bytesText, renderTable, spanText } from "../../src/cli/text-table.ts";
import { ApiStage, TOKEN } from "../support/api-stage.ts";
import { type DatabaseServer, startPglite } from "../support/databases.ts";
import { eventually } from "../support/eventually.ts";
import { answerLog, markRunning, writeCheckpoint, writeRows, writeSample, writeTimeline, writeWorker } from "../support/job-rows.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const IMPULSE = "CREATE TABLE t WITH (connector = 'impulse', event_rate = '10'); SELECT counter FROM t;";

/**
 * The error with which a command fails. Told by its code, not by its class: commands are imported when they are called, and mocha then has their
 * modules twice.
 */
async function rejection(promise: Promise<unknown>, code: string, ...words: readonly string[]): Promise<{ readonly hint?: string }> {
  const error = await promise.then(
    () => expect.fail("it was not refused"),
    (thrown: Error & { readonly code?: string; readonly hint?: string }) => thrown,
  );
  expect(error.code, error.message).to.equal(code);
  for (const word of words) expect(error.message).to.contain(word);
  return error;
}

describe("commands that talk to a cluster", function () {
  this.timeout(120_000);
  const folder = temporaryFolder("client");
  const query = join(folder, "query.sql");
  let server: DatabaseServer;
  let stage: ApiStage;
  let token: string | undefined;

  before(async () => {
    writeFileSync(query, IMPULSE);
    server = startPglite();
  });
  after(() => server.stop());
  beforeEach(async () => {
    stage = await ApiStage.open(await server.create());
    token = process.env["WADI_API_TOKEN"];
    process.env["WADI_API_TOKEN"] = TOKEN;
  });
  afterEach(async () => {
    if (token === undefined) delete process.env["WADI_API_TOKEN"];
    else process.env["WADI_API_TOKEN"] = token;
    await stage.close();
  });

  /** Runs a command; what it wrote to stdout. Its exit code must be `code`. */
  async function wadi(args: readonly string[], code = 0): Promise<string> {
    const { write } = process.stdout;
    let text = "";
    process.stdout.write = ((piece: string | Uint8Array) => {
      text += String(piece);
      return true;
    }) as typeof write;
    try {
      const exit = await runCommandLine([...args, "--api-url", `http://127.0.0.1:${stage.port}`]);
      expect(exit, text).to.equal(code);
    } finally {
      process.stdout.write = write;
    }
    return text;
  }

  it("create, list, show, stop, start, rescale, restart and delete a pipeline, by its name or id", async () => {
    const args = ["--name", "evens", "--parallelism", "2", "--checkpoint-interval", "5s", "--tag", "team=a", "--env", "A=b"];
    const id = (await wadi(["pipelines", "create", query, ...args])).trim();
    expect(id).to.match(/^pl_/);
    const [job] = await stage.db("jobs").select("*");
    expect(job).to.deep.include({ desired_parallelism: 2, desired_env_vars: { A: "b" }, desired_checkpoint_interval_us: 5_000_000n });
    expect(await wadi(["pipelines", "list"])).to.match(new RegExp(`^ID .*NAME .*\\n${id} +evens +Created +2 `));
    expect(JSON.parse(await wadi(["pipelines", "list", "--json"]))[0].id).to.equal(id);
    const shown = await wadi(["pipelines", "show", "evens"]);
    expect(shown).to.contain("tags").and.contain("team=a").and.contain("impulse_source").and.contain(IMPULSE);
    expect(await wadi(["pipelines", "stop", "evens", "--mode", "graceful"])).to.contain("stopping (graceful)");
    expect(await wadi(["pipelines", "start", id])).to.contain("wanted to run");
    await wadi(["pipelines", "rescale", "evens", "7"]);
    await wadi(["pipelines", "restart", "evens", "--force"]);
    const [changed] = await stage.db("jobs").select("*");
    expect(changed).to.include({ desired_stop: "none", desired_parallelism: 7, desired_restart_mode: "force", desired_restart_nonce: 1 });
    await rejection(wadi(["pipelines", "delete", "evens"]), "invalid-usage", "must have stopped");
    const deleting = wadi(["pipelines", "delete", "evens", "--stop"]);
    await eventually("it is asked to stop", async () =>
      (await stage.db("jobs").pluck("desired_stop"))[0] === "immediate" ? true : undefined,
    );
    await stage.db("jobs").update({ state: "stopped" });
    expect(await deleting).to.equal(`${id} is deleted\n`);
    await rejection(wadi(["pipelines", "show", "evens"]), "not-found", '"evens" does not exist');
    await rejection(wadi(["pipelines", "show", id]), "not-found", id);
  });

  it("wait until a pipeline runs, and say why it does not", async () => {
    const creating = wadi(["pipelines", "create", query, "--name", "p", "--wait"]);
    const job = await eventually("the job is there", async () => (await stage.db("jobs").pluck("id"))[0] as string | undefined);
    await markRunning(stage.db, job);
    expect(await creating).to.match(/^pl_/);
    await stage.db("jobs").update({ state: "failed", failure_message: "row 7 is bad", failure_domain: "user", failure_code: "bad-data" });
    await rejection(wadi(["pipelines", "start", "p", "--wait"]), "io", "Failed: row 7 is bad");
  });

  it("print timeline, workers, logs, checkpoints and rows of a job", async () => {
    const id = (await wadi(["pipelines", "create", query, "--name", "p"])).trim();
    const job = (await stage.db("jobs").pluck("id"))[0] as string;
    await markRunning(stage.db, job);
    await writeTimeline(stage.db, job);
    await writeCheckpoint(stage.db, job, 3);
    await writeWorker(stage.db, job, "wk_1");
    await writeSample(stage.db, job, 3);
    await writeRows(stage.db, job, 2, 0, 3);
    expect(await wadi(["jobs", "list"]))
      .to.contain(job)
      .and.contain("Running");
    const events = await wadi(["jobs", "events", id]);
    expect(events.indexOf("state-changed")).to.be.lessThan(events.indexOf("worker-lost"));
    expect(await wadi(["jobs", "events", id, "--problems"])).not.to.contain("state-changed");
    expect(await wadi(["jobs", "workers", "p"]))
      .to.contain("wk_1")
      .and.contain("4711");
    expect(await wadi(["jobs", "explain", "p"])).to.contain('10 rows written to "preview"');
    expect(await wadi(["checkpoints", "list", "p"])).to.match(/\n3 +complete +scheduled +1970-01-01 00:00:01Z +0\.5s +100 B +200 B\n/);
    expect(await wadi(["checkpoints", "show", "p", "3"])).to.match(/\n1 +aggregate +1 +100 B +200 B\n/);
    await rejection(wadi(["checkpoints", "show", "p", "9"]), "not-found", "9");
    const log = wadi(["jobs", "logs", "p"]);
    const request = await eventually(
      "the log is asked for",
      async () => (await stage.db("log_requests").pluck("id"))[0] as string | undefined,
    );
    await answerLog(stage.db, request, "one\ntwo\n");
    expect(await log).to.equal("one\ntwo\n");
    await stage.db("jobs").update({ state: "finished" });
    expect(await wadi(["pipelines", "tail", "p"])).to.equal('{"n":0}\n{"n":1}\n{"n":2}\n');
  });

  it("create, try, show and delete connection tables from JSON files", async () => {
    const table = { name: "numbers", connector: "impulse", config: { event_rate: 5 } };
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "table.json"), JSON.stringify(table));
    writeFileSync(join(folder, "bad.json"), JSON.stringify({ ...table, config: { event_rate: -1 } }));
    writeFileSync(join(folder, "no.json"), "{");
    expect(await wadi(["connections", "test", join(folder, "table.json")])).to.contain("the table can be used");
    expect(await wadi(["connections", "test", join(folder, "bad.json")], 1)).to.contain(
      'error: the table is not valid: option "event_rate"',
    );
    expect(await wadi(["connections", "create", join(folder, "table.json")])).to.match(/^ct_/);
    expect(await wadi(["connections", "list"])).to.contain("numbers");
    expect(await wadi(["connections", "show", "NUMBERS"])).to.equal(
      `CREATE TABLE "numbers" WITH ('connector' = 'impulse', 'type' = 'source', 'event_rate' = '5');\n`,
    );
    expect(await wadi(["connections", "connectors"])).to.contain("single_file");
    expect(await wadi(["connections", "profiles"])).to.contain("ID");
    expect(await wadi(["connections", "delete", "numbers"])).to.contain("is deleted");
    await rejection(wadi(["connections", "create", join(folder, "no.json")]), "invalid-usage", "is not JSON");
    await rejection(wadi(["connections", "delete", "numbers"]), "not-found", "numbers");
  });

  it("fail in words without a cluster, a token, or with two pipelines of one name", async () => {
    await wadi(["pipelines", "create", query, "--name", "twin"]);
    await wadi(["pipelines", "create", query, "--name", "twin"]);
    const ambiguous = await rejection(wadi(["pipelines", "show", "twin"]), "invalid-usage", '2 pipelines have the name "twin"');
    expect(ambiguous.hint).to.match(/pl_\w+, pl_\w+/);
    writeFileSync(join(folder, "wrong.sql"), "SELECT x FROM nowhere");
    await rejection(wadi(["pipelines", "create", join(folder, "wrong.sql"), "--name", "x"]), "invalid-sql", "nowhere");
    process.env["WADI_API_TOKEN"] = "wrong";
    const refused = await rejection(wadi(["jobs", "list"]), "permission-denied", "not known");
    expect(refused.hint).to.contain("WADI_API_TOKEN");
    const absent = await rejection(
      runCommandLine(["jobs", "list", "--api-url", "http://127.0.0.1:1"]),
      "connection-lost",
      "cannot be reached",
    );
    expect(absent.hint).to.contain("wadi cluster");
    await rejection(runCommandLine(["jobs", "list", "--api-url", "nonsense"]), "invalid-usage", "not the URL");
    await rejection(runCommandLine(["jobs"]), "invalid-usage", "missing");
  });
});

describe("tables on the terminal", () => {
  it("have columns as wide as they need to be, and one line per row", () => {
    expect(
      renderTable(
        ["a", "bb"],
        [
          ["x\ny", 1],
          [null, undefined],
          ["日本", ""],
        ],
      ),
    ).to.equal("A    BB\nx y  1\n-    -\n日本   -\n");
    expect([0, 999, 1_024, 1_536, 10_485_760].map(bytesText)).to.deep.equal(["0 B", "999 B", "1.0 KiB", "1.5 KiB", "10 MiB"]);
    expect([500_000, 61_000_000, 3_700_000_000].map(spanText)).to.deep.equal(["0.5s", "1m1s", "1h1m"]);
  });

  it("split batches of rows without touching their numbers", () => {
    expect(splitArray('[{"a":9007199254740993,"b":"]},{"},{"c":{"d":[1,{"e":"\\"}"}]}},{}]')).to.deep.equal([
      '{"a":9007199254740993,"b":"]},{"}',
      '{"c":{"d":[1,{"e":"\\"}"}]}}',
      "{}",
    ]);
    expect(splitArray("[]")).to.deep.equal([]);
  });
});
