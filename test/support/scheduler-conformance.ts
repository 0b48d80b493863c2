/**
 * What every scheduler has to keep of its contract, whatever starts its workers. A suite gives the outside system as a `SchedulerStage` and
 * gets the tests.
 */
import { expect } from "chai";
import type { JobId, PipelineId, RunId } from "../../src/core/ids.ts";
import type { RunKey, RunSpec, Scheduler, SchedulerEvent, WorkerView } from "../../src/scheduler/scheduler.ts";
import type { LogPiece } from "../../src/scheduler/view.ts";
import { eventually } from "./eventually.ts";
import { rejection } from "./rejection.ts";

/** An outside system for one test. */
export interface SchedulerStage {
  /** Slots it has. At least 8. */
  readonly capacity: number;
  /** A scheduler on it; called again: another one, as after a restart of the controller. */
  open(): Promise<Scheduler>;
  /** What each worker says first, on stdout; "ready\n" (test/support/idle-worker.mjs) if absent. */
  readonly greeting?: string;
  /** What it does with a request that does not fit: "refuses" it, or takes it and "queues" it; "refuses" if absent. */
  readonly admission?: "refuses" | "queues";
  /** False where workers end with their scheduler (threads); true if absent. */
  readonly workersOutlive?: boolean;
  /** Waits until what was accepted has happened: workers run, those told to end have ended. */
  settle(): Promise<void>;
  /** Ends a worker from outside, as a crash would. */
  crash(worker: WorkerView): Promise<void>;
  close(): Promise<void>;
}

const JOB = "job_conformance" as JobId;

/** A specification for `slots` slots, two per worker, as the run with `fence`. */
export function sampleSpec(slots: number, fence = 1n, job: JobId = JOB): RunSpec {
  return {
    job,
    run: `run_${fence}` as RunId,
    fence,
    pipeline: "pl_conformance" as PipelineId,
    slug: "conformance",
    slots,
    slotsPerWorker: 2,
    resources: { cpuMillis: 1000, memoryBytes: 2 ** 28 },
    artifact: "ab",
    controllers: ["127.0.0.1:5116"],
    runToken: "a-secret-of-the-run",
    environment: {},
    secrets: [],
    overrides: {},
  };
}

const alive = (workers: readonly WorkerView[]) => workers.filter(({ phase }) => phase !== "exited");
const slotsOf = (workers: readonly WorkerView[]) => workers.reduce((sum, { slots }) => sum + slots, 0);
const GRACEFUL = { kind: "graceful", deadlineMs: 5_000 } as const;
const FORCE = { kind: "force" } as const;

/** What a worker has said on stdout; `until`: at most until so many bytes are there. */
async function readOutput(
  scheduler: Scheduler,
  handle: string,
  { tailBytes = 0, follow = false, until = Number.POSITIVE_INFINITY },
): Promise<{ readonly offset: number | undefined; readonly text: string }> {
  const enough = new AbortController();
  const pieces: LogPiece[] = [];
  let bytes = 0;
  for await (const piece of scheduler.logs(handle, { stream: "stdout", tailBytes, follow, signal: enough.signal })) {
    pieces.push(piece);
    bytes += piece.data.length;
    if (bytes >= until) enough.abort();
  }
  return { offset: pieces[0]?.offset, text: Buffer.concat(pieces.map(({ data }) => data)).toString() };
}

