/** All connectors and one with a profile and a secret, as those of brokers and databases have: none of the real ones has either yet. */
import { z } from "zod";
import { CONNECTOR_SPECS as REAL_SPECS } from "../../src/connectors/specs.ts";
import type { ConnectorSpec } from "../../src/program/connector-spec.ts";

const broker: ConnectorSpec = {
  name: "broker",
  description: "Reads topics.",
  uses: ["source", "sink"],
  options: z.object({
    servers: z.string().min(1).meta({ description: "Addresses.", profile: true }),
    password: z.string().optional().meta({ description: "Password.", profile: true, sensitive: true }),
    topic: z.string().min(1).describe("Topic."),
  }),
  formatted: true,
  bounded: () => false,
  sinkWriters: "each-subtask",
  sinkGuarantee: "at-least-once",
};

/** See the file's comment. */
export const CONNECTOR_SPECS: readonly ConnectorSpec[] = [...REAL_SPECS, broker];
