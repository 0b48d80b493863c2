/**
 * Deployments on the fake Nomad: prestart tasks come first, checks decide on health, new versions come one by one, and a version that does not get
 * healthy is taken back.
 */
import { expect } from "chai";
import { eventually } from "../support/eventually.ts";
import { FakeNomad } from "../support/nomad/fake-nomad.ts";

const PATIENCE_MS = 30_000;

/** Whatever Nomad answers in JSON; its shape is checked elsewhere. */
type ParsedJson = ReturnType<typeof JSON.parse>;

/** A server that answers `code` on the port "http"; it fails at once where the file of the prestart task is not there. */
function server(code: number): string {
  const answer = `require("node:http").createServer((q, s) => { s.statusCode = ${code}; s.end("x"); })`;
  return `require("node:fs").readFileSync(process.env.NOMAD_ALLOC_DIR + "/data/ready"); ${answer}.listen(+process.env.NOMAD_PORT_http, process.env.NOMAD_IP_http)`;
}

function job(code: number, count = 1, prepare = 'touch "$NOMAD_ALLOC_DIR/data/ready"'): object {
  const task = (name: string, command: string, args: readonly string[]) => ({
    Name: name,
    Driver: "raw_exec",
    Config: { command, args },
    Resources: { CPU: 20, MemoryMB: 20 },
  });
  const check = { Type: "http", Path: "/", Interval: 1e9, Timeout: 1e9 };
  return {
    ID: "web",
    Type: "service",
    TaskGroups: [
      {
        Name: "web",
        Count: count,
        Networks: [{ DynamicPorts: [{ Label: "http" }] }],
        Services: [{ Name: "web", Provider: "nomad", PortLabel: "http", Checks: [check] }],
        RestartPolicy: { Attempts: 0, Interval: 60e9, Delay: 1e9, Mode: "fail" },
        Update: {
          MaxParallel: 1,
          HealthCheck: "checks",
          MinHealthyTime: 1e9,
          HealthyDeadline: 60e9,
          ProgressDeadline: 20e9,
          AutoRevert: true,
        },
        Tasks: [
          { ...task("prepare", "/bin/sh", ["-c", prepare]), Lifecycle: { Hook: "prestart", Sidecar: false } },
          task("web", process.execPath, ["-e", server(code)]),
        ],
      },
    ],
  };
}

