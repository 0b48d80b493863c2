/**
 * Assertions: statements about our own code, never reachable by user input. A failed one is an `internal` error.
 */
import { internalError } from "./errors.ts";

/** Throws an `invariant` error with `message` unless `condition` holds. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw internalError("invariant", message);
}

/** `value`, which the caller knows to be present; `what` names it in the error. */
export function must<T>(value: T | null | undefined, what: string): T {
  if (value === null || value === undefined) throw internalError("invariant", `${what} is missing`);
  return value;
}
