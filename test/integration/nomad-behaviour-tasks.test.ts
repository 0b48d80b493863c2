/** What Wadi relies on in Nomad's clients: how tasks run, end, restart and are replaced; their environment, identity, templates, services and output. */
import { createPublicKey, verify } from "node:crypto";
import { expect } from "chai";
import { eventually } from "../support/eventually.ts";
import { BehaviourStage, jobOf, onEachNomad, type ReadEvaluation, RUN_LIMIT_MS, SECOND } from "../support/nomad/behaviour-stage.ts";

onEachNomad((title, open) => {
  describe(`Nomad's clients: ${title}`, function () {
    this.timeout(90_000);
    let stage: BehaviourStage;

    before(async () => {
      stage = new BehaviourStage(await open());
    });
    beforeEach(() => stage.begin());
    afterEach(async () => await stage.end());
    after(async () => await stage.close());

    it("gives tasks their environment, ports and folders, and fills in names of the node", async () => {
      const network = { Mode: "host", DynamicPorts: [{ Label: "data" }, { Label: "admin" }] };
      const env = { NODE: "${node.unique.id}", ALLOC: "${NOMAD_ALLOC_ID}", KERNEL: "${attr.kernel.name}", UNKNOWN: "${meta.nothing}" };
      const script = "echo config ${NOMAD_ALLOC_ID}; env; ls -d $NOMAD_SECRETS_DIR $NOMAD_TASK_DIR $NOMAD_ALLOC_DIR; echo end; sleep 100";
      const job = jobOf(stage.prefix, script, {
        count: 2,
        group: { Networks: [network] },
        job: { Meta: { run_id: "7" } },
        task: { Env: env, KillSignal: "SIGTERM", Config: { command: "/bin/sh", args: ["-c", script] }, Driver: "raw_exec" },
      });
      await stage.register(job);
      const stubs = await eventually(
        "two run",
        async () => {
          const found = (await stage.allocations(stage.prefix)).filter(({ ClientStatus }) => ClientStatus === "running");
          return found.length === 2 ? found : undefined;
        },
        RUN_LIMIT_MS,
      );
      expect(stubs.map(({ Name }) => Name).sort()).to.deep.equal([`${stage.prefix}.worker[0]`, `${stage.prefix}.worker[1]`]);
      const ports = new Set<string>();
      for (const stub of stubs) {
        const text = await stage.output(stub.ID, (all) => all.includes("\nend\n"));
        const lines = new Map(text.split("\n").map((line) => [line.split("=")[0] ?? "", line.slice(line.indexOf("=") + 1)]));
        expect(text).to.contain(`config ${stub.ID}`);
        expect(lines.get("NOMAD_ALLOC_ID")).to.equal(stub.ID);
        expect(lines.get("ALLOC")).to.equal(stub.ID);
        expect(lines.get("NODE")).to.have.length(36);
        expect(lines.get("KERNEL")).to.equal("linux");
        expect(lines.get("UNKNOWN")).to.equal("${meta.nothing}");
        expect(lines.get("NOMAD_ALLOC_NAME")).to.equal(stub.Name);
        expect(lines.get("NOMAD_JOB_ID")).to.equal(stage.prefix);
        expect(lines.get("NOMAD_JOB_NAME")).to.equal(`${stage.prefix} by name`);
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
      await stage.register(
        jobOf(stage.prefix, "cat $NOMAD_SECRETS_DIR/nomad_wadi.jwt; echo; sleep 100", { task: { Identities: [identity] } }),
      );
      const stub = await stage.running(stage.prefix);
      const token = (await stage.output(stub.ID, (text) => text.includes("\n"))).trim();
      const [header = "", body = "", signature = ""] = token.split(".");
      const { kid, alg } = JSON.parse(Buffer.from(header, "base64url").toString()) as { kid: string; alg: string };
      const { keys } = await stage.nomad.json<{ keys: { kid: string; alg: string; kty: string }[] }>("GET", "/.well-known/jwks.json");
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
        nomad_job_id: stage.prefix,
        nomad_task: "worker",
        nomad_allocation_id: stub.ID,
      });
      expect(claims["sub"]).to.equal(`global:default:${stage.prefix}:worker:worker:wadi`);
      expect(Number(claims["exp"]) - Number(claims["iat"])).to.be.within(3599, 3601);
    });

    it("ends tasks with their signal when the job is stopped, and keeps what happened", async () => {
      await stage.register(jobOf(stage.prefix, "trap 'echo got it; exit 0' TERM; echo ready; while true; do sleep 0.1; done"));
      const { ID } = await stage.running(stage.prefix);
      await stage.output(ID, (text) => text.includes("ready"));
      const stopped = await stage.nomad.json<{ EvalID: string }>("DELETE", `/v1/job/${stage.prefix}`);
      const over = await stage.until(stage.prefix, ({ ClientStatus }) => ClientStatus === "complete", "is complete");
      expect(over).to.include({ DesiredStatus: "stop", DesiredDescription: "alloc not needed due to job update" });
      const events = over.TaskStates?.["worker"]?.Events ?? [];
      expect(events.map(({ Type }) => Type)).to.deep.equal(["Received", "Task Setup", "Started", "Killing", "Terminated", "Killed"]);
      expect(events.find(({ Type }) => Type === "Killing")?.DisplayMessage).to.equal("Sent interrupt. Waiting 2s before force killing");
      const evaluation = await stage.nomad.json<ReadEvaluation>("GET", `/v1/evaluation/${stopped.EvalID}`);
      expect(evaluation).to.include({ TriggeredBy: "job-deregister", Type: "service", Status: "complete" });
      const job = await stage.nomad.json<{ Status: string; Stop: boolean }>("GET", `/v1/job/${stage.prefix}`);
      expect(job).to.include({ Status: "dead", Stop: true });
    });

    it("reports how a task failed and does not start it again without attempts", async () => {
      await stage.register(jobOf(stage.prefix, "exit 3"));
      const failed = await stage.until(stage.prefix, ({ ClientStatus }) => ClientStatus === "failed", "fails");
      const state = failed.TaskStates?.["worker"];
      expect(state).to.include({ State: "dead", Failed: true, Restarts: 0 });
      const terminated = state?.Events.find(({ Type }) => Type === "Terminated");
      expect(terminated?.DisplayMessage).to.equal("Exit Code: 3");
      expect(terminated?.Details).to.include({ exit_code: "3", oom_killed: "false" });
      const last = state?.Events.at(-1);
      expect(last).to.include({ Type: "Not Restarting", DisplayMessage: "Policy allows no restarts" });
      expect(await stage.allocations(stage.prefix)).to.have.length(1);
      const job = await eventually("the job is dead", async () => {
        const read = await stage.nomad.json<{ Status: string; Stop: boolean }>("GET", `/v1/job/${stage.prefix}`);
        return read.Status === "dead" ? read : undefined;
      });
      expect(job.Stop).to.equal(false);
    });

    it("counts the signal that ended a task into its exit code", async () => {
      await stage.register(jobOf(stage.prefix, "kill -9 $$"));
      const failed = await stage.until(stage.prefix, ({ ClientStatus }) => ClientStatus === "failed", "fails");
      const terminated = failed.TaskStates?.["worker"]?.Events.find(({ Type }) => Type === "Terminated");
      expect(terminated?.Details).to.include({ exit_code: "137", signal: "9" });
      expect(terminated?.DisplayMessage).to.equal("Exit Code: 137, Signal: 9");
    });

    it("fails a task whose program or configuration cannot be", async () => {
      await stage.register(jobOf(stage.prefix, "", { task: { Config: { command: "/nowhere/program", args: [] } } }));
      const failed = await stage.until(stage.prefix, ({ ClientStatus }) => ClientStatus === "failed", "fails");
      expect(failed.TaskStates?.["worker"]?.Events.map(({ Type }) => Type)).to.contain("Driver Failure");
      const other = `${stage.prefix}-b`;
      await stage.register(jobOf(other, "echo ${meta.nothing}"));
      const refused = await stage.until(other, ({ ClientStatus }) => ClientStatus === "failed", "fails");
      expect(refused.TaskStates?.["worker"]?.Events.map(({ Type }) => Type)).to.contain("Failed Validation");
    });

    it("frames output with the position after each piece", async () => {
      await stage.register(jobOf(stage.prefix, "printf 0123456789; echo oops >&2; sleep 100"));
      const { ID } = await stage.running(stage.prefix);
      await stage.output(ID, (text) => text.length === 10);
      const read = async (query: string) => await stage.nomad.call("GET", `/v1/client/fs/logs/${ID}?task=worker&${query}`);
      const frame = (text: string) => JSON.parse(text) as { Data: string; File: string; Offset: number };
      const whole = frame((await read("type=stdout")).body);
      expect(whole).to.deep.equal({ Data: Buffer.from("0123456789").toString("base64"), File: "alloc/logs/worker.stdout.0", Offset: 10 });
      const end = frame((await read("type=stdout&origin=end&offset=4")).body);
      expect(end).to.deep.include({ Data: Buffer.from("6789").toString("base64"), Offset: 10 });
      expect((await read("type=stdout&offset=8&plain=true")).body).to.equal("89");
      expect(frame((await read("type=stderr")).body).Data).to.equal(Buffer.from("oops\n").toString("base64"));
      expect(await read("type=other")).to.include({ status: 400, body: "must provide log type (stdout/stderr)" });
      expect(await stage.nomad.call("GET", `/v1/client/fs/logs/${ID}?task=nobody&type=stdout`)).to.include({
        status: 400,
        body: 'unknown task name "nobody"',
      });
      const followed = await stage.nomad.stream(
        `/v1/client/fs/logs/${ID}?task=worker&type=stdout&follow=true&origin=end&offset=2`,
        (text) => text.endsWith("{}"),
        5000,
      );
      expect(followed.text).to.match(/^\{"Data":"ODk=","File":"alloc\/logs\/worker.stdout.0","Offset":10\}(\{\})+$/);
    });

    it("replaces an allocation that an operator stops, whatever the policy says", async () => {
      await stage.register(jobOf(stage.prefix, "sleep 100"));
      const { ID } = await stage.running(stage.prefix);
      const { EvalID } = await stage.nomad.json<{ EvalID: string }>("POST", `/v1/allocation/${ID}/stop`, {});
      expect(await stage.nomad.json<ReadEvaluation>("GET", `/v1/evaluation/${EvalID}`)).to.include({ TriggeredBy: "alloc-stop" });
      const next = await stage.until(stage.prefix, (stub) => stub.ID !== ID && stub.ClientStatus === "running", "is replaced");
      expect(next.Name).to.equal(`${stage.prefix}.worker[0]`);
      const old = await stage.until(stage.prefix, (stub) => stub.ID === ID && stub.ClientStatus === "complete", "is over");
      expect(old).to.include({ DesiredStatus: "stop", NextAllocation: next.ID });
    });

    it("waits with a task until a template's variable exists, and writes the file again when it changes", async () => {
      const path = `nomad/jobs/${stage.prefix}`;
      const template = {
        DestPath: "${NOMAD_SECRETS_DIR}/list",
        ChangeMode: "noop",
        EmbeddedTmpl: `{{ with nomadVar "${path}" }}{{ range .list.Value | split "," }}<{{ . }}>{{ end }}{{ end }}`,
      };
      await stage.register(
        jobOf(stage.prefix, "cat $NOMAD_SECRETS_DIR/list; echo; while true; do cat $NOMAD_SECRETS_DIR/list; echo; sleep 0.2; done", {
          task: { Templates: [template] },
        }),
      );
      const waiting = await stage.until(stage.prefix, ({ TaskStates }) => (TaskStates?.["worker"]?.Events.length ?? 0) >= 2, "is set up");
      expect(waiting.ClientStatus).to.equal("pending");
      await stage.nomad.json("PUT", `/v1/var/${path}`, { Items: { list: "a:1,b:2" } });
      const { ID } = await stage.running(stage.prefix);
      expect(await stage.output(ID, (text) => text.includes("\n"))).to.match(/^<a:1><b:2>\n/);
      await stage.nomad.json("PUT", `/v1/var/${path}`, { Items: { list: "c:3" } });
      await stage.output(ID, (text) => text.includes("<c:3>"));
      expect(await stage.allocations(stage.prefix)).to.have.length(1);
      await stage.nomad.call("DELETE", `/v1/var/${path}`);
    });

    it("registers native services while the allocation lives, and templates see them", async () => {
      const service = { Name: `${stage.prefix}-rpc`, Provider: "nomad", PortLabel: "rpc", Tags: ["leader"] };
      await stage.register(
        jobOf(`${stage.prefix}-a`, "sleep 100", {
          group: { Networks: [{ Mode: "host", DynamicPorts: [{ Label: "rpc" }] }], Services: [service] },
        }),
      );
      const { ID } = await stage.running(`${stage.prefix}-a`);
      const [found] = await stage.nomad.json<Record<string, unknown>[]>("GET", `/v1/service/${stage.prefix}-rpc`);
      expect(found).to.deep.include({
        AllocID: ID,
        JobID: `${stage.prefix}-a`,
        ServiceName: `${stage.prefix}-rpc`,
        Tags: ["leader"],
        Namespace: "default",
      });
      const template = {
        DestPath: "local/list",
        ChangeMode: "noop",
        EmbeddedTmpl: `{{ range nomadService "${stage.prefix}-rpc" }}{{ .Address }}:{{ .Port }}\n{{ end }}`,
      };
      await stage.register(jobOf(`${stage.prefix}-b`, "cat local/list; echo end; sleep 100", { task: { Templates: [template] } }));
      const reader = await stage.running(`${stage.prefix}-b`);
      expect(await stage.output(reader.ID, (text) => text.includes("end"))).to.equal(
        `${String(found?.["Address"])}:${String(found?.["Port"])}\nend\n`,
      );
      await stage.nomad.json("DELETE", `/v1/job/${stage.prefix}-a`);
      await eventually("deregistered", async () =>
        (await stage.nomad.json<unknown[]>("GET", `/v1/service/${stage.prefix}-rpc`)).length === 0 ? true : undefined,
      );
    });

    it("restarts a task in place as often as its policy says, then fails it", async () => {
      const policy = { Attempts: 1, Interval: 600 * SECOND, Delay: SECOND / 10, Mode: "fail" };
      await stage.register(jobOf(stage.prefix, "exit 1", { group: { RestartPolicy: policy } }));
      const failed = await stage.until(stage.prefix, ({ ClientStatus }) => ClientStatus === "failed", "fails");
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
      await stage.register(jobOf(stage.prefix, "exit 1", { group: { ReschedulePolicy: policy } }));
      const second = await stage.until(
        stage.prefix,
        (stub) => stub.ClientStatus === "failed" && stub.NextAllocation === "" && stub.DesiredStatus === "run",
        "the first has failed",
      );
      const replaced = await eventually(
        "replaced",
        async () => {
          const all = await stage.allocations(stage.prefix);
          return all.length === 2 && all.every(({ ClientStatus }) => ClientStatus === "failed") ? all : undefined;
        },
        RUN_LIMIT_MS,
      );
      expect(replaced.map(({ Name }) => Name)).to.deep.equal([second.Name, second.Name]);
    });

    it("restarts and signals a task on request, without a new allocation", async () => {
      await stage.register(jobOf(stage.prefix, "trap 'echo usr1' USR1; echo up; while true; do sleep 0.1; done"));
      const { ID } = await stage.running(stage.prefix);
      await stage.output(ID, (text) => text.includes("up"));
      await stage.nomad.json("POST", `/v1/client/allocation/${ID}/signal`, { Task: "worker", Signal: "SIGUSR1" });
      await stage.output(ID, (text) => text.includes("usr1"));
      await stage.nomad.json("POST", `/v1/client/allocation/${ID}/restart`, { TaskName: "worker" });
      await stage.output(ID, (text) => text.split("up").length === 3);
      expect(await stage.allocations(stage.prefix)).to.have.length(1);
    });
  });
});
