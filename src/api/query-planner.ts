/**
 * From SQL to a program, as the API needs it: what `wadi validate` does, and besides it the connection tables that a script mentions, the
 * limits of a service, and the directories that file connectors may reach. Findings are returned, not thrown; only a defect throws.
 *
 * A connection table takes part as the CREATE TABLE that it stands for, parsed apart from the user's script: so spans of findings are true.
 */

import { checkFileRoots } from "../connectors/files/roots.ts";
import { secretsOf } from "../connectors/secrets.ts";
import { AppError } from "../core/errors.ts";
import type { ConnectorSpec } from "../program/connector-spec.ts";
import type { Program } from "../program/program.ts";
import type { UdfDefinition } from "../program/udf.ts";
import type { Diagnostic, DiagnosticCollector } from "../sql/diagnostics.ts";
import type { SqlParser } from "../sql/parse.ts";
import type { ParsedScript } from "../sql/parsed-script.ts";
import { planScript } from "../sql/plan.ts";
import type { Statement } from "../sql/statement.ts";
import { definedTables, mentionedNames } from "./script-names.ts";

/** A connection table as a statement. */
export interface TableDefinition {
  readonly id: string;
  readonly name: string;
  /** CREATE TABLE of that name. */
  readonly createSql: string;
}

/** What is to be planned. */
export interface QueryRequest {
  readonly sql: string;
  /** Functions that the script may call; they come before stored ones. */
  readonly udfs: readonly UdfDefinition[];
  /** Finds stored functions with these names, which are in lower case. */
  readonly findUdfs: (names: readonly string[]) => Promise<readonly UdfDefinition[]>;
  /** Finds the connection tables with these names, which are in lower case. */
  readonly findTables: (names: readonly string[]) => Promise<readonly TableDefinition[]>;
}

/** A query that can run. */
export interface PlannedQuery {
  readonly ok: true;
  readonly program: Program;
  /** Warnings only. */
  readonly diagnostics: readonly Diagnostic[];
  /** Ids of the connection tables that it mentions. */
  readonly connectionTables: readonly string[];
  /** Whether it calls functions that are not stored: code that comes with the request. */
  readonly bringsCode: boolean;
}

/** A query that cannot run. */
export interface RefusedQuery {
  readonly ok: false;
  readonly diagnostics: readonly Diagnostic[];
}

/** Most columns of a table or of an operator's rows. */
export const MAX_COLUMNS = 1_000;

/** Most operators of a program: more than anybody can look at, and than workers can be told. */
const MAX_VERTICES = 10_000;

/** Plans queries, one after the other. */
export class QueryPlanner {
  readonly #parser: SqlParser;
  readonly #connectors: readonly ConnectorSpec[];
  readonly #fileRoots: readonly string[];

  /** `parser` belongs to the caller, who closes it. */
  constructor(parser: SqlParser, connectors: readonly ConnectorSpec[], fileRoots: readonly string[]) {
    this.#parser = parser;
    this.#connectors = connectors;
    this.#fileRoots = fileRoots;
  }

