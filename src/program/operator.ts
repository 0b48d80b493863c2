/**
 * What each vertex of a program does. Configuration only, no behaviour: `codegen` emits it, the oracle interprets it.
 *
 * The output schema of every operator stands in its vertex; here is how its columns come about.
 */

import type { ScalarType } from "../data/data-type.ts";
import type { Shape } from "../data/schema.ts";
import type { Expression } from "./expression.ts";

/** How bytes become rows and rows bytes. */
export type Format =
  | {
      readonly kind: "json";
      readonly timestampFormat: "rfc3339" | "unix_millis";
      readonly decimalEncoding: "number" | "string" | "bytes";
    }
  | {
      readonly kind: "debezium_json";
      readonly timestampFormat: "rfc3339" | "unix_millis";
      readonly decimalEncoding: "number" | "string" | "bytes";
    }
  | { readonly kind: "raw_string" };

/** A connector's validated options, as plain JSON; `connector-spec.ts` has their schemas. */
export type OptionValues = Readonly<Record<string, string | number | boolean>>;

/**
 * Reads a table. Output columns: `columns` of the vertex' schema, read from the format through `shape` (fields the query
 * does not use are absent from the shape and skipped by the scanner), then `_timestamp`.
 */
export interface SourceOperator {
  readonly kind: "source";
  /** The SQL table's name, for messages. */
  readonly table: string;
  readonly connector: string;
  readonly options: OptionValues;
  /** Undefined for generators (impulse, nexmark), whose rows the runtime makes. */
  readonly format?: Format;
  readonly shape: Shape;
  /** Every field of the declared table in order, read or not: lets the scanner predict the order of keys. */
  readonly declared: readonly { readonly name: string; readonly type: ScalarType | { readonly kind: "struct" } }[];
  /**
   * Event time over the columns read; a NULL is bad data. Undefined: the connector's record time (for files the time of
   * reading).
   */
  readonly eventTime?: Expression;
  /** Watermark over the output columns, `_timestamp` included; a NULL says nothing. */
  readonly watermark: Expression;
  /** A partition without rows for this long is idle; 0: never. Unbounded sources only. */
  readonly idleMs: number;
  readonly badData: "fail" | "drop";
}

/** Filters, then projects. Output column i is `outputs[i]`; hidden columns pass through. Row errors follow the program's policy. */
export interface ComputeOperator {
  readonly kind: "compute";
  /** Rows for which this is not true are dropped (and counted as filtered). */
  readonly filter?: Expression;
  readonly outputs: readonly Expression[];
}

/** Aggregate functions. */
export const AGGREGATE_FUNCTIONS = ["count", "sum", "min", "max", "avg"] as const;
/** Name of an aggregate function. */
export type AggregateFunction = (typeof AGGREGATE_FUNCTIONS)[number];

/**
 * One aggregate. `argument` undefined: count(*). NULL arguments are left out. Results: count → int64; sum of signed
 * integers → int64, of unsigned → uint64, of floats → float64 (overflow of an integer sum is a row error of the row that
 * overflows); avg → float64; min/max → the argument's type. Over no rows: count 0, the others NULL.
 */
export interface Aggregate {
  readonly function: AggregateFunction;
  readonly argument?: Expression;
  readonly distinct: boolean;
  /** FILTER (WHERE …). */
  readonly filter?: Expression;
  readonly type: ScalarType;
}

/** Windows over event time, aligned to the epoch, half-open. `hop`: slide divides nothing in particular; panes are gcd(slide, width) wide. */
export type Window =
  | { readonly kind: "tumble"; readonly widthNs: bigint }
  | { readonly kind: "hop"; readonly slideNs: bigint; readonly widthNs: bigint }
  /** Rows with one and the same `_timestamp`: the windows of windowed input, whose bounds are among the keys. */
  | { readonly kind: "instant" };

/**
 * Aggregates append-only input by window and key; emits a window's rows once the watermark has passed its end.
 * Output columns: keys, then (not for `instant`) window start and end (timestamps), then the aggregates.
 * `_timestamp` is window end − 1 ns. A row whose newest pane has closed is late: dropped and counted.
 */
export interface WindowAggregateOperator {
  readonly kind: "window-aggregate";
  readonly window: Window;
  readonly keys: readonly Expression[];
  readonly aggregates: readonly Aggregate[];
}

/**
 * Aggregates without a window. Output is updating: −old +new per changed group at each flush (old and new are adjacent
 * rows of one batch), nothing if equal. Output columns: keys, then aggregates. `_timestamp`: the largest seen in the
 * group. Input may be updating. A group whose row count falls to 0 is taken back; without keys there is always one group.
 */
export interface UpdatingAggregateOperator {
  readonly kind: "updating-aggregate";
  readonly keys: readonly Expression[];
  readonly aggregates: readonly Aggregate[];
  /** A group untouched for this long is taken back and forgotten; 0: never. */
  readonly ttlMs: number;
}

/**
 * Joins the rows of two windowed inputs that have the same `_timestamp` (so the same window) and equal keys. Port 0 is
 * left, 1 right. Output columns: left's then right's (nullable on the outer side). `filter` sees the output columns.
 */
export interface WindowJoinOperator {
  readonly kind: "window-join";
  readonly join: "inner" | "left" | "right" | "full";
  readonly leftKeys: readonly Expression[];
  readonly rightKeys: readonly Expression[];
  readonly filter?: Expression;
}

/** Turns rows into the sink's bytes, in parallel, before a sink that may have one writer. Output edge carries `encoded` frames. */
export interface EncodeOperator {
  readonly kind: "encode";
  readonly format: Format;
  readonly shape: Shape;
  /** Columns that identify a row of an updating input: an adjacent −old +new with equal keys is written as one update. */
  readonly keyColumns: readonly number[];
}

/** Writes encoded frames to the outside. */
export interface SinkOperator {
  readonly kind: "sink";
  readonly table: string;
  readonly connector: string;
  readonly options: OptionValues;
}

/** What a vertex does. */
export type Operator =
  | SourceOperator
  | ComputeOperator
  | WindowAggregateOperator
  | UpdatingAggregateOperator
  | WindowJoinOperator
  | EncodeOperator
  | SinkOperator;

/** Tag of an operator. */
export type OperatorKind = Operator["kind"];
