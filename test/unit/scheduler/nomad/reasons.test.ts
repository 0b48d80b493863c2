/** Why workers are not placed, in words. */
import { expect } from "chai";
import { readPlan } from "../../../../src/scheduler/nomad/answers.ts";
import { placementReason } from "../../../../src/scheduler/nomad/reasons.ts";
import { WORKER_NAME } from "../../../../src/scheduler/nomad/spec.ts";

const metric = (fields: object) => readPlan({ FailedTGAllocs: { [WORKER_NAME]: fields } }).FailedTGAllocs[WORKER_NAME];

describe("why workers are not placed", () => {
  it("counts the nodes that lack something, the most frequent first", () => {
    const full = metric({ NodesEvaluated: 5, NodesExhausted: 5, DimensionExhausted: { cpu: 2, memory: 3 } });
    expect(placementReason(2, 4, full)).to.equal(
      "2 of 4 workers not placed: memory exhausted on 3 nodes; processor time (MHz) exhausted on 2 nodes",
    );
  });

  it("names constraints and drivers that rule nodes out", () => {
    const filtered = metric({ NodesEvaluated: 3, ConstraintFiltered: { "missing drivers": 2, "${attr.cpu.arch} = arm64": 1 } });
    expect(placementReason(1, 1, filtered)).to.equal(
      '1 of 1 worker not placed: a missing or unhealthy task driver rules out 2 nodes; constraint "${attr.cpu.arch} = arm64" rules out 1 node',
    );
  });

  it("says that there is no node at all, and where", () => {
    const none = metric({ NodesEvaluated: 0, NodesInPool: 0, NodesAvailable: { dc1: 0 } });
    expect(placementReason(4, 4, none)).to.equal('4 of 4 workers not placed: no node is ready in the node pool in data centre "dc1"');
    expect(placementReason(4, 4, metric({ NodesEvaluated: 0, NodesInPool: 3, NodesAvailable: { dc1: 3 } }))).to.equal(
      "4 of 4 workers not placed: no node is eligible",
    );
  });

  it("names quotas", () => {
    expect(placementReason(1, 2, metric({ NodesEvaluated: 1, QuotaExhausted: ["memory"] }))).to.include("quota exhausted: memory");
  });

  it("says the number where Nomad says nothing", () => {
    expect(placementReason(3, 4, undefined)).to.equal("3 of 4 workers not placed");
  });
});
