/**
 * The dataflow graph: the contract between the planner, the code generator and the worker. A program knows no
 * parallelism: the same artifact runs at any, which is what makes rescaling a restore.
 *
 * Vertices are in topological order and numbered by their index; edges likewise by theirs.
 */
import type { Column, RowSchema } from "../data/schema.ts";
import type { Operator } from "./operator.ts";
import type { UdfDefinition } from "./udf.ts";

/**
 * How rows find their target subtask. `forward`: same subtask. `keyed`: by the key group of the hash of the columns
 * `keys`. `gather`: all to subtask 0.
 */
export type Exchange =
  | { readonly kind: "forward" }
  | { readonly kind: "keyed"; readonly keys: readonly number[] }
  | { readonly kind: "gather" };

/** A stream of rows (or of encoded bytes) from one vertex to an input of another. */
export interface Edge {
  readonly id: number;
  readonly source: number;
  readonly target: number;
  /** Input of the target: 0, or 1 for a join's right side. Several edges may lead to one port (UNION ALL). */
  readonly port: number;
  readonly exchange: Exchange;
}

/** One operator of the graph. */
export interface Vertex {
  readonly id: number;
  /** What people see: `source bids`, `tumble by auction`. */
  readonly name: string;
  readonly operator: Operator;
  /** Rows that leave the vertex. For `encode` and `sink`: no columns. */
  readonly output: RowSchema;
  /** Hex hash of kind, semantic parameters, keys and the inputs' fingerprints; unique within a program. */
  readonly fingerprint: string;
}

/** The dataflow graph of a pipeline. */
export interface Program {
  /** Format version; another is refused. */
  readonly version: 1;
  readonly vertices: readonly Vertex[];
  readonly edges: readonly Edge[];
  /** User-defined functions that its expressions call, each once; absent: none. Generated code calls them by `udfNumber`. */
  readonly udfs?: readonly UdfDefinition[];
  /** Hash over all fingerprints: what a state directory must match. */
  readonly fingerprint: string;
}

/** Current `Program.version`. */
export const PROGRAM_VERSION = 1;

/** Edges into `vertex`, ordered by port, then id. */
export function inputs(program: Program, vertex: number): readonly Edge[] {
  return program.edges.filter((e) => e.target === vertex).sort((a, b) => a.port - b.port || a.id - b.id);
}

/** Edges out of `vertex`, by id. */
export function outputs(program: Program, vertex: number): readonly Edge[] {
  return program.edges.filter((e) => e.source === vertex);
}

/** Schema of the rows on `edge`: its source's output. */
export function edgeSchema(program: Program, edge: Edge): RowSchema {
  return (program.vertices[edge.source] as Vertex).output;
}

/** Physical columns of what `vertex` receives on `port`. */
export function inputSchema(program: Program, vertex: number, port = 0): RowSchema {
  const edge = inputs(program, vertex).find((e) => e.port === port);
  const none: readonly Column[] = [];
  return edge === undefined ? { columns: none, updating: false } : edgeSchema(program, edge);
}

/**
 * Whether the edge is a *direct call* inside a slot: a forward edge whose target has no other input. Everything joined by
 * direct edges is one stage: barriers and watermarks pass through it without queueing. All other edges are *channels*:
 * frames that the slot's loop delivers, so that it can align barriers. At parallelism 1 every edge is direct.
 */
export function isDirect(program: Program, edge: Edge, parallelism: number): boolean {
  return parallelism === 1 || (edge.exchange.kind === "forward" && inputs(program, edge.target).length === 1);
}
