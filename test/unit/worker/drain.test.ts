/** When a worker is empty. */
import { expect } from "chai";
import type { SlotProgress } from "../../../src/dataflow/slot-contract.ts";
import { BEFORE_TIME } from "../../../src/dataflow/watermark.ts";
import { Drain } from "../../../src/worker/drain.ts";

/** A slot that has written `rows` and has `queueBytes` waiting. */
function slot(rows: number, queueBytes = 0): SlotProgress {
  const stats = { rowsIn: rows, rowsOut: rows, filtered: 0, late: 0, bad: 0, keys: 0, stateBytes: 0, flushes: 0 };
  const counts = { bytesIn: 0, bytesOut: 0, queueBytes, blockedMs: 0 };
  const vertex = { vertex: 0, stats, watermarkNs: BEFORE_TIME, holder: undefined, idle: false, ended: false, ...counts };
  return { vertices: [vertex], rowsRead: rows, rowsWritten: rows, blockedMs: 0, stateBytes: 0, epoch: 0 };
}

describe("drain", () => {
  it("is over when nothing waits and nothing has moved for a second", () => {
    const drain = new Drain(0);
    expect(drain.isEmpty([slot(1)], 100)).to.equal(false);
    expect(drain.isEmpty([slot(1)], 1_099)).to.equal(false);
    expect(drain.isEmpty([slot(1)], 1_100)).to.equal(true);
  });

  it("begins anew whenever rows move in any slot", () => {
    const drain = new Drain(0);
    drain.isEmpty([slot(1), slot(1)], 0);
    expect(drain.isEmpty([slot(1), slot(2)], 900)).to.equal(false);
    expect(drain.isEmpty([slot(1), slot(2)], 1_800)).to.equal(false);
    expect(drain.isEmpty([slot(1), slot(2)], 1_900)).to.equal(true);
  });

  it("is not over while bytes wait", () => {
    const drain = new Drain(0);
    for (let ms = 0; ms < 5_000; ms += 250) expect(drain.isEmpty([slot(1, 10)], ms)).to.equal(false);
    expect(drain.isEmpty([slot(1)], 5_750)).to.equal(true);
  });
});
