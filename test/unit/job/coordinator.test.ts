/** The coordinator's steps: epochs in order, stops, failures. */
import { expect } from "chai";
import fc from "fast-check";
import {
  type CoordinatorConfig,
  type CoordinatorEffect,
  type CoordinatorEvent,
  type CoordinatorState,
  startCoordinator,
  stepCoordinator,
} from "../../../src/job/coordinator.ts";

const CONFIG: CoordinatorConfig = { vertices: 3, parallelism: 2, restoredEpoch: 0, byRows: false, stopAfterCheckpoint: undefined };

class Driver {
  state: CoordinatorState;
  readonly effects: CoordinatorEffect[] = [];

  constructor(config: Partial<CoordinatorConfig> = {}) {
    this.state = startCoordinator({ ...CONFIG, ...config });
    this.feed({ kind: "slot-ready", subtask: 0 }, { kind: "slot-ready", subtask: 1 });
  }

  feed(...events: CoordinatorEvent[]): CoordinatorEffect[] {
    const before = this.effects.length;
    for (const event of events) {
      const step = stepCoordinator(this.state, event);
      this.state = step.state;
      this.effects.push(...step.effects);
    }
    return this.effects.slice(before);
  }

  reportAll(epoch: number): CoordinatorEffect[] {
    return this.feed(...Array.from({ length: 6 }, (_, i) => ({ kind: "vertex-reported" as const, epoch, vertex: i >> 1, subtask: i & 1 })));
  }

  commitAll(epoch: number): CoordinatorEffect[] {
    return this.feed({ kind: "slot-committed", epoch, subtask: 0 }, { kind: "slot-committed", epoch, subtask: 1 });
  }
}

