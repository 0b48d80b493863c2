/** What Kubernetes says, in plain words with numbers. */
import { expect } from "chai";
import { roomFor, useOf } from "../../../src/scheduler/kubernetes/capacity.ts";
import { drainOf } from "../../../src/scheduler/kubernetes/drain.ts";
import { type NodeSeen, type PodSeen, parseJob, parseNode, parsePod } from "../../../src/scheduler/kubernetes/objects.ts";
import { describePlacement } from "../../../src/scheduler/kubernetes/placement-words.ts";
import { cpuQuantity, memoryQuantity, readQuantity } from "../../../src/scheduler/kubernetes/quantity.ts";
import { countReasons, exitOf } from "../../../src/scheduler/kubernetes/reasons.ts";
import { promisedWorkers, workerOf } from "../../../src/scheduler/kubernetes/workers.ts";

const LABELS = { "wadi.dev/job": "job_a", "wadi.dev/run": "run_a", "wadi.dev/fence": "3" };

function pod(status: object, spec: object = {}, metadata: object = {}): PodSeen {
  return parsePod({ metadata: { name: "p", labels: LABELS, annotations: { "wadi.dev/slots": "2" }, ...metadata }, spec, status });
}

const ended = (terminated: object, more: object = {}): PodSeen =>
  pod({ phase: "Failed", containerStatuses: [{ name: "worker", state: { terminated } }], ...more }, { nodeName: "n" });

function node(name: string, spec: object = {}, more: object = {}): NodeSeen {
  const conditions = [{ type: "Ready", status: "True" }];
  return parseNode({
    metadata: { name, labels: { pool: "x" } },
    spec,
    status: { allocatable: { cpu: "4", memory: "8Gi", pods: "10" }, conditions, ...more },
  });
}

describe("quantities of Kubernetes", () => {
  it("are read and written", () => {
    const cases: [string, number | undefined][] = [
      ["900m", 0.9],
      ["1", 1],
      ["1.5", 1.5],
      ["2Gi", 2 ** 31],
      ["1e3", 1000],
      ["12E", 12e18],
      ["100M", 1e8],
      ["x", undefined],
      ["1 Gi", undefined],
      ["", undefined],
    ];
    for (const [text, amount] of cases) expect(readQuantity(text), text).to.equal(amount);
    expect([cpuQuantity(2000), cpuQuantity(900), memoryQuantity(2 ** 30), memoryQuantity(1000)]).to.deep.equal([
      "2",
      "900m",
      "1024Mi",
      "1000",
    ]);
  });
});

describe("ends of pods", () => {
  const cases: [string, PodSeen, object][] = [
    ["success", ended({ exitCode: 0, reason: "Completed" }), { code: 0, signal: undefined, outOfMemory: false, reason: "exit code 0" }],
    ["an exit code", ended({ exitCode: 3, reason: "Error" }), { code: 3, signal: undefined, outOfMemory: false, reason: "exit code 3" }],
    [
      "out of memory",
      ended({ exitCode: 137, reason: "OOMKilled" }),
      {
        code: undefined,
        signal: "SIGKILL",
        outOfMemory: true,
        reason: "out of memory: killed by the system at the memory limit of its container",
      },
    ],
    [
      "a signal as an exit code",
      ended({ exitCode: 139, reason: "Error" }),
      { code: undefined, signal: "SIGSEGV", outOfMemory: false, reason: "ended by SIGSEGV" },
    ],
    [
      "a program that is not there",
      ended({ exitCode: 128, reason: "StartError" }),
      { code: 128, signal: undefined, outOfMemory: false, reason: "exit code 128 (StartError)" },
    ],
    [
      "preemption",
      ended(
        { exitCode: 143, reason: "Error" },
        { conditions: [{ type: "DisruptionTarget", status: "True", reason: "PreemptionByScheduler" }] },
      ),
      { code: undefined, signal: "SIGTERM", outOfMemory: false, reason: "preempted by a pod of higher priority; ended by SIGTERM" },
    ],
    [
      "an eviction before its start",
      pod({ phase: "Failed", reason: "Evicted", message: "Pod was rejected" }),
      { code: undefined, signal: undefined, outOfMemory: false, reason: "evicted by its node: Pod was rejected" },
    ],
  ];
  for (const [what, seen, exit] of cases) it(`${what} is told`, () => expect(exitOf(seen)).to.deep.equal(exit));
});

