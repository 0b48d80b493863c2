/**
 * The contract between a generated module and its host (`dataflow/instance.ts`).
 *
 * A module holds one subtask's slice of the whole program: every vertex, at a parallelism given to `init`. Data moves
 * along direct edges inside the module by calls; along channels (see `isDirect` in `program.ts`) the module lays out
 * frames and queues them; the host carries them to the target slot, or, when the target is the same subtask, hands the
 * same pointer back to `push`. The host alone decides about time: it delivers watermarks and barriers, vertex by vertex in topological order, and
 * only when the module is idle (`pull` said so). No call handles more than 8,192 input rows.
 *
 * All pointers are u32 byte addresses; they reach JavaScript through `>>> 0` in `dataflow/instance.ts` only. A trap ends
 * the slot. Data errors are never traps: they are rows of the error buffer.
 */

/** Part of the artifact's hash; a module built for another version is refused. */
export const ABI_VERSION = 1;

/** What `scan`, `generate`, `push`, `pull`, `watermark` and `flush` return. */
export const STATUS = {
  /** Nothing left to do. */
  idle: 0,
  /** More rows come out of `pull`. */
  more: 1,
  /** The error buffer must be drained (`errorBuffer`, `errorReset`) before the next call. */
  errors: 2,
  /** A limit was reached: `fatalCode` and `fatalArgument` say which. */
  fatal: 3,
} as const;

/** `fatalCode()`. */
export const FATAL = { none: 0, stateLimit: 1, rowTooLarge: 2, frameVersion: 3 } as const;

/** Exports of every module. `vertex` and `edge` are the program's numbers. */
export interface ModuleExports {
  readonly memory: { readonly buffer: ArrayBuffer };
  abiVersion(): number;
  /** First call, once. `stateLimit` in bytes, at most 3.5 GiB. */
  init(subtask: number, parallelism: number, batchRows: number, stateLimit: number, fence: bigint): void;

  // sources over bytes
  /** Address of `vertex`' input area, at least `capacity` bytes plus 64 of padding; contents survive growth. */
  inputBuffer(vertex: number, capacity: number): number;
  /** Time of reading, ns: the event time of rows whose source has none of its own. */
  setTime(ns: bigint): void;
  /**
   * Parses at most `maxRows` rows from the addresses [from, to) inside the input area and pushes them downstream. Only whole lines are consumed, except
   * under `last` (the input ends at `to`). `position` is the input position of byte `from` (for the error rows); `partition` the
   * source partition. A row of more than 16 MiB is bad data; while its end has not come, all bytes up to `to` are consumed, and the
   * source passes over the rest of the row itself. Afterwards `scanBytes` and `scanRows` say what was consumed.
   */
  scan(vertex: number, from: number, to: number, last: number, maxRows: number, partition: number, position: bigint): number;
  /** Bytes that the last `scan` consumed, counted from its `from`. */
  scanBytes(): number;
  /** Rows (good and bad) that the last `scan` or `generate` consumed. */
  scanRows(): number;
  /** Largest watermark over the rows of the last `scan` or `generate`, in ns; i64 minimum if none. */
  scanWatermark(): bigint;

  // generators (impulse, nexmark)
  /** Makes events first, first + stride, … (`count` of them, at most 8,192) and pushes them downstream. `baseNs`: event time of event 0. */
  generate(vertex: number, first: bigint, stride: number, count: number, baseNs: bigint): number;

  // data between slots
  /** Memory for an incoming frame of `length` bytes; released by `push`. */
  frameBuffer(length: number): number;
  /** Gives the frame at `frame` (from `frameBuffer` or from the output queue) to the target of `edge`; takes ownership. */
  push(edge: number, frame: number): number;
  /** Goes on with work that expands (window firing, flushes): at most one batch per output. */
  pull(): number;
  /** Event time at `vertex` has reached `ns`: windows that end at or before it begin to fire (see `pull`). Expiry follows. */
  watermark(vertex: number, ns: bigint): number;
  /** Updating operators begin to emit their changes since the last flush (see `pull`). `nowMs`: processing time for TTLs. */
  flush(vertex: number, nowMs: bigint): number;
  /** Rows that wait in the partitioning buffers of `edge` are queued as frames. */
  flushEdge(edge: number): void;

