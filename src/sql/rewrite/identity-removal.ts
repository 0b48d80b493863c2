/**
 * Removes computes that do nothing: no filter, every column passed on in its place.
 */
import { type LogicalNode, type LogicalPlan, mapPlan } from "../logical-plan.ts";

/** Removes identity computes. */
export function removeIdentities(plan: LogicalPlan): LogicalPlan {
  return mapPlan(plan, (node) => (node.kind === "compute" && isIdentity(node) ? node.input : node));
}

/** A compute whose columns are its input's, with the same nullability; names do not count. */
function isIdentity(node: LogicalNode & { readonly kind: "compute" }): boolean {
  const input = node.input.schema;
  if (node.filter !== undefined || node.outputs.length !== input.columns.length) return false;
  return node.outputs.every(
    (o, i) => o.kind === "column" && o.index === i && node.schema.columns[i]?.nullable === input.columns[i]?.nullable,
  );
}
