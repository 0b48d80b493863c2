/**
 * Moves predicates towards the sources: through projections of cheap expressions, grouping keys, UNION ALL and the preserved sides of joins.
 * A predicate that can fail on a row passes projections only: elsewhere it would meet rows that it does not see where it was written.
 * Nodes with several readers are not changed.
 */
import { columnsUsed, type Expression, mapColumns } from "../../program/expression.ts";
import { conjunction, conjuncts } from "../binder/bound.ts";
import {
  type AggregateNode,
  type ComputeNode,
  type LogicalNode,
  type LogicalPlan,
  makeCompute,
  makeFilter,
  makeUnion,
  makeWindowJoin,
  mapPlan,
  type OutputColumn,
  readerCounts,
  type UnionNode,
  type WindowJoinNode,
} from "../logical-plan.ts";
import { canFail, inline, isCheap } from "./expression-cost.ts";

type IsShared = (node: LogicalNode) => boolean;

/** Pushes predicates down, inner filters first, so that each meets nodes that are already in their final form. */
export function pushPredicates(plan: LogicalPlan): LogicalPlan {
  const counts = readerCounts(plan);
  const originals = new Map<LogicalNode, LogicalNode>();
  const isShared: IsShared = (node) => (counts.get(originals.get(node) ?? node) ?? 1) > 1;
  return mapPlan(plan, (node, original) => {
    const pushed = node.kind === "compute" && node.filter !== undefined ? pushFilter(node, isShared) : node;
    originals.set(pushed, original);
    return pushed;
  });
}

/** `node` with those parts of its filter below it that can go there. */
function pushFilter(node: ComputeNode, isShared: IsShared): LogicalNode {
  const { input, rest } = pushInto(node.input, conjuncts(node.filter), isShared);
  if (rest.length === conjuncts(node.filter).length) return node;
  return makeCompute(input, conjunction(...rest), outputsOf(node));
}

function outputsOf(node: ComputeNode): OutputColumn[] {
  return node.outputs.map((expression, i) => {
    const column = node.schema.columns[i];
    return { name: column?.name ?? "", expression, nullable: column?.nullable ?? false };
  });
}

interface Pushed {
  readonly input: LogicalNode;
  /** Predicates that must stay above. */
  readonly rest: readonly Expression[];
}

/** Puts predicates over the columns of `node` into it. */
function pushInto(node: LogicalNode, predicates: readonly Expression[], isShared: IsShared): Pushed {
  if (isShared(node) || node.kind === "scan") return { input: node, rest: predicates };
  switch (node.kind) {
    case "compute":
      return pushIntoCompute(node, predicates, isShared);
    case "aggregate":
      return pushIntoAggregate(node, predicates, isShared);
    case "union":
      return pushIntoUnion(node, predicates, isShared);
    case "window-join":
      return pushIntoJoin(node, predicates, isShared);
  }
}

function split(
  predicates: readonly Expression[],
  passes: (p: Expression) => boolean,
): readonly [passing: Expression[], staying: Expression[]] {
  return [predicates.filter((p) => passes(p)), predicates.filter((p) => !passes(p))];
}

/** A filter over `node`, pushed further down where possible. */
function filterOver(node: LogicalNode, predicates: readonly Expression[], isShared: IsShared): LogicalNode {
  const { input, rest } = pushInto(node, predicates, isShared);
  const filter = conjunction(...rest);
  return filter === undefined ? input : makeFilter(input, filter);
}

function pushIntoCompute(node: ComputeNode, predicates: readonly Expression[], isShared: IsShared): Pushed {
  const width = node.input.schema.columns.length;
  const [passing, staying] = split(predicates, (p) =>
    [...columnsUsed([p])].every((i) => node.outputs[i] === undefined || isCheap(node.outputs[i])),
  );
  if (passing.length === 0) return { input: node, rest: predicates };
  const own = conjuncts(node.filter);
  const moved = passing.map((p) => inline(p, node.outputs, width));
  const { input, rest } = pushInto(node.input, [...own, ...moved], isShared);
  return { input: makeCompute(input, conjunction(...rest), outputsOf(node)), rest: staying };
}

/** A predicate over keys alone keeps or drops whole groups. A global aggregate has a row even without input, so nothing passes it. */
function pushIntoAggregate(node: AggregateNode, predicates: readonly Expression[], isShared: IsShared): Pushed {
  const isKey = (i: number): boolean => i < node.keys.length;
  const [passing, staying] = split(predicates, (p) => node.keys.length > 0 && !canFail(p) && [...columnsUsed([p])].every(isKey));
  const constant = passing.filter((p) => columnsUsed([p]).size > 0);
  if (constant.length !== passing.length || passing.length === 0) return { input: node, rest: predicates };
  const moved = passing.map((p) => inline(p, node.keys, node.input.schema.columns.length));
  return { input: { ...node, input: filterOver(node.input, moved, isShared) }, rest: staying };
}

function pushIntoUnion(node: UnionNode, predicates: readonly Expression[], isShared: IsShared): Pushed {
  const [passing, staying] = split(predicates, (p) => !canFail(p));
  if (passing.length === 0) return { input: node, rest: predicates };
  const inputs = node.inputs.map((input) => {
    const narrowed = passing.map((p) => mapColumns(p, (c) => ({ ...c, nullable: input.schema.columns[c.index]?.nullable ?? c.nullable })));
    return filterOver(input, narrowed, isShared);
  });
  return { input: makeUnion(inputs), rest: staying };
}

/** A predicate over one side goes there if the join never makes up rows for that side. */
function pushIntoJoin(node: WindowJoinNode, predicates: readonly Expression[], isShared: IsShared): Pushed {
  const shift = node.left.schema.columns.length;
  const end = node.schema.columns.length;
  const within = (p: Expression, from: number, to: number): boolean => {
    const used = [...columnsUsed([p])];
    return !canFail(p) && used.length > 0 && used.every((i) => i >= from && i < to);
  };
  const intoLeft = node.join === "inner" || node.join === "left";
  const intoRight = node.join === "inner" || node.join === "right";
  const [leftOnes, others] = split(predicates, (p) => intoLeft && within(p, 0, shift));
  const [rightOnes, staying] = split(others, (p) => intoRight && within(p, shift, end));
  if (leftOnes.length + rightOnes.length === 0) return { input: node, rest: predicates };
  const moved = rightOnes.map((p) => mapColumns(p, (c) => ({ ...c, index: c.index - shift })));
  const left = leftOnes.length === 0 ? node.left : filterOver(node.left, leftOnes, isShared);
  const right = moved.length === 0 ? node.right : filterOver(node.right, moved, isShared);
  return { input: makeWindowJoin({ ...node, left, right }), rest: staying };
}
