/**
 * Many jobs on one Nomad: how long all of them take to run again after everything was lost at once, and what the controller asks of Nomad and of
 * its machine once they run. `WADI_NOMAD_PIPELINES=1000` is the measurement of issue 4; it prints the figures. The controller is a process of its
 * own, Nomad is the fake with tasks that are phantoms, workers only talk.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";
import { expect } from "chai";
import type { DatabaseOptions } from "../../src/db/connection.ts";
import { ControllerStage } from "../support/controller-stage.ts";
import { type DatabaseServer, postgresAbsence, startPostgres } from "../support/databases.ts";
import { eventually } from "../support/eventually.ts";
import { FakeNomad } from "../support/nomad/fake-nomad.ts";
import { PhantomWorkers } from "../support/phantom-workers.ts";
import { requires } from "../support/requirement.ts";
import type { ScaleControllerUse } from "../support/scale-controller.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const PIPELINES = Number(process.env["WADI_NOMAD_PIPELINES"] ?? 25);
const WORKERS = 4;
const NODES = 100;
/** Issue 4's figures; they are what 1,000 pipelines may take. */
const BACK_MS = 60_000;
const CALLS_PER_SECOND = 5;
const CORES = 1;
const STEADY_MS = PIPELINES >= 500 ? 60_000 : 10_000;
const START_LIMIT_MS = 60_000 + PIPELINES * 300;

/** The controller's process. */
class ScaleController {
  readonly #child: ChildProcess;
  #use: ScaleControllerUse = { cpuSeconds: 0, residentBytes: 0 };

  constructor(database: DatabaseOptions, settings: string) {
    const tsx = pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href;
    const path = fileURLToPath(new URL("../support/scale-controller.ts", import.meta.url));
    this.#child = fork(path, [], { execArgv: ["--import", tsx], stdio: ["ignore", "inherit", "inherit", "ipc"] });
    this.#child.on("message", (use: ScaleControllerUse) => {
      this.#use = use;
    });
    this.#child.send({ database, settings });
  }

  get use(): ScaleControllerUse {
    return this.#use;
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const over = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await over;
  }
}

describe("many jobs on Nomad", function () {
  this.timeout(2 * START_LIMIT_MS + STEADY_MS + 60_000);
  requires("postgres", postgresAbsence);
  let server: DatabaseServer;
  let stage: ControllerStage;
  let nomad: FakeNomad;
  let workers: PhantomWorkers;
  let controller: ScaleController | undefined;

  after(async () => {
    workers?.close();
    await controller?.kill();
    await stage?.close();
    await nomad?.stop();
    await server?.stop();
  });

  const running = async (fence: bigint): Promise<true | undefined> => {
    const { rows } = await stage.db.raw<{ rows: { jobs: bigint }[] }>(
      "select count(*) as jobs from jobs where state = 'running' and run_fence >= ?",
      [fence.toString()],
    );
    return Number(rows[0]?.jobs ?? 0) === PIPELINES ? true : undefined;
  };
  afterEach(async function () {
    if (this.currentTest?.state !== "failed" || stage === undefined) return;
    const states = JSON.stringify([...(await stage.states())]);
    const waits = await stage.db("job_events").orderBy("id", "desc").limit(5).select<{ message: string }[]>("message");
    process.stderr.write(
      `states ${states}, ${workers?.count} workers, Nomad's notes ${nomad?.notes.slice(0, 3).join(" ")}\n${waits.map(({ message }) => message).join("\n")}\n`,
    );
  });

  const calls = (): number => [...nomad.requests.values()].reduce((sum, count) => sum + count, 0);

  it(`${PIPELINES} of them with ${WORKERS} workers each come back after everything was lost, and cost little while they run`, async () => {
    server = await startPostgres();
    const database = await server.create();
    stage = await ControllerStage.open(database);
    const nodes = Array.from({ length: NODES }, (_, i) => ({ name: `node-${i}`, cpuMhz: 1_000_000, memoryMb: 4_000_000 }));
    nomad = await FakeNomad.start({ phantom: true, nodes });
    workers = new PhantomWorkers(nomad);
    const settings = `checkpoint-url = "${temporaryFolder("scale")}"
[controller]
scheduler = "nomad"
rpc-port = 0
[nomad]
address = "${nomad.address}"
driver = "raw_exec"
command = ["worker"]
slots-per-worker = 1
mhz-per-slot = 10
memory-per-slot = "16MiB"
`;
    await stage.createMany(PIPELINES, { parallelism: WORKERS, intervalMs: 10_000 });
    const beganMs = performance.now();
    controller = new ScaleController(database, settings);
    await eventually("all run", () => running(1n), START_LIMIT_MS);
    const firstSeconds = (performance.now() - beganMs) / 1000;

    // Everything at once: the controller, every worker, and what Nomad knew of them.
    await controller.kill();
    workers.killAll();
    const lostMs = performance.now();
    controller = new ScaleController(database, settings);
    await eventually("all run again", () => running(2n), START_LIMIT_MS);
    const backMs = performance.now() - lostMs;

    await new Promise((resolve) => setTimeout(resolve, 5_000));
    const [callsBefore, cpuBefore, fromMs] = [calls(), controller.use.cpuSeconds, performance.now()];
    await new Promise((resolve) => setTimeout(resolve, STEADY_MS));
    const seconds = (performance.now() - fromMs) / 1000;
    const perSecond = (calls() - callsBefore) / seconds;
    const cores = (controller.use.cpuSeconds - cpuBefore) / seconds;
    process.stdout.write(
      `      ${PIPELINES} x ${WORKERS}: first start ${firstSeconds.toFixed(1)} s, back after the outage ${(backMs / 1000).toFixed(1)} s; ` +
        `steady: ${perSecond.toFixed(1)} requests/s, ${cores.toFixed(2)} cores, ${(controller.use.residentBytes / 1e6).toFixed(0)} MB\n`,
    );
    expect(workers.count).to.equal(PIPELINES * WORKERS);
    expect(await running(2n), "no run was lost meanwhile").to.equal(true);
    expect(backMs).to.be.lessThan(BACK_MS);
    expect(perSecond).to.be.lessThan(CALLS_PER_SECOND);
    expect(cores).to.be.lessThan(CORES);
  });
});
