/**
 * What every scheduler has to keep of its contract, whatever starts its workers. A suite gives the outside system as a `SchedulerStage` and
 * gets the tests.
 */
import { expect } from "chai";
import type { JobId, PipelineId, RunId } from "../../src/core/ids.ts";
import type { RunKey, RunSpec, Scheduler, SchedulerEvent, WorkerView } from "../../src/scheduler/scheduler.ts";
import { rejection } from "./rejection.ts";

/** An outside system for one test. */
export interface SchedulerStage {
  /** Slots it has. At least 8. */
  readonly capacity: number;
  /** A scheduler on it; called again: another one, as after a restart of the controller. */
  open(): Promise<Scheduler>;
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
    runToken: "token",
    environment: {},
    secrets: [],
    overrides: {},
  };
}

const alive = (workers: readonly WorkerView[]) => workers.filter(({ phase }) => phase !== "exited");
const slotsOf = (workers: readonly WorkerView[]) => workers.reduce((sum, { slots }) => sum + slots, 0);
const GRACEFUL = { kind: "graceful", deadlineMs: 5_000 } as const;
const FORCE = { kind: "force" } as const;

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
    expect(slotsOf(await list())).to.equal(5);
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
    expect(alive(await list())).to.have.length(2);
  });

  it("refuses another specification for the same run", async () => {
    await scheduler.startWorkers(sampleSpec(2));
    await rejection(scheduler.startWorkers(sampleSpec(4)), "already-exists");
  });

  it("answers with the slots that are needed and there, having started nothing, when there are not enough", async () => {
    await scheduler.startWorkers(sampleSpec(4));
    const outcome = await scheduler.startWorkers(sampleSpec(stage.capacity, 1n, "job_other" as JobId));
    expect(outcome).to.deep.equal({ kind: "not-enough-slots", needed: stage.capacity, available: stage.capacity - 4 });
    expect(await scheduler.listWorkers("job_other" as JobId)).to.deep.equal([]);
    await scheduler.stopWorkers(sampleSpec(4), FORCE);
    await stage.settle();
    const again = await scheduler.startWorkers(sampleSpec(stage.capacity, 1n, "job_other" as JobId));
    expect(again.kind).to.equal("accepted");
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
