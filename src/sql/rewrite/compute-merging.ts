/**
 * Adjacent computes become one, unless that would evaluate an expression twice that is not cheap. So a filter, a generated column and a
 * select list over one table are one pass over its batches.
 */
import { conjunction } from "../binder/bound.ts";
import { type ComputeNode, type LogicalNode, type LogicalPlan, makeCompute, mapPlan, readerCounts } from "../logical-plan.ts";
import { columnUses, inline, isCheap } from "./expression-cost.ts";

/** Merges computes with the computes that they read. */
export function mergeComputes(plan: LogicalPlan): LogicalPlan {
  const readers = readerCounts(plan);
  const originals = new Map<LogicalNode, LogicalNode>();
  return mapPlan(plan, (node, original) => {
    const merged = node.kind === "compute" ? mergeDown(node, (inner) => readers.get(originals.get(inner) ?? inner) ?? 1) : node;
    originals.set(merged, original);
    return merged;
  });
}

function mergeDown(outer: ComputeNode, readersOf: (node: LogicalNode) => number): LogicalNode {
  const inner = outer.input;
  if (inner.kind !== "compute" || !isMergeable(outer, inner, readersOf(inner) > 1)) return outer;
  const width = inner.input.schema.columns.length;
  const filter = conjunction(inner.filter, outer.filter && inline(outer.filter, inner.outputs, width));
  const outputs = outer.outputs.map((o, i) => {
    const column = outer.schema.columns[i];
    return { name: column?.name ?? "", expression: inline(o, inner.outputs, width), nullable: column?.nullable ?? false };
  });
  return makeCompute(inner.input, filter, outputs);
}

/** `shared`: others read the inner compute too, so that its work would be done again here. */
function isMergeable(outer: ComputeNode, inner: ComputeNode, shared: boolean): boolean {
  const uses = columnUses([...(outer.filter === undefined ? [] : [outer.filter]), ...outer.outputs]);
  if (shared) return inner.filter === undefined && inner.outputs.every((o) => isCheap(o));
  return inner.outputs.every((output, i) => isCheap(output) || (uses.get(i) ?? 0) <= 1);
}
