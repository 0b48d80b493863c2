/** A run in numbers: what its slots say, added up. Pure. */
import type { SlotProgress } from "../dataflow/slot-contract.ts";
import { BEFORE_TIME, END_OF_TIME } from "../dataflow/watermark.ts";
import type { Program } from "../program/program.ts";

/** Who holds event time back, in words a user knows. */
export interface HolderText {
  readonly table: string;
  readonly partition: number;
}

/** A run, as of now. */
export interface RunProgress {
  /** Rows read by the sources since this run started. */
  readonly rowsIn: number;
  /** Rows that sinks have written. */
  readonly rowsOut: number;
  /** Rows dropped behind the watermark, and rows that could not be read or computed. */
  readonly late: number;
  readonly bad: number;
  /** Least event time over the sinks, ns; undefined: none yet, or all have ended. */
  readonly watermarkNs: bigint | undefined;
  readonly holder: HolderText | undefined;
  /** Newest complete epoch. */
  readonly epoch: number;
  /** Share of the time that slots waited for room downstream, 0 … 1. */
  readonly blockedShare: number;
  readonly stateBytes: number;
  readonly elapsedMs: number;
}

/** Adds up `slots`. */
export function summarise(program: Program, slots: readonly SlotProgress[], epoch: number, elapsedMs: number): RunProgress {
  const sum = (of: (slot: SlotProgress) => number): number => slots.reduce((total, slot) => total + of(slot), 0);
  const overVertices = (of: (stats: SlotProgress["vertices"][number]["stats"]) => number) =>
    sum((slot) => slot.vertices.reduce((total, vertex) => total + of(vertex.stats), 0));
  const sinks = slots.flatMap((slot) =>
    slot.vertices.filter((v) => program.vertices[v.vertex]?.operator.kind === "sink" && !v.ended && !v.idle),
  );
  const slowest = sinks.reduce<(typeof sinks)[number] | undefined>(
    (least, sink) => (least === undefined || sink.watermarkNs < least.watermarkNs ? sink : least),
    undefined,
  );
  const ns = slowest?.watermarkNs;
  const source = slowest?.holder === undefined ? undefined : program.vertices[slowest.holder.vertex]?.operator;
  return {
    rowsIn: sum((slot) => slot.rowsRead),
    rowsOut: sum((slot) => slot.rowsWritten),
    late: overVertices((stats) => stats.late),
    bad: overVertices((stats) => stats.bad),
    watermarkNs: ns === undefined || ns === BEFORE_TIME || ns === END_OF_TIME ? undefined : ns,
    holder: source?.kind === "source" ? { table: source.table, partition: slowest?.holder?.partition ?? 0 } : undefined,
    epoch,
    blockedShare: slots.length === 0 || elapsedMs === 0 ? 0 : sum((slot) => slot.blockedMs) / slots.length / elapsedMs,
    stateBytes: sum((slot) => slot.stateBytes),
    elapsedMs,
  };
}
