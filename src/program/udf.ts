/**
 * User-defined functions as a program carries them: a typed signature and JavaScript text. How TypeScript becomes this is in
 * `sql/udf/definition.ts`, how it is called in `dataflow/udf.ts`.
 */
import type { ScalarType } from "../data/data-type.ts";
import { children, type Expression } from "./expression.ts";
import type { Operator } from "./operator.ts";

/** Type of a parameter or a result. The types are int64 (bigint), float64 (number), text, boolean and timestamp (Date). */
export interface UdfValue {
  readonly type: ScalarType;
  /** Parameter: the function is called with NULL too. Result: the function may give NULL. */
  readonly nullable: boolean;
}

/** A parameter. */
export interface UdfParameter extends UdfValue {
  readonly name: string;
}

/** A scalar function. */
export interface UdfDefinition {
  /** Hash over everything below: what an expression refers to, so that a changed function is another operator. */
  readonly id: string;
  /** Name in SQL, as written; names are told apart without regard to case. */
  readonly name: string;
  readonly parameters: readonly UdfParameter[];
  readonly result: UdfValue;
  /** CommonJS text that sets `exports[name]`; imports nothing. */
  readonly javascript: string;
}

/** Parameters of one function at most. */
export const UDF_PARAMETERS_MAX = 32;

/** What generated code calls a function: 31 bits of its id. Distinct within a program (`validateProgram`). */
export function udfNumber(id: string): number {
  return Number.parseInt(id.slice(0, 8), 16) & 0x7fffffff;
}

/** Ids of the functions that an operator calls. */
export function udfsOf(operator: Operator): ReadonlySet<string> {
  const ids = new Set<string>();
  const visit = (expression: Expression): void => {
    if (expression.kind === "udf") ids.add(expression.definition);
    children(expression).forEach(visit);
  };
  expressionsOf(operator).forEach(visit);
  return ids;
}

function expressionsOf(operator: Operator): readonly Expression[] {
  const present = (...expressions: readonly (Expression | undefined)[]): readonly Expression[] =>
    expressions.filter((e) => e !== undefined);
  switch (operator.kind) {
    case "source":
      return present(operator.eventTime, operator.watermark);
    case "compute":
      return present(operator.filter, ...operator.outputs);
    case "window-aggregate":
    case "updating-aggregate":
      return present(...operator.keys, ...operator.aggregates.flatMap((a) => [a.argument, a.filter]));
    case "window-join":
      return present(...operator.leftKeys, ...operator.rightKeys, operator.filter);
    case "encode":
    case "sink":
      return [];
  }
}
