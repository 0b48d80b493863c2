/**
 * "Why is there no output?": says in words what a job's data waits for, the gravest first. Every watermark knows the source partition that holds
 * it back and every window its next firing, so the answer names both. Pure.
 */
import type { z } from "zod";
import type { MetricSample } from "../db/metrics.ts";
import type { JobRecord } from "../db/pipelines.ts";
import type { Program, Vertex } from "../program/program.ts";
import { stateName } from "./job-action.ts";
import { type Progress, progressOf, type SourceProgress, spanText, total, type WindowProgress } from "./output-progress.ts";
import type { explanationShape } from "./schema/explanation-shapes.ts";

type Explanation = z.input<typeof explanationShape>;
type Finding = Explanation["findings"][number];

/** A source is said to be far behind beyond this lag, in seconds. */
const LAG_SECONDS = 60;
const BUSY_SHARE = 0.9;
const US_PER_MS = 1_000;
const SEVERITIES: readonly Finding["severity"][] = ["error", "warning", "info"];

/** The answer for a job. `sample`: the newest measurement of its newest run. */
export function explainOutput(job: JobRecord, program: Program | undefined, sample: MetricSample | undefined): Explanation {
  const progress = program === undefined || sample === undefined ? undefined : progressOf(program, sample);
  const measured = program === undefined || progress === undefined ? [] : measuredFindings(program, progress);
  const findings = [...stateFindings(job, progress), ...measured].sort(
    (a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity),
  );
  return {
    summary: findings[0]?.message ?? "rows are read and written",
    state: stateName(job.state),
    taken_at: progress?.takenUs ?? null,
    findings,
    sources: [...(progress?.sources ?? [])],
    windows: [...(progress?.windows ?? [])],
    sinks: [...(progress?.sinks ?? [])],
  };
}

function finding(severity: Finding["severity"], message: string, hint?: string, vertex?: number): Finding {
  return { severity, message, hint: hint ?? null, node_id: vertex ?? null };
}

function stateFindings(job: JobRecord, progress: Progress | undefined): Finding[] {
  if (job.state === "failed") {
    const { message = "the reason is not known", hint } = job.failure ?? {};
    return [finding("error", `the job has failed: ${message}`, hint)];
  }
  if (job.state === "finished") return [finding("info", "the job has finished: all sources have ended and everything was written")];
  if (job.state === "stopped") return [finding("warning", "the job is stopped", "Start it.")];
  if (job.state !== "running")
    return [finding("warning", `the job is not running yet: it is ${stateName(job.state)}`, "The timeline says more.")];
  return progress === undefined ? [finding("info", "nothing has been measured yet", "Ask again in a few seconds.")] : [];
}

function measuredFindings(program: Program, progress: Progress): Finding[] {
  return [
    ...progress.sources.flatMap(sourceFindings),
    ...program.vertices.flatMap((vertex) => vertexFindings(vertex, progress)),
    ...progress.windows.flatMap((window) => windowFindings(window, progress)),
    ...progress.sinks
      .filter((sink) => sink.rows_written > 0)
      .map((sink) => finding("info", `${rows(sink.rows_written)} written to "${sink.table}"`, undefined, sink.node_id)),
  ];
}

function rows(count: number): string {
  return `${count} ${count === 1 ? "row" : "rows"}`;
}

