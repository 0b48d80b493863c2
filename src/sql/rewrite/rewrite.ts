/**
 * The rewrites in their fixed order. Each takes a valid plan to a valid plan with the same rows.
 */
import type { LogicalPlan } from "../logical-plan.ts";
import { mergeComputes } from "./compute-merging.ts";
import { foldConstants } from "./constant-folding.ts";
import { removeIdentities } from "./identity-removal.ts";
import { exposeKeys } from "./key-exposure.ts";
import { pushPredicates } from "./predicate-push-down.ts";
import { pruneProjections } from "./projection-pruning.ts";

/** A rewrite rule with its name, for EXPLAIN and the tests. */
export interface Rewrite {
  readonly name: string;
  readonly apply: (plan: LogicalPlan) => LogicalPlan;
}

/** All rules, in order. Merging comes before pruning and after it: pruning leaves computes behind that only select columns. */
export const REWRITES: readonly Rewrite[] = [
  { name: "constant folding", apply: foldConstants },
  { name: "predicate push-down", apply: pushPredicates },
  { name: "key exposure", apply: exposeKeys },
  { name: "compute merging", apply: mergeComputes },
  { name: "projection pruning", apply: pruneProjections },
  { name: "compute merging", apply: mergeComputes },
  { name: "identity removal", apply: removeIdentities },
];

/** Applies all rules. */
export function rewritePlan(plan: LogicalPlan): LogicalPlan {
  return REWRITES.reduce((current, rule) => rule.apply(current), plan);
}
