/** `npm run demo` as its script: a cluster, a pipeline through REST, rows, and a clean end by itself and by Ctrl-C. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { eventually } from "../support/eventually.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { needsBuild } from "../support/wadi-cli.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** Processes of a cluster in `stateDir`. */
function left(stateDir: string): string[] {
  return readdirSync("/proc").filter((name) => {
    try {
      return /^\d+$/.test(name) && readFileSync(`/proc/${name}/environ`, "utf8").includes(`WADI__STATE_DIR=${stateDir}`);
    } catch {
      return false;
    }
  });
}

describe("the demo", function () {
  this.timeout(180_000);
  needsBuild();
  const stateDir = temporaryFolder("demo");

  function start(...words: string[]) {
    const child = spawn(process.execPath, ["--import", "tsx", "scripts/demo.ts", "--state-dir", stateDir, ...words], { cwd: ROOT });
    const said = { text: "" };
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text: string) => (said.text += text));
    return { child, said };
  }

  it("shows rows of a pipeline that it made through the API, prints the link, and ends by itself", async () => {
    const { child, said } = start("--seconds", "3");
    const [code] = await once(child, "exit");
    expect(code, said.text).to.equal(0);
    expect(said.text).to.match(/POST http:\/\/localhost:\d+\/api\/v1\/pipelines/);
    expect(said.text).to.match(/http:\/\/localhost:\d+\/pipelines\/pl_\w+#token=[\w-]{20,}/);
    expect(said.text).to.match(/^\{"since":"[^"]+","channel":"\w+","bids":\d+,"highest":\d+\}$/m);
    expect(left(stateDir)).to.deep.equal([]);
  });

  it("goes on with its pipeline the next time, and stops with exit code 0 at Ctrl-C", async () => {
    const { child, said } = start("--seconds", "600");
    await eventually("rows come", () => (/^\{"since"/m.test(said.text) ? true : undefined), 90_000);
    expect(said.text).to.contain("goes on where it was");
    const ended = once(child, "exit");
    child.kill("SIGINT");
    const [code] = await ended;
    expect(code, said.text).to.equal(0);
    expect(left(stateDir)).to.deep.equal([]);
  });
});
