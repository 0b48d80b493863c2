/**
 * What a program looks like from inside one slot at a given parallelism: which edges are calls inside the module (*direct*) and which carry
 * frames (*channels*), the inputs of every vertex, and where a vertex' rows can come to rest. Pure, computed once per slot.
 *
 * A vertex can be *void* in a subtask: gathered edges lead to subtask 0 only, so elsewhere their target has no input, never runs and counts
 * as ended from the start.
 */
import { type Edge, inputs, isDirect, outputs, type Program } from "../program/program.ts";

/** One input of a vertex: a direct edge, or a channel from one subtask. */
export interface VertexInput {
  readonly edge: number;
  /** Subtask at the other end; the own one for direct edges. */
  readonly source: number;
  readonly direct: boolean;
}

/** One vertex in one subtask. Vertices are numbered in topological order. */
export interface VertexTopology {
  readonly id: number;
  readonly inputs: readonly VertexInput[];
  /** Edges out that are calls inside the module. */
  readonly direct: readonly Edge[];
  /** Edges out that are channels. */
  readonly channels: readonly Edge[];
  /** Channel edges that rows given to this vertex may be queued on before anything else is delivered. */
  readonly feedsEdges: readonly number[];
  /** Sink vertices that rows given to this vertex may reach without passing a channel; itself, if it is a sink. */
  readonly feedsSinks: readonly number[];
  readonly void: boolean;
}

/** The slot's view of a program. */
export interface Topology {
  readonly program: Program;
  readonly subtask: number;
  readonly parallelism: number;
  readonly vertices: readonly VertexTopology[];
  /** Source vertices, in order. */
  readonly sources: readonly number[];
  readonly sinks: readonly number[];
}

/** Subtasks that receive what `source` sends on a channel edge. */
export function channelTargets(edge: Edge, source: number, parallelism: number): readonly number[] {
  switch (edge.exchange.kind) {
    case "forward":
      return [source];
    case "gather":
      return [0];
    case "keyed":
      return Array.from({ length: parallelism }, (_, subtask) => subtask);
  }
}

/** Subtasks that send to `target` on a channel edge. */
export function channelSources(edge: Edge, target: number, parallelism: number): readonly number[] {
  switch (edge.exchange.kind) {
    case "forward":
      return [target];
    case "gather":
      return target === 0 ? Array.from({ length: parallelism }, (_, subtask) => subtask) : [];
    case "keyed":
      return Array.from({ length: parallelism }, (_, subtask) => subtask);
  }
}

/** The view of `subtask`. */
export function makeTopology(program: Program, subtask: number, parallelism: number): Topology {
  const isSource = (vertex: number): boolean => program.vertices[vertex]?.operator.kind === "source";
  const isSink = (vertex: number): boolean => program.vertices[vertex]?.operator.kind === "sink";
  const vertexInputs = program.vertices.map((v) => inputs(program, v.id).flatMap((e) => edgeInputs(program, e, subtask, parallelism)));
  const voids: boolean[] = [];
  for (const v of program.vertices) {
    const own = vertexInputs[v.id] ?? [];
    voids.push(!isSource(v.id) && own.every((input) => input.direct && voids[program.edges[input.edge]?.source ?? 0] === true));
  }
  const feeds: { edges: Set<number>; sinks: Set<number> }[] = [];
  for (const v of program.vertices.toReversed()) {
    const own = { edges: new Set<number>(), sinks: new Set<number>(isSink(v.id) ? [v.id] : []) };
    for (const edge of outputs(program, v.id)) {
      if (!isDirect(program, edge, parallelism)) own.edges.add(edge.id);
      else {
        for (const e of feeds[edge.target]?.edges ?? []) own.edges.add(e);
        for (const s of feeds[edge.target]?.sinks ?? []) own.sinks.add(s);
      }
    }
    feeds[v.id] = own;
  }
  const vertices = program.vertices.map((v): VertexTopology => {
    const out = outputs(program, v.id);
    return {
      id: v.id,
      inputs: vertexInputs[v.id] ?? [],
      direct: out.filter((e) => isDirect(program, e, parallelism)),
      channels: out.filter((e) => !isDirect(program, e, parallelism)),
      feedsEdges: [...(feeds[v.id]?.edges ?? [])],
      feedsSinks: [...(feeds[v.id]?.sinks ?? [])],
      void: voids[v.id] === true,
    };
  });
  const ids = program.vertices.map((v) => v.id);
  return { program, subtask, parallelism, vertices, sources: ids.filter(isSource), sinks: ids.filter(isSink) };
}

function edgeInputs(program: Program, edge: Edge, subtask: number, parallelism: number): readonly VertexInput[] {
  if (isDirect(program, edge, parallelism)) return [{ edge: edge.id, source: subtask, direct: true }];
  return channelSources(edge, subtask, parallelism).map((source) => ({ edge: edge.id, source, direct: false }));
}
