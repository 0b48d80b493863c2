/**
 * What people see of a vertex: `source bids`, `tumble 10s by auction`. Names carry no meaning.
 */
import { formatDuration } from "../core/duration.ts";
import type { RowSchema } from "../data/schema.ts";
import type { Operator, Window } from "../program/operator.ts";

/** Longest part of a name that lists columns. */
const MAX_LISTED = 4;

/** The name of a vertex with this operator and output. */
export function nameVertex(operator: Operator, output: RowSchema): string {
  switch (operator.kind) {
    case "source":
    case "sink":
      return `${operator.kind} ${operator.table}`;
    case "compute":
      return operator.filter === undefined ? "project" : "filter and project";
    case "window-aggregate":
      return `${describeWindow(operator.window)}${by(output, operator.keys.length)}`;
    case "updating-aggregate":
      return `${operator.aggregates.length === 0 ? "distinct" : "aggregate"}${by(output, operator.keys.length)}`;
    case "window-join":
      return `${operator.join} join in window`;
    case "encode":
      return `encode ${operator.format.kind}`;
  }
}

function by(output: RowSchema, keys: number): string {
  if (keys === 0) return "";
  const names = output.columns.slice(0, Math.min(keys, MAX_LISTED)).map((c) => c.name);
  return ` by ${names.join(", ")}${keys > MAX_LISTED ? ", …" : ""}`;
}

/** `tumble 10s`, `hop 5s of 1m`, `window`. */
export function describeWindow(window: Window): string {
  switch (window.kind) {
    case "tumble":
      return `tumble ${formatDuration(window.widthNs)}`;
    case "hop":
      return `hop ${formatDuration(window.slideNs)} of ${formatDuration(window.widthNs)}`;
    case "instant":
      return "window";
  }
}