describe("deployments on the fake Nomad", function () {
  this.timeout(120_000);
  let nomad: FakeNomad;

  beforeEach(async () => {
    nomad = await FakeNomad.start({ deadlineHurry: 4 });
  });
  afterEach(async () => await nomad.stop());

  async function call(path: string, body?: object): Promise<ParsedJson> {
    const options = body === undefined ? {} : { method: "PUT", body: JSON.stringify(body) };
    const response = await fetch(`${nomad.address}${path}`, options);
    expect(response.ok, await response.clone().text()).to.equal(true);
    return await response.json();
  }
  const register = (one: object) => call("/v1/jobs", { Job: one });
  const deployments = async (): Promise<ParsedJson[]> => await call("/v1/job/web/deployments");
  const ended = (version: number) => {
    const look = async () => (await deployments()).find((one) => one.JobVersion === version && one.Status !== "running");
    return eventually(`the deployment of version ${version} has ended`, look, PATIENCE_MS);
  };

  it("the main task begins when the prestart task has succeeded, and is healthy when its check passes", async () => {
    await register(job(200));
    const deployment = await ended(0);
    expect(deployment).to.include({ Status: "successful", StatusDescription: "Deployment completed successfully" });
    const [{ TaskStates, DeploymentStatus }] = await call("/v1/job/web/allocations");
    expect(TaskStates.prepare).to.include({ State: "dead", Failed: false });
    expect(TaskStates.web.State).to.equal("running");
    expect(DeploymentStatus.Healthy).to.equal(true);
    expect((await call("/v1/job/web")).Stable).to.equal(true);
  });

  it("without its prestart task's success the main task never starts", async () => {
    await register(job(200, 1, "exit 3"));
    const failed = async () => (await call("/v1/job/web/allocations")).find((one: ParsedJson) => one.ClientStatus === "failed");
    const { TaskStates } = await eventually("the allocation has failed", failed, PATIENCE_MS);
    expect(TaskStates.prepare.Failed).to.equal(true);
    expect(TaskStates.web.StartedAt).to.equal(null);
  });

  it("a new version takes the place of the old one by one", async () => {
    await register(job(200, 3));
    await ended(0);
    await register({ ...job(200, 3), Meta: { version: "two" } });
    let most = 0;
    const look = async () => {
      const all: ParsedJson[] = await call("/v1/job/web/allocations");
      const fresh = all.filter(({ JobVersion, DesiredStatus }) => JobVersion === 1 && DesiredStatus === "run");
      most = Math.max(most, fresh.filter(({ DeploymentStatus }) => DeploymentStatus?.Healthy !== true).length);
      return (await deployments()).find((one) => one.JobVersion === 1 && one.Status === "successful");
    };
    await eventually("all are of the new version", look, PATIENCE_MS);
    expect(most).to.equal(1);
    const live = (await call("/v1/job/web/allocations")).filter(({ DesiredStatus }: ParsedJson) => DesiredStatus === "run");
    expect(live.map(({ JobVersion }: ParsedJson) => JobVersion)).to.deep.equal([1, 1, 1]);
  });

  it("a version whose check never passes is taken back to the last stable one", async () => {
    await register(job(200));
    await ended(0);
    await register(job(503));
    const failed = await ended(1);
    expect(failed).to.include({ Status: "failed", StatusDescription: "Failed due to progress deadline - rolling back to job version 0" });
    expect(await ended(2)).to.include({ Status: "successful" });
    const [{ Config }] = (await call("/v1/job/web")).TaskGroups[0].Tasks.filter(({ Name }: ParsedJson) => Name === "web");
    expect(Config.args[1]).to.include("statusCode = 200");
  });

  function everywhere(type: string, script: string): object {
    const task = {
      Name: "one",
      Driver: "raw_exec",
      Config: { command: "/bin/sh", args: ["-c", script] },
      Resources: { CPU: 20, MemoryMB: 20 },
    };
    return { ID: "all", Type: type, TaskGroups: [{ Name: "all", RestartPolicy: { Attempts: 0, Mode: "fail" }, Tasks: [task] }] };
  }
  const nodesOf = async (status: string): Promise<string[]> => {
    const all: ParsedJson[] = await call("/v1/job/all/allocations");
    return all.filter(({ ClientStatus }) => ClientStatus === status).map(({ NodeName }) => NodeName);
  };
  const on = (status: string, count: number) => {
    const look = async () => ((await nodesOf(status)).length === count ? true : undefined);
    return eventually(`${count} are ${status}`, look, PATIENCE_MS);
  };

  it("a system job runs once on every node, also on one that comes later", async () => {
    nomad.addNode({ name: "two" });
    await register(everywhere("system", "sleep 600"));
    await on("running", 2);
    nomad.addNode({ name: "three" });
    await on("running", 3);
    expect(new Set(await nodesOf("running")).size).to.equal(3);
  });

  it("a sysbatch job is done once on every node, and its job is dead then", async () => {
    nomad.addNode({ name: "two" });
    await register(everywhere("sysbatch", "true"));
    await on("complete", 2);
    await eventually("the job is dead", async () => ((await call("/v1/job/all")).Status === "dead" ? true : undefined), PATIENCE_MS);
  });

  it("a periodic job runs when it is told to, as a job of its own", async () => {
    const periodic = { Enabled: true, Spec: "0 3 * * *", SpecType: "cron" };
    await register({ ...everywhere("batch", "true"), ID: "nightly", Periodic: periodic });
    expect((await call("/v1/job/nightly")).Status).to.equal("running");
    await call("/v1/job/nightly/periodic/force", {});
    const done = async () => {
      const all: ParsedJson[] = await call("/v1/allocations");
      return all.find(({ JobID, ClientStatus }) => JobID.startsWith("nightly/periodic-") && ClientStatus === "complete");
    };
    await eventually("it has run", done, PATIENCE_MS);
  });

  it("a plan says what would differ, by groups and tasks", async () => {
    await register(job(200));
    await ended(0);
    const plan = async (changed: object) => (await call("/v1/job/web/plan", { Job: changed, Diff: true })).Diff;
    expect((await plan(job(200))).Type).to.equal("None");
    const changed = await plan({ ...job(503, 2), Priority: 60 });
    expect(changed).to.deep.include({ Type: "Edited", ID: "web" });
    expect(changed.Fields).to.deep.equal([{ Type: "Edited", Name: "Priority", Old: "50", New: "60", Annotations: null }]);
    const [group] = changed.TaskGroups;
    expect(group.Fields).to.deep.equal([{ Type: "Edited", Name: "Count", Old: "1", New: "2", Annotations: null }]);
    expect(group.Updates).to.deep.equal({ create: 1, "create/destroy update": 1 });
    const types = Object.fromEntries(group.Tasks.map(({ Name, Type }: ParsedJson) => [Name, Type]));
    expect(types).to.deep.equal({ prepare: "None", web: "Edited" });
    const [config] = group.Tasks.find(({ Name }: ParsedJson) => Name === "web").Objects;
    expect(config).to.include({ Name: "Config", Type: "Edited" });
  });
});
