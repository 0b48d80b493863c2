/**
 * The planner's entry: a parsed script and the connectors' specs in, a program out. Statement by statement it fills the catalog and collects
 * sinks; then the logical plan is rewritten and lowered. It performs no I/O and gives the same program for the same input.
 */
import { intervalToNs, parseInterval } from "../core/duration.ts";
import type { ConnectorSpec } from "../program/connector-spec.ts";
import type { Program } from "../program/program.ts";
import type { UdfDefinition } from "../program/udf.ts";
import type { BindContext } from "./binder/context.ts";
import { bindFunction } from "./binder/create-function.ts";
import { didYouMean } from "./binder/environment.ts";
import { type CollectedSink, finishSink, matchFields, writeMemoryTable } from "./binder/insert.ts";
import { bindQuery, renamed } from "./binder/query.ts";
import { bindTable } from "./binder/table.ts";
import { Catalog, type Relation, type SinkTable } from "./catalog.ts";
import type { Diagnostic } from "./diagnostics.ts";
import type { LogicalPlan } from "./logical-plan.ts";
import { lowerPlan } from "./lower.ts";
import type { ParsedScript } from "./parsed-script.ts";
import { rewritePlan } from "./rewrite/rewrite.ts";
import type { CreateFunction, CreateTable, CreateView, Insert, QueryStatement, SetVariable, Statement } from "./statement.ts";

/** What planning needs besides the script. */
export interface PlanContext {
  readonly connectors: readonly ConnectorSpec[];
  /** Connector of bare SELECTs; `preview` by default. It must be formatted and have no required options. */
  readonly defaultSink?: string;
  /** User-defined functions that queries may call; CREATE FUNCTION adds to them. */
  readonly udfs?: readonly UdfDefinition[];
  /** TTL of updating operators until SET changes it, in ms; 24 hours by default, 0: none. */
  readonly updatingTtlMs?: number;
}

/** A planned script, with its warnings. */
export interface PlannedScript {
  readonly ok: true;
  readonly program: Program;
  /** The plan as bound, before the rewrites, and as lowered. For EXPLAIN. */
  readonly bound: LogicalPlan;
  readonly rewritten: LogicalPlan;
  /** True: the script asks for EXPLAIN, so it is not meant to run. */
  readonly explain: boolean;
  /** Warnings only. */
  readonly diagnostics: readonly Diagnostic[];
}

/** A script with errors: at least one diagnostic is an error. */
export interface RefusedScript {
  readonly ok: false;
  readonly diagnostics: readonly Diagnostic[];
}

const DEFAULT_TTL_MS = 24 * 60 * 60 * 1000;

/** Plans a script. Never throws for what the script says. */
export function planScript(parsed: ParsedScript, context: PlanContext): PlannedScript | RefusedScript {
  const planner = new ScriptPlanner(parsed, context);
  for (const statement of parsed.statements) planner.add(statement);
  const bound = planner.finish();
  if (bound === undefined || parsed.diagnostics.hasErrors) return { ok: false, diagnostics: parsed.diagnostics.all() };
  const rewritten = rewritePlan(bound);
  const program = lowerPlan(rewritten, planner.udfs);
  return { ok: true, program, bound, rewritten, explain: planner.explain, diagnostics: parsed.diagnostics.all() };
}

/** Binds the statements of one script in order. */
class ScriptPlanner {
  readonly #parsed: ParsedScript;
  readonly #plan: PlanContext;
  readonly #catalog = new Catalog();
  readonly #sinks = new Map<string, CollectedSink>();
  #queries = 0;
  #previews = 0;
  readonly #udfs: Map<string, UdfDefinition>;
  #ttlMs: number;
  explain = false;

  constructor(parsed: ParsedScript, plan: PlanContext) {
    this.#parsed = parsed;
    this.#plan = plan;
    this.#ttlMs = plan.updatingTtlMs ?? DEFAULT_TTL_MS;
    this.#udfs = new Map(plan.udfs?.map((udf) => [udf.name.toLowerCase(), udf]));
  }

