/**
 * What Wadi relies on in Nomad's HTTP API, as claims that are tried on the fake in each version it imitates, and on a real Nomad where `NOMAD_ADDR`
 * names one (a development agent with raw_exec and one client). Reality is the reference: where both differ, the fake is wrong.
 */
import { createPublicKey, randomUUID, verify } from "node:crypto";
import { expect } from "chai";
import { eventually } from "../support/eventually.ts";
import { BehaviourClient } from "../support/nomad/behaviour-client.ts";
import { FakeNomad } from "../support/nomad/fake-nomad.ts";

interface Stub {
  readonly ID: string;
  readonly Name: string;
  readonly ClientStatus: string;
  readonly DesiredStatus: string;
  readonly DesiredDescription: string;
  readonly NextAllocation: string;
  readonly TaskStates: Readonly<Record<string, { State: string; Failed: boolean; Restarts: number; Events: readonly Told[] }>> | null;
}
interface Told {
  readonly Type: string;
  readonly DisplayMessage: string;
  readonly Details: Readonly<Record<string, string>>;
}
interface Evaluation {
  readonly ID: string;
  readonly Status: string;
  readonly StatusDescription?: string;
  readonly TriggeredBy: string;
  readonly Type: string;
  readonly BlockedEval?: string;
  readonly FailedTGAllocs?: Readonly<Record<string, Metric>>;
}
interface Metric {
  readonly NodesEvaluated: number;
  readonly NodesExhausted: number;
  readonly NodesFiltered: number;
  readonly CoalescedFailures: number;
  readonly DimensionExhausted: Readonly<Record<string, number>> | null;
  readonly ConstraintFiltered: Readonly<Record<string, number>> | null;
}

const SECOND = 1_000_000_000;
const RUN_LIMIT_MS = 30_000;

interface JobOptions {
  readonly count?: number;
  readonly memory?: number;
  readonly driver?: string;
  readonly task?: Readonly<Record<string, unknown>>;
  readonly group?: Readonly<Record<string, unknown>>;
  readonly job?: Readonly<Record<string, unknown>>;
}

/** A batch job of one group with one task that runs `script` in a shell. */
function jobOf(id: string, script: string, options: JobOptions = {}): Record<string, unknown> {
  const task = {
    Name: "worker",
    Driver: options.driver ?? "raw_exec",
    Config: { command: "/bin/sh", args: ["-c", script] },
    KillSignal: "SIGTERM",
    KillTimeout: 2 * SECOND,
    LogConfig: { MaxFiles: 2, MaxFileSizeMB: 1 },
    Resources: { CPU: 20, MemoryMB: options.memory ?? 20 },
    ...options.task,
  };
  const group = {
    Name: "worker",
    Count: options.count ?? 1,
    RestartPolicy: { Attempts: 0, Mode: "fail" },
    ReschedulePolicy: { Attempts: 0, Unlimited: false },
    EphemeralDisk: { SizeMB: 20 },
    Tasks: [task],
    ...options.group,
  };
  return { ID: id, Name: `${id} by name`, Type: "batch", Datacenters: ["*"], TaskGroups: [group], ...options.job };
}

