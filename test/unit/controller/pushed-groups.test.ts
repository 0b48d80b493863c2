/** Which groups of the Pushgateway belong to runs that are over. */
import { expect } from "chai";
import { RunEnds } from "../../../src/controller/pushed-groups.ts";
import type { Job } from "../../../src/job/job.ts";
import type { PushedGroup } from "../../../src/rpc/pushgateway.ts";
import { sampleJob } from "../../support/sample-job.ts";

const NOW_S = 1_700_000_000;
const LINGER_MS = 1_000;

function group(job: string, run: number, pushedAtS = NOW_S): PushedGroup {
  return { group: { job, run: String(run), worker: "wk_a" }, pushedAtS };
}

function running(fence: number, more: Partial<Job["context"]> = {}): Job {
  return sampleJob("job_a", "running", fence, { live: true, ...more });
}

describe("groups of runs that are over", () => {
  it("stay while their run is live, prepared or on its way out, and go some time after", () => {
    const ends = new RunEnds();
    const prepared = { run: { id: "run_a3", fence: 3 } } as NonNullable<Job["context"]["prepared"]>;
    const leftovers = [{ run: { id: "run_a1", fence: 1 }, retryAtMs: undefined, attempts: 0 }] as unknown as Job["context"]["leftovers"];
    ends.look([running(2, { prepared, leftovers })], 0);
    const groups = [1, 2, 3].map((run) => group("job_a", run));
    expect(ends.groupsToRemove(groups, 0, 0)).to.deep.equal([]);
    expect(ends.due(5_000, LINGER_MS)).to.equal(false);
    ends.look([running(3)], 10_000);
    expect(ends.due(10_000, LINGER_MS)).to.equal(false);
    expect(ends.groupsToRemove(groups, 10_000, LINGER_MS)).to.deep.equal([]);
    expect(ends.due(11_000, LINGER_MS)).to.equal(true);
    expect(ends.groupsToRemove(groups, 11_000, LINGER_MS).map(({ run }) => run)).to.deep.equal(["1", "2"]);
    ends.removed(11_000, LINGER_MS);
    expect(ends.due(20_000, LINGER_MS)).to.equal(false);
  });

  it("are noticed of a run that began and ended between two looks", () => {
    const ends = new RunEnds();
    ends.look([], 0);
    ends.look([sampleJob("job_a", "finished", 2, { live: false })], 1_000);
    expect(ends.due(2_000, LINGER_MS)).to.equal(true);
    expect(ends.groupsToRemove([group("job_a", 2)], 2_000, LINGER_MS)).to.have.length(1);
  });

  it("go of jobs that were deleted in this term", () => {
    const ends = new RunEnds();
    ends.look([running(1)], 0);
    ends.look([], 1_000);
    expect(ends.groupsToRemove([group("job_a", 1)], 2_000, LINGER_MS)).to.have.length(1);
  });

  it("are left alone if the job is unknown and somebody pushes, and go when nobody has for a quarter of an hour", () => {
    const ends = new RunEnds();
    ends.look([], 0);
    const groups = [group("job_other", 1), group("job_other", 2, NOW_S - 600), group("job_gone", 1, NOW_S - 1_000)];
    expect(ends.groupsToRemove(groups, 0, 0)).to.deep.equal([{ job: "job_gone", run: "1", worker: "wk_a" }]);
  });

  it("are all over once pushing has been turned off", () => {
    const ends = new RunEnds(false);
    ends.look([running(1)], 0);
    expect(ends.groupsToRemove([group("job_a", 1), group("job_other", 1)], 0, 0).map(({ job }) => job)).to.deep.equal(["job_a"]);
  });

  it("of before the first look linger from when they are first seen", () => {
    const ends = new RunEnds();
    ends.look([sampleJob("job_a", "stopped", 4, { live: false })], 0);
    expect(ends.due(10_000, LINGER_MS)).to.equal(false);
    expect(ends.groupsToRemove([group("job_a", 4)], 0, LINGER_MS)).to.deep.equal([]);
    expect(ends.due(1_000, LINGER_MS)).to.equal(true);
    expect(ends.groupsToRemove([group("job_a", 4)], 1_000, LINGER_MS)).to.have.length(1);
  });
});
