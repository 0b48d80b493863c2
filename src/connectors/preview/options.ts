/**
 * What SQL may say about a preview table: rows shown to whoever watches the job. It has no options of its own.
 */
import { z } from "zod";
import type { ConnectorSpec } from "../../program/connector-spec.ts";

/** Options of preview tables: none. */
export const previewOptions = z.object({});

/** The preview connector as the planner sees it. */
export const previewSpec: ConnectorSpec = {
  name: "preview",
  description: "Shows rows in the web UI or, under `wadi run`, on standard output.",
  uses: ["sink"],
  options: previewOptions,
  formatted: true,
  bounded: () => true,
  sinkWriters: "one",
  sinkGuarantee: "at-least-once",
};
