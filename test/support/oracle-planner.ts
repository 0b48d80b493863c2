/** SQL text to a program, for tests: one parser for all, closed by `closePlanner`. */
import { CONNECTOR_SPECS } from "../../src/connectors/specs.ts";
import { userError } from "../../src/core/errors.ts";
import type { Program } from "../../src/program/program.ts";
import { SqlParser } from "../../src/sql/parse.ts";
import { planScript } from "../../src/sql/plan.ts";

let parser: SqlParser | undefined;

/** The program of a script. Throws `invalid-sql` with the first diagnostics. */
export async function planSql(sql: string): Promise<Program> {
  parser ??= new SqlParser();
  const planned = planScript(await parser.parse(sql), { connectors: CONNECTOR_SPECS });
  if (planned.ok) return planned.program;
  throw userError(
    "invalid-sql",
    planned.diagnostics
      .slice(0, 3)
      .map((d) => d.message)
      .join("; "),
  );
}

/** Ends the parser's thread. */
export async function closePlanner(): Promise<void> {
  await parser?.close();
  parser = undefined;
}
