/** The Kubernetes scheduler in bad situations, on the fake Kubernetes: each has an error or an event in plain words, and no worker is leaked. */
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { expect } from "chai";
import type { Config } from "../../src/core/config.ts";
import type { JobId } from "../../src/core/ids.ts";
import { issueCertificate, makeAuthority, makeKeyPair } from "../../src/rpc/certificate.ts";
import { CONTROLLER_CLUSTER_RULES, CONTROLLER_RULES } from "../../src/scheduler/kubernetes/manifests.ts";
import type { KubernetesScheduler } from "../../src/scheduler/kubernetes/scheduler.ts";
import type { SchedulerEvent, WorkerView } from "../../src/scheduler/scheduler.ts";
import { eventually } from "../support/eventually.ts";
import type { FakeKubernetes, FakeKubernetesOptions } from "../support/kubernetes/fake-kubernetes.ts";
import { ApiRefusal } from "../support/kubernetes/status.ts";
import { idleCluster, isSettled, kubernetesScheduler, kubernetesSettings } from "../support/kubernetes-stage.ts";
import { rejection } from "../support/rejection.ts";
import { sampleSpec } from "../support/scheduler-conformance.ts";

const JOB = "job_conformance" as JobId;
const NODES = ["a", "b"].map((name) => ({ name, cpu: "4", memory: "8Gi" }));

