/**
 * Diagnostics of the SQL front end: collected, not thrown, so that one run reports every mistake at its place.
 *
 * Two coordinate systems meet here. Syntax nodes carry a `Span` of UTF-16 offsets into the script; a `Diagnostic` that leaves the front
 * end carries a `SourceRange` with lines and columns too. The SQL parser counts code points: `offsetOfCodePoint` is the only conversion.
 */
import { type AppError, userError } from "../core/errors.ts";
import { renderPlace, type SourcePosition, SourceText, type Span } from "./source-text.ts";

/**
 * Every kind of finding with its one meaning. The list is closed: a new finding takes the code that fits or adds a line here.
 *
 * Reading the text
 * - `syntax`: the parser expected something else
 * - `unterminated-string`, `unterminated-comment`: a quote, dollar quote or comment is never closed
 * - `unsupported-syntax`: valid SQL that Wadi does not have
 * - `unsupported-statement`: a statement Wadi does not have
 * - `limit-exceeded`: the text is too long, too deeply nested or too long a chain
 * - `parser-failed`: the parser crashed or overran its time limit on the statement
 * - `empty-script`: there is no statement to run
 * - `unknown-parameter`: `$name` without a value given for it
 * - `unused-parameter`: a value was given for a name that the script does not use
 * - `invalid-literal`: a number, string, date, interval or other literal cannot be read
 * - `unknown-type`: a type name that does not exist or that Wadi does not have
 * - `invalid-type`: a type with parameters out of range, or a type not allowed at this place
 *
 * Names
 * - `unknown-table`, `unknown-column`, `unknown-field`, `unknown-function`, `unknown-variable`: the name means nothing here
 * - `ambiguous-column`: the name means several columns
 * - `duplicate-name`: a table, column, alias or option is defined twice
 * - `duplicate-option`: an option is given twice, and the last one counts (warning)
 *
 * Types and calls
 * - `type-mismatch`: operand, argument or column types do not fit and no implicit cast exists
 * - `invalid-function`: the text of a user-defined function is not one
 * - `invalid-argument`: a call's argument count or value is wrong
 * - `aggregate-misplaced`: an aggregate, window function or time window where it may not stand
 * - `not-grouped`: a column is neither grouped nor aggregated
 * - `invalid-subquery`: a subquery has the wrong shape or cannot be decorrelated
 *
 * Tables and streams
 * - `unknown-option`, `invalid-option`, `missing-option`: something is wrong in WITH (…)
 * - `invalid-table`: a table's definition contradicts itself
 * - `invalid-watermark`: WATERMARK FOR names a wrong column or expression
 * - `invalid-window`: a time window with a wrong width, slide, gap or place
 * - `invalid-join`: a join that cannot be run
 * - `invalid-sink`: the query's rows do not fit its sink
 * - `changelog`: an updating stream meets something that takes only appended rows
 * - `unbounded-order`: ORDER BY without LIMIT on an unbounded query
 * - `unbounded-state`: state grows without bound (warning)
 * - `invalid-udf`: a user-defined function cannot be compiled or called so
 * - `no-query`: the script defines things and runs none
 * - `deprecated`: works and has a better form (warning)
 * - `too-many-diagnostics`: further findings were left off
 */
export type DiagnosticCode =
  | "syntax"
  | "unterminated-string"
  | "unterminated-comment"
  | "unsupported-syntax"
  | "unsupported-statement"
  | "limit-exceeded"
  | "parser-failed"
  | "empty-script"
  | "unknown-parameter"
  | "unused-parameter"
  | "invalid-literal"
  | "unknown-type"
  | "invalid-type"
  | "unknown-table"
  | "unknown-column"
  | "unknown-field"
  | "unknown-function"
  | "unknown-variable"
  | "ambiguous-column"
  | "duplicate-name"
  | "duplicate-option"
  | "type-mismatch"
  | "invalid-function"
  | "invalid-argument"
  | "aggregate-misplaced"
  | "not-grouped"
  | "invalid-subquery"
  | "unknown-option"
  | "invalid-option"
  | "missing-option"
  | "invalid-table"
  | "invalid-watermark"
  | "invalid-window"
  | "invalid-join"
  | "invalid-sink"
  | "changelog"
  | "unbounded-order"
  | "unbounded-state"
  | "invalid-udf"
  | "no-query"
  | "deprecated"
  | "too-many-diagnostics";

/** How grave: an error stops planning, a warning does not. */
export type Severity = "error" | "warning";

