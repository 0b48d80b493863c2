/**
 * What a slot says of its vertices at a barrier: rows since the last barrier, positions, event time, stored state and what a sink staged.
 * Counters are taken at the barrier, at once; the report itself is sent when everything it names is durable.
 */
import { countsSince, NO_ROWS, type RowCounts } from "../../checkpoint/ledger.ts";
import type { EdgeCount, SinkCheckpoint, SourcePosition, SubtaskReport } from "../../checkpoint/manifest.ts";
import type { SinkCommit, SplitPosition } from "../../connectors/connector.ts";
import type { Ports } from "../exchange/ports.ts";
import type { Instance } from "../instance.ts";
import type { PhaseTiming, ReportTiming } from "../slot-contract.ts";
import type { Topology } from "../topology.ts";
import { BEFORE_TIME } from "../watermark.ts";
import type { StoredState } from "./snapshot.ts";

/** Takes counters of all vertices of a slot, epoch by epoch. */
export class EpochCounters {
  readonly #instance: Instance;
  readonly #topology: Topology;
  readonly #ports: Ports;
  readonly #counts = new Map<number, RowCounts>();
  readonly #edges = new Map<string, number>();

  constructor(instance: Instance, topology: Topology, ports: Ports) {
    this.#instance = instance;
    this.#topology = topology;
    this.#ports = ports;
  }

  /** The part of `vertex`' report that is known at the barrier. */
  take(vertex: number): Pick<SubtaskReport, "counts" | "sent" | "received"> {
    const total = this.#rows(vertex);
    const counts = countsSince(total, this.#counts.get(vertex) ?? NO_ROWS);
    this.#counts.set(vertex, total);
    return { counts, sent: this.#sent(vertex, counts), received: this.#received(vertex, counts) };
  }

  #rows(vertex: number): RowCounts {
    const { rowsIn, rowsOut, filtered, late, bad } = this.#instance.stats(vertex);
    return { rowsIn, rowsOut, filtered, late, bad };
  }

  #sent(vertex: number, counts: RowCounts): readonly EdgeCount[] {
    const own = this.#topology.vertices[vertex];
    if (own === undefined || own.void) return [];
    const direct = own.direct.map((edge) => ({ edge: edge.id, rows: counts.rowsOut }));
    return [...direct, ...own.channels.map((edge) => ({ edge: edge.id, rows: this.#since("sent", edge.id, this.#ports.sentRows) }))];
  }

  /** Channels are counted frame by frame; what came over the direct edges is the rest of what the module counted. */
  #received(vertex: number, counts: RowCounts): readonly EdgeCount[] {
    const own = this.#topology.vertices[vertex];
    if (own === undefined || own.void) return [];
    const edges = [...new Set(own.inputs.filter((input) => !input.direct).map((input) => input.edge))];
    const channels = edges.map((edge) => ({ edge, rows: this.#since("received", edge, this.#ports.receivedRows) }));
    const direct = own.inputs.filter((input) => input.direct);
    const only = direct[0];
    if (direct.length === 1 && only !== undefined && channels.length === 0) return [{ edge: only.edge, rows: counts.rowsIn }];
    return [...channels, ...direct.map((input) => ({ edge: input.edge, rows: this.#sentOver(input.edge) }))];
  }

  /** For a vertex with several direct inputs: the module does not tell them apart, so the sender's count stands for both ends. */
  #sentOver(edge: number): number {
    const source = this.#topology.program.edges[edge]?.source ?? 0;
    return this.#since("direct", edge, { [edge]: this.#rows(source).rowsOut });
  }

  #since(what: string, edge: number, totals: Readonly<Record<number, number>> | Float64Array): number {
    const key = `${what} ${edge}`;
    const total = totals[edge] ?? 0;
    const before = this.#edges.get(key) ?? 0;
    this.#edges.set(key, total);
    return total - before;
  }
}

/** What a report says besides the counters. */
export interface ReportParts {
  readonly vertex: number;
  readonly subtask: number;
  readonly taken: Pick<SubtaskReport, "counts" | "sent" | "received">;
  readonly positions: readonly SplitPosition[];
  readonly watermarkNs: bigint;
  readonly state: StoredState;
  readonly staged: SinkCommit | undefined;
}

/** The report. */
export function makeReport(parts: ReportParts): SubtaskReport {
  const { vertex, subtask, taken, state, staged } = parts;
  const sink: SinkCheckpoint | undefined = staged === undefined ? undefined : { state: null, commit: { ...staged } };
  return {
    vertex,
    subtask,
    ...taken,
    segments: state.segments,
    files: state.files,
    positions: parts.positions.map(toStored),
    watermark: parts.watermarkNs === BEFORE_TIME ? undefined : parts.watermarkNs,
    sink,
  };
}

/** What a report cost: the phases that took place, in the order in which they began. */
export function timingOf(state: StoredState, alignment: PhaseTiming | undefined, staging: PhaseTiming | undefined): ReportTiming {
  const stateBytes = state.segments.reduce((sum, segment) => sum + segment.length, 0);
  const phases = [alignment, ...state.phases, staging].filter((phase) => phase !== undefined);
  return { phases, writtenBytes: state.writtenBytes, stateBytes };
}

/** A connector's position as a manifest keeps it: plain JSON beside the split's name. */
export function toStored(position: SplitPosition): SourcePosition {
  const { split, ...rest } = position;
  const fields = Object.entries(rest).filter(([, value]) => value !== undefined) as [string, string | number | boolean][];
  return { split, position: Object.fromEntries(fields) };
}

/** The inverse of `toStored`. */
export function fromStored(stored: SourcePosition): SplitPosition {
  const fields = stored.position as Readonly<Record<string, string | number | boolean>>;
  return { ...fields, split: stored.split };
}
