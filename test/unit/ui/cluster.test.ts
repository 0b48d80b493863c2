/** What the page "Cluster" says: sentences, comparisons and lines of logs. */
import { expect } from "chai";
import type { SchedulerNode, TimelineEntry } from "../../../ui/src/api/types.ts";
import { isLineWanted, readLogLine, readRawLine } from "../../../ui/src/log-lines.ts";
import { diffLines } from "../../../ui/src/pages/cluster/line-diff.ts";
import { describeWorkers, drainText, sentence } from "../../../ui/src/pages/cluster/words.ts";

function node(state: string, pipelines: number, deadline: number | null = null): SchedulerNode {
  const tenants = Array.from({ length: pipelines }, (_, i) => ({ pipeline_id: `pl_${i}` }));
  return { name: "client-a", state, drain_deadline_at: deadline, tenants } as unknown as SchedulerNode;
}

function entry(source: "wadi" | "scheduler", kind: string, message: string): TimelineEntry {
  return { source, kind, message } as unknown as TimelineEntry;
}

describe("the page of the cluster", () => {
  it("says what a drain means for pipelines", () => {
    const deadline = new Date(2026, 10, 23, 14, 5).getTime() * 1000;
    expect(drainText(node("draining", 2, deadline))).to.equal("Node client-a drains until 14:05, 2 pipelines move after their checkpoint");
    expect(drainText(node("draining", 1))).to.equal("Node client-a drains, 1 pipeline moves after its checkpoint");
    expect(drainText(node("draining", 0, deadline))).to.equal("Node client-a drains until 14:05; nothing runs there any more");
    expect(drainText(node("ineligible", 3))).to.equal("Node client-a gets nothing new; 3 pipelines there go on");
    expect(drainText(node("lost", 0))).to.equal("Node client-a is lost; nothing ran there");
  });

  it("makes sentences of events, and leaves ids as they are", () => {
    expect(sentence(entry("wadi", "worker-lost", "worker wk_1 ended with code 1"))).to.equal("Worker wk_1 ended with code 1");
    expect(sentence(entry("scheduler", "evaluation", "2 of 4 workers not placed"))).to.equal("Evaluation: 2 of 4 workers not placed");
    expect(sentence(entry("scheduler", "task", "Task started by client"))).to.equal("Task started by client");
    expect(sentence(entry("wadi", "x", "wk_1 is gone"))).to.equal("wk_1 is gone");
  });

  it("tells workers in words", () => {
    const counts = { workers: 4, placed: 3, running: 2, failed: 1, missing: 1 };
    expect(describeWorkers(counts)).to.equal("2 of 4 workers running, 1 starting, 1 not placed, 1 failed");
  });

  it("compares texts line by line, with what has not changed folded", () => {
    const lines = Array.from({ length: 20 }, (_, i) => `line ${i}`);
    const changed = [...lines.slice(0, 10), "new", ...lines.slice(11)];
    const shown = diffLines(lines.join("\n"), changed.join("\n"));
    expect(shown.filter(({ kind }) => kind === "removed")).to.deep.equal([{ kind: "removed", text: "line 10" }]);
    expect(shown.filter(({ kind }) => kind === "added")).to.deep.equal([{ kind: "added", text: "new" }]);
    expect(shown.filter(({ kind }) => kind === "fold")).to.deep.equal([
      { kind: "fold", count: 7 },
      { kind: "fold", count: 6 },
    ]);
    expect(diffLines("a\nb\nc", "a\nx\nb\nc").map(({ kind }) => kind)).to.deep.equal(["same", "added", "same", "same"]);
  });

  it("reads lines of logs, and finds them by text and level", () => {
    const line = readLogLine('{"time":"12:00","level":"warn","message":"slow","ms":12}');
    expect(line).to.deep.equal({ level: "warn", text: "12:00 WARN  slow ms=12" });
    expect(isLineWanted(line, "SLOW", "warn")).to.equal(true);
    expect(isLineWanted(line, "", "error")).to.equal(false);
    expect(isLineWanted(readLogLine("plain"), "pla", undefined)).to.equal(true);
    expect(isLineWanted(readLogLine("{broken"), "", "debug")).to.equal(false);
    const one = readRawLine({ worker: "wk_a", number: 3, text: '{"time":"12:00","level":"error","message":"lost"}' });
    expect(one).to.deep.equal({ level: "error", text: "12:00 ERROR lost", who: "#3" });
    expect(isLineWanted(one, "#3", "error")).to.equal(true);
    expect(readRawLine({ worker: "wk_b", number: null, text: "plain" })).to.deep.equal({ level: undefined, text: "plain", who: "wk_b" });
  });
});
