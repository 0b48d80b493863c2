/**
 * What SQL may say about a nexmark table: the benchmark's stream of persons, auctions and bids, one of which each event is.
 * The benchmark: https://datalab.cs.pdx.edu/niagara/NEXMark/
 */
import { z } from "zod";
import { type DataType, type Field, INT64, TEXT, TIMESTAMP } from "../../data/data-type.ts";
import type { ConnectorSpec } from "../../program/connector-spec.ts";

/** Options of nexmark tables. */
export const nexmarkOptions = z.object({
  event_rate: z.coerce.number().positive().describe("Events per second of event time, over all subtasks."),
  runtime: z.coerce.number().positive().optional().describe("Seconds of event time to make; without it the source never ends."),
  message_count: z.coerce
    .number()
    .int()
    .nonnegative()
    .optional()
    .describe("Events to make in all; the smaller of it and the runtime's counts."),
});

function event(name: string, fields: readonly (readonly [string, DataType])[]): Field {
  return { name, nullable: true, type: { kind: "struct", fields: fields.map(([n, type]) => ({ name: n, type, nullable: false })) } };
}

/** The nexmark connector as the planner sees it. */
export const nexmarkSpec: ConnectorSpec = {
  name: "nexmark",
  description: "Makes the Nexmark benchmark's auction events.",
  uses: ["source"],
  options: nexmarkOptions,
  fixedSchema: [
    event("person", [
      ["id", INT64],
      ["name", TEXT],
      ["email_address", TEXT],
      ["credit_card", TEXT],
      ["city", TEXT],
      ["state", TEXT],
      ["datetime", TIMESTAMP],
      ["extra", TEXT],
    ]),
    event("auction", [
      ["id", INT64],
      ["item_name", TEXT],
      ["description", TEXT],
      ["initial_bid", INT64],
      ["reserve", INT64],
      ["datetime", TIMESTAMP],
      ["expires", TIMESTAMP],
      ["seller", INT64],
      ["category", INT64],
      ["extra", TEXT],
    ]),
    event("bid", [
      ["auction", INT64],
      ["bidder", INT64],
      ["price", INT64],
      ["channel", TEXT],
      ["url", TEXT],
      ["datetime", TIMESTAMP],
      ["extra", TEXT],
    ]),
  ],
  formatted: false,
  bounded: (options) => options["runtime"] !== undefined || options["message_count"] !== undefined,
  sinkWriters: "one",
  sinkGuarantee: "at-least-once",
};
