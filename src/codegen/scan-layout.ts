/**
 * What a JSON scanner has to fill: the tree of a source's declared fields, in order, each either read into a column or
 * skipped. The order predicts that of the keys in the input.
 */
import type { ScalarType } from "../data/data-type.ts";
import type { ShapeField } from "../data/schema.ts";
import type { SourceOperator } from "../program/operator.ts";

/** A field the scanner expects. */
export interface ScanField {
  /** Number of the field among all of the scanner, depth first. */
  readonly id: number;
  readonly key: Uint8Array;
  /** Type of a scalar; undefined for a struct. */
  readonly type?: ScalarType;
  /** Column of a scalar that is read. */
  readonly column?: number;
  /** Presence column of a nullable struct that is read. */
  readonly marker?: number;
  /** Fields of a struct that is read, in the shape's order. */
  readonly fields?: readonly ScanField[];
}

/** Fields of the top level in declared order. */
export function scanLayout(operator: SourceOperator): readonly ScanField[] {
  let next = 0;
  const encoder = new TextEncoder();
  const fromShape = (field: ShapeField): ScanField => {
    const base = { id: next++, key: encoder.encode(field.name) };
    if (field.fields === undefined) return { ...base, type: field.type as ScalarType, column: field.column as number };
    const fields = field.fields.map(fromShape);
    return field.marker === undefined ? { ...base, fields } : { ...base, marker: field.marker, fields };
  };
  const byName = new Map(operator.shape.map((f) => [f.name, f]));
  const known = operator.declared.map((declared): ScanField => {
    const field = byName.get(declared.name);
    byName.delete(declared.name);
    if (field !== undefined) return fromShape(field);
    const base = { id: next++, key: encoder.encode(declared.name) };
    return declared.type.kind === "struct" ? base : { ...base, type: declared.type };
  });
  return [...known, ...[...byName.values()].map(fromShape)];
}

/** Every column below `fields`, markers included. */
export function columnsBelow(fields: readonly ScanField[]): readonly number[] {
  return fields.flatMap((f) => [
    ...(f.column === undefined ? [] : [f.column]),
    ...(f.marker === undefined ? [] : [f.marker]),
    ...columnsBelow(f.fields ?? []),
  ]);
}

/** True if anything below is read. */
export function isRead(field: ScanField): boolean {
  return field.column !== undefined || field.fields !== undefined;
}
