/** Event time over several inputs, and who holds it back. */
import { expect } from "chai";
import fc from "fast-check";
import { BEFORE_TIME, END_OF_TIME, WatermarkTracker } from "../../../src/dataflow/watermark.ts";

const HOLDER = { vertex: 0, partition: 3 };

describe("watermark tracker", () => {
  it("is the minimum over its inputs, with the holder of the slowest", () => {
    const tracker = new WatermarkTracker(2);
    expect(tracker.advance(0, 10n, { vertex: 0, partition: 1 }).advanced).to.equal(false);
    expect(tracker.ns).to.equal(BEFORE_TIME);
    expect(tracker.behind).to.equal(1);
    expect(tracker.advance(1, 7n, HOLDER).advanced).to.equal(true);
    expect(tracker.ns).to.equal(7n);
    expect(tracker.holder).to.deep.equal(HOLDER);
  });

  it("leaves idle inputs out and takes them back in when they wake", () => {
    const tracker = new WatermarkTracker(2);
    tracker.advance(0, 10n, HOLDER);
    expect(tracker.setIdle(1)).to.deep.equal({ advanced: true, idleChanged: false });
    expect(tracker.ns).to.equal(10n);
    tracker.wake(1);
    expect(tracker.advance(0, 20n, HOLDER).advanced).to.equal(false);
    expect(tracker.advance(1, 15n, HOLDER).advanced).to.equal(true);
    expect(tracker.ns).to.equal(15n);
  });

  it("keeps its time while all inputs are idle, and says so", () => {
    const tracker = new WatermarkTracker(2);
    tracker.advance(0, 5n, HOLDER);
    tracker.advance(1, 5n, HOLDER);
    tracker.setIdle(0);
    expect(tracker.setIdle(1)).to.deep.equal({ advanced: false, idleChanged: true });
    expect(tracker.idle).to.equal(true);
    expect(tracker.ns).to.equal(5n);
    expect(tracker.wake(0).idleChanged).to.equal(true);
  });

  it("stands at the end of time when all inputs have ended", () => {
    const tracker = new WatermarkTracker(2);
    tracker.advance(1, 5n, HOLDER);
    expect(tracker.end(0).advanced).to.equal(true);
    expect(tracker.ns).to.equal(5n);
    tracker.end(1);
    expect(tracker.ns).to.equal(END_OF_TIME);
    expect(tracker.ended).to.equal(true);
  });

  it("reports nothing at or below a restored time", () => {
    const tracker = new WatermarkTracker(1);
    tracker.restore(100n);
    expect(tracker.advance(0, 60n, HOLDER).advanced).to.equal(false);
    expect(tracker.ns).to.equal(100n);
    expect(tracker.advance(0, 101n, HOLDER).advanced).to.equal(true);
  });

  it("never goes back, and is never above an input that is neither idle nor ended", () => {
    const step = fc.tuple(fc.constantFrom("advance", "idle", "wake", "end"), fc.nat(2), fc.bigInt(0n, 50n));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const tracker = new WatermarkTracker(3);
        const ended = [false, false, false];
        let before = tracker.ns;
        for (const [kind, input, ns] of steps) {
          if (ended[input] === true) continue;
          if (kind === "advance") tracker.advance(input, ns, undefined);
          else if (kind === "idle") tracker.setIdle(input);
          else if (kind === "wake") tracker.wake(input);
          else {
            tracker.end(input);
            ended[input] = true;
          }
          expect(tracker.ns >= before).to.equal(true);
          before = tracker.ns;
        }
      }),
    );
  });
});
