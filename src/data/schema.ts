/**
 * Row schemas. A `RowSchema` is what the engine moves: a flat list of scalar columns, then the hidden columns. A `Shape`
 * is how a format nests those columns: it maps a user's (possibly nested) fields to column indexes.
 *
 * A nullable struct is flattened into a BOOLEAN NOT NULL marker column (true: the struct is present) followed by its
 * fields; a struct that cannot be NULL has no marker. So the engine never sees a struct.
 */

import { userError } from "../core/errors.ts";
import type { DataType, Field, ScalarType } from "./data-type.ts";
import { BOOLEAN, INT32, TIMESTAMP } from "./data-type.ts";

/** One scalar column. The name is for people; generated code numbers its columns. */
export interface Column {
  readonly name: string;
  readonly type: ScalarType;
  readonly nullable: boolean;
}

/** The rows of an edge. Hidden columns follow `columns`: `_timestamp`, and `_weight` if `updating`. */
export interface RowSchema {
  readonly columns: readonly Column[];
  /** True: rows carry a weight (+1 adds the row, −1 takes it back). */
  readonly updating: boolean;
}

/** Event time, i64 ns, never NULL, at index `columns.length`. */
export const TIMESTAMP_COLUMN: Column = { name: "_timestamp", type: TIMESTAMP, nullable: false };
/** Weight, i32, never NULL, at index `columns.length + 1`, on updating edges only. */
export const WEIGHT_COLUMN: Column = { name: "_weight", type: INT32, nullable: false };

/** All columns of a batch in physical order, hidden ones included. */
export function physicalColumns(schema: RowSchema): readonly Column[] {
  return schema.updating ? [...schema.columns, TIMESTAMP_COLUMN, WEIGHT_COLUMN] : [...schema.columns, TIMESTAMP_COLUMN];
}

/** Index of `_timestamp` in the batch. */
export function timestampIndex(schema: RowSchema): number {
  return schema.columns.length;
}

/** A user's field and where its values are. Exactly one of `column` and `fields` is set. */
export interface ShapeField {
  readonly name: string;
  readonly type: DataType;
  readonly nullable: boolean;
  /** Column that holds a scalar field. */
  readonly column?: number;
  /** Column of the presence marker of a nullable struct. */
  readonly marker?: number;
  /** Fields of a struct. */
  readonly fields?: readonly ShapeField[];
}

/** How a format nests a `RowSchema`. */
export type Shape = readonly ShapeField[];

/** A user's fields as flat columns, depth first, with the shape that leads back. Arrays are refused. */
export function flatten(fields: readonly Field[]): { readonly columns: readonly Column[]; readonly shape: Shape } {
  const columns: Column[] = [];
  const visit = (field: Field, path: string, outerNullable: boolean): ShapeField => {
    const name = path === "" ? field.name : `${path}.${field.name}`;
    const nullable = field.nullable || outerNullable;
    const base = { name: field.name, type: field.type, nullable: field.nullable };
    if (field.type.kind === "struct") {
      const marker = field.nullable ? columns.push({ name, type: BOOLEAN, nullable: false }) - 1 : undefined;
      const children = field.type.fields.map((f) => visit(f, name, nullable));
      return marker === undefined ? { ...base, fields: children } : { ...base, marker, fields: children };
    }
    if (field.type.kind === "array" || field.type.kind === "null") {
      throw userError("unsupported", `column "${name}" has a type that columns cannot have yet`);
    }
    return { ...base, column: columns.push({ name, type: field.type, nullable }) - 1 };
  };
  const shape = fields.map((f) => visit(f, "", false));
  return { columns, shape };
}
