/**
 * What a connector is to a slot. Sources hand over raw bytes with positions, sinks take encoded bytes; nothing here sees a
 * row. One instance serves one vertex of one subtask; all methods are called from the slot's thread, never at once.
 */
import type { OptionValues } from "../program/operator.ts";

/** Where a subtask stands among its peers. */
export interface SubtaskContext {
  readonly job: string;
  readonly run: number;
  readonly vertex: number;
  readonly subtask: number;
  readonly parallelism: number;
  /** SQL name of the table, for messages. */
  readonly table: string;
  readonly options: OptionValues;
  /** Where a preview sink's rows go; absent under `wadi run`, where they go to standard output. */
  readonly preview?: PreviewOutput | undefined;
}

/** Rows for whoever watches the job. */
export interface PreviewBatch {
  /** Number of the first row among those of this sink and subtask, from 0. */
  readonly firstRow: number;
  /** One text a row. */
  readonly rows: readonly string[];
  /** Rows left out so far. */
  readonly dropped: number;
}

/** Takes the rows of a preview sink. */
export interface PreviewOutput {
  /** Rows in all. */
  readonly rows: number;
  readonly rowsPerSecond: number;
  /** Whether rows that come faster wait; otherwise they are left out. */
  readonly waits: boolean;
  send(batch: PreviewBatch): void;
}

/**
 * A source's place in one split (a block of a file, a Kafka partition), as plain JSON, versioned by the connector. `split` is unique
 * within the table. `watermarkNs` is the split's watermark so far (decimal string), absent if none.
 */
export interface SplitPosition {
  readonly split: string;
  readonly watermarkNs?: string;
  readonly [field: string]: string | number | boolean | undefined;
}

/** A piece of input. */
export interface SourceChunk {
  /** Raw bytes; valid until the next `read`. */
  readonly bytes: Uint8Array;
  /** Number of the split among those of the table: what error rows and watermark holders call partition. */
  readonly partition: number;
  /** Position of `bytes[0]` in its file or partition. */
  readonly position: bigint;
  /** True: nothing follows `bytes` in this split, a last line without newline is complete. */
  readonly last: boolean;
}

/**
 * A byte source. The slot calls `read`, scans whole rows out of the chunk and says by `consumed` how far it came; unconsumed
 * bytes come again at the start of the split's next chunk, with more behind them.
 */
export interface ByteSource {
  readonly kind: "bytes";
  /** True: `read` returns "end" some day. */
  readonly bounded: boolean;
  /** Opens the splits of this subtask. `restored`: positions of all subtasks of the checkpoint, or undefined on a first start. */
  open(restored: readonly SplitPosition[] | undefined): Promise<void>;
  /** Next chunk; "idle" if there is nothing yet (call again later; `wait` resolves when it pays), "end" when all splits are done. */
  read(): Promise<SourceChunk | "idle" | "end">;
  /** Bytes of the last chunk that were scanned, the rows in them, and the largest watermark they gave (ns; undefined: none). */
  consumed(bytes: number, rows: number, watermarkNs: bigint | undefined): void;
  /** Resolves when `read` may have something, or the signal aborts. */
  wait(signal: AbortSignal): Promise<void>;
  /**
   * Event time of this subtask: the minimum over its unfinished splits, with the split that holds it back; `undefined` while an
   * unread split holds it at −∞; "end" when all are done.
   */
  watermark(): { readonly ns: bigint; readonly partition: number } | undefined | "end";
  /** Splits of this subtask as of the rows consumed so far; finished ones included, so that they are not read again. */
  positions(): readonly SplitPosition[];
  /** Bytes that are known to be there and not consumed yet; absent: nobody knows. Asked some times a second. */
  lagBytes?(): number;
  /** How to say position `position` of partition `partition` to a person: `file "bids.ndjson" at byte 1032`. */
  describe(partition: number, position: bigint): string;
  close(): Promise<void>;
}

/** A generator: rows are made in the module; this says which. Event i goes to subtask i mod parallelism. */
export interface EventSource {
  readonly kind: "events";
  readonly bounded: boolean;
  open(restored: readonly SplitPosition[] | undefined): Promise<void>;
  /** The next events to make: `count` of them from `first` by `stride`; "idle" while the rate limits; "end". */
  next(
    maxRows: number,
  ): { readonly first: bigint; readonly stride: number; readonly count: number; readonly baseNs: bigint } | "idle" | "end";
  /** The slot has made the events of the last `next`. */
  produced(count: number, watermarkNs: bigint | undefined): void;
  wait(signal: AbortSignal): Promise<void>;
  watermark(): { readonly ns: bigint; readonly partition: number } | undefined | "end";
  positions(): readonly SplitPosition[];
  describe(partition: number, position: bigint): string;
  close(): Promise<void>;
}

/** What a sink staged at a barrier: plain JSON that `commit` understands, after a restore too. */
export type SinkCommit = Readonly<Record<string, string | number | boolean>>;

/** A sink of one subtask. Order of calls: open, (write* stage commit?)*, close. */
export interface Sink {
  /**
   * Opens for writing. `restored`: what all subtasks' `stage` returned for the restored epoch, already committed again by `commit`
   * below; the sink removes whatever was written after it. Undefined on a first start.
   */
  open(restored: readonly SinkCommit[] | undefined): Promise<void>;
  /** Takes encoded bytes; they are copied or written before it resolves. Backpressure is the promise. */
  write(bytes: Uint8Array, rows: number): Promise<void>;
  /** Makes all bytes so far durable without publishing them; idempotent per epoch. Undefined: nothing to commit. */
  stage(epoch: number): Promise<SinkCommit | undefined>;
  /** Publishes what was staged. Idempotent: it is called again after a restore, possibly on another subtask. */
  commit(epoch: number, staged: SinkCommit): Promise<void>;
  /** All input has come and been committed (`finished`), or the run is given up. */
  close(finished: boolean): Promise<void>;
}
