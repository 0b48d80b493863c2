/** Processor use of workers, from what their heartbeats tell. */
import { expect } from "chai";
import { CpuMeter } from "../../../src/controller/cpu-meter.ts";

describe("the processor use of a worker", () => {
  it("is what it used between two heartbeats, in thousandths of a processor", () => {
    const meter = new CpuMeter();
    expect(meter.heard("wk_a", 5_000_000, 1_000), "nothing to compare with").to.equal(undefined);
    expect(meter.heard("wk_a", 8_000_000, 3_000)).to.equal(1_500);
    expect(meter.heard("wk_a", 8_000_000, 5_000)).to.equal(0);
    expect(meter.heard("wk_b", 1_000_000, 5_000), "of another").to.equal(undefined);
  });

  it("is not known of one that does not tell, started afresh or was heard twice at once", () => {
    const meter = new CpuMeter();
    expect(meter.heard("wk_a", 0, 0)).to.equal(undefined);
    meter.heard("wk_a", 4_000_000, 1_000);
    expect(meter.heard("wk_a", 4_100_000, 1_001)).to.equal(undefined);
    expect(meter.heard("wk_a", 1_000_000, 3_000)).to.equal(undefined);
    expect(meter.heard("wk_a", 2_000_000, 4_000)).to.equal(1_000);
    meter.forget("wk_a");
    expect(meter.heard("wk_a", 3_000_000, 5_000)).to.equal(undefined);
  });
});
