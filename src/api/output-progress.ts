/**
 * How far a job's data is, from one sample of measurements: what sources have read, which windows wait for what, what sinks have written. Pure;
 * what it means is in `output-explanation.ts`.
 */
import type { z } from "zod";
import { formatDuration } from "../core/duration.ts";
import type { MetricSample, SubtaskSample } from "../db/metrics.ts";
import type { Window } from "../program/operator.ts";
import { inputs, type Program, type Vertex } from "../program/program.ts";
import { watermarkMicros } from "./metric-view.ts";
import type { explanationShape } from "./schema/explanation-shapes.ts";

type Explanation = z.input<typeof explanationShape>;
/** A source. */
export type SourceProgress = Explanation["sources"][number];
/** An operator that waits for the watermark. */
export type WindowProgress = Explanation["windows"][number];
/** A sink. */
export type SinkProgress = Explanation["sinks"][number];

/** A program with what one sample says of its vertices. */
export interface Progress {
  readonly takenUs: number;
  readonly sources: readonly SourceProgress[];
  readonly windows: readonly WindowProgress[];
  readonly sinks: readonly SinkProgress[];
  /** Subtasks of a vertex; none if it was not measured. */
  readonly subtasks: (vertex: number) => readonly SubtaskSample[];
}

const US_PER_SECOND = 1_000_000;
const NS_PER_US = 1_000n;

/** Reads `sample` with the program's eyes. */
export function progressOf(program: Program, sample: MetricSample): Progress {
  const byVertex = new Map(sample.operators.map(({ vertex, subtasks }) => [vertex, subtasks]));
  const subtasks = (vertex: number): readonly SubtaskSample[] => byVertex.get(vertex) ?? [];
  const of = (kind: string): readonly Vertex[] => program.vertices.filter(({ operator }) => operator.kind === kind);
  const windowed = program.vertices.filter(({ operator }) => operator.kind === "window-aggregate" || operator.kind === "window-join");
  return {
    takenUs: sample.takenUs,
    sources: of("source").map((vertex) => sourceProgress(vertex, subtasks(vertex.id), sample.takenUs)),
    windows: windowed.map((vertex) => windowProgress(program, vertex, subtasks(vertex.id), sample.takenUs)),
    sinks: of("sink").map((vertex) => sinkProgress(vertex, subtasks(vertex.id))),
    subtasks,
  };
}

/** The sum of a counter. */
export function total(subtasks: readonly SubtaskSample[], counter: (subtask: SubtaskSample) => number): number {
  return subtasks.reduce((sum, subtask) => sum + counter(subtask), 0);
}

/** The least watermark of the subtasks that hold one back; `undefined` while one of them has none. */
function leastWatermark(subtasks: readonly SubtaskSample[]): { readonly us: number; readonly subtask: SubtaskSample } | undefined {
  const holding = subtasks.filter(({ idle, ended }) => !idle && !ended);
  let least: { readonly us: number; readonly subtask: SubtaskSample } | undefined;
  for (const subtask of holding) {
    const us = watermarkMicros(subtask.watermark_ns);
    if (us === undefined) return undefined;
    if (least === undefined || us < least.us) least = { us, subtask };
  }
  return least;
}

function watermarkOf(subtasks: readonly SubtaskSample[], takenUs: number): Pick<SourceProgress, "watermark" | "watermark_lag_seconds"> {
  const least = leastWatermark(subtasks);
  return {
    watermark: least?.us ?? null,
    watermark_lag_seconds: least === undefined ? null : Math.max(0, (takenUs - least.us) / US_PER_SECOND),
  };
}

function sourceProgress(vertex: Vertex, subtasks: readonly SubtaskSample[], takenUs: number): SourceProgress {
  return {
    node_id: vertex.id,
    table: tableOf(vertex),
    rows_read: total(subtasks, (s) => s.rows_out),
    rows_per_second: total(subtasks, (s) => s.rows_out_per_s),
    bad_rows: total(subtasks, (s) => s.bad),
    idle_subtasks: subtasks.filter(({ idle, ended }) => idle && !ended).length,
    ended_subtasks: subtasks.filter(({ ended }) => ended).length,
    subtasks: subtasks.length,
    ...watermarkOf(subtasks, takenUs),
  };
}

function sinkProgress(vertex: Vertex, subtasks: readonly SubtaskSample[]): SinkProgress {
  return {
    node_id: vertex.id,
    table: tableOf(vertex),
    rows_written: total(subtasks, (s) => s.rows_in),
    rows_per_second: total(subtasks, (s) => s.rows_in_per_s),
  };
}

/** The SQL table of a source or sink, else what the vertex is called. */
export function tableOf({ operator, name }: Vertex): string {
  return operator.kind === "source" || operator.kind === "sink" ? operator.table : name;
}

function windowProgress(program: Program, vertex: Vertex, subtasks: readonly SubtaskSample[], takenUs: number): WindowProgress {
  const least = leastWatermark(subtasks);
  const window = windowOf(program, vertex);
  const holder = least?.subtask.holder ?? undefined;
  const source = holder && program.vertices[holder.vertex];
  return {
    node_id: vertex.id,
    description: vertex.name,
    next_firing: least === undefined || window === undefined ? null : nextFiringUs(window, least.us),
    held_by:
      least === undefined || holder === undefined || source === undefined
        ? null
        : { node_id: holder.vertex, table: tableOf(source), partition: holder.partition, subtask: least.subtask.subtask },
    late_rows: total(subtasks, (s) => s.late),
    open_keys: total(subtasks, (s) => s.keys),
    rows_in: total(subtasks, (s) => s.rows_in),
    rows_out: total(subtasks, (s) => s.rows_out),
    ...watermarkOf(subtasks, takenUs),
  };
}

/** The window whose end a vertex waits for: its own, or that of the windowed input whose instants it joins or groups. */
function windowOf(program: Program, vertex: Vertex): Exclude<Window, { kind: "instant" }> | undefined {
  const pending = [vertex.id];
  const seen = new Set<number>();
  for (let id = pending.pop(); id !== undefined; id = pending.pop()) {
    if (seen.has(id)) continue;
    seen.add(id);
    const operator = program.vertices[id]?.operator;
    if (operator?.kind === "window-aggregate" && operator.window.kind !== "instant") return operator.window;
    pending.push(...inputs(program, id).map((edge) => edge.source));
  }
  return undefined;
}

/** The first end of a window behind `watermarkUs`, microseconds of event time. Windows begin at multiples of their slide since 1970. */
export function nextFiringUs(window: Exclude<Window, { kind: "instant" }>, watermarkUs: number): number | null {
  const slideNs = window.kind === "tumble" ? window.widthNs : window.slideNs;
  const offsetNs = window.widthNs % slideNs;
  const nowNs = BigInt(Math.trunc(watermarkUs)) * NS_PER_US;
  const beyond = nowNs - offsetNs;
  const steps = beyond >= 0n ? beyond / slideNs : -((-beyond + slideNs - 1n) / slideNs);
  const endUs = Number(((steps + 1n) * slideNs + offsetNs) / NS_PER_US);
  return Number.isSafeInteger(endUs) ? endUs : null;
}

/** A span of microseconds for people: `12.3s`. */
export function spanText(us: number): string {
  const tenths = BigInt(Math.max(0, Math.round(us / 100_000)));
  return formatDuration(tenths * 100_000_000n);
}
