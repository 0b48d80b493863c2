/**
 * Typed scalar expressions over the flat columns of one batch: made by `sql`, emitted by `codegen`, interpreted by the
 * oracle under `test/`. Nested values do not exist here (see `data/schema.ts`).
 *
 * Every node carries its result type and whether it can be NULL. Arguments of a call already have the types that the
 * function's row in `scalar-function.ts` demands: casts are explicit nodes.
 */
import type { ScalarType } from "../data/data-type.ts";
import type { ScalarFunctionName } from "./scalar-function.ts";

/** Months, days and nanoseconds of an INTERVAL literal. */
export interface IntervalValue {
  readonly months: number;
  readonly days: number;
  readonly ns: bigint;
}

/**
 * A literal's value: boolean; bigint for integers, decimals (unscaled), timestamps (ns), dates (days), times (ns);
 * number for floats; string for text and json; bytes; interval; null for SQL NULL.
 */
export type LiteralValue = null | boolean | bigint | number | string | Uint8Array | IntervalValue;

/** Value of physical column `index` of the batch (hidden columns included, see `physicalColumns`). */
export interface ColumnExpression {
  readonly kind: "column";
  readonly index: number;
  readonly type: ScalarType;
  readonly nullable: boolean;
}

/** A constant. */
export interface LiteralExpression {
  readonly kind: "literal";
  readonly value: LiteralValue;
  readonly type: ScalarType;
  readonly nullable: boolean;
}

/** A function of the registry applied to `arguments`. */
export interface CallExpression {
  readonly kind: "call";
  readonly function: ScalarFunctionName;
  readonly arguments: readonly Expression[];
  readonly type: ScalarType;
  readonly nullable: boolean;
}

/** The value of the first branch whose condition is true, else `otherwise`. Only the chosen branch's errors count. */
export interface CaseExpression {
  readonly kind: "case";
  readonly branches: readonly { readonly condition: Expression; readonly value: Expression }[];
  readonly otherwise: Expression;
  readonly type: ScalarType;
  readonly nullable: boolean;
}

/** Conversion to `type`. A value that does not fit is a row error, or NULL under `safe` (TRY_CAST). */
export interface CastExpression {
  readonly kind: "cast";
  readonly value: Expression;
  readonly safe: boolean;
  readonly type: ScalarType;
  readonly nullable: boolean;
}

/** `value IN (literals)`: three-valued; the list holds no NULL (the binder adds it by OR NULL). */
export interface InExpression {
  readonly kind: "in";
  readonly value: Expression;
  readonly list: readonly LiteralExpression[];
  readonly type: ScalarType;
  readonly nullable: boolean;
}

/** A user-defined function applied to `arguments`, which have its parameters' types. NULL for a parameter that takes none gives NULL without a call. */
export interface UdfExpression {
  readonly kind: "udf";
  readonly name: string;
  /** `UdfDefinition.id` of one of the program's functions. */
  readonly definition: string;
  readonly arguments: readonly Expression[];
  /** By argument: whether the function is called when it is NULL. */
  readonly takesNull: readonly boolean[];
  readonly type: ScalarType;
  readonly nullable: boolean;
}

/** A scalar expression over the columns of one batch. */
export type Expression =
  | ColumnExpression
  | LiteralExpression
  | CallExpression
  | CaseExpression
  | CastExpression
  | InExpression
  | UdfExpression;

/** Direct subexpressions, in evaluation order. */
export function children(expression: Expression): readonly Expression[] {
  switch (expression.kind) {
    case "column":
    case "literal":
      return [];
    case "call":
    case "udf":
      return expression.arguments;
    case "case":
      return [...expression.branches.flatMap((b) => [b.condition, b.value]), expression.otherwise];
    case "cast":
      return [expression.value];
    case "in":
      return [expression.value, ...expression.list];
  }
}

/** Indexes of the physical columns that the expressions read. */
export function columnsUsed(expressions: readonly Expression[]): ReadonlySet<number> {
  const used = new Set<number>();
  const visit = (e: Expression): void => {
    if (e.kind === "column") used.add(e.index);
    children(e).forEach(visit);
  };
  expressions.forEach(visit);
  return used;
}

/** The same expression with every column reference replaced by `replace(reference)`. */
export function mapColumns(expression: Expression, replace: (column: ColumnExpression) => Expression): Expression {
  const map = (e: Expression): Expression => mapColumns(e, replace);
  switch (expression.kind) {
    case "column":
      return replace(expression);
    case "literal":
      return expression;
    case "call":
    case "udf":
      return { ...expression, arguments: expression.arguments.map(map) };
    case "case":
      return {
        ...expression,
        branches: expression.branches.map((b) => ({ condition: map(b.condition), value: map(b.value) })),
        otherwise: map(expression.otherwise),
      };
    case "cast":
      return { ...expression, value: map(expression.value) };
    case "in":
      return { ...expression, value: map(expression.value) };
  }
}
