/** A slot whose generated code traps (a defect of Wadi, planted here): the run fails in words, at once, in `wadi run` and in a worker process. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { planText } from "../../src/cli/script.ts";
import { compileModule } from "../../src/codegen/asc.ts";
import { ENTRY, generateModule } from "../../src/codegen/module.ts";
import { must } from "../../src/core/assert.ts";
import type { AppError } from "../../src/core/errors.ts";
import { runPipeline } from "../../src/worker/embedded-run.ts";
import { ScriptedController, ScriptedRun, type TestArtifact } from "../support/scripted-controller.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { killSpawnedWorkers, spawnWorker } from "../support/worker-spawner.ts";

const LOOP = "for (let r: usize = 0; r < n; r++) {";

describe("a slot that traps", function () {
  this.timeout(60_000);
  const folder = temporaryFolder("trap");
  let artifact: TestArtifact;

  before(async () => {
    const rows = Array.from({ length: 10_000 }, (_, i) => `{"v":${i}}\n`);
    writeFileSync(join(folder, "in.json"), rows.join(""));
    const sql = `CREATE TABLE input (v BIGINT) WITH (connector = 'single_file', path = '${join(folder, "in.json")}', format = 'json', type = 'source');
      CREATE TABLE output (v BIGINT) WITH (connector = 'single_file', path = '${join(folder, "out.json")}', format = 'json', type = 'sink');
      INSERT INTO output SELECT v FROM input WHERE v % 2 = 0;`;
    const { program } = must((await planText({ sql, name: "trap" }, new Map(), "stdout")).planned, "the plan");
    const sources = new Map(generateModule(program).sources);
    const filter = must(
      program.vertices.find(({ operator }) => operator.kind === "compute"),
      "the filter",
    ).id;
    const source = must(sources.get(`generated/v${filter}.ts`), "its source");
    expect(source).to.include(LOOP);
    sources.set(`generated/v${filter}.ts`, source.replace(LOOP, `${LOOP} if (r == 77) unreachable();`));
    artifact = { program, wasm: await compileModule(sources, ENTRY, "preview") };
  });

  it("fails wadi run with the call that trapped", async () => {
    const { program, wasm } = artifact;
    const run = runPipeline({ program, module: { kind: "wasm", bytes: new Uint8Array(wasm) }, parallelism: 1 });
    const error = await run.then(
      () => expect.fail("the run did not fail"),
      (failure: AppError) => failure,
    );
    expect(error).to.include({ domain: "internal", code: "slot-failed" });
    expect(error.message).to.match(/generated code trapped in "scan": unreachable/);
  });

  it("is told to the controller, and the worker's process ends with 1", async () => {
    const controller = new ScriptedController();
    await controller.listen();
    try {
      const { fence, endpoint, token } = controller;
      const worker = spawnWorker({ id: "wk_a", fence, endpoints: [endpoint], token, env: { WADI__CONNECTORS__FILE__ROOTS: folder } });
      await controller.workers(1);
      const run = await ScriptedRun.open(controller, { artifact, store: join(folder, "state"), parallelism: 1 });
      run.assign();
      await run.start();
      const failed = await controller.until("the failure", () => controller.said("failed")[0]);
      expect(failed.error).to.include({ domain: "internal", code: "slot-failed", retry: "never" });
      expect(failed.error?.message).to.match(/trapped in "scan"/);
      expect(await worker.exited).to.equal(1);
    } finally {
      killSpawnedWorkers();
      await controller.close();
    }
  });
});
