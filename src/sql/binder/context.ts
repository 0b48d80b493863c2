/**
 * What the binders of one script share: its text, its findings, its catalog and the settings that SET changes; and the CTEs in scope.
 */
import type { UdfDefinition } from "../../program/udf.ts";
import type { Catalog, Relation } from "../catalog.ts";
import type { DiagnosticCollector } from "../diagnostics.ts";
import type { Span } from "../source-text.ts";

/** Shared by all binders of a script. */
export interface BindContext {
  readonly sql: string;
  readonly diagnostics: DiagnosticCollector;
  readonly catalog: Catalog;
  /** User-defined functions by lower-case name. */
  readonly udfs: ReadonlyMap<string, UdfDefinition>;
  /** TTL of updating aggregates that are bound from here on, in ms; 0: none. */
  readonly ttlMs: number;
  /** CTEs by lower-case name; `undefined`: defined with errors. */
  readonly ctes: ReadonlyMap<string, Relation | undefined>;
}

/** The name of an unnamed expression: its text with white space folded, as it stands in the script. */
export function sourceName(context: Pick<BindContext, "sql">, span: Span): string {
  return context.sql.slice(span.start, span.end).replace(/\s+/g, " ");
}