  // output queue: frames for channels and encoded frames for sinks
  /**
   * Address of the oldest queued frame's entry, or 0: u32 frame address, u32 length, u32 edge, u32 target subtask. A sink vertex
   * queues its input frames too: then edge is the sink's input edge and target 0xffffffff ("to the host").
   */
  outputPeek(): number;
  /** Forgets the oldest entry; the frame stays alive until `frameFree` or `push`. */
  outputPop(): void;
  frameFree(frame: number): void;
  /** Bytes of queued frames: the host stops feeding above its limit. */
  outputBytes(): number;

  // state
  /** Freezes `vertex`' tables as they are now; changes made later are kept apart until the snapshot has been read. */
  barrier(vertex: number, epoch: bigint): void;
  /** Next state frame of `vertex`' frozen, changed segments at `out` (`capacity` ≥ 1 MiB + 64); its length, 0 at the end. */
  snapshot(vertex: number, out: number, capacity: number): number;
  /** Number of live segments of the frozen tables; valid after `barrier` until the next. */
  liveSegments(vertex: number): number;
  /** Address of the list of live segments: entries of 24 bytes {u32 table, u32 segment, i64 partition, u32 rows, u32 unused}. */
  liveSegmentList(vertex: number): number;
  /** Marks a segment as changed, so that the next checkpoint writes it again (compaction). */
  touchSegment(vertex: number, table: number, partition: bigint, segment: number): void;
  /** Adds the rows of a state frame whose keys belong to this subtask. Before any data; in any order. */
  restore(vertex: number, frame: number): number;
  /** The vertex' event time after a restore (ns); later rows behind it are late. */
  restoreWatermark(vertex: number, ns: bigint): void;

  // errors, numbers
  /** Address of the error buffer; `errorBytes` of records, format in `ERROR_RECORD`. */
  errorBuffer(): number;
  errorBytes(): number;
  errorReset(): void;
  /** Address of `vertex`' counters, format in `STATS`. */
  stats(vertex: number): number;
  fatalCode(): number;
  fatalArgument(): bigint;
  /** Bytes in use by all state tables. */
  stateBytes(): bigint;
}

/**
 * Error record: u32 length of the whole record (multiple of 8), u32 vertex, u32 reason (`ERROR_REASONS` index), u32 partition,
 * i64 position (−1: unknown), u32 column (0xffffffff: none), u32 payload length, then the payload (the offending bytes, cut at 1 KiB).
 */
export const ERROR_RECORD_HEADER = 32;

/** Why a row was not processed. The first group is bad data of a source, the second a row error, the last a late row. */
export const ERROR_REASONS = [
  "none",
  "malformed JSON",
  "wrong type",
  "number out of range",
  "invalid UTF-8",
  "missing value for a NOT NULL column",
  "invalid timestamp",
  "row too long",
  "truncated last row",
  "event time is NULL",
  "integer overflow",
  "division by zero",
  "cast out of range",
  "invalid text for cast",
  "invalid argument",
  "result too large",
  "late row",
  "user-defined function failed",
] as const;
/** First reason that is a row error rather than bad data. */
export const FIRST_ROW_ERROR = ERROR_REASONS.indexOf("integer overflow");
/** The reason of rows on which a user-defined function failed. */
export const UDF_FAILED = ERROR_REASONS.indexOf("user-defined function failed");
/** The reason of late rows. */
export const LATE_ROW = ERROR_REASONS.indexOf("late row");

/** u64 counters at `stats(vertex)`, cumulative since `init`. Invariant for row-wise operators: in = out + filtered + late + bad. */
export const STATS = { rowsIn: 0, rowsOut: 8, filtered: 16, late: 24, bad: 32, keys: 40, stateBytes: 48, flushes: 56 } as const;

/** Imports of every module, under "env": `abort` of AssemblyScript and the log10-class functions that WebAssembly lacks. */
export interface ModuleImports {
  abort(message: number, file: number, line: number, column: number): void;
  exp(x: number): number;
  ln(x: number): number;
  log10(x: number): number;
  log2(x: number): number;
  pow(x: number, y: number): number;
  /**
   * Calls the function of `Program.udfs` with this `udfNumber` on one row. At `frame` is a cell of `UDF_CELL` for every argument, then one for the result. A cell: at 0 the
   * value (i64, f64, or u32 address of a text), at 8 u32 length of a text, at 12 u32 whether it is present. The result's cell holds the address and
   * length of the room for a text beforehand. Returns one of `UDF_OUTCOME`. Absent where the program has no functions.
   */
  udf?(number: number, frame: number): number;
}

/** Bytes of a cell. */
export const UDF_CELL = 16;
/** What `udf` returns. */
export const UDF_OUTCOME = { null: 0, value: 1, failed: 2, tooLarge: 3 } as const;
