/** `npm run demo -- --nomad` as its script, on the simulator: plan, live job, drain while rows flow, proof, and nothing left. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { eventually } from "../support/eventually.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { needsBuild } from "../support/wadi-cli.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** Processes that were told of `stateDir`. */
function left(stateDir: string): string[] {
  return readdirSync("/proc").filter((name) => {
    try {
      return /^\d+$/.test(name) && readFileSync(`/proc/${name}/environ`, "utf8").includes(stateDir);
    } catch {
      return false;
    }
  });
}

describe("the demo on Nomad", function () {
  this.timeout(240_000);
  needsBuild();

  /** Starts it on a machine without Nomad. */
  function start(stateDir: string) {
    const { NOMAD_ADDR: _, ...env } = process.env;
    const words = ["--import", "tsx", "scripts/demo.ts", "--nomad", "--seconds", "15", "--state-dir", stateDir];
    const child = spawn(process.execPath, words, { cwd: ROOT, env: { ...env, PATH: "/usr/bin:/bin" } });
    const said = { text: "" };
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text: string) => (said.text += text));
    return { child, said };
  }

  it("says that it is the simulator, drains a node while rows flow, and proves that the sinks hold the batch answer", async () => {
    const stateDir = temporaryFolder("demo-nomad");
    const { child, said } = start(stateDir);
    const [code] = await once(child, "exit");
    expect(code, said.text).to.equal(0);
    expect(said.text).to.contain("SIMULATOR");
    expect(said.text).to.match(/task group "worker" \(2 create\)/);
    expect(said.text).to.match(/>>> nomad node drain -enable demo-\d/);
    expect(said.text).to.match(/>>> moved in [\d.]+ s: run 1 handed over to run \d/);
    expect(said.text).to.match(/picked\.jsonl {3}12000 rows {4}batch answer 12000 rows/);
    expect(said.text).to.contain("The sinks equal the batch answer");
    expect(readdirSync(stateDir)).to.deep.equal([]);
    expect(left(stateDir)).to.deep.equal([]);
  });

  it("ends with exit code 0 at Ctrl-C and leaves nothing behind", async () => {
    const stateDir = temporaryFolder("demo-nomad");
    const { child, said } = start(stateDir);
    await eventually("a worker runs", () => (said.text.includes("Started:") ? true : undefined), 120_000);
    const ended = once(child, "exit");
    child.kill("SIGINT");
    const [code] = await ended;
    expect(code, said.text).to.equal(0);
    expect(readdirSync(stateDir)).to.deep.equal([]);
    expect(left(stateDir)).to.deep.equal([]);
  });
});
