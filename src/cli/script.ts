/** From a SQL file to a planned script: reading, parsing, planning, and saying what is wrong with it. */
import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { CONNECTOR_SPECS } from "../connectors/specs.ts";
import { toAppError, userError } from "../core/errors.ts";
import type { Diagnostic } from "../sql/diagnostics.ts";
import { SqlParser } from "../sql/parse.ts";
import { type PlannedScript, planScript } from "../sql/plan.ts";

/** A script as the user named it. */
export interface ScriptText {
  /** File name for messages; "<stdin>" for `-`. */
  readonly name: string;
  readonly sql: string;
}

/** What came of planning: a plan, or only findings. */
export interface PlanResult {
  readonly script: ScriptText;
  readonly planned: PlannedScript | undefined;
  readonly diagnostics: readonly Diagnostic[];
}

/** Reads the script that `path` names; `-` is standard input. */
export async function readScript(path: string): Promise<ScriptText> {
  if (path === "-") return { name: "<stdin>", sql: await text(process.stdin) };
  try {
    return { name: path, sql: await readFile(path, "utf8") };
  } catch (error) {
    const cause = toAppError(error);
    const message =
      cause.code === "not-found" ? `SQL file "${path}" does not exist` : `SQL file "${path}" cannot be read: ${cause.message}`;
    throw userError("invalid-usage", message, { cause });
  }
}

/** `k=v` arguments as a table. */
export function parseParameters(pairs: readonly string[]): ReadonlyMap<string, string> {
  return new Map(
    pairs.map((pair) => {
      const at = pair.indexOf("=");
      if (at <= 0) throw userError("invalid-usage", `parameter "${pair}" is not of the form name=value`);
      return [pair.slice(0, at), pair.slice(at + 1)] as const;
    }),
  );
}

/** Parses and plans a script. `defaultSink` is the connector of bare SELECTs. */
export async function planText(script: ScriptText, parameters: ReadonlyMap<string, string>, defaultSink: string): Promise<PlanResult> {
  const parser = new SqlParser();
  try {
    const parsed = await parser.parse(script.sql, parameters);
    const result = planScript(parsed, { connectors: CONNECTOR_SPECS, defaultSink });
    return { script, planned: result.ok ? result : undefined, diagnostics: result.diagnostics };
  } finally {
    await parser.close();
  }
}
