/**
 * What the conversion of one statement shares: the tokens, the way from the parser's places to the script's, and findings.
 *
 * The parser's tree has spans on names, literals and some keywords only. A node's span is the union of its parts', widened over the
 * brackets and words that the tokens show around them.
 */
import type { NullLiteral, Query } from "../ast.ts";
import type { DiagnosticCollector } from "../diagnostics.ts";
import type { EditedText } from "../edited-text.ts";
import type { Ident, QualifiedName, TypeNode } from "../name.ts";
import type { Prepared } from "../prepass.ts";
import { SourceText, type Span, unionSpan } from "../source-text.ts";
import type { TokenStream } from "../token-stream.ts";
import { readType } from "../type-name.ts";
import { field, listOf, type Tree, textIn, variantOf } from "./tree.ts";

/** Converts a query; passed in so that expressions, which contain queries, need not import them. */
export type QueryConverter = (context: ConvertContext, tree: Tree) => Query;

/** The conversion of one statement. */
export class ConvertContext {
  readonly stream: TokenStream;
  readonly prepared: Prepared;
  readonly diagnostics: DiagnosticCollector;
  /** The whole statement's span, for nodes of which nothing else is known. */
  readonly statementSpan: Span;
  readonly #edited: EditedText;
  readonly #editedSource: SourceText;
  readonly #convertQuery: QueryConverter;
  #namedWindows = new Map<string, Tree>();
  #emptyArraysBefore = 0;

  /** `edited` is the text that the parser read. */
  constructor(prepared: Prepared, edited: EditedText, diagnostics: DiagnosticCollector, convertQuery: QueryConverter) {
    this.prepared = prepared;
    this.stream = prepared.stream;
    this.diagnostics = diagnostics;
    this.statementSpan = this.stream.span(0, this.stream.length - 1);
    this.#edited = edited;
    this.#editedSource = new SourceText(edited.text);
    this.#convertQuery = convertQuery;
  }

  /** Converts a query inside an expression. */
  query(tree: Tree): Query {
    return this.#convertQuery(this, tree);
  }

  /** Runs `body` with `windows` as the WINDOW clause in force. */
  withNamedWindows<T>(windows: ReadonlyMap<string, Tree>, body: () => T): T {
    const outer = this.#namedWindows;
    this.#namedWindows = new Map([...windows].map(([name, definition]) => [name.toLowerCase(), definition]));
    try {
      return body();
    } finally {
      this.#namedWindows = outer;
    }
  }

  /** Takes a named window out, so that a definition that refers to itself finds nothing; put it back when it is converted. */
  takeNamedWindow(name: string): Tree {
    const definition = this.#namedWindows.get(name.toLowerCase());
    this.#namedWindows.delete(name.toLowerCase());
    return definition;
  }

  /** Puts a named window back. */
  putNamedWindow(name: string, definition: Tree): void {
    this.#namedWindows.set(name.toLowerCase(), definition);
  }

  // ------------------------------------------------------------------------------------------------- spans

  /** The span in the node's own `span` field; `undefined` where the parser gave none. */
  ownSpan(tree: Tree): Span | undefined {
    const span = field(tree, "span");
    const start = this.#offset(field(span, "start"), "start");
    const end = this.#offset(field(span, "end"), "end");
    return start === undefined || end === undefined ? undefined : { start, end: Math.max(start, end) };
  }

