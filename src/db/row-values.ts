/**
 * Values of rows as the code uses them: times as microseconds since the epoch, 64-bit integers as numbers where they are small enough to be
 * exact. `microsOf` makes the database compute the microseconds, because a `Date` has milliseconds only.
 */
import { assert } from "../core/assert.ts";

/** SQL for a timestamptz column's microseconds since the epoch, an int8. `column` is SQL, never a user's text. */
export function microsOf(column: string): string {
  return `(extract(epoch from ${column}) * 1000000)::int8`;
}

/** A 64-bit integer as a number; asserts that it is exact. */
export function readNumber(value: bigint): number {
  const number = Number(value);
  assert(Number.isSafeInteger(number), `${value} is too large for a number`);
  return number;
}

/** A 64-bit integer that may be NULL. */
export function optionalNumber(value: bigint | null): number | undefined {
  return value === null ? undefined : readNumber(value);
}
