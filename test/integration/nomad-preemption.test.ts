/**
 * Preemption: on the fake Nomad as on a real one (where NOMAD_ADDR is set; 2.0.5 and 1.8.4 were tried), and what becomes of a pipeline whose worker has to
 * make place for something more important.
 */
import { expect } from "chai";
import { needsClusterBuild, TestCluster } from "../support/cluster-process.ts";
import { eventually } from "../support/eventually.ts";
import { FailurePipeline } from "../support/failure-pipeline.ts";
import { FakeNomad } from "../support/nomad/fake-nomad.ts";
import { nomadEnvironment } from "../support/nomad-cluster.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

/** Whatever Nomad answers in JSON; its shape is checked elsewhere. */
type ParsedJson = ReturnType<typeof JSON.parse>;

async function call(address: string, path: string, method = "GET", body?: object): Promise<ParsedJson> {
  const options = body === undefined ? {} : { body: JSON.stringify(body) };
  const response = await fetch(`${address}${path}`, { method, ...options, signal: AbortSignal.timeout(20_000) });
  const text = await response.text();
  expect(response.ok, `${path}: ${text}`).to.equal(true);
  return JSON.parse(text);
}

/** A batch job of one long sleep that asks for so many MHz. */
function sleeper(id: string, priority: number, mhz: number): object {
  const config = { command: "/bin/sleep", args: ["600"] };
  const task = { Name: "sleep", Driver: "raw_exec", Config: config, Resources: { CPU: mhz, MemoryMB: 20 } };
  const never = { Attempts: 0, Unlimited: false };
  return {
    Job: {
      ID: id,
      Type: "batch",
      Priority: priority,
      Datacenters: ["*"],
      TaskGroups: [{ Name: "sleep", Count: 1, ReschedulePolicy: never, Tasks: [task] }],
    },
  };
}

async function setPreemption(address: string, batch: boolean): Promise<void> {
  const path = "/v1/operator/scheduler/configuration";
  const { SchedulerConfig } = await call(address, path);
  const preemption = { ...SchedulerConfig.PreemptionConfig, BatchSchedulerEnabled: batch };
  await call(address, path, "PUT", { ...SchedulerConfig, PreemptionConfig: preemption });
}

function preempting(begin: () => Promise<{ readonly address: string; readonly end: () => Promise<void> }>): void {
  let address: string;
  let end: () => Promise<void>;
  let mhz: number;

  beforeEach(async () => {
    ({ address, end } = await begin());
    const [{ ID }] = await call(address, "/v1/nodes");
    const { NodeResources } = await call(address, `/v1/node/${ID}`);
    // More than half of the node: two do not fit.
    mhz = Math.floor(NodeResources.Cpu.CpuShares * 0.6);
  });
  afterEach(async () => {
    await setPreemption(address, false);
    for (const id of ["low", "high"]) await call(address, `/v1/job/${id}?purge=true`, "DELETE");
    await end();
  });

  const allocations = async (job: string): Promise<ParsedJson[]> => await call(address, `/v1/job/${job}/allocations`);
  const running = (job: string) =>
    eventually(`${job} runs`, async () => (await allocations(job)).find((one) => one.ClientStatus === "running"), 60_000);
  const blocked = (job: string) => {
    const look = async () => (await call(address, `/v1/job/${job}/evaluations`)).find((one: ParsedJson) => one.Status === "blocked");
    return eventually(`${job} is blocked`, look, 60_000);
  };

  it("a job of higher priority takes the place of another where that is switched on, and who had it waits", async () => {
    await setPreemption(address, true);
    await call(address, "/v1/jobs", "PUT", sleeper("low", 40, mhz));
    const low = await running("low");
    await call(address, "/v1/jobs", "PUT", sleeper("high", 60, mhz));
    const high = await running("high");
    const evicted = await call(address, `/v1/allocation/${low.ID}`);
    expect(evicted).to.include({ DesiredStatus: "evict", DesiredDescription: `Preempted by alloc ID ${high.ID}` });
    expect(evicted.PreemptedByAllocation).to.equal(high.ID);
    expect((await call(address, `/v1/allocation/${high.ID}`)).PreemptedAllocations).to.deep.equal([low.ID]);
    await blocked("low");
    const triggers = (await call(address, "/v1/job/low/evaluations")).map((one: ParsedJson) => one.TriggeredBy);
    expect(triggers).to.include("preemption");
    const ended = async () => (await allocations("low")).every(({ ClientStatus }) => ClientStatus === "complete") || undefined;
    await eventually("the evicted one has ended", ended, 60_000);
  });

  it("nobody is preempted where it is switched off, nor by a job that is hardly more important", async () => {
    await call(address, "/v1/jobs", "PUT", sleeper("low", 40, mhz));
    const low = await running("low");
    await call(address, "/v1/jobs", "PUT", sleeper("high", 90, mhz));
    await blocked("high");
    await call(address, "/v1/job/high?purge=true", "DELETE");
    await setPreemption(address, true);
    await call(address, "/v1/jobs", "PUT", sleeper("high", 49, mhz));
    await blocked("high");
    expect((await call(address, `/v1/allocation/${low.ID}`)).DesiredStatus).to.equal("run");
  });
}

describe("preemption on the fake Nomad", function () {
  this.timeout(150_000);
  preempting(async () => {
    const nomad = await FakeNomad.start();
    return { address: nomad.address, end: () => nomad.stop() };
  });
});

describe("preemption on a real Nomad", function () {
  const { NOMAD_ADDR: address = "" } = process.env;
  if (address === "") {
    it.skip("happens [set NOMAD_ADDR]");
    return;
  }
  this.timeout(150_000);
  preempting(async () => ({ address, end: async () => undefined }));
});

describe("a pipeline whose worker is preempted", function () {
  this.timeout(240_000);
  needsClusterBuild();
  let cluster: TestCluster;
  let nomad: FakeNomad;

  afterEach(async function () {
    if (this.currentTest?.state === "failed") process.stderr.write(`${cluster.said}\n${cluster.logs()}\n`);
    await cluster.stop();
    cluster.killAll();
    await nomad.stop();
  });

  it("waits for capacity, goes on from its last checkpoint, and its rows are exact", async () => {
    nomad = await FakeNomad.start({ nodes: [{ name: "one", cpuMhz: 350 }] });
    await setPreemption(nomad.address, true);
    const folder = temporaryFolder("preemption");
    cluster = await TestCluster.in(folder, FailurePipeline.environment(folder));
    cluster.set(nomadEnvironment(cluster, nomad.address));
    const pipeline = new FailurePipeline(cluster, 31);
    pipeline.slow(400);
    await cluster.start();
    await pipeline.create(2);
    const before = await pipeline.advanced(0, 1);

    await call(nomad.address, "/v1/jobs", "PUT", sleeper("important", 100, 200));
    const evicted = () => nomad.allocations().some(({ DesiredStatus }) => DesiredStatus === "evict") || undefined;
    await eventually("a worker has to go", evicted, 60_000);
    await pipeline.until("the run is over", (job) => job.run_id > before.run_id || job.state !== "Running", 90_000);
    nomad.addNode({ name: "two", cpuMhz: 350 });
    await pipeline.until("another run runs", (job) => job.state === "Running" && job.run_id > before.run_id, 90_000);
    await pipeline.finish();
  });
});
