/** What is known of Nomad: rows from lists and events in any order, more than once, and what observers hear of them. */
import { expect } from "chai";
import type { JobId } from "../../../../src/core/ids.ts";
import { readAllocation, readEvaluation, readJob, readNode } from "../../../../src/scheduler/nomad/answers.ts";
import { ClusterState } from "../../../../src/scheduler/nomad/cluster-state.ts";
import type { SchedulerEvent } from "../../../../src/scheduler/scheduler.ts";

const ID = "w-orders-job_a-run_a";
const META = { managed_by: "wadi", cluster_id: "test", job_id: "job_a", run_id: "run_a", run_fence: "3", workers: "2", worker_slots: "4" };
const job = (ModifyIndex: number, change: object = {}) =>
  readJob({ ID, Name: "orders · run 3", Status: "running", Meta: META, ModifyIndex, ...change });
const allocation = (number: number, ModifyIndex: number, ClientStatus = "running", change: object = {}) =>
  readAllocation({
    ID: `0000000${number}-0000-0000-0000-000000000000`,
    Name: `${ID}.worker[${number}]`,
    JobID: ID,
    NodeID: "n1",
    NodeName: "one",
    DesiredStatus: "run",
    ClientStatus,
    ModifyIndex,
    ...change,
  });
const blocked = (ModifyIndex: number, CoalescedFailures = 0) =>
  readEvaluation({
    ID: "e1",
    JobID: ID,
    Status: "blocked",
    ModifyIndex,
    FailedTGAllocs: { worker: { NodesEvaluated: 1, DimensionExhausted: { memory: 1 }, CoalescedFailures } },
  });
const node = (ModifyIndex: number, change: object = {}) =>
  readNode({ ID: "n1", Name: "one", Status: "ready", SchedulingEligibility: "eligible", ModifyIndex, ...change });

describe("the state of Nomad", () => {
  let state: ClusterState;
  beforeEach(() => {
    state = new ClusterState({ clusterId: "test", allocationLink: () => undefined, killTimeoutMs: 30_000, nowMs: () => 1_000 });
  });
  const phases = () => state.workersOf("job_a" as JobId).map(({ phase }) => phase);
  const kinds = (events: readonly SchedulerEvent[]) => events.map((event) => (event.kind === "worker" ? event.worker.phase : event.kind));

  it("lists workers that are not placed beside those that are", () => {
    state.setJobs([job(10)], 10);
    expect(phases()).to.deep.equal(["placing", "placing"]);
    state.setAllocations([allocation(1, 11)], 11);
    expect(phases()).to.deep.equal(["running", "placing"]);
  });

  it("does not know jobs of other installations or of other people", () => {
    state.setJobs([job(10, { Meta: { ...META, cluster_id: "other" } }), job(10, { ID: "api", Meta: {} })], 10);
    expect(state.runs).to.deep.equal([]);
  });

  it("counts a row once, whatever repeats it, and an older one not at all", () => {
    state.setJobs([job(10)], 10);
    expect(kinds(state.putAllocation(allocation(0, 12)))).to.deep.equal(["running"]);
    expect(state.putAllocation(allocation(0, 12))).to.deep.equal([]);
    expect(state.putAllocation(allocation(0, 11, "pending"))).to.deep.equal([]);
    expect(kinds(state.setAllocations([allocation(0, 12)], 12))).to.deep.equal([]);
  });

  it("tells an end once and nothing after it", () => {
    state.setJobs([job(10)], 10);
    state.setAllocations([allocation(0, 11)], 11);
    state.settle(11);
    expect(kinds(state.putAllocation(allocation(0, 12, "failed")))).to.deep.equal(["exited"]);
    expect(state.putAllocation(allocation(0, 13, "failed", { DesiredStatus: "stop" }))).to.deep.equal([]);
    expect(state.setAllocations([], 14)).to.deep.equal([]);
  });

  it("takes what Nomad has forgotten without an end for ended", () => {
    state.setJobs([job(10)], 10);
    state.setAllocations([allocation(0, 11)], 11);
    const [event] = state.setAllocations([], 20);
    expect(event).to.deep.include({ kind: "worker" });
    if (event?.kind === "worker") expect(event.worker.exit?.reason).to.equal("Nomad has forgotten the allocation");
  });

  it("keeps what is newer than a list that does not have it", () => {
    state.setJobs([job(10)], 10);
    state.putAllocation(allocation(0, 30));
    expect(state.setAllocations([], 20)).to.deep.equal([]);
    expect(phases()).to.deep.equal(["running", "placing"]);
  });

  it("does not bring back what a list has shown to be gone", () => {
    state.setJobs([], 50);
    state.setAllocations([], 50);
    state.settle(50);
    expect(state.putJob(job(40))).to.deep.equal([]);
    expect(state.putAllocation(allocation(0, 45))).to.deep.equal([]);
    expect(state.runs).to.deep.equal([]);
  });

  it("takes an allocation that comes before its job", () => {
    state.putAllocation(allocation(0, 12));
    expect(kinds(state.putJob(job(11)))).to.deep.equal(["running"]);
  });

  it("says what waits and why, when that changes, and when all is placed", () => {
    state.setJobs([job(10)], 10);
    state.putAllocation(allocation(0, 11));
    const [event] = state.putEvaluation(blocked(12));
    expect(event).to.deep.include({ kind: "placement", missing: 1, reason: "1 of 2 workers not placed: memory exhausted on 1 node" });
    expect(state.putEvaluation(blocked(12))).to.deep.equal([]);
    expect(state.waiting(ID)?.sinceMs).to.equal(1_000);
    expect(kinds(state.putAllocation(allocation(1, 13)))).to.deep.equal(["running", "placement"]);
    expect(state.waiting(ID)).to.equal(undefined);
  });

  it("tells a drain once for each run, with the time that is left", () => {
    state.setJobs([job(10)], 10);
    state.setAllocations([allocation(0, 11), allocation(1, 11)], 11);
    state.settle(11);
    const DrainStrategy = { ForceDeadline: new Date(61_000).toISOString() };
    const [event, ...more] = state.putNode(node(12, { Drain: true, DrainStrategy }));
    expect(more).to.deep.equal([]);
    expect(event).to.deep.include({ kind: "drain", node: "n1", deadlineMs: 60_000 });
    expect(state.putNode(node(13, { Drain: true, DrainStrategy }))).to.deep.equal([]);
    expect(state.putNode(node(14))).to.deep.equal([]);
    expect(kinds(state.putNode(node(15, { Drain: true })))).to.deep.equal(["drain"]);
  });

  it("tells of an allocation that has to make place", () => {
    state.setJobs([job(10)], 10);
    state.setAllocations([allocation(0, 11)], 11);
    const evicted = { DesiredStatus: "evict", PreemptedByAllocation: "0123456789abcdef" };
    const events = state.putAllocation(allocation(0, 12, "running", evicted));
    const drain = events.find(({ kind }) => kind === "drain");
    expect(drain).to.deep.include({ node: "n1", deadlineMs: 30_000 });
    expect(drain).to.have.property("reason").that.includes("is preempted by allocation 01234567");
  });

  it("begins anew when indexes have gone back", () => {
    state.setJobs([job(100)], 100);
    state.setAllocations([allocation(0, 101)], 101);
    state.settle(101);
    state.forgetIndexes();
    expect(kinds(state.setAllocations([allocation(0, 7, "failed")], 7))).to.deep.equal(["exited"]);
  });
});
