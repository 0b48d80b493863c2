/**
 * Logical plan → program: vertices with fingerprints, edges with exchanges, encoders before sinks. Vertices with one fingerprint are one
 * vertex, which is how a table that is read twice becomes one source and equal sub-plans run once.
 */
import type { ScalarType } from "../data/data-type.ts";
import type { RowSchema, Shape, ShapeField } from "../data/schema.ts";
import { type Expression, mapColumns } from "../program/expression.ts";
import { canonicalJson, type FingerprintInput, programFingerprint, sourceLabels, vertexFingerprint } from "../program/fingerprint.ts";
import type { Operator, SourceOperator } from "../program/operator.ts";
import { type Edge, type Exchange, PROGRAM_VERSION, type Program, type Vertex } from "../program/program.ts";
import { type UdfDefinition, udfsOf } from "../program/udf.ts";
import { validateProgram } from "../program/validate.ts";
import type { AggregateNode, LogicalNode, LogicalPlan, LogicalSink, ScanNode, WindowJoinNode } from "./logical-plan.ts";
import { nameVertex } from "./vertex-name.ts";

const FORWARD: Exchange = { kind: "forward" };
const GATHER: Exchange = { kind: "gather" };
const NO_ROWS: RowSchema = { columns: [], updating: false };

/** Lowers a rewritten plan; of `udfs` the program takes those it calls. The result passes `validateProgram`. */
export function lowerPlan(plan: LogicalPlan, udfs: readonly UdfDefinition[] = []): Program {
  const lowering = new Lowering();
  for (const sink of plan.sinks) lowering.addSink(sink);
  const { vertices, edges } = lowering;
  const called = new Set(vertices.flatMap((v) => [...udfsOf(v.operator)]));
  const used = udfs.filter((udf) => called.has(udf.id));
  const program: Program = {
    version: PROGRAM_VERSION,
    vertices,
    edges,
    ...(used.length === 0 ? {} : { udfs: used }),
    fingerprint: programFingerprint(vertices),
  };
  validateProgram(program);
  return program;
}

/** An input of a vertex that is being added. */
interface Input {
  readonly vertex: number;
  readonly port: number;
  readonly exchange: Exchange;
}

class Lowering {
  readonly vertices: Vertex[] = [];
  readonly edges: Edge[] = [];
  readonly #byFingerprint = new Map<string, number>();
  readonly #byNode = new Map<LogicalNode, readonly number[]>();

  /** The vertex that computes this, made if there is none. Sinks are never merged. */
  #add(operator: Operator, output: RowSchema, inputs: readonly Input[]): number {
    const fingerprinted = inputs.map((i) => this.#fingerprintInput(i));
    for (let occurrence = 0; ; occurrence++) {
      const fingerprint = vertexFingerprint(operator, output, fingerprinted, occurrence);
      const same = this.#byFingerprint.get(fingerprint);
      if (same === undefined) return this.#addNew(operator, output, inputs, fingerprint);
      if (operator.kind !== "sink" && this.#isSame(same, operator)) return same;
    }
  }

  #fingerprintInput({ vertex, port, exchange }: Input): FingerprintInput {
    const { operator, fingerprint } = this.vertices[vertex] as Vertex;
    return { port, exchange, fingerprint, ...(operator.kind === "source" ? { labels: sourceLabels(operator) } : {}) };
  }