describe("phases of pods", () => {
  it("follow the pod from promise to end", () => {
    const phase = (seen: PodSeen, at?: NodeSeen) => workerOf(seen, at)?.phase;
    expect(phase(pod({}))).to.equal("placing");
    expect(phase(pod({}, { nodeName: "n" }))).to.equal("starting");
    const runs = { phase: "Running", containerStatuses: [{ name: "worker", state: { running: {} } }] };
    expect(phase(pod(runs, { nodeName: "n" }))).to.equal("running");
    expect(phase(pod(runs, { nodeName: "n" }, { deletionTimestamp: "2026-01-01T00:00:00Z" }))).to.equal("stopping");
    expect(phase(pod(runs, { nodeName: "n" }), node("n", {}, { conditions: [{ type: "Ready", status: "Unknown" }] }))).to.equal("lost");
    expect(phase(ended({ exitCode: 0 }))).to.equal("exited");
    expect(workerOf(parsePod({ metadata: { name: "x" }, spec: {} }), undefined)).to.equal(undefined);
  });

  it("promise what a Job has no pod for yet, and nothing for what has ended", () => {
    const job = (status: object) => parseJob({ metadata: { name: "j", labels: LABELS }, spec: { parallelism: 3 }, status });
    expect(promisedWorkers(job({}), []).map(({ handle, phase }) => [handle, phase])).to.deep.equal(
      [0, 1, 2].map((index) => [`j-${index}`, "placing"]),
    );
    expect(promisedWorkers(job({ failed: 1 }), [])).to.have.length(2);
    expect(promisedWorkers(job({ conditions: [{ type: "Failed", status: "True" }] }), [])).to.deep.equal([]);
  });
});

describe("why workers are not placed", () => {
  const job = parseJob({ metadata: { name: "j", labels: LABELS }, spec: { parallelism: 4 } });
  const refused = (message: string): PodSeen =>
    pod({ conditions: [{ type: "PodScheduled", status: "False", reason: "Unschedulable", message }] });
  const placed = pod({ phase: "Running" }, { nodeName: "n" });

  it("is told with numbers, the same reason once", () => {
    const message = "0/3 nodes are available: 3 Insufficient memory. preemption: 0/3 nodes are available: 3 No preemption victims found.";
    expect(describePlacement(job, [placed, placed, refused(message), refused(message)], "")).to.deep.equal({
      missing: 2,
      reason: "2 of 4 workers not placed: 0/3 nodes are available: 3 Insufficient memory",
    });
    expect(describePlacement(job, [placed, placed, placed, placed], "")).to.deep.equal({ missing: 0, reason: "" });
    expect(describePlacement(job, [placed], "exceeded quota").reason).to.equal(
      "3 of 4 workers not placed: its pod cannot be made: exceeded quota",
    );
  });

  it("names three reasons at most", () => {
    expect(countReasons(["a", "b", "b", "c", "d"], 6, "not placed")).to.equal("5 of 6 workers not placed: 2: b; 1: a; 1: c; and more");
  });
});

describe("room on nodes", () => {
  const needs = { cpuMillis: 1000, memoryBytes: 2 ** 30, nodeSelector: {}, tolerations: [] };
  const user = pod(
    { phase: "Running" },
    { nodeName: "a", containers: [{ name: "c", resources: { requests: { cpu: "2500m", memory: "1Gi" } } }] },
  );

  it("is what is left of nodes that the pod may use", () => {
    expect(roomFor(4, needs, [node("a"), node("b")], [user])).to.deep.equal({ fits: 4, reason: "" });
    expect(roomFor(9, needs, [node("a"), node("b", { unschedulable: true })], [user])).to.deep.equal({
      fits: 1,
      reason: "1 of 2 nodes: cordoned; 1 of 2 nodes: processors exhausted",
    });
    const tainted = node("c", { taints: [{ key: "spot", effect: "NoSchedule" }] });
    expect(roomFor(1, needs, [tainted], []).reason).to.equal("1 of 1 nodes: taint spot is not tolerated");
    expect(roomFor(1, { ...needs, tolerations: [{ key: "spot", operator: "Exists" }] }, [tainted], []).fits).to.equal(1);
    expect(roomFor(1, { ...needs, nodeSelector: { pool: "y" } }, [node("a")], []).reason).to.equal("1 of 1 nodes: no label pool=y");
    expect(roomFor(1, needs, [], []).reason).to.equal("there are no nodes");
    expect(useOf(node("a"), [user]).cpuMillis).to.deep.equal({ total: 4000, used: 2500 });
  });
});

describe("drains of nodes", () => {
  it("are cordons, taints that evict and taints that tell of the end", () => {
    const keys = ["spot-notice"];
    expect(drainOf(node("a"), keys)).to.equal(undefined);
    expect(drainOf(node("a", { unschedulable: true }), keys)?.reason).to.equal("it is cordoned");
    expect(drainOf(node("a", { taints: [{ key: "x", value: "y", effect: "NoExecute" }] }), keys)?.reason).to.equal("taint x=y:NoExecute");
    expect(drainOf(node("a", { taints: [{ key: "spot-notice", effect: "PreferNoSchedule" }] }), keys)?.reason).to.equal(
      "taint spot-notice:PreferNoSchedule",
    );
    expect(drainOf(node("a", { taints: [{ key: "x", effect: "NoSchedule" }] }), keys)).to.equal(undefined);
    expect(drainOf(node("a", { taints: [{ key: "node.kubernetes.io/unreachable", effect: "NoExecute" }] }), keys)).to.equal(undefined);
  });
});