/** A half-open range of the script. */
export interface SourceRange {
  readonly start: SourcePosition;
  readonly end: SourcePosition;
}

/** One finding. `message` is in PostgreSQL's manner (lower case, no full stop); `detail` and `hint` are sentences. */
export interface Diagnostic {
  readonly severity: Severity;
  readonly code: DiagnosticCode;
  readonly message: string;
  readonly detail?: string;
  readonly hint?: string;
  /** Absent only where a finding has no place, as with a script that holds no statement. */
  readonly span?: SourceRange;
}

/** The optional sentences of a finding. */
export interface Advice {
  readonly detail?: string | undefined;
  readonly hint?: string | undefined;
}

/** No more findings than this leave one run; what is left off is counted in a last finding. */
export const MAX_DIAGNOSTICS = 100;

/** Collects the findings of one script. Not thread-safe, never throws on a span: one outside the script is clamped. */
export class DiagnosticCollector {
  readonly source: SourceText;
  readonly #found: Diagnostic[] = [];
  readonly #seen = new Set<string>();
  #leftOff = 0;
  #errorCount = 0;

  /** `sql` is the script as the user wrote it: spans are offsets into it. */
  constructor(sql: string) {
    this.source = new SourceText(sql);
  }

  /** Reports an error at `span`. The same finding at the same place is kept once. */
  error(code: DiagnosticCode, span: Span | undefined, message: string, advice: Advice = {}): void {
    this.#add("error", code, span, message, advice);
  }

  /** Reports a warning at `span`. */
  warning(code: DiagnosticCode, span: Span | undefined, message: string, advice: Advice = {}): void {
    this.#add("warning", code, span, message, advice);
  }

  /** True once an error (not a warning) was reported. */
  get hasErrors(): boolean {
    return this.#errorCount > 0;
  }

  /** How many errors were reported, those left off included. */
  get errorCount(): number {
    return this.#errorCount;
  }

  /** All findings in the order of the text, those without a place last; at most `MAX_DIAGNOSTICS` and one that counts the rest. */
  all(): readonly Diagnostic[] {
    const sorted = [...this.#found].sort((a, b) => (a.span?.start.offset ?? Infinity) - (b.span?.start.offset ?? Infinity) || 0);
    if (this.#leftOff === 0) return sorted;
    return [...sorted, { severity: "error", code: "too-many-diagnostics", message: `${this.#leftOff} more findings are not shown` }];
  }

  /** The findings as one error of domain `user`, for callers that throw: the first error's message, all of them as detail. */
  toError(): AppError {
    const first = this.all().find((d) => d.severity === "error");
    return userError("invalid-sql", first?.message ?? "the script is not valid", { detail: renderText(this.all(), this.source.text) });
  }

  #add(severity: Severity, code: DiagnosticCode, span: Span | undefined, message: string, advice: Advice): void {
    if (severity === "error") this.#errorCount++;
    const key = `${code} ${span?.start} ${span?.end} ${message}`;
    if (this.#seen.has(key)) return;
    if (this.#found.length >= MAX_DIAGNOSTICS) {
      this.#leftOff++;
      return;
    }
    this.#seen.add(key);
    this.#found.push({
      severity,
      code,
      message,
      ...(advice.detail === undefined ? {} : { detail: advice.detail }),
      ...(advice.hint === undefined ? {} : { hint: advice.hint }),
      ...(span === undefined ? {} : { span: this.source.rangeOf(span) }),
    });
  }
}

/** The findings for people: message, place, the source line with carets, detail and hint. `fileName` goes before line and column. */
export function renderText(diagnostics: readonly Diagnostic[], sql: string, fileName?: string): string {
  const source = new SourceText(sql);
  return diagnostics.map((d) => renderOne(d, source, fileName)).join("\n\n");
}

function renderOne(d: Diagnostic, source: SourceText, fileName: string | undefined): string {
  const lines = [`${d.severity}[${d.code}]: ${d.message}`];
  if (d.span !== undefined) lines.push(...renderPlace(source, d.span.start, d.span.end, fileName));
  if (d.detail !== undefined) lines.push(`detail: ${d.detail}`);
  if (d.hint !== undefined) lines.push(`hint: ${d.hint}`);
  return lines.join("\n");
}

/** The findings for programs: `{"diagnostics": […]}` in the shape of `Diagnostic`, two spaces of indent. */
export function renderJson(diagnostics: readonly Diagnostic[]): string {
  return JSON.stringify({ diagnostics }, undefined, 2);
}
