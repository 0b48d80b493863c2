/**
 * What SQL may say about an impulse table: a generator of numbered events at a steady rate.
 */
import { z } from "zod";
import { INT64 } from "../../data/data-type.ts";
import type { ConnectorSpec } from "../../program/connector-spec.ts";

/** Options of impulse tables. */
export const impulseOptions = z.object({
  event_rate: z.coerce.number().positive().describe("Events per second of wall time, over all subtasks."),
  event_time_interval: z.coerce
    .number()
    .int()
    .positive()
    .optional()
    .describe("Event time between two events in microseconds; without it the rate decides."),
  message_count: z.coerce.number().int().nonnegative().optional().describe("Events to make in all; without it the source never ends."),
});

/** The impulse connector as the planner sees it. */
export const impulseSpec: ConnectorSpec = {
  name: "impulse",
  description: "Makes numbered events at a steady rate.",
  uses: ["source"],
  options: impulseOptions,
  fixedSchema: [
    { name: "counter", type: INT64, nullable: false },
    { name: "subtask_index", type: INT64, nullable: false },
  ],
  formatted: false,
  bounded: (options) => options["message_count"] !== undefined,
  sinkWriters: "one",
  sinkGuarantee: "at-least-once",
};
