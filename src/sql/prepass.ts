/**
 * The pre-pass over one statement: takes out what the parser does not know and remembers it by place, so that the tree can be completed.
 *
 * Taken out by blanking in place: `WATERMARK FOR c [AS expr]`, `METADATA FROM 'k'`, `PARTITIONED BY (…)`, the fields of `STRUCT<…>` types,
 * names inside `STRUCT(expr AS name)`, `* EXCEPT (…)`. Written differently: `$name` (its value), dotted option names (quoted), a generated
 * column without STORED, `top` as a name, adjacent operators (spaced). Everything else passes through as it is.
 */
import type { DiagnosticCollector } from "./diagnostics.ts";
import { blank, type Edit } from "./edited-text.ts";
import { unquote } from "./lexer.ts";
import type { Ident } from "./name.ts";
import type { ParameterTable } from "./parameter.ts";
import type { Span } from "./source-text.ts";
import type { TokenStream } from "./token-stream.ts";
import { isTypeWord } from "./type-name.ts";

/** `WATERMARK FOR column [AS expr]` as found; `expr` is the place of the expression's text. */
export interface FoundWatermark {
  readonly column: Ident;
  readonly expr: Span | undefined;
  readonly span: Span;
}

/** `METADATA FROM 'key'` as found. */
export interface FoundMetadata {
  readonly key: string;
  readonly span: Span;
}

/** What the pre-pass took out of one statement. Keys are offsets of original tokens. */
export interface Prepared {
  readonly stream: TokenStream;
  readonly edits: readonly Edit[];
  readonly watermark: FoundWatermark | undefined;
  /** By the offset of the column's name. */
  readonly metadata: ReadonlyMap<number, FoundMetadata>;
  /** Places of the expressions of PARTITIONED BY. */
  readonly partitionedBy: readonly Span[];
  /** Names of the arguments of `STRUCT(…)`, by the offset of STRUCT; `undefined` for an argument without a name. */
  readonly structNames: ReadonlyMap<number, readonly (Ident | undefined)[]>;
  /** Columns of `* EXCEPT (…)`, by the offset of the star. */
  readonly wildcardExcept: ReadonlyMap<number, readonly Ident[]>;
}

/** Runs the pre-pass over `stream`; findings go to `diagnostics`. */
export function prepare(stream: TokenStream, parameters: ParameterTable, diagnostics: DiagnosticCollector): Prepared {
  const pass = new Prepass(stream, parameters, diagnostics);
  pass.run();
  return pass;
}

class Prepass implements Prepared {
  readonly stream: TokenStream;
  readonly edits: Edit[] = [];
  watermark: FoundWatermark | undefined = undefined;
  readonly metadata = new Map<number, FoundMetadata>();
  readonly partitionedBy: Span[] = [];
  readonly structNames = new Map<number, readonly (Ident | undefined)[]>();
  readonly wildcardExcept = new Map<number, readonly Ident[]>();
  readonly #parameters: ParameterTable;
  readonly #diagnostics: DiagnosticCollector;
  readonly #sql: string;

  constructor(stream: TokenStream, parameters: ParameterTable, diagnostics: DiagnosticCollector) {
    this.stream = stream;
    this.#parameters = parameters;
    this.#diagnostics = diagnostics;
    this.#sql = diagnostics.source.text;
  }

  run(): void {
    for (let i = 0; i < this.stream.length; i++) this.#rewriteToken(i);
    const body = this.#createTableBody();
    if (body !== undefined) this.#createTable(body);
  }

  // ------------------------------------------------------------------------------------------------- anywhere

