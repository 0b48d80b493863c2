/**
 * Four workers on a Nomad, real or fake, that find their controllers by Nomad's template and prove themselves by Nomad's identities, with TLS
 * everywhere. The leader hangs, another one leads at an address that only Nomad tells, and no worker is started again.
 */
import { expect } from "chai";
import { kill, needsClusterBuild, TestCluster } from "../support/cluster-process.ts";
import { eventually } from "../support/eventually.ts";
import { FailurePipeline } from "../support/failure-pipeline.ts";
import { FakeNomad } from "../support/nomad/fake-nomad.ts";
import { nomadEnvironment } from "../support/nomad-cluster.ts";
import { StandbyController } from "../support/standby-controller.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const READ_DELAY_MS = 1_000;
const WORKERS = 4;

describe("workers on Nomad whose controller moves", function () {
  this.timeout(240_000);
  needsClusterBuild();
  let fake: FakeNomad | undefined;
  let address: string;
  let cluster: TestCluster;
  let standby: StandbyController;

  before(async () => {
    address = process.env["NOMAD_ADDR"] ?? "";
    if (address !== "") return;
    fake = await FakeNomad.start({ version: "2.0.5" });
    address = fake.address;
  });
  after(() => fake?.stop());

  afterEach(async function () {
    const failed = this.currentTest?.state === "failed";
    if (failed) process.stderr.write(`${cluster.said}\n${cluster.logs()}\n--- standby\n${standby.said}\n`);
    await cluster.stop();
    await standby.stop();
    cluster.killAll();
  });

  interface Variable {
    readonly Path: string;
    readonly Items: Readonly<Record<string, string>>;
  }

  async function nomad<T>(path: string, method = "GET", body?: unknown): Promise<T> {
    const answer = await fetch(`${address}${path}`, body === undefined ? { method } : { method, body: JSON.stringify(body) });
    const text = await answer.text();
    expect(answer.status, `${method} ${path}: ${text}`).to.equal(200);
    return JSON.parse(text) as T;
  }

  /** The variable of the run that job `job` has now. */
  async function variableOf(job: string): Promise<Variable> {
    const found = await nomad<readonly { readonly Path: string }[]>("/v1/vars?prefix=nomad/jobs/");
    const own = found.find(({ Path }) => Path.includes(`-${job}-`));
    return nomad<Variable>(`/v1/var/${own?.Path}`);
  }

  it("find the new one by Nomad's template, prove themselves to it, and are not started again", async () => {
    const folder = temporaryFolder("nomad-identity");
    cluster = await TestCluster.in(folder, FailurePipeline.environment(folder));
    cluster.set(nomadEnvironment(cluster, address, { WADI__TLS__MODE: "on", WADI__NOMAD__PREFLIGHT: "false" }));
    standby = await StandbyController.of(cluster);
    cluster.set({ WADI__CONTROLLER_ENDPOINT: `127.0.0.1:${cluster.ports.controller}` });
    const pipeline = new FailurePipeline(cluster, 13);
    pipeline.slow(READ_DELAY_MS);
    await cluster.start();
    await standby.start();
    await pipeline.create(WORKERS);
    const before = await pipeline.advanced(0);
    const workers = cluster.pids("worker");
    expect(workers).to.have.length(WORKERS);
    const variable = await variableOf(before.id);
    expect(variable.Items["controller_ca"]).to.contain("BEGIN CERTIFICATE");

    const leader = cluster.controllerOfCluster();
    process.kill(leader, "SIGSTOP");
    await eventually("the other one leads", async () => ((await standby.leads()) === true ? true : undefined), 20_000);
    // It is in no setting of anybody: the variable tells of it once it leads.
    const known = async () => (await nomad<Variable>(`/v1/var/${variable.Path}`)).Items["controllers"]?.split(",") ?? [];
    await eventually("the variable tells of it", async () => (await known()).includes(standby.endpoint) || undefined, 20_000);
    expect(await known()).to.deep.equal([standby.endpoint, `127.0.0.1:${cluster.ports.controller}`]);
    await pipeline.advanced((await pipeline.job()).epoch, 3);
    expect(cluster.pids("worker")).to.deep.equal(workers);
    await pipeline.finish();
    expect((await pipeline.job()).run_id).to.equal(before.run_id);
    kill(leader);
  });

  it("are refused in words with identities for somebody else, and run once Nomad gives the right ones", async function () {
    if (fake === undefined) this.skip();
    const folder = temporaryFolder("nomad-identity");
    cluster = await TestCluster.in(folder, FailurePipeline.environment(folder));
    cluster.set(nomadEnvironment(cluster, address));
    standby = await StandbyController.of(cluster);
    const pipeline = new FailurePipeline(cluster, 14);
    await cluster.start();
    fake.faults.identityAudience = "vault.io";
    await pipeline.create(1);
    const { id } = await pipeline.job();
    const refusal = await eventually(
      "the timeline tells of the refusal",
      async () => {
        const { body } = await cluster.api("GET", `/pipelines/${pipeline.id}/jobs/${id}/events?limit=50`);
        return (body.data as { kind: string; message: string }[]).find(({ kind }) => kind === "worker-refused");
      },
      40_000,
    );
    expect(refusal.message).to.contain('made for "vault.io", not for "wadi"');
    fake.faults.identityAudience = undefined;
    await pipeline.finish();
  });
});
