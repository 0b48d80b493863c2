/**
 * The rules of a well-formed program, checked after lowering and after decoding. A program that breaks one is a defect of Wadi or not a
 * program of this build: every failure is an `invariant` error that names the vertex.
 */
import { assert } from "../core/assert.ts";
import { type DataType, printType, type ScalarType } from "../data/data-type.ts";
import { type Column, physicalColumns, type RowSchema, type Shape } from "../data/schema.ts";
import { children, type Expression } from "./expression.ts";
import type { Aggregate, Operator } from "./operator.ts";
import { type Edge, edgeSchema, inputSchema, inputs, outputs, type Program, type Vertex } from "./program.ts";
import { SCALAR_FUNCTIONS } from "./scalar-function.ts";
import { UDF_PARAMETERS_MAX, udfNumber, udfsOf } from "./udf.ts";

/** Checks `program`; throws `invariant` at the first broken rule. */
export function validateProgram(program: Program): void {
  const fingerprints = new Set<string>();
  for (const [i, vertex] of program.vertices.entries()) {
    assert(vertex.id === i, `vertex ${vertex.id} stands at position ${i}`);
    assert(!fingerprints.has(vertex.fingerprint), `fingerprint ${vertex.fingerprint} of vertex ${i} is not unique`);
    fingerprints.add(vertex.fingerprint);
  }
  for (const [i, edge] of program.edges.entries()) validateEdge(program, edge, i);
  const udfs = new Set(program.udfs?.map((udf) => udf.id));
  assert(new Set([...udfs].map(udfNumber)).size === (program.udfs?.length ?? 0), "two functions of the program have one number");
  for (const vertex of program.vertices) {
    for (const id of udfsOf(vertex.operator)) assert(udfs.has(id), `vertex ${vertex.id} calls function ${id}, which the program lacks`);
    validateInputs(program, vertex);
    validateOperator(program, vertex);
  }
}

function validateEdge(program: Program, edge: Edge, position: number): void {
  assert(edge.id === position, `edge ${edge.id} stands at position ${position}`);
  const source = program.vertices[edge.source];
  const target = program.vertices[edge.target];
  assert(source !== undefined && target !== undefined, `edge ${edge.id} leads to a vertex that does not exist`);
  assert(edge.source < edge.target, `edge ${edge.id} leads from vertex ${edge.source} to ${edge.target}: not topological`);
  if (edge.exchange.kind !== "keyed") return;
  const { columns } = source.output;
  assert(edge.exchange.keys.length > 0, `edge ${edge.id} is keyed without keys`);
  for (const key of edge.exchange.keys)
    assert(columns[key] !== undefined, `edge ${edge.id} has key ${key}, its rows have ${columns.length} columns`);
}

/** Number of ports of each kind of operator. */
function portsOf(operator: Operator): number {
  if (operator.kind === "source") return 0;
  return operator.kind === "window-join" ? 2 : 1;
}

function validateInputs(program: Program, vertex: Vertex): void {
  const ports = portsOf(vertex.operator);
  const edges = inputs(program, vertex.id);
  for (const edge of edges)
    assert(edge.port >= 0 && edge.port < ports, `edge ${edge.id} leads to port ${edge.port} of vertex ${vertex.id}`);
  for (let port = 0; port < ports; port++) {
    const here = edges.filter((e) => e.port === port);
    const [first, ...rest] = here.map((e) => edgeSchema(program, e));
    assert(first !== undefined, `port ${port} of vertex ${vertex.id} (${vertex.name}) has no input`);
    for (const other of rest) assert(sameRows(first, other), `inputs of port ${port} of vertex ${vertex.id} (${vertex.name}) differ`);
  }
  const isSink = vertex.operator.kind === "sink";
  assert(
    isSink === (outputs(program, vertex.id).length === 0),
    `vertex ${vertex.id} (${vertex.name}) ${isSink ? "is a sink with readers" : "has no reader"}`,
  );
}

