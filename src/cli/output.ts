/** What the commands say on the terminal: errors and findings on stderr, results on stdout. The exit codes are the contract's. */
import { type AppError, toAppError } from "../core/errors.ts";
import { type Diagnostic, renderText } from "../sql/diagnostics.ts";
import type { ScriptText } from "./script.ts";

/** Exit codes: done, job failed, usage or SQL, second Ctrl-C. */
export const EXIT = { done: 0, failed: 1, usage: 2, interrupted: 130 } as const;

/** Writes to stderr, a newline after it. */
export function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** Writes a result to stdout as it is. */
export function print(text: string): void {
  process.stdout.write(text);
}

/** Says what was found in a script. */
export function sayDiagnostics(diagnostics: readonly Diagnostic[], script: ScriptText): void {
  if (diagnostics.length > 0) say(renderText(diagnostics, script.sql, script.name));
}

/** Says an error in words; the stack only of an internal one. Returns the exit code it calls for. */
export function sayError(thrown: unknown): number {
  const error = toAppError(thrown);
  say(`error[${error.code}]: ${error.message}`);
  if (error.detail !== undefined) say(`detail: ${error.detail}`);
  if (error.hint !== undefined) say(`hint: ${error.hint}`);
  if (error.domain === "internal" && error.stack !== undefined) say(`This is a defect of Wadi. Please report it with:\n${deepest(error)}`);
  return isUsage(error) ? EXIT.usage : EXIT.failed;
}

/** The stack of the innermost cause: where it began. */
function deepest(error: AppError): string {
  let innermost: Error = error;
  while (innermost.cause instanceof Error) innermost = innermost.cause;
  return innermost.stack ?? innermost.message;
}

function isUsage(error: AppError): boolean {
  return ["invalid-usage", "invalid-config", "invalid-sql", "invalid-udf", "unsupported", "state-mismatch"].includes(error.code);
}
