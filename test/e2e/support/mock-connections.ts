/**
 * The mock's connectors and connection tables.
 */
import type { ServerResponse } from "node:http";
import { MOCK_NOW_US } from "./mock-data.ts";

function connector(
  id: string,
  description: string,
  use: { source: boolean; sink: boolean },
  properties: object,
  required: readonly string[],
  formatted: boolean,
  fixed: readonly object[] = [],
) {
  const type = { type: "string", enum: ["source", "sink"], description: "What the table is used as." };
  const schema = { type: "object", properties: { type, ...properties }, required: ["type", ...required], additionalProperties: false };
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
    formatted,
    lookup: false,
    fixed_fields: fixed,
  };
}

/** The connectors of the product, as far as forms are concerned. */
export function connectors() {
  const path = { type: "string", minLength: 1, description: "Directory of the files, or one file." };
  return [
    connector(
      "single_file",
      "Reads or writes one file.",
      { source: true, sink: true },
      { path, compression: { enum: ["none", "gzip", "zstd"], description: "Compression of the file." } },
      ["path"],
      true,
    ),
    connector(
      "filesystem",
      "Reads or writes a directory of files.",
      { source: true, sink: true },
      { path, "source.regex_pattern": { type: "string", description: "Read the files whose path below the directory matches." } },
      ["path"],
      true,
    ),
    connector(
      "impulse",
      "Makes numbered events at a steady rate.",
      { source: true, sink: false },
      {
        event_rate: { type: "number", exclusiveMinimum: 0, description: "Events per second of wall time, over all subtasks." },
        message_count: { type: "integer", minimum: 0, description: "Events to make in all; without it the source never ends." },
      },
      ["event_rate"],
      false,
      [
        { name: "counter", type: "int64", sql_name: "BIGINT", required: true },
        { name: "subtask_index", type: "int64", sql_name: "BIGINT", required: true },
      ],
    ),
    connector(
      "nexmark",
      "Makes the Nexmark benchmark's auction events.",
      { source: true, sink: false },
      { event_rate: { type: "number", exclusiveMinimum: 0, description: "Events per second of event time." } },
      ["event_rate"],
      false,
    ),
    connector("blackhole", "Throws rows away, and counts them.", { source: false, sink: true }, {}, [], false),
  ];
}

function table(number: number, name: string, connectorName: string, table_type: string, consumers: number) {
  const field = (columnName: string, type: string, sql_name: string, required: boolean) => ({ name: columnName, type, sql_name, required });
  return {
    id: `ct_${number}f3k9w2m7x`,
    created_at: MOCK_NOW_US - number * 86_400_000_000,
    name,
    connector: connectorName,
    connection_profile: null,
    table_type,
    config: { path: `/data/${name}` },
    schema: {
      fields: [
        field("order_id", "int64", "BIGINT", true),
        field("customer", "string", "TEXT", false),
        field("amount", "decimal128", "DECIMAL(12, 2)", false),
        field("ordered_at", "timestamp", "TIMESTAMP", true),
      ],
      format: { type: "json" },
    },
    consumers,
    create_sql: `CREATE TABLE ${name} (\n  order_id BIGINT NOT NULL,\n  customer TEXT,\n  amount DECIMAL(12, 2),\n  ordered_at TIMESTAMP NOT NULL\n) WITH (\n  connector = '${connectorName}',\n  path = '/data/${name}',\n  format = 'json'\n);`,
  };
}

/** The connection tables at the start. */
export function connectionTables(): Record<string, unknown>[] {
  return [
    table(1, "orders", "filesystem", "source", 3),
    table(2, "shipments", "single_file", "source", 1),
    table(4, "daily_totals", "filesystem", "sink", 0),
  ];
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