  /** Sources with one fingerprint may still read different fields: two tables over one file. All other vertices are then the same. */
  #isSame(vertex: number, operator: Operator): boolean {
    const known = (this.vertices[vertex] as Vertex).operator;
    if (known.kind !== "source" || operator.kind !== "source") return true;
    return canonicalJson({ ...known, table: "" }) === canonicalJson({ ...operator, table: "" });
  }

  #addNew(operator: Operator, output: RowSchema, inputs: readonly Input[], fingerprint: string): number {
    const id = this.vertices.length;
    const schema: RowSchema = { columns: output.columns, updating: output.updating };
    this.vertices.push({ id, name: nameVertex(operator, schema), operator, output: schema, fingerprint });
    this.#byFingerprint.set(fingerprint, id);
    for (const input of inputs) {
      this.edges.push({ id: this.edges.length, source: input.vertex, target: id, port: input.port, exchange: input.exchange });
    }
    return id;
  }

  /** The vertices whose rows together are the node's: several for a union. */
  #lower(node: LogicalNode): readonly number[] {
    const known = this.#byNode.get(node);
    if (known !== undefined) return known;
    const lowered = this.#lowerNew(node);
    this.#byNode.set(node, lowered);
    return lowered;
  }

  #lowerNew(node: LogicalNode): readonly number[] {
    switch (node.kind) {
      case "scan":
        return [this.#add(sourceOperator(node), node.schema, [])];
      case "compute": {
        const operator: Operator = { kind: "compute", ...(node.filter && { filter: node.filter }), outputs: node.outputs };
        return [this.#add(operator, node.schema, this.#inputs(node.input, 0, FORWARD))];
      }
      case "aggregate":
        return [this.#add(aggregateOperator(node), node.schema, this.#inputs(node.input, 0, exchangeFor(node.keys)))];
      case "window-join":
        return [this.#lowerJoin(node)];
      case "union":
        return node.inputs.flatMap((i) => this.#lower(i));
    }
  }

  #inputs(node: LogicalNode, port: number, exchange: Exchange): Input[] {
    return this.#lower(node).map((vertex) => ({ vertex, port, exchange }));
  }

  #lowerJoin(node: WindowJoinNode): number {
    const { join, leftKeys, rightKeys, filter } = node;
    const operator: Operator = { kind: "window-join", join, leftKeys, rightKeys, ...(filter && { filter }) };
    const left = this.#inputs(node.left, 0, exchangeFor(leftKeys));
    return this.#add(operator, node.schema, [...left, ...this.#inputs(node.right, 1, exchangeFor(rightKeys))]);
  }

  /** Inputs that are alike share an encoder; an updating and an appending one have one each. */
  addSink(sink: LogicalSink): void {
    const groups = new Map<string, LogicalNode[]>();
    for (const input of sink.inputs) {
      const keys = input.schema.updating ? (input.schema.keys ?? []) : [];
      const identity = canonicalJson([input.schema.updating, keys]);
      groups.set(identity, [...(groups.get(identity) ?? []), input]);
    }
    const encoders = [...groups.values()].map((nodes) => this.#addEncoder(sink, nodes));
    const exchange = sink.writers === "one" ? GATHER : FORWARD;
    const operator: Operator = { kind: "sink", table: sink.name, connector: sink.connector, options: sink.options };
    this.#add(
      operator,
      NO_ROWS,
      encoders.map((vertex) => ({ vertex, port: 0, exchange })),
    );
  }

  #addEncoder(sink: LogicalSink, nodes: readonly LogicalNode[]): number {
    const [first] = nodes as [LogicalNode, ...LogicalNode[]];
    const keyColumns = first.schema.updating ? (first.schema.keys ?? []) : [];
    const operator: Operator = { kind: "encode", format: sink.format, shape: sink.shape, keyColumns };
    return this.#add(
      operator,
      NO_ROWS,
      nodes.flatMap((n) => this.#inputs(n, 0, FORWARD)),
    );
  }
}

/** Equal keys meet in one subtask; without keys all rows do. */
function exchangeFor(keys: readonly Expression[]): Exchange {
  if (keys.length === 0) return GATHER;
  return { kind: "keyed", keys: keys.flatMap((k) => (k.kind === "column" ? [k.index] : [])) };
}

function aggregateOperator(node: AggregateNode): Operator {
  const { keys, aggregates } = node;
  if (node.window === undefined) return { kind: "updating-aggregate", keys, aggregates, ttlMs: node.ttlMs };
  return { kind: "window-aggregate", window: node.window, keys, aggregates };
}

function sourceOperator(node: ScanNode): SourceOperator {
  const { table, read } = node;
  const position = new Map(read.map((column, i) => [column, i]));
  const map = (e: Expression): Expression => mapColumns(e, (c) => ({ ...c, index: position.get(c.index) ?? read.length }));
  return {
    kind: "source",
    table: table.name,
    connector: table.connector,
    options: table.options,
    ...(table.format && { format: table.format }),
    shape: pruneShape(table.shape, position),
    declared: table.fields.map((f) => ({ name: f.name, type: f.type.kind === "struct" ? { kind: "struct" } : (f.type as ScalarType) })),
    ...(table.eventTime && { eventTime: map(table.eventTime) }),
    watermark: map(table.watermark),
    idleMs: table.idleMs,
    badData: table.badData,
  };
}

/** The fields of a shape that are read. A struct stays if its marker or one of its fields is; then its marker must be read too or be absent. */
function pruneShape(shape: Shape, position: ReadonlyMap<number, number>): Shape {
  return shape.flatMap((field): ShapeField[] => {
    if (field.fields === undefined) {
      const column = position.get(field.column ?? -1);
      return column === undefined ? [] : [{ ...field, column }];
    }
    const fields = pruneShape(field.fields, position);
    const { marker: old, ...rest } = field;
    const marker = old === undefined ? undefined : position.get(old);
    return fields.length === 0 && marker === undefined ? [] : [{ ...rest, fields, ...(marker === undefined ? {} : { marker }) }];
  });
}
