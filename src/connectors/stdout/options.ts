/**
 * What SQL may say about a stdout table: one line per row on standard output of the process that runs the sink. It has no options of its own.
 */
import { z } from "zod";
import type { ConnectorSpec } from "../../program/connector-spec.ts";

/** Options of stdout tables: none. */
export const stdoutOptions = z.object({});

/** The stdout connector as the planner sees it. */
export const stdoutSpec: ConnectorSpec = {
  name: "stdout",
  description: "Writes rows to standard output.",
  uses: ["sink"],
  options: stdoutOptions,
  formatted: true,
  bounded: () => true,
  sinkWriters: "one",
  sinkGuarantee: "at-least-once",
};
