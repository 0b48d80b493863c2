/**
 * One generated vertex alone: its emitter's text compiled with a small driver that feeds batches made from JavaScript rows and
 * collects the batches it emits. For tests and measurements of stateful operators without the rest of the engine.
 */
import { compileModule, MEMORY_PAGES, type OptimisationLevel } from "../../src/codegen/asc.ts";
import { columnWidth } from "../../src/codegen/value.ts";
import type { VertexEmitter } from "../../src/codegen/vertex.ts";
import { must } from "../../src/core/assert.ts";
import { internalError } from "../../src/core/errors.ts";
import { isVariable, type ScalarType } from "../../src/data/data-type.ts";
import { type Column, physicalColumns, type RowSchema } from "../../src/data/schema.ts";
import { LATE_ROW, STATS } from "../../src/program/abi.ts";
import type { Operator } from "../../src/program/operator.ts";
import type { Exchange, Program, Vertex } from "../../src/program/program.ts";

/** A column value of a test row. */
export type Cell = null | boolean | bigint | number | string | Uint8Array;
/** Physical columns in order. */
export type Cells = readonly Cell[];

/** What is to be compiled. */
export interface VertexSpec {
  readonly operator: Operator;
  /** Schemas of the inputs by port. */
  readonly inputs: readonly RowSchema[];
  readonly output: RowSchema;
  readonly exchange?: Exchange;
}

interface Exports {
  readonly init: (subtask: number, parallelism: number) => void;
  readonly room: (bytes: number) => number;
  readonly block: (bytes: number) => number;
  readonly batch: (columns: number) => number;
  readonly column: (batch: number, c: number, values: number, validity: number, bytes: number) => void;
  readonly rows: (batch: number, rows: number) => void;
  readonly push: (batch: number, port: number) => void;
  readonly pull: () => number;
  readonly watermark: (ns: bigint) => number;
  readonly flush: (nowMs: bigint) => number;
  readonly barrier: (epoch: bigint) => void;
  readonly snapshot: (out: number, capacity: number) => number;
  readonly liveSegments: () => number;
  readonly liveSegmentList: () => number;
  readonly touchSegment: (table: number, partition: bigint, segment: number) => void;
  readonly restore: (frame: number) => number;
  readonly restoreWatermark: (ns: bigint) => void;
  readonly stats: () => number;
  readonly errorBuffer: () => number;
  readonly errorBytes: () => number;
  readonly errorReset: () => void;
  readonly stateBytes: () => bigint;
  readonly fatal: () => number;
}

/** A program of stand-in sources and the one vertex. */
export function programOf(spec: VertexSpec): Program {
  const sources = spec.inputs.map((output, id): Vertex => {
    return { id, name: `input ${id}`, output, fingerprint: String(id), operator: { kind: "compute", outputs: [] } };
  });
  const id = sources.length;
  const exchange = spec.exchange ?? { kind: "forward" };
  const vertex: Vertex = { id, name: "under test", operator: spec.operator, output: spec.output, fingerprint: "test" };
  const edges = sources.map((s) => ({ id: s.id, source: s.id, target: id, port: s.id, exchange }));
  return { version: 1, vertices: [...sources, vertex], edges, fingerprint: "test" };
}

const NAMES = [
  "pull",
  "watermark",
  "flush",
  "barrier",
  "snapshot",
  "liveSegments",
  "liveSegmentList",
  "touchSegment",
  "restore",
  "restoreWatermark",
];

