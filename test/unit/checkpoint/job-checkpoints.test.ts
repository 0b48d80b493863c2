/** How a run comes to own a job's checkpoints: where it starts, what no longer counts, and that doing it again changes nothing. */
import { expect } from "chai";
import { type CompleteEpoch, claimJob, readCompletion } from "../../../src/checkpoint/completion.ts";
import { type ClaimInit, JobCheckpoints } from "../../../src/checkpoint/job-checkpoints.ts";
import { ManualClock } from "../../../src/core/clock.ts";
import { userError } from "../../../src/core/errors.ts";
import { MemoryStore } from "../../../src/storage/memory.ts";
import { PROGRAM, sampleReports } from "../../support/checkpoint-samples.ts";
import { rejection } from "../../support/rejection.ts";

const JOB = "job_1";

describe("the checkpoints of a run", () => {
  let store: MemoryStore;
  let entries: CompleteEpoch[];

  beforeEach(() => {
    store = new MemoryStore();
    entries = [];
  });

  function claim(fence: bigint, more: Partial<ClaimInit> = {}): Promise<JobCheckpoints> {
    const program = { ...PROGRAM, fingerprint: "f00d" };
    const fixed = { store, job: JOB, program, parallelism: 2, clock: new ManualClock(), ignoreState: false };
    return JobCheckpoints.claim({ ...fixed, run: `run_${fence}`, fence, oldestEpoch: 0, witnessed: [], ...more });
  }

  async function complete(checkpoints: JobCheckpoints, epoch: number): Promise<void> {
    const reports = sampleReports().map((report) => ({ ...report, segments: [], files: [] }));
    entries.push((await checkpoints.complete(epoch, false, reports)).entry);
  }

  async function recorded(): Promise<readonly number[]> {
    return (await readCompletion(store, JOB))?.epochs.map(({ epoch }) => epoch) ?? [];
  }

  /** Run 1 with epochs 1 … `epochs`. */
  async function firstRun(epochs: number): Promise<JobCheckpoints> {
    const first = await claim(1n);
    for (let epoch = 1; epoch <= epochs; epoch++) await complete(first, epoch);
    return first;
  }

  it("begin fresh for the first run and at the newest epoch for the next", async () => {
    const first = await firstRun(2);
    expect([first.restored, first.newest]).to.deep.equal([undefined, 2]);
    const second = await claim(2n);
    expect([second.restored?.entry.epoch, second.newest]).to.deep.equal([2, 2]);
  });

  it("leave the run before without a way to complete an epoch", async () => {
    const first = await firstRun(1);
    await claim(2n);
    const reports = sampleReports().map((report) => ({ ...report, segments: [], files: [] }));
    await rejection(first.complete(2, false, reports), "fenced");
    await rejection(claim(1n, { run: "run_other" }), "fenced");
  });

  it("are the same when the run claims them again, and go on behind what it has completed", async () => {
    await firstRun(1);
    const second = await claim(2n);
    const again = await claim(2n);
    expect([second.restored?.entry.epoch, again.restored?.entry.epoch]).to.deep.equal([1, 1]);
    await complete(again, 2);
    const adopted = await claim(2n);
    expect([adopted.restored, adopted.newest]).to.deep.equal([undefined, 2]);
    expect((await adopted.recorded()).map(({ fence }) => fence)).to.deep.equal([1n, 2n]);
  });

  it("do not restore what is older than the user wants, and forget it", async () => {
    await firstRun(3);
    const fresh = await claim(2n, { oldestEpoch: 4 });
    expect([fresh.restored, fresh.newest, await recorded()]).to.deep.equal([undefined, undefined, []]);
    await complete(fresh, 4);
    expect((await claim(3n, { oldestEpoch: 4 })).restored?.entry.epoch).to.equal(4);
  });

  it("put back an epoch that a leader which woke up late has taken off the list", async () => {
    const first = await firstRun(1);
    const stale = await store.get("checkpoints/job_1/latest");
    await complete(first, 2);
    await store.put("checkpoints/job_1/latest", stale);
    expect(await recorded()).to.deep.equal([1]);
    const adopted = await claim(1n, { witnessed: entries });
    expect([adopted.newest, await recorded()]).to.deep.equal([2, [1, 2]]);
  });

  it("do not take up again what another run has dropped on purpose", async () => {
    await firstRun(3);
    await claim(2n, { oldestEpoch: 9 });
    await claimJob(store, JOB, { fence: 3n, run: "run_3" }, entries);
    expect(await recorded()).to.deep.equal([]);
  });

  it("refuse the state of another program and say what differs", async () => {
    await firstRun(1);
    const vertices = PROGRAM.vertices.map((vertex) => ({ ...vertex, fingerprint: `${vertex.fingerprint}x`, name: `new ${vertex.name}` }));
    const other = {
      program: { ...PROGRAM, vertices, fingerprint: "beef" },
      place: "the state of job job_1",
      mismatchHint: "Start afresh.",
    };
    const error = await rejection(claim(2n, other), "state-mismatch");
    expect([error.message, error.hint]).to.deep.equal(["the state of job job_1 belongs to another program (epoch 1)", "Start afresh."]);
    expect(error.detail).to.contain('"new source bids"');
  });

  it("write no record once the writer may not write any more", async () => {
    const first = await claim(1n, {
      mayWrite: () => {
        throw userError("invalid-usage", "not now");
      },
    });
    await rejection(complete(first, 1), "invalid-usage");
    expect(await recorded()).to.deep.equal([]);
  });

  it("delete files of epochs beyond those to keep", async () => {
    const first = await claim(1n, { keep: 2 });
    for (let epoch = 1; epoch <= 4; epoch++) await complete(first, epoch);
    expect(await first.retain(5)).to.deep.equal([1, 2]);
    expect(await recorded()).to.deep.equal([3, 4]);
    const paths: string[] = [];
    for await (const { path } of store.list("checkpoints/job_1/")) paths.push(path.split("/")[2] ?? "");
    expect(paths.sort()).to.deep.equal(["3", "4", "latest"]);
  });
});
