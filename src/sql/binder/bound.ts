/**
 * Bound expressions: what the binder knows of an expression. Structs are bundles of scalar expressions, so that the plan below moves flat
 * columns only. `unknown` stands for an expression with an error that is already reported; it silences everything built on it.
 */
import type { DataType, Field, ScalarType } from "../../data/data-type.ts";
import { BOOLEAN, NULL_TYPE } from "../../data/data-type.ts";
import type { Shape, ShapeField } from "../../data/schema.ts";
import type { CallExpression, Expression, LiteralExpression, LiteralValue } from "../../program/expression.ts";
import type { ScalarFunctionName } from "../../program/scalar-function.ts";
import { columnAt, type OutputColumn, type PlanSchema } from "../logical-plan.ts";

/** A scalar value. */
export interface ScalarBound {
  readonly kind: "scalar";
  readonly expression: Expression;
  /** True: a span of time in nanoseconds (timestamp − timestamp), kept as a 64-bit integer. */
  readonly duration?: boolean;
}

/** A struct, field by field. */
export interface StructBound {
  readonly kind: "struct";
  /** True where the struct is present; undefined: it cannot be NULL. */
  readonly marker?: Expression;
  readonly fields: readonly { readonly name: string; readonly value: Bound }[];
}

/** A bare NULL, which takes any type; or the result of an expression with a reported error. */
export type Bound = ScalarBound | StructBound | { readonly kind: "null" } | { readonly kind: "unknown" };

/** The result of an erroneous expression. */
export const UNKNOWN: Bound = { kind: "unknown" };
/** A bare NULL. */
export const NULL_BOUND: Bound = { kind: "null" };

/** Wraps a scalar expression. */
export function scalar(expression: Expression): ScalarBound {
  return { kind: "scalar", expression };
}

/** A literal of `type`; nullable exactly if its value is NULL. */
export function literal(value: LiteralValue, type: ScalarType): LiteralExpression {
  return { kind: "literal", value, type, nullable: value === null };
}

/** A call whose result is NULL whenever an argument is. */
export function strictCall(name: ScalarFunctionName, type: ScalarType, ...args: readonly Expression[]): CallExpression {
  return { kind: "call", function: name, arguments: args, type, nullable: args.some((a) => a.nullable) };
}

/** A call with its own null rule. */
export function call(name: ScalarFunctionName, type: ScalarType, nullable: boolean, ...args: readonly Expression[]): CallExpression {
  return { kind: "call", function: name, arguments: args, type, nullable };
}

/** `left AND right`, where either may be absent. */
export function conjunction(...parts: readonly (Expression | undefined)[]): Expression | undefined {
  const present = parts.filter((p) => p !== undefined);
  if (present.length === 0) return undefined;
  return present.reduce((left, right) => strictCall("and", BOOLEAN, left, right));
}

/** The conjuncts of a predicate, left to right. */
export function conjuncts(predicate: Expression | undefined): Expression[] {
  if (predicate === undefined) return [];
  if (predicate.kind === "call" && predicate.function === "and") return predicate.arguments.flatMap((a) => conjuncts(a));
  return [predicate];
}

/** The SQL type of a bound expression. */
export function typeOf(bound: Bound): DataType {
  switch (bound.kind) {
    case "scalar":
      return bound.expression.type;
    case "struct":
      return { kind: "struct", fields: fieldsOf(bound) };
    default:
      return NULL_TYPE;
  }
}

function fieldsOf(bound: StructBound): Field[] {
  return bound.fields.map((f) => ({ name: f.name, type: typeOf(f.value), nullable: isNullable(f.value) }));
}

/** Whether a bound expression can be NULL. */
export function isNullable(bound: Bound): boolean {
  switch (bound.kind) {
    case "scalar":
      return bound.expression.nullable;
    case "struct":
      return bound.marker !== undefined;
    default:
      return true;
  }
}

/** Every scalar expression of a bound value: a struct's marker, then its fields, depth first. */
export function leavesOf(bound: Bound): Expression[] {
  switch (bound.kind) {
    case "scalar":
      return [bound.expression];
    case "struct":
      return [...(bound.marker === undefined ? [] : [bound.marker]), ...bound.fields.flatMap((f) => leavesOf(f.value))];
    default:
      return [];
  }
}

/** The same value with every leaf replaced. `undefined` for one leaf makes the whole `undefined`. */
export function mapLeaves(bound: Bound, map: (leaf: Expression) => Expression | undefined): Bound | undefined {
  if (bound.kind === "scalar") {
    const expression = map(bound.expression);
    return expression && { ...bound, expression };
  }
  if (bound.kind !== "struct") return bound;
  const marker = bound.marker && map(bound.marker);
  if (bound.marker !== undefined && marker === undefined) return undefined;
  const fields: { name: string; value: Bound }[] = [];
  for (const field of bound.fields) {
    const value = mapLeaves(field.value, map);
    if (value === undefined) return undefined;
    fields.push({ name: field.name, value });
  }
  return { kind: "struct", fields, ...(marker === undefined ? {} : { marker }) };
}

/** A table's field as a bound expression over the columns of `schema`. */
export function boundOfShape(field: ShapeField, schema: PlanSchema): Bound {
  if (field.fields === undefined) return scalar(columnAt(schema, field.column ?? 0));
  const fields = field.fields.map((f) => ({ name: f.name, value: boundOfShape(f, schema) }));
  return { kind: "struct", fields, ...(field.marker === undefined ? {} : { marker: columnAt(schema, field.marker) }) };
}

/** All fields of a table as bound expressions. */
export function boundsOfShape(shape: Shape, schema: PlanSchema): { readonly name: string; readonly value: Bound }[] {
  return shape.map((f) => ({ name: f.name, value: boundOfShape(f, schema) }));
}

/**
 * The columns that hold `bound` under `name`, appended to `columns`, and the value in terms of those new columns. Bare NULLs take no
 * column: they stay what they are.
 */
export function appendColumns(columns: OutputColumn[], name: string, bound: Bound): Bound {
  if (bound.kind === "struct") {
    const marker = bound.marker && appendColumn(columns, name, bound.marker);
    const fields = bound.fields.map((f) => ({ name: f.name, value: appendColumns(columns, `${name}.${f.name}`, f.value) }));
    return { kind: "struct", fields, ...(marker === undefined ? {} : { marker }) };
  }
  if (bound.kind !== "scalar") return bound;
  return { ...bound, expression: appendColumn(columns, name, bound.expression) };
}

function appendColumn(columns: OutputColumn[], name: string, expression: Expression): Expression {
  const index = columns.push({ name, expression }) - 1;
  return { kind: "column", index, type: expression.type, nullable: expression.nullable };
}
