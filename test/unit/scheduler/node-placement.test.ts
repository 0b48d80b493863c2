/** Workers on nodes: spread, split where they do not fit, and never more than there is. */
import { expect } from "chai";
import fc from "fast-check";
import { placeWorkers } from "../../../src/scheduler/node/placement.ts";

const offer = (node: string, free: number, hasArtifact = false) => ({ node, free, hasArtifact });

describe("placement over nodes", () => {
  it("spreads workers of a run over the nodes", () => {
    expect(placeWorkers(8, 2, [offer("a", 8), offer("b", 8)])).to.deep.equal([
      { node: "a", slots: 2 },
      { node: "b", slots: 2 },
      { node: "a", slots: 2 },
      { node: "b", slots: 2 },
    ]);
  });

  it("prefers a machine that has the artifact among equals", () => {
    expect(placeWorkers(1, 4, [offer("a", 4), offer("b", 4, true)])).to.deep.equal([{ node: "b", slots: 1 }]);
    expect(placeWorkers(1, 4, [offer("a", 5), offer("b", 4, true)])).to.deep.equal([{ node: "a", slots: 1 }]);
  });

  it("splits a worker that fits nowhere as a whole", () => {
    expect(placeWorkers(4, 4, [offer("a", 3), offer("b", 1)])).to.deep.equal([
      { node: "a", slots: 3 },
      { node: "b", slots: 1 },
    ]);
  });

  it("places nothing where slots are missing, or there is no node", () => {
    expect(placeWorkers(5, 4, [offer("a", 3), offer("b", 1)])).to.equal(undefined);
    expect(placeWorkers(1, 4, [])).to.equal(undefined);
  });

  it("gives each node no more than it has, and all slots in all", () => {
    const offers = fc.array(fc.nat({ max: 20 }), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(offers, fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 8 }), (free, slots, perWorker) => {
        const nodes = free.map((count, index) => offer(`n${index}`, count));
        const placed = placeWorkers(slots, perWorker, nodes);
        const capacity = free.reduce((sum, count) => sum + count, 0);
        if (capacity < slots) {
          expect(placed).to.equal(undefined);
          return;
        }
        for (const { node, free: count } of nodes) {
          const given = (placed ?? []).filter((one) => one.node === node).reduce((sum, one) => sum + one.slots, 0);
          expect(given).to.be.at.most(count);
        }
        expect((placed ?? []).reduce((sum, one) => sum + one.slots, 0)).to.equal(slots);
        for (const one of placed ?? []) expect(one.slots).to.be.within(1, perWorker);
      }),
      { numRuns: 200 },
    );
  });
});
