/**
 * JSON with one spelling per value: keys sorted by code unit, no white space, numbers as ECMAScript writes them. So a checksum over the
 * text is a checksum over the value, and two builds write the same bytes.
 */
import { assert } from "../core/assert.ts";

/** What JSON can say. Integers beyond 2^53 and nanoseconds travel as decimal strings. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** The canonical text of `value`. Fields that are `undefined` are left out; anything else that JSON cannot say is an `invariant` error. */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value === "boolean" || typeof value === "string") return JSON.stringify(value);
  if (typeof value === "number") {
    assert(Number.isFinite(value), `${value} cannot be written as JSON`);
    return JSON.stringify(value);
  }
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  assert(typeof value === "object", `a ${typeof value} cannot be written as JSON`);
  const fields = Object.entries(value).filter(([, field]) => field !== undefined);
  fields.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${fields.map(([key, field]) => `${JSON.stringify(key)}:${canonicalJson(field)}`).join(",")}}`;
}