  #rewriteToken(i: number): void {
    const token = this.stream.at(i);
    if (token === undefined) return;
    if (token.kind === "parameter") {
      const literal = this.#parameters.use(token, this.#diagnostics);
      if (literal !== undefined) this.edits.push({ start: token.start, end: token.end, text: literal });
    } else if (token.kind === "operator") {
      if (this.stream.at(i + 1)?.kind === "operator" && this.stream.at(i + 1)?.start === token.end) {
        this.edits.push({ start: token.end, end: token.end, text: " " });
      }
      if (token.text === "*") this.#wildcardExcept(i);
    } else if (token.kind === "word" && token.text === "TOP") {
      this.edits.push({ start: token.start, end: token.end, text: `"${this.#sql.slice(token.start, token.end)}"` });
    } else if (token.kind === "word" && token.text === "STRUCT") {
      if (this.stream.isSymbol(i + 1, "<")) this.#structType(i);
      else if (this.stream.isSymbol(i + 1, "(")) this.#structValue(i);
    }
  }

  /** `STRUCT<name TYPE, …>` → `STRUCT` and blanks. Only where the content looks like fields: `struct < 5` is a comparison. */
  #structType(at: number): void {
    if (!this.stream.isName(at + 2)) return;
    const typeAt = this.stream.isSymbol(at + 3, ":") ? at + 4 : at + 3;
    const word = this.stream.at(typeAt);
    const known = word?.kind === "word" && isTypeWord(word.text);
    if (!known && ["AND", "OR", "IS", "IN", "NOT", "BETWEEN", "LIKE", "ILIKE"].includes(word?.text ?? "AND")) return;
    const open = this.stream.at(at + 1);
    const end = this.#endOfAngles(at + 1);
    if (open !== undefined && end !== undefined) this.edits.push(blank(this.#sql, open.start, end));
  }

  /** The offset after the `>` that closes the `<` at token `open`; `undefined` if something other than types comes first. */
  #endOfAngles(open: number): number | undefined {
    let depth = 0;
    for (let i = open; i < this.stream.length; i++) {
      const token = this.stream.at(i);
      if (token === undefined) return undefined;
      if (token.kind === "operator") {
        if (token.text === "<") depth++;
        else if (token.text === ">" || token.text === ">>") {
          depth -= token.text.length;
          // A `>>` whose second half belongs to an outer ARRAY<…> closes this one at its first half.
          if (depth <= 0) return token.end + depth;
        } else return undefined;
      } else if (token.kind !== "word" && token.kind !== "quoted" && token.kind !== "number" && !/^[(),:[\]]$/.test(token.text)) {
        return undefined;
      }
    }
    return undefined;
  }

  /** `STRUCT(a AS x, b)` → `STRUCT(a     , b)`, and the names kept. */
  #structValue(at: number): void {
    const items = this.stream.items(at + 1);
    const names = items.map(([first, end]) => {
      const isNamed =
        end - first >= 3 && this.stream.isWord(end - 2, "AS") && this.stream.isName(end - 1) && this.stream.enclosing(end - 2) === at + 1;
      if (!isNamed) return undefined;
      this.#blankTokens(end - 2, end - 1);
      return this.#ident(end - 1);
    });
    const start = this.stream.at(at)?.start;
    if (start !== undefined && names.some((n) => n !== undefined)) this.structNames.set(start, names);
  }

  /** `* EXCEPT (a, b)` and `* EXCLUDE a`: blanked after the star. `* EXCEPT (SELECT …)` is a set operation. */
  #wildcardExcept(star: number): void {
    const start = this.stream.at(star)?.start;
    if (start === undefined || !this.stream.isWord(star + 1, "EXCEPT", "EXCLUDE")) return;
    if (this.stream.isSymbol(star + 2, "(")) {
      const close = this.stream.partner(star + 2);
      const items = this.stream.items(star + 2);
      const areNames = items.length > 0 && items.every(([first, end]) => end === first + 1 && this.stream.isName(first));
      if (close === undefined || !areNames) return;
      this.wildcardExcept.set(
        start,
        items.map(([first]) => this.#ident(first)),
      );
      this.#blankTokens(star + 1, close);
    } else if (this.stream.isWord(star + 1, "EXCLUDE") && this.stream.isName(star + 2)) {
      this.wildcardExcept.set(start, [this.#ident(star + 2)]);
      this.#blankTokens(star + 1, star + 2);
    }
  }

  // --------------------------------------------------------------------------------------------- CREATE TABLE

  /** Index after the table's name if this is a CREATE TABLE (also after EXPLAIN). */
  #createTableBody(): number | undefined {
    let i = 0;
    while (this.stream.isWord(i, "EXPLAIN", "VERBOSE", "ANALYZE")) i++;
    if (!this.stream.isWord(i, "CREATE")) return undefined;
    i++;
    if (this.stream.isWord(i, "OR") && this.stream.isWord(i + 1, "REPLACE")) i += 2;
    if (this.stream.isWord(i, "TEMPORARY", "TEMP")) i++;
    if (!this.stream.isWord(i, "TABLE")) return undefined;
    i++;
    if (this.stream.isWord(i, "IF") && this.stream.isWord(i + 1, "NOT") && this.stream.isWord(i + 2, "EXISTS")) i += 3;
    if (!this.stream.isName(i)) return undefined;
    i++;
    while (this.stream.isSymbol(i, ".") && this.stream.isName(i + 1)) i += 2;
    return i;
  }

  #createTable(after: number): void {
    let i = after;
    if (this.stream.isSymbol(i, "(")) {
      const close = this.stream.partner(i);
      if (close === undefined) return;
      this.#tableElements(i);
      i = close + 1;
    }
    for (;;) {
      if (this.stream.isWord(i, "WITH") && this.stream.isSymbol(i + 1, "(")) {
        for (const [first, end] of this.stream.items(i + 1)) this.#optionName(first, end);
        i = (this.stream.partner(i + 1) ?? this.stream.length) + 1;
      } else if (this.stream.isWord(i, "PARTITIONED") && this.stream.isWord(i + 1, "BY") && this.stream.isSymbol(i + 2, "(")) {
        const close = this.stream.partner(i + 2);
        if (close === undefined) return;
        for (const [first, end] of this.stream.items(i + 2)) if (end > first) this.partitionedBy.push(this.stream.span(first, end - 1));
        this.#blankTokens(i, close);
        i = close + 1;
      } else return;
    }
  }

  #tableElements(open: number): void {
    const items = this.stream.items(open);
    for (const [n, [first, end]] of items.entries()) {
      if (this.stream.isWord(first, "WATERMARK") && this.stream.isWord(first + 1, "FOR")) {
        this.#watermark(first, end);
        // The comma goes too: the one after, or for a last element the one before.
        if (n < items.length - 1) this.#blankTokens(first, end);
        else this.#blankTokens(n === 0 ? first : first - 1, end - 1);
      } else if (this.stream.isName(first)) this.#column(first, end);
    }
  }

  #watermark(first: number, end: number): void {
    const span = this.stream.span(first, end - 1);
    if (end <= first + 2 || !this.stream.isName(first + 2)) {
      this.#diagnostics.error("syntax", span, "expected a column name after WATERMARK FOR", {
        hint: "Write WATERMARK FOR column [AS (expression)].",
      });
      return;
    }
    const hasExpression = end > first + 3;
    if (hasExpression && (!this.stream.isWord(first + 3, "AS") || end === first + 4)) {
      const found = this.stream.span(first + 3, first + 3);
      this.#diagnostics.error("syntax", found, "expected AS and an expression after the column of WATERMARK FOR", {
        detail: "The event time is a column of the table, without a path into it.",
        hint: "Write WATERMARK FOR column [AS (expression)].",
      });
      return;
    }
    if (this.watermark !== undefined) {
      this.#diagnostics.error("invalid-watermark", span, "table has more than one WATERMARK FOR", { hint: "Keep one of them." });
      return;
    }
    this.watermark = { column: this.#ident(first + 2), expr: hasExpression ? this.stream.span(first + 4, end - 1) : undefined, span };
  }

  #column(first: number, end: number): void {
    const name = this.stream.at(first);
    for (let i = first + 1; i < end; i++) {
      const inner = this.stream.partner(i);
      if (inner !== undefined && inner > i) {
        i = inner;
        continue;
      }
      if (name !== undefined && i > first + 1 && this.stream.isWord(i, "METADATA") && this.stream.isWord(i + 1, "FROM"))
        this.#metadata(name.start, i);
      if (this.stream.isWord(i, "GENERATED") && this.stream.isWord(i + 1, "ALWAYS") && this.stream.isWord(i + 2, "AS"))
        this.#generated(i + 3);
    }
  }

  #metadata(column: number, at: number): void {
    const key = this.stream.at(at + 2);
    if (key?.kind !== "string") {
      this.#diagnostics.error("syntax", this.stream.span(at, at + 1), "expected a key in single quotes after METADATA FROM", {
        hint: "Write METADATA FROM 'key'.",
      });
      this.#blankTokens(at, at + 1);
      return;
    }
    if (this.metadata.has(column))
      this.#diagnostics.error("invalid-table", this.stream.span(at, at + 2), "column has more than one METADATA FROM");
    this.metadata.set(column, { key: unquote(key.text), span: { start: key.start, end: key.end } });
    this.#blankTokens(at, at + 2);
  }

  /** `GENERATED ALWAYS AS (expr)`: the parser wants STORED after it; VIRTUAL means the same here, as nothing is stored in any case. */
  #generated(open: number): void {
    const close = this.stream.isSymbol(open, "(") ? this.stream.partner(open) : undefined;
    const paren = close === undefined ? undefined : this.stream.at(close);
    if (close === undefined || paren === undefined) return;
    const next = this.stream.at(close + 1);
    if (next?.text === "VIRTUAL" && next.kind === "word") this.edits.push({ start: next.start, end: next.end, text: "STORED " });
    else if (!this.stream.isWord(close + 1, "STORED")) this.edits.push({ start: paren.end, end: paren.end, text: " STORED" });
  }

  /** `json.decimal_encoding = …` → `"json.decimal_encoding" = …`. */
  #optionName(first: number, end: number): void {
    let i = first;
    while (i + 2 < end && this.stream.isName(i) && this.stream.isSymbol(i + 1, ".") && this.stream.isName(i + 2)) i += 2;
    if (i === first || !this.stream.isSymbol(i + 1, "=")) return;
    const parts = [];
    for (let part = first; part <= i; part += 2) parts.push(this.#ident(part).text);
    const { start } = this.stream.span(first, first);
    this.edits.push({ start, end: this.stream.span(i, i).end, text: `"${parts.join(".").replaceAll('"', '""')}"` });
  }

  // ------------------------------------------------------------------------------------------------- shared

  #ident(at: number): Ident {
    const span = this.stream.span(at, at);
    const text = this.#sql.slice(span.start, span.end);
    const quoted = this.stream.at(at)?.kind === "quoted";
    return { text: quoted ? unquote(text) : text, quoted, span };
  }

  #blankTokens(first: number, last: number): void {
    const { start, end } = this.stream.span(first, last);
    this.edits.push(blank(this.#sql, start, end));
  }
}
