/**
 * Tries a connection table before it is created, and says step by step what it found: the file exists, it can be read, its first rows fit the
 * schema. It reads with the connector's own reader and writes nothing.
 */
import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { dirname } from "node:path";
import type { ByteSource } from "../connectors/connector.ts";
import { SOURCES } from "../connectors/registry.ts";
import { externalError, toAppError } from "../core/errors.ts";
import type { OptionValues } from "../program/operator.ts";
import type { ApiContext } from "./api-context.ts";
import type { CheckedTable } from "./connection-requests.ts";
import { problemOfLine } from "./row-check.ts";

/** Takes what the test has to say. */
export type TestReport = (message: string, kind: "info" | "error") => Promise<void>;

const CHECKED_ROWS = 100;
const TIME_LIMIT_MS = 20_000;
const NEWLINE = 10;

/** Tries `table`. True: nothing speaks against it. Never throws for what it finds. */
export async function tryTable(api: ApiContext, table: CheckedTable, say: TestReport, signal: AbortSignal): Promise<boolean> {
  await say("the options and the schema are valid", "info");
  const path = table.config["path"];
  try {
    if (table.use === "source") return await within(api, tryReading(api, table, say), signal);
    if (typeof path === "string") await tryWriting(path, say);
    return true;
  } catch (thrown) {
    const error = toAppError(thrown);
    await say(`${error.message}${error.hint === undefined ? "" : `. ${error.hint}`}`, "error");
    return false;
  }
}

/** What `work` says, or a complaint if it takes too long. */
async function within(api: ApiContext, work: Promise<boolean>, signal: AbortSignal): Promise<boolean> {
  const done = new AbortController();
  signal.addEventListener("abort", () => done.abort(), { once: true });
  const limit = api.clock.sleep(TIME_LIMIT_MS, done.signal).then(() => "late" as const);
  try {
    const outcome = await Promise.race([work, limit]);
    if (outcome !== "late") return outcome;
    throw externalError("timeout", `nothing could be read within ${TIME_LIMIT_MS / 1_000} s`);
  } finally {
    done.abort();
  }
}

async function tryReading(api: ApiContext, table: CheckedTable, say: TestReport): Promise<boolean> {
  const make = SOURCES[table.spec.name];
  if (make === undefined) {
    await say(`connector "${table.spec.name}" cannot be tried from here`, "info");
    return true;
  }
  const options = table.spec.options.parse(onlyOwn(table)) as OptionValues;
  const source = make({ job: "test", run: 0, vertex: 0, subtask: 0, parallelism: 1, table: table.name, options }, api.clock);
  if (source.kind === "events") {
    await say("the connector makes its rows itself", "info");
    return true;
  }
  try {
    return await checkRows(source, table, say);
  } finally {
    await source.close();
  }
}

/** The connector's own options out of a table's config. */
function onlyOwn({ spec, config }: CheckedTable): Record<string, unknown> {
  return Object.fromEntries(Object.entries(config).filter(([name, value]) => Object.hasOwn(spec.options.shape, name) && value !== null));
}

async function checkRows(source: ByteSource, table: CheckedTable, say: TestReport): Promise<boolean> {
  await source.open(undefined);
  const chunk = await source.read();
  if (chunk === "idle" || chunk === "end") {
    await say("there are no rows yet", "info");
    return true;
  }
  await say(`reading from ${source.describe(chunk.partition, chunk.position)}`, "info");
  const lines = firstLines(chunk.bytes, chunk.last);
  if (table.schema?.format?.type !== "json") {
    await say(`${lines.length} ${lines.length === 1 ? "row" : "rows"} read`, "info");
    return true;
  }
  const timestamps = table.schema.format.timestamp_format ?? "rfc3339";
  const problems = lines.flatMap((line, i) => {
    const problem = line.trim() === "" ? undefined : problemOfLine(line, table.fields, timestamps);
    return problem === undefined ? [] : [`row ${i + 1} ${problem}`];
  });
  for (const problem of problems.slice(0, 5)) await say(problem, "error");
  if (problems.length === 0) await say(`the first ${lines.length} rows fit the schema`, "info");
  else await say(`${problems.length} of the first ${lines.length} rows do not fit the schema`, "error");
  return problems.length === 0;
}

/** The first whole lines of `bytes`; `last`: the end of the bytes ends a line. */
function firstLines(bytes: Uint8Array, last: boolean): string[] {
  const lines: string[] = [];
  const decoder = new TextDecoder();
  let start = 0;
  while (lines.length < CHECKED_ROWS && start < bytes.length) {
    const end = bytes.indexOf(NEWLINE, start);
    if (end === -1 && !last) break;
    lines.push(decoder.decode(bytes.subarray(start, end === -1 ? bytes.length : end)));
    start = end === -1 ? bytes.length : end + 1;
  }
  return lines;
}

/** Whether the place that a sink writes to can be written. */
async function tryWriting(path: string, say: TestReport): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  let folder = found?.isDirectory() === true ? path : dirname(path);
  while ((await stat(folder).catch(() => undefined)) === undefined && dirname(folder) !== folder) folder = dirname(folder);
  await access(folder, constants.W_OK);
  await say(`directory "${folder}" can be written`, "info");
  if (found?.isFile() === true) await say(`file "${path}" exists and will be written over`, "info");
}