describe("scheduler of Kubernetes in bad situations", function () {
  this.timeout(30_000);
  let kubernetes: FakeKubernetes;
  let scheduler: KubernetesScheduler;
  let events: SchedulerEvent[];

  async function open(options: FakeKubernetesOptions = {}, settings: Partial<Config> = {}): Promise<void> {
    kubernetes = await idleCluster({ nodes: NODES, ...options });
    scheduler = kubernetesScheduler(kubernetesSettings(kubernetes.kubeconfig(), settings));
    events = [];
    scheduler.observe((event) => events.push(event));
  }

  afterEach(async () => {
    await scheduler.shutdown();
    await kubernetes.stop();
  });

  const settle = () => eventually("the cluster is at rest", () => isSettled(kubernetes) || undefined);
  const told = <K extends SchedulerEvent["kind"]>(kind: K) =>
    events.filter((event): event is Extract<SchedulerEvent, { kind: K }> => event.kind === kind);
  const running = async (slots = 4): Promise<readonly WorkerView[]> => {
    await scheduler.startWorkers(sampleSpec(slots));
    await settle();
    return await scheduler.listWorkers(JOB);
  };
  const exitTold = (handle: string) =>
    eventually("its end is told", () => told("worker").find(({ worker }) => worker.handle === handle && worker.phase === "exited")?.worker);
  const placement = (pattern: RegExp) =>
    eventually(`placement ${pattern}`, () => told("placement").find(({ reason }) => pattern.test(reason)));

  it("a right that lacks is refused for good, with its name", async () => {
    const rules = CONTROLLER_RULES.map((rule) => (rule.resources?.includes("jobs") ? { ...rule, verbs: ["list", "watch"] } : rule));
    await open({ rules: { rules, clusterRules: CONTROLLER_CLUSTER_RULES } });
    const error = await rejection(scheduler.startWorkers(sampleSpec(2)), "permission-denied");
    expect(error.retry).to.equal("never");
    expect(error.message).to.match(/cannot create resource "jobs" in API group "batch" in the namespace "wadi"/);
  });

  it("without rights on nodes everything works but drains and room", async () => {
    await open({ rules: { rules: CONTROLLER_RULES, clusterRules: [] } });
    expect(await running()).to.have.length(2);
    const view = await scheduler.view();
    expect(view.link).to.equal("live");
    expect(view.trouble).to.match(/nodes is forbidden|cannot list resource "nodes"/);
    expect((await scheduler.plan(sampleSpec(4, 2n))).missing).to.equal(undefined);
  });

  it("calls fail with backoff while the API server is away, and what happened meanwhile is told after it is back", async () => {
    await open();
    const [victim, other] = await running();
    if (victim === undefined || other === undefined) return expect.fail("no workers");
    kubernetes.api.setAway(true);
    const error = await rejection(scheduler.listWorkers(JOB), "connection-lost");
    expect(error.retry).to.equal("backoff");
    await eventually("the view says so", async () => ((await scheduler.view()).link === "down" ? true : undefined));
    expect((await scheduler.view()).workers).to.have.length(2);
    process.kill(kubernetes.pids().get(victim.handle) ?? 0, "SIGKILL");
    kubernetes.api.setAway(false);
    expect((await exitTold(victim.handle)).exit).to.include({ signal: "SIGKILL", outOfMemory: false });
    await eventually("resync is told", () => told("resync")[0]);
    expect(kubernetes.pids().has(other.handle)).to.equal(true);
  });

  it("a watch whose version is compacted away lists again and misses nothing", async () => {
    await open();
    const [victim] = await running();
    if (victim === undefined) return expect.fail("no worker");
    const lists = () => kubernetes.api.requests.filter(({ path, watch }) => path.endsWith("/pods") && !watch).length;
    const before = lists();
    // Nothing is heard of the changes that lead to the new version, and they cannot be asked for.
    kubernetes.watches.drop();
    kubernetes.store.compact();
    process.kill(kubernetes.pids().get(victim.handle) ?? 0, "SIGTERM");
    expect((await exitTold(victim.handle)).exit).to.include({ code: 0 });
    expect(lists()).to.be.greaterThan(before);
  });

  it("out of memory, eviction and deletion by hand are told apart", async () => {
    await open();
    const [a, b] = await running();
    if (a === undefined || b === undefined) return expect.fail("no workers");
    kubernetes.oomKill(a.handle);
    expect((await exitTold(a.handle)).exit).to.include({ signal: "SIGKILL", outOfMemory: true });
    kubernetes.evictByNode(b.handle, "The node was low on resource: memory.");
    expect((await exitTold(b.handle)).exit?.reason).to.match(/^evicted by its node: The node was low on resource: memory/);
    await settle();
    expect(
      (await scheduler.listWorkers(JOB)).every(({ phase }) => phase === "exited"),
      "nothing is replaced",
    ).to.equal(true);
  });

  it("an image that is not there is said with its name", async () => {
    await open({}, { "kubernetes.worker.image": "wadi:missing" });
    await scheduler.startWorkers(sampleSpec(4));
    const { missing, reason } = await placement(/cannot start: the image cannot be pulled: Back-off pulling image "wadi:missing"/);
    expect({ missing, counted: /^2 of 2 workers cannot start/.test(reason) }).to.deep.equal({ missing: 2, counted: true });
    kubernetes.addImage("wadi:missing", { entrypoint: ["/bin/sleep"], cmd: ["60"] });
  });

  it("a secret of a connection that is not there is said with its name", async () => {
    await open();
    const secrets = [{ variable: "KAFKA_PASSWORD", store: "kubernetes-secret", reference: "kafka/password" }];
    await scheduler.startWorkers({ ...sampleSpec(2), secrets });
    await placement(/1 of 1 workers cannot start: the container's configuration is wrong: secret "kafka" not found/);
    const other = [{ variable: "KAFKA_PASSWORD", store: "aws-secrets-manager", reference: "kafka" }];
    await rejection(scheduler.startWorkers({ ...sampleSpec(2, 2n), secrets: other }), "invalid-config");
  });

  it("no room is said in kube-scheduler's words, node by node", async () => {
    await open({
      nodes: [
        { name: "a", cpu: "2" },
        { name: "b", cpu: "8", taints: [{ key: "gpu", value: "yes", effect: "NoSchedule" }] },
      ],
    });
    await scheduler.startWorkers(sampleSpec(4));
    const { missing } = await placement(
      /^1 of 2 workers not placed: 0\/2 nodes are available: 1 Insufficient cpu, 1 node\(s\) had untolerated taint \{gpu: yes\}$/,
    );
    expect(missing).to.equal(1);
    expect((await scheduler.view()).runs[0]).to.include({ missing: 1, workers: 2 });
    expect((await scheduler.plan(sampleSpec(4, 2n))).reason).to.match(/^2 of 2 workers would not be placed: .*taint gpu is not tolerated/);
    await scheduler.stopWorkers(sampleSpec(4), { kind: "force" });
    await eventually("nothing is left", () =>
      kubernetes.pods().length === 0 && kubernetes.store.list("jobs").length === 0 ? true : undefined,
    );
  });

  it("a quota that is exhausted is said, and workers come when it has room", async () => {
    await open();
    kubernetes.setPodQuota(1);
    await scheduler.startWorkers(sampleSpec(4));
    await placement(
      /1 of 2 workers not placed: its pod cannot be made: .*exceeded quota: pods, requested: pods=1, used: pods=1, limited: pods=1/,
    );
    expect((await scheduler.listWorkers(JOB)).map(({ phase }) => phase).sort()).to.deep.equal(["placing", "running"]);
    kubernetes.store.remove("resourcequotas", kubernetes.store.list("resourcequotas")[0] as never);
    await eventually("all are placed", () => (told("placement").at(-1)?.missing === 0 ? true : undefined));
  });

  it("a cordon, a taint that evicts and an eviction are drains; our own stop is none", async () => {
    await open();
    const workers = await running();
    const at = (node: string) => workers.find((worker) => worker.node === node)?.handle ?? "";
    kubernetes.cordon("a");
    const drain = await eventually("the cordon is told", () => told("drain")[0]);
    expect(drain).to.deep.include({ node: "a", deadlineMs: undefined });
    expect(drain.runs.map(({ job, fence }) => ({ job, fence }))).to.deep.equal([{ job: JOB, fence: 1n }]);
    expect((await scheduler.view()).nodes.map(({ id, state }) => `${id} ${state}`)).to.deep.equal(["a ineligible", "b ready"]);
    kubernetes.evict(at("b"));
    const eviction = await eventually("the eviction is told", () => told("drain")[1]);
    kubernetes.taint("a", { key: "maintenance", effect: "NoExecute" });
    await eventually("the taint is told, and what it does to the pod", () => told("drain")[3]);
    expect(eviction.node).to.equal("b");
    expect(eviction.deadlineMs).to.be.within(50_000, 60_000);
    expect((await exitTold(at("b"))).exit?.reason).to.match(/^evicted, as by kubectl drain/);
    const before = told("drain").length;
    await scheduler.stopWorkers(sampleSpec(4), { kind: "graceful", deadlineMs: 5_000 });
    await eventually("all have ended", () => (kubernetes.pids().size === 0 ? true : undefined));
    expect(told("drain")).to.have.length(before);
  });

  it("a node that is not heard of has lost workers, which run again when it is back", async () => {
    await open();
    const workers = await running();
    const lost = workers.find(({ node }) => node === "b");
    if (lost === undefined) return expect.fail("no worker on b");
    const phases = () =>
      told("worker")
        .filter(({ worker }) => worker.handle === lost.handle)
        .map(({ worker }) => worker.phase);
    kubernetes.loseNode("b");
    await eventually("it is lost", () => (phases().at(-1) === "lost" ? true : undefined));
    kubernetes.restoreNode("b");
    await eventually("it runs again", () => (phases().at(-1) === "running" ? true : undefined));
  });

  it("an API server that drops what is needed is refused as too old, and nothing is left there", async () => {
    await open({ version: "v1.27.3" });
    kubernetes.verbs.droppedJobFields.add("backoffLimitPerIndex");
    const error = await rejection(scheduler.startWorkers(sampleSpec(2)), "unsupported");
    expect(error.message).to.match(/1\.29/);
    await eventually("nothing is left", () =>
      kubernetes.pods().length === 0 && kubernetes.store.list("jobs").length === 0 ? true : undefined,
    );
  });

  it("the run's token is in a secret of the Job alone, in a file that others cannot read, and goes with the run", async () => {
    await open();
    const spec = sampleSpec(2);
    await running(2);
    const text = JSON.stringify([
      kubernetes.store.list("jobs"),
      kubernetes.pods(),
      kubernetes.store.list("configmaps"),
      kubernetes.store.list("events"),
    ]);
    expect(text).to.not.include(spec.runToken).and.not.include(Buffer.from(spec.runToken).toString("base64"));
    const [secret] = kubernetes.store.list("secrets");
    expect(secret?.metadata.ownerReferences?.[0]).to.include({ kind: "Job", name: secret?.metadata.name });
    const [pid = 0] = kubernetes.pids().values();
    const environ = readFileSync(`/proc/${pid}/environ`, "utf8");
    const file = /WADI_RUN_TOKEN_FILE=([^\0]+)/.exec(environ)?.[1] ?? "";
    expect(statSync(file).mode & 0o777).to.equal(0o440);
    expect(environ).to.not.include(spec.runToken);
    await scheduler.stopWorkers(spec, { kind: "force" });
    await eventually("nothing is left", () =>
      kubernetes.store.list("secrets").length === 0 && kubernetes.pods().length === 0 ? true : undefined,
    );
  });

  it("a list of controllers that changes reaches the workers that run", async () => {
    await open();
    await running(2);
    await scheduler.startWorkers({ ...sampleSpec(2), controllers: ["10.9.9.9:5116"] });
    const [pid = 0] = kubernetes.pids().values();
    const file = /WADI_CONTROLLERS_FILE=([^\0]+)/.exec(readFileSync(`/proc/${pid}/environ`, "utf8"))?.[1] ?? "";
    await eventually("the file has changed", () => (readFileSync(file, "utf8") === "10.9.9.9:5116\n" ? true : undefined));
    expect(kubernetes.pids().size).to.equal(1);
  });

  it("a stop that overtakes a start under way leaves no worker", async () => {
    await open();
    const spec = sampleSpec(4);
    let stop: Promise<void> | undefined;
    kubernetes.api.faults.refuse = (method, path) => {
      if (method === "POST" && path.endsWith("/jobs") && stop === undefined) {
        // Another controller stops the run before its Job is made; this request is answered when that is done.
        const other = kubernetesScheduler(kubernetesSettings(kubernetes.kubeconfig()));
        stop = other.stopWorkers(spec, { kind: "force" }).then(() => other.shutdown());
        return new ApiRefusal(503, "ServiceUnavailable", "the server is currently unable to handle the request", 1);
      }
      return undefined;
    };
    const error = await rejection(scheduler.startWorkers(spec), "io");
    expect(error.retry).to.equal("backoff");
    await stop;
    await rejection(scheduler.startWorkers(spec), "fenced");
    expect(kubernetes.store.list("jobs")).to.deep.equal([]);
  });

  it("a Job of that name that is not ours is left alone, and the start refused", async () => {
    await open();
    const stranger = kubernetesScheduler(kubernetesSettings(kubernetes.kubeconfig(), { "kubernetes.cluster-name": "other" }));
    await stranger.startWorkers(sampleSpec(2));
    await settle();
    await rejection(scheduler.startWorkers(sampleSpec(2)), "already-exists");
    await scheduler.stopWorkers(sampleSpec(2), { kind: "force" });
    await settle();
    expect(kubernetes.pids().size, "workers of the other Wadi").to.equal(1);
    expect(await scheduler.listWorkers(JOB)).to.deep.equal([]);
    await stranger.shutdown();
  });

  it("a worker that does not end in its time is killed", async () => {
    await open({}, { "kubernetes.worker.env": { WADI_TEST_STUBBORN: "yes" } });
    await running(2);
    await scheduler.stopWorkers(sampleSpec(2), { kind: "graceful", deadlineMs: 1_000 });
    await eventually("it was killed", () => (kubernetes.pids().size === 0 ? true : undefined));
    const exits = told("worker").filter(({ worker }) => worker.phase === "exited");
    await eventually("its end is told", () =>
      exits.length > 0 || told("worker").some(({ worker }) => worker.phase === "exited") ? true : undefined,
    );
    expect(told("worker").at(-1)?.worker.exit?.signal).to.equal("SIGKILL");
  });

  it("asks for nothing while nothing happens", async () => {
    await open();
    await running();
    const before = kubernetes.api.requests.length;
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    for (let i = 0; i < 20; i++) await scheduler.view();
    expect(kubernetes.api.requests.length - before, "requests for 20 views in 1.5 s").to.be.at.most(2);
  });

  it("speaks TLS with the kubeconfig's authority, and with no other", async () => {
    const hour = 3_600_000;
    const [now, pair] = [Date.now(), makeKeyPair()];
    const [authority, stranger] = [makeAuthority("ours", now - hour, now + hour), makeAuthority("theirs", now - hour, now + hour)];
    const wish = { commonName: "api", publicKey: pair.publicKey, names: ["127.0.0.1"], notBeforeMs: now - hour, notAfterMs: now + hour };
    const cert = issueCertificate(authority, wish);
    await open({ tls: { key: pair.privateKey, cert, ca: authority.certificate } });
    expect(kubernetes.address).to.match(/^https:/);
    expect(await running(2)).to.have.length(1);
    const path = kubernetes.kubeconfig();
    const text = readFileSync(path, "utf8").replaceAll(
      Buffer.from(authority.certificate).toString("base64"),
      Buffer.from(stranger.certificate).toString("base64"),
    );
    writeFileSync(`${path}-wrong`, text);
    const other = kubernetesScheduler(kubernetesSettings(`${path}-wrong`));
    const error = await rejection(other.listWorkers(JOB), "connection-lost");
    expect(error.message).to.match(/certificate|self-signed/);
    await other.shutdown();
  });

  it("a kubeconfig that is not there, or a token that nobody knows, is said", async () => {
    await open();
    const missing = kubernetesScheduler(kubernetesSettings("/nowhere/kubeconfig"));
    expect((await rejection(missing.listWorkers(JOB), "invalid-config")).message).to.match(
      /the kubeconfig cannot be used: .*\/nowhere\/kubeconfig/,
    );
    expect((await missing.view()).link).to.equal("down");
    await missing.shutdown();
    const unknown = kubernetesScheduler(kubernetesSettings(kubernetes.kubeconfig("old-token")));
    const error = await rejection(unknown.listWorkers(JOB), "permission-denied");
    expect(error.message).to.match(/Unauthorized/);
    await unknown.shutdown();
  });
});
