/**
 * The parser's error messages → findings in our words, with a place and, where a cause is likely, a hint.
 *
 * They read `sql parser error: Expected: x, found: y at Line: 1, Column: 2`; without a place when the text ended.
 */
import type { DiagnosticCollector } from "./diagnostics.ts";
import type { EditedText } from "./edited-text.ts";
import { nearestName } from "./nearest-name.ts";
import { SourceText, type Span } from "./source-text.ts";
import type { TokenStream } from "./token-stream.ts";

const STATEMENT_WORDS = ["SELECT", "INSERT", "CREATE", "SET", "EXPLAIN", "DESCRIBE", "SHOW", "WITH", "VALUES"];
const CLAUSE_WORDS = [
  "FROM",
  "WHERE",
  "GROUP",
  "HAVING",
  "ORDER",
  "LIMIT",
  "OFFSET",
  "UNION",
  "JOIN",
  "LEFT",
  "RIGHT",
  "WINDOW",
  "WITH",
  "AS",
  "ON",
];

/** Reports the parser's `message` about `edited`, which is (part of) the statement of `stream`. */
export function reportParserMessage(message: string, edited: EditedText, stream: TokenStream, diagnostics: DiagnosticCollector): void {
  const text = message.replace(/^sql parser error: /, "");
  const place = / at Line: (\d+), Column: (\d+)\.?$/.exec(text);
  const cause = place === null ? text : text.slice(0, place.index);
  const parts = /^Expected:? (.*), found: (.*)$/s.exec(cause);
  let at = place === null ? undefined : tokenAt(edited, stream, Number(place[1]), Number(place[2]));
  // Some messages name a token and give the place of the one after it.
  if (at !== undefined && parts !== null && !reads(stream, at, parts[2]) && reads(stream, at - 1, parts[2])) at--;
  const span = at === undefined ? endOf(stream) : stream.span(at, at);
  if (/recursion limit/i.test(cause)) {
    diagnostics.error("limit-exceeded", span, "statement is nested too deeply for the parser", {
      hint: "Move inner parts into common table expressions (WITH) or views.",
    });
    return;
  }
  const found = at === undefined ? "end of statement" : foundText(diagnostics.source.text.slice(span.start, span.end));
  const wanted = parts?.[1];
  const shown = wanted === undefined ? plainCause(cause, found) : `expected ${inOurWords(wanted)}, found ${found}`;
  diagnostics.error("syntax", span, shown, { hint: hintFor(stream, at, wanted) });
}

/** Index of the token at the parser's place; `undefined` past the last one. */
function tokenAt(edited: EditedText, stream: TokenStream, line: number, column: number): number | undefined {
  const offset = edited.original(new SourceText(edited.text).offsetOfCodePoint(line, column), "start");
  let index = stream.indexFrom(offset);
  const before = stream.at(index - 1);
  if (before !== undefined && before.end > offset) index--;
  return index < stream.length ? index : undefined;
}

/** True if the token at `index` is what the parser calls `found`. */
function reads(stream: TokenStream, index: number, found: string | undefined): boolean {
  return stream.at(index)?.text === found?.toUpperCase();
}

/** The statement's last token: where a text that ends too early is to be continued. */
function endOf(stream: TokenStream): Span {
  return stream.span(stream.length - 1, stream.length - 1);
}

/** Longest token that is shown in a message. */
const MAX_FOUND = 40;

function foundText(token: string): string {
  const line = token.split("\n", 1)[0] ?? "";
  const short = line.length > MAX_FOUND || line.length < token.length ? `${line.slice(0, MAX_FOUND)}…` : line;
  return `"${short}"`;
}

const PUNCTUATION_ONLY = /^[^\w\s]+$/;

function inOurWords(wanted: string): string {
  const text = wanted
    .replaceAll("'", '"')
    .replace(
      "[NOT] NULL | TRUE | FALSE | DISTINCT | [form] NORMALIZED FROM after IS",
      "NULL, TRUE, FALSE, UNKNOWN or DISTINCT FROM after IS",
    );
  if (PUNCTUATION_ONLY.test(text)) return `"${text}"`;
  if (text === "an SQL statement") return "a statement";
  return text === "identifier" ? "a name" : text;
}

/** Messages that are not of the form "Expected, found". */
function plainCause(cause: string, found: string): string {
  const infix = /^No infix parser for token /.test(cause);
  if (infix) return `${found} cannot stand between two expressions`;
  const short = cause.split("\n", 1)[0]?.slice(0, 200) ?? "";
  return short === "" ? "statement cannot be parsed" : short.charAt(0).toLowerCase() + short.slice(1).replace(/\.$/, "");
}

/** A likely cause, from what stands where the parser stopped. */
function hintFor(stream: TokenStream, at: number | undefined, wanted: string | undefined): string | undefined {
  const unclosed = stream.tokens.findIndex(
    (token, i) => token.text === "(" && token.kind === "punctuation" && stream.partner(i) === undefined,
  );
  if (at === undefined) return unclosed === -1 ? undefined : 'A "(" is never closed.';
  const token = stream.at(at);
  if (at === 0 && token?.kind === "word") {
    const near = nearestName(token.text, STATEMENT_WORDS);
    return near === undefined ? undefined : `Did you mean ${near}?`;
  }
  if (stream.isSymbol(at, ")") && stream.partner(at) === undefined) return 'A ")" has no "(" before it.';
  if (stream.isSymbol(at, ",") && stream.isSymbol(at - 1, ",")) return "There is a comma too many.";
  if ((stream.isSymbol(at, ")") || stream.isWord(at, "FROM")) && stream.isSymbol(at - 1, ","))
    return "There is a comma too many before this.";
  if (stream.isWord(at, "GROUP", "ORDER", "PARTITION") && !stream.isWord(at + 1, "BY")) return `Write ${token?.text} BY.`;
  if (stream.at(at)?.text === "`" || stream.at(at - 1)?.text === "`")
    return 'Names with special characters are written in double quotes: "name".';
  if (wanted !== "end of statement") return undefined;
  return misspelledClause(stream, at);
}

/** "end of statement" expected: a clause word before or at this place is often misspelled, and was read as an alias. */
function misspelledClause(stream: TokenStream, at: number): string | undefined {
  for (const i of [at, at - 1]) {
    const token = stream.at(i);
    if (token?.kind !== "word" || CLAUSE_WORDS.includes(token.text)) continue;
    const near = nearestName(token.text, CLAUSE_WORDS);
    if (near !== undefined && token.text.length > 2) return `Did you mean ${near} instead of "${token.text.toLowerCase()}"?`;
  }
  return undefined;
}