  get udfs(): readonly UdfDefinition[] {
    return [...this.#udfs.values()];
  }

  get #context(): BindContext {
    const { sql, diagnostics } = this.#parsed;
    return { sql, diagnostics, catalog: this.#catalog, udfs: this.#udfs, ttlMs: this.#ttlMs, ctes: new Map() };
  }

  add(statement: Statement): void {
    switch (statement.kind) {
      case "create-table":
        return statement.query === undefined ? this.#createTable(statement) : this.#createView(statement, statement.query);
      case "create-view":
        return this.#createView(statement, statement.query);
      case "insert":
        return this.#insert(statement);
      case "select-statement":
        return this.#select(statement);
      case "set":
        return this.#set(statement);
      case "explain":
        this.explain = true;
        return this.add(statement.statement);
      case "create-function":
        return this.#createFunction(statement);
      case "show-tables":
      case "describe":
        return this.#unsupported(statement, "SHOW and DESCRIBE are not supported in a script that is run");
    }
  }

  #createFunction(statement: CreateFunction): void {
    const { diagnostics } = this.#parsed;
    const udf = bindFunction(diagnostics, statement);
    if (udf === undefined) return;
    const key = udf.name.toLowerCase();
    if (this.#udfs.has(key) && !statement.orReplace) {
      return diagnostics.error("duplicate-name", statement.name.span, `function "${udf.name}" already exists`, {
        hint: "Write CREATE OR REPLACE FUNCTION to replace it for this script.",
      });
    }
    this.#udfs.set(key, udf);
  }

