/**
 * One WebAssembly instance: the only file where the module's pointers reach JavaScript (`>>> 0`), where traps become errors and where its
 * buffers are decoded. It knows the module's contract (`program/abi.ts`) and nothing of what the slot does with it.
 *
 * The memory is created at its 4 GiB maximum, reserved but not committed, so views over it never detach.
 */
import { AppError, internalError, userError } from "../core/errors.ts";
import {
  ABI_VERSION,
  ERROR_RECORD_HEADER,
  FATAL,
  type ModuleExports,
  type ModuleImports,
  STATS,
  STATUS,
  UDF_FAILED,
} from "../program/abi.ts";
import type { Program } from "../program/program.ts";
import type { UdfDefinition } from "../program/udf.ts";
import { UdfHost } from "./udf.ts";

/** 65,536 pages of 64 KiB: 4 GiB. */
const MEMORY_PAGES = 65536;
/** "To the host" in the output queue: a frame for a sink. */
export const TO_HOST = 0xffffffff;
const NO_COLUMN = 0xffffffff;
const NO_PARTITION = 0xffffffff;
const LIVE_ENTRY_SIZE = 24;
const NO_WATERMARK = -(2n ** 63n);

/** A row that was not processed, as the module reported it. */
export interface ErrorRow {
  readonly vertex: number;
  /** Index into `ERROR_REASONS`. */
  readonly reason: number;
  /** Source partition; undefined if the row's origin is no longer known. */
  readonly partition: number | undefined;
  /** Input position of the row; undefined if unknown. */
  readonly position: bigint | undefined;
  /** Column of the vertex; undefined if the whole row is meant. */
  readonly column: number | undefined;
  /** The offending bytes, cut at 1 KiB. */
  readonly payload: Uint8Array;
  /** What the user's function said, if it is that which failed. */
  readonly note?: string | undefined;
}

/** Counters of one vertex since the start of the instance; `keys` and `stateBytes` are as of now. */
export interface VertexStats {
  readonly rowsIn: number;
  readonly rowsOut: number;
  readonly filtered: number;
  readonly late: number;
  readonly bad: number;
  readonly keys: number;
  readonly stateBytes: number;
  readonly flushes: number;
}

/** A live segment of a frozen state table. */
export interface LiveSegment {
  readonly table: number;
  readonly segment: number;
  readonly partition: bigint;
  readonly rows: number;
}

/** A queued frame. The object is reused: read it before the next call of `nextOutput`. */
export interface OutputEntry {
  frame: number;
  length: number;
  edge: number;
  /** Subtask, or `TO_HOST`. */
  target: number;
}

/** What `init` is told. */
export interface InstanceSettings {
  readonly program: Program;
  readonly subtask: number;
  readonly parallelism: number;
  readonly batchRows: number;
  /** Bytes of state at most. */
  readonly stateLimit: number;
  readonly fence: bigint;
}

/** A module's exports and the functions that it calls. */
export interface LoadedModule extends ModuleExports {
  readonly udfs?: UdfHost;
}

/**
 * Instantiates `module` with a memory of its own; `entering` is told the number of the user's function that begins, and 0 when it is over.
 * Throws `slot-failed` if it cannot start, `invalid-udf` if a function cannot be loaded.
 */
export function instantiate(
  module: WebAssembly.Module,
  functions: readonly UdfDefinition[] = [],
  entering?: (number: number) => void,
): LoadedModule {
  const udfs = new UdfHost(functions, entering);
  const memory = new WebAssembly.Memory({ initial: MEMORY_PAGES, maximum: MEMORY_PAGES });
  const imports: ModuleImports = {
    abort: (message, file, line, column) => {
      const text = `${managedText(memory, message >>> 0)} at ${managedText(memory, file >>> 0)}:${line}:${column}`;
      throw internalError("slot-failed", `generated code aborted: ${text}`);
    },
    exp: Math.exp,
    ln: Math.log,
    log10: Math.log10,
    log2: Math.log2,
    pow: Math.pow,
    udf: udfs.call,
  };
  udfs.attach(memory.buffer);
  try {
    const instance = new WebAssembly.Instance(module, { env: { memory, ...imports } });
    return { ...instance.exports, memory, udfs } as unknown as LoadedModule;
  } catch (error) {
    throw internalError("slot-failed", `cannot instantiate the module: ${String(error)}`, { cause: error });
  }
}

/** A string literal of AssemblyScript: UTF-16 with its length in bytes in the 4 bytes before it. */
function managedText(memory: { readonly buffer: ArrayBuffer }, pointer: number): string {
  if (pointer < 4) return "unknown";
  const length = new DataView(memory.buffer).getUint32(pointer - 4, true);
  return Buffer.from(memory.buffer, pointer, Math.min(length, 1024)).toString("utf16le");
}

/** A module in use. Methods that return a status return one of `STATUS`; `errors` asks for `drainErrors`. */
export class Instance {
  /** The whole memory; never detaches. */
  readonly memory: Uint8Array;
  readonly #x: LoadedModule;
  readonly #view: DataView;
  readonly #program: Program;
  readonly #entry: OutputEntry = { frame: 0, length: 0, edge: 0, target: 0 };

