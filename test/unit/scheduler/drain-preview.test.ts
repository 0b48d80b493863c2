/** What a drain would do, as people are told before. */
import { expect } from "chai";
import type { JobId, NodeId, RunId } from "../../../src/core/ids.ts";
import { previewDrain } from "../../../src/scheduler/drain-preview.ts";
import type { WorkerView } from "../../../src/scheduler/scheduler.ts";
import type { NodeView, SchedulerView } from "../../../src/scheduler/view.ts";

const SLOT = { cpuMillis: 1_000, memoryBytes: 1 << 30 };

function node(id: string, more: Partial<NodeView> = {}): NodeView {
  const none = { address: "", pool: "", zone: "", drainDeadlineMs: undefined, cpu: undefined, memory: undefined, slots: undefined };
  return { id, name: `name-${id}`, state: "ready", release: "", attributes: {}, link: undefined, ...none, ...more };
}

function worker(run: string, slots: number, on: string | undefined, phase: WorkerView["phase"] = "running"): WorkerView {
  const key = { job: `job_${run}` as JobId, run: `run_${run}` as RunId, fence: 1n };
  const place = { node: on as NodeId | undefined, phase, exit: undefined, note: "", link: undefined };
  return { ...key, ...place, handle: `${run}${on}${slots}`, worker: undefined, slots };
}

function view(nodes: readonly NodeView[], workers: readonly WorkerView[]): SchedulerView {
  const rest = { trouble: "", version: "", place: {}, syncedAtMs: undefined, runs: [], services: [] };
  return { scheduler: "nodes", link: "live", nodes, workers, ...rest };
}

describe("preview of a drain", () => {
  it("gives room elsewhere to the smallest runs first, and counts a run as a whole", () => {
    const nodes = [
      node("a"),
      node("b", { slots: { total: 8, used: 3 } }),
      node("c", { state: "ineligible", slots: { total: 9, used: 0 } }),
    ];
    const workers = [
      worker("big", 2, "a"),
      worker("big", 2, "b"),
      worker("small", 2, "a"),
      worker("elsewhere", 1, "b"),
      worker("over", 1, "a", "exited"),
    ];
    const preview = previewDrain("a", view(nodes, workers), SLOT);
    expect(preview?.freeSlots).to.equal(5);
    expect(preview?.runs).to.deep.equal([
      {
        job: "job_small",
        run: "run_small",
        workers: 1,
        slots: 2,
        how: "make-before-break",
        reason: "2 slots needed elsewhere, 5 free on 1 machine",
      },
      {
        job: "job_big",
        run: "run_big",
        workers: 1,
        slots: 4,
        how: "checkpoint-then-move",
        reason: "4 slots needed elsewhere, 3 free on 1 machine",
      },
    ]);
  });

  it("counts slots by processor and memory where a machine has no slots, and says when one does not tell", () => {
    const cpu = { total: 8_000, used: 2_000 };
    const memory = { total: 10 * SLOT.memoryBytes, used: 6 * SLOT.memoryBytes };
    const workers = [worker("one", 4, "a")];
    const told = previewDrain("name-a", view([node("a"), node("b", { cpu, memory })], workers), SLOT);
    expect(told?.runs[0]).to.deep.include({ how: "make-before-break", reason: "4 slots needed elsewhere, 4 free on 1 machine" });
    const silent = previewDrain("a", view([node("a"), node("b"), node("c", { cpu })], workers), SLOT);
    expect(silent).to.deep.include({ freeSlots: undefined });
    expect(silent?.runs[0]?.reason).to.equal("4 slots needed elsewhere, 6 free on 2 machines, as far as machines tell");
  });

  it("knows that a machine alone has nowhere to move to, and machines that do not exist", () => {
    const alone = previewDrain("a", view([node("a")], [worker("one", 1, "a")]), SLOT);
    expect(alone?.runs[0]).to.deep.include({ how: "checkpoint-then-move", reason: "there is no other machine that is ready" });
    expect(previewDrain("z", view([node("a")], []), SLOT)).to.equal(undefined);
  });

  it("counts whole processors where slots have some of their own", () => {
    const cpu = (used: number) => ({ cpu: { total: 8_000, used }, memory: { total: 64 * 2 ** 30, used: 0 }, attributes: { cores: "4" } });
    const nodes = [node("a"), node("b", cpu(4_000))];
    const free = (cores: number) => previewDrain("a", view(nodes, [worker("one", 1, "a")]), { ...SLOT, memoryBytes: 1, cores })?.freeSlots;
    expect([free(1), free(2), free(3), free(0)]).to.deep.equal([2, 1, 0, 4]);
    const silent = previewDrain("a", view([node("a"), node("b", { ...cpu(0), attributes: {} })], [worker("one", 1, "a")]), {
      ...SLOT,
      cores: 1,
    });
    expect(silent?.freeSlots, "by memory alone").to.equal(64);
  });
});
