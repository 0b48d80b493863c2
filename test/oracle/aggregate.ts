/** Aggregates of the oracle: all values of a group are collected first, then each aggregate is computed from the list. */
import { isInteger, type ScalarType } from "../../src/data/data-type.ts";
import { canonicalKeyBytes, type KeyValue } from "../../src/data/key-hash.ts";
import type { Aggregate } from "../../src/program/operator.ts";
import { evaluate } from "./expression.ts";
import { compareValues, inRange, type Value } from "./value.ts";

/** Identity of values as group keys: NULL equals NULL, NaN equals NaN, −0 equals 0. */
export function keyIdentity(types: readonly ScalarType[], values: readonly Value[]): string {
  return Buffer.from(canonicalKeyBytes(types, values as readonly KeyValue[])).toString("latin1");
}

/**
 * Sum with Neumaier's compensation: order does not matter in practice. Infinities and NaN, for which the compensation has no meaning,
 * are summed plainly. https://en.wikipedia.org/wiki/Kahan_summation_algorithm#Further_enhancements
 */
export function compensatedSum(values: readonly number[]): number {
  let sum = 0;
  let compensation = 0;
  for (const value of values) {
    const total = sum + value;
    compensation += Math.abs(sum) >= Math.abs(value) ? sum - total + value : value - total + sum;
    sum = total;
  }
  return Number.isFinite(sum) ? sum + compensation : values.reduce((a, b) => a + b, 0);
}

/** What a row contributes to an aggregate: its argument's value (any constant for count(*)), `null` for nothing. Throws `RowError`. */
export function contribution(aggregate: Aggregate, row: readonly Value[]): Value {
  if (aggregate.filter !== undefined && evaluate(aggregate.filter, row) !== true) return null;
  return aggregate.argument === undefined ? true : evaluate(aggregate.argument, row);
}

function sum(values: readonly Value[], type: ScalarType): Value {
  if (typeof values[0] === "number") return compensatedSum(values as readonly number[]);
  return inRange(
    (values as readonly bigint[]).reduce((a, b) => a + b, 0n),
    type,
    "integer overflow",
  );
}

function average(values: readonly Value[], argument: ScalarType): number {
  if (typeof values[0] === "number") return compensatedSum(values as readonly number[]) / values.length;
  const total = Number((values as readonly bigint[]).reduce((a, b) => a + b, 0n));
  return (argument.kind === "decimal" ? total / 10 ** argument.scale : total) / values.length;
}

/** The aggregate over a group's contributions. An integer sum out of range throws `RowError`, whatever the order of the rows. */
export function aggregateValues(aggregate: Aggregate, contributions: readonly Value[]): Value {
  const argument = aggregate.argument?.type ?? { kind: "boolean" };
  let values = contributions.filter((value) => value !== null);
  if (aggregate.distinct) values = [...new Map(values.map((value) => [keyIdentity([argument], [value]), value])).values()];
  if (aggregate.function === "count") return BigInt(values.length);
  const [first] = values;
  if (first === undefined) return null;
  switch (aggregate.function) {
    case "sum":
      return sum(values, isInteger(aggregate.type) || aggregate.type.kind === "decimal" ? aggregate.type : argument);
    case "avg":
      return average(values, argument);
    case "min":
      return values.reduce((best, value) => (compareValues(value, best) < 0 ? value : best), first);
    case "max":
      return values.reduce((best, value) => (compareValues(value, best) > 0 ? value : best), first);
  }
}