  /** Checks the version and initialises. Throws `version-mismatch` for a module of another build. */
  constructor(exports: LoadedModule, settings: InstanceSettings) {
    this.#x = exports;
    this.#program = settings.program;
    this.memory = new Uint8Array(exports.memory.buffer);
    this.#view = new DataView(exports.memory.buffer);
    const version = exports.abiVersion();
    if (version !== ABI_VERSION) {
      throw internalError("version-mismatch", `the module has ABI version ${version}, this build runs version ${ABI_VERSION}`);
    }
    try {
      exports.init(settings.subtask, settings.parallelism, settings.batchRows, settings.stateLimit, settings.fence);
    } catch (error) {
      throw this.#trap("init", error);
    }
  }

  /** Address of `vertex`' input area of at least `capacity` bytes. */
  inputBuffer(vertex: number, capacity: number): number {
    try {
      return this.#x.inputBuffer(vertex, capacity) >>> 0;
    } catch (error) {
      throw this.#trap("inputBuffer", error);
    }
  }

  /** Time of reading in ns, for rows without an event time of their own. */
  setTime(ns: bigint): void {
    this.#x.setTime(ns);
  }

  /** See `scan` of the contract; `scanBytes`, `scanRows` and `scanWatermark` tell what it did. */
  scan(vertex: number, from: number, to: number, last: boolean, maxRows: number, partition: number, position: bigint): number {
    try {
      return this.#check(this.#x.scan(vertex, from, to, last ? 1 : 0, maxRows, partition, position));
    } catch (error) {
      throw this.#trap("scan", error);
    }
  }

  scanBytes(): number {
    return this.#x.scanBytes() >>> 0;
  }

  scanRows(): number {
    return this.#x.scanRows() >>> 0;
  }

  /** Largest watermark of the last `scan` or `generate` in ns; undefined if it gave none. */
  scanWatermark(): bigint | undefined {
    const ns = this.#x.scanWatermark();
    return ns === NO_WATERMARK ? undefined : ns;
  }

  generate(vertex: number, first: bigint, stride: number, count: number, baseNs: bigint): number {
    try {
      return this.#check(this.#x.generate(vertex, first, stride, count, baseNs));
    } catch (error) {
      throw this.#trap("generate", error);
    }
  }

  /** Room for an incoming frame; released by `push` or `freeFrame`. */
  frameBuffer(length: number): number {
    try {
      return this.#x.frameBuffer(length) >>> 0;
    } catch (error) {
      throw this.#trap("frameBuffer", error);
    }
  }

  freeFrame(frame: number): void {
    this.#x.frameFree(frame);
  }

  push(edge: number, frame: number): number {
    try {
      return this.#check(this.#x.push(edge, frame));
    } catch (error) {
      throw this.#trap("push", error);
    }
  }

  pull(): number {
    try {
      return this.#check(this.#x.pull());
    } catch (error) {
      throw this.#trap("pull", error);
    }
  }

  watermark(vertex: number, ns: bigint): number {
    try {
      return this.#check(this.#x.watermark(vertex, ns));
    } catch (error) {
      throw this.#trap("watermark", error);
    }
  }

  flush(vertex: number, nowMs: bigint): number {
    try {
      return this.#check(this.#x.flush(vertex, nowMs));
    } catch (error) {
      throw this.#trap("flush", error);
    }
  }

  /** Queues what waits in the partitioning buffers of channel `edge`. */
  flushEdge(edge: number): void {
    try {
      this.#x.flushEdge(edge);
    } catch (error) {
      throw this.#trap("flushEdge", error);
    }
  }

  /** Takes the oldest queued frame; it stays alive until `push` or `freeFrame`. */
  nextOutput(): OutputEntry | undefined {
    const at = this.#x.outputPeek() >>> 0;
    if (at === 0) return undefined;
    const entry = this.#entry;
    entry.frame = this.#view.getUint32(at, true);
    entry.length = this.#view.getUint32(at + 4, true);
    entry.edge = this.#view.getUint32(at + 8, true);
    entry.target = this.#view.getUint32(at + 12, true);
    this.#x.outputPop();
    return entry;
  }

  barrier(vertex: number, epoch: number): void {
    try {
      this.#x.barrier(vertex, BigInt(epoch));
    } catch (error) {
      throw this.#trap("barrier", error);
    }
  }

  /** Writes the next state frame of `vertex` at `out`; its length, 0 at the end. */
  snapshot(vertex: number, out: number, capacity: number): number {
    try {
      return this.#x.snapshot(vertex, out, capacity) >>> 0;
    } catch (error) {
      throw this.#trap("snapshot", error);
    }
  }

