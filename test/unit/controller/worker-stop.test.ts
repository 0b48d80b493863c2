/** Stopping workers until none is left, and a bounded number of things at a time. */
import { expect } from "chai";
import type { LeaderContext } from "../../../src/controller/context.ts";
import { Gate } from "../../../src/controller/gate.ts";
import { workerStop } from "../../../src/controller/worker-stop.ts";
import { ManualClock } from "../../../src/core/clock.ts";
import type { JobId, PipelineId, RunId } from "../../../src/core/ids.ts";
import type { RunSpec, WorkerView } from "../../../src/scheduler/scheduler.ts";
import { MemoryCluster, MemoryScheduler } from "../../support/memory-scheduler.ts";

const JOB = "job_1" as JobId;

function spec(fence: bigint): RunSpec {
  return {
    job: JOB,
    run: `run_${fence}` as RunId,
    fence,
    pipeline: "pl_1" as PipelineId,
    slug: "p",
    slots: 2,
    slotsPerWorker: 1,
    resources: { cpuMillis: 1, memoryBytes: 1 },
    artifact: "",
    controllers: [],
    runToken: "t",
    environment: {},
    secrets: [],
    overrides: {},
  };
}

describe("stopping workers", () => {
  it("stops those of the run and of earlier ones, and is over when none is left", async () => {
    const cluster = new MemoryCluster(10);
    const scheduler = new MemoryScheduler(cluster);
    const clock = new ManualClock();
    await scheduler.startWorkers(spec(1n));
    await scheduler.startWorkers(spec(2n));
    cluster.settle();
    const context = { scheduler, clock } as unknown as LeaderContext;
    const never = new AbortController().signal;
    const { gone, nudge } = workerStop(context, JOB, { id: "run_2" as RunId, fence: 2 }, { kind: "graceful", deadlineMs: 1 }, never);
    let over = false;
    void gone.then(() => {
      over = true;
    });
    await clock.advance(1_000);
    expect([over, cluster.list().map(({ phase }) => phase)]).to.deep.equal([false, ["stopping", "stopping", "stopping", "stopping"]]);
    cluster.settle();
    nudge();
    await clock.advance(0);
    expect(await gone).to.equal(true);
  });

  it("takes a worker of which nobody knows for gone once its lease has run out, at once if it cannot publish anything", async () => {
    const clock = new ManualClock();
    const lost = { ...spec(1n), handle: "h", phase: "lost", exit: undefined } as unknown as WorkerView;
    const scheduler = { listWorkers: async () => [lost], stopWorkers: async () => undefined };
    const context = { scheduler, clock } as unknown as LeaderContext;
    const never = new AbortController().signal;
    const { gone } = workerStop(context, JOB, { id: "run_1" as RunId, fence: 1 }, { kind: "force" }, never);
    let over = false;
    void gone.then(() => {
      over = true;
    });
    await clock.advance(5_000);
    expect(over).to.equal(false);
    await clock.advance(15_000);
    expect(over).to.equal(true);
    const settled = new Set<string>();
    for (const may of [false, true]) {
      const scope = { mayPublish: () => may, settled };
      expect(await workerStop(context, JOB, { id: "run_1" as RunId, fence: 1 }, { kind: "force" }, never, scope).gone).to.equal(true);
    }
  });

  it("is given up when something harder begins", async () => {
    const clock = new ManualClock();
    const running = { ...spec(1n), handle: "h", phase: "running", exit: undefined } as unknown as WorkerView;
    const scheduler = { listWorkers: async () => [running], stopWorkers: async () => undefined };
    const stop = new AbortController();
    const context = { scheduler, clock } as unknown as LeaderContext;
    const { gone } = workerStop(context, JOB, { id: "run_1" as RunId, fence: 1 }, { kind: "force" }, stop.signal);
    stop.abort();
    expect(await gone).to.equal(false);
  });
});

describe("a gate", () => {
  it("lets so many through at a time, in order, also after failures", async () => {
    const gate = new Gate(2);
    const began: number[] = [];
    const ends: (() => void)[] = [];
    const work = (i: number) =>
      gate.run(async () => {
        began.push(i);
        await new Promise<void>((resolve, reject) => ends.push(i === 1 ? () => reject(new RangeError("one failed")) : resolve));
        return i;
      });
    const all = Promise.allSettled([work(0), work(1), work(2), work(3)]);
    await Promise.resolve();
    expect(began).to.deep.equal([0, 1]);
    ends[1]?.();
    await new Promise(setImmediate);
    expect([began, gate.load]).to.deep.equal([[0, 1, 2], 3]);
    ends[0]?.();
    await new Promise(setImmediate);
    for (const end of ends) end();
    expect((await all).map(({ status }) => status)).to.deep.equal(["fulfilled", "rejected", "fulfilled", "fulfilled"]);
    expect([began, gate.load]).to.deep.equal([[0, 1, 2, 3], 0]);
  });
});
