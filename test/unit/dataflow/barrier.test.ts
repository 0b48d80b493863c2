/** When an operator with several inputs has met a barrier on all of them. */
import { expect } from "chai";
import { BarrierAligner } from "../../../src/dataflow/barrier.ts";

describe("barrier aligner", () => {
  it("blocks the inputs that have delivered until all have", () => {
    const aligner = new BarrierAligner(3);
    expect(aligner.barrier(1, 5)).to.equal(undefined);
    expect([0, 1, 2].map((i) => aligner.blocked(i))).to.deep.equal([false, true, false]);
    expect(aligner.barrier(0, 5)).to.equal(undefined);
    expect(aligner.barrier(2, 5)).to.equal(5);
    expect([0, 1, 2].map((i) => aligner.blocked(i))).to.deep.equal([false, false, false]);
  });

  it("counts an ended input as aligned, now and for every later epoch", () => {
    const aligner = new BarrierAligner(2);
    expect(aligner.barrier(0, 1)).to.equal(undefined);
    expect(aligner.end(1)).to.equal(1);
    expect(aligner.barrier(0, 2)).to.equal(2);
    expect(aligner.end(0)).to.equal(undefined);
  });

  it("aligns at once with a single input", () => {
    expect(new BarrierAligner(1).barrier(0, 9)).to.equal(9);
  });

  it("refuses a second barrier on a blocked input, and another epoch", () => {
    const aligner = new BarrierAligner(2);
    aligner.barrier(0, 1);
    expect(() => aligner.barrier(0, 2)).to.throw("must wait");
    expect(() => aligner.barrier(1, 2)).to.throw("while barrier 1 is being aligned");
  });
});
