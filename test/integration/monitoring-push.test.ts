/** Workers and a real Pushgateway: what is pushed, what is taken away again, and that one which is not there does no harm. */
import { writeFileSync } from "node:fs";
import { createServer as createProxy, type Server as HttpServer } from "node:http";
import { type AddressInfo, createServer, type Server } from "node:net";
import { join } from "node:path";
import { expect } from "chai";
import { type PushedGroup, type PushGroup, Pushgateway } from "../../src/rpc/pushgateway.ts";
import { ControllerStage } from "../support/controller-stage.ts";
import { type DatabaseServer, startPglite } from "../support/databases.ts";
import { eventually } from "../support/eventually.ts";
import { freePorts } from "../support/free-ports.ts";
import { type MonitoringServer, prometheusAbsence, startPushgateway } from "../support/prometheus-servers.ts";
import { requires } from "../support/requirement.ts";
import { compileScript } from "../support/script-artifact.ts";
import { ScriptedController, ScriptedRun, type TestArtifact } from "../support/scripted-controller.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { killSpawnedWorkers, spawnWorker } from "../support/worker-spawner.ts";

const TIMEOUT_MS = 5_000;
const LIMIT_MS = 60_000;
const TEXT = 'wadi_worker_messages_recv{job_id="x"} 1\n';
const TEXT_TYPE = "text/plain; version=0.0.4";

describe("workers that push their metrics", function () {
  this.timeout(120_000);
  requires("prometheus", prometheusAbsence);
  const folder = temporaryFolder("monitoring-push");
  let artifact: TestArtifact;
  let gateway: MonitoringServer;
  let controller: ScriptedController;

  before(async () => {
    writeFileSync(join(folder, "in.json"), '{"v": 1}\n{"v": 2}\n{"v": 3}\n');
    artifact = await compileScript(`
      CREATE TABLE input (v BIGINT) WITH (connector = 'single_file', path = '${join(folder, "in.json")}', format = 'json', type = 'source');
      CREATE TABLE output (v BIGINT) WITH (connector = 'single_file', path = '${join(folder, "out.json")}', format = 'json', type = 'sink');
      INSERT INTO output SELECT v FROM input;`);
  });
  beforeEach(async () => {
    controller = new ScriptedController();
    await controller.listen();
  });
  afterEach(async () => {
    killSpawnedWorkers();
    await controller.close();
    await gateway?.stop();
  });

  async function runOnce(store: string): Promise<number | string> {
    const env = { WADI_PIPELINE_ID: "pl_test" };
    const worker = spawnWorker({ id: "wk_a", fence: controller.fence, endpoints: [controller.endpoint], token: controller.token, env });
    await controller.workers(1);
    const run = await ScriptedRun.open(controller, { artifact, store: join(folder, store), parallelism: 1 });
    run.assign();
    await run.start();
    await run.finish(1);
    return worker.exited;
  }

  it("leave the last numbers of a short run there, in a group of job, run and worker", async () => {
    gateway = await startPushgateway();
    controller.pushgateway = gateway.url;
    expect(await runOnce("a")).to.equal(0);
    const [pushed] = await new Pushgateway(gateway.url, TIMEOUT_MS).groups();
    expect(pushed?.group).to.deep.equal({ job: "job_test", run: "1", worker: "wk_a" });
    expect(pushed?.pushedAtS).to.be.greaterThan(1e9);
    const text = await (await fetch(`${gateway.url}/metrics`)).text();
    const sent = text.split("\n").find((line) => line.startsWith("wadi_worker_messages_sent{") && line.includes('node_id="0"'));
    expect(sent, text).to.match(/job="job_test".*pipeline_id="pl_test".*run="1".*worker="wk_a".* 3$/);
  });

  it("are not held up by a Pushgateway that takes connections and never answers", async () => {
    const silent: Server = createServer();
    let connections = 0;
    silent.on("connection", (socket) => {
      connections += 1;
      socket.on("error", () => undefined);
    });
    const [port = 0] = await freePorts(1);
    await new Promise<void>((resolve) => silent.listen(port, "127.0.0.1", resolve));
    controller.pushgateway = `http://127.0.0.1:${port}`;
    try {
      expect(await runOnce("b")).to.equal(0);
      expect(controller.said("finished")).to.have.length(1);
      expect(connections).to.be.greaterThan(0);
    } finally {
      silent.close();
    }
  });
});