function behaviour(title: string, open: () => Promise<{ readonly address: string; stop(): Promise<void> }>): void {
  describe(`Nomad's behaviour: ${title}`, function () {
    this.timeout(90_000);
    let server: Awaited<ReturnType<typeof open>>;
    let nomad: BehaviourClient;
    let prefix: string;
    const made: string[] = [];

    before(async () => {
      server = await open();
      nomad = new BehaviourClient(server.address);
    });
    beforeEach(() => {
      prefix = `w-${randomUUID().slice(0, 8)}`;
    });
    afterEach(async () => {
      for (const id of made.splice(0)) await nomad.call("DELETE", `/v1/job/${id}`);
    });
    after(async () => {
      await server.stop();
    });

    async function register(job: Record<string, unknown>): Promise<{ EvalID: string; JobModifyIndex: number; Index: number }> {
      made.push(String(job["ID"]));
      return await nomad.json("POST", "/v1/jobs", { Job: job });
    }
    async function allocations(id: string): Promise<Stub[]> {
      return await nomad.json("GET", `/v1/job/${id}/allocations`);
    }
    async function until(id: string, test: (stub: Stub) => boolean, what: string): Promise<Stub> {
      return await eventually(`${id}: ${what}`, async () => (await allocations(id)).find(test), RUN_LIMIT_MS);
    }
    const running = async (id: string) => await until(id, ({ ClientStatus }) => ClientStatus === "running", "runs");
    async function output(id: string, ready: (text: string) => boolean, stream = "stdout"): Promise<string> {
      return await eventually(
        "output",
        async () => {
          const answer = await nomad.call("GET", `/v1/client/fs/logs/${id}?task=worker&type=${stream}&plain=true`);
          return answer.status === 200 && ready(answer.body) ? answer.body : undefined;
        },
        RUN_LIMIT_MS,
      );
    }

    it("registers a job once when its index is enforced", async () => {
      const job = jobOf(prefix, "sleep 100");
      made.push(prefix);
      const first = await nomad.json<{ JobModifyIndex: number; EvalID: string }>("POST", "/v1/jobs", {
        Job: job,
        EnforceIndex: true,
        JobModifyIndex: 0,
      });
      expect(first.EvalID).to.have.length(36);
      const again = await nomad.call("POST", "/v1/jobs", { Job: job, EnforceIndex: true, JobModifyIndex: 0 });
      expect(again).to.include({ status: 500, body: "Enforcing job modify index 0: job already exists" });
      const wrong = await nomad.call("POST", "/v1/jobs", { Job: job, EnforceIndex: true, JobModifyIndex: first.JobModifyIndex + 1000 });
      const text = `Enforcing job modify index ${first.JobModifyIndex + 1000}: job exists with conflicting job modify index: ${first.JobModifyIndex}`;
      expect(wrong).to.include({ status: 500, body: text });
    });

    it("gives tasks their environment, ports and folders, and fills in names of the node", async () => {
      const network = { Mode: "host", DynamicPorts: [{ Label: "data" }, { Label: "admin" }] };
      const env = { NODE: "${node.unique.id}", ALLOC: "${NOMAD_ALLOC_ID}", KERNEL: "${attr.kernel.name}", UNKNOWN: "${meta.nothing}" };
      const script = "echo config ${NOMAD_ALLOC_ID}; env; ls -d $NOMAD_SECRETS_DIR $NOMAD_TASK_DIR $NOMAD_ALLOC_DIR; echo end; sleep 100";
      const job = jobOf(prefix, script, {
        count: 2,
        group: { Networks: [network] },
        job: { Meta: { run_id: "7" } },
        task: { Env: env, KillSignal: "SIGTERM", Config: { command: "/bin/sh", args: ["-c", script] }, Driver: "raw_exec" },
      });
      await register(job);
      const stubs = await eventually(
        "two run",
        async () => {
          const found = (await allocations(prefix)).filter(({ ClientStatus }) => ClientStatus === "running");
          return found.length === 2 ? found : undefined;
        },
        RUN_LIMIT_MS,
      );
      expect(stubs.map(({ Name }) => Name).sort()).to.deep.equal([`${prefix}.worker[0]`, `${prefix}.worker[1]`]);
      const ports = new Set<string>();
      for (const stub of stubs) {
        const text = await output(stub.ID, (all) => all.includes("\nend\n"));
        const lines = new Map(text.split("\n").map((line) => [line.split("=")[0] ?? "", line.slice(line.indexOf("=") + 1)]));
        expect(text).to.contain(`config ${stub.ID}`);
        expect(lines.get("NOMAD_ALLOC_ID")).to.equal(stub.ID);
        expect(lines.get("ALLOC")).to.equal(stub.ID);
        expect(lines.get("NODE")).to.have.length(36);
        expect(lines.get("KERNEL")).to.equal("linux");
        expect(lines.get("UNKNOWN")).to.equal("${meta.nothing}");
        expect(lines.get("NOMAD_ALLOC_NAME")).to.equal(stub.Name);
        expect(lines.get("NOMAD_JOB_ID")).to.equal(prefix);
        expect(lines.get("NOMAD_JOB_NAME")).to.equal(`${prefix} by name`);
        expect(lines.get("NOMAD_META_run_id")).to.equal("7");
        expect(lines.get("NOMAD_MEMORY_LIMIT")).to.equal("20");
        expect(lines.get("NOMAD_CPU_LIMIT")).to.equal("20");
        expect(lines.get("NOMAD_GROUP_NAME")).to.equal("worker");
        expect(lines.get("NOMAD_NAMESPACE")).to.equal("default");
        expect(lines.get("NOMAD_ADDR_data")).to.equal(`${lines.get("NOMAD_IP_data")}:${lines.get("NOMAD_PORT_data")}`);
        for (const label of ["data", "admin"]) ports.add(lines.get(`NOMAD_PORT_${label}`) ?? "");
      }
      expect(ports.size).to.equal(4);
    });

    it("signs an identity for the task that its published keys verify", async () => {
      const identity = { Name: "wadi", Audience: ["wadi"], File: true, TTL: 3600 * SECOND, ChangeMode: "noop" };
      await register(jobOf(prefix, "cat $NOMAD_SECRETS_DIR/nomad_wadi.jwt; echo; sleep 100", { task: { Identities: [identity] } }));
      const stub = await running(prefix);
      const token = (await output(stub.ID, (text) => text.includes("\n"))).trim();
      const [header = "", body = "", signature = ""] = token.split(".");
      const { kid, alg } = JSON.parse(Buffer.from(header, "base64url").toString()) as { kid: string; alg: string };
      const { keys } = await nomad.json<{ keys: { kid: string; alg: string; kty: string }[] }>("GET", "/.well-known/jwks.json");
      const key = keys.find((one) => one.kid === kid);
      expect(alg).to.equal("RS256");
      expect(key).to.include({ alg: "RS256", kty: "RSA", use: "sig" });
      const genuine = verify(
        "sha256",
        Buffer.from(`${header}.${body}`),
        createPublicKey({ key: { ...key }, format: "jwk" }),
        Buffer.from(signature, "base64url"),
      );
      expect(genuine).to.equal(true);
      const claims = JSON.parse(Buffer.from(body, "base64url").toString()) as Record<string, unknown>;
      expect(claims).to.include({
        aud: "wadi",
        nomad_namespace: "default",
        nomad_job_id: prefix,
        nomad_task: "worker",
        nomad_allocation_id: stub.ID,
      });
      expect(claims["sub"]).to.equal(`global:default:${prefix}:worker:worker:wadi`);
      expect(Number(claims["exp"]) - Number(claims["iat"])).to.be.within(3599, 3601);
    });

    it("ends tasks with their signal when the job is stopped, and keeps what happened", async () => {
      await register(jobOf(prefix, "trap 'echo got it; exit 0' TERM; echo ready; while true; do sleep 0.1; done"));
      const { ID } = await running(prefix);
      await output(ID, (text) => text.includes("ready"));
      const stopped = await nomad.json<{ EvalID: string }>("DELETE", `/v1/job/${prefix}`);
      const over = await until(prefix, ({ ClientStatus }) => ClientStatus === "complete", "is complete");
      expect(over).to.include({ DesiredStatus: "stop", DesiredDescription: "alloc not needed due to job update" });
      const events = over.TaskStates?.["worker"]?.Events ?? [];
      expect(events.map(({ Type }) => Type)).to.deep.equal(["Received", "Task Setup", "Started", "Killing", "Terminated", "Killed"]);
      expect(events.find(({ Type }) => Type === "Killing")?.DisplayMessage).to.equal("Sent interrupt. Waiting 2s before force killing");
      const evaluation = await nomad.json<Evaluation>("GET", `/v1/evaluation/${stopped.EvalID}`);
      expect(evaluation).to.include({ TriggeredBy: "job-deregister", Type: "service", Status: "complete" });
      const job = await nomad.json<{ Status: string; Stop: boolean }>("GET", `/v1/job/${prefix}`);
      expect(job).to.include({ Status: "dead", Stop: true });
    });

    it("answers the stop of an unknown job with success and no evaluation", async () => {
      const answer = await nomad.call("DELETE", `/v1/job/${prefix}`);
      expect(answer.status).to.equal(200);
      expect(JSON.parse(answer.body)).to.include({ EvalID: "", EvalCreateIndex: 0, JobModifyIndex: 0 });
    });

    it("reports how a task failed and does not start it again without attempts", async () => {
      await register(jobOf(prefix, "exit 3"));
      const failed = await until(prefix, ({ ClientStatus }) => ClientStatus === "failed", "fails");
      const state = failed.TaskStates?.["worker"];
      expect(state).to.include({ State: "dead", Failed: true, Restarts: 0 });
      const terminated = state?.Events.find(({ Type }) => Type === "Terminated");
      expect(terminated?.DisplayMessage).to.equal("Exit Code: 3");
      expect(terminated?.Details).to.include({ exit_code: "3", oom_killed: "false" });
      const last = state?.Events.at(-1);
      expect(last).to.include({ Type: "Not Restarting", DisplayMessage: "Policy allows no restarts" });
      expect(await allocations(prefix)).to.have.length(1);
      const job = await eventually("the job is dead", async () => {
        const read = await nomad.json<{ Status: string; Stop: boolean }>("GET", `/v1/job/${prefix}`);
        return read.Status === "dead" ? read : undefined;
      });
      expect(job.Stop).to.equal(false);
    });

    it("counts the signal that ended a task into its exit code", async () => {
      await register(jobOf(prefix, "kill -9 $$"));
      const failed = await until(prefix, ({ ClientStatus }) => ClientStatus === "failed", "fails");
      const terminated = failed.TaskStates?.["worker"]?.Events.find(({ Type }) => Type === "Terminated");
      expect(terminated?.Details).to.include({ exit_code: "137", signal: "9" });
      expect(terminated?.DisplayMessage).to.equal("Exit Code: 137, Signal: 9");
    });

    it("fails a task whose program or configuration cannot be", async () => {
      await register(jobOf(prefix, "", { task: { Config: { command: "/nowhere/program", args: [] } } }));
      const failed = await until(prefix, ({ ClientStatus }) => ClientStatus === "failed", "fails");
      expect(failed.TaskStates?.["worker"]?.Events.map(({ Type }) => Type)).to.contain("Driver Failure");
      const other = `${prefix}-b`;
      await register(jobOf(other, "echo ${meta.nothing}"));
      const refused = await until(other, ({ ClientStatus }) => ClientStatus === "failed", "fails");
      expect(refused.TaskStates?.["worker"]?.Events.map(({ Type }) => Type)).to.contain("Failed Validation");
    });

    it("says what does not exist in plain text", async () => {
      const nobody = "11111111-1111-1111-1111-111111111111";
      const expected: [string, number, string][] = [
        [`/v1/job/${prefix}`, 404, "job not found"],
        [`/v1/allocation/${nobody}`, 404, "alloc not found"],
        ["/v1/allocation/short", 500, "alloc lookup failed: index error: UUID must be 36 characters"],
        [`/v1/evaluation/${nobody}`, 404, "eval not found"],
        [`/v1/node/${nobody}`, 404, "node not found"],
        [`/v1/var/nomad/jobs/${prefix}`, 404, "variable not found"],
        ["/v1/allocations?prefix=abc", 500, "alloc lookup failed: index error: Input (without hyphens) must be even length"],
        ["/v1/jobs?index=abc", 400, "Invalid index"],
        [`/v1/client/fs/logs/${nobody}?task=worker&type=stdout`, 404, `Unknown allocation "${nobody}"`],
        ["/v1/client/fs/logs/short?task=worker&type=stdout", 500, "alloc lookup failed: index error: UUID must be 36 characters"],
        ["/.well-known/openid-configuration", 404, "OIDC Discovery endpoint disabled"],
      ];
      for (const [path, status, body] of expected) {
        const answer = await nomad.call("GET", path);
        expect({ path, status: answer.status, body: answer.body }).to.deep.equal({ path, status, body });
        // 1.8 calls the texts about files JSON.
        expect(answer.type, path).to.match(path.startsWith("/v1/client/fs") ? /^(text\/plain|application\/json)/ : /^text\/plain/);
      }
    });

    it("refuses what it cannot decode with 400 and what is not valid with 500", async () => {
      expect(await nomad.call("POST", "/v1/jobs", '{"Job":')).to.include({ status: 400, body: "unexpected EOF" });
      expect(await nomad.call("POST", "/v1/jobs", {})).to.include({ status: 400, body: "Job must be specified" });
      const empty = await nomad.call("POST", "/v1/jobs", { Job: { ID: prefix } });
      expect(empty.status).to.equal(500);
      expect(empty.body).to.contain("1 error occurred:\n\t* Missing job task groups");
      const logs = await nomad.call("POST", "/v1/jobs", { Job: jobOf(prefix, "true", { group: { EphemeralDisk: { SizeMB: 2 } } }) });
      expect(logs.status).to.equal(500);
      expect(logs.body).to.contain("log storage (2 MB) must be less than requested disk capacity (2 MB)");
      const elsewhere = await nomad.call("POST", "/v1/jobs?namespace=nowhere", { Job: jobOf(prefix, "true") });
      expect(elsewhere.status).to.equal(500);
      expect(elsewhere.body).to.contain(`job "${prefix}" is in nonexistent namespace "nowhere"`);
    });

    it("answers a blocking query when something changes, or after its time", async () => {
      await register(jobOf(prefix, "sleep 100"));
      await running(prefix);
      const first = await nomad.call("GET", `/v1/job/${prefix}`);
      const started = performance.now();
      const idle = await nomad.call("GET", `/v1/job/${prefix}?index=${first.index}&wait=1s`);
      expect(performance.now() - started).to.be.greaterThan(900);
      expect(idle.index).to.equal(first.index);
      const waiting = nomad.call("GET", `/v1/job/${prefix}?index=${first.index}&wait=30s`);
      await nomad.json("DELETE", `/v1/job/${prefix}`);
      const changed = await waiting;
      expect(changed.index).to.be.greaterThan(first.index);
      expect(JSON.parse(changed.body)).to.include({ Stop: true });
    });

    it("keeps variables by compare-and-set", async () => {
      const path = `/v1/var/nomad/jobs/${prefix}`;
      const first = await nomad.json<{ ModifyIndex: number }>("PUT", `${path}?cas=0`, { Items: { a: "1" } });
      const conflict = await nomad.call("PUT", `${path}?cas=0`, { Items: { a: "2" } });
      expect(conflict.status).to.equal(409);
      expect(JSON.parse(conflict.body)).to.deep.include({ Items: { a: "1" }, ModifyIndex: first.ModifyIndex });
      const second = await nomad.json<{ ModifyIndex: number; CreateIndex: number }>("PUT", `${path}?cas=${first.ModifyIndex}`, {
        Items: { a: "2" },
      });
      expect(second.ModifyIndex).to.be.greaterThan(first.ModifyIndex);
      const listed = await nomad.json<Record<string, unknown>[]>("GET", `/v1/vars?prefix=nomad/jobs/${prefix}`);
      expect(listed.map((one) => one["Path"])).to.deep.equal([`nomad/jobs/${prefix}`]);
      expect(listed[0]).not.to.have.property("Items");
      expect((await nomad.call("DELETE", `${path}?cas=1`)).status).to.equal(409);
      expect((await nomad.call("DELETE", path)).status).to.equal(204);
      expect((await nomad.call("GET", path)).status).to.equal(404);
      expect((await nomad.call("DELETE", path)).status).to.equal(204);
    });

    it("limits paths and sizes of variables", async () => {
      const bad = await nomad.call("PUT", "/v1/var/bad%20path", { Items: { a: "b" } });
      expect(bad).to.include({ status: 400, body: 'RPC Error:: 400,invalid path "bad path"' });
      const reserved = await nomad.call("PUT", "/v1/var/nomad/other", { Items: { a: "b" } });
      expect(reserved.status).to.equal(400);
      const large = await nomad.call("PUT", `/v1/var/nomad/jobs/${prefix}`, { Items: { a: "x".repeat(65_537) } });
      expect(large.status).to.equal(400);
      expect(large.body).to.match(/64 ?KiB/);
      const none = await nomad.call("PUT", `/v1/var/nomad/jobs/${prefix}`, { Items: {} });
      expect(none.status).to.equal(400);
    });

    it("begins an event stream with an empty object and tells what happens to a job", async () => {
      await register(jobOf(prefix, "exit 0"));
      await until(prefix, ({ ClientStatus }) => ClientStatus === "complete", "is complete");
      const path = `/v1/event/stream?topic=Job:${prefix}&topic=Allocation:${prefix}&topic=Evaluation:${prefix}&index=0`;
      const told = (text: string) => text.split("\n").filter((line) => line.trim().endsWith("}"));
      const { status, text } = await nomad.stream(path, (all) => all.includes('"ClientStatus":"complete"') && all.endsWith("\n"), 10_000);
      expect(status).to.equal(200);
      const lines = told(text).map(
        (line) =>
          JSON.parse(line) as {
            Index?: number;
            Events?: {
              Topic: string;
              Type: string;
              Key: string;
              FilterKeys: string[] | null;
              Payload: Record<string, Record<string, unknown>>;
            }[];
          },
      );
      expect(lines[0]).to.deep.equal({});
      const events = lines.flatMap(({ Events }) => Events ?? []);
      const kinds = new Set(events.map(({ Topic, Type }) => `${Topic} ${Type}`));
      for (const kind of [
        "Job JobRegistered",
        "Evaluation JobRegistered",
        "Allocation PlanResult",
        "Evaluation EvaluationUpdated",
        "Allocation AllocationUpdated",
      ]) {
        expect([...kinds]).to.contain(kind);
      }
      for (const event of events) {
        if (event.Topic !== "Job") expect(event.FilterKeys).to.contain(prefix);
        if (event.Topic === "Allocation") expect(event.Payload["Allocation"]?.["Job"] ?? null).to.equal(null);
      }
    });

    it("plans without doing, and says with numbers what does not fit", async () => {
      interface Plan {
        readonly FailedTGAllocs: Readonly<Record<string, Metric>> | null;
        readonly Annotations: { readonly DesiredTGUpdates: Readonly<Record<string, { Place: number }>> };
        readonly JobModifyIndex: number;
      }
      const plan = async (job: Record<string, unknown>) =>
        await nomad.json<Plan>("POST", `/v1/job/${prefix}/plan`, { Job: job, Diff: false });
      const fits = await plan(jobOf(prefix, "true", { count: 2 }));
      expect(fits.FailedTGAllocs).to.equal(null);
      expect(fits.Annotations.DesiredTGUpdates["worker"]?.Place).to.equal(2);
      const large = await plan(jobOf(prefix, "true", { count: 3, memory: 10_000_000 }));
      const metric = large.FailedTGAllocs?.["worker"];
      expect(metric).to.include({ NodesEvaluated: 1, NodesExhausted: 1, NodesFiltered: 0, CoalescedFailures: 2 });
      expect(metric?.DimensionExhausted).to.deep.equal({ memory: 1 });
      const constraint = { LTarget: "${attr.kernel.name}", Operand: "=", RTarget: "plan9" };
      const elsewhere = await plan(jobOf(prefix, "true", { job: { Constraints: [constraint] } }));
      expect(elsewhere.FailedTGAllocs?.["worker"]?.ConstraintFiltered).to.deep.equal({ "${attr.kernel.name} = plan9": 1 });
      const driver = await plan(jobOf(prefix, "true", { driver: "qemu" }));
      expect(driver.FailedTGAllocs?.["worker"]?.ConstraintFiltered).to.deep.equal({ "missing drivers": 1 });
      const hosts = await plan(
        jobOf(prefix, "true", { count: 2, group: { Constraints: [{ Operand: "distinct_hosts", RTarget: "true" }] } }),
      );
      expect(hosts.FailedTGAllocs?.["worker"]?.ConstraintFiltered).to.deep.equal({ distinct_hosts: 1 });
      const nowhere = await plan(jobOf(prefix, "true", { job: { Datacenters: ["nowhere"] } }));
      expect(nowhere.FailedTGAllocs?.["worker"]).to.include({ NodesEvaluated: 0 });
      expect((await nomad.call("GET", `/v1/job/${prefix}`)).status).to.equal(404);
    });

    it("leaves a blocked evaluation for what cannot be placed, and cancels it with the job", async () => {
      const { EvalID } = await register(jobOf(prefix, "true", { memory: 10_000_000 }));
      const done = await eventually("evaluated", async () => {
        const read = await nomad.json<Evaluation>("GET", `/v1/evaluation/${EvalID}`);
        return read.Status === "pending" ? undefined : read;
      });
      expect(done).to.include({ Status: "complete", TriggeredBy: "job-register" });
      expect(done.FailedTGAllocs?.["worker"]?.DimensionExhausted).to.deep.equal({ memory: 1 });
      const blocked = await nomad.json<Evaluation>("GET", `/v1/evaluation/${done.BlockedEval}`);
      expect(blocked).to.include({
        Status: "blocked",
        TriggeredBy: "queued-allocs",
        StatusDescription: "created to place remaining allocations",
      });
      expect(await nomad.json<{ Status: string }>("GET", `/v1/job/${prefix}`)).to.include({ Status: "pending" });
      await nomad.json("DELETE", `/v1/job/${prefix}`);
      const canceled = await eventually("canceled", async () => {
        const read = await nomad.json<Evaluation>("GET", `/v1/evaluation/${done.BlockedEval}`);
        return read.Status === "canceled" ? read : undefined;
      });
      expect(canceled.StatusDescription).to.match(/^evaluation ".{36}" successful$/);
    });

    it("frames output with the position after each piece", async () => {
      await register(jobOf(prefix, "printf 0123456789; echo oops >&2; sleep 100"));
      const { ID } = await running(prefix);
      await output(ID, (text) => text.length === 10);
      const read = async (query: string) => await nomad.call("GET", `/v1/client/fs/logs/${ID}?task=worker&${query}`);
      const frame = (text: string) => JSON.parse(text) as { Data: string; File: string; Offset: number };
      const whole = frame((await read("type=stdout")).body);
      expect(whole).to.deep.equal({ Data: Buffer.from("0123456789").toString("base64"), File: "alloc/logs/worker.stdout.0", Offset: 10 });
      const end = frame((await read("type=stdout&origin=end&offset=4")).body);
      expect(end).to.deep.include({ Data: Buffer.from("6789").toString("base64"), Offset: 10 });
      expect((await read("type=stdout&offset=8&plain=true")).body).to.equal("89");
      expect(frame((await read("type=stderr")).body).Data).to.equal(Buffer.from("oops\n").toString("base64"));
      expect(await read("type=other")).to.include({ status: 400, body: "must provide log type (stdout/stderr)" });
      expect(await nomad.call("GET", `/v1/client/fs/logs/${ID}?task=nobody&type=stdout`)).to.include({
        status: 400,
        body: 'unknown task name "nobody"',
      });
      const followed = await nomad.stream(
        `/v1/client/fs/logs/${ID}?task=worker&type=stdout&follow=true&origin=end&offset=2`,
        (text) => text.endsWith("{}"),
        5000,
      );
      expect(followed.text).to.match(/^\{"Data":"ODk=","File":"alloc\/logs\/worker.stdout.0","Offset":10\}(\{\})+$/);
    });

    it("replaces an allocation that an operator stops, whatever the policy says", async () => {
      await register(jobOf(prefix, "sleep 100"));
      const { ID } = await running(prefix);
      const { EvalID } = await nomad.json<{ EvalID: string }>("POST", `/v1/allocation/${ID}/stop`, {});
      expect(await nomad.json<Evaluation>("GET", `/v1/evaluation/${EvalID}`)).to.include({ TriggeredBy: "alloc-stop" });
      const next = await until(prefix, (stub) => stub.ID !== ID && stub.ClientStatus === "running", "is replaced");
      expect(next.Name).to.equal(`${prefix}.worker[0]`);
      const old = await until(prefix, (stub) => stub.ID === ID && stub.ClientStatus === "complete", "is over");
      expect(old).to.include({ DesiredStatus: "stop", NextAllocation: next.ID });
    });

    it("waits with a task until a template's variable exists, and writes the file again when it changes", async () => {
      const path = `nomad/jobs/${prefix}`;
      const template = {
        DestPath: "${NOMAD_SECRETS_DIR}/list",
        ChangeMode: "noop",
        EmbeddedTmpl: `{{ with nomadVar "${path}" }}{{ range .list.Value | split "," }}<{{ . }}>{{ end }}{{ end }}`,
      };
      await register(
        jobOf(prefix, "cat $NOMAD_SECRETS_DIR/list; echo; while true; do cat $NOMAD_SECRETS_DIR/list; echo; sleep 0.2; done", {
          task: { Templates: [template] },
        }),
      );
      const waiting = await until(prefix, ({ TaskStates }) => (TaskStates?.["worker"]?.Events.length ?? 0) >= 2, "is set up");
      expect(waiting.ClientStatus).to.equal("pending");
      await nomad.json("PUT", `/v1/var/${path}`, { Items: { list: "a:1,b:2" } });
      const { ID } = await running(prefix);
      expect(await output(ID, (text) => text.includes("\n"))).to.match(/^<a:1><b:2>\n/);
      await nomad.json("PUT", `/v1/var/${path}`, { Items: { list: "c:3" } });
      await output(ID, (text) => text.includes("<c:3>"));
      expect(await allocations(prefix)).to.have.length(1);
      await nomad.call("DELETE", `/v1/var/${path}`);
    });

    it("registers native services while the allocation lives, and templates see them", async () => {
      const service = { Name: `${prefix}-rpc`, Provider: "nomad", PortLabel: "rpc", Tags: ["leader"] };
      await register(
        jobOf(`${prefix}-a`, "sleep 100", {
          group: { Networks: [{ Mode: "host", DynamicPorts: [{ Label: "rpc" }] }], Services: [service] },
        }),
      );
      const { ID } = await running(`${prefix}-a`);
      const [found] = await nomad.json<Record<string, unknown>[]>("GET", `/v1/service/${prefix}-rpc`);
      expect(found).to.deep.include({
        AllocID: ID,
        JobID: `${prefix}-a`,
        ServiceName: `${prefix}-rpc`,
        Tags: ["leader"],
        Namespace: "default",
      });
      const template = {
        DestPath: "local/list",
        ChangeMode: "noop",
        EmbeddedTmpl: `{{ range nomadService "${prefix}-rpc" }}{{ .Address }}:{{ .Port }}\n{{ end }}`,
      };
      await register(jobOf(`${prefix}-b`, "cat local/list; echo end; sleep 100", { task: { Templates: [template] } }));
      const reader = await running(`${prefix}-b`);
      expect(await output(reader.ID, (text) => text.includes("end"))).to.equal(
        `${String(found?.["Address"])}:${String(found?.["Port"])}\nend\n`,
      );
      await nomad.json("DELETE", `/v1/job/${prefix}-a`);
      await eventually("deregistered", async () =>
        (await nomad.json<unknown[]>("GET", `/v1/service/${prefix}-rpc`)).length === 0 ? true : undefined,
      );
    });

    it("restarts a task in place as often as its policy says, then fails it", async () => {
      const policy = { Attempts: 1, Interval: 600 * SECOND, Delay: SECOND / 10, Mode: "fail" };
      await register(jobOf(prefix, "exit 1", { group: { RestartPolicy: policy } }));
      const failed = await until(prefix, ({ ClientStatus }) => ClientStatus === "failed", "fails");
      const state = failed.TaskStates?.["worker"];
      expect(state?.Restarts).to.equal(1);
      expect(state?.Events.map(({ Type }) => Type)).to.deep.equal([
        "Received",
        "Task Setup",
        "Started",
        "Terminated",
        "Restarting",
        "Started",
        "Terminated",
        "Not Restarting",
      ]);
      expect(state?.Events.at(-1)?.DisplayMessage).to.equal('Exceeded allowed attempts 1 in interval 10m0s and mode is "fail"');
    });

    it("replaces a failed allocation as often as its reschedule policy says", async () => {
      const policy = { Attempts: 1, Interval: 600 * SECOND, Delay: 5 * SECOND, DelayFunction: "constant", Unlimited: false };
      await register(jobOf(prefix, "exit 1", { group: { ReschedulePolicy: policy } }));
      const second = await until(
        prefix,
        (stub) => stub.ClientStatus === "failed" && stub.NextAllocation === "" && stub.DesiredStatus === "run",
        "the first has failed",
      );
      const replaced = await eventually(
        "replaced",
        async () => {
          const all = await allocations(prefix);
          return all.length === 2 && all.every(({ ClientStatus }) => ClientStatus === "failed") ? all : undefined;
        },
        RUN_LIMIT_MS,
      );
      expect(replaced.map(({ Name }) => Name)).to.deep.equal([second.Name, second.Name]);
    });

    it("restarts and signals a task on request, without a new allocation", async () => {
      await register(jobOf(prefix, "trap 'echo usr1' USR1; echo up; while true; do sleep 0.1; done"));
      const { ID } = await running(prefix);
      await output(ID, (text) => text.includes("up"));
      await nomad.json("POST", `/v1/client/allocation/${ID}/signal`, { Task: "worker", Signal: "SIGUSR1" });
      await output(ID, (text) => text.includes("usr1"));
      await nomad.json("POST", `/v1/client/allocation/${ID}/restart`, { TaskName: "worker" });
      await output(ID, (text) => text.split("up").length === 3);
      expect(await allocations(prefix)).to.have.length(1);
    });

    it("reads a job in HCL", async () => {
      const text = `job "${prefix}" {
  type        = "batch"
  datacenters = ["dc1"]
  group "worker" {
    count = 2
    disconnect {
      lost_after = "24h"
      replace    = false
      reconcile  = "keep_original"
    }
    network {
      port "data" {}
      port "fixed" {
        static = 9999
      }
    }
    task "worker" {
      driver       = "raw_exec"
      kill_timeout = "30s"
      config {
        command = "/bin/true"
        args    = ["\${NOMAD_PORT_data}"]
      }
      env {
        NODE = "\${node.unique.id}"
      }
      identity {
        name = "wadi"
        aud  = ["wadi"]
        file = true
        ttl  = "24h"
      }
      template {
        destination = "secrets/x"
        data        = "{{ env \\"A\\" }}"
      }
      resources {
        cpu    = 100
        memory = 64
      }
    }
  }
}`;
      interface Parsed {
        readonly ID: string;
        readonly TaskGroups: {
          Count: number;
          Disconnect: Record<string, unknown>;
          Networks: { DynamicPorts: { Label: string }[]; ReservedPorts: { Label: string; Value: number }[] }[];
          Tasks: Record<string, unknown>[];
        }[];
      }
      const job = await nomad.json<Parsed>("POST", "/v1/jobs/parse", { JobHCL: text, Canonicalize: true });
      const [group] = job.TaskGroups;
      const task = group?.Tasks[0];
      expect(job.ID).to.equal(prefix);
      expect(group?.Count).to.equal(2);
      expect(group?.Disconnect).to.include({ LostAfter: 86_400 * SECOND, Replace: false, Reconcile: "keep_original" });
      expect(group?.Networks[0]?.DynamicPorts.map(({ Label }) => Label)).to.deep.equal(["data"]);
      expect(group?.Networks[0]?.ReservedPorts[0]).to.include({ Label: "fixed", Value: 9999 });
      expect(task).to.deep.include({
        KillTimeout: 30 * SECOND,
        Config: { command: "/bin/true", args: ["${NOMAD_PORT_data}"] },
        Env: { NODE: "${node.unique.id}" },
      });
      const listOf = (name: string) => (task?.[name] ?? []) as Record<string, unknown>[];
      expect(listOf("Identities")[0]).to.deep.include({
        Name: "wadi",
        Audience: ["wadi"],
        File: true,
        TTL: 86_400 * SECOND,
      });
      expect(listOf("Templates")[0]).to.deep.include({
        DestPath: "secrets/x",
        EmbeddedTmpl: '{{ env "A" }}',
      });
      expect(task?.["Resources"]).to.include({ CPU: 100, MemoryMB: 64 });
      const wrong = await nomad.call("POST", "/v1/jobs/parse", { JobHCL: 'job "x" {\n  grup "g" {}\n}' });
      expect(wrong.status).to.equal(400);
      expect(wrong.body).to.match(/^Failed to parse job: input.hcl/);
    });

    it("lists jobs with meta and summary, and their statuses in one call", async () => {
      await register(jobOf(prefix, "sleep 100", { job: { Meta: { managed_by: "wadi" } } }));
      const { ID } = await running(prefix);
      const [listed] = await nomad.json<{ ID: string; Meta: unknown; JobSummary: { Summary: Record<string, { Running: number }> } }[]>(
        "GET",
        `/v1/jobs?prefix=${prefix}&meta=true`,
      );
      expect(listed).to.deep.include({ ID: prefix, Meta: { managed_by: "wadi" } });
      await eventually("the summary follows", async () => {
        const [one] = await nomad.json<{ JobSummary: { Summary: Record<string, { Running: number }> } }[]>(
          "GET",
          `/v1/jobs?prefix=${prefix}`,
        );
        return one?.JobSummary.Summary["worker"]?.Running === 1 ? true : undefined;
      });
      const [status] = await nomad.json<{ ID: string; Allocs: { ID: string; ClientStatus: string }[] }[]>("POST", "/v1/jobs/statuses", {
        jobs: [{ id: prefix, namespace: "default" }],
      });
      expect(status).to.include({ ID: prefix, GroupCountSum: 1 });
      expect(status?.Allocs.map((one) => one.ID)).to.deep.equal([ID]);
    });

    it("adds the constraints that follow from what a job uses", async () => {
      const identity = { Name: "wadi", Audience: ["wadi"], File: true, TTL: 3600 * SECOND };
      await register(jobOf(prefix, "sleep 100", { task: { Identities: [identity] } }));
      const job = await nomad.json<{ TaskGroups: { Constraints: { LTarget: string; RTarget: string }[] }[] }>("GET", `/v1/job/${prefix}`);
      const targets = job.TaskGroups[0]?.Constraints.map(({ LTarget, RTarget }) => `${LTarget} ${RTarget}`) ?? [];
      expect(targets).to.include("${attr.os.signals} SIGTERM");
      expect(targets).to.include("${attr.nomad.version} >= 1.7.0-a");
    });
  });
}

for (const version of ["1.8.4", "1.11.2", "2.0.5"]) behaviour(`the fake as ${version}`, async () => await FakeNomad.start({ version }));

const real = process.env["NOMAD_ADDR"];
if (real !== undefined && real !== "") behaviour(`a real Nomad at ${real}`, async () => ({ address: real, stop: async () => undefined }));