function sameRows(a: RowSchema, b: RowSchema): boolean {
  const rows = (s: RowSchema): string => s.columns.map((c) => `${printType(c.type)}${c.nullable ? "" : "!"}`).join(",");
  return a.updating === b.updating && rows(a) === rows(b);
}

function validateOperator(program: Program, vertex: Vertex): void {
  const { operator, output } = vertex;
  const what = `vertex ${vertex.id} (${vertex.name})`;
  const input = inputSchema(program, vertex.id);
  switch (operator.kind) {
    case "source": {
      const columns = physicalColumns(output);
      validateShape(operator.shape, output, what);
      validateExpressions(operator.eventTime === undefined ? [] : [operator.eventTime], output.columns, what);
      validateExpressions([operator.watermark], columns, what);
      return assert(!output.updating, `${what} is updating`);
    }
    case "compute":
      validateExpressions([...operator.outputs, ...optional(operator.filter)], physicalColumns(input), what);
      assert(output.updating === input.updating, `${what} changes whether rows are updating`);
      return validateColumns(operator.outputs, output.columns, what);
    case "window-aggregate":
      assert(!input.updating && !output.updating, `${what} reads or gives updating rows`);
      return validateAggregate(operator.keys, operator.aggregates, operator.window.kind === "instant" ? 0 : 2, input, output, what);
    case "updating-aggregate":
      assert(output.updating, `${what} is not updating`);
      return validateAggregate(operator.keys, operator.aggregates, 0, input, output, what);
    case "window-join":
      return validateJoin(program, vertex, what);
    case "encode":
      assert(output.columns.length === 0, `${what} has columns`);
      for (const key of operator.keyColumns) assert(input.columns[key] !== undefined, `${what} has key column ${key}`);
      return validateShape(operator.shape, input, what);
    case "sink":
      return assert(output.columns.length === 0, `${what} has columns`);
  }
}

function optional<T>(value: T | undefined): T[] {
  return value === undefined ? [] : [value];
}

function validateColumns(expressions: readonly Expression[], columns: readonly Column[], what: string): void {
  assert(expressions.length === columns.length, `${what} has ${expressions.length} expressions for ${columns.length} columns`);
  for (const [i, expression] of expressions.entries()) {
    const column = columns[i] as Column;
    assert(
      sameScalar(expression.type, column.type),
      `column ${i} of ${what} is ${printType(column.type)}, its expression ${printType(expression.type)}`,
    );
    assert(column.nullable || !expression.nullable, `column ${i} of ${what} is NOT NULL, its expression can be NULL`);
  }
}

function sameScalar(a: DataType, b: DataType): boolean {
  return printType(a) === printType(b);
}

function validateAggregate(
  keys: readonly Expression[],
  aggregates: readonly Aggregate[],
  bounds: number,
  input: RowSchema,
  output: RowSchema,
  what: string,
): void {
  const used = [...keys, ...aggregates.flatMap((a) => [...optional(a.argument), ...optional(a.filter)])];
  validateExpressions(used, physicalColumns(input), what);
  for (const e of used) assert(e.kind === "column", `${what} has a key, argument or filter that is not a column`);
  const { columns } = output;
  assert(columns.length === keys.length + bounds + aggregates.length, `${what} has ${columns.length} columns`);
  validateColumns(keys, columns.slice(0, keys.length), what);
  for (const [i, aggregate] of aggregates.entries()) {
    const column = columns[keys.length + bounds + i] as Column;
    assert(
      sameScalar(aggregate.type, column.type),
      `aggregate ${i} of ${what} is ${printType(aggregate.type)}, its column ${printType(column.type)}`,
    );
    assert(aggregate.argument !== undefined || aggregate.function === "count", `aggregate ${i} of ${what} has no argument`);
  }
}

