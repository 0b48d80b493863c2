/** The files of a query of the committed set: its input tables written from a seed, DuckDB's answer, and what Wadi wrote. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { consolidate } from "../oracle/encode.ts";
import { difference, runDuckDb } from "./duckdb.ts";
import { duckdbSql, type QueryCase, tableSeed, wadiSql } from "./queries/queries.ts";

/** A query with its input on disk. */
export interface QueryFiles {
  readonly query: QueryCase;
  readonly folder: string;
  readonly paths: Readonly<Record<string, string>>;
  /** DuckDB's rows. */
  readonly expected: readonly string[];
}

/** Writes the tables of `query` into `folder` and asks DuckDB for the answer. */
export async function prepareQuery(query: QueryCase, folder: string, rows: number, seed: number): Promise<QueryFiles> {
  const paths: Record<string, string> = {};
  for (const table of query.tables) {
    const path = join(folder, `${table.name}-${rows}-${seed}.ndjson`);
    if (!existsSync(path)) writeFileSync(path, table.generate(tableSeed(table, seed), rows));
    paths[table.name] = path;
  }
  return { query, folder, paths, expected: await runDuckDb(duckdbSql(query, paths)) };
}

/** Writes the Wadi script of `files` with `output` as its sink's path; returns the script's path. */
export function writeScript(files: QueryFiles, output: string): string {
  const script = `${output}.sql`;
  writeFileSync(script, wadiSql(files.query.name, { ...files.paths, output }));
  return script;
}

/** Where the sink's file differs from DuckDB's answer, in words; undefined if it does not. */
export function compareOutput(files: QueryFiles, output: string): string | undefined {
  const lines = readFileSync(output, "utf8").split("\n").slice(0, -1);
  const rows = files.query.updating ? consolidate(lines) : lines;
  return difference(rows, files.expected, files.query.comparison);
}
