/**
 * The oracle's values and their comparison. A value is what a literal of a program is: bigint for everything integral (also dates,
 * times, timestamps and unscaled decimals), number for floats, string for text and JSON, null for NULL.
 */
import { internalError } from "../../src/core/errors.ts";
import { integerRange, isInteger, type ScalarType } from "../../src/data/data-type.ts";
import type { ERROR_REASONS } from "../../src/program/abi.ts";
import type { IntervalValue, LiteralValue } from "../../src/program/expression.ts";

export type Value = LiteralValue;

/** Why a row failed, in the module's own words. */
export type RowErrorReason = (typeof ERROR_REASONS)[number];

/** A row error or bad data: ends the evaluation of one row, never of the run. */
export class RowError extends Error {
  readonly reason: RowErrorReason;

  constructor(reason: RowErrorReason) {
    super(reason);
    this.reason = reason;
  }
}

/** Compares code points, which is the order of UTF-8 bytes; UTF-16's own order differs beyond U+FFFF. */
export function compareText(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a, "utf8"), Buffer.from(b, "utf8"));
}

function compareNumbers(a: number, b: number): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
  return a < b ? -1 : a > b ? 1 : 0;
}

function isInterval(value: Value): value is IntervalValue {
  return typeof value === "object" && value !== null && !(value instanceof Uint8Array);
}

/** Negative, 0 or positive. Both of one type and not NULL. NaN equals NaN and is greatest; −0 equals 0; text and bytes by bytes. */
export function compareValues(a: Value, b: Value): number {
  if (typeof a === "bigint" && typeof b === "bigint") return a < b ? -1 : a > b ? 1 : 0;
  if (typeof a === "number" && typeof b === "number") return compareNumbers(a, b);
  if (typeof a === "string" && typeof b === "string") return compareText(a, b);
  if (typeof a === "boolean" && typeof b === "boolean") return Number(a) - Number(b);
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b);
  if (isInterval(a) && isInterval(b)) return a.months - b.months || a.days - b.days || compareValues(a.ns, b.ns);
  throw internalError("invariant", `the oracle compared ${typeof a} with ${typeof b}`);
}

/** `value` if it lies in the range of `type` (integers, decimals, 64-bit times), else a row error. */
export function inRange(value: bigint, type: ScalarType, reason: RowErrorReason): bigint {
  let { min, max } = isInteger(type) ? integerRange(type.kind) : integerRange(type.kind === "date" ? "int32" : "int64");
  if (type.kind === "decimal") {
    max = 10n ** BigInt(type.precision) - 1n;
    min = -max;
  }
  if (value < min || value > max) throw new RowError(reason);
  return value;
}

/** The code points of `text`, as strings. */
export function codePoints(text: string): string[] {
  return Array.from(text);
}
