/**
 * A pipeline's dataflow: vertices as buttons with their rate, edges as curves; colours say how much a vertex is held up.
 */
import { useMemo } from "preact/hooks";
import type { PipelineGraph, PipelineNode } from "../api/types.ts";
import { Icon, type IconName } from "../components/icon.tsx";
import { edgePath, layoutGraph, NODE_HEIGHT, NODE_WIDTH } from "./graph-layout.ts";

/** What is known of a vertex while it runs. */
export interface NodeLoad {
  /** Rows that leave it per second; for sinks, rows that reach it. */
  readonly rate: string;
  /** 0 to 1. */
  readonly backpressure: number;
}

interface DataflowGraphProps {
  readonly graph: PipelineGraph;
  readonly loads?: ReadonlyMap<number, NodeLoad>;
  readonly selected?: number | undefined;
  onSelect?(id: number): void;
}

/** How bad a share of time spent waiting is, with Arroyo's thresholds. */
export function pressureLevel(backpressure: number): "low" | "medium" | "high" {
  return backpressure <= 0.33 ? "low" : backpressure <= 0.66 ? "medium" : "high";
}

/** The graph; it scrolls when there is no room. */
export function DataflowGraph({ graph, loads, selected, onSelect }: DataflowGraphProps) {
  const places = useMemo(() => layoutGraph(graph), [graph]);
  const byId = new Map(graph.nodes.map((node) => [node.node_id, node]));
  const kinds = edgeKinds(graph);
  return (
    <div class="graph">
      <div class="graph-sheet" style={{ width: `${places.width}px`, height: `${places.height}px` }}>
        <svg class="graph-edges" width={places.width} height={places.height} aria-hidden="true">
          {places.edges.map((edge, i) => (
            <path
              key={`${edge.source}-${edge.target}-${i}`}
              d={edgePath(edge.points)}
              data-kind={kinds.get(`${edge.source}-${edge.target}`)}
              data-active={selected === edge.source || selected === edge.target}
            />
          ))}
        </svg>
        {places.nodes.map(({ id, x, y }) => {
          const node = byId.get(id);
          return (
            node !== undefined && (
              <NodeBox key={id} node={node} x={x} y={y} load={loads?.get(id)} selected={selected === id} onSelect={onSelect} />
            )
          );
        })}
      </div>
    </div>
  );
}

interface NodeBoxProps {
  readonly node: PipelineNode;
  readonly x: number;
  readonly y: number;
  readonly load: NodeLoad | undefined;
  readonly selected: boolean;
  readonly onSelect: ((id: number) => void) | undefined;
}

function NodeBox({ node, x, y, load, selected, onSelect }: NodeBoxProps) {
  const level = pressureLevel(load?.backpressure ?? 0);
  const style = { left: `${x}px`, top: `${y}px`, width: `${NODE_WIDTH}px`, height: `${NODE_HEIGHT}px` };
  const label = load === undefined ? node.description : `${node.description}, ${load.rate}, backpressure ${level}`;
  return (
    <button
      type="button"
      class="graph-node"
      style={style}
      data-level={load === undefined ? "none" : level}
      data-kind={nodeKind(node)}
      aria-pressed={selected}
      aria-label={label}
      title={node.description}
      disabled={onSelect === undefined}
      onClick={() => onSelect?.(node.node_id)}
    >
      <span class="graph-node-icon">
        <Icon name={iconOf(node)} />
      </span>
      <span class="graph-node-text">
        <span class="graph-node-name truncate">{node.description}</span>
        <span class="graph-node-rate num truncate">{load?.rate ?? `${node.operator} · ${node.parallelism}×`}</span>
      </span>
    </button>
  );
}

/** Whether a vertex brings rows in, takes them out, or works on them. */
function nodeKind(node: PipelineNode): "source" | "sink" | "operator" {
  return node.kind === "source" || node.kind === "sink" ? node.kind : "operator";
}

function iconOf(node: PipelineNode): IconName {
  const kind = nodeKind(node);
  return kind === "source" ? "source" : kind === "sink" ? "sink" : "function";
}

/** Edges that move rows between subtasks are drawn with dashes. */
function edgeKinds(graph: PipelineGraph): ReadonlyMap<string, string> {
  return new Map(graph.edges.map((edge) => [`${edge.src_id}-${edge.dest_id}`, /forward/i.test(edge.edge_type) ? "forward" : "exchange"]));
}
