/**
 * Stable identities of operators: a hash of what an operator computes, never of where it stands. Two operators with one fingerprint
 * compute the same rows, so the planner merges them; state belongs to a fingerprint, so it survives edits elsewhere in the query.
 *
 * Not part of it: names of tables and columns, unless a format reads or writes them; and which of its fields a source reads, because that
 * changes with every other query over the table. Readers of a source therefore refer to its columns by field, not by position.
 */
import { createHash } from "node:crypto";
import type { RowSchema, Shape } from "../data/schema.ts";
import { type Expression, mapColumns } from "./expression.ts";
import type { Operator, SourceOperator } from "./operator.ts";
import type { Exchange } from "./program.ts";

/** An input as it enters a fingerprint. */
export interface FingerprintInput {
  readonly port: number;
  readonly exchange: Exchange;
  /** The source vertex' fingerprint. */
  readonly fingerprint: string;
  /** What the input's columns are called in this fingerprint instead of their positions; see `sourceLabels`. */
  readonly labels?: readonly string[];
}

/** Hex digits of a fingerprint. */
const LENGTH = 32;

/** First 32 hex digits of the SHA-256 of `value`'s canonical JSON. */
export function hashCanonical(value: unknown): string {
  return createHash("sha256").update(canonicalJson(value)).digest("hex").slice(0, LENGTH);
}

/**
 * JSON with sorted keys and without undefined properties. A bigint is `{"$bigint":"…"}`, bytes `{"$bytes":"hex"}`, a float that JSON
 * lacks `{"$float":"NaN"}`; −0 is distinct from 0.
 */
export function canonicalJson(value: unknown): string {
  if (typeof value === "bigint") return `{"$bigint":"${value}"}`;
  if (typeof value === "number" && (!Number.isFinite(value) || Object.is(value, -0))) {
    return `{"$float":"${Object.is(value, -0) ? "-0" : value}"}`;
  }
  if (value instanceof Uint8Array) return `{"$bytes":"${Buffer.from(value).toString("hex")}"}`;
  if (Array.isArray(value)) return `[${value.map((v) => canonicalJson(v ?? null)).join(",")}]`;
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value).filter(([, v]) => v !== undefined);
    entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    return `{${entries.map(([k, v]) => `${JSON.stringify(k)}:${canonicalJson(v)}`).join(",")}}`;
  }
  return JSON.stringify(value ?? null);
}

/**
 * Fingerprint of a vertex. `occurrence` tells apart vertices that are alike and not to be merged: 0 for the first of its kind. The order of
 * edges into one port does not matter.
 */
export function vertexFingerprint(operator: Operator, output: RowSchema, inputs: readonly FingerprintInput[], occurrence: number): string {
  const labels = commonLabels(inputs);
  const label = (index: number): number | string => labels?.[index] ?? index;
  const sorted = inputs
    .map(({ port, exchange, fingerprint }) => {
      const keys = exchange.kind === "keyed" ? exchange.keys.map((k) => label(k)) : undefined;
      return canonicalJson({ port, exchange: exchange.kind, keys, fingerprint });
    })
    .sort();
  const columns = operator.kind === "source" ? undefined : output.columns.map((c) => [c.type, c.nullable]);
  return hashCanonical({
    operator: semanticOperator(operator, label),
    schema: { updating: output.updating, columns },
    inputs: sorted,
    ...(occurrence === 0 ? {} : { occurrence }),
  });
}

/** Names of a source's columns by position: the path of the field, with `?` for a struct's marker; the event time last. */
export function sourceLabels(operator: SourceOperator): readonly string[] {
  const labels: string[] = [];
  const visit = (shape: Shape, path: string): void => {
    for (const field of shape) {
      const name = `${path}${JSON.stringify(field.name)}`;
      if (field.column !== undefined) labels[field.column] = name;
      if (field.marker !== undefined) labels[field.marker] = `${name}?`;
      visit(field.fields ?? [], `${name}.`);
    }
  };
  visit(operator.shape, "");
  return [...labels, "_timestamp"];
}

/** The labels that all inputs share; inputs that differ are told by position. */
function commonLabels(inputs: readonly FingerprintInput[]): readonly string[] | undefined {
  const [first, ...rest] = inputs;
  const text = canonicalJson(first?.labels);
  return rest.every((i) => canonicalJson(i.labels) === text) ? first?.labels : undefined;
}

/** Fingerprint of a program: over its vertices' fingerprints in any order. */
export function programFingerprint(vertices: readonly { readonly fingerprint: string }[]): string {
  return hashCanonical(vertices.map((v) => v.fingerprint).sort());
}

type Label = (index: number) => number | string;

/** The operator without what is only for people, with its input's columns by label. */
function semanticOperator(operator: Operator, label: Label): unknown {
  switch (operator.kind) {
    case "source": {
      const { table: _table, shape: _shape, eventTime, watermark, declared, ...rest } = operator;
      const labels = sourceLabels(operator);
      const own = (index: number): string => labels[index] ?? "_timestamp";
      const time = { eventTime: eventTime && labelled(eventTime, own), watermark: labelled(watermark, own) };
      return { ...rest, ...time, declared: operator.format === undefined ? undefined : declared };
    }
    case "sink": {
      const { table: _table, ...rest } = operator;
      return rest;
    }
    case "compute":
      return {
        ...operator,
        filter: operator.filter && labelled(operator.filter, label),
        outputs: operator.outputs.map((o) => labelled(o, label)),
      };
    case "window-aggregate":
    case "updating-aggregate":
      return {
        ...operator,
        keys: operator.keys.map((k) => labelled(k, label)),
        aggregates: operator.aggregates.map((a) => ({
          ...a,
          argument: a.argument && labelled(a.argument, label),
          filter: a.filter && labelled(a.filter, label),
        })),
      };
    case "encode":
      return { ...operator, shape: labelledShape(operator.shape, label), keyColumns: operator.keyColumns.map((k) => label(k)) };
    case "window-join":
      return operator;
  }
}

/** The expression as plain data, its columns by label. */
function labelled(expression: Expression, label: Label): unknown {
  return mapColumns(expression, (column) => ({ ...column, index: label(column.index) as number }));
}

function labelledShape(shape: Shape, label: Label): unknown {
  return shape.map((f) => ({
    ...f,
    column: f.column === undefined ? undefined : label(f.column),
    marker: f.marker === undefined ? undefined : label(f.marker),
    fields: f.fields && labelledShape(f.fields, label),
  }));
}