function sourceFindings(source: SourceProgress): Finding[] {
  const name = `source "${source.table}"`;
  const found: Finding[] = [];
  const done = source.subtasks > 0 && source.ended_subtasks === source.subtasks;
  if (source.bad_rows > 0) {
    found.push(
      finding(
        "warning",
        `${rows(source.bad_rows)} of ${name} could not be read and were dropped`,
        "Compare the table's columns with its data.",
        source.node_id,
      ),
    );
  }
  if (source.rows_read === 0) {
    const message = done ? `${name} has ended without a row` : `${name} has not read a row yet`;
    found.push(finding("warning", message, "Check the place it reads from.", source.node_id));
  } else if (source.idle_subtasks > 0 && !done) {
    const message = `${name} is idle in ${source.idle_subtasks} of ${source.subtasks} subtasks: no rows have come for a while`;
    found.push(finding("info", message, undefined, source.node_id));
  } else if (!done && (source.watermark_lag_seconds ?? 0) > LAG_SECONDS) {
    const message = `${name} is at event time ${timeText(source.watermark ?? 0)}, ${spanText((source.watermark_lag_seconds ?? 0) * 1_000_000)} behind the clock`;
    found.push(finding("info", message, undefined, source.node_id));
  }
  return found;
}

function vertexFindings(vertex: Vertex, progress: Progress): Finding[] {
  const subtasks = progress.subtasks(vertex.id);
  const [read, written] = [total(subtasks, (s) => s.rows_in), total(subtasks, (s) => s.rows_out)];
  const found: Finding[] = [];
  if (vertex.operator.kind === "compute" && vertex.operator.filter !== undefined && read > 0 && written === 0) {
    found.push(
      finding("warning", `the filter of "${vertex.name}" has let none of ${rows(read)} pass`, "Check the WHERE clause.", vertex.id),
    );
  }
  const bad = vertex.operator.kind === "source" ? 0 : total(subtasks, (s) => s.bad);
  if (bad > 0)
    found.push(finding("warning", `${rows(bad)} could not be computed in "${vertex.name}" and were dropped`, undefined, vertex.id));
  if (vertex.operator.kind === "window-join" && read > 0 && written === 0) {
    const hint = "Compare the keys, and the event times, of both sides.";
    found.push(finding("info", `no rows have matched in "${vertex.name}" so far`, hint, vertex.id));
  }
  if (subtasks.some((s) => s.backpressure > BUSY_SHARE)) {
    const hint = "What is behind it cannot keep up: raise the parallelism, or look for the slow operator downstream.";
    found.push(finding("warning", `"${vertex.name}" waits for room downstream nearly all the time`, hint, vertex.id));
  }
  return found;
}

function windowFindings(window: WindowProgress, progress: Progress): Finding[] {
  const found: Finding[] = [];
  if (window.late_rows > 0) {
    const hint = "Let the watermark stay further behind: WATERMARK FOR column AS column - INTERVAL '…'.";
    found.push(
      finding(
        "warning",
        `${rows(window.late_rows)} came to "${window.description}" behind the watermark and were dropped`,
        hint,
        window.node_id,
      ),
    );
  }
  if (window.rows_in === 0) return found;
  const severity = window.rows_out === 0 ? "warning" : "info";
  if (window.watermark === null) {
    const ended = progress.sources.every((source) => source.subtasks > 0 && source.ended_subtasks === source.subtasks);
    if (!ended)
      found.push(
        finding(
          severity,
          `"${window.description}" has no watermark yet: not every source partition has said its event time`,
          undefined,
          window.node_id,
        ),
      );
    return found;
  }
  const held = window.held_by === null ? "" : `, held by partition ${window.held_by.partition} of source "${window.held_by.table}"`;
  const at = `the watermark is ${timeText(window.watermark)}${held}`;
  if (window.next_firing === null)
    found.push(finding(severity, `"${window.description}" waits for its windows to end: ${at}`, undefined, window.node_id));
  else {
    const left = spanText(window.next_firing - window.watermark);
    const message = `"${window.description}" next gives rows for windows that end at ${timeText(window.next_firing)}, in ${left} of event time: ${at}`;
    found.push(finding(severity, message, undefined, window.node_id));
  }
  return found;
}

/** A time of microseconds since 1970 for people, to the second. */
function timeText(us: number): string {
  const date = new Date(us / US_PER_MS);
  return Number.isNaN(date.getTime())
    ? `${us} µs`
    : date
        .toISOString()
        .replace("T", " ")
        .replace(/\.\d+Z$/, "");
}
