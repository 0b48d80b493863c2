/**
 * From a SQL file to a planned script: reading, parsing, planning. The parser has a thread, which is started as early as possible; planner and
 * connectors' options are loaded while it parses.
 */
import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { toAppError, userError } from "../core/errors.ts";
import type { UdfDefinition } from "../program/udf.ts";
import type { Diagnostic } from "../sql/diagnostics.ts";
import { SqlParser } from "../sql/parse.ts";
import type { PlannedScript } from "../sql/plan.ts";

const PARSING_COMMANDS = ["run", "explain", "validate", "compile"];
/** What stands for `-` in a command's arguments: yargs loses a lone dash. */
export const STDIN = "<stdin>";
let parser: SqlParser | undefined;

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

/** Reads the script that `path` names; `STDIN` is standard input. */
export async function readScript(path: string): Promise<ScriptText> {
  if (path === STDIN) return { name: STDIN, sql: await text(process.stdin) };
  try {
    return { name: path, sql: await readFile(path, "utf8") };
  } catch (error) {
    const cause = toAppError(error);
    const message =
      cause.code === "not-found" ? `SQL file "${path}" does not exist` : `SQL file "${path}" cannot be read: ${cause.message}`;
    throw userError("invalid-usage", message, { cause });
  }
}

/** Whether a command line will parse SQL. A wrong guess costs a thread, no more. */
export function needsParser(argv: readonly string[]): boolean {
  return PARSING_COMMANDS.includes(argv[0] ?? "") && !argv.includes("--help");
}

/** Starts the parser's thread. */
export function warmUpParser(): void {
  parser ??= new SqlParser();
  parser.warmUp();
}

/** Ends the parser's thread, if there is one; nobody waits for its end. */
export function closeParser(): void {
  parser?.close().catch(() => undefined);
  parser = undefined;
}

/** The functions of TypeScript files. Throws `invalid-udf` with place and cause for the first file that has a problem. */
export async function readUdfs(paths: readonly string[]): Promise<readonly UdfDefinition[]> {
  if (paths.length === 0) return [];
  const { parseUdfs } = await import("../sql/udf/definition.ts");
  const found: UdfDefinition[] = [];
  for (const path of paths) {
    const source = await readFile(path, "utf8").catch((error: unknown) => {
      throw userError("invalid-usage", `function file "${path}" cannot be read: ${toAppError(error).message}`);
    });
    const { definitions, problems } = parseUdfs(source);
    const [problem, ...others] = problems;
    if (problem !== undefined) {
      const more = others.map((p) => `${path}:${p.line}:${p.column}: ${p.message}.`).join(" ");
      throw userError("invalid-udf", `${path}:${problem.line}:${problem.column}: ${problem.message}`, more === "" ? {} : { detail: more });
    }
    for (const definition of definitions) {
      const known = found.find((other) => other.name.toLowerCase() === definition.name.toLowerCase());
      if (known !== undefined) throw userError("invalid-udf", `function "${definition.name}" is defined twice in the files of --udf`);
      found.push(definition);
    }
  }
  return found;
}

/** Parses and plans a script. `defaultSink` is the connector of bare SELECTs; `udfs` may be called. */
export async function planText(
  script: ScriptText,
  parameters: ReadonlyMap<string, string>,
  defaultSink: string,
  udfs: readonly UdfDefinition[] = [],
): Promise<PlanResult> {
  parser ??= new SqlParser();
  const parsing = parser.parse(script.sql, parameters);
  const [{ planScript }, { CONNECTOR_SPECS }] = await Promise.all([import("../sql/plan.ts"), import("../connectors/specs.ts")]);
  const result = planScript(await parsing, { connectors: CONNECTOR_SPECS, defaultSink, udfs });
  closeParser();
  return { script, planned: result.ok ? result : undefined, diagnostics: result.diagnostics };
}
