/**
 * `wadi deploy` on the fake Nomad with small stand-ins for the job templates: order, secrets, policies, a second time, jobs that fail in several ways,
 * interruption, taking down, and what `wadi doctor --deployed` reads of it. The real jobs are in nomad-platform.test.ts.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { applyPlan, isInPlace } from "../../src/cli/deploy/apply.ts";
import { type Deployment, openDeployment, planDeployment } from "../../src/cli/deploy/deployment.ts";
import { forget, refuseRunning, standing, takeDown } from "../../src/cli/deploy/destroy.ts";
import { planText } from "../../src/cli/deploy/plan-text.ts";
import { readItems } from "../../src/cli/deploy/secrets.ts";
import { installationStatus, isSound, statusTable } from "../../src/cli/deploy/status.ts";
import { urlLines } from "../../src/cli/deploy/urls.ts";
import { deployedConfig } from "../../src/cli/doctor/deployed.ts";
import { type LoadedConfig, loadConfig } from "../../src/core/config.ts";
import { eventually } from "../support/eventually.ts";
import type { ClusterOptions } from "../support/nomad/cluster.ts";
import { FakeNomad } from "../support/nomad/fake-nomad.ts";
import { refusal, rejection } from "../support/rejection.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const WAIT_MS = 30_000;
const JOBS = ["postgres", "pushgateway", "controller", "api"];
const POLICY = 'namespace "default" {\n  capabilities = ["list-jobs"]\n}\n';

/** A job that runs a shell's words. */
function template(name: string): string {
  return `variable "namespace" {
  type    = string
  default = "default"
}

variable "driver" {
  type    = string
  default = "raw_exec"
}

variable "script" {
  type        = string
  description = "What the task runs."
  default     = "exec sleep 300"
}

variable "cpu" {
  type    = number
  default = 20
}

job "wadi-${name}" {
  namespace = var.namespace
  type      = "service"

  meta {
    managed_by = "wadi"
  }

  group "${name}" {
    update {
      max_parallel     = 1
      min_healthy_time = "100ms"
      healthy_deadline = "1m"
    }

    restart {
      attempts = 20
      interval = "5m"
      delay    = "100ms"
      mode     = "delay"
    }

    network {
      port "http" {}
    }

    service {
      name     = "wadi-${name}"
      provider = "nomad"
      port     = "http"
    }

    task "${name}" {
      driver = var.driver

      config {
        command = "/bin/sh"
        args    = ["-c", var.script]
      }

      env {
        DATABASE_USER         = "wadi"
        WADI__CHECKPOINT_URL  = "/checkpoints"
        WADI__HOSTNAME        = "\${NOMAD_IP_http}"
        WADI__LOGGING__FORMAT = "json"
      }

      resources {
        cpu    = var.cpu
        memory = 16
      }
    }
  }
}
`;
}

