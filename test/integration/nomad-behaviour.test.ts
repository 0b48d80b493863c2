/** What Wadi relies on in the answers of Nomad's servers: jobs, plans, evaluations, variables, blocking queries, events, errors. */
import { expect } from "chai";
import { eventually } from "../support/eventually.ts";
import { BehaviourStage, jobOf, type Metric, onEachNomad, type ReadEvaluation, SECOND } from "../support/nomad/behaviour-stage.ts";

onEachNomad((title, open) => {
  describe(`Nomad's servers: ${title}`, function () {
    this.timeout(90_000);
    let stage: BehaviourStage;

    before(async () => {
      stage = new BehaviourStage(await open());
    });
    beforeEach(() => stage.begin());
    afterEach(async () => await stage.end());
    after(async () => await stage.close());

    it("registers a job once when its index is enforced", async () => {
      const job = jobOf(stage.prefix, "sleep 100");
      stage.made.push(stage.prefix);
      const first = await stage.nomad.json<{ JobModifyIndex: number; EvalID: string }>("POST", "/v1/jobs", {
        Job: job,
        EnforceIndex: true,
        JobModifyIndex: 0,
      });
      expect(first.EvalID).to.have.length(36);
      const again = await stage.nomad.call("POST", "/v1/jobs", { Job: job, EnforceIndex: true, JobModifyIndex: 0 });
      expect(again).to.include({ status: 500, body: "Enforcing job modify index 0: job already exists" });
      const wrong = await stage.nomad.call("POST", "/v1/jobs", {
        Job: job,
        EnforceIndex: true,
        JobModifyIndex: first.JobModifyIndex + 1000,
      });
      const text = `Enforcing job modify index ${first.JobModifyIndex + 1000}: job exists with conflicting job modify index: ${first.JobModifyIndex}`;
      expect(wrong).to.include({ status: 500, body: text });
    });

    it("answers the stop of an unknown job with success and no evaluation", async () => {
      const answer = await stage.nomad.call("DELETE", `/v1/job/${stage.prefix}`);
      expect(answer.status).to.equal(200);
      expect(JSON.parse(answer.body)).to.include({ EvalID: "", EvalCreateIndex: 0, JobModifyIndex: 0 });
    });

    it("says what does not exist in plain text", async () => {
      const nobody = "11111111-1111-1111-1111-111111111111";
      const expected: [string, number, string][] = [
        [`/v1/job/${stage.prefix}`, 404, "job not found"],
        [`/v1/allocation/${nobody}`, 404, "alloc not found"],
        ["/v1/allocation/short", 500, "alloc lookup failed: index error: UUID must be 36 characters"],
        [`/v1/evaluation/${nobody}`, 404, "eval not found"],
        [`/v1/node/${nobody}`, 404, "node not found"],
        [`/v1/var/nomad/jobs/${stage.prefix}`, 404, "variable not found"],
        ["/v1/allocations?prefix=abc", 500, "alloc lookup failed: index error: Input (without hyphens) must be even length"],
        ["/v1/jobs?index=abc", 400, "Invalid index"],
        [`/v1/client/fs/logs/${nobody}?task=worker&type=stdout`, 404, `Unknown allocation "${nobody}"`],
        ["/v1/client/fs/logs/short?task=worker&type=stdout", 500, "alloc lookup failed: index error: UUID must be 36 characters"],
        ["/.well-known/openid-configuration", 404, "OIDC Discovery endpoint disabled"],
      ];
      for (const [path, status, body] of expected) {
        const answer = await stage.nomad.call("GET", path);
        expect({ path, status: answer.status, body: answer.body }).to.deep.equal({ path, status, body });
        // 1.8 calls the texts about files JSON.
        expect(answer.type, path).to.match(path.startsWith("/v1/client/fs") ? /^(text\/plain|application\/json)/ : /^text\/plain/);
      }
    });

    it("refuses what it cannot decode with 400 and what is not valid with 500", async () => {
      expect(await stage.nomad.call("POST", "/v1/jobs", '{"Job":')).to.include({ status: 400, body: "unexpected EOF" });
      expect(await stage.nomad.call("POST", "/v1/jobs", {})).to.include({ status: 400, body: "Job must be specified" });
      const empty = await stage.nomad.call("POST", "/v1/jobs", { Job: { ID: stage.prefix } });
      expect(empty.status).to.equal(500);
      expect(empty.body).to.contain("1 error occurred:\n\t* Missing job task groups");
      const logs = await stage.nomad.call("POST", "/v1/jobs", {
        Job: jobOf(stage.prefix, "true", { group: { EphemeralDisk: { SizeMB: 2 } } }),
      });
      expect(logs.status).to.equal(500);
      expect(logs.body).to.contain("log storage (2 MB) must be less than requested disk capacity (2 MB)");
      const elsewhere = await stage.nomad.call("POST", "/v1/jobs?namespace=nowhere", { Job: jobOf(stage.prefix, "true") });
      expect(elsewhere.status).to.equal(500);
      expect(elsewhere.body).to.contain(`job "${stage.prefix}" is in nonexistent namespace "nowhere"`);
    });

    it("answers a blocking query when something changes, or after its time", async () => {
      await stage.register(jobOf(stage.prefix, "sleep 100"));
      await stage.running(stage.prefix);
      const first = await stage.nomad.call("GET", `/v1/job/${stage.prefix}`);
      const started = performance.now();
      const idle = await stage.nomad.call("GET", `/v1/job/${stage.prefix}?index=${first.index}&wait=1s`);
      expect(performance.now() - started).to.be.greaterThan(900);
      expect(idle.index).to.equal(first.index);
      const waiting = stage.nomad.call("GET", `/v1/job/${stage.prefix}?index=${first.index}&wait=30s`);
      await stage.nomad.json("DELETE", `/v1/job/${stage.prefix}`);
      const changed = await waiting;
      expect(changed.index).to.be.greaterThan(first.index);
      expect(JSON.parse(changed.body)).to.include({ Stop: true });
    });

    it("keeps variables by compare-and-set", async () => {
      const path = `/v1/var/nomad/jobs/${stage.prefix}`;
      const first = await stage.nomad.json<{ ModifyIndex: number }>("PUT", `${path}?cas=0`, { Items: { a: "1" } });
      const conflict = await stage.nomad.call("PUT", `${path}?cas=0`, { Items: { a: "2" } });
      expect(conflict.status).to.equal(409);
      expect(JSON.parse(conflict.body)).to.deep.include({ Items: { a: "1" }, ModifyIndex: first.ModifyIndex });
      const second = await stage.nomad.json<{ ModifyIndex: number; CreateIndex: number }>("PUT", `${path}?cas=${first.ModifyIndex}`, {
        Items: { a: "2" },
      });
      expect(second.ModifyIndex).to.be.greaterThan(first.ModifyIndex);
      const listed = await stage.nomad.json<Record<string, unknown>[]>("GET", `/v1/vars?prefix=nomad/jobs/${stage.prefix}`);
      expect(listed.map((one) => one["Path"])).to.deep.equal([`nomad/jobs/${stage.prefix}`]);
      expect(listed[0]).not.to.have.property("Items");
      expect((await stage.nomad.call("DELETE", `${path}?cas=1`)).status).to.equal(409);
      expect((await stage.nomad.call("DELETE", path)).status).to.equal(204);
      expect((await stage.nomad.call("GET", path)).status).to.equal(404);
      expect((await stage.nomad.call("DELETE", path)).status).to.equal(204);
    });

    it("limits paths and sizes of variables", async () => {
      const bad = await stage.nomad.call("PUT", "/v1/var/bad%20path", { Items: { a: "b" } });
      expect(bad).to.include({ status: 400, body: 'RPC Error:: 400,invalid path "bad path"' });
      const reserved = await stage.nomad.call("PUT", "/v1/var/nomad/other", { Items: { a: "b" } });
      expect(reserved.status).to.equal(400);
      const large = await stage.nomad.call("PUT", `/v1/var/nomad/jobs/${stage.prefix}`, { Items: { a: "x".repeat(65_537) } });
      expect(large.status).to.equal(400);
      expect(large.body).to.match(/64 ?KiB/);
      const none = await stage.nomad.call("PUT", `/v1/var/nomad/jobs/${stage.prefix}`, { Items: {} });
      expect(none.status).to.equal(400);
    });

    it("begins an event stream with an empty object and tells what happens to a job", async () => {
      await stage.register(jobOf(stage.prefix, "exit 0"));
      await stage.until(stage.prefix, ({ ClientStatus }) => ClientStatus === "complete", "is complete");
      const path = `/v1/event/stream?topic=Job:${stage.prefix}&topic=Allocation:${stage.prefix}&topic=Evaluation:${stage.prefix}&index=0`;
      const told = (text: string) => text.split("\n").filter((line) => line.trim().endsWith("}"));
      const { status, text } = await stage.nomad.stream(
        path,
        (all) => all.includes('"ClientStatus":"complete"') && all.endsWith("\n"),
        10_000,
      );
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
        if (event.Topic !== "Job") expect(event.FilterKeys).to.contain(stage.prefix);
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
        await stage.nomad.json<Plan>("POST", `/v1/job/${stage.prefix}/plan`, { Job: job, Diff: false });
      const fits = await plan(jobOf(stage.prefix, "true", { count: 2 }));
      expect(fits.FailedTGAllocs).to.equal(null);
      expect(fits.Annotations.DesiredTGUpdates["worker"]?.Place).to.equal(2);
      const large = await plan(jobOf(stage.prefix, "true", { count: 3, memory: 10_000_000 }));
      const metric = large.FailedTGAllocs?.["worker"];
      expect(metric).to.include({ NodesEvaluated: 1, NodesExhausted: 1, NodesFiltered: 0, CoalescedFailures: 2 });
      expect(metric?.DimensionExhausted).to.deep.equal({ memory: 1 });
      const constraint = { LTarget: "${attr.kernel.name}", Operand: "=", RTarget: "plan9" };
      const elsewhere = await plan(jobOf(stage.prefix, "true", { job: { Constraints: [constraint] } }));
      expect(elsewhere.FailedTGAllocs?.["worker"]?.ConstraintFiltered).to.deep.equal({ "${attr.kernel.name} = plan9": 1 });
      const driver = await plan(jobOf(stage.prefix, "true", { driver: "qemu" }));
      expect(driver.FailedTGAllocs?.["worker"]?.ConstraintFiltered).to.deep.equal({ "missing drivers": 1 });
      const hosts = await plan(
        jobOf(stage.prefix, "true", { count: 2, group: { Constraints: [{ Operand: "distinct_hosts", RTarget: "true" }] } }),
      );
      expect(hosts.FailedTGAllocs?.["worker"]?.ConstraintFiltered).to.deep.equal({ distinct_hosts: 1 });
      const nowhere = await plan(jobOf(stage.prefix, "true", { job: { Datacenters: ["nowhere"] } }));
      expect(nowhere.FailedTGAllocs?.["worker"]).to.include({ NodesEvaluated: 0 });
      expect((await stage.nomad.call("GET", `/v1/job/${stage.prefix}`)).status).to.equal(404);
    });

    it("leaves a blocked evaluation for what cannot be placed, and cancels it with the job", async () => {
      const { EvalID } = await stage.register(jobOf(stage.prefix, "true", { memory: 10_000_000 }));
      const done = await eventually("evaluated", async () => {
        const read = await stage.nomad.json<ReadEvaluation>("GET", `/v1/evaluation/${EvalID}`);
        return read.Status === "pending" ? undefined : read;
      });
      expect(done).to.include({ Status: "complete", TriggeredBy: "job-register" });
      expect(done.FailedTGAllocs?.["worker"]?.DimensionExhausted).to.deep.equal({ memory: 1 });
      const blocked = await stage.nomad.json<ReadEvaluation>("GET", `/v1/evaluation/${done.BlockedEval}`);
      expect(blocked).to.include({
        Status: "blocked",
        TriggeredBy: "queued-allocs",
        StatusDescription: "created to place remaining allocations",
      });
      expect(await stage.nomad.json<{ Status: string }>("GET", `/v1/job/${stage.prefix}`)).to.include({ Status: "pending" });
      await stage.nomad.json("DELETE", `/v1/job/${stage.prefix}`);
      const canceled = await eventually("canceled", async () => {
        const read = await stage.nomad.json<ReadEvaluation>("GET", `/v1/evaluation/${done.BlockedEval}`);
        return read.Status === "canceled" ? read : undefined;
      });
      expect(canceled.StatusDescription).to.match(/^evaluation ".{36}" successful$/);
    });

    it("reads a job in HCL", async () => {
      const text = `job "${stage.prefix}" {
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
      const job = await stage.nomad.json<Parsed>("POST", "/v1/jobs/parse", { JobHCL: text, Canonicalize: true });
      const [group] = job.TaskGroups;
      const task = group?.Tasks[0];
      expect(job.ID).to.equal(stage.prefix);
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
      const wrong = await stage.nomad.call("POST", "/v1/jobs/parse", { JobHCL: 'job "x" {\n  grup "g" {}\n}' });
      expect(wrong.status).to.equal(400);
      expect(wrong.body).to.match(/^Failed to parse job: input.hcl/);
    });

    it("lists jobs with meta and summary, and their statuses in one call", async () => {
      await stage.register(jobOf(stage.prefix, "sleep 100", { job: { Meta: { managed_by: "wadi" } } }));
      const { ID } = await stage.running(stage.prefix);
      const [listed] = await stage.nomad.json<
        { ID: string; Meta: unknown; JobSummary: { Summary: Record<string, { Running: number }> } }[]
      >("GET", `/v1/jobs?prefix=${stage.prefix}&meta=true`);
      expect(listed).to.deep.include({ ID: stage.prefix, Meta: { managed_by: "wadi" } });
      await eventually("the summary follows", async () => {
        const [one] = await stage.nomad.json<{ JobSummary: { Summary: Record<string, { Running: number }> } }[]>(
          "GET",
          `/v1/jobs?prefix=${stage.prefix}`,
        );
        return one?.JobSummary.Summary["worker"]?.Running === 1 ? true : undefined;
      });
      const [status] = await stage.nomad.json<{ ID: string; Allocs: { ID: string; ClientStatus: string }[] }[]>(
        "POST",
        "/v1/jobs/statuses",
        {
          jobs: [{ id: stage.prefix, namespace: "default" }],
        },
      );
      expect(status).to.include({ ID: stage.prefix, GroupCountSum: 1 });
      expect(status?.Allocs.map((one) => one.ID)).to.deep.equal([ID]);
    });

    it("adds the constraints that follow from what a job uses", async () => {
      const identity = { Name: "wadi", Audience: ["wadi"], File: true, TTL: 3600 * SECOND };
      await stage.register(jobOf(stage.prefix, "sleep 100", { task: { Identities: [identity] } }));
      const job = await stage.nomad.json<{ TaskGroups: { Constraints: { LTarget: string; RTarget: string }[] }[] }>(
        "GET",
        `/v1/job/${stage.prefix}`,
      );
      const targets = job.TaskGroups[0]?.Constraints.map(({ LTarget, RTarget }) => `${LTarget} ${RTarget}`) ?? [];
      expect(targets).to.include("${attr.os.signals} SIGTERM");
      expect(targets).to.include("${attr.nomad.version} >= 1.7.0-a");
    });
  });
});
