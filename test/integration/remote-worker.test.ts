/** Real worker processes under a scripted controller. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { planText } from "../../src/cli/script.ts";
import { compileModule } from "../../src/codegen/asc.ts";
import { ENTRY, generateModule } from "../../src/codegen/module.ts";
import { must } from "../../src/core/assert.ts";
import { ScriptedController, ScriptedRun, type TestArtifact } from "../support/scripted-controller.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { killSpawnedWorkers, spawnWorker } from "../support/worker-spawner.ts";

const ROWS = 20_000;

async function compile(sql: string): Promise<TestArtifact> {
  const { planned } = await planText({ sql, name: "test" }, new Map(), "preview");
  const { program } = must(planned, "the plan");
  return { program, wasm: await compileModule(generateModule(program).sources, ENTRY, "preview") };
}

describe("a worker process under a controller", function () {
  this.timeout(60_000);
  const folder = temporaryFolder("remote-worker");
  const store = join(folder, "state");
  const output = join(folder, "out.json");
  let artifact: TestArtifact;
  let controller: ScriptedController;

  before(async () => {
    const rows = Array.from({ length: ROWS }, (_, i) => JSON.stringify({ k: i % 17, v: i }));
    writeFileSync(join(folder, "in.json"), `${rows.join("\n")}\n`);
    artifact = await compile(`
      CREATE TABLE input (k BIGINT, v BIGINT) WITH (connector = 'single_file', path = '${join(folder, "in.json")}', format = 'json', type = 'source');
      CREATE TABLE output (k BIGINT, v BIGINT) WITH (connector = 'single_file', path = '${output}', format = 'json', type = 'sink');
      INSERT INTO output SELECT k, v + 1 FROM input WHERE k < 5;`);
  });

  beforeEach(async () => {
    controller = new ScriptedController();
    await controller.listen();
  });

  afterEach(async () => {
    killSpawnedWorkers();
    await controller.close();
  });

  it("registers, gets its assignment, runs to the end and exits with 0", async () => {
    const worker = spawnWorker({ id: "wk_a", fence: controller.fence, endpoints: [controller.endpoint], token: controller.token });
    await controller.workers(1);
    const run = await ScriptedRun.open(controller, { artifact, store, parallelism: 1 });
    run.assign();
    await run.start();
    await run.finish(1);
    expect(await worker.exited, worker.log()).to.equal(0);
    expect(controller.said("finished")).to.deep.equal([{ sourcesEnded: true }]);
    expect(readFileSync(output, "utf8").trim().split("\n")).to.have.length(
      Array.from({ length: ROWS }, (_, i) => i % 17).filter((k) => k < 5).length,
    );
  });
});