function driver(id: number, source: string): string {
  const has = NAMES.filter((name) => source.includes(`export function ${name}(`));
  return `
import { init as initVertex, push as pushVertex } from "./v${id}.ts";
export { ${has.join(", ")} } from "./v${id}";
import { setSubtask } from "../runtime/exchange.ts";
import { setFrameOrigin } from "../runtime/frame.ts";
import { reserve, allocateBlock, stateBytes as bytesOfState, fatalCode } from "../runtime/memory.ts";
import { makeBatch, setBatchRows, setColumn } from "../runtime/batch.ts";
import { statsOf } from "../runtime/stats.ts";
import { errorBufferAddress, errorBufferBytes, resetErrorBuffer } from "../runtime/row-errors.ts";
export function init(subtask: i32, parallelism: i32): void { setSubtask(subtask, parallelism); setFrameOrigin(subtask, 1); initVertex(); }
export function room(bytes: usize): usize { return reserve(bytes); }
export function block(bytes: usize): usize { return allocateBlock(bytes); }
export function batch(columns: usize): usize { return makeBatch(columns); }
export function column(batch: usize, c: usize, values: usize, validity: usize, bytes: usize): void { setColumn(batch, c, values, validity, bytes); }
export function rows(batch: usize, n: usize): void { setBatchRows(batch, n); }
export function push(batch: usize, port: i32): void { pushVertex(batch, port); }
export function stats(): usize { return statsOf(${id}); }
export function errorBuffer(): usize { return errorBufferAddress(); }
export function errorBytes(): usize { return errorBufferBytes(); }
export function errorReset(): void { resetErrorBuffer(); }
export function stateBytes(): u64 { return bytesOfState(); }
export function fatal(): i32 { return fatalCode; }
`;
}

/** A compiled vertex, to be instantiated as often as needed. */
export interface CompiledVertex {
  readonly spec: VertexSpec;
  readonly module: WebAssembly.Module;
}

/** Compiles the vertex of `spec`. */
export async function compileVertex(
  emitter: VertexEmitter,
  spec: VertexSpec,
  level: OptimisationLevel = "preview",
): Promise<CompiledVertex> {
  const program = programOf(spec);
  const vertex = must(program.vertices.at(-1), "vertex");
  const emitted = emitter({ program, vertex });
  const sources = new Map([
    [`generated/v${vertex.id}.ts`, emitted.source],
    [
      `generated/e${vertex.id}.ts`,
      '@external("env", "received")\ndeclare function received(batch: usize): void;\nexport function emit(batch: usize): void { received(batch); }\n',
    ],
    ["generated/main.ts", driver(vertex.id, emitted.source)],
  ]);
  const binary = await compileModule(sources, "generated/main.ts", level);
  return { spec, module: await WebAssembly.compile(binary) };
}

/** Areas of one input batch in the vertex' memory. */
interface Area {
  readonly batch: number;
  readonly columns: readonly { readonly values: number; readonly validity: number; readonly bytes: number }[];
}

const TEXT_ROOM = 8 << 20;

/** A running vertex. */
export class VertexInstance {
  readonly exports: Exports;
  readonly #schema: VertexSpec;
  readonly #memory: WebAssembly.Memory;
  readonly #areas: readonly Area[];
  /** Rows emitted since the last `take`. */
  readonly #emitted: Cells[] = [];
  /** Sizes of the emitted batches. */
  readonly batches: number[] = [];
  /** False: emitted rows are counted but not decoded. */
  decode = true;

  constructor(compiled: CompiledVertex, subtask = 0, parallelism = 1) {
    this.#schema = compiled.spec;
    this.#memory = new WebAssembly.Memory({ initial: MEMORY_PAGES, maximum: MEMORY_PAGES });
    const instance = new WebAssembly.Instance(compiled.module, {
      env: {
        memory: this.#memory,
        abort: () => {
          throw internalError("invariant", "the vertex aborted");
        },
        received: (batch: number) => this.#receive(batch >>> 0),
      },
    });
    this.exports = instance.exports as unknown as Exports;
    this.exports.init(subtask, parallelism);
    this.#areas = compiled.spec.inputs.map((schema) => this.#area(physicalColumns(schema)));
  }

