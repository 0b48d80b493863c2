/**
 * From counters that workers report to the measurements that users see: rates, backpressure, lags. Pure. The shape is what the API reads out
 * of `metric_samples.samples`, format version 1: names as in the database, 64-bit values that may exceed 2^53 as texts.
 */
import type { SlotProgress, VertexProgress } from "../gen/report.ts";

/** One subtask of one vertex. Counters count since the run's start. */
export interface SubtaskSample {
  readonly subtask: number;
  readonly rows_in: number;
  readonly rows_out: number;
  readonly filtered: number;
  readonly late: number;
  readonly bad: number;
  readonly rows_in_per_s: number;
  readonly rows_out_per_s: number;
  /** Over channels and at sources and sinks: inside a slot no bytes move. */
  readonly bytes_in_per_s: number;
  readonly bytes_out_per_s: number;
  /** Share of the time since the last sample in which it was not fed for want of room behind it, 0 … 1. */
  readonly backpressure: number;
  /** Bytes that wait on its outgoing edges. */
  readonly queue_bytes: number;
  readonly state_bytes: number;
  readonly keys: number;
  /** Nanoseconds since 1970, as text; null before the first watermark. */
  readonly watermark_ns: string | null;
  /** Source partition that holds the watermark back. */
  readonly holder: { readonly vertex: number; readonly partition: number } | null;
  readonly idle: boolean;
  readonly ended: boolean;
}

/** All subtasks of a run at one time. */
export interface RunSample {
  readonly operators: readonly { readonly vertex: number; readonly subtasks: readonly SubtaskSample[] }[];
  /** Slots, by subtask. `blocked`: share of the time since the last sample spent waiting for room, 0 … 1. */
  readonly slots: readonly {
    readonly subtask: number;
    readonly rows_read: number;
    readonly rows_written: number;
    readonly blocked: number;
    readonly state_bytes: number;
    readonly epoch: number;
  }[];
}

/** A slot as it was heard at a time, elapsed milliseconds. */
export interface HeardSlot {
  readonly atMs: number;
  readonly progress: SlotProgress;
}

/** The sample of `now`; rates count from `before`, which may lack slots: theirs are 0. Slots in any order. */
export function sampleRun(now: readonly HeardSlot[], before: ReadonlyMap<number, HeardSlot>): RunSample {
  const slots = [...now].sort((a, b) => a.progress.subtask - b.progress.subtask);
  const vertices = new Map<number, SubtaskSample[]>();
  for (const slot of slots) {
    const { subtask } = slot.progress;
    const last = before.get(subtask);
    const elapsedMs = last === undefined ? 0 : slot.atMs - last.atMs;
    const earlier = new Map(last?.progress.vertices.map((vertex) => [vertex.vertex, vertex]));
    for (const vertex of slot.progress.vertices) {
      const samples = vertices.get(vertex.vertex) ?? [];
      samples.push(sampleVertex(subtask, vertex, earlier.get(vertex.vertex), elapsedMs));
      vertices.set(vertex.vertex, samples);
    }
  }
  return {
    operators: [...vertices].sort(([a], [b]) => a - b).map(([vertex, subtasks]) => ({ vertex, subtasks })),
    slots: slots.map((slot) => sampleSlot(slot, before.get(slot.progress.subtask))),
  };
}

function sampleVertex(subtask: number, now: VertexProgress, before: VertexProgress | undefined, elapsedMs: number): SubtaskSample {
  const { holderVertex, holderPartition, watermarkNs } = now;
  return {
    subtask,
    rows_in: Number(now.rowsIn),
    rows_out: Number(now.rowsOut),
    filtered: Number(now.filtered),
    late: Number(now.late),
    bad: Number(now.bad),
    rows_in_per_s: rate(now.rowsIn, before?.rowsIn, elapsedMs),
    rows_out_per_s: rate(now.rowsOut, before?.rowsOut, elapsedMs),
    bytes_in_per_s: rate(now.bytesIn, before?.bytesIn, elapsedMs),
    bytes_out_per_s: rate(now.bytesOut, before?.bytesOut, elapsedMs),
    backpressure: share(now.blockedMs, before?.blockedMs, elapsedMs),
    queue_bytes: Number(now.queueBytes),
    state_bytes: Number(now.stateBytes),
    keys: Number(now.keys),
    watermark_ns: watermarkNs === undefined ? null : watermarkNs.toString(),
    holder: holderVertex === undefined ? null : { vertex: holderVertex, partition: holderPartition ?? 0 },
    idle: now.idle,
    ended: now.ended,
  };
}

function sampleSlot({ atMs, progress }: HeardSlot, before: HeardSlot | undefined): RunSample["slots"][number] {
  return {
    subtask: progress.subtask,
    rows_read: Number(progress.rowsRead),
    rows_written: Number(progress.rowsWritten),
    blocked: share(progress.blockedMs, before?.progress.blockedMs, before === undefined ? 0 : atMs - before.atMs),
    state_bytes: Number(progress.stateBytes),
    epoch: Number(progress.epoch),
  };
}

/** Per second, with one decimal; 0 if nothing is known of before, or the slot began anew. */
function rate(now: bigint, before: bigint | undefined, elapsedMs: number): number {
  if (before === undefined || elapsedMs <= 0 || now < before) return 0;
  return Math.round((Number(now - before) / elapsedMs) * 10_000) / 10;
}

function share(nowMs: bigint, beforeMs: bigint | undefined, elapsedMs: number): number {
  if (beforeMs === undefined || elapsedMs <= 0 || nowMs < beforeMs) return 0;
  return Math.min(1, Math.round((Number(nowMs - beforeMs) / elapsedMs) * 1000) / 1000);
}
