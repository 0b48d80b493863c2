/**
 * What only streams have: whether a node's rows are appended or updating, which window they belong to, and which columns hold its bounds.
 * Inferred bottom-up, one function per kind of node; no node decides it anywhere else.
 */
import { TIMESTAMP } from "../data/data-type.ts";
import type { Column } from "../data/schema.ts";
import type { Expression } from "../program/expression.ts";
import type { Aggregate, Window, WindowJoinOperator } from "../program/operator.ts";
import type { AggregateParts, PlanSchema } from "./logical-plan.ts";

/** A window over event time as written: `tumble` or `hop`. */
export type TimeWindow = Exclude<Window, { readonly kind: "instant" }>;

/** The window of windowed rows and the columns that hold its bounds, if they still do. */
export interface WindowProperty {
  readonly spec: TimeWindow;
  readonly starts: readonly number[];
  readonly ends: readonly number[];
}

/** Schema of a compute. Window bounds and keys survive where they are passed on as plain columns. */
export function computeSchema(input: PlanSchema, outputs: readonly Expression[], columns: readonly Column[]): PlanSchema {
  const follow = (index: number): number[] => outputs.flatMap((o, i) => (o.kind === "column" && o.index === index ? [i] : []));
  const window = input.window && {
    spec: input.window.spec,
    starts: input.window.starts.flatMap(follow),
    ends: input.window.ends.flatMap(follow),
  };
  const keys = input.keys?.map((k) => follow(k)[0]);
  const known = keys?.every((k) => k !== undefined) ? keys : undefined;
  return {
    columns,
    updating: input.updating,
    ...(window === undefined ? {} : { window }),
    ...(known === undefined ? {} : { keys: known }),
  };
}

/** Schema of an aggregate: updating without a window; with one, append-only and windowed by it. */
export function aggregateSchema(_input: PlanSchema, parts: AggregateParts): PlanSchema {
  const keys = parts.keys.map((k): Column => {
    return { name: k.name, type: k.expression.type, nullable: k.expression.nullable || (k.nullable ?? false) };
  });
  const bounds: Column[] = ["window.start", "window.end"].map((name) => ({ name, type: TIMESTAMP, nullable: false }));
  const always = parts.window !== undefined || parts.keys.length > 0;
  const aggregates = parts.aggregates.map((a): Column => ({ name: a.name, type: a.type, nullable: aggregateIsNullable(a, always) }));
  if (parts.window === undefined) {
    return { columns: [...keys, ...aggregates], updating: true, keys: keys.map((_, i) => i) };
  }
  if (parts.window.kind === "instant") {
    return { columns: [...keys, ...aggregates], updating: false, ...(parts.property === undefined ? {} : { window: parts.property }) };
  }
  const window = { spec: parts.window, starts: [keys.length], ends: [keys.length + 1] };
  return { columns: [...keys, ...bounds, ...aggregates], updating: false, window };
}

/** Whether an aggregate can be NULL: `hasRows` says that every group has at least one row. */
export function aggregateIsNullable(aggregate: Aggregate, hasRows: boolean): boolean {
  if (aggregate.function === "count") return false;
  return !hasRows || aggregate.filter !== undefined || (aggregate.argument?.nullable ?? false);
}

/** Schema of a window join; columns of a side that may be missing are nullable and no longer hold the window's bounds. */
export function joinSchema(left: PlanSchema, right: PlanSchema, join: WindowJoinOperator["join"]): PlanSchema {
  const leftMissing = join === "right" || join === "full";
  const rightMissing = join === "left" || join === "full";
  const shift = left.columns.length;
  const bounds = (side: "starts" | "ends"): number[] => [
    ...(leftMissing ? [] : (left.window?.[side] ?? [])),
    ...(rightMissing ? [] : (right.window?.[side] ?? []).map((i) => i + shift)),
  ];
  const window = left.window && { spec: left.window.spec, starts: bounds("starts"), ends: bounds("ends") };
  return {
    columns: [
      ...left.columns.map((c) => ({ ...c, nullable: c.nullable || leftMissing })),
      ...right.columns.map((c) => ({ ...c, nullable: c.nullable || rightMissing })),
    ],
    updating: false,
    ...(window === undefined ? {} : { window }),
  };
}

/** Schema of a union: windowed if all inputs are, by the same window with bounds in the same columns. */
export function unionSchema(inputs: readonly PlanSchema[]): PlanSchema {
  const [first, ...rest] = inputs as [PlanSchema, ...PlanSchema[]];
  const columns = first.columns.map((c, i) => ({ ...c, nullable: inputs.some((s) => s.columns[i]?.nullable === true) }));
  let window = first.window;
  for (const other of rest) {
    window = window && other.window && sameWindow(window.spec, other.window.spec) ? commonBounds(window, other.window) : undefined;
  }
  return { columns, updating: first.updating, ...(window === undefined ? {} : { window }) };
}

function commonBounds(a: WindowProperty, b: WindowProperty): WindowProperty {
  return { spec: a.spec, starts: a.starts.filter((i) => b.starts.includes(i)), ends: a.ends.filter((i) => b.ends.includes(i)) };
}

/** True for two windows of the same kind and sizes. */
export function sameWindow(a: TimeWindow, b: TimeWindow): boolean {
  if (a.kind === "hop" && b.kind === "hop") return a.slideNs === b.slideNs && a.widthNs === b.widthNs;
  return a.kind === b.kind && a.widthNs === b.widthNs;
}
