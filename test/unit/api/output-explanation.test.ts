/** "Why is there no output?": the answers, from measurements as the controller writes them. */
import { expect } from "chai";
import { explainOutput } from "../../../src/api/output-explanation.ts";
import { nextFiringUs } from "../../../src/api/output-progress.ts";
import { CONNECTOR_SPECS } from "../../../src/connectors/specs.ts";
import type { MetricSample, SubtaskSample } from "../../../src/db/metrics.ts";
import type { JobRecord } from "../../../src/db/pipelines.ts";
import type { Program } from "../../../src/program/program.ts";
import { SqlParser } from "../../../src/sql/parse.ts";
import { planScript } from "../../../src/sql/plan.ts";

const SECOND_US = 1_000_000;
const JOB = { state: "running", stop: "none", runFence: 1, failure: undefined } as JobRecord;
const QUIET: SubtaskSample = {
  subtask: 0,
  rows_in: 10,
  rows_out: 10,
  filtered: 0,
  rows_in_per_s: 1,
  rows_out_per_s: 1,
  backpressure: 0,
  queue_bytes: 0,
  late: 0,
  bad: 0,
  state_bytes: 0,
  keys: 0,
  watermark_ns: null,
  holder: null,
  idle: false,
  ended: false,
};

describe("an explanation of a job's output", () => {
  let program: Program;
  /** Vertices by kind. */
  let vertex: Readonly<Record<string, number>>;

  before(async () => {
    const parser = new SqlParser();
    const sql = `CREATE TABLE bids WITH (connector = 'nexmark', event_rate = '10');
      SELECT bid.auction AS a, tumble(interval '10 seconds') AS w, count(*) AS c FROM bids WHERE bid.price > 5 GROUP BY 1, 2;`;
    const planned = planScript(await parser.parse(sql), { connectors: CONNECTOR_SPECS });
    await parser.close();
    if (!planned.ok) return expect.fail(planned.diagnostics[0]?.message);
    program = planned.program;
    vertex = Object.fromEntries(program.vertices.map(({ id, operator }) => [operator.kind, id]));
    return undefined;
  });

  /** A sample in which the vertices of these kinds differ from quiet ones. */
  function sample(changes: Readonly<Record<string, Partial<SubtaskSample> | readonly Partial<SubtaskSample>[]>>): MetricSample {
    const operators = program.vertices.map(({ id, operator }) => {
      const change = changes[operator.kind] ?? {};
      const subtasks = Array.isArray(change) ? change : [change];
      return { vertex: id, subtasks: subtasks.map((one: Partial<SubtaskSample>, subtask) => ({ ...QUIET, ...one, subtask })) };
    });
    return { takenUs: 1_000 * SECOND_US, runFence: 1, operators };
  }

  const messages = (job: JobRecord, measured?: MetricSample): string[] =>
    explainOutput(job, program, measured).findings.map(({ message }) => message);

  it("of a job that does not run is its state", () => {
    const failure = { domain: "user" as const, code: "bad-data", message: "row 3 is bad", hint: "Drop it." };
    const failed = explainOutput({ ...JOB, state: "failed", failure }, program, undefined);
    expect(failed.summary).to.equal("the job has failed: row 3 is bad");
    expect(failed.findings[0]).to.include({ severity: "error", hint: "Drop it." });
    expect(messages({ ...JOB, state: "scheduling" })).to.deep.equal(["the job is not running yet: it is Scheduling"]);
    expect(messages({ ...JOB, state: "stopped" })).to.deep.equal(["the job is stopped"]);
    expect(messages(JOB)).to.deep.equal(["nothing has been measured yet"]);
  });

  it("names the window that waits, when it fires, and the partition that holds the watermark back", () => {
    const held = { watermark_ns: "997000000000", holder: { vertex: vertex["source"] ?? 0, partition: 3 } };
    const ahead = { watermark_ns: "999500000000", holder: null };
    const answer = explainOutput(
      JOB,
      program,
      sample({ "window-aggregate": [ahead, { ...held, rows_out: 0 }].map((one) => ({ ...one, rows_out: 0 })) }),
    );
    expect(answer.windows[0]).to.deep.include({
      watermark: 997 * SECOND_US,
      watermark_lag_seconds: 3,
      next_firing: 1_000 * SECOND_US,
      held_by: { node_id: vertex["source"], table: "bids", partition: 3, subtask: 1 },
    });
    expect(answer.summary).to.contain("next gives rows for windows that end at 1970-01-01 00:16:40, in 3s of event time");
    expect(answer.summary).to.contain('held by partition 3 of source "bids"');
  });

  it("says that no watermark has come, that rows were late or bad, or that a filter passes nothing", () => {
    expect(messages(JOB, sample({ "window-aggregate": { rows_out: 0 } })).join()).to.contain("has no watermark yet");
    expect(messages(JOB, sample({ "window-aggregate": { late: 7, watermark_ns: "1" } })).join()).to.contain("7 rows came to");
    expect(messages(JOB, sample({ source: { bad: 2 } })).join()).to.contain('2 rows of source "bids" could not be read');
    expect(messages(JOB, sample({ source: { rows_out: 0 } })).join()).to.contain('source "bids" has not read a row yet');
    expect(messages(JOB, sample({ source: { rows_out: 0, ended: true } })).join()).to.contain("has ended without a row");
    expect(messages(JOB, sample({ source: [{ idle: true }, {}] })).join()).to.contain("idle in 1 of 2 subtasks");
    expect(messages(JOB, sample({ compute: { rows_out: 0 } })).join()).to.match(/the filter of ".+" has let none of 10 rows pass/);
    expect(messages(JOB, sample({ source: { backpressure: 0.95 } })).join()).to.contain("waits for room downstream");
  });

  it("of a job that writes says so, and ignores watermarks that are the end of time", () => {
    const ended = { watermark_ns: "9223372036854775807", ended: true };
    const answer = explainOutput(JOB, program, sample({ source: ended, "window-aggregate": ended, sink: { rows_in: 1 } }));
    expect(answer.summary).to.equal('1 row written to "preview"');
    expect(answer.windows[0]).to.include({ watermark: null, next_firing: null, held_by: null });
  });

  it("of a program that this build cannot read is the state alone", () => {
    expect(explainOutput(JOB, undefined, sample({})).sources).to.deep.equal([]);
  });
});

describe("the next firing of a window", () => {
  const ns = (seconds: number): bigint => BigInt(seconds) * 1_000_000_000n;
  it("is the first end behind the watermark, also of hops whose width is no multiple of their slide, and before 1970", () => {
    const tumble = { kind: "tumble", widthNs: ns(10) } as const;
    expect([0, 9.999999, 10, -0.000001, -10].map((s) => nextFiringUs(tumble, s * SECOND_US))).to.deep.equal(
      [10, 10, 20, 0, 0].map((s) => s * SECOND_US),
    );
    const hop = { kind: "hop", slideNs: ns(4), widthNs: ns(10) } as const;
    expect([0, 1, 2, 6, -2, -3].map((s) => nextFiringUs(hop, s * SECOND_US))).to.deep.equal([2, 2, 6, 10, 2, -2].map((s) => s * SECOND_US));
  });
});
