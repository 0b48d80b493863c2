/**
 * Puts a compute below every aggregate, so that its keys, arguments and filters are plain columns and nothing else travels over its
 * exchange; and below joins whose keys are not plain columns. Edges hash columns, not expressions.
 */

import type { Expression } from "../../program/expression.ts";
import { canonicalJson } from "../../program/fingerprint.ts";
import {
  type AggregateNode,
  columnAt,
  identityOutputs,
  type LogicalNode,
  type LogicalPlan,
  makeCompute,
  makeWindowJoin,
  mapPlan,
  type OutputColumn,
  type WindowJoinNode,
} from "../logical-plan.ts";
import { inline } from "./expression-cost.ts";

/** Makes keys and arguments plain columns. */
export function exposeKeys(plan: LogicalPlan): LogicalPlan {
  return mapPlan(plan, (node) => {
    if (node.kind === "aggregate") return exposeAggregate(node);
    return node.kind === "window-join" ? exposeJoin(node) : node;
  });
}

/** Columns that are being gathered, each expression once. */
class ColumnList {
  readonly columns: OutputColumn[] = [];
  readonly #indexes = new Map<string, number>();

  /** Reference to the column that holds `expression`. */
  add(name: string, expression: Expression): Expression {
    const identity = canonicalJson(expression);
    const index = this.#indexes.get(identity) ?? this.columns.push({ name, expression }) - 1;
    this.#indexes.set(identity, index);
    return { kind: "column", index, type: expression.type, nullable: expression.nullable };
  }
}

function exposeAggregate(node: AggregateNode): LogicalNode {
  const list = new ColumnList();
  const nameOf = (e: Expression, fallback: string): string =>
    e.kind === "column" ? (node.input.schema.columns[e.index]?.name ?? fallback) : fallback;
  const keys = node.keys.map((k, i) => list.add(node.schema.columns[i]?.name ?? "key", k));
  const aggregates = node.aggregates.map((a) => ({
    ...a,
    ...(a.argument === undefined ? {} : { argument: list.add(nameOf(a.argument, a.function), a.argument) }),
    ...(a.filter === undefined ? {} : { filter: list.add("filter", a.filter) }),
  }));
  return { ...node, input: makeCompute(node.input, undefined, list.columns), keys, aggregates };
}

/** Keys that are expressions become columns behind a side's own; a compute above takes them out of the join's output again. */
function exposeJoin(node: WindowJoinNode): LogicalNode {
  const left = exposeSide(node.left, node.leftKeys);
  const right = exposeSide(node.right, node.rightKeys);
  const [leftWidth, rightWidth] = [node.left.schema.columns.length, node.right.schema.columns.length];
  const join = makeWindowJoin({ left: left.node, right: right.node, join: node.join, leftKeys: left.keys, rightKeys: right.keys });
  const shift = left.node.schema.columns.length;
  const position = (i: number): number => (i < leftWidth ? i : i - leftWidth + shift);
  const outputs = Array.from({ length: leftWidth + rightWidth }, (_, i) => columnAt(join.schema, position(i)));
  const filter = node.filter && inline(node.filter, pairColumns(node, position), join.schema.columns.length);
  const names = node.schema.columns.map((c) => c.name);
  return makeCompute(
    { ...join, ...(filter && { filter }) },
    undefined,
    outputs.map((expression, i) => ({ name: names[i] ?? "", expression })),
  );
}

/** The filter sees pairs, whose columns are as nullable as the sides say, not as the join's output says. */
function pairColumns(node: WindowJoinNode, position: (index: number) => number): Expression[] {
  const columns = [...node.left.schema.columns, ...node.right.schema.columns];
  return columns.map((c, i) => ({ kind: "column", index: position(i), type: c.type, nullable: c.nullable }));
}

function exposeSide(input: LogicalNode, keys: readonly Expression[]): { readonly node: LogicalNode; readonly keys: readonly Expression[] } {
  if (keys.every((k) => k.kind === "column" && k.index < input.schema.columns.length)) return { node: input, keys };
  const columns = identityOutputs(input.schema);
  const exposed = keys.map((key): Expression => {
    if (key.kind === "column" && key.index < input.schema.columns.length) return key;
    return { kind: "column", index: columns.push({ name: "key", expression: key }) - 1, type: key.type, nullable: key.nullable };
  });
  return { node: makeCompute(input, undefined, columns), keys: exposed };
}
