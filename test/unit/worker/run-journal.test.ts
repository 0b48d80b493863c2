/** What a worker says again, and what it forgets. */
import { expect } from "chai";
import type { WorkerMessage } from "../../../src/rpc/worker-client.ts";
import { RunJournal } from "../../../src/worker/run-journal.ts";

/** A message that is told apart by its text. */
const said = (text: string): WorkerMessage => ({ $case: "leave", value: { reason: text, deadlineMs: 0 } });
const texts = (messages: readonly WorkerMessage[]): string[] =>
  messages.map((message) => (message.$case === "leave" ? message.value.reason : message.$case));

describe("run journal", () => {
  it("repeats everything that may not have been heard, in an order in which it can have happened", () => {
    const journal = new RunJournal(1, [2, 3], 4);
    journal.committed(5, 2, said("committed 5/2"));
    journal.ended(2, said("ended 2"));
    journal.reported(5, said("report 5"));
    journal.epochStarted(5, said("started 5"));
    journal.ready(2, said("ready 2"));
    journal.closed(2, said("closed 2"));
    journal.previewed(said("rows"));
    expect(texts(journal.repeats())).to.deep.equal(["ready 2", "rows", "started 5", "report 5", "committed 5/2", "ended 2", "closed 2"]);
  });

  it("forgets reports when their epoch is complete, and remembers commits for a while", () => {
    const journal = new RunJournal(0, [0], 0);
    for (let epoch = 1; epoch <= 20; epoch++) {
      journal.reported(epoch, said(`report ${epoch}`));
      if (epoch < 20) journal.committed(epoch, 0, said(`committed ${epoch}`));
    }
    journal.complete(19);
    const left = texts(journal.repeats());
    expect(left).to.include("report 20").and.not.include("report 19");
    expect(left).to.include("committed 19").and.include("committed 4").and.not.include("committed 3");
    journal.reported(7, said("late report"));
    expect(texts(journal.repeats())).to.not.include("late report");
  });

  it("says what a worker is doing", () => {
    const journal = new RunJournal(1, [2, 3], 4);
    expect(journal.resumption()).to.deep.equal({
      worker: 1,
      startedEpoch: 4n,
      completeEpoch: 4n,
      committedEpoch: 4n,
      readySubtasks: [],
      endedSubtasks: [],
      closedSubtasks: [],
      running: false,
      paused: false,
    });
    journal.ready(3, said("ready"));
    expect(journal.allReady).to.equal(false);
    journal.ready(2, said("ready"));
    expect(journal.allReady).to.equal(true);
    journal.running = true;
    journal.triggered(6);
    journal.complete(5);
    journal.committed(5, 2, said("one"));
    expect(journal.resumption()).to.deep.include({
      startedEpoch: 6n,
      completeEpoch: 5n,
      committedEpoch: 4n,
      readySubtasks: [3, 2],
      running: true,
    });
    journal.committed(5, 3, said("two"));
    expect(journal.resumption()).to.deep.include({ committedEpoch: 5n });
  });

  it("gives the commits of an epoch again once all slots have made them", () => {
    const journal = new RunJournal(0, [0, 1], 0);
    journal.committed(1, 0, said("a"));
    expect(journal.commitsOf(1)).to.equal(undefined);
    journal.committed(1, 1, said("b"));
    journal.committed(1, 1, said("b"));
    expect(texts(journal.commitsOf(1) ?? [])).to.deep.equal(["a", "b"]);
    expect(journal.commitsOf(2)).to.equal(undefined);
  });

  it("keeps the newest rows to look at, no more", () => {
    const journal = new RunJournal(0, [0], 0);
    for (let i = 0; i < 200; i++) journal.previewed(said(String(i)));
    expect(texts(journal.repeats())).to.deep.equal(Array.from({ length: 64 }, (_, i) => String(136 + i)));
  });
});
