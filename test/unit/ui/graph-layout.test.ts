/** Places of a graph's vertices. */
import { expect } from "chai";
import type { PipelineGraph } from "../../../ui/src/api/types.ts";
import { edgePath, layoutGraph, NODE_HEIGHT, NODE_WIDTH } from "../../../ui/src/charts/graph-layout.ts";

function graphOf(nodes: readonly number[], edges: readonly (readonly [number, number])[]): PipelineGraph {
  return {
    nodes: nodes.map((node_id) => ({
      node_id,
      operator: "compute",
      description: `vertex ${node_id}`,
      parallelism: 1,
      kind: "compute",
      table: null,
      connector: null,
      updating: false,
    })),
    edges: edges.map(([src_id, dest_id]) => ({ src_id, dest_id, key_type: "", value_type: "", edge_type: "Forward" as const })),
  };
}

describe("layout of a graph", () => {
  it("puts every vertex below its sources and none on another", () => {
    const graph = graphOf([0, 1, 2, 3, 4, 5], [
      [0, 2],
      [1, 2],
      [2, 3],
      [2, 4],
      [3, 5],
      [4, 5],
    ] as const);
    const { nodes, edges, width, height } = layoutGraph(graph);
    const at = new Map(nodes.map((node) => [node.id, node]));
    for (const { source, target } of edges) {
      expect(at.get(target)?.y ?? 0, `${source} → ${target}`).to.be.at.least((at.get(source)?.y ?? 0) + NODE_HEIGHT);
    }
    for (const a of nodes) {
      expect(a.x >= 0 && a.y >= 0 && a.x + NODE_WIDTH <= width && a.y + NODE_HEIGHT <= height, `vertex ${a.id} is inside`).to.equal(true);
      for (const b of nodes) {
        const apart = Math.abs(a.x - b.x) >= NODE_WIDTH || Math.abs(a.y - b.y) >= NODE_HEIGHT;
        expect(a.id === b.id || apart, `${a.id} and ${b.id}`).to.equal(true);
      }
    }
  });

  it("keeps two edges between the same vertices and leaves out edges to nowhere", () => {
    expect(
      layoutGraph(
        graphOf([0, 1], [
          [0, 1],
          [0, 1],
          [1, 7],
        ] as const),
      ).edges,
    ).to.have.length(2);
  });

  it("lays out nothing", () => {
    expect(layoutGraph(graphOf([], []))).to.deep.include({ nodes: [], edges: [] });
  });

  it("draws a course from its first to its last point", () => {
    const path = edgePath([
      { x: 0, y: 0 },
      { x: 5, y: 50 },
      { x: 10, y: 100 },
    ]);
    expect(path).to.match(/^M0 0C/);
    expect(path).to.match(/ 10 100$/);
    expect(edgePath([])).to.equal("");
  });
});
