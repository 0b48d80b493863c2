/**
 * DuckDB's side of a comparison: one thread, one in-memory database, in a process of its own. DuckDB is a development dependency: where it is
 * not installed the benchmark says so and measures Wadi alone.
 */
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { internalError } from "../../core/errors.ts";
import { answerWith } from "./child.ts";
import type { Cost, Task } from "./measurement.ts";

/** The little of DuckDB's client that is used here. */
interface DuckDb {
  readonly DuckDBInstance: {
    create(
      path: string,
      options: Readonly<Record<string, string>>,
    ): Promise<{ connect(): Promise<{ run(sql: string): Promise<unknown> }> }>;
  };
}

async function measure(task: Task): Promise<Cost> {
  if (task.kind !== "duckdb") throw internalError("invariant", `a task of kind ${task.kind} is not DuckDB's`);
  const path = createRequire(import.meta.url).resolve("@duckdb/node-api");
  const { DuckDBInstance } = (await import(pathToFileURL(path).href)) as DuckDb;
  const connection = await (await DuckDBInstance.create(":memory:", { threads: "1" })).connect();
  for (const statement of task.setup) await connection.run(statement);
  const before = process.cpuUsage();
  const began = performance.now();
  await connection.run(task.sql);
  const { user, system } = process.cpuUsage(before);
  return { cpuSeconds: (user + system) / 1e6, wallSeconds: (performance.now() - began) / 1e3 };
}

answerWith(measure);
