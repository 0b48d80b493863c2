/**
 * Stable identities of operators: a hash of what an operator computes, never of where it stands. Two operators with one fingerprint
 * compute the same rows, so the planner merges them; state belongs to a fingerprint, so it survives edits elsewhere in the query.
 *
 * Not part of it: names of tables and columns, unless a format reads or writes them.
 */
import { createHash } from "node:crypto";
import type { RowSchema } from "../data/schema.ts";
import type { Operator } from "./operator.ts";
import type { Exchange } from "./program.ts";

/** An input as it enters a fingerprint. */
export interface FingerprintInput {
  readonly port: number;
  readonly exchange: Exchange;
  /** The source vertex' fingerprint. */
  readonly fingerprint: string;
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
 * Fingerprint of a vertex. `occurrence` tells apart sinks that are meant to be written twice: 0 for the first of its kind. The order of
 * edges into one port does not matter.
 */
export function vertexFingerprint(operator: Operator, output: RowSchema, inputs: readonly FingerprintInput[], occurrence: number): string {
  const sorted = inputs.map((i) => canonicalJson(i)).sort();
  const schema = { updating: output.updating, columns: output.columns.map((c) => [c.type, c.nullable]) };
  return hashCanonical({ operator: semanticOperator(operator), schema, inputs: sorted, ...(occurrence === 0 ? {} : { occurrence }) });
}

/** Fingerprint of a program: over its vertices' fingerprints in any order. */
export function programFingerprint(vertices: readonly { readonly fingerprint: string }[]): string {
  return hashCanonical(vertices.map((v) => v.fingerprint).sort());
}

/** The operator without what is only for people. */
function semanticOperator(operator: Operator): unknown {
  switch (operator.kind) {
    case "source": {
      const { table: _table, ...rest } = operator;
      return operator.format === undefined ? { ...rest, declared: undefined } : rest;
    }
    case "sink": {
      const { table: _table, ...rest } = operator;
      return rest;
    }
    default:
      return operator;
  }
}
