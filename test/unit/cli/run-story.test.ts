/** The story of a run, made of Nomad's lists. */
import { expect } from "chai";
import type { FoundRun } from "../../../src/cli/nomad/find-run.ts";
import { stateOf, storyOf } from "../../../src/cli/nomad/run-story.ts";
import type { JobId, RunId } from "../../../src/core/ids.ts";
import { readAllocation, readEvaluation } from "../../../src/scheduler/nomad/answers.ts";

const NS = 1_000_000;
const run: FoundRun = {
  id: "w-bids-job_1-run_1",
  key: { job: "job_1" as JobId, run: "run_1" as RunId, fence: 1n },
  pipeline: "bids",
  workers: 2,
  stopped: false,
  submittedNs: 1_000 * NS,
};

function allocation(index: number, status: string, events: readonly object[] = [], more: object = {}) {
  return readAllocation({
    ID: `${index}0000000-0000-4000-8000-000000000000`,
    Name: `${run.id}.worker[${index}]`,
    JobID: run.id,
    NodeName: `n${index}`,
    NodeID: `node-${index}`,
    DesiredStatus: "run",
    ClientStatus: status,
    CreateTime: 2_000 * NS,
    ModifyTime: 9_000 * NS,
    TaskStates: { worker: { State: "running", Events: events } },
    ...more,
  });
}

const placed = readEvaluation({
  ID: "e1".padEnd(36, "0"),
  JobID: run.id,
  Status: "complete",
  TriggeredBy: "job-register",
  ModifyIndex: 5,
  ModifyTime: 2_500 * NS,
});
const unplaced = readEvaluation({
  ID: "e2".padEnd(36, "0"),
  JobID: run.id,
  Status: "complete",
  TriggeredBy: "job-register",
  ModifyIndex: 5,
  ModifyTime: 2_500 * NS,
  FailedTGAllocs: { worker: { NodesEvaluated: 2, CoalescedFailures: 0, DimensionExhausted: { memory: 2 } } },
});

describe("the story of a run on Nomad", () => {
  it("tells job, placement, evaluation and task events in the order of their times", () => {
    const started = { Type: "Started", Time: 3_000 * NS, DisplayMessage: "Task started by client" };
    const lines = storyOf({ run, evaluations: [placed], allocations: [allocation(0, "running", [started])] });
    expect(lines.map(({ about, atMs }) => `${atMs} ${about}`)).to.deep.equal([
      "1000 job",
      "2000 allocation",
      "2500 evaluation",
      "3000 task",
    ]);
    expect(lines[3]).to.include({ node: "n0", message: "Started: Task started by client", level: "info" });
  });

  it("gives each line a key that stays the same when the lists are read again", () => {
    const facts = { run, evaluations: [placed], allocations: [allocation(0, "running"), allocation(1, "pending")] };
    const keys = storyOf(facts).map(({ key }) => key);
    expect(storyOf(facts).map(({ key }) => key)).to.deep.equal(keys);
    expect(new Set(keys).size).to.equal(keys.length);
  });

  it("says how a worker ended", () => {
    const ended = { Type: "Terminated", Time: 4_000 * NS, DisplayMessage: "Exit Code: 3", Details: { exit_code: "3" } };
    const lines = storyOf({ run, evaluations: [], allocations: [allocation(0, "failed", [ended])] });
    expect(lines.at(-1)).to.include({ about: "allocation", level: "error" });
    expect(lines.at(-1)?.message).to.match(/^ended with exit code 3/);
  });

  it("is running once all workers run, starting before", () => {
    expect(stateOf({ run, evaluations: [placed], allocations: [allocation(0, "running"), allocation(1, "pending")] }).kind).to.equal(
      "starting",
    );
    expect(stateOf({ run, evaluations: [placed], allocations: [allocation(0, "running"), allocation(1, "running")] }).kind).to.equal(
      "running",
    );
  });

  it("is failed as soon as one worker is", () => {
    const state = stateOf({ run, evaluations: [placed], allocations: [allocation(0, "running"), allocation(1, "failed")] });
    expect(state.kind).to.equal("failed");
  });

  it("waits for places with Nomad's numbers where workers are not placed", () => {
    const state = stateOf({ run, evaluations: [unplaced], allocations: [allocation(0, "running")] });
    expect(state).to.deep.equal({ kind: "placing", missing: 1, reason: "1 of 2 workers not placed: memory exhausted on 2 nodes" });
  });

  it("has ended when all workers ended well, or when it was stopped", () => {
    expect(stateOf({ run, evaluations: [placed], allocations: [allocation(0, "complete"), allocation(1, "complete")] }).kind).to.equal(
      "ended",
    );
    expect(stateOf({ run: { ...run, stopped: true }, evaluations: [placed], allocations: [allocation(0, "complete")] }).kind).to.equal(
      "ended",
    );
  });
});
