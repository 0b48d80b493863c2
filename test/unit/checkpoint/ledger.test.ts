/** The row ledger finds every lost and every doubled row, and says where. */
import { expect } from "chai";
import { checkLedger, countsSince, ledgerError, NO_ROWS, sumCounts } from "../../../src/checkpoint/ledger.ts";
import { Prng } from "../../../src/core/prng.ts";
import { sampleManifest } from "../../support/checkpoint-samples.ts";

describe("checkLedger", () => {
  it("is silent when rows balance, also for operators that make rows of their own", () => {
    expect(checkLedger(sampleManifest())).to.deep.equal([]);
  });

  it("finds one wrong count, whichever it is", () => {
    const manifest = sampleManifest();
    for (const field of ["rowsIn", "rowsOut", "filtered", "late", "bad"] as const) {
      for (const by of [1, -1]) {
        const vertices = manifest.vertices.map((v) => (v.rowWise ? { ...v, counts: { ...v.counts, [field]: v.counts[field] + by } } : v));
        const found = checkLedger({ ...manifest, vertices });
        expect(found).to.have.length(1);
        expect(found[0]).to.include({ kind: "vertex", vertex: 0, missing: field === "rowsIn" ? by : -by });
      }
    }
    for (const field of ["sent", "received"] as const) {
      const edges = manifest.edges.map((edge) => ({ ...edge, [field]: edge[field] + 2 }));
      expect(checkLedger({ ...manifest, edges })).to.deep.equal([{ kind: "edge", edge: edges[0], missing: field === "sent" ? 2 : -2 }]);
    }
  });

  it("words the alarm with vertex, edge and numbers", () => {
    const counts = { rowsIn: 10, rowsOut: 6, filtered: 2, late: 0, bad: 1 };
    const error = ledgerError(
      4,
      checkLedger({
        vertices: [{ vertex: 2, name: "filter", rowWise: true, counts }],
        edges: [{ edge: 1, source: 2, target: 3, sent: 6, received: 7 }],
      }),
    );
    expect(error.code).to.equal("ledger-imbalance");
    expect(error.message).to.equal(
      'rows do not balance in epoch 4: vertex 2 "filter" has 10 rows in but 6 out, 2 filtered, 0 late, 1 bad (1 lost)',
    );
    expect(error.detail).to.contain("edge 1 from vertex 2 to vertex 3 sent 6 rows and received 7 (1 too many)");
  });

  it("counts epochs as differences of growing counters", () => {
    const prng = new Prng(1);
    let total = NO_ROWS;
    for (let epoch = 0; epoch < 50; epoch++) {
      const part = { rowsIn: prng.below(99), rowsOut: prng.below(99), filtered: prng.below(9), late: prng.below(9), bad: prng.below(9) };
      const before = total;
      total = sumCounts([total, part]);
      expect(countsSince(total, before)).to.deep.equal(part);
    }
  });
});
