/** `wadi nomad render|plan|status` as people run them, on the fake Nomad. */
import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { FakeNomad } from "../support/nomad/fake-nomad.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const MAIN = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
const SQL = `
CREATE TABLE nexmark WITH (connector = 'impulse', event_rate = '10', message_count = '10');
SELECT counter FROM nexmark;
`;

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

describe("wadi nomad", function () {
  this.timeout(60_000);
  const folder = temporaryFolder("nomad-commands");
  const query = join(folder, "Orders per minute.sql");
  let nomad: FakeNomad;
  before(async () => {
    writeFileSync(query, SQL);
    nomad = await FakeNomad.start({ nodes: [{ name: "one", cpuMhz: 4_500, memoryMb: 64_000 }] });
  });
  after(() => nomad.stop());

  function wadi(words: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
    const settings = { NOMAD_ADDR: nomad.address, WADI__NOMAD__DRIVER: "raw_exec", WADI__NOMAD__COMMAND: "/opt/wadi,worker", ...env };
    return new Promise((resolve) => {
      execFile(
        process.execPath,
        ["--import", "tsx", MAIN, "nomad", ...words],
        { env: { ...process.env, ...settings } },
        (error, stdout, stderr) => resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
      );
    });
  }

  it("render prints the job and asks Nomad nothing", async () => {
    const { code, stdout, stderr } = await wadi(["render", "--parallelism", "8", query], { NOMAD_ADDR: "http://127.0.0.1:1" });
    expect(code, stderr).to.equal(0);
    const job = JSON.parse(stdout);
    expect(job.Name).to.equal("orders-per-minute · run 1");
    expect(job.TaskGroups[0].Count).to.equal(2);
    expect(job.TaskGroups[0].Tasks[0].Config.command).to.equal("/opt/wadi");
  });

  it("render says what is wrong with the query", async () => {
    const wrong = join(folder, "wrong.sql");
    writeFileSync(wrong, "SELECT nothing FROM nowhere;");
    const { code, stderr } = await wadi(["render", wrong]);
    expect(code).to.equal(2);
    expect(stderr).to.include("nowhere");
  });

  it("plan says whether all would be placed, and what is missing with numbers", async () => {
    const fits = await wadi(["plan", "--parallelism", "4", query]);
    expect(fits.code, fits.stderr).to.equal(0);
    expect(fits.stdout).to.match(/placement +all 1 would be placed now/);
    const tooMuch = await wadi(["plan", "--parallelism", "8", query]);
    expect(tooMuch.code).to.equal(1);
    expect(tooMuch.stdout).to.match(/placement +1 of 2 workers not placed: .* exhausted on 1 node/);
    const json = JSON.parse((await wadi(["plan", "--json", "-p", "8", query])).stdout);
    expect(json).to.include({ workers: 2, missing: 1 });
    expect(json.job.TaskGroups[0].Count).to.equal(2);
    expect(nomad.allocations()).to.deep.equal([]);
  });

  it("status shows nodes, and ends with 1 where Nomad does not answer", async () => {
    const shown = await wadi(["status"]);
    expect(shown.code, shown.stderr).to.equal(0);
    expect(shown.stdout).to.match(/one .* ready .*4500/);
    expect(JSON.parse((await wadi(["status", "--json"])).stdout)).to.deep.include({ scheduler: "nomad", runs: [] });
    const away = await wadi(["status"], { NOMAD_ADDR: "http://127.0.0.1:1" });
    expect(away.code).to.equal(1);
    expect(away.stdout).to.match(/nomad +down/);
    expect(away.stdout).to.include("connection refused");
  });

  it("watch tells of a run that waits at the controller, where Nomad knows nothing of it, and ends with 2", async () => {
    const waiting = {
      run: "run_1",
      run_id: 1,
      job_id: "job_1",
      pipeline_id: "pl_1",
      pipeline_name: "Orders per minute",
      workers: 4,
      missing: 2,
      reason: "2 of 4 workers not placed: memory exhausted on 2 nodes",
      waiting_since: Date.now() * 1_000,
    };
    const asked: string[] = [];
    const api = createServer(({ url = "" }, response) => {
      asked.push(url);
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify({ data: [waiting], has_more: false }));
    });
    await new Promise<void>((resolve) => api.listen(0, "127.0.0.1", resolve));
    try {
      const { port } = api.address() as AddressInfo;
      const env = { WADI__API_ENDPOINT: `http://127.0.0.1:${port}` };
      const { code, stdout, stderr } = await wadi(["watch", "--json", "--wait", "1s", "orders-per-minute"], env);
      expect(code, stderr).to.equal(2);
      expect(asked[0]).to.include("/api/v1/scheduler/runs?waiting=true");
      const [event, end] = stdout
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line));
      expect(event).to.include({ kind: "event", level: "warn" });
      expect(event.message).to.include(waiting.reason);
      expect(end).to.include({ kind: "end", state: "placing", reason: waiting.reason, exit_code: 2 });
    } finally {
      api.close();
    }
  });
});
