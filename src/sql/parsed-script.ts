/**
 * What the front end hands to the binder: the statements it understood and the findings so far, to which the binder adds its own.
 */
import type { DiagnosticCollector } from "./diagnostics.ts";
import type { Statement } from "./statement.ts";

/** A parsed script. A statement with errors is left out of `statements`, so plan nothing while `diagnostics.hasErrors`. */
export interface ParsedScript {
  /** The script as given. All spans are offsets into it. */
  readonly sql: string;
  /** In the order of the text. */
  readonly statements: readonly Statement[];
  /** Findings of the front end; the binder reports into it too. */
  readonly diagnostics: DiagnosticCollector;
}
