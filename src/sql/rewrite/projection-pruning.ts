/**
 * Drops columns that nobody reads, from the sinks down to the scans, so that a source's scanner skips them. A node keeps what any of its
 * readers needs; an aggregate keeps its keys, because they make the groups.
 */
import { assert } from "../../core/assert.ts";
import { columnsUsed, type Expression, mapColumns } from "../../program/expression.ts";
import {
  type AggregateNode,
  type ComputeNode,
  columnAt,
  inputsOf,
  type LogicalNode,
  type LogicalPlan,
  makeAggregate,
  makeCompute,
  makeScan,
  makeUnion,
  makeWindowJoin,
  type ScanNode,
  topologicalOrder,
  type UnionNode,
  type WindowJoinNode,
} from "../logical-plan.ts";

/** Columns that a node's readers need. */
type Needs = Map<LogicalNode, Set<number>>;

/** A rebuilt node and which of its old columns it still has, in order. */
interface Pruned {
  readonly node: LogicalNode;
  readonly kept: readonly number[];
}

/** Prunes every node of the plan. */
export function pruneProjections(plan: LogicalPlan): LogicalPlan {
  const roots = plan.sinks.flatMap((s) => s.inputs);
  const order = topologicalOrder(roots);
  const needs: Needs = new Map(order.map((n) => [n, new Set<number>()]));
  for (const root of roots) need(needs, root, allColumns(root));
  for (const node of order.toReversed()) spreadNeeds(node, needs);
  const done = new Map<LogicalNode, Pruned>();
  for (const node of order) done.set(node, rebuild(node, needs.get(node) ?? new Set(), done));
  return { sinks: plan.sinks.map((s) => ({ ...s, inputs: s.inputs.map((i) => select(done.get(i), allColumns(i))) })) };
}

function allColumns(node: LogicalNode): number[] {
  return node.schema.columns.map((_, i) => i);
}

/** Notes that columns of `node` are needed; the event time behind them always is there. */
function need(needs: Needs, node: LogicalNode, columns: Iterable<number>): void {
  const set = needs.get(node);
  for (const column of columns) if (column < node.schema.columns.length) set?.add(column);
}

function spreadNeeds(node: LogicalNode, needs: Needs): void {
  const needed = needs.get(node) ?? new Set<number>();
  switch (node.kind) {
    case "scan":
      return;
    case "compute": {
      const outputs = node.outputs.filter((_, i) => needed.has(i));
      return need(needs, node.input, columnsUsed([...outputs, ...present(node.filter)]));
    }
    case "aggregate":
      return need(
        needs,
        node.input,
        columnsUsed([...node.keys, ...keptAggregates(node, needed).flatMap((a) => present(a.argument, a.filter))]),
      );
    case "window-join": {
      const shift = node.left.schema.columns.length;
      const used = [...needed, ...columnsUsed(present(node.filter))];
      need(needs, node.left, [...used.filter((i) => i < shift), ...columnsUsed(node.leftKeys)]);
      return need(needs, node.right, [...used.filter((i) => i >= shift).map((i) => i - shift), ...columnsUsed(node.rightKeys)]);
    }
    case "union":
      for (const input of node.inputs) need(needs, input, needed);
  }
}

function present(...expressions: readonly (Expression | undefined)[]): Expression[] {
  return expressions.filter((e) => e !== undefined);
}

/** Where an aggregate's results begin among its columns. */
function firstAggregate(node: AggregateNode): number {
  return node.schema.columns.length - node.aggregates.length;
}

function keptAggregates(node: AggregateNode, needed: ReadonlySet<number>): AggregateNode["aggregates"] {
  return node.aggregates.filter((_, i) => needed.has(firstAggregate(node) + i));
}

function rebuild(node: LogicalNode, needed: ReadonlySet<number>, done: ReadonlyMap<LogicalNode, Pruned>): Pruned {
  const inputs = inputsOf(node).map((i) => done.get(i) as Pruned);
  switch (node.kind) {
    case "scan":
      return pruneScan(node, needed);
    case "compute":
      return pruneCompute(node, needed, inputs[0] as Pruned);
    case "aggregate":
      return pruneAggregate(node, needed, inputs[0] as Pruned);
    case "window-join":
      return pruneJoin(node, inputs[0] as Pruned, inputs[1] as Pruned);
    case "union":
      return pruneUnion(node, needed, inputs);
  }
}