  #unsupported(statement: Statement, message: string): void {
    this.#parsed.diagnostics.error("unsupported-statement", statement.span, message);
  }

  /** Reports a name that is taken. */
  #mayDefine(statement: CreateTable | CreateView): boolean {
    const name = statement.name.parts.map((p) => p.text).join(".");
    if (this.#catalog.find({ text: name, quoted: false }) === undefined || statement.orReplace) return true;
    if (!statement.ifNotExists) {
      this.#parsed.diagnostics.error("duplicate-name", statement.name.span, `table "${name}" already exists`);
    }
    return false;
  }

  #createTable(statement: CreateTable): void {
    if (!this.#mayDefine(statement)) return;
    this.#catalog.set(bindTable(this.#context, this.#plan.connectors, statement), statement.span);
  }

  #createView(statement: CreateTable | CreateView, query: CreateView["query"]): void {
    if (!this.#mayDefine(statement)) return;
    const { diagnostics } = this.#parsed;
    const name = statement.name.parts.map((p) => p.text).join(".");
    if (statement.kind === "create-table" && (statement.options.length > 0 || statement.columns.length > 0)) {
      diagnostics.error("unsupported-syntax", statement.name.span, "CREATE TABLE … AS takes neither columns nor options", {
        hint: "Define the sink with CREATE TABLE and write it with INSERT INTO … SELECT.",
      });
    }
    const relation = bindQuery(this.#context, query);
    if (relation === undefined) return this.#catalog.set({ kind: "broken", name }, statement.span);
    const names = statement.kind === "create-view" ? statement.columns.map((c) => c.text) : [];
    const view = renamed(this.#context, relation, names, name, statement.name.span);
    this.#catalog.set({ kind: "relation", name, what: "view", relation: view }, statement.span);
  }

  #insert(statement: Insert): void {
    this.#queries++;
    const { diagnostics } = this.#parsed;
    const name = statement.table.parts.map((p) => p.text).join(".");
    const relation = bindQuery(this.#context, statement.query);
    const entry = this.#catalog.find({ text: name, quoted: false });
    switch (entry?.kind) {
      case undefined:
        return diagnostics.error(
          "unknown-table",
          statement.table.span,
          `table "${name}" does not exist`,
          didYouMean(name, this.#catalog.names()),
        );
      case "broken":
        return undefined;
      case "relation":
        return diagnostics.error(
          "invalid-sink",
          statement.table.span,
          `"${entry.name}" is a ${entry.what === "view" ? "view" : "source"} and cannot be written`,
          {
            hint: entry.what === "view" ? "Insert into a table." : "Define a second table with type = 'sink'.",
          },
        );
      case "memory":
        if (entry.written !== undefined) {
          return diagnostics.error("invalid-sink", statement.table.span, `memory table "${entry.name}" is inserted into twice`, {
            hint: "Combine the queries with UNION ALL.",
          });
        }
        return this.#fillMemoryTable(statement, relation);
      case "sink":
        return this.#collect(entry, statement, relation);
    }
  }

  #fillMemoryTable(statement: Insert, relation: Relation | undefined): void {
    const name = statement.table.parts.map((p) => p.text).join(".");
    const entry = this.#catalog.find({ text: name, quoted: false });
    if (entry?.kind !== "memory") return;
    const matched = relation && matchFields(this.#context, entry.name, entry.fields, statement.columns, relation, statement.query.span);
    this.#catalog.set(matched === undefined ? { kind: "broken", name: entry.name } : writeMemoryTable(entry, matched), statement.span);
  }

  #collect(table: SinkTable, statement: Insert, relation: Relation | undefined): void {
    if (relation === undefined) return;
    const { span } = statement.query;
    if (table.fields === undefined && statement.columns.length > 0) {
      return this.#parsed.diagnostics.error(
        "invalid-sink",
        statement.columns[0]?.span,
        `"${table.name}" declares no columns that could be named`,
      );
    }
    const matched =
      table.fields === undefined ? relation : matchFields(this.#context, table.name, table.fields, statement.columns, relation, span);
    if (matched === undefined) return;
    const key = table.name.toLowerCase();
    const sink = this.#sinks.get(key) ?? { table, inserts: [] };
    sink.inserts.push({ relation: matched, span });
    this.#sinks.set(key, sink);
  }

  #select(statement: QueryStatement): void {
    this.#queries++;
    const relation = bindQuery(this.#context, statement.query);
    const name = this.#plan.defaultSink ?? "preview";
    const spec = this.#plan.connectors.find((c) => c.name === name);
    if (spec === undefined) {
      return this.#parsed.diagnostics.error(
        "invalid-sink",
        statement.span,
        `a bare SELECT needs connector "${name}", which does not exist`,
      );
    }
    if (relation === undefined) return;
    this.#previews++;
    const shown = this.#previews === 1 ? name : `${name}_${this.#previews}`;
    // A space keeps the key apart from every table's name.
    const key = ` ${shown}`;
    const table: SinkTable = { kind: "sink", name: shown, connector: name, options: {}, writers: spec.sinkWriters, fields: undefined };
    this.#sinks.set(key, { table, inserts: [{ relation, span: statement.query.span }] });
  }

  #set(statement: SetVariable): void {
    const { diagnostics } = this.#parsed;
    const name = statement.name.parts.map((p) => p.text.toLowerCase()).join(".");
    if (name !== "updating_ttl") {
      return diagnostics.error("unknown-variable", statement.name.span, `variable "${name}" does not exist`, {
        hint: 'The only variable is "updating_ttl".',
      });
    }
    const { value } = statement;
    const text = value.kind === "string" ? value.value : value.kind === "interval" ? value.text : undefined;
    const interval = text === undefined ? undefined : parseInterval(text, value.kind === "interval" ? value.unit : undefined);
    const ns = interval && intervalToNs(interval);
    if (ns === undefined || ns < 0n) {
      return diagnostics.error("invalid-literal", value.span, "updating_ttl must be an interval without months that is not negative", {
        hint: "Write for example SET updating_ttl = INTERVAL '1 day'.",
      });
    }
    if (value.kind === "string") {
      diagnostics.warning("deprecated", value.span, "updating_ttl as a string is deprecated", { hint: "Write INTERVAL before it." });
    }
    if (ns === 0n) {
      diagnostics.warning("unbounded-state", value.span, "updating_ttl = 0 keeps every group of an updating query forever");
    }
    this.#ttlMs = Number(ns / 1_000_000n);
  }

  /** The plan of all sinks; `undefined` if there is none or an error was reported. */
  finish(): LogicalPlan | undefined {
    const { diagnostics } = this.#parsed;
    const sinks = [...this.#sinks.values()].map((sink) => finishSink(this.#context, sink));
    if (this.#queries === 0 && !diagnostics.hasErrors) {
      diagnostics.error("no-query", undefined, "the script does not contain a query", { hint: "Add a SELECT or an INSERT INTO … SELECT." });
    }
    if (this.#queries > 0 && sinks.length === 0 && !diagnostics.hasErrors) {
      diagnostics.error("no-query", undefined, "nothing reads the memory tables of this script", {
        hint: "Add a SELECT or an INSERT into a sink.",
      });
    }
    if (diagnostics.hasErrors || !sinks.every((s) => s !== undefined)) return undefined;
    return { sinks };
  }
}