  /** Live segments of `vertex`' tables as frozen by its last barrier. */
  liveSegments(vertex: number): readonly LiveSegment[] {
    const count = this.#x.liveSegments(vertex) >>> 0;
    if (count === 0) return [];
    const base = this.#x.liveSegmentList(vertex) >>> 0;
    const segments: LiveSegment[] = [];
    for (let at = base; at < base + count * LIVE_ENTRY_SIZE; at += LIVE_ENTRY_SIZE) {
      segments.push({
        table: this.#view.getUint32(at, true),
        segment: this.#view.getUint32(at + 4, true),
        partition: this.#view.getBigInt64(at + 8, true),
        rows: this.#view.getUint32(at + 16, true),
      });
    }
    return segments;
  }

  touchSegment(vertex: number, segment: { readonly table: number; readonly partition: bigint; readonly segment: number }): void {
    this.#x.touchSegment(vertex, segment.table, segment.partition, segment.segment);
  }

  /** Adds a state frame's rows, as far as their keys belong here. */
  restore(vertex: number, frame: Uint8Array): void {
    const at = this.frameBuffer(frame.length);
    this.memory.set(frame, at);
    try {
      this.#check(this.#x.restore(vertex, at));
    } catch (error) {
      throw this.#trap("restore", error);
    }
    this.freeFrame(at);
  }

  restoreWatermark(vertex: number, ns: bigint): void {
    this.#x.restoreWatermark(vertex, ns);
  }

  /** Takes all error rows. */
  drainErrors(): readonly ErrorRow[] {
    const bytes = this.#x.errorBytes() >>> 0;
    if (bytes === 0) return [];
    const rows: ErrorRow[] = [];
    const base = this.#x.errorBuffer() >>> 0;
    for (let at = base; at < base + bytes; at += this.#view.getUint32(at, true)) rows.push(this.#errorRow(at));
    this.#x.errorReset();
    return rows;
  }

  /** Number of error rows that wait, in bytes of the buffer. */
  errorBytes(): number {
    return this.#x.errorBytes() >>> 0;
  }

  #errorRow(at: number): ErrorRow {
    const partition = this.#view.getUint32(at + 12, true);
    const position = this.#view.getBigInt64(at + 16, true);
    const column = this.#view.getUint32(at + 24, true);
    const length = this.#view.getUint32(at + 28, true);
    return {
      vertex: this.#view.getUint32(at + 4, true),
      reason: this.#view.getUint32(at + 8, true),
      partition: partition === NO_PARTITION ? undefined : partition,
      position: position < 0n ? undefined : position,
      column: column === NO_COLUMN ? undefined : column,
      payload: this.memory.slice(at + ERROR_RECORD_HEADER, at + ERROR_RECORD_HEADER + length),
      note: this.#view.getUint32(at + 8, true) === UDF_FAILED ? this.#x.udfs?.failure : undefined,
    };
  }

  /** Counters of `vertex`. */
  stats(vertex: number): VertexStats {
    const at = this.#x.stats(vertex) >>> 0;
    const read = (offset: number): number => Number(this.#view.getBigUint64(at + offset, true));
    return {
      rowsIn: read(STATS.rowsIn),
      rowsOut: read(STATS.rowsOut),
      filtered: read(STATS.filtered),
      late: read(STATS.late),
      bad: read(STATS.bad),
      keys: read(STATS.keys),
      stateBytes: read(STATS.stateBytes),
      flushes: read(STATS.flushes),
    };
  }

  /** Bytes in use by all state tables. */
  stateBytes(): number {
    return Number(this.#x.stateBytes());
  }

  #check(status: number): number {
    if (status === STATUS.fatal) throw this.#fatal();
    return status;
  }

  #fatal(): AppError {
    const argument = this.#x.fatalArgument();
    switch (this.#x.fatalCode()) {
      case FATAL.stateLimit:
        return userError("state-limit", `the state of a slot reached ${argument} bytes, above its limit`, {
          detail: `The largest tables: ${this.#largestTables()}.`,
          hint: "Run with more slots (--parallelism), raise state-limit, or narrow windows and keys.",
        });
      case FATAL.rowTooLarge:
        return userError("bad-data", `a row takes ${argument} bytes, more than the engine can hold`, {
          hint: "Filter or shorten such rows before the query reads them.",
        });
      case FATAL.frameVersion:
        return internalError("version-mismatch", `a frame has format version ${argument}, which this module does not read`);
      default:
        return internalError("slot-failed", `generated code ended with code ${this.#x.fatalCode()} (${argument})`);
    }
  }

  #largestTables(): string {
    const sizes = this.#program.vertices.map((v) => ({ name: v.name, ...this.stats(v.id) })).filter((v) => v.stateBytes > 0);
    sizes.sort((a, b) => b.stateBytes - a.stateBytes);
    return (
      sizes
        .slice(0, 3)
        .map((v) => `"${v.name}" with ${v.stateBytes} bytes and ${v.keys} keys`)
        .join(", ") || "none is known"
    );
  }

  #trap(call: string, error: unknown): AppError {
    if (error instanceof AppError) return error;
    const text = error instanceof Error ? error.message : String(error);
    return internalError("slot-failed", `generated code trapped in "${call}": ${text}`, { cause: error });
  }
}
