/**
 * The committed query set: each query as a Wadi script (`<name>.sql`) and as DuckDB's batch query (`<name>.duckdb.sql`), over tables
 * that are generated from a seed. In Wadi's scripts `$orders`, `$payments` and `$output` stand for paths; in DuckDB's `$orders` and
 * `$payments` for the rows of those files.
 */
import { readFileSync } from "node:fs";
import type { Comparison } from "../duckdb.ts";
import { ORDERS, PAYMENTS, type QueryTable } from "./tables.ts";

/** A query of the set. */
export interface QueryCase {
  readonly name: string;
  readonly tables: readonly QueryTable[];
  /** True: the output is a changelog in `debezium_json`; compare what `consolidate` leaves of it. */
  readonly updating: boolean;
  readonly comparison: Comparison;
}

/** Rows of each table that make checkpoints every 20,000 rows reach epoch 7 in the longest single table. */
export const QUERY_ROWS = 160_000;

/** Rows for tests that only compare results. */
export const QUICK_ROWS = 4_000;

function query(name: string, options: Partial<Omit<QueryCase, "name">> = {}): QueryCase {
  return { name, tables: [ORDERS], updating: false, comparison: {}, ...options };
}

/** All queries. */
export const QUERIES: readonly QueryCase[] = [
  query("pass-through"),
  query("numbers"),
  query("case-cast-null"),
  query("text"),
  // DataFusion's epoch is the nanoseconds as a double, divided: not always the double nearest to the seconds.
  query("timestamps", { comparison: { approximate: ["epoch"] } }),
  query("structs"),
  query("union-all", { tables: [ORDERS, PAYMENTS] }),
  query("tumble-null-keys", { comparison: { approximate: ["mean", "revenue"] } }),
  query("tumble-text-keys"),
  query("hop"),
  query("hop-having", { comparison: { approximate: ["mean"] } }),
  query("count-distinct"),
  query("nested-window"),
  query("updating", { updating: true, comparison: { approximate: ["mean"] } }),
  query("updating-nested", { updating: true }),
  query("i64-ends"),
  query("several-inserts", { tables: [ORDERS, PAYMENTS] }),
  query("two-sources", { tables: [ORDERS, PAYMENTS] }),
  query("window-join", { tables: [ORDERS, PAYMENTS] }),
];

/** Seed of a table's rows. */
export function tableSeed(table: QueryTable, seed: number): number {
  return table.name === "orders" ? seed : seed + 0x5eed;
}

function fill(file: string, values: Readonly<Record<string, string>>): string {
  const text = readFileSync(new URL(file, import.meta.url), "utf8");
  return text.replace(/\$(\w+)/g, (whole, name: string) => values[name] ?? whole);
}

const quoted = (text: string): string => text.replaceAll("'", "''");

/** The Wadi script with paths in it: of the tables by name, and of `output`. */
export function wadiSql(name: string, paths: Readonly<Record<string, string>>): string {
  return fill(`${name}.sql`, Object.fromEntries(Object.entries(paths).map(([key, path]) => [key, quoted(path)])));
}

/** DuckDB's query over the files at `paths`, by table name. */
export function duckdbSql(query: QueryCase, paths: Readonly<Record<string, string>>): string {
  const readers = query.tables.map((table) => {
    const columns = Object.entries(table.duckdbColumns).map(([column, type]) => `"${column}": '${type}'`);
    const path = quoted(paths[table.name] ?? "");
    return [table.name, `read_json('${path}', format = 'newline_delimited', columns = {${columns.join(", ")}})`] as const;
  });
  return fill(`${query.name}.duckdb.sql`, Object.fromEntries(readers));
}
