/** `wadi nomad watch|logs|drain-preview` and the process of `wadi doctor`, on the fake Nomad with real processes as workers. */
import { expect } from "chai";
import { nomadScheduler } from "../../src/cli/nomad-scheduler.ts";
import { loadConfig } from "../../src/core/config.ts";
import { makeId } from "../../src/core/ids.ts";
import { silentLogger } from "../../src/core/log.ts";
import { systemRandom } from "../../src/core/prng.ts";
import { eventually } from "../support/eventually.ts";
import { FakeNomad } from "../support/nomad/fake-nomad.ts";
import { CliFolder, needsBuild } from "../support/wadi-cli.ts";

const MIB = 2 ** 20;

describe("wadi nomad, wadi doctor", function () {
  this.timeout(120_000);
  needsBuild();
  const folder = new CliFolder();
  let nomad: FakeNomad;

  beforeEach(async () => {
    nomad = await FakeNomad.start({
      nodes: [
        { name: "n1", drivers: ["raw_exec"] },
        { name: "n2", drivers: ["raw_exec"] },
      ],
    });
    folder.write("wadi.toml", settings("sleep 600"));
  });
  afterEach(() => nomad.stop());

  function settings(script: string): string {
    folder.write("worker.sh", `echo said by $NOMAD_ALLOC_INDEX\necho cried >&2\n${script}\n`);
    return `controller.scheduler = "nomad"
checkpoint-url = "${folder.path}/checkpoints"
api-endpoint = "http://127.0.0.1:9"
[nomad]
address = "${nomad.address}"
driver = "raw_exec"
command = ["/bin/sh", "${folder.path}/worker.sh", "worker"]
mhz-per-slot = 100
memory-per-slot = "64MiB"
disk = "256MiB"
slots-per-worker = 1
preflight = false
`;
  }

  /** Starts a run of two workers. */
  async function startRun(slug: string, toml: string, memoryMib = 64): Promise<void> {
    folder.write("wadi.toml", toml.replace('"64MiB"', `"${memoryMib}MiB"`));
    const { config } = loadConfig({ files: [{ path: "wadi.toml", text: toml.replace('"64MiB"', `"${memoryMib}MiB"`) }], env: {} });
    const scheduler = nomadScheduler(config, silentLogger);
    await scheduler.startWorkers({
      job: makeId("job", systemRandom),
      run: makeId("run", systemRandom),
      fence: 1n,
      pipeline: makeId("pipeline", systemRandom),
      slug,
      slots: 2,
      slotsPerWorker: 1,
      resources: { cpuMillis: 1_000, memoryBytes: 64 * MIB },
      artifact: "a",
      controllers: ["127.0.0.1:9"],
      runToken: "token",
      environment: {},
      secrets: [],
      overrides: {},
    });
    await scheduler.shutdown();
  }

  it("watches a run until it runs, exit code 0", async () => {
    await startRun("bids", settings("sleep 600"));
    const { code, stdout, stderr } = await folder.run(["nomad", "watch", "bids"]);
    expect(code, stderr).to.equal(0);
    expect(stdout)
      .to.match(/job {10} w-bids-.*: 2 workers wanted/)
      .and.to.match(/placed on node n1/)
      .and.to.match(/Started/);
    expect(stdout).to.contain("it runs");
  });

  it("watches a run that fails, exit code 1, as JSON lines", async () => {
    await startRun("bids", settings("exit 3"));
    await eventually("the workers ended", () =>
      nomad.allocations().every(({ ClientStatus }) => ClientStatus === "failed") ? true : undefined,
    );
    const { code, stdout } = await folder.run(["nomad", "watch", "bids", "--json"]);
    expect(code).to.equal(1);
    const lines = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.at(-1)).to.include({ kind: "end", state: "failed", exit_code: 1 });
    expect(lines.filter(({ about }) => about === "task")).to.have.lengthOf.at.least(2);
  });

  it("watches a run that is not placed, exit code 2, with Nomad's reason", async () => {
    await startRun("big", settings("sleep 600"), 4_000_000);
    const { code, stderr } = await folder.run(["nomad", "watch", "big", "--wait", "1s"]);
    expect(code, stderr).to.equal(2);
    expect(stderr).to.match(/not placed: 2 of 2 workers not placed: memory exhausted on 2 nodes/);
  });

  it("exits with 2 where Nomad has no such run", async () => {
    const { code, stderr } = await folder.run(["nomad", "watch", "nothing", "--wait", "1s"]);
    expect(code).to.equal(2);
    expect(stderr).to.contain('Nomad has no run of "nothing"');
  });

  it("prints what all workers wrote, and follows until they end", async () => {
    await startRun("bids", settings("sleep 2; echo last"));
    await eventually("workers run", () =>
      nomad.allocations().length === 2 && nomad.allocations().every(({ ID }) => nomad.pids(ID).length > 0) ? true : undefined,
    );
    const { code, stdout, stderr } = await folder.run(["nomad", "logs", "-f", "bids"]);
    expect(code, stderr).to.equal(0);
    for (const index of [0, 1]) {
      expect(stdout).to.match(new RegExp(`^\\[${index} [0-9a-f]{8}\\] said by ${index}$`, "m"));
      expect(stdout).to.match(new RegExp(`^\\[${index} [0-9a-f]{8}\\] last$`, "m"));
      expect(stdout).to.match(new RegExp(`^\\[${index} [0-9a-f]{8} err\\] cried$`, "m"));
    }
  });

  it("says how a run would leave a node, and which nodes there are", async () => {
    await startRun("bids", settings("sleep 600"));
    const node = await eventually("a worker is placed", () => nomad.allocations()[0]?.NodeName);
    const { code, stdout } = await folder.run(["nomad", "drain-preview", node, "--json"]);
    expect(code).to.equal(0);
    const preview = JSON.parse(stdout) as { name: string; runs: { how: string; nomad_job: string }[] };
    expect(preview.name).to.equal(node);
    expect(preview.runs.map(({ how }) => how)).to.deep.equal(["make-before-break"]);
    expect(preview.runs[0]?.nomad_job).to.match(/^w-bids-/);
    const unknown = await folder.run(["nomad", "drain-preview", "nowhere"]);
    expect(unknown.code).to.equal(1);
    expect(unknown.stderr).to.contain("There are: n1, n2.");
  });

  it("looks from a node with the real program, exit codes 0, 1 and 2", async () => {
    const main = new URL("../../dist/cli/main.js", import.meta.url).pathname;
    folder.write("wadi.toml", settings("").replace(/command = .*/, `command = ["${process.execPath}", "${main}", "worker"]`));
    const good = await folder.run(["doctor"]);
    expect(good.code, good.stdout + good.stderr).to.equal(0);
    expect(good.stdout).to.match(/ok +from a node +node "n\d" runs a worker's program and reaches: checkpoint store/);
    await nomad.serversAway();
    const bad = await folder.run(["doctor", "--json"]);
    expect(bad.code).to.equal(1);
    expect(JSON.parse(bad.stdout)).to.include({ ok: false, scheduler: "nomad" });
    const wrong = await folder.run(["doctor", "--within", "0"]);
    expect(wrong.code).to.equal(2);
  });
});