/** Event time and watermark are computed by the source: their columns must be read. */
function pruneScan(node: ScanNode, needed: ReadonlySet<number>): Pruned {
  const { table } = node;
  const forTime = columnsUsed(present(table.eventTime, table.watermark));
  const kept = allColumns(node).filter((i) => needed.has(i) || forTime.has(node.read[i] as number));
  return {
    node: makeScan(
      table,
      kept.map((i) => node.read[i] as number),
    ),
    kept,
  };
}

/** `expression` over the old columns of an input, as one over its kept columns; the event time stays behind them. */
function remap(expression: Expression, oldWidth: number, input: Pruned): Expression {
  return mapColumns(expression, (column) => {
    if (column.index === oldWidth) return { ...column, index: input.kept.length };
    const index = input.kept.indexOf(column.index);
    assert(index >= 0, `column ${column.index} was pruned although it is used`);
    return { ...column, index };
  });
}

function pruneCompute(node: ComputeNode, needed: ReadonlySet<number>, input: Pruned): Pruned {
  const width = node.input.schema.columns.length;
  const kept = allColumns(node).filter((i) => needed.has(i));
  const outputs = kept.map((i) => {
    const column = node.schema.columns[i];
    const expression = remap(node.outputs[i] as Expression, width, input);
    return { name: column?.name ?? "", expression, nullable: column?.nullable ?? false };
  });
  return { node: makeCompute(input.node, node.filter && remap(node.filter, width, input), outputs), kept };
}

function pruneAggregate(node: AggregateNode, needed: ReadonlySet<number>, input: Pruned): Pruned {
  const width = node.input.schema.columns.length;
  const first = firstAggregate(node);
  const map = (e: Expression): Expression => remap(e, width, input);
  const kept = allColumns(node).filter((i) => i < first || needed.has(i));
  const aggregates = kept
    .filter((i) => i >= first)
    .map((i) => {
      const aggregate = node.aggregates[i - first] as AggregateNode["aggregates"][number];
      return {
        ...aggregate,
        name: node.schema.columns[i]?.name ?? "",
        ...(aggregate.argument && { argument: map(aggregate.argument) }),
        ...(aggregate.filter && { filter: map(aggregate.filter) }),
      };
    });
  const keys = node.keys.map((k, i) => ({
    name: node.schema.columns[i]?.name ?? "",
    expression: map(k),
    nullable: node.schema.columns[i]?.nullable ?? false,
  }));
  const { window, ttlMs } = node;
  const property = window?.kind === "instant" ? node.schema.window : undefined;
  return { node: makeAggregate(input.node, { window, keys, aggregates, ttlMs, property }), kept };
}

function pruneJoin(node: WindowJoinNode, left: Pruned, right: Pruned): Pruned {
  const [leftWidth, rightWidth] = [node.left.schema.columns.length, node.right.schema.columns.length];
  const kept = [...left.kept, ...right.kept.map((i) => i + leftWidth)];
  const join = makeWindowJoin({
    left: left.node,
    right: right.node,
    join: node.join,
    leftKeys: node.leftKeys.map((k) => remap(k, leftWidth, left)),
    rightKeys: node.rightKeys.map((k) => remap(k, rightWidth, right)),
  });
  const filter = node.filter && remap(node.filter, leftWidth + rightWidth, { node: join, kept });
  return { node: { ...join, ...(filter && { filter }) }, kept };
}

function pruneUnion(node: UnionNode, needed: ReadonlySet<number>, inputs: readonly Pruned[]): Pruned {
  const kept = allColumns(node).filter((i) => needed.has(i));
  return { node: makeUnion(inputs.map((input) => select(input, kept))), kept };
}

/** A pruned node with exactly the old columns `columns`, in that order. */
function select(pruned: Pruned | undefined, columns: readonly number[]): LogicalNode {
  assert(pruned !== undefined, "a node's inputs are rebuilt before it");
  const { node, kept } = pruned;
  if (kept.length === columns.length && kept.every((k, i) => k === columns[i])) return node;
  const outputs = columns.map((c) => {
    const index = kept.indexOf(c);
    return { name: node.schema.columns[index]?.name ?? "", expression: columnAt(node.schema, index) };
  });
  return makeCompute(node, undefined, outputs);
}
