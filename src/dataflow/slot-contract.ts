/**
 * What a slot is given and what it says: the seam between the engine (`slot.ts`) and the worker that hosts it. Everything here is plain data
 * or a callback; nothing knows of threads.
 */
import type { SubtaskReport } from "../checkpoint/manifest.ts";
import type { ByteSource, EventSource, Sink } from "../connectors/connector.ts";
import type { Clock } from "../core/clock.ts";
import type { Doorbells } from "./exchange/doorbell.ts";
import type { SlotLinks } from "./exchange/ports.ts";
import type { Instance, VertexStats } from "./instance.ts";
import type { LatePolicy } from "./row-errors.ts";
import type { SnapshotStore } from "./task/snapshot.ts";
import type { Topology } from "./topology.ts";
import type { Holder } from "./watermark.ts";

/** Settings of a run, the same for all of its slots. */
export interface SlotSettings {
  /** Rows of a batch at most, 1 … 8192. */
  readonly batchRows: number;
  /** Frames of another fence are refused. */
  readonly fence: bigint;
  /** Credit of a channel in bytes. */
  readonly windowBytes: number;
  /** Updating operators emit their changes this often, and at every barrier. */
  readonly flushIntervalMs: number;
  /** Rows wait for their batch to fill at most this long. */
  readonly lingerMs: number;
  /** Barriers by row count: every so many rows of a source; 0: none. */
  readonly checkpointEveryRows: number;
  /** Sources pause behind the barrier of this epoch. */
  readonly stopAfterCheckpoint: number | undefined;
  /** The epoch that the run was restored from; 0: a first start. The next one is its successor. */
  readonly restoredEpoch: number;
  readonly late: LatePolicy;
}

/** Rows that were skipped under a policy that allows it. */
export interface SkippedRows {
  readonly late: number;
  readonly bad: number;
}

/** A part of a checkpoint's work: see `PhaseSpan` in proto/report.proto. */
export interface PhaseTiming {
  readonly phase: "alignment" | "snapshot" | "upload" | "stage" | "commit";
  /** Wall time of its begin, ns. */
  readonly startedAtNs: bigint;
  readonly durationMs: number;
  /** Bytes copied, stored or staged. */
  readonly bytes: number;
}

/** Where the time of a vertex' part of an epoch went, and what it stored. */
export interface ReportTiming {
  /** In the order in which they began. */
  readonly phases: readonly PhaseTiming[];
  /** Bytes of state written for this epoch. */
  readonly writtenBytes: number;
  /** Bytes of live state, older files included. */
  readonly stateBytes: number;
}

/** What a slot tells its worker. Calls come from the slot's loop; they must not throw. */
export interface SlotHost {
  /** The slot's sources have sent the barrier of `epoch`. */
  started(epoch: number): void;
  /** A vertex' part of `epoch`; everything it names is durable. */
  reported(epoch: number, report: SubtaskReport, timing: ReportTiming): void;
  /** The sinks of this slot have published `epoch`; one phase per sink that had something to publish. */
  committed(epoch: number, phases: readonly PhaseTiming[]): void;
  /** All vertices have ended and all rows have left. */
  ended(): void;
  skippedRows(rows: SkippedRows): void;
}

/** What a slot is made of. Connectors are open, the instance is initialised and restored. */
export interface SlotInit {
  readonly instance: Instance;
  readonly topology: Topology;
  readonly settings: SlotSettings;
  readonly host: SlotHost;
  readonly clock: Clock;
  /** By vertex, in order. */
  readonly sources: ReadonlyMap<number, ByteSource | EventSource>;
  readonly sinks: ReadonlyMap<number, Sink>;
  /** `idleMs` of a source vertex. */
  readonly idleMs: (vertex: number) => number;
  readonly links: SlotLinks;
  /** Undefined while the slot is alone. */
  readonly doorbells: Doorbells | undefined;
  /** Undefined: state is not kept. */
  readonly snapshots: SnapshotStore | undefined;
  /** Event times to start from, by vertex. */
  readonly restoredWatermarks: ReadonlyMap<number, bigint>;
  /** Called every turn: the sign of life. */
  readonly beat?: () => void;
}

/** A vertex of a slot, as of now. */
export interface VertexProgress {
  readonly vertex: number;
  readonly stats: VertexStats;
  readonly watermarkNs: bigint;
  /** Who holds `watermarkNs` back. */
  readonly holder: Holder | undefined;
  readonly idle: boolean;
  readonly ended: boolean;
  /** Bytes that came in over channels, or that a source has read. Inside a slot nothing is copied: direct edges move no bytes. */
  readonly bytesIn: number;
  /** Bytes that left over channels, or that a sink has written. */
  readonly bytesOut: number;
  /** Bytes that wait on its outgoing edges. */
  readonly queueBytes: number;
  /** Time it was not fed, since the slot's start, because what is behind it had no room. */
  readonly blockedMs: number;
  /** Bytes that a source knows to be unread; undefined: it does not know, or it is no source. */
  readonly lagBytes?: number | undefined;
}

/** A slot, as of now. */
export interface SlotProgress {
  readonly vertices: readonly VertexProgress[];
  /** Since the start of the slot. */
  readonly rowsRead: number;
  readonly rowsWritten: number;
  /** Time spent waiting for room downstream. */
  readonly blockedMs: number;
  readonly stateBytes: number;
  /** Newest epoch whose barrier the sources have sent. */
  readonly epoch: number;
}
