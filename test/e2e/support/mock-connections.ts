/**
 * The mock's connectors and connection tables.
 */
import type { ServerResponse } from "node:http";
import { MOCK_NOW_US } from "./mock-data.ts";

function connector(id: string, description: string, use: { source: boolean; sink: boolean }, properties: object, required: readonly string[], formatted: boolean) {
  const schema = { type: "object", properties, required, additionalProperties: false };
  return {
    id,
    name: id,
    icon: "",
    description,
    table_config: JSON.stringify(schema),
    connection_config: null,
    enabled: true,
    ...use,
    testing: true,
    hidden: false,
    custom_schemas: formatted,
  };
}

/** The connectors of the product, as far as forms are concerned. */
export function connectors() {
  const path = { type: "string", minLength: 1, description: "Directory of the files, or one file." };
  return [
    connector("single_file", "Reads or writes one file.", { source: true, sink: true }, { path, compression: { enum: ["none", "gzip", "zstd"], description: "Compression of the file." } }, ["path"], true),
    connector("filesystem", "Reads or writes a directory of files.", { source: true, sink: true }, { path, "source.regex_pattern": { type: "string", description: "Read the files whose path below the directory matches." } }, ["path"], true),
    connector("impulse", "Makes numbered events at a steady rate.", { source: true, sink: false }, { event_rate: { type: "number", exclusiveMinimum: 0, description: "Events per second of wall time, over all subtasks." }, message_count: { type: "integer", minimum: 0, description: "Events to make in all; without it the source never ends." } }, ["event_rate"], false),
    connector("nexmark", "Makes the Nexmark benchmark's auction events.", { source: true, sink: false }, { event_rate: { type: "number", exclusiveMinimum: 0, description: "Events per second of event time." } }, ["event_rate"], false),
    connector("blackhole", "Throws rows away, and counts them.", { source: false, sink: true }, {}, [], false),
  ];
}

function table(number: number, name: string, connectorName: string, table_type: string, consumers: number) {
  const field = (field_name: string, sql_name: string, nullable: boolean) => ({ field_name, nullable, field_type: { sql_name, type: { primitive: sql_name } } });
  return {
    id: `ct_${number}f3k9w2m7x`,
    created_at: MOCK_NOW_US - number * 86_400_000_000,
    name,
    connector: connectorName,
    connection_profile: null,
    table_type,
    config: { path: `/data/${name}` },
    schema: {
      fields: [field("order_id", "BIGINT", false), field("customer", "TEXT", true), field("amount", "DECIMAL(12, 2)", true), field("ordered_at", "TIMESTAMP", false)],
      format: { json: {} },
    },
    consumers,
  };
}

/** The connection tables at the start. */
export function connectionTables(): Record<string, unknown>[] {
  return [table(1, "orders", "filesystem", "source", 3), table(2, "shipments", "single_file", "source", 1), table(4, "daily_totals", "filesystem", "sink", 0)];
}

/** The steps of a test that succeeds, one after another. */
export function testMessages() {
  const steps = ["Opening the files", "Read 3 files, 12,840 rows", "The connection works"];
  return {
    stream: (response: ServerResponse) => {
      for (const [i, message] of steps.entries()) {
        const done = i === steps.length - 1;
        response.write(`data: ${JSON.stringify({ error: false, done, message })}\n\n`);
      }
      response.end();
    },
  };
}
