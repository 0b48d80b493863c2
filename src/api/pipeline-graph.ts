/**
 * A program as the graph that users see: one node per vertex, numbered as metrics, errors and checkpoints number it.
 */
import type { z } from "zod";
import { decodeProgram } from "../program/codec.ts";
import type { Operator } from "../program/operator.ts";
import { printSchema } from "../program/print.ts";
import { type Edge, edgeSchema, inputs, type Program, type Vertex } from "../program/program.ts";
import type { graphShape } from "./schema/pipeline-shapes.ts";

/** The graph as it is answered. */
export type PipelineGraph = z.output<typeof graphShape>;

/** The graph of `program` at a parallelism. */
export function graphOf(program: Program, parallelism: number): PipelineGraph {
  return {
    nodes: program.vertices.map((vertex) => nodeOf(program, vertex, parallelism)),
    edges: program.edges.map((edge) => edgeOf(program, edge)),
  };
}

function nodeOf(program: Program, vertex: Vertex, parallelism: number): PipelineGraph["nodes"][number] {
  const { operator } = vertex;
  const table = operator.kind === "source" || operator.kind === "sink" ? operator : undefined;
  const from = inputs(program, vertex.id);
  // Everything goes to subtask 0; the others have nothing to do.
  const gathers = from.length > 0 && from.every((edge) => edge.exchange.kind === "gather");
  return {
    node_id: vertex.id,
    operator: operatorName(operator),
    description: vertex.name,
    parallelism: gathers ? 1 : parallelism,
    kind: operator.kind,
    table: table?.table ?? null,
    connector: table?.connector ?? null,
    updating: vertex.output.updating,
  };
}

/** `preview_sink`, `window_aggregate`. */
function operatorName(operator: Operator): string {
  const kind = operator.kind.replaceAll("-", "_");
  return operator.kind === "source" || operator.kind === "sink" ? `${operator.connector}_${kind}` : kind;
}

function edgeOf(program: Program, edge: Edge): PipelineGraph["edges"][number] {
  const schema = edgeSchema(program, edge);
  const { exchange } = edge;
  const names = exchange.kind === "keyed" ? exchange.keys.map((k) => schema.columns[k]?.name ?? `#${k}`) : [];
  return {
    src_id: edge.source,
    dest_id: edge.target,
    key_type: names.join(", "),
    value_type: printSchema(schema),
    edge_type: edgeType(program, edge),
  };
}

function edgeType(program: Program, edge: Edge): PipelineGraph["edges"][number]["edge_type"] {
  if (program.vertices[edge.target]?.operator.kind === "window-join") return edge.port === 0 ? "LeftJoin" : "RightJoin";
  return ({ forward: "Forward", keyed: "Shuffle", gather: "Gather" } as const)[edge.exchange.kind];
}

/** Programs by pipeline: decoding checks the whole program, and lists are read every few seconds. */
const KEPT_PROGRAMS = 500;

/** Decodes stored programs, the newest ones once. */
export class ProgramCache {
  readonly #programs = new Map<string, { readonly text: string; readonly program: Program | undefined }>();

  /** The program of a pipeline; `undefined` if it was made by a build whose programs this one does not read. */
  decode(pipelineId: string, text: string | undefined): Program | undefined {
    if (text === undefined) return undefined;
    const known = this.#programs.get(pipelineId);
    if (known !== undefined && known.text === text) return known.program;
    const program = tryDecode(text);
    this.#programs.delete(pipelineId);
    this.#programs.set(pipelineId, { text, program });
    const [oldest] = this.#programs.keys();
    if (this.#programs.size > KEPT_PROGRAMS && oldest !== undefined) this.#programs.delete(oldest);
    return program;
  }
}

function tryDecode(text: string): Program | undefined {
  try {
    return decodeProgram(text);
  } catch {
    return undefined;
  }
}