/** The tests. */
export function conformsToScheduler(make: () => Promise<SchedulerStage>): void {
  let stage: SchedulerStage;
  let scheduler: Scheduler;
  beforeEach(async () => {
    stage = await make();
    scheduler = await stage.open();
  });
  afterEach(async () => {
    await scheduler.shutdown();
    await stage.close();
  });
  const list = (run?: RunKey) => scheduler.listWorkers(run?.job ?? JOB, run?.run);

  it("starts workers with all slots, listed as soon as they are accepted", async () => {
    const spec = sampleSpec(5);
    expect(await scheduler.startWorkers(spec)).to.deep.equal({ kind: "accepted", workers: 3 });
    // Where all workers of a run are equal, one slot may be more than was asked for.
    expect(slotsOf(await list())).to.be.within(5, 6);
    await stage.settle();
    const workers = await list(spec);
    expect(workers.map(({ phase }) => phase)).to.deep.equal(["running", "running", "running"]);
    expect(new Set(workers.map(({ handle }) => handle)).size).to.equal(3);
    for (const { run, fence, exit } of workers) expect({ run, fence, exit }).to.deep.equal({ run: spec.run, fence: 1n, exit: undefined });
  });

  it("starts nothing more when asked again, also after a restart of the controller", async () => {
    const spec = sampleSpec(4);
    const first = await scheduler.startWorkers(spec);
    expect(await scheduler.startWorkers(spec)).to.deep.equal(first);
    await stage.settle();
    await scheduler.shutdown();
    scheduler = await stage.open();
    expect(await scheduler.startWorkers({ ...spec, runToken: "another", controllers: ["127.0.0.1:1"] })).to.deep.equal(first);
    await stage.settle();
    expect(alive(await list())).to.have.length(stage.workersOutlive === false ? 0 : 2);
  });

  it("refuses another specification for the same run", async () => {
    await scheduler.startWorkers(sampleSpec(2));
    await rejection(scheduler.startWorkers(sampleSpec(4)), "already-exists");
  });

  it("answers with the slots that are needed and there, having started nothing, when there are not enough", async () => {
    await scheduler.startWorkers(sampleSpec(4));
    if (stage.admission === "queues") return;
    const outcome = await scheduler.startWorkers(sampleSpec(stage.capacity, 1n, "job_other" as JobId));
    expect(outcome).to.deep.equal({ kind: "not-enough-slots", needed: stage.capacity, available: stage.capacity - 4 });
    expect(await scheduler.listWorkers("job_other" as JobId)).to.deep.equal([]);
    await scheduler.stopWorkers(sampleSpec(4), FORCE);
    await stage.settle();
    const again = await scheduler.startWorkers(sampleSpec(stage.capacity, 1n, "job_other" as JobId));
    expect(again.kind).to.equal("accepted");
  });

  it("queues what does not fit, says why, and says when all of it is placed", async () => {
    if (stage.admission !== "queues") return;
    const said: { readonly missing: number; readonly reason: string }[] = [];
    const other = sampleSpec(stage.capacity, 1n, "job_other" as JobId);
    scheduler.observe((event) => {
      if (event.kind === "placement" && event.run.job === other.job) said.push(event);
    });
    await scheduler.startWorkers(sampleSpec(4));
    await stage.settle();
    expect((await scheduler.startWorkers(other)).kind).to.equal("accepted");
    await eventually("a placement failure", async () => said.some(({ missing, reason }) => missing > 0 && reason !== "") || undefined);
    expect((await list(other)).some(({ phase }) => phase === "placing")).to.equal(true);
    await scheduler.stopWorkers(sampleSpec(4), FORCE);
    await eventually("all are placed", async () => said.at(-1)?.missing === 0 || undefined);
    await stage.settle();
    expect((await list(other)).every(({ phase }) => phase === "running")).to.equal(true);
  });

  for (const mode of [GRACEFUL, FORCE]) {
    it(`stops all workers of a run and no others (${mode.kind})`, async () => {
      const [old, young] = [sampleSpec(4), sampleSpec(2, 2n)];
      await scheduler.startWorkers(old);
      await scheduler.startWorkers(young);
      await stage.settle();
      await scheduler.stopWorkers(old, mode);
      await stage.settle();
      expect(alive(await list(old))).to.deep.equal([]);
      expect(alive(await list(young))).to.have.length(1);
      await scheduler.stopWorkers(old, mode);
    });
  }

  it("stops workers that nobody has placed yet", async () => {
    await scheduler.startWorkers(sampleSpec(4));
    await scheduler.stopWorkers(sampleSpec(4), GRACEFUL);
    await stage.settle();
    expect(alive(await list())).to.deep.equal([]);
  });

  it("takes stopping an unknown run for done", async () => {
    await scheduler.stopWorkers(sampleSpec(1, 9n, "job_unknown" as JobId), GRACEFUL);
  });

  it("never starts a run that was stopped or superseded, also after a restart of the controller", async () => {
    await scheduler.startWorkers(sampleSpec(2, 5n));
    await rejection(scheduler.startWorkers(sampleSpec(2, 4n)), "fenced");
    await scheduler.stopWorkers(sampleSpec(2, 5n), FORCE);
    await rejection(scheduler.startWorkers(sampleSpec(2, 5n)), "fenced");
    // A stop may overtake the start it belongs to.
    await scheduler.stopWorkers(sampleSpec(2, 6n), FORCE);
    await scheduler.shutdown();
    scheduler = await stage.open();
    await rejection(scheduler.startWorkers(sampleSpec(2, 6n)), "fenced");
    expect((await scheduler.startWorkers(sampleSpec(2, 7n))).kind).to.equal("accepted");
  });

  it("tells a crash once, as an exit, and does not replace the worker", async () => {
    const events: SchedulerEvent[] = [];
    scheduler.observe((event) => events.push(event));
    await scheduler.startWorkers(sampleSpec(4));
    await stage.settle();
    const [victim] = await list();
    if (victim === undefined) return expect.fail("no worker");
    await stage.crash(victim);
    await stage.settle();
    const told = events.flatMap((event) => (event.kind === "worker" && event.worker.handle === victim.handle ? [event.worker.phase] : []));
    expect(told.filter((phase) => phase === "exited")).to.have.length(1);
    expect(told.at(-1)).to.equal("exited");
    expect(alive(await list())).to.have.length(1);
  });

  it("plans what fits and what is missing, and starts nothing", async () => {
    const fits = await scheduler.plan(sampleSpec(5));
    expect(fits).to.include({ workers: 3, reason: "" });
    expect(fits.missing ?? 0).to.equal(0);
    expect(fits.text).to.not.include(sampleSpec(5).runToken);
    const tooMuch = await scheduler.plan(sampleSpec(stage.capacity + 2));
    if (tooMuch.missing !== undefined) {
      expect(tooMuch.missing).to.be.greaterThan(0);
      expect(tooMuch.reason).to.not.equal("");
    }
    await stage.settle();
    expect(await list()).to.deep.equal([]);
    // A plan is no start: its fence is not used up, and what runs may be planned again.
    const spec = sampleSpec(stage.capacity);
    expect((await scheduler.startWorkers(spec)).kind).to.equal("accepted");
    expect((await scheduler.plan(spec)).missing ?? 0).to.equal(0);
    await stage.settle();
    expect(slotsOf(alive(await list()))).to.equal(stage.capacity);
  });

  it("gives a worker's output from the start and from the tail, also after its end", async () => {
    const greeting = new TextEncoder().encode(stage.greeting ?? "ready\n");
    await scheduler.startWorkers(sampleSpec(2));
    await stage.settle();
    const [worker] = await list();
    if (worker === undefined) return expect.fail("no worker");
    const { handle } = worker;
    const first = await readOutput(scheduler, handle, { follow: true, until: greeting.length });
    expect(first.offset).to.equal(0);
    expect(first.text.slice(0, greeting.length)).to.equal(new TextDecoder().decode(greeting));
    await stage.crash(worker);
    await stage.settle();
    const whole = await readOutput(scheduler, handle, {});
    expect(whole.text.slice(0, greeting.length)).to.equal(new TextDecoder().decode(greeting));
    const bytes = new TextEncoder().encode(whole.text).length;
    const tail = await readOutput(scheduler, handle, { tailBytes: 3 });
    expect(tail).to.deep.equal({ offset: bytes - 3, text: whole.text.slice(-3) });
    // Whoever follows a worker that has ended is not kept waiting.
    expect((await readOutput(scheduler, handle, { follow: true })).text).to.equal(whole.text);
    await rejection(readOutput(scheduler, "no-such-worker", {}), "not-found");
  });

  it("shows its runs, workers and nodes", async () => {
    const spec = sampleSpec(5);
    await scheduler.startWorkers(spec);
    await stage.settle();
    const view = await scheduler.view();
    expect(view.scheduler).to.equal(scheduler.name);
    expect(view.link).to.be.oneOf(["live", "polling"]);
    expect(view.syncedAtMs).to.be.a("number");
    expect(view.nodes.length).to.be.greaterThan(0);
    for (const { id, state } of view.nodes) expect({ named: id !== "", state }).to.deep.equal({ named: true, state: "ready" });
    const runs = view.runs.filter(({ job }) => job === spec.job);
    expect(runs.map(({ run, fence, workers, missing }) => ({ run, fence, workers, missing }))).to.deep.equal([
      { run: spec.run, fence: 1n, workers: 3, missing: 0 },
    ]);
    const shown = view.workers.filter(({ job }) => job === spec.job).map(({ handle }) => handle);
    expect(shown.sort()).to.deep.equal((await list()).map(({ handle }) => handle).sort());
  });

  it("tells each thing once, also across a restart of the controller", async () => {
    const told = new Map<string, number>();
    const listen = (event: SchedulerEvent): void => {
      if (event.kind !== "told") return;
      const key = JSON.stringify([event.run.job, String(event.run.fence), event.handle, event.about, event.message, event.atMs]);
      told.set(key, (told.get(key) ?? 0) + 1);
    };
    scheduler.observe(listen);
    await scheduler.startWorkers(sampleSpec(4));
    await stage.settle();
    await scheduler.startWorkers(sampleSpec(4));
    await scheduler.shutdown();
    scheduler = await stage.open();
    scheduler.observe(listen);
    await scheduler.startWorkers(sampleSpec(4));
    const [victim] = alive(await list());
    if (victim !== undefined) await stage.crash(victim);
    await scheduler.stopWorkers(sampleSpec(4), FORCE);
    await stage.settle();
    expect([...told].filter(([, times]) => times > 1)).to.deep.equal([]);
  });

  it("tells an observer nothing after it has left", async () => {
    const events: SchedulerEvent[] = [];
    scheduler.observe((event) => events.push(event))();
    await scheduler.startWorkers(sampleSpec(2));
    await stage.settle();
    expect(events).to.deep.equal([]);
  });

  it("answers nothing after its shutdown, which may be repeated", async () => {
    await scheduler.shutdown();
    await scheduler.shutdown();
    await rejection(scheduler.startWorkers(sampleSpec(2)), "invariant");
    scheduler = await stage.open();
    expect((await scheduler.startWorkers(sampleSpec(2))).kind).to.equal("accepted");
  });
}
