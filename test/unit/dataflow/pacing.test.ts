/** Barriers by row count, and when a source counts as idle. */
import { expect } from "chai";
import { IdlenessTimer } from "../../../src/dataflow/idleness.ts";
import { RowPacing } from "../../../src/dataflow/row-pacing.ts";

describe("row pacing", () => {
  it("gives barrier k room for k times N rows since the restored epoch", () => {
    const pacing = new RowPacing(100, 7);
    expect(pacing.room(8)).to.equal(100);
    pacing.read(60);
    expect(pacing.room(8)).to.equal(40);
    pacing.read(40);
    expect(pacing.room(8)).to.equal(0);
    expect(pacing.room(9)).to.equal(100);
  });

  it("never holds back a source without a row count", () => {
    expect(new RowPacing(0, 3).room(4)).to.equal(Number.POSITIVE_INFINITY);
  });
});

describe("idleness timer", () => {
  it("is idle only after polls have found nothing for the whole time", () => {
    const timer = new IdlenessTimer(1000, false, 0);
    expect(timer.isIdle(999)).to.equal(false);
    expect(timer.isIdle(1000)).to.equal(true);
    timer.found(1500);
    expect(timer.isIdle(2000)).to.equal(false);
    expect(timer.dueInMs(2000)).to.equal(500);
  });

  it("is never idle for a bounded source or without a limit", () => {
    expect(new IdlenessTimer(10, true, 0).isIdle(1e9)).to.equal(false);
    expect(new IdlenessTimer(0, false, 0).isIdle(1e9)).to.equal(false);
    expect(new IdlenessTimer(0, false, 0).dueInMs(5)).to.equal(undefined);
  });
});
