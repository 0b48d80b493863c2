/** The fake Nomad's own promises that a real one cannot be asked for in a test: lost nodes, drains, faults, tokens, the event ring. */
import { readFileSync } from "node:fs";
import { get } from "node:http";
import { join } from "node:path";
import { expect } from "chai";
import { eventually } from "../support/eventually.ts";
import { BehaviourClient } from "../support/nomad/behaviour-client.ts";
import type { ClusterOptions } from "../support/nomad/cluster.ts";
import { FakeNomad } from "../support/nomad/fake-nomad.ts";
import type { Allocation } from "../support/nomad/records.ts";

const HOUR = 3_600_000_000_000;
const SECOND = 1_000_000_000;

function batchJob(
  id: string,
  group: Readonly<Record<string, unknown>> = {},
  task: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> {
  const worker = {
    Name: "worker",
    Driver: "raw_exec",
    Config: { command: "/bin/sleep", args: ["100"] },
    KillSignal: "SIGTERM",
    LogConfig: { MaxFiles: 1, MaxFileSizeMB: 1 },
    Resources: { CPU: 20, MemoryMB: 20 },
    ...task,
  };
  const worked = {
    Name: "worker",
    RestartPolicy: { Attempts: 0, Mode: "fail" },
    ReschedulePolicy: { Attempts: 0, Unlimited: false },
    EphemeralDisk: { SizeMB: 20 },
    Tasks: [worker],
    ...group,
  };
  return { ID: id, Type: "batch", TaskGroups: [worked] };
}

const told = ({ NodeName, ClientStatus, DesiredStatus }: Allocation) => `${NodeName} ${ClientStatus} ${DesiredStatus}`;

describe("fake Nomad", () => {
  let fake: FakeNomad;
  let client: BehaviourClient;

  async function start(options: ClusterOptions = {}): Promise<void> {
    fake = await FakeNomad.start({ phantom: true, heartbeatMs: 20, clientUpdateMs: 5, ...options });
    client = new BehaviourClient(fake.address, fake.managementToken);
  }
  afterEach(async () => {
    await fake.stop();
  });
  async function register(job: Record<string, unknown>): Promise<void> {
    await client.json("POST", "/v1/jobs", { Job: job });
  }
  async function shows(job: string, expected: readonly string[]): Promise<void> {
    const sorted = [...expected].sort();
    let last: string[] = [];
    await eventually(`${job}: ${sorted.join(", ")}`, () => {
      last = fake.allocations(job).map(told).sort();
      return JSON.stringify(last) === JSON.stringify(sorted) ? true : undefined;
    }).catch((error: unknown) => {
      expect(last, String(error)).to.deep.equal(sorted);
    });
  }

  describe("a lost node", () => {
    // What real servers of these versions did with the same jobs when a client was killed, with and without its return.
    const settings: Readonly<Record<string, Readonly<Record<string, unknown>> | undefined>> = {
      none: undefined,
      "Replace false": { Replace: false },
      "LostAfter and Replace false": { LostAfter: 24 * HOUR, Replace: false, Reconcile: "keep_original" },
      "LostAfter alone": { LostAfter: 24 * HOUR },
    };
    const replaced = ["first lost stop", "second running run"];
    const kept = ["first unknown run"];
    const outcomes: readonly (readonly [string, string, readonly string[], readonly string[]])[] = [
      ["1.8.4", "none", replaced, ["first complete stop", "second running run"]],
      ["1.8.4", "Replace false", ["first unknown run", "second running run"], ["first running run", "second complete stop"]],
      ["1.8.4", "LostAfter and Replace false", kept, ["first running run"]],
      ["1.8.4", "LostAfter alone", ["first unknown run", "second running run"], ["first running run", "second complete stop"]],
      ["1.11.2", "none", replaced, ["first complete stop", "second running run"]],
      ["1.11.2", "Replace false", replaced, ["first complete stop", "second running run"]],
      ["1.11.2", "LostAfter and Replace false", kept, ["first running run"]],
      ["1.11.2", "LostAfter alone", kept, ["first running run"]],
      ["2.0.5", "none", replaced, ["first complete stop", "second running run"]],
      ["2.0.5", "Replace false", replaced, ["first complete stop", "second running run"]],
      ["2.0.5", "LostAfter and Replace false", kept, ["first running run"]],
      ["2.0.5", "LostAfter alone", kept, ["first running run"]],
    ];
    for (const [version, setting, away, back] of outcomes) {
      it(`${version}, ${setting}: ${away.join("; ")}, and when it is back: ${back.join("; ")}`, async () => {
        await start({ version, nodes: [{ name: "first" }] });
        const disconnect = settings[setting];
        await register(batchJob("job", disconnect === undefined ? {} : { Disconnect: disconnect }));
        await shows("job", ["first running run"]);
        fake.addNode({ name: "second" });
        fake.loseNode("first");
        await shows("job", away);
        fake.returnNode("first");
        await shows("job", back);
      });
    }

    it("is disconnected where a group waits for it, down otherwise", async () => {
      await start({ nodes: [{ name: "first" }] });
      await register(batchJob("job", { Disconnect: settings["LostAfter alone"] }));
      await shows("job", ["first running run"]);
      fake.loseNode("first");
      await eventually("disconnected", () => (fake.node("first").Status === "disconnected" ? true : undefined));
      fake.returnNode("first");
      await client.json("DELETE", "/v1/job/job");
      await shows("job", ["first complete stop"]);
      fake.loseNode("first");
      await eventually("down", () => (fake.node("first").Status === "down" ? true : undefined));
    });

    it("loses what is unknown once LostAfter is over, and then replaces it", async () => {
      await start({ nodes: [{ name: "first" }] });
      await register(batchJob("job", { Disconnect: { LostAfter: SECOND / 5, Replace: false } }));
      await shows("job", ["first running run"]);
      fake.addNode({ name: "second" });
      fake.loseNode("first");
      await shows("job", ["first unknown run"]);
      await shows("job", ["first lost stop", "second running run"]);
    });

    it("stops an unknown allocation whose job was stopped meanwhile, as soon as it is back", async () => {
      await start({ nodes: [{ name: "first" }] });
      await register(batchJob("job", { Disconnect: settings["LostAfter and Replace false"] }));
      await shows("job", ["first running run"]);
      fake.loseNode("first");
      await shows("job", ["first unknown run"]);
      await client.json("DELETE", "/v1/job/job");
      await shows("job", ["first unknown stop"]);
      fake.returnNode("first");
      await shows("job", ["first complete stop"]);
    });
  });

  describe("a drain", () => {
    for (const [version, after] of [
      ["1.8.4", ["first complete stop", "second running run"]],
      ["1.11.2", ["first complete stop"]],
      ["2.0.5", ["first complete stop"]],
    ] as const) {
      it(`${version}: leaves a batch job's allocation until the deadline, then: ${after.join("; ")}`, async () => {
        await start({ version, nodes: [{ name: "first" }] });
        await register(batchJob("job"));
        await shows("job", ["first running run"]);
        fake.addNode({ name: "second" });
        const path = `/v1/node/${fake.node("first").ID}/drain`;
        await client.json("POST", path, { DrainSpec: { Deadline: 300_000_000, IgnoreSystemJobs: false } });
        expect(fake.node("first")).to.include({ Drain: true, SchedulingEligibility: "ineligible" });
        expect(Date.parse(fake.node("first").DrainStrategy?.ForceDeadline ?? "")).to.be.within(Date.now() - 1000, Date.now() + 300);
        await shows("job", ["first running run"]);
        await shows("job", after);
        await eventually("the drain is over", () => (fake.node("first").Drain ? undefined : true));
        expect(fake.node("first")).to.include({ SchedulingEligibility: "ineligible", DrainStrategy: null });
        expect(fake.job("job")?.Status).to.equal(after.length === 1 ? "dead" : "running");
      });
    }

    it("moves a service's allocation at once, and everything when it is forced", async () => {
      await start({ nodes: [{ name: "first" }] });
      await register({ ...batchJob("service"), Type: "service" });
      await register(batchJob("batch"));
      await shows("service", ["first running run"]);
      await shows("batch", ["first running run"]);
      fake.addNode({ name: "second" });
      fake.drain("first");
      await shows("service", ["first complete stop", "second running run"]);
      await shows("batch", ["first running run"]);
      fake.drain("first", { force: true });
      await shows("batch", ["first complete stop"]);
    });
  });

  describe("placement", () => {
    it("waits for capacity and uses it when it appears", async () => {
      await start({ nodes: [{ name: "first", memoryMb: 50 }] });
      await register(batchJob("job", { Count: 3 }));
      await shows("job", ["first running run", "first running run"]);
      const blocked = fake.evaluations("job").find(({ Status }) => Status === "blocked");
      expect(blocked?.FailedTGAllocs?.["worker"]).to.deep.include({
        DimensionExhausted: { memory: 1 },
        CoalescedFailures: 0,
        NodesEvaluated: 1,
      });
      fake.addNode({ name: "second" });
      await shows("job", ["first running run", "first running run", "second running run"]);
      await eventually("complete", () => (fake.state.evaluations.get(blocked?.ID ?? "")?.Status === "complete" ? true : undefined));
    });

    it("looks at one node of a class only, and counts the others as ineligible", async () => {
      await start({ nodes: [{}, {}, { meta: { rack: "a" } }] });
      const job = { ...batchJob("job"), Constraints: [{ LTarget: "${attr.kernel.name}", Operand: "=", RTarget: "plan9" }] };
      const { FailedTGAllocs } = await client.json<{ FailedTGAllocs: Record<string, { ConstraintFiltered: unknown }> }>(
        "POST",
        "/v1/job/job/plan",
        { Job: job },
      );
      expect(FailedTGAllocs["worker"]?.ConstraintFiltered).to.deep.equal({
        "${attr.kernel.name} = plan9": 2,
        "computed class ineligible": 1,
      });
    });

    it("spreads by attribute and keeps ports apart", async () => {
      const zone = (name: string) => ({ attributes: { zone: name } });
      await start({ nodes: [zone("a"), zone("a"), zone("b"), zone("c")] });
      const networks = [{ Mode: "host", DynamicPorts: [{ Label: "data" }] }];
      await register(batchJob("job", { Count: 6, Spreads: [{ Attribute: "${attr.zone}", Weight: 100 }], Networks: networks }));
      await eventually("six", () => (fake.allocations("job").length === 6 ? true : undefined));
      const zones = fake.allocations("job").map(({ NodeID }) => fake.node(NodeID).Attributes["zone"]);
      expect([...zones].sort()).to.deep.equal(["a", "a", "b", "b", "c", "c"]);
    });

    it("gives whole cores, and reserved ports once per node", async () => {
      await start({ nodes: [{ cpuCores: 4, cpuMhz: 8000 }] });
      await register(batchJob("cores", { Count: 3 }, { Resources: { Cores: 2, MemoryMB: 20 } }));
      await eventually("two placed", () => (fake.allocations("cores").length === 2 ? true : undefined));
      const cores = fake.allocations("cores").flatMap(({ placement }) => Object.values(placement.cores).flat());
      expect([...cores].sort()).to.deep.equal([0, 1, 2, 3]);
      const failed = fake.evaluations("cores").find(({ Status }) => Status === "blocked")?.FailedTGAllocs;
      expect(failed?.["worker"]?.DimensionExhausted).to.deep.equal({ cores: 1 });
    });
  });

  describe("the event stream", () => {
    it("remembers 100 writes and begins with the closest to what it is asked for", async () => {
      await start();
      for (let index = 0; index < 130; index += 1)
        await client.json("PUT", `/v1/node/${fake.node("client-1").ID}/eligibility`, {
          Eligibility: index % 2 === 0 ? "ineligible" : "eligible",
        });
      const { text } = await client.stream("/v1/event/stream?topic=Node&index=12", (all) => all.split("\n").length > 101, 2000);
      const lines = text
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as { Index?: number });
      expect(lines[0]).to.deep.equal({});
      expect(lines).to.have.length(101);
      expect(lines[1]?.Index).to.equal(fake.state.index - 99);
    });

    for (const [version, status, ended] of [
      ["1.8.4", 403, true],
      ["1.11.2", 200, true],
      ["2.0.5", 200, true],
    ] as const) {
      it(`${version}: says ${status} to a token that may not`, async () => {
        await start({ version, acl: true });
        const nobody = new BehaviourClient(fake.address, fake.addToken("nobody", 'namespace "default" { capabilities = ["list-jobs"] }'));
        const answer = await nobody.stream("/v1/event/stream?topic=Job", () => false, 2000);
        expect(answer).to.include({ status, ended });
        expect(answer.text).not.to.contain("{}");
      });
    }

    it("ends when the leader is lost", async () => {
      await start();
      const stream = client.stream("/v1/event/stream?topic=Job", () => false, 10_000);
      await eventually("open", () => (fake.openStreams === 1 ? true : undefined));
      fake.loseLeader();
      expect(await stream).to.include({ ended: true });
      expect(await client.call("GET", "/v1/jobs")).to.include({ status: 500, body: "No cluster leader" });
      expect((await client.call("GET", "/v1/jobs?stale")).status).to.equal(200);
      fake.electLeader();
      expect((await client.call("GET", "/v1/jobs")).status).to.equal(200);
    });
  });

  describe("tokens", () => {
    it("gives each capability alone", async () => {
      await start({ acl: true, nodes: [{ name: "first" }] });
      await register(batchJob("job"));
      await shows("job", ["first running run"]);
      const [allocation] = fake.allocations("job");
      const tries: readonly (readonly [string, string, string, unknown])[] = [
        ["list-jobs", "GET", "/v1/jobs", undefined],
        ["read-job", "GET", "/v1/job/job", undefined],
        ["read-job", "GET", "/v1/allocations", undefined],
        ["submit-job", "POST", "/v1/job/job/plan", { Job: batchJob("job") }],
        ["submit-job", "POST", "/v1/jobs", { Job: batchJob("job") }],
        ["alloc-lifecycle", "POST", `/v1/allocation/${allocation?.ID}/stop`, {}],
      ];
      for (const [capability, method, path, body] of tries) {
        const all = [...new Set(tries.map(([one]) => one))];
        const rules = (capabilities: readonly string[]) => `namespace "default" { capabilities = ${JSON.stringify(capabilities)} }`;
        const only = new BehaviourClient(fake.address, fake.addToken(`only ${capability}`, rules([capability])));
        const others = new BehaviourClient(
          fake.address,
          fake.addToken(`all but ${capability}`, rules(all.filter((one) => one !== capability))),
        );
        expect(await others.call(method, path, body), `${path} without ${capability}`).to.include({
          status: 403,
          body: "Permission denied",
        });
        expect((await only.call(method, path, body)).status, `${path} with ${capability}`).to.equal(200);
      }
      expect(await new BehaviourClient(fake.address, "unknown").call("GET", "/v1/jobs")).to.include({
        status: 403,
        body: "ACL token not found",
      });
      const reader = fake.addToken(
        "variables",
        'namespace "default" { variables { path "a/*" { capabilities = ["read"] } } }\nnode { policy = "read" }',
      );
      const variables = new BehaviourClient(fake.address, reader);
      await client.json("PUT", "/v1/var/a/b", { Items: { x: "1" } });
      expect((await variables.call("GET", "/v1/var/a/b")).status).to.equal(200);
      expect((await variables.call("PUT", "/v1/var/a/b", { Items: { x: "2" } })).status).to.equal(403);
      expect((await variables.call("GET", "/v1/var/b")).status).to.equal(403);
      expect((await variables.call("GET", "/v1/nodes")).status).to.equal(200);
    });
  });

  describe("strictness", () => {
    it("refuses keys that no server knows, wherever they are", async () => {
      await start();
      const wrong: readonly (readonly [string, Record<string, unknown>])[] = [
        ["Job.Restart", { ...batchJob("job"), Restart: { Attempts: 0 } }],
        ["Job.TaskGroups[0].Restart", batchJob("job", { Restart: {} })],
        ["Job.TaskGroups[0].Tasks[0].Resources.Memory", batchJob("job", {}, { Resources: { Memory: 1 } })],
      ];
      for (const [path, job] of wrong) {
        const answer = await client.call("POST", "/v1/jobs", { Job: job });
        expect(answer.status).to.equal(400);
        expect(answer.body).to.contain(`json: unknown field "${path}"`);
      }
      expect((await client.call("POST", "/v1/jobs", { Job: batchJob("job", { Count: "2" }) })).body).to.contain("cannot unmarshal string");
    });
  });

  describe("faults", () => {
    it("refuses connections while all servers are away, and tasks go on", async () => {
      await start({ phantom: false });
      await register(batchJob("job"));
      await shows("job", ["client-1 running run"]);
      const [before] = fake.pids(fake.allocations("job")[0]?.ID ?? "");
      await fake.serversAway(300);
      let refused = 0;
      await eventually("back", async () => {
        try {
          return (await client.call("GET", "/v1/jobs")).status === 200 ? true : undefined;
        } catch {
          refused += 1;
          return undefined;
        }
      });
      expect(refused).to.be.greaterThan(0);
      expect(fake.pids(fake.allocations("job")[0]?.ID ?? "")).to.deep.equal([before]);
    });

    it("tells lack of memory apart, and kills what does not listen after the capped timeout", async () => {
      await start({ phantom: false, nodes: [{ name: "first", maxKillTimeoutMs: 200 }] });
      await register(batchJob("memory"));
      await shows("memory", ["first running run"]);
      fake.outOfMemory(fake.allocations("memory")[0]?.ID ?? "");
      await shows("memory", ["first failed run"]);
      const events = fake.allocations("memory")[0]?.TaskStates?.["worker"]?.Events ?? [];
      expect(events.find(({ Type }) => Type === "Terminated")?.Details).to.include({ oom_killed: "true", exit_code: "137" });
      const deaf = { command: "/bin/sh", args: ["-c", "trap '' TERM; while true; do sleep 1; done"] };
      await register(batchJob("deaf", {}, { Config: deaf, KillTimeout: 60 * SECOND }));
      await shows("deaf", ["first running run"]);
      await new Promise((resolve) => setTimeout(resolve, 200));
      const began = performance.now();
      await client.json("DELETE", "/v1/job/deaf");
      await shows("deaf", ["first complete stop"]);
      expect(performance.now() - began).to.be.within(150, 5000);
    });

    it("fails what has no image, no artifact or no driver, with their texts", async () => {
      await start({ phantom: false, images: { "known:1": { command: "/bin/sleep", args: ["100"] } } });
      await register(batchJob("known", {}, { Driver: "docker", Config: { image: "known:1" } }));
      await shows("known", ["client-1 running run"]);
      await register(batchJob("image", {}, { Driver: "docker", Config: { image: "missing:1" } }));
      await shows("image", ["client-1 failed run"]);
      const texts = (job: string) =>
        fake
          .allocations(job)[0]
          ?.TaskStates?.["worker"]?.Events.map(({ DisplayMessage }) => DisplayMessage)
          .join("\n") ?? "";
      expect(texts("image")).to.contain("Failed to pull `missing:1`");
      await client.json("PUT", "/v1/var/nomad/jobs/artifact", { Items: { a: "b" } });
      const artifact = {
        GetterSource: `${fake.address}/v1/regions`,
        GetterOptions: { checksum: `sha256:${"0".repeat(64)}` },
        RelativeDest: "local/",
      };
      await register(batchJob("artifact", {}, { Artifacts: [artifact] }));
      await shows("artifact", ["client-1 failed run"]);
      expect(texts("artifact")).to.match(/failed to download artifact .*Checksums did not match/);
      fake.faults.driverFailures.set("raw_exec", "no more processes");
      await register(batchJob("driver"));
      await shows("driver", ["client-1 failed run"]);
      expect(texts("driver")).to.contain("no more processes");
    });

    it("gives low indexes after a reset, 429 and prepared answers when told to", async () => {
      await start();
      await register(batchJob("job"));
      await shows("job", ["client-1 running run"]);
      const before = fake.state.index;
      fake.resetIndex();
      expect((await client.call("GET", "/v1/jobs")).index).to.be.lessThan(before);
      fake.answer("GET", /^\/v1\/jobs$/, 500, "rpc error: EOF");
      expect(await client.call("GET", "/v1/jobs")).to.include({ status: 500, body: "rpc error: EOF" });
      fake.faults.tooManyEvery = 1;
      expect((await client.call("GET", "/v1/jobs")).status).to.equal(429);
    });

    it("runs thousands of allocations that are no processes", async () => {
      await start({ nodes: Array.from({ length: 20 }, () => ({ memoryMb: 64_000, cpuMhz: 100_000 })) });
      const began = performance.now();
      for (let index = 0; index < 250; index += 1)
        await register(batchJob(`w-${index}`, { Count: 4, Networks: [{ Mode: "host", DynamicPorts: [{ Label: "a" }] }] }));
      await eventually(
        "1000 run",
        () => (fake.allocations().filter(({ ClientStatus }) => ClientStatus === "running").length === 1000 ? true : undefined),
        30_000,
      );
      expect(performance.now() - began).to.be.lessThan(30_000);
    });
  });

  it("runs actions in a task's environment, and its socket asks for the task's own token", async () => {
    await start({ phantom: false, acl: true });
    const identity = { Name: "default", Env: true, File: true };
    const action = { Name: "show", Command: "/bin/sh", Args: ["-c", "echo $NOMAD_ALLOC_ID"] };
    await client.json("PUT", "/v1/var/nomad/jobs/job", { Items: { a: "1" } });
    await client.json("PUT", "/v1/var/nomad/jobs/other", { Items: { a: "1" } });
    await register(batchJob("job", {}, { Actions: [action], Identity: identity }));
    await shows("job", ["client-1 running run"]);
    const id = fake.allocations("job")[0]?.ID ?? "";
    expect(await fake.runAction(id, "worker", "show")).to.deep.equal({ output: `${id}\n`, code: 0 });
    const secrets = join(fake.folder, "client-1", "alloc", id, "worker", "secrets");
    const token = readFileSync(join(secrets, "nomad_token"), "utf8");
    const ask = async (path: string, headers: Readonly<Record<string, string>>) =>
      await new Promise<number>((resolve, reject) => {
        const request = get({ socketPath: join(secrets, "api.sock"), path, headers }, (response) => {
          response.resume();
          resolve(response.statusCode ?? 0);
        });
        request.on("error", reject);
      });
    expect(await ask("/v1/services", {})).to.equal(401);
    expect(await ask("/v1/services", { authorization: "Bearer a.b.c" })).to.equal(403);
    expect(await ask("/v1/services", { authorization: `Bearer ${token}` })).to.equal(200);
    expect(await ask("/v1/var/nomad/jobs/job", { "x-nomad-token": token })).to.equal(200);
    expect(await ask("/v1/var/nomad/jobs/other", { "x-nomad-token": token })).to.equal(403);
    expect(await ask("/v1/jobs", { "x-nomad-token": token })).to.equal(403);
    fake.addWorkloadPolicy('namespace "default" { capabilities = ["list-jobs"] }', "default", "job");
    expect(await ask("/v1/jobs", { "x-nomad-token": token })).to.equal(200);
    expect(fake.notes).to.deep.equal([]);
  });

  it("deploys services, checks what they say, and ends phantoms by themselves", async () => {
    await start({ phantom: false });
    const checks = [
      { Type: "tcp", Name: "up", Interval: SECOND, Timeout: SECOND },
      { Type: "http", Name: "well", Path: "/", Interval: SECOND, Timeout: SECOND },
    ];
    const program =
      "require('http').createServer((q, s) => s.writeHead(503).end('no')).listen(Number(process.env.NOMAD_PORT_http), '127.0.0.1')";
    const group = {
      Networks: [{ DynamicPorts: [{ Label: "http" }] }],
      Services: [{ Name: "api", Provider: "nomad", PortLabel: "http", Checks: checks }],
    };
    await register({ ...batchJob("api", group, { Config: { command: process.execPath, args: ["-e", program] } }), Type: "service" });
    await shows("api", ["client-1 running run"]);
    const [deployment] = await client.json<{ ID: string; Status: string }[]>("GET", "/v1/job/api/deployments");
    expect(deployment).to.include({ Status: "successful" });
    expect(fake.allocations("api")[0]).to.deep.include({ DeploymentID: deployment?.ID });
    await eventually("checked", async () => {
      const path = `/v1/allocation/${fake.allocations("api")[0]?.ID}/checks`;
      const found = await client.json<Record<string, { Check: string; Status: string; StatusCode: number }>>("GET", path);
      const states = Object.values(found).map(({ Check, Status, StatusCode }) => `${Check} ${Status} ${StatusCode}`);
      return states.includes("up success 0") && states.includes("well failure 503") ? true : undefined;
    });
    await fake.stop();
    await start();
    await register(batchJob("job", { Count: 2 }));
    await shows("job", ["client-1 running run", "client-1 running run"]);
    const [first, second] = fake.allocations("job");
    fake.endPhantom(first?.ID ?? "", 0);
    fake.endPhantom(second?.ID ?? "", 3);
    await shows("job", ["client-1 complete run", "client-1 failed run"]);
    fake.endPhantom(first?.ID ?? "", 1);
    await shows("job", ["client-1 complete run", "client-1 failed run"]);
  });
});
