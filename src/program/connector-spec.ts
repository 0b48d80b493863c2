/**
 * What the planner and the API may know of a connector, without being able to run it: options as a zod schema, what it can be
 * used for, its fixed schema if any. `connectors/registry.ts` pairs each spec with its implementation.
 */
import type { z } from "zod";
import type { Field } from "../data/data-type.ts";

/** How a table may be used. */
export type TableUse = "source" | "sink" | "lookup";

/** A connector, as far as planning needs it. */
export interface ConnectorSpec {
  /** The value of `connector = '…'`. */
  readonly name: string;
  /** One sentence for people. */
  readonly description: string;
  readonly uses: readonly TableUse[];
  /**
   * Options of the connector itself (not `connector`, `type`, `format`, `json.*`, `bad_data`, event-time options). Every property has a
   * `.describe()`. Values arrive as text, number or boolean; the schema coerces. Metadata of a property may say `uses` (it has a meaning for
   * those uses only), `profile: true` (it says how an outside system is reached, and belongs to a connection profile) and `sensitive: true`
   * (a secret: where it is stored it is a reference such as `{{ NAME }}`).
   */
  readonly options: z.ZodObject;
  /** Columns that every table of this connector has; a declared column list is refused. */
  readonly fixedSchema?: readonly Field[];
  /** Name of the fixed schema's column that holds event time, if it has one. */
  readonly fixedEventTime?: string;
  /** True: bytes in a format (`format` option); false: rows come from the runtime or go nowhere. */
  readonly formatted: boolean;
  /** Whether a source with these options ends. */
  bounded(options: Readonly<Record<string, unknown>>): boolean;
  /** Sinks: one writer only (edges to it gather). Sources: most subtasks that can be of use; undefined: no limit. */
  readonly sinkWriters: "one" | "each-subtask";
  readonly sourceMaxParallelism?: number;
  /** What a failure can do to the sink's output. */
  readonly sinkGuarantee: "exactly-once" | "at-least-once";
}