describe("coordinator", () => {
  it("lets the slots run once all are ready", () => {
    expect(new Driver().effects).to.deep.equal([{ kind: "run" }]);
  });

  it("takes an epoch from trigger to completion, commit and retention", () => {
    const driver = new Driver();
    expect(driver.feed({ kind: "checkpoint-due" })).to.deep.equal([{ kind: "trigger", epoch: 1, stop: false }]);
    expect(driver.feed({ kind: "checkpoint-due" })).to.deep.equal([]);
    expect(driver.reportAll(1)).to.deep.equal([{ kind: "complete", epoch: 1, final: false }]);
    expect(driver.feed({ kind: "epoch-recorded", epoch: 1 })).to.deep.equal([{ kind: "commit", epoch: 1 }]);
    expect(driver.commitAll(1)).to.deep.equal([{ kind: "retain", epoch: 1 }]);
    expect(driver.feed({ kind: "checkpoint-due" })).to.deep.equal([{ kind: "trigger", epoch: 2, stop: false }]);
  });

  it("completes epochs in order, whatever the order of the reports", () => {
    const driver = new Driver({ byRows: true });
    driver.feed({ kind: "epoch-started", epoch: 1 }, { kind: "epoch-started", epoch: 2 });
    expect(driver.reportAll(2)).to.deep.equal([]);
    expect(driver.reportAll(1)).to.deep.equal([{ kind: "complete", epoch: 1, final: false }]);
    expect(driver.feed({ kind: "epoch-recorded", epoch: 1 })).to.deep.equal([{ kind: "commit", epoch: 1 }]);
    expect(driver.commitAll(1)).to.deep.equal([
      { kind: "retain", epoch: 1 },
      { kind: "complete", epoch: 2, final: false },
    ]);
  });

  it("makes a last checkpoint when all slots have ended, then finishes", () => {
    const driver = new Driver();
    driver.feed({ kind: "slot-ended", subtask: 0 });
    expect(driver.feed({ kind: "slot-ended", subtask: 1 })).to.deep.equal([{ kind: "trigger", epoch: 1, stop: true }]);
    expect(driver.reportAll(1)).to.deep.equal([{ kind: "complete", epoch: 1, final: true }]);
    driver.feed({ kind: "epoch-recorded", epoch: 1 });
    expect(driver.commitAll(1)).to.deep.equal([
      { kind: "retain", epoch: 1 },
      { kind: "close", finished: true },
    ]);
    driver.feed({ kind: "slot-closed", subtask: 0 });
    expect(driver.feed({ kind: "slot-closed", subtask: 1 })).to.deep.equal([{ kind: "done", outcome: "finished", error: undefined }]);
  });

  it("checkpoints and closes when it is told to stop, also while an epoch is under way", () => {
    const driver = new Driver();
    driver.feed({ kind: "checkpoint-due" });
    expect(driver.feed({ kind: "stop-requested" })).to.deep.equal([{ kind: "trigger", epoch: 2, stop: true }]);
    driver.reportAll(1);
    driver.feed({ kind: "epoch-recorded", epoch: 1 });
    driver.reportAll(2);
    expect(driver.commitAll(1)).to.deep.equal([
      { kind: "retain", epoch: 1 },
      { kind: "complete", epoch: 2, final: false },
    ]);
    driver.feed({ kind: "epoch-recorded", epoch: 2 });
    expect(driver.commitAll(2).at(-1)).to.deep.equal({ kind: "close", finished: false });
  });

  it("stops once the epoch it was told to stop after is committed", () => {
    const driver = new Driver({ byRows: true, stopAfterCheckpoint: 1 });
    driver.feed({ kind: "epoch-started", epoch: 1 });
    driver.reportAll(1);
    driver.feed({ kind: "epoch-recorded", epoch: 1 });
    expect(driver.commitAll(1).at(-1)).to.deep.equal({ kind: "close", finished: false });
  });

  it("closes at once when the epoch to stop after was complete before", () => {
    const driver = new Driver({ restoredEpoch: 4, stopAfterCheckpoint: 3 });
    expect(driver.effects).to.deep.equal([{ kind: "run" }, { kind: "close", finished: false }]);
  });

  it("ends with the first failure and ignores what comes later", () => {
    const driver = new Driver();
    const error = { domain: "internal", code: "slot-failed", message: "gone", retry: "never" } as const;
    expect(driver.feed({ kind: "failed", error })).to.deep.equal([{ kind: "done", outcome: "failed", error }]);
    expect(driver.feed({ kind: "failed", error }, { kind: "slot-closed", subtask: 0 }, { kind: "checkpoint-due" })).to.deep.equal([]);
  });

  it("never commits an epoch before it is recorded, and never the same one twice", () => {
    const event = fc.oneof(
      fc.constant<CoordinatorEvent>({ kind: "checkpoint-due" }),
      fc.constant<CoordinatorEvent>({ kind: "stop-requested" }),
      fc.nat(1).map((n): CoordinatorEvent => ({ kind: "slot-ended", subtask: n })),
    );
    fc.assert(
      fc.property(fc.array(event, { maxLength: 20 }), (events) => {
        const driver = new Driver();
        const recorded = new Set<number>();
        const committed: number[] = [];
        let ended = 0;
        let queue: CoordinatorEffect[] = [];
        for (const e of events) {
          if (e.kind === "slot-ended" && ++ended > 2) continue;
          queue.push(...driver.feed(e));
          for (let effect = queue.shift(); effect !== undefined; effect = queue.shift()) {
            if (effect.kind === "trigger") queue.push(...driver.reportAll(effect.epoch));
            if (effect.kind === "complete") {
              recorded.add(effect.epoch);
              queue.push(...driver.feed({ kind: "epoch-recorded", epoch: effect.epoch }));
            }
            if (effect.kind === "commit") {
              expect(recorded.has(effect.epoch)).to.equal(true);
              committed.push(effect.epoch);
              queue.push(...driver.commitAll(effect.epoch));
            }
          }
          queue = [];
        }
        expect(committed).to.deep.equal([...new Set(committed)].sort((a, b) => a - b));
      }),
    );
  });
});