  get view(): DataView {
    return new DataView(this.#memory.buffer);
  }

  bytes(at: number, length: number): Uint8Array {
    return new Uint8Array(this.#memory.buffer, at, length);
  }

  #area(columns: readonly Column[]): Area {
    const { room, batch } = this.exports;
    const areas = columns.map((c) => ({
      values: room(8193 * 8 + 64) >>> 0,
      validity: room(8192 + 64) >>> 0,
      bytes: isVariable(c.type) ? room(TEXT_ROOM) >>> 0 : 0,
    }));
    return { batch: batch(columns.length) >>> 0, columns: areas };
  }

  /** Pushes rows in batches of `batchRows`. */
  push(rows: readonly Cells[], batchRows = 8192, port = 0): void {
    for (let at = 0; at < rows.length; at += batchRows) this.pushBatch(this.fill(rows.slice(at, at + batchRows), port), port);
  }

  pushBatch(batch: number, port = 0): void {
    this.exports.push(batch, port);
  }

  /** Lays rows out as the input batch of `port`. */
  fill(rows: readonly Cells[], port = 0): number {
    const area = must(this.#areas[port], "input");
    const columns = physicalColumns(must(this.#schema.inputs[port], "schema"));
    for (const [c, column] of columns.entries()) {
      const at = must(area.columns[c], "column");
      fillColumns(
        this.#memory.buffer,
        column,
        rows.map((row) => row[c] ?? null),
        at,
      );
      this.exports.column(area.batch, c, at.values, column.nullable ? at.validity : 0, at.bytes);
    }
    this.exports.rows(area.batch, rows.length);
    return area.batch;
  }

  #receive(batch: number): void {
    const rows = this.view.getUint32(batch, true);
    this.batches.push(rows);
    if (!this.decode) return;
    const columns = physicalColumns(this.#schema.output).map((c, i) => this.#readColumn(batch, c, i, rows));
    for (let r = 0; r < rows; r++) this.#emitted.push(columns.map((c) => c[r] ?? null));
  }

  #readColumn(batch: number, column: Column, index: number, rows: number): readonly Cell[] {
    const view = this.view;
    const entry = batch + 16 + 16 * index;
    const [values, validity, bytes] = [view.getUint32(entry, true), view.getUint32(entry + 4, true), view.getUint32(entry + 8, true)];
    return Array.from({ length: rows }, (_, r) => {
      if (view.getUint8(validity + r) === 0) return null;
      if (!isVariable(column.type)) return loadCell(view, column.type, values, r);
      const [from, to] = [view.getUint32(values + 4 * r, true), view.getUint32(values + 4 * r + 4, true)];
      const text = this.bytes(bytes + from, to - from);
      return column.type.kind === "bytes" ? text.slice() : Buffer.from(text).toString("utf8");
    });
  }

  /** Pulls until idle; returns the rows emitted since the last call. */
  take(): Cells[] {
    for (let turn = 0; this.exports.pull() !== 0; turn++) if (turn > 1e6) throw internalError("invariant", "pull never ends");
    return this.#emitted.splice(0);
  }

  /** Watermark, then `take`. */
  watermark(ns: bigint): Cells[] {
    this.exports.watermark(ns);
    return this.take();
  }

  /** Flush, then `take`. */
  flush(nowMs: bigint): Cells[] {
    this.exports.flush(nowMs);
    return this.take();
  }

  stat(name: keyof typeof STATS): number {
    return Number(this.view.getBigUint64((this.exports.stats() >>> 0) + STATS[name], true));
  }

  /** Frames of the next snapshot, copied out. `each` runs after every frame. */
  snapshot(each: () => void = () => {}): Uint8Array[] {
    const capacity = (1 << 20) + 64;
    const out = this.exports.block(capacity) >>> 0;
    const frames: Uint8Array[] = [];
    for (;;) {
      const length = this.exports.snapshot(out, capacity);
      if (length === 0) return frames;
      frames.push(this.bytes(out, length).slice());
      each();
    }
  }

  restore(frames: readonly Uint8Array[]): void {
    for (const frame of frames) {
      const at = this.exports.block(frame.length + 64) >>> 0;
      this.bytes(at, frame.length).set(frame);
      this.exports.restore(at);
    }
  }

  /** The last barrier's live segments as `table/partition/segment` with their rows. */
  liveSegments(): Map<string, number> {
    const list = this.exports.liveSegmentList() >>> 0;
    const view = this.view;
    return new Map(
      Array.from({ length: this.exports.liveSegments() }, (_, i) => {
        const at = list + 24 * i;
        return [
          `${view.getUint32(at, true)}/${view.getBigInt64(at + 8, true)}/${view.getUint32(at + 4, true)}`,
          view.getUint32(at + 16, true),
        ];
      }),
    );
  }

  /** Drains the error buffer: reason and payload. */
  errors(): { readonly reason: number; readonly late: boolean; readonly payload: string }[] {
    const found = [];
    const start = this.exports.errorBuffer() >>> 0;
    const end = start + this.exports.errorBytes();
    for (let at = start; at < end; at += this.view.getUint32(at, true)) {
      const reason = this.view.getUint32(at + 8, true);
      const payload = Buffer.from(this.bytes(at + 32, this.view.getUint32(at + 28, true))).toString();
      found.push({ reason, late: reason === LATE_ROW, payload });
    }
    this.exports.errorReset();
    return found;
  }
}

/** Lays the cells of one column out at the given addresses: values (or offsets), validity, bytes of text. */
export function fillColumns(
  memory: ArrayBuffer,
  column: Column,
  cells: readonly Cell[],
  { values, validity, bytes }: { readonly values: number; readonly validity: number; readonly bytes: number },
): void {
  const view = new DataView(memory);
  let used = 0;
  if (isVariable(column.type)) view.setUint32(values, 0, true);
  for (const [r, cell] of cells.entries()) {
    view.setUint8(validity + r, cell === null ? 0 : 1);
    if (!isVariable(column.type)) {
      if (cell !== null) storeCell(view, column.type, values, r, cell);
      continue;
    }
    const text = cell === null ? new Uint8Array() : typeof cell === "string" ? Buffer.from(cell) : (cell as Uint8Array);
    new Uint8Array(memory, bytes + used, text.length).set(text);
    used += text.length;
    view.setUint32(values + 4 * r + 4, used, true);
  }
}

/** Identity of a state frame: what replaces it in a later checkpoint. */
export function frameIdentity(frame: Uint8Array): string {
  const view = new DataView(frame.buffer, frame.byteOffset);
  return `${view.getUint16(20, true)}/${view.getBigInt64(24, true)}/${view.getUint32(56, true)}`;
}

function storeCell(view: DataView, type: ScalarType, values: number, row: number, cell: Cell): void {
  const at = values + row * columnWidth(type);
  if (type.kind === "float32") view.setFloat32(at, Number(cell), true);
  else if (type.kind === "float64") view.setFloat64(at, Number(cell), true);
  else if (columnWidth(type) === 1) view.setInt8(at, Number(cell));
  else if (columnWidth(type) === 2) view.setInt16(at, Number(cell), true);
  else if (columnWidth(type) === 4) view.setInt32(at, Number(cell), true);
  else view.setBigInt64(at, BigInt(cell as bigint), true);
}

function loadCell(view: DataView, type: ScalarType, values: number, row: number): Cell {
  const at = values + row * columnWidth(type);
  switch (type.kind) {
    case "boolean":
      return view.getUint8(at) !== 0;
    case "float32":
      return view.getFloat32(at, true);
    case "float64":
      return view.getFloat64(at, true);
    case "int8":
      return BigInt(view.getInt8(at));
    case "uint8":
      return BigInt(view.getUint8(at));
    case "int16":
      return BigInt(view.getInt16(at, true));
    case "uint16":
      return BigInt(view.getUint16(at, true));
    case "uint32":
      return BigInt(view.getUint32(at, true));
    case "uint64":
      return view.getBigUint64(at, true);
    default:
      return columnWidth(type) === 4 ? BigInt(view.getInt32(at, true)) : view.getBigInt64(at, true);
  }
}
