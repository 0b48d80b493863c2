/**
 * Places for a dataflow graph: layers from top to bottom by dagre, in CSS pixels. No drawing.
 */
import { Graph as DagreGraph, layout } from "@dagrejs/dagre";
import type { PipelineGraph } from "../api/types.ts";

/** Width of every vertex, px. */
export const NODE_WIDTH = 232;
/** Height of every vertex, px. */
export const NODE_HEIGHT = 64;
const MARGIN = 14;

/** A vertex's upper left corner. */
export interface NodePlace {
  readonly id: number;
  readonly x: number;
  readonly y: number;
}

/** An edge's course from its source to its target. */
export interface EdgePlace {
  readonly source: number;
  readonly target: number;
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

/** A graph with places. */
export interface GraphLayout {
  readonly width: number;
  readonly height: number;
  readonly nodes: readonly NodePlace[];
  readonly edges: readonly EdgePlace[];
}

/** Lays out a graph. Edges to vertices that do not exist are left out. */
export function layoutGraph(graph: PipelineGraph): GraphLayout {
  const dagre = new DagreGraph({ multigraph: true });
  dagre.setGraph({ rankdir: "TB", nodesep: 28, ranksep: 44, marginx: MARGIN, marginy: MARGIN });
  dagre.setDefaultEdgeLabel(() => ({}));
  for (const { node_id } of graph.nodes) dagre.setNode(String(node_id), { width: NODE_WIDTH, height: NODE_HEIGHT });
  const known = new Set(graph.nodes.map((node) => node.node_id));
  const edges = graph.edges.filter((edge) => known.has(edge.src_id) && known.has(edge.dest_id));
  for (const [i, edge] of edges.entries()) dagre.setEdge(String(edge.src_id), String(edge.dest_id), {}, String(i));
  layout(dagre);
  const size = dagre.graph() as { width?: number; height?: number };
  return {
    width: Math.ceil(size.width ?? 0),
    height: Math.ceil(size.height ?? 0),
    nodes: graph.nodes.map(({ node_id }) => {
      const { x = 0, y = 0 } = dagre.node(String(node_id)) as { x?: number; y?: number };
      return { id: node_id, x: x - NODE_WIDTH / 2, y: y - NODE_HEIGHT / 2 };
    }),
    edges: edges.map((edge, i) => {
      const label = dagre.edge({ v: String(edge.src_id), w: String(edge.dest_id), name: String(i) }) as { points?: EdgePlace["points"] };
      return { source: edge.src_id, target: edge.dest_id, points: label.points ?? [] };
    }),
  };
}

/** The course as an SVG path of soft curves through the points. */
export function edgePath(points: EdgePlace["points"]): string {
  const [first, ...rest] = points;
  const last = rest.pop();
  if (first === undefined || last === undefined) return "";
  let path = `M${round(first.x)} ${round(first.y)}`;
  let from = first;
  for (const to of [...rest.filter((_, i) => i % 2 === 1), last]) {
    const middle = (from.y + to.y) / 2;
    path += `C${round(from.x)} ${round(middle)} ${round(to.x)} ${round(middle)} ${round(to.x)} ${round(to.y)}`;
    from = to;
  }
  return path;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
