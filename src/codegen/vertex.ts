/**
 * The contract between `module.ts`, which assembles a module, and the emitters under `operator/`, which write one
 * AssemblyScript file a vertex.
 *
 * Invariant: no name or literal of the SQL becomes an identifier or text of generated source: columns are numbered, literals
 * are numbers or data bytes.
 */
import type { Program, Vertex } from "../program/program.ts";

/** What an emitter is given. */
export interface EmitContext {
  readonly program: Program;
  readonly vertex: Vertex;
}

/**
 * What an emitter returns.
 *
 * The file of vertex 7 is `v7.ts`. It imports runtime files as `../runtime/<file>` and `{ emit }` from `./e7`, which gives
 * a batch to every outgoing edge. It exports, all of them taking and returning what `program/abi.ts` says for the export of
 * the same name, without the vertex:
 *
 *   init(): void                          always: reserve buffers
 *   push(batch: usize, port: i32): void   everything but sources
 *   pull(): i32, watermark(ns: i64): i32  those with `expands`
 *   flush(nowMs: i64): i32                those with `flushes`
 *   barrier, snapshot, liveSegments, liveSegmentList, touchSegment, restore(frame)   those with `stateful`; restoreWatermark(ns)   of those the ones that do not flush
 *   inputBuffer(capacity), scan(from, to, last, maxRows, partition, position), scanBytes, scanRows, scanWatermark    byte sources
 *   generate(first, stride, count, baseNs), scanRows, scanWatermark                                  generators
 *
 * A file counts its own rows with `runtime/stats` (rowsIn in push/scan, rowsOut when it emits, filtered, late, bad) and
 * reports bad rows with `runtime/row-errors`. Operators that emit out of state call `clearProvenance` first.
 */
export interface VertexModule {
  /** Text of `v<id>.ts`. */
  readonly source: string;
  /** `pull` and `watermark` are exported. */
  readonly expands: boolean;
  /** `flush` is exported. */
  readonly flushes: boolean;
  /** The state functions are exported. */
  readonly stateful: boolean;
  /** Hex hash of the layout of the vertex' state tables: columns and types per table. Undefined without state. */
  readonly stateSchema?: string;
}

export type VertexEmitter = (context: EmitContext) => VertexModule;
