/** Slots to workers and subtasks to slots: fits, is even, contiguous, and the same in whatever order workers came. */
import { expect } from "chai";
import fc from "fast-check";
import { missingSlots, type OfferedSlots, placeSubtasks, sizeWorkers, workerOfSubtasks } from "../../../src/scheduler/placement.ts";

const offer = (...slots: number[]): OfferedSlots[] => slots.map((n, i) => ({ worker: `wk_${i}`, slots: n }));
const counts = (parallelism: number, offered: readonly OfferedSlots[]) =>
  placeSubtasks(parallelism, offered)?.map(({ worker, first, count }) => `${worker}:${first}+${count}`);

const offers = fc
  .uniqueArray(fc.tuple(fc.string({ minLength: 1, maxLength: 4 }), fc.integer({ min: 1, max: 40 })), {
    selector: ([worker]) => worker,
    minLength: 1,
    maxLength: 12,
  })
  .map((pairs) => pairs.map(([worker, slots]): OfferedSlots => ({ worker, slots })));

describe("placement", () => {
  it("takes as few workers as possible and makes them even", () => {
    expect(sizeWorkers(1, 16)).to.deep.equal([1]);
    expect(sizeWorkers(16, 16)).to.deep.equal([16]);
    expect(sizeWorkers(17, 16)).to.deep.equal([9, 8]);
    expect(sizeWorkers(7, 2)).to.deep.equal([2, 2, 2, 1]);
    expect(() => sizeWorkers(0, 1)).to.throw("0 slots");
    expect(() => sizeWorkers(1, 0)).to.throw("cannot have 0 slots");
  });

  it("gives each worker a range, even as far as the offers allow", () => {
    expect(counts(4, offer(2, 2))).to.deep.equal(["wk_0:0+2", "wk_1:2+2"]);
    expect(counts(5, offer(4, 4, 4))).to.deep.equal(["wk_0:0+2", "wk_1:2+2", "wk_2:4+1"]);
    expect(counts(8, offer(1, 16, 4))).to.deep.equal(["wk_0:0+1", "wk_1:1+4", "wk_2:5+3"]);
    expect(counts(6, offer(1, 4, 1))).to.deep.equal(["wk_0:0+1", "wk_1:1+4", "wk_2:5+1"]);
  });

  it("leaves out workers for which nothing is left", () => {
    expect(counts(2, offer(1, 1, 1))).to.deep.equal(["wk_0:0+1", "wk_1:1+1"]);
  });

  it("says how many slots are missing, and places nothing then", () => {
    expect(missingSlots(8, offer(4, 1))).to.equal(3);
    expect(placeSubtasks(8, offer(4, 1))).to.equal(undefined);
    expect(placeSubtasks(1, [])).to.equal(undefined);
  });

  it("refuses what is a defect of the caller", () => {
    expect(() => placeSubtasks(0, offer(1))).to.throw("parallelism 0");
    expect(() => placeSubtasks(5000, offer(9999))).to.throw("parallelism 5000");
    expect(() => placeSubtasks(1, [...offer(1), ...offer(1)])).to.throw("twice");
  });

  it("tells the worker of every subtask", () => {
    expect(workerOfSubtasks(placeSubtasks(5, offer(4, 4, 4)) ?? [])).to.deep.equal([0, 0, 1, 1, 2]);
  });

  it("covers all subtasks once, within the offers, evenly, for any offers in any order", () => {
    fc.assert(
      fc.property(offers, fc.integer({ min: 1, max: 300 }), fc.infiniteStream(fc.nat()), (offered, parallelism, order) => {
        const placed = placeSubtasks(parallelism, offered);
        const total = offered.reduce((sum, { slots }) => sum + slots, 0);
        if (placed === undefined) {
          expect(total).to.be.below(parallelism);
          expect(missingSlots(parallelism, offered)).to.equal(parallelism - total);
          return;
        }
        let next = 0;
        for (const { first, count } of placed) {
          expect(first).to.equal(next);
          next += count;
        }
        expect(next).to.equal(parallelism);
        const countOf = (worker: string) => placed.find((one) => one.worker === worker)?.count ?? 0;
        const most = Math.max(...placed.map(({ count }) => count));
        for (const { worker, slots } of offered) {
          expect(countOf(worker)).to.be.at.most(slots);
          if (countOf(worker) < slots) expect(countOf(worker)).to.be.at.least(most - 1);
        }
        expect(placed.map(({ worker }) => worker)).to.deep.equal(placed.map(({ worker }) => worker).sort((a, b) => (a < b ? -1 : 1)));
        const keys = new Map(offered.map(({ worker }) => [worker, order.next().value ?? 0]));
        const shuffled = [...offered].sort((a, b) => (keys.get(a.worker) ?? 0) - (keys.get(b.worker) ?? 0));
        expect(placeSubtasks(parallelism, shuffled)).to.deep.equal(placed);
      }),
      { numRuns: 500 },
    );
  });

  it("sizes workers so that they can be placed on what was sized", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4096 }), fc.integer({ min: 1, max: 64 }), (slots, perWorker) => {
        const sizes = sizeWorkers(slots, perWorker);
        expect(sizes.reduce((sum, size) => sum + size, 0)).to.equal(slots);
        expect(Math.max(...sizes)).to.be.at.most(perWorker);
        expect(Math.max(...sizes) - Math.min(...sizes)).to.be.at.most(1);
        const placed = placeSubtasks(
          slots,
          sizes.map((size, i) => ({ worker: `wk_${String(i).padStart(4, "0")}`, slots: size })),
        );
        expect(placed?.map(({ count }) => count)).to.deep.equal(sizes);
      }),
      { numRuns: 60 },
    );
  });
});
