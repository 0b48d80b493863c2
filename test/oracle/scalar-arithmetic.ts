/**
 * Strict arithmetic, maths and bit functions of the oracle, on values that are not NULL. Integers are bigints checked against the range
 * of the result type; floats are IEEE, rounded to 32 bits for REAL; decimals are unscaled bigints with the scale of the result.
 */
import { internalError } from "../../src/core/errors.ts";
import type { ScalarType } from "../../src/data/data-type.ts";
import { inRange, RowError, type Value } from "./value.ts";

/** A float result in the precision of its type. */
export function fitFloat(value: number, type: ScalarType): number {
  return type.kind === "float32" ? Math.fround(value) : value;
}

interface NumberOperations {
  readonly integers: (a: bigint, b: bigint) => bigint;
  readonly floats: (a: number, b: number) => number;
  readonly decimals: (a: bigint, b: bigint, unit: bigint) => bigint;
}

function nonZero(divisor: bigint): bigint {
  if (divisor === 0n) throw new RowError("division by zero");
  return divisor;
}

/** a / b with halves away from zero; b > 0. */
export function divideRounded(a: bigint, b: bigint): bigint {
  const quotient = (2n * (a < 0n ? -a : a) + b) / (2n * b);
  return a < 0n ? -quotient : quotient;
}

const OPERATIONS: Readonly<Record<"add" | "subtract" | "multiply" | "divide" | "modulo", NumberOperations>> = {
  add: { integers: (a, b) => a + b, floats: (a, b) => a + b, decimals: (a, b) => a + b },
  subtract: { integers: (a, b) => a - b, floats: (a, b) => a - b, decimals: (a, b) => a - b },
  multiply: { integers: (a, b) => a * b, floats: (a, b) => a * b, decimals: (a, b, unit) => divideRounded(a * b, unit) },
  divide: { integers: (a, b) => a / nonZero(b), floats: (a, b) => a / b, decimals: (a, b, unit) => (a * unit) / nonZero(b) },
  modulo: { integers: (a, b) => a % nonZero(b), floats: (a, b) => a % b, decimals: (a, b) => a % nonZero(b) },
};

/** One of the five operators on two values of `type`. */
export function arithmetic(name: keyof typeof OPERATIONS, a: Value, b: Value, type: ScalarType): Value {
  const operation = OPERATIONS[name];
  if (typeof a === "number" && typeof b === "number") return fitFloat(operation.floats(a, b), type);
  if (typeof a !== "bigint" || typeof b !== "bigint") throw internalError("invariant", `${name} of ${typeof a} and ${typeof b}`);
  const result = type.kind === "decimal" ? operation.decimals(a, b, 10n ** BigInt(type.scale)) : operation.integers(a, b);
  return inRange(result, type, "integer overflow");
}

/** −a. */
export function negate(a: Value, type: ScalarType): Value {
  return typeof a === "bigint" ? inRange(-a, type, "integer overflow") : -(a as number);
}

/** |a|. */
export function absolute(a: Value, type: ScalarType): Value {
  return typeof a === "bigint" ? inRange(a < 0n ? -a : a, type, "integer overflow") : Math.abs(a as number);
}

/** The nearest integer, halves away from zero, as C's round. */
export function roundHalfAway(x: number): number {
  const truncated = Math.trunc(x);
  return Math.abs(x - truncated) >= 0.5 ? truncated + Math.sign(x) : truncated;
}

/** round(x, digits) as DataFusion computes it: (x · 10^digits) rounded, then divided again, all in float64. */
export function roundDigits(x: number, digits: bigint): number {
  if (!Number.isFinite(x)) return x;
  const factor = 10 ** Number(digits);
  return roundHalfAway(x * factor) / factor;
}
