/** What goes wrong in and with Nomad: each case has a message that says what and why, and leaves no worker behind. On the fake Nomad. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { AppError } from "../../src/core/errors.ts";
import type { RunId } from "../../src/core/ids.ts";
import type { NomadSchedulerOptions } from "../../src/scheduler/nomad/scheduler.ts";
import type { NomadJobSettings } from "../../src/scheduler/nomad/settings.ts";
import type { Scheduler, SchedulerEvent, WorkerView } from "../../src/scheduler/scheduler.ts";
import { eventually } from "../support/eventually.ts";
import { FakeNomad } from "../support/nomad/fake-nomad.ts";
import { connectionTo, NomadStage } from "../support/nomad-stage.ts";
import { rejection } from "../support/rejection.ts";
import { sampleSpec } from "../support/scheduler-conformance.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const FORCE = { kind: "force" } as const;
const TOKEN_LIFE_MS = 4_000;
const spec = sampleSpec(4);

describe("the Nomad scheduler when things go wrong", function () {
  this.timeout(60_000);
  let nomad: FakeNomad;
  let stage: NomadStage;
  let scheduler: Scheduler;
  let events: SchedulerEvent[];

  async function begin(
    options: Parameters<typeof FakeNomad.start>[0] = {},
    change: Partial<NomadSchedulerOptions> = {},
    jobs: Partial<NomadJobSettings> = {},
  ): Promise<void> {
    nomad = await FakeNomad.start(options);
    stage = new NomadStage(nomad.address, change, { mhzPerSlot: 100, ...jobs });
    await open();
  }

  async function open(): Promise<void> {
    scheduler = await stage.open();
    events = [];
    scheduler.observe((event) => events.push(event));
  }

  /** Waits until the scheduler sees Nomad's events. */
  const live = () => eventually("the event stream is there", async () => ((await scheduler.view()).link === "live" ? true : undefined));

  afterEach(async () => {
    await scheduler.shutdown();
    stage.client.close();
    await nomad.stop();
  });

  const said = () => events.flatMap((event) => (event.kind === "told" ? [event.message] : []));
  const reasons = () => events.flatMap((event) => (event.kind === "placement" ? [event.reason] : []));
  const exits = () => events.flatMap((event) => (event.kind === "worker" && event.worker.phase === "exited" ? [event.worker] : []));
  const running = (count: number) =>
    eventually(`${count} workers run`, async () => {
      const views = await scheduler.listWorkers(spec.job);
      return views.filter(({ phase }) => phase === "running").length === count ? views : undefined;
    });

  /** No allocation of ours runs or may come. */
  async function expectNothingLeft(): Promise<void> {
    await eventually(
      "nothing is left",
      () => nomad.allocations().every(({ ClientStatus }) => !["running", "pending"].includes(ClientStatus)) || undefined,
    );
  }

  it("Nomad unreachable: the address is named, the call may be repeated, and it works once Nomad is back", async () => {
    await begin();
    await nomad.serversAway();
    const error = await scheduler.startWorkers(spec).catch((thrown: unknown) => thrown);
    expect(error).to.be.instanceOf(AppError);
    expect(error).to.include({ code: "connection-lost", retry: "backoff" });
    expect((error as AppError).message).to.include(nomad.address);
    await eventually("the view says so", async () => ((await scheduler.view()).link === "down" ? true : undefined));
    expect((await scheduler.view()).trouble).to.include("cannot be reached");
    await nomad.serversBack();
    expect(await scheduler.startWorkers(spec)).to.include({ kind: "accepted" });
    await running(2);
    await live();
  });

  it("Nomad away while workers run: they run on, and what happened meanwhile is told once it is back", async () => {
    await begin();
    await scheduler.startWorkers(spec);
    const [victim] = await running(2);
    await live();
    await nomad.serversAway();
    for (const pid of nomad.pids((victim as WorkerView).handle)) process.kill(pid, "SIGKILL");
    await eventually("it is seen to be down", async () => ((await scheduler.view()).link === "down" ? true : undefined));
    expect(exits()).to.deep.equal([]);
    await nomad.serversBack();
    await eventually("the exit is told", () => exits().length === 1 || undefined);
    expect(exits()[0]).to.deep.include({ handle: victim?.handle });
    expect(events.some(({ kind }) => kind === "resync")).to.equal(true);
    await running(1);
  });

  it("leader lost: the call may be repeated", async () => {
    await begin();
    nomad.loseLeader();
    const error = await scheduler.startWorkers(spec).catch((thrown: unknown) => thrown as AppError);
    expect(error).to.include({ code: "connection-lost", retry: "backoff" });
    expect((error as AppError).message).to.include("no leader");
    nomad.electLeader();
    expect(await scheduler.startWorkers(spec)).to.include({ kind: "accepted" });
    await running(2);
  });

  it("an answer that got lost: the same call again starts nothing twice", async () => {
    await begin();
    nomad.answer("PUT", /^\/v1\/jobs$/, 500, "rpc error: EOF");
    await rejection(scheduler.startWorkers(spec), "connection-lost");
    expect(await scheduler.startWorkers(spec)).to.deep.equal({ kind: "accepted", workers: 2 });
    await running(2);
    expect(nomad.allocations()).to.have.length(2);
  });

  it("registration disabled: it says so and may be repeated", async () => {
    await begin();
    nomad.refuseRegistration(true);
    const error = (await scheduler.startWorkers(spec).catch((thrown: unknown) => thrown)) as AppError;
    expect(error).to.include({ retry: "backoff" });
    expect(error.message).to.include("Nomad takes no jobs at the moment");
    nomad.refuseRegistration(false);
    expect(await scheduler.startWorkers(spec)).to.include({ kind: "accepted" });
  });

  it("name conflict: somebody else's job of that name is not touched", async () => {
    await begin();
    const other = { ID: "w-conformance-job_conformance-run_1", Name: "other", Type: "batch", Datacenters: ["*"] };
    const task = { Name: "t", Driver: "raw_exec", Config: { command: "/bin/sleep", args: ["60"] } };
    const body = { Job: { ...other, TaskGroups: [{ Name: "g", Count: 1, Tasks: [task] }] } };
    await stage.client.call({ method: "PUT", path: "/v1/jobs", body });
    const error = (await scheduler.startWorkers(spec).catch((thrown: unknown) => thrown)) as AppError;
    expect(error).to.include({ code: "already-exists", retry: "never" });
    expect(error.message).to.include(other.ID);
    expect(nomad.job(other.ID)?.Name).to.equal("other");
  });

  it("namespace missing: it is named", async () => {
    nomad = await FakeNomad.start();
    const connection = connectionTo(nomad.address, { namespace: "streams" });
    stage = new NomadStage(nomad.address, { connection, preflight: false }, { mhzPerSlot: 100, namespace: "streams" });
    await open();
    const error = (await scheduler.startWorkers(spec).catch((thrown: unknown) => thrown)) as AppError;
    expect(error).to.include({ code: "invalid-config", retry: "never" });
    expect(error.message).to.include('"streams"');
  });

  it("no node with the driver: the plan and the refusal say so", async () => {
    await begin({ nodes: [{ drivers: ["docker"] }, { drivers: ["docker"] }] });
    const plan = await scheduler.plan(spec);
    expect(plan).to.deep.include({ workers: 2, missing: 2 });
    expect(plan.reason).to.equal("2 of 2 workers not placed: a missing or unhealthy task driver rules out 2 nodes");
    expect(await scheduler.startWorkers(spec)).to.deep.equal({ kind: "not-enough-slots", needed: 4, available: 0 });
    expect(reasons()).to.deep.equal([plan.reason]);
    expect(nomad.allocations()).to.deep.equal([]);
  });

  it("no plans for workload identities, as before Nomad 2.0: runs are registered without one, and the plan says so", async () => {
    await begin({ nodes: [{ cpuMhz: 300 }] });
    const words = "acl token lookup failed: index error: UUID must be 36 characters";
    nomad.answer("POST", /\/plan/, 500, words, 2);
    const plan = await scheduler.plan(spec);
    expect(plan).to.include({ workers: 2, missing: undefined });
    expect(plan.reason).to.include("workload identity");
    expect(await scheduler.startWorkers(spec)).to.deep.equal({ kind: "accepted", workers: 2 });
  });

  it("no capacity and no pre-flight: what waits, why and since when, until there is a node", async () => {
    await begin({ nodes: [{ cpuMhz: 300 }] }, { preflight: false });
    await live();
    expect(await scheduler.startWorkers(spec)).to.deep.equal({ kind: "accepted", workers: 2 });
    await eventually("it is told", () => reasons().some((reason) => reason.startsWith("1 of 2 workers not placed")) || undefined);
    expect(reasons().at(-1)).to.equal("1 of 2 workers not placed: processor time (MHz) exhausted on 1 node");
    const { runs } = await scheduler.view();
    expect(runs[0]).to.deep.include({ workers: 2, missing: 1, reason: reasons().at(-1) });
    expect(runs[0]?.waitingSinceMs).to.be.a("number");
    expect((await scheduler.listWorkers(spec.job)).map(({ phase }) => phase)).to.include("placing");
    nomad.addNode({ cpuMhz: 300 });
    await running(2);
    await eventually("it is told", () => reasons().at(-1) === "" || undefined);
  });

  it("a partial placement is torn down whole", async () => {
    await begin({ nodes: [{ cpuMhz: 300 }] }, { preflight: false });
    await scheduler.startWorkers(spec);
    await running(1);
    await scheduler.stopWorkers(spec, FORCE);
    await expectNothingLeft();
    nomad.addNode({ cpuMhz: 3_000 });
    await rejection(scheduler.startWorkers(spec), "fenced");
    await expectNothingLeft();
    expect((await stage.client.list({ path: "/v1/vars", query: { prefix: "nomad/jobs/w-" } })).rows).to.deep.equal([]);
  });

  it("image missing: each worker's end says so", async () => {
    await begin({ nodes: [{ drivers: ["docker"] }] }, {}, { driver: "docker", image: "nowhere/wadi@sha256:00", command: [] });
    await live();
    await scheduler.startWorkers(spec);
    await eventually("both have ended", () => exits().length === 2 || undefined);
    for (const { exit } of exits()) expect(exit?.reason).to.match(/image|pull/i);
    expect(said().some((text) => /Driver Failure|image/i.test(text))).to.equal(true);
    await scheduler.stopWorkers(spec, FORCE);
    await expectNothingLeft();
  });

  it("artifact checksum wrong: each worker's end says so", async () => {
    const artifact = { artifact: "https://127.0.0.1:1/wadi.tar.gz", artifactChecksum: "sha256:00" };
    await begin({}, {}, artifact);
    await live();
    await scheduler.startWorkers(spec);
    await eventually("both have ended", () => exits().length === 2 || undefined, 30_000);
    for (const { exit } of exits()) expect(exit?.reason).to.match(/artifact|download/i);
    await scheduler.stopWorkers(spec, FORCE);
    await expectNothingLeft();
  });

  it("a worker that is killed for want of memory: its end says so", async () => {
    await begin();
    await scheduler.startWorkers(spec);
    const [victim] = await running(2);
    await live();
    nomad.outOfMemory((victim as WorkerView).handle);
    await eventually("it is told", () => exits().length === 1 || undefined);
    expect(exits()[0]?.exit).to.include({ outOfMemory: true, reason: "OOM killed" });
  });

  it("an allocation stopped by hand: its end is told; what Nomad puts in its place is a worker of the same run", async () => {
    await begin();
    await scheduler.startWorkers(spec);
    const [victim] = await running(2);
    await live();
    nomad.stopAllocation((victim as WorkerView).handle);
    await eventually("it is told", () => exits().length === 1 || undefined);
    expect(exits()[0]?.handle).to.equal(victim?.handle);
    const views = await running(2);
    expect(new Set(views.map(({ run }) => run))).to.deep.equal(new Set([spec.run]));
    await scheduler.stopWorkers(spec, FORCE);
    await expectNothingLeft();
  });

  for (const version of ["1.8.4", "1.11.2", "2.0.5"]) {
    it(`a client away and back (${version}): the worker is lost, is not replaced, and is there again`, async () => {
      await begin({ version, nodes: [{ name: "one" }, { name: "two" }] }, {}, { distinctHosts: true });
      await scheduler.startWorkers(spec);
      const before = await running(2);
      await live();
      nomad.loseNode("one");
      await eventually(
        "it is lost",
        async () => (await scheduler.listWorkers(spec.job)).some(({ phase }) => phase === "lost") || undefined,
        20_000,
      );
      expect(nomad.allocations()).to.have.length(2);
      nomad.returnNode("one");
      const after = await running(2);
      expect(after.map(({ handle }) => handle).sort()).to.deep.equal(before.map(({ handle }) => handle).sort());
      expect(nomad.allocations()).to.have.length(2);
      expect(exits()).to.deep.equal([]);
    });
  }

  it("a drained node: the runs on it are told with the time they have, once", async () => {
    await begin({ nodes: [{ name: "one" }, { name: "two" }] }, {}, { distinctHosts: true });
    await scheduler.startWorkers(spec);
    await running(2);
    await live();
    nomad.drain("one", { deadlineMs: 60_000 });
    const drains = () => events.flatMap((event) => (event.kind === "drain" ? [event] : []));
    await eventually("it is told", () => drains().length === 1 || undefined);
    expect(drains()[0]?.runs.map(({ run }) => run)).to.deep.equal([spec.run]);
    expect(drains()[0]?.deadlineMs).to.be.within(40_000, 60_000);
    nomad.dropStreams();
    await live();
    expect(drains()).to.have.length(1);
    expect((await scheduler.view()).nodes.find(({ name }) => name === "one")?.state).to.equal("draining");
  });

  it("an index that goes back, as after a restore: what is there is seen, what goes on is told", async () => {
    await begin();
    await scheduler.startWorkers(spec);
    const [victim] = await running(2);
    await live();
    nomad.resetIndex();
    await live();
    for (const pid of nomad.pids((victim as WorkerView).handle)) process.kill(pid, "SIGKILL");
    await eventually("the exit is told", () => exits().length === 1 || undefined, 20_000);
  });

  it("thousands of nothing: a steady state costs less than a request a second", async () => {
    await begin();
    await scheduler.startWorkers(spec);
    await running(2);
    await live();
    const count = () => [...nomad.requests.values()].reduce((sum, requests) => sum + requests, 0);
    const before = count();
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    expect(count() - before).to.be.at.most(5);
  });

  const ALL = `
    namespace "default" {
      capabilities = ["list-jobs", "read-job", "submit-job", "read-logs", "alloc-lifecycle"]
      variables { path "*" { capabilities = ["read", "list", "write", "destroy"] } }
    }
    node { policy = "read" }`;

  /** A scheduler with a token that may do what `rules` say. */
  async function withToken(rules: string, options: { readonly expiresMs?: number } = {}): Promise<string> {
    nomad = await FakeNomad.start({ acl: true });
    const token = nomad.addToken("wadi", rules, options);
    stage = new NomadStage(nomad.address, { connection: connectionTo(nomad.address, { token }) }, { mhzPerSlot: 100 });
    await open();
    return token;
  }

  it("a token with all capabilities that the scheduler needs, and no more: everything works", async () => {
    await withToken(ALL);
    await live();
    await scheduler.startWorkers(spec);
    await running(2);
    await scheduler.stopWorkers(spec, FORCE);
    await expectNothingLeft();
  });

  const LACKS: readonly (readonly [capability: string, rules: string])[] = [
    ['"submit-job"', ALL.replace('"submit-job", ', "")],
    ["write of the variable's path", ALL.replace('"write", ', "")],
  ];
  for (const [capability, rules] of LACKS) {
    it(`a token that lacks ${capability}: it is named, and nothing is started`, async () => {
      await withToken(rules);
      const error = (await scheduler.startWorkers(spec).catch((thrown: unknown) => thrown)) as AppError;
      expect(error).to.include({ code: "permission-denied", retry: "never" });
      expect(error.hint).to.include(capability);
      expect(nomad.allocations()).to.deep.equal([]);
    });
  }

  it("a token that may not read nodes: everything but drains is seen", async () => {
    await withToken(ALL.replace('node { policy = "read" }', ""));
    await live();
    await scheduler.startWorkers(spec);
    await running(2);
    expect((await scheduler.view()).nodes).to.deep.equal([]);
  });

  it("a token that is taken away: the view says so, workers run on, no secret is said", async () => {
    const token = await withToken(ALL);
    await live();
    await scheduler.startWorkers(spec);
    await running(2);
    nomad.removeToken(token);
    await eventually("it is seen", async () => ((await scheduler.view()).link === "down" ? true : undefined), 20_000);
    const { trouble } = await scheduler.view();
    expect(trouble).to.match(/token/i);
    expect(trouble).to.not.include(token);
    const error = (await scheduler.stopWorkers(spec, FORCE).catch((thrown: unknown) => thrown)) as AppError;
    expect(error.code).to.equal("permission-denied");
    expect(error.message).to.not.include(token);
    expect(nomad.allocations().filter(({ ClientStatus }) => ClientStatus === "running")).to.have.length(2);
  });

  it("a token that expires: the view says so, workers run on, and a new one in the file makes it work again", async () => {
    nomad = await FakeNomad.start({ acl: true });
    const tokenFile = join(temporaryFolder("nomad-token"), "token");
    const expiresMs = Date.now() + TOKEN_LIFE_MS;
    const first = nomad.addToken("wadi", ALL, { expiresMs });
    writeFileSync(tokenFile, first);
    stage = new NomadStage(nomad.address, { connection: connectionTo(nomad.address, { tokenFile }) }, { mhzPerSlot: 100 });
    await open();
    await live();
    await scheduler.startWorkers(spec);
    const before = await running(2);
    await eventually("it has expired", () => (Date.now() > expiresMs ? true : undefined), 2 * TOKEN_LIFE_MS);
    nomad.dropStreams();
    await eventually("it is seen", async () => ((await scheduler.view()).link === "down" ? true : undefined), 20_000);
    const { trouble, runs } = await scheduler.view();
    expect(trouble)
      .to.match(/Nomad does not accept the token: .*expired/)
      .and.to.not.include(first);
    expect(runs.map(({ run }) => run)).to.deep.equal([spec.run]);
    const error = (await scheduler
      .startWorkers({ ...spec, fence: 2n, run: "run_2" as RunId })
      .catch((thrown: unknown) => thrown)) as AppError;
    expect(error).to.include({ code: "permission-denied" });
    expect(error.hint).to.include("nomad.token-file");
    expect(error.message).to.not.include(first);
    expect(nomad.allocations().filter(({ ClientStatus }) => ClientStatus === "running")).to.have.length(2);

    writeFileSync(tokenFile, nomad.addToken("wadi", ALL));
    await live();
    expect((await running(2)).map(({ handle }) => handle).sort()).to.deep.equal(before.map(({ handle }) => handle).sort());
    expect(exits()).to.deep.equal([]);
    await scheduler.stopWorkers(spec, FORCE);
    await expectNothingLeft();
  });

  it("an event stream that is refused: blocking queries take its place", async () => {
    nomad = await FakeNomad.start();
    nomad.answer("GET", /^\/v1\/event\/stream/, 500, "no stream here", 1_000);
    stage = new NomadStage(nomad.address, {}, { mhzPerSlot: 100 });
    await open();
    await eventually("it polls", async () => ((await scheduler.view()).link === "polling" ? true : undefined), 20_000);
    await scheduler.startWorkers(spec);
    const [victim] = await running(2);
    for (const pid of nomad.pids((victim as WorkerView).handle)) process.kill(pid, "SIGKILL");
    await eventually("the exit is told", () => exits().length === 1 || undefined, 20_000);
  });
});
