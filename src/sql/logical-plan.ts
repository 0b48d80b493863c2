/**
 * The logical plan: a DAG of relational operators over flat, typed columns. A node is shared by everything that reads it (a table read
 * twice is one scan), so identity matters: rewrites keep a map from old node to new.
 *
 * Expressions are the program's; column i of an input is `columns[i]`, its event time is index `columns.length`. Names of columns are for
 * people. The engine's concerns (edges, exchanges, encoders) come in `lower.ts`.
 */
import { assert } from "../core/assert.ts";
import type { Field } from "../data/data-type.ts";
import type { Column, Shape } from "../data/schema.ts";
import type { ColumnExpression, Expression } from "../program/expression.ts";
import type { Aggregate, Format, OptionValues, Window, WindowJoinOperator } from "../program/operator.ts";
import { aggregateSchema, computeSchema, joinSchema, unionSchema, type WindowProperty } from "./streaming.ts";

/** What a node produces. */
export interface PlanSchema {
  readonly columns: readonly Column[];
  /** True: a changelog with weights. */
  readonly updating: boolean;
  /** Set when all rows of one window have one and the same event time, the window's end − 1 ns. */
  readonly window?: WindowProperty;
  /** Columns that identify a row of an updating node; absent if they are not known or not all there. */
  readonly keys?: readonly number[];
}

/** A connector table that is read. */
export interface SourceTable {
  readonly name: string;
  readonly connector: string;
  readonly options: OptionValues;
  readonly format?: Format;
  /** The fields that the connector delivers, in declared order; generated columns are computed above the scan. */
  readonly fields: readonly Field[];
  readonly columns: readonly Column[];
  readonly shape: Shape;
  /** Over `columns`. */
  readonly eventTime?: Expression;
  /** Over `columns` and the event time behind them. */
  readonly watermark: Expression;
  readonly idleMs: number;
  readonly badData: "fail" | "drop";
  readonly bounded: boolean;
}

/** Reads the columns `read` (indexes into `table.columns`, ascending). */
export interface ScanNode {
  readonly kind: "scan";
  readonly table: SourceTable;
  readonly read: readonly number[];
  readonly schema: PlanSchema;
}

/** Filters, then projects. */
export interface ComputeNode {
  readonly kind: "compute";
  readonly input: LogicalNode;
  readonly filter?: Expression;
  readonly outputs: readonly Expression[];
  readonly schema: PlanSchema;
}

/** Output: keys, then (for tumble and hop) window start and end, then the aggregates. */
export interface AggregateNode {
  readonly kind: "aggregate";
  readonly input: LogicalNode;
  /** Undefined: an updating aggregate. */
  readonly window?: Window;
  readonly keys: readonly Expression[];
  readonly aggregates: readonly Aggregate[];
  readonly ttlMs: number;
  readonly schema: PlanSchema;
}

/** Joins rows of equal event time and keys. Output: left's columns, then right's. */
export interface WindowJoinNode {
  readonly kind: "window-join";
  readonly left: LogicalNode;
  readonly right: LogicalNode;
  readonly join: WindowJoinOperator["join"];
  readonly leftKeys: readonly Expression[];
  readonly rightKeys: readonly Expression[];
  /** Over the output columns. */
  readonly filter?: Expression;
  readonly schema: PlanSchema;
}

/** UNION ALL of inputs with the same column types. */
export interface UnionNode {
  readonly kind: "union";
  readonly inputs: readonly LogicalNode[];
  readonly schema: PlanSchema;
}

/** Any node. */
export type LogicalNode = ScanNode | ComputeNode | AggregateNode | WindowJoinNode | UnionNode;

/** A connector table that is written, and the queries that write it; all inputs have the columns of `shape`. */
export interface LogicalSink {
  readonly name: string;
  readonly connector: string;
  readonly options: OptionValues;
  readonly format: Format;
  readonly shape: Shape;
  readonly writers: "one" | "each-subtask";
  readonly inputs: readonly LogicalNode[];
}

/** A whole script's plan. */
export interface LogicalPlan {
  readonly sinks: readonly LogicalSink[];
}

/** A scan of the given columns of `table`. */
export function makeScan(table: SourceTable, read: readonly number[]): ScanNode {
  const columns = read.map((i) => table.columns[i] as Column);
  return { kind: "scan", table, read, schema: { columns, updating: false } };
}

/** An output column of a compute: nullable if its expression is, or if `nullable` widens it. */
export interface OutputColumn {
  readonly name: string;
  readonly expression: Expression;
  readonly nullable?: boolean;
}

/** A compute over `input`. */
export function makeCompute(input: LogicalNode, filter: Expression | undefined, outputs: readonly OutputColumn[]): ComputeNode {
  const columns = outputs.map((o): Column => {
    return { name: o.name, type: o.expression.type, nullable: o.expression.nullable || (o.nullable ?? false) };
  });
  const expressions = outputs.map((o) => o.expression);
  const schema = computeSchema(input.schema, expressions, columns);
  return { kind: "compute", input, ...(filter === undefined ? {} : { filter }), outputs: expressions, schema };
}