  /** Plans a script. */
  async plan(request: QueryRequest): Promise<PlannedQuery | RefusedQuery> {
    const parsed = await this.#parser.parse(request.sql);
    checkColumns(parsed);
    if (parsed.diagnostics.hasErrors) return refused(parsed.diagnostics);
    const names = mentionedNames(parsed.statements);
    const tables = await tablesOf(parsed.statements, names.tables, request);
    const given = await this.#parseTables(tables, parsed.diagnostics);
    const stored = await storedUdfs(names.functions, request);
    const context = { connectors: this.#connectors, udfs: [...request.udfs, ...stored] };
    const planned = planScript({ ...parsed, statements: [...given, ...parsed.statements] }, context);
    if (!planned.ok) return { ok: false, diagnostics: planned.diagnostics };
    if (planned.explain) parsed.diagnostics.error("unsupported-statement", undefined, "EXPLAIN cannot be run as a pipeline");
    this.#checkProgram(planned.program, parsed);
    if (parsed.diagnostics.hasErrors) return refused(parsed.diagnostics);
    const { program, diagnostics } = planned;
    const known = new Set(stored.map((udf) => udf.id));
    const bringsCode = program.udfs?.some((udf) => !known.has(udf.id)) ?? false;
    return { ok: true, program, diagnostics, connectionTables: tables.map((table) => table.id), bringsCode };
  }

  /** What is wrong with a table's definition; nothing if a script may use it. */
  async checkTable(createSql: string): Promise<readonly Diagnostic[]> {
    const parsed = await this.#parser.parse(createSql);
    checkColumns(parsed);
    if (parsed.diagnostics.hasErrors) return parsed.diagnostics.all();
    // A table alone is no script that could run: that finding is expected.
    const { diagnostics } = planScript(parsed, { connectors: this.#connectors });
    return diagnostics.filter((finding) => finding.code !== "no-query");
  }

  /** Statements of connection tables; a table that no longer fits this build is reported in `diagnostics`. */
  async #parseTables(tables: readonly TableDefinition[], diagnostics: DiagnosticCollector): Promise<readonly Statement[]> {
    const statements: Statement[] = [];
    for (const table of tables) {
      const [problem] = (await this.checkTable(table.createSql)).filter((finding) => finding.severity === "error");
      if (problem === undefined) statements.push(...(await this.#parser.parse(table.createSql)).statements);
      else diagnostics.error("invalid-table", undefined, `connection table "${table.name}" is not valid: ${problem.message}`, problem);
    }
    return statements;
  }

  #checkProgram(program: Program, parsed: ParsedScript): void {
    const { diagnostics } = parsed;
    if (program.vertices.length > MAX_VERTICES) {
      const message = `the script makes ${program.vertices.length} operators, the limit is ${MAX_VERTICES}`;
      diagnostics.error("limit-exceeded", undefined, message, { hint: "Split it into several pipelines." });
    }
    const wide = program.vertices.find((vertex) => vertex.output.columns.length > MAX_COLUMNS);
    if (wide !== undefined) {
      const columns = wide.output.columns.length;
      diagnostics.error("limit-exceeded", undefined, `"${wide.name}" has ${columns} columns, the limit is ${MAX_COLUMNS}`);
    }
    try {
      checkFileRoots(program, this.#fileRoots);
      // A secret that is written out is refused before it is stored.
      secretsOf(program);
    } catch (error) {
      if (!(error instanceof AppError) || !["permission-denied", "invalid-option"].includes(error.code)) throw error;
      diagnostics.error("invalid-option", undefined, error.message, error);
    }
  }
}

function refused(diagnostics: DiagnosticCollector): RefusedQuery {
  return { ok: false, diagnostics: diagnostics.all() };
}

/** The connection tables that a script mentions and does not define itself. */
async function tablesOf(
  statements: readonly Statement[],
  mentioned: ReadonlySet<string>,
  request: QueryRequest,
): Promise<readonly TableDefinition[]> {
  const own = definedTables(statements);
  const names = [...mentioned].filter((name) => !own.has(name));
  return names.length === 0 ? [] : request.findTables(names);
}

/** Stored functions that the script may mean, without those that the request defines itself. */
async function storedUdfs(mentioned: ReadonlySet<string>, request: QueryRequest): Promise<readonly UdfDefinition[]> {
  const own = new Set(request.udfs.map((udf) => udf.name.toLowerCase()));
  const names = [...mentioned].filter((name) => !own.has(name));
  return names.length === 0 ? [] : request.findUdfs(names);
}

/** Reports tables that are declared with too many columns, before anything is planned with them. */
function checkColumns(parsed: ParsedScript): void {
  for (const statement of parsed.statements) {
    if (statement.kind !== "create-table" || statement.columns.length <= MAX_COLUMNS) continue;
    const message = `a table of ${statement.columns.length} columns exceeds the limit of ${MAX_COLUMNS}`;
    parsed.diagnostics.error("limit-exceeded", statement.columns[MAX_COLUMNS]?.span, message);
  }
}
