/** The next action of a job, for every state of the state machine. */
import { expect } from "chai";
import { jobAction, stateName } from "../../../src/api/job-action.ts";

describe("the action of a job", () => {
  it("is Arroyo's, for each state and wish", () => {
    const table: Readonly<Record<string, readonly [unknown, unknown]>> = {
      created: [
        ["Stop", "checkpoint", true],
        ["Start", "none", false],
      ],
      compiling: [
        ["Stop", "checkpoint", true],
        ["Stopping", undefined, true],
      ],
      scheduling: [
        ["Stop", "checkpoint", true],
        ["Stopping", undefined, true],
      ],
      running: [
        ["Stop", "checkpoint", false],
        ["Stopping", undefined, true],
      ],
      rescaling: [
        ["Stop", "checkpoint", true],
        ["Stopping", undefined, true],
      ],
      restarting: [
        ["Stop", "checkpoint", true],
        ["Stopping", undefined, true],
      ],
      recovering: [
        ["Stop", "checkpoint", true],
        ["Stopping", undefined, true],
      ],
      "checkpoint-stopping": [
        ["Force Stop", "immediate", true],
        ["Force Stop", "immediate", true],
      ],
      stopping: [
        ["Stopping", "checkpoint", true],
        ["Stopping", undefined, true],
      ],
      stopped: [
        ["Starting", undefined, true],
        ["Start", "none", false],
      ],
      finishing: [
        ["Finishing", undefined, true],
        ["Finishing", undefined, true],
      ],
      finished: [
        ["Finished", undefined, false],
        ["Finished", undefined, false],
      ],
      failing: [
        ["Failing", undefined, true],
        ["Failing", undefined, true],
      ],
      failed: [
        ["Failed", undefined, false],
        ["Start", "none", false],
      ],
    };
    for (const [state, expected] of Object.entries(table)) {
      const actual = [true, false].map((wanted) => {
        const { text, stop, inProgress } = jobAction(state, wanted);
        return [text, stop, inProgress];
      });
      expect(actual, state).to.deep.equal(expected);
    }
  });

  it("of a state that a newer controller wrote is that something goes on", () => {
    expect(jobAction("being-moved", true)).to.deep.equal({ text: "BeingMoved", stop: undefined, inProgress: true });
    expect(stateName("checkpoint-stopping")).to.equal("CheckpointStopping");
  });
});