/** A compute that keeps every column and the rows for which `filter` is true. */
export function makeFilter(input: LogicalNode, filter: Expression): ComputeNode {
  return makeCompute(input, filter, identityOutputs(input.schema));
}

/** Output columns that pass every column of `schema` on. */
export function identityOutputs(schema: PlanSchema): OutputColumn[] {
  return schema.columns.map((c, index) => ({ name: c.name, expression: columnAt(schema, index) }));
}

/** What an aggregate is made of. */
export interface AggregateParts {
  readonly window?: Window | undefined;
  readonly keys: readonly OutputColumn[];
  readonly aggregates: readonly (Aggregate & { readonly name: string })[];
  readonly ttlMs: number;
  /** For instant windows: the window of the input with the keys that hold its bounds. */
  readonly property?: WindowProperty | undefined;
}

/** An aggregate over `input`. */
export function makeAggregate(input: LogicalNode, parts: AggregateParts): AggregateNode {
  const keys = parts.keys.map((k) => k.expression);
  const aggregates = parts.aggregates.map(({ name: _name, ...aggregate }) => aggregate);
  const schema = aggregateSchema(input.schema, parts);
  return {
    kind: "aggregate",
    input,
    ...(parts.window === undefined ? {} : { window: parts.window }),
    keys,
    aggregates,
    ttlMs: parts.window === undefined ? parts.ttlMs : 0,
    schema,
  };
}

/** A join of two windowed nodes. */
export function makeWindowJoin(parts: Omit<WindowJoinNode, "kind" | "schema">): WindowJoinNode {
  return { ...parts, kind: "window-join", schema: joinSchema(parts.left.schema, parts.right.schema, parts.join) };
}

/** A UNION ALL; a single input is returned as it is. */
export function makeUnion(inputs: readonly LogicalNode[]): LogicalNode {
  const [first] = inputs;
  assert(first !== undefined, "a union needs an input");
  return inputs.length === 1 ? first : { kind: "union", inputs, schema: unionSchema(inputs.map((i) => i.schema)) };
}

/** Reference to column `index` of `schema`; `columns.length` is the event time. */
export function columnAt(schema: { readonly columns: readonly Column[] }, index: number): ColumnExpression {
  const column = schema.columns[index];
  if (column === undefined) {
    assert(index === schema.columns.length, `column ${index} is out of range`);
    return { kind: "column", index, type: { kind: "timestamp" }, nullable: false };
  }
  return { kind: "column", index, type: column.type, nullable: column.nullable };
}

/** The nodes that `node` reads, left before right. */
export function inputsOf(node: LogicalNode): readonly LogicalNode[] {
  switch (node.kind) {
    case "scan":
      return [];
    case "compute":
    case "aggregate":
      return [node.input];
    case "window-join":
      return [node.left, node.right];
    case "union":
      return node.inputs;
  }
}

/** Every node reachable from `roots` once, inputs before their readers. */
export function topologicalOrder(roots: readonly LogicalNode[]): LogicalNode[] {
  const seen = new Set<LogicalNode>();
  const order: LogicalNode[] = [];
  const visit = (node: LogicalNode): void => {
    if (seen.has(node)) return;
    seen.add(node);
    for (const input of inputsOf(node)) visit(input);
    order.push(node);
  };
  for (const root of roots) visit(root);
  return order;
}

/** `node` over other inputs of the same columns. Returns `node` itself when nothing changed. */
export function withInputs(node: LogicalNode, inputs: readonly LogicalNode[]): LogicalNode {
  if (inputsOf(node).every((input, i) => input === inputs[i])) return node;
  const [first, second] = inputs;
  assert(first !== undefined, "a node with inputs needs inputs");
  switch (node.kind) {
    case "scan":
      return node;
    case "compute":
      return { ...node, input: first };
    case "aggregate":
      return { ...node, input: first };
    case "window-join":
      assert(second !== undefined, "a join needs two inputs");
      return { ...node, left: first, right: second };
    case "union":
      return { ...node, inputs };
  }
}

/** Rebuilds a plan bottom-up: `rewrite` gets each node with its inputs already rewritten, and as it was, once per node of the DAG. */
export function mapPlan(plan: LogicalPlan, rewrite: (node: LogicalNode, original: LogicalNode) => LogicalNode): LogicalPlan {
  const done = new Map<LogicalNode, LogicalNode>();
  for (const node of topologicalOrder(plan.sinks.flatMap((s) => s.inputs))) {
    const inputs = inputsOf(node).map((i) => done.get(i) ?? i);
    done.set(node, rewrite(withInputs(node, inputs), node));
  }
  return { sinks: plan.sinks.map((s) => ({ ...s, inputs: s.inputs.map((i) => done.get(i) ?? i) })) };
}

/** How many readers each node of the plan has; a sink counts as one. */
export function readerCounts(plan: LogicalPlan): ReadonlyMap<LogicalNode, number> {
  const counts = new Map<LogicalNode, number>();
  const roots = plan.sinks.flatMap((s) => s.inputs);
  const read = [...roots, ...topologicalOrder(roots).flatMap((n) => [...inputsOf(n)])];
  for (const node of read) counts.set(node, (counts.get(node) ?? 0) + 1);
  return counts;
}