describe("wadi deploy on Nomad", function () {
  this.timeout(120_000);
  const folder = temporaryFolder("deploy-nomad");
  const templates = join(folder, "nomad");
  const open: { close(): void }[] = [];
  let nomad: FakeNomad;

  before(() => {
    mkdirSync(templates);
    for (const name of JOBS) writeFileSync(join(templates, `${name}.nomad.hcl`), template(name));
    writeFileSync(join(templates, "controller.policy.hcl"), POLICY);
  });

  afterEach(async () => {
    for (const client of open.splice(0)) client.close();
    await nomad?.stop();
  });

  async function start(options: ClusterOptions = {}): Promise<void> {
    nomad = await FakeNomad.start({ nodes: [{ name: "n1", drivers: ["raw_exec"], cpuMhz: 4_000 }], ...options });
  }

  function settings(more: Readonly<Record<string, string>> = {}): LoadedConfig {
    return loadConfig({ files: [], env: { NOMAD_ADDR: nomad.address, ...more } });
  }

  async function deployment(set: readonly string[] = [], more: Readonly<Record<string, string>> = {}): Promise<Deployment> {
    const args = { values: undefined, set: ["driver=raw_exec", ...set], jobs: undefined, templates, local: false, folder: undefined };
    const opened = await openDeployment(args, settings(more));
    open.push(opened.client);
    return opened;
  }

  async function apply(set: readonly string[] = [], options: { readonly signal?: AbortSignal; readonly waitMs?: number } = {}) {
    const told: string[] = [];
    const { signal = new AbortController().signal, waitMs = WAIT_MS } = options;
    const opened = await deployment(set);
    const { plan } = await planDeployment(opened);
    const applied = await applyPlan(opened.client, plan, { waitMs, signal, tell: (line) => told.push(line) });
    return { ...opened, plan, told, applied };
  }

  it("submits in the order of dependence, waits for health, and finds nothing to do the second time", async () => {
    await start();
    const { client, namespace, applied, told } = await apply();
    expect(applied.submitted).to.deep.equal(JOBS.map((name) => `wadi-${name}`));
    expect(applied.health.map(({ state }) => state)).to.deep.equal(JOBS.map(() => "healthy"));
    expect(told.indexOf("wadi-controller: submitted")).to.be.greaterThan(told.indexOf("wadi-postgres: healthy (1 of 1)"));
    const password = (await readItems(client, "nomad/jobs/wadi-postgres", namespace)).items["password"];
    expect(password).to.have.length.of.at.least(32);
    for (const job of ["controller", "api"])
      expect((await readItems(client, `nomad/jobs/wadi-${job}`, namespace)).items["database_password"]).to.equal(password);
    expect(told.join("\n")).to.not.contain(password);
    const again = await apply();
    expect(isInPlace(again.plan)).to.equal(true);
    expect(again.applied.submitted).to.deep.equal([]);
    expect(planText(again.plan, { colour: false, full: false })).to.contain("No changes: Nomad has what the values say.");
    const changed = await planDeployment(await deployment(["api.cpu=30"]));
    expect(changed.plan.jobs.filter(({ change }) => change !== "none").map(({ template: { name } }) => name)).to.deep.equal(["api"]);
  });

  it("shows the installation as a table with addresses, and takes it down in the reverse order", async () => {
    await start();
    const { client, namespace } = await apply();
    const rows = await installationStatus(client, namespace);
    expect(rows.map(({ job, healthy, wanted }) => `${job} ${healthy}/${wanted}`)).to.deep.equal(JOBS.map((name) => `wadi-${name} 1/1`));
    expect(isSound(rows)).to.equal(true);
    expect(statusTable(rows)).to.match(/wadi-api +healthy +1 of 1 +0 +[\d.]+:\d+/);
    const [ui] = await urlLines({ client, namespace }, { link: false });
    expect(ui?.url).to.match(/^http:\/\/[\d.]+:\d+$/);
    expect(ui?.text).to.contain("nomad var get");
    const told: string[] = [];
    const options = {
      namespace,
      purge: true,
      pipelines: false,
      signal: new AbortController().signal,
      tell: (line: string) => told.push(line),
    };
    const ended = await takeDown(client, await standing(client, namespace, true), options);
    expect(ended).to.deep.equal([...JOBS].reverse().map((name) => `wadi-${name}`));
    await forget(client, options);
    expect((await readItems(client, "nomad/jobs/wadi-postgres", namespace)).items).to.deep.equal({});
    expect(await installationStatus(client, namespace)).to.deep.equal([]);
  });

  it("keeps secrets when it is stopped, and starts again with them", async () => {
    await start();
    const { client, namespace } = await apply();
    const before_ = await readItems(client, "nomad/jobs/wadi-postgres", namespace);
    const options = { namespace, purge: false, pipelines: false, signal: new AbortController().signal, tell: () => undefined };
    await takeDown(client, await standing(client, namespace, false), options);
    const again = await apply();
    expect(again.applied.submitted).to.deep.equal(JOBS.map((name) => `wadi-${name}`));
    expect(await readItems(client, "nomad/jobs/wadi-postgres", namespace)).to.deep.equal(before_);
  });

  it("refuses to take down what pipelines run on, and ends them after the controller if it is told to", async () => {
    await start();
    const { client, namespace } = await apply();
    const run = {
      ID: "w-trips-job-1",
      Name: "trips",
      Type: "batch",
      Meta: { managed_by: "wadi", run_id: "1" },
      TaskGroups: [{ Name: "worker", Tasks: [{ Name: "worker", Driver: "raw_exec", Config: { command: "/bin/sleep", args: ["300"] } }] }],
    };
    await client.call({ method: "PUT", path: "/v1/jobs", body: { Job: run } });
    const credential = "/v1/var/nomad/jobs/w-trips-job-1";
    await client.call({ method: "PUT", path: credential, body: { Path: credential.slice("/v1/var/".length), Items: { run_token: "t" } } });
    const there = await standing(client, namespace, false);
    const error = await refusal(() => refuseRunning(there, false), "invalid-usage", "a pipeline runs (w-trips-job-1)");
    expect(error.hint).to.contain("--with-pipelines");
    refuseRunning(there, true);
    const options = { namespace, purge: false, pipelines: true, signal: new AbortController().signal, tell: () => undefined };
    const ended = await takeDown(client, there, options);
    expect(ended).to.deep.equal(["wadi-api", "wadi-controller", "w-trips-job-1", "wadi-pushgateway", "wadi-postgres"]);
    expect((await client.call({ path: credential, accept: [404] })).status, "the run's credential").to.equal(404);
  });

  it("explains a job that does not stay up with its last lines, and goes on from there when it is mended", async () => {
    await start();
    const broken = apply(["controller.script=echo the licence is missing >&2; exit 3"]);
    const error = await rejection(broken, "io", 'the job "wadi-controller" does not stay up', ", restarted ");
    expect(error.detail).to.contain("the licence is missing");
    expect(error.hint).to.contain("wadi deploy apply");
    const mended = await apply();
    expect(mended.applied.submitted).to.deep.equal(["wadi-controller", "wadi-api"]);
  });

  it("says before and while waiting that there is no room for a job", async () => {
    await start();
    const { plan } = await planDeployment(await deployment(["api.cpu=100000"]));
    const text = planText(plan, { colour: false, full: false });
    expect(text).to.contain('could not be placed now: group "api": processor time (MHz) exhausted on 1 node');
    const error = await rejection(
      apply(["api.cpu=100000"], { waitMs: 3_000 }),
      "io",
      'the job "wadi-api" is not healthy after 3 s',
      "not placed",
    );
    expect(error.hint).to.contain("Make room");
  });

  it("says that a program is not on the node", async () => {
    await start();
    const error = await rejection(apply(["postgres.script=exec /nonexistent/postgres"]), "io", 'the job "wadi-postgres"');
    expect(error.hint).to.contain("The program is not on the node");
  });

  it("refuses to submit over a change that somebody made since the plan", async () => {
    await start();
    const { client } = await apply();
    const opened = await deployment(["api.cpu=30"]);
    const { plan } = await planDeployment(opened);
    const [api] = plan.jobs.filter(({ template: { name } }) => name === "api");
    await client.call({ method: "PUT", path: "/v1/jobs", body: { Job: { ...api?.job, Priority: 33 } } });
    const options = { waitMs: WAIT_MS, signal: new AbortController().signal, tell: () => undefined };
    const error = await rejection(applyPlan(opened.client, plan, options), "already-exists", 'somebody else changed the job "wadi-api"');
    expect(error.hint).to.contain("wadi deploy plan");
  });

  it("stops waiting when it is interrupted and says what was submitted and what was not", async () => {
    await start();
    const interrupted = new AbortController();
    const opened = await deployment(["postgres.cpu=100000"]);
    const { plan } = await planDeployment(opened);
    const told: string[] = [];
    const running = applyPlan(opened.client, plan, { waitMs: WAIT_MS, signal: interrupted.signal, tell: (line) => told.push(line) });
    await eventually("it waits for room", () => told.find((line) => line.includes("not placed: ")), 20_000);
    interrupted.abort();
    const { submitted, left } = await running;
    expect(submitted).to.deep.equal(["wadi-postgres", "wadi-pushgateway"]);
    expect(left).to.deep.equal(["wadi-controller", "wadi-api"]);
  });

  it("asks for a token where ACLs are on, and writes the policies of the jobs with one that may", async () => {
    await start({ acl: true });
    expect((await rejection(deployment(), "permission-denied", "ACLs are on")).hint).to.contain("NOMAD_TOKEN");
    const opened = await deployment([], { NOMAD_TOKEN: nomad.managementToken });
    const { plan, policies } = await planDeployment(opened);
    expect(policies.acl).to.equal(true);
    expect(plan.policies.map(({ name }) => name)).to.deep.equal(["wadi-controller"]);
    await applyPlan(opened.client, plan, { waitMs: WAIT_MS, signal: new AbortController().signal, tell: () => undefined });
    const again = await planDeployment(opened);
    expect(again.plan.policies).to.deep.equal([]);
    expect(isInPlace(again.plan)).to.equal(true);
  });

  it("does not make up the password of somebody else's database", async () => {
    await start();
    for (const name of ["controller", "api"]) {
      const variable = 'variable "database_host" {\n  type    = string\n  default = ""\n}\n\n';
      writeFileSync(join(templates, `${name}.nomad.hcl`), variable + template(name));
    }
    try {
      const opened = await deployment(["database_host=db.example"]);
      const error = await rejection(planDeployment(opened), "invalid-config", "the database password is missing");
      expect(error.hint).to.contain("DATABASE_PASSWORD");
    } finally {
      for (const name of ["controller", "api"]) writeFileSync(join(templates, `${name}.nomad.hcl`), template(name));
    }
  });

  it("says how to reach Nomad where nobody answers", async () => {
    await start();
    const error = await rejection(deployment([], { NOMAD_ADDR: "http://127.0.0.1:9" }), "invalid-config", "connection refused");
    expect(error.hint).to.contain("NOMAD_ADDR");
  });

  it("says what Nomad cannot read, and in which template", async () => {
    await start();
    const path = join(templates, "api.nomad.hcl");
    writeFileSync(path, template("api").replace("namespace = var.namespace", "namespace = var.nonsense"));
    try {
      const opened = await deployment();
      const error = await rejection(planDeployment(opened), "invalid-config", 'Nomad cannot read the job "api"', "nonsense");
      expect(error.detail).to.contain(path);
    } finally {
      writeFileSync(path, template("api"));
    }
  });

  it("gives the doctor the settings, secrets and addresses of what runs", async () => {
    await start();
    const { client, namespace } = await apply();
    const { WADI_API_TOKEN: token } = process.env;
    try {
      const { config } = await deployedConfig(settings(), undefined);
      const { items } = await readItems(client, "nomad/jobs/wadi-api", namespace);
      expect(config["checkpoint-url"]).to.equal("/checkpoints");
      expect(config["database.postgres.password"]).to.equal(items["database_password"]);
      expect(config["database.postgres.port"]).to.not.equal(5432);
      expect(config["api-endpoint"]).to.match(/^http:\/\/[\d.]+:\d+$/);
      expect(config["metrics.pushgateway"]).to.match(/^http:\/\/[\d.]+:\d+$/);
      expect(config["logging.format"]).to.equal("plaintext");
    } finally {
      if (token === undefined) delete process.env["WADI_API_TOKEN"];
    }
  });
});
