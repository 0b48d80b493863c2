/** The repository's example of an operator's own job, and broken ones: on the fake Nomad, and on a real one where NOMAD_ADDR is set. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import type { AppError } from "../../src/core/errors.ts";
import type { NomadScheduler } from "../../src/scheduler/nomad/scheduler.ts";
import { FakeNomad } from "../support/nomad/fake-nomad.ts";
import { NomadStage } from "../support/nomad-stage.ts";
import { sampleSpec } from "../support/scheduler-conformance.ts";

const EXAMPLE = fileURLToPath(new URL("../../nomad/worker.nomad.hcl", import.meta.url));
const IDLE_WORKER = fileURLToPath(new URL("../support/idle-worker.mjs", import.meta.url));
const spec = sampleSpec(4);

function templates(begin: () => Promise<{ readonly address: string; readonly end: () => Promise<void> }>): void {
  let stage: NomadStage;
  let scheduler: NomadScheduler;
  let end: () => Promise<void>;

  async function open(hcl: string, variables: Readonly<Record<string, string>>): Promise<void> {
    const { address, end: stop } = await begin();
    end = stop;
    stage = new NomadStage(address, { template: { path: "worker.nomad.hcl", hcl, variables } });
    scheduler = await stage.open();
  }
  afterEach(async () => {
    await stage.close();
    await end();
  });

  const example = readFileSync(EXAMPLE, "utf8");
  const variables = { command: process.execPath };
  /** The arguments of the example are a list, which a variable's text cannot be. */
  const runnable = example.replace('default     = ["worker"]', `default     = ["${IDLE_WORKER}"]`);

  it("the example runs workers, which are Wadi's in all that counts", async () => {
    await open(runnable, variables);
    expect(await scheduler.startWorkers(spec)).to.deep.equal({ kind: "accepted", workers: 2 });
    await stage.settle();
    const workers = await scheduler.listWorkers(spec.job);
    expect(workers.map(({ phase }) => phase)).to.deep.equal(["running", "running"]);
    const { body } = await stage.client.call({ path: "/v1/job/w-conformance-job_conformance-run_1" });
    const { Priority, Meta, TaskGroups } = body as Readonly<Record<string, never>> & { readonly TaskGroups: readonly Group[] };
    expect({ Priority, Meta }).to.deep.include({ Priority: 60 });
    expect(Meta).to.include({ team: "streams", run_id: "run_1", managed_by: "wadi" });
    expect(TaskGroups[0]).to.deep.include({ Count: 2 });
    expect(TaskGroups[0]?.RestartPolicy.Attempts).to.equal(0);
    expect(TaskGroups[0]?.Tasks[0]?.LogConfig.MaxFiles).to.equal(3);
  });

  const broken: readonly (readonly [claim: string, hcl: string, words: RegExp])[] = [
    ["text that is no HCL", 'job "x" {', /worker\.nomad\.hcl.*does not fit/],
    ["a group of another name", runnable.replace('group "worker"', 'group "other"'), /no group "worker"/],
    ["a service", runnable.replace('type        = "batch"', 'type        = "service"'), /its type is "service"/],
    ["what Nomad itself refuses", runnable.replace("priority    = 60", "priority    = 5000"), /priority/i],
  ];
  for (const [claim, hcl, words] of broken) {
    it(`${claim} is refused, which is named, and nothing is started`, async () => {
      await open(hcl, variables);
      const error = (await scheduler.startWorkers(spec).catch((thrown: unknown) => thrown)) as AppError;
      expect(error).to.include({ code: "invalid-config", retry: "never" });
      expect(error.message).to.match(words);
      expect(await scheduler.listWorkers(spec.job)).to.deep.equal([]);
    });
  }

  it("a variable that the template does not declare is named", async () => {
    await open(runnable, { ...variables, comand: "x" });
    const error = (await scheduler.startWorkers(spec).catch((thrown: unknown) => thrown)) as AppError;
    expect(error.message).to.include('sets "comand", which it does not declare');
  });
}

interface Group {
  readonly Count: number;
  readonly RestartPolicy: { readonly Attempts: number };
  readonly Tasks: readonly { readonly LogConfig: { readonly MaxFiles: number } }[];
}

describe("an operator's job on the fake Nomad", function () {
  this.timeout(60_000);
  templates(async () => {
    const nomad = await FakeNomad.start();
    return { address: nomad.address, end: () => nomad.stop() };
  });
});

describe("an operator's job on a real Nomad", function () {
  const { NOMAD_ADDR: address = "" } = process.env;
  if (address === "") {
    it.skip("runs [set NOMAD_ADDR]");
    return;
  }
  this.timeout(60_000);
  templates(async () => ({ address, end: async () => undefined }));
});