  #offset(place: Tree, side: "start" | "end"): number | undefined {
    const line = field(place, "line");
    const column = field(place, "column");
    // The parser writes 0:0 for nodes it has no place for, and counts in u64, which arrives as number or bigint.
    if (Number(line ?? 0) === 0 || column === undefined) return undefined;
    return this.#edited.original(this.#editedSource.offsetOfCodePoint(Number(line), Number(column)), side);
  }

  /** The union of all spans found anywhere in `tree`; the statement's if there are none. */
  deepSpan(tree: Tree): Span {
    let union: Span | undefined;
    const pending: Tree[] = [tree];
    while (pending.length > 0) {
      const next = pending.pop();
      if (typeof next !== "object" || next === null) continue;
      const own = Array.isArray(next) ? undefined : this.ownSpan(next);
      if (own !== undefined) union = union === undefined ? own : unionSpan(union, own);
      for (const [key, value] of Object.entries(next)) if (key !== "span") pending.push(value);
    }
    return union ?? this.statementSpan;
  }

  /** Index of the token that starts at `offset`, or the first after it. */
  indexAt(offset: number): number {
    return this.stream.indexFrom(offset);
  }

  /** Index of the first token after the span. */
  after(span: Span): number {
    return this.stream.indexFrom(span.end);
  }

  /** Index of the last token before the span; -1 if there is none. */
  before(span: Span): number {
    return this.stream.indexFrom(span.start) - 1;
  }

  /** `span` with the brackets directly around it, if there are any. */
  withBrackets(span: Span): Span {
    const open = this.before(span);
    const close = this.after(span);
    return this.stream.partner(open) === close ? this.stream.span(open, close) : span;
  }

  /** The span of the innermost bracket pair around `span` with the `words` tokens before it; `span` itself if there is no bracket. */
  enclosing(span: Span, words = 0): Span {
    const open = this.stream.enclosing(this.indexAt(span.start));
    const close = open === undefined ? undefined : this.stream.partner(open);
    return open === undefined || close === undefined ? span : this.stream.span(Math.max(open - words, 0), close);
  }

  /** `span` up to the end of those of `words` that follow it directly. */
  throughWords(span: Span, ...words: readonly string[]): Span {
    let next = this.after(span);
    while (this.stream.isWord(next, ...words)) next++;
    return this.throughToken(span, next - 1);
  }

  /** `span` up to the end of the bracket pair that opens at token `open`, if one does. */
  throughPair(span: Span, open: number): Span {
    const close = this.stream.partner(open);
    return close === undefined || close < open ? span : this.throughToken(span, close);
  }

  /** `span` up to the end of token `last`; never shorter. */
  throughToken(span: Span, last: number): Span {
    const end = this.stream.at(last)?.end ?? span.end;
    return { start: span.start, end: Math.max(span.end, end) };
  }

  /** Index of the first token at or after `from` that is one of the words, or `undefined`. */
  findWord(from: number, ...words: readonly string[]): number | undefined {
    for (let i = from; i < this.stream.length; i++) if (this.stream.isWord(i, ...words)) return i;
    return undefined;
  }

  /** The tokens of the span with one space between them: equal for texts that differ in case of words, space and comments only. */
  tokenText(span: Span): string {
    return this.stream.tokens
      .slice(this.indexAt(span.start), this.after(span))
      .map((token) => token.text)
      .join(" ");
  }

  /**
   * The span of the next empty array, `ARRAY[]` or `[]`, after those asked for before. The parser gives it no place; the `[]` of types is told
   * apart by the name before it.
   */
  nextEmptyArray(): Span {
    for (let i = this.#emptyArraysBefore; i < this.stream.length; i++) {
      if (!this.stream.isSymbol(i, "[") || this.stream.partner(i) !== i + 1) continue;
      const isNamed = this.stream.isWord(i - 1, "ARRAY");
      if (!isNamed && (this.stream.isName(i - 1) || /^[\])>]/.test(this.stream.at(i - 1)?.text ?? ""))) continue;
      this.#emptyArraysBefore = i + 2;
      return this.stream.span(isNamed ? i - 1 : i, i + 1);
    }
    return this.statementSpan;
  }

  // ------------------------------------------------------------------------------------------------- leaves

  /** A name part. */
  ident(tree: Tree): Ident {
    const span = this.ownSpan(tree) ?? this.statementSpan;
    // The pre-pass may have put quotes where the user wrote none.
    const quoted = this.diagnostics.source.text[span.start] === '"';
    return { text: textIn(tree, "value"), quoted, span };
  }

  /** A dotted name, the parser's `ObjectName`. */
  name(tree: Tree): QualifiedName {
    const parts: Ident[] = [];
    for (const part of listOf(tree)) {
      const { name, body } = variantOf(part);
      if (name === "Identifier") parts.push(this.ident(body));
      else this.unsupported(this.deepSpan(part), "a computed name");
    }
    const [first, ...rest] = parts;
    if (first === undefined) return { parts: [{ text: "", quoted: false, span: this.statementSpan }], span: this.statementSpan };
    return { parts, span: unionSpan(first.span, ...rest.map((p) => p.span)) };
  }

  /** The type that starts at token `first`; after a finding about it, TEXT. */
  typeAt(first: number): TypeNode {
    const read = readType(this.stream, first, this.diagnostics);
    return read?.node ?? { type: { kind: "text" }, timestampPrecision: undefined, span: this.stream.span(first, first) };
  }

  // ------------------------------------------------------------------------------------------------- findings

  /** Reports `construct`, which is valid SQL that Wadi does not have, and gives a stand-in. */
  unsupported(span: Span, construct: string, hint?: string): NullLiteral {
    this.diagnostics.error("unsupported-syntax", span, `${construct} is not supported`, { hint });
    return { kind: "null", span };
  }
}
