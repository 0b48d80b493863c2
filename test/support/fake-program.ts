/** Programs for the fake module: a chain of vertices by kind, with the exchanges that the planner would put in. */
import type { RowSchema } from "../../src/data/schema.ts";
import type { Operator, OptionValues } from "../../src/program/operator.ts";
import type { Edge, Exchange, Program, Vertex } from "../../src/program/program.ts";

const SCHEMA: RowSchema = { columns: [], updating: false };

/** A vertex of a fake program: its kind with what varies, and the exchanges of its inputs by source vertex. */
export interface FakeVertex {
  readonly kind: Operator["kind"];
  readonly options?: OptionValues;
  readonly widthMs?: number;
  readonly badData?: "fail" | "drop";
  readonly idleMs?: number;
  /** Source vertex and exchange of each input; by default forward from the vertex before. */
  readonly inputs?: readonly (readonly [number, Exchange])[];
}

/** Sends rows by key. */
export const KEYED: Exchange = { kind: "keyed", keys: [0] };
/** Sends rows to subtask 0. */
export const GATHER: Exchange = { kind: "gather" };
/** Keeps rows in their subtask. */
export const FORWARD: Exchange = { kind: "forward" };

function operatorOf(vertex: FakeVertex): Operator {
  const options = vertex.options ?? {};
  switch (vertex.kind) {
    case "source":
      return {
        kind: "source",
        table: "events",
        connector: "fake",
        options,
        shape: [],
        declared: [],
        watermark: { kind: "literal", type: { kind: "timestamp" }, value: null },
        idleMs: vertex.idleMs ?? 0,
        badData: vertex.badData ?? "fail",
      } as unknown as Operator;
    case "window-aggregate":
      return {
        kind: "window-aggregate",
        window: { kind: "tumble", widthNs: BigInt(vertex.widthMs ?? 1000) * 1_000_000n },
        keys: [],
        aggregates: [],
      };
    case "updating-aggregate":
      return { kind: "updating-aggregate", keys: [], aggregates: [], ttlMs: 0 };
    case "encode":
      return { kind: "encode", format: { kind: "raw_string" }, shape: [], keyColumns: [] };
    case "sink":
      return { kind: "sink", table: "results", connector: "fake", options };
    case "window-join":
      return { kind: "window-join", join: "inner", leftKeys: [], rightKeys: [] };
    case "compute":
      return { kind: "compute", outputs: [] };
  }
}

/** The program of `vertices`, in order. */
export function fakeProgram(vertices: readonly FakeVertex[]): Program {
  const edges: Edge[] = [];
  const made = vertices.map((vertex, id): Vertex => {
    const inputs = vertex.inputs ?? (vertex.kind === "source" ? [] : [[id - 1, FORWARD] as const]);
    for (const [source, exchange] of inputs) edges.push({ id: edges.length, source, target: id, port: 0, exchange });
    return { id, name: `${vertex.kind} ${id}`, operator: operatorOf(vertex), output: SCHEMA, fingerprint: `f${id}${vertex.kind}` };
  });
  return { version: 1, vertices: made, edges, fingerprint: `fake-${vertices.map((v) => v.kind).join("-")}` };
}