describe("a controller and what workers pushed", function () {
  this.timeout(120_000);
  requires("prometheus", prometheusAbsence);
  let database: DatabaseServer;
  let stage: ControllerStage;
  let server: MonitoringServer;
  let gateway: Pushgateway;
  let front: HttpServer;
  let away = false;
  let refused = 0;

  before(async () => {
    database = await startPglite();
  });
  after(() => database?.stop());
  beforeEach(async () => {
    server = await startPushgateway();
    gateway = new Pushgateway(server.url, TIMEOUT_MS);
    away = false;
    // Between the controller and the Pushgateway, so that it can be away without forgetting what it has.
    front = createProxy((request, response) => {
      if (away) {
        refused += 1;
        return response.writeHead(503).end("away");
      }
      return void fetch(server.url + request.url, { method: request.method ?? "GET" }).then(async (answer) => {
        response.writeHead(answer.status).end(await answer.text());
      });
    });
    await new Promise<void>((resolve) => front.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(front.address() as AddressInfo).port}`;
    stage = await ControllerStage.open(await database.create(), `[metrics]\npushgateway = "${url}"\npush-linger = "0s"`);
  });
  afterEach(async () => {
    await stage?.close();
    front?.close();
    await server?.stop();
  });

  const push = (group: PushGroup): Promise<void> => gateway.push(group, TEXT, TEXT_TYPE);
  const left = async (): Promise<readonly string[]> => (await gateway.groups()).map(nameOf).sort();
  const nameOf = ({ group: { job, run, worker } }: PushedGroup): string => `${job} ${run} ${worker}`;
  const remain = (what: string, expected: readonly string[]): Promise<true> =>
    eventually(what, async () => ((await left()).join() === [...expected].sort().join() ? true : undefined), LIMIT_MS);

  it("takes the groups of a run away when it ends, those of its dead workers too, and no others", async () => {
    await stage.start();
    const [ended = "", going = ""] = await stage.createMany(2);
    await stage.reaches(ended, "running");
    await stage.reaches(going, "running");
    await push({ job: ended, run: "1", worker: "wk_a" });
    await push({ job: ended, run: "1", worker: "wk_dead" });
    await push({ job: going, run: "1", worker: "wk_b" });
    await push({ job: "job_of_another_wadi", run: "1", worker: "wk_c" });
    await stage.wish(ended, { desired_stop: "checkpoint" });
    await stage.reaches(ended, "stopped");
    await remain("the groups of the ended run go", [`${going} 1 wk_b`, "job_of_another_wadi 1 wk_c"]);
  });

  it("finds groups of runs that ended under an earlier leader", async () => {
    const first = await stage.start();
    const job = await stage.create();
    await stage.reaches(job, "running");
    await stage.wish(job, { desired_stop: "checkpoint" });
    await stage.reaches(job, "stopped");
    await first.stop();
    await push({ job, run: "1", worker: "wk_a" });
    await stage.start();
    await remain("nothing is left", []);
  });

  it("goes on with jobs while the Pushgateway is away, and takes away what is due when it is back", async () => {
    await stage.start();
    const job = await stage.create();
    await stage.reaches(job, "running");
    await push({ job, run: "1", worker: "wk_a" });
    away = true;
    const refusedBefore = refused;
    await stage.wish(job, { desired_stop: "checkpoint" });
    await stage.reaches(job, "stopped");
    await eventually("the controller has tried", () => (refused > refusedBefore ? true : undefined), LIMIT_MS);
    expect(await left()).to.have.length(1);
    away = false;
    await remain("nothing is left", []);
  });
});