function validateJoin(program: Program, vertex: Vertex, what: string): void {
  const { operator, output } = vertex;
  if (operator.kind !== "window-join") return;
  const [left, right] = [inputSchema(program, vertex.id, 0), inputSchema(program, vertex.id, 1)];
  assert(!left.updating && !right.updating, `${what} reads updating rows`);
  const pairs = [...left.columns, ...right.columns];
  assert(output.columns.length === pairs.length, `${what} has ${output.columns.length} columns for ${pairs.length}`);
  validateExpressions(operator.leftKeys, left.columns, what);
  validateExpressions(operator.rightKeys, right.columns, what);
  for (const key of [...operator.leftKeys, ...operator.rightKeys]) assert(key.kind === "column", `${what} has a key that is not a column`);
  assert(operator.leftKeys.length === operator.rightKeys.length, `${what} has keys on one side only`);
  for (const [i, key] of operator.leftKeys.entries()) {
    const other = operator.rightKeys[i] as Expression;
    assert(sameScalar(key.type, other.type), `key ${i} of ${what} is ${printType(key.type)} and ${printType(other.type)}`);
  }
  validateExpressions(optional(operator.filter), [...pairs, { name: "_timestamp", type: { kind: "timestamp" }, nullable: false }], what);
}

function validateShape(shape: Shape, schema: RowSchema, what: string): void {
  const check = (index: number, type: ScalarType["kind"] | undefined): void => {
    const column = schema.columns[index];
    assert(column !== undefined, `${what} has a shape over column ${index} of ${schema.columns.length}`);
    assert(
      type === undefined || column.type.kind === type,
      `column ${index} of ${what} is ${printType(column.type)}, its shape says ${type}`,
    );
  };
  for (const field of shape) {
    assert((field.column === undefined) !== (field.fields === undefined), `field "${field.name}" of ${what} must be a column or a struct`);
    if (field.column !== undefined) check(field.column, field.type.kind as ScalarType["kind"]);
    if (field.marker !== undefined) check(field.marker, "boolean");
    if (field.fields !== undefined) validateShape(field.fields, schema, what);
  }
}

/** Column references exist with the type they say and are not surer than the column; functions exist; conditions are boolean. */
function validateExpressions(expressions: readonly Expression[], columns: readonly Column[], what: string): void {
  for (const expression of expressions) {
    validateNode(expression, columns, what);
    validateExpressions(children(expression), columns, what);
  }
}

function validateNode(expression: Expression, columns: readonly Column[], what: string): void {
  switch (expression.kind) {
    case "column": {
      const column = columns[expression.index];
      assert(column !== undefined, `${what} reads column ${expression.index} of ${columns.length}`);
      assert(
        sameScalar(column.type, expression.type),
        `${what} reads column ${expression.index} as ${printType(expression.type)}, it is ${printType(column.type)}`,
      );
      return assert(expression.nullable || !column.nullable, `${what} reads column ${expression.index} as NOT NULL`);
    }
    case "literal":
      return assert(expression.nullable || expression.value !== null, `${what} has a NULL literal that is NOT NULL`);
    case "call":
      return assert(expression.function in SCALAR_FUNCTIONS, `${what} calls unknown function ${expression.function}`);
    case "case":
      for (const { condition, value } of expression.branches) {
        assert(condition.type.kind === "boolean", `${what} has a CASE over ${printType(condition.type)}`);
        assert(sameScalar(value.type, expression.type), `${what} has a CASE with branches of different types`);
      }
      return assert(sameScalar(expression.otherwise.type, expression.type), `${what} has a CASE with branches of different types`);
    case "udf":
      return assert(expression.arguments.length <= UDF_PARAMETERS_MAX, `${what} calls "${expression.name}" with too many arguments`);
    case "in":
      for (const item of expression.list) assert(item.value !== null, `${what} has NULL in a list`);
      return undefined;
    case "cast":
      return undefined;
  }
}
