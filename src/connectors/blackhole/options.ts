/**
 * What SQL may say about a blackhole table: rows that are counted and dropped. It has no options of its own.
 */
import { z } from "zod";
import type { ConnectorSpec } from "../../program/connector-spec.ts";

/** Options of blackhole tables: none. */
export const blackholeOptions = z.object({});

/** The blackhole connector as the planner sees it. */
export const blackholeSpec: ConnectorSpec = {
  name: "blackhole",
  description: "Drops all rows.",
  uses: ["sink"],
  options: blackholeOptions,
  formatted: true,
  bounded: () => true,
  sinkWriters: "each-subtask",
  sinkGuarantee: "at-least-once",
};
