/**
 * A small valid program for tests of this folder: source → compute → encode → sink.
 */
import { INT64, TEXT, TIMESTAMP } from "../../../src/data/data-type.ts";
import type { Column } from "../../../src/data/schema.ts";
import type { ColumnExpression, Expression } from "../../../src/program/expression.ts";
import { PROGRAM_VERSION, type Program } from "../../../src/program/program.ts";

/** Reference to a column. */
export function column(index: number, { type, nullable }: Pick<Column, "type" | "nullable">): ColumnExpression {
  return { kind: "column", index, type, nullable };
}

const ID: Column = { name: "id", type: INT64, nullable: false };
const NAME: Column = { name: "name", type: TEXT, nullable: true };
const JSON_FORMAT = { kind: "json", timestampFormat: "rfc3339", decimalEncoding: "number" } as const;

/** The program; `filter` is over the columns id BIGINT NOT NULL and name TEXT. */
export function sampleProgram(filter?: Expression): Program {
  const shape = [ID, NAME].map((c, i) => ({ ...c, column: i }));
  return {
    version: PROGRAM_VERSION,
    vertices: [
      {
        id: 0,
        name: "source t",
        operator: {
          kind: "source",
          table: "t",
          connector: "single_file",
          options: { path: "t.ndjson" },
          format: JSON_FORMAT,
          shape,
          declared: [ID, NAME].map(({ name, type }) => ({ name, type })),
          watermark: { kind: "column", index: 2, type: TIMESTAMP, nullable: false },
          idleMs: 0,
          badData: "fail",
        },
        output: { columns: [ID, NAME], updating: false },
        fingerprint: "a",
      },
      {
        id: 1,
        name: "project",
        operator: { kind: "compute", ...(filter === undefined ? {} : { filter }), outputs: [column(0, ID), column(1, NAME)] },
        output: { columns: [ID, NAME], updating: false },
        fingerprint: "b",
      },
      {
        id: 2,
        name: "encode json",
        operator: { kind: "encode", format: JSON_FORMAT, shape, keyColumns: [] },
        output: { columns: [], updating: false },
        fingerprint: "c",
      },
      {
        id: 3,
        name: "sink out",
        operator: { kind: "sink", table: "out", connector: "single_file", options: { path: "out.ndjson" } },
        output: { columns: [], updating: false },
        fingerprint: "d",
      },
    ],
    edges: [
      { id: 0, source: 0, target: 1, port: 0, exchange: { kind: "forward" } },
      { id: 1, source: 1, target: 2, port: 0, exchange: { kind: "forward" } },
      { id: 2, source: 2, target: 3, port: 0, exchange: { kind: "gather" } },
    ],
    fingerprint: "p",
  };
}
