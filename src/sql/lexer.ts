/**
 * Tokens of a script with exact offsets: what the pre-pass, the limits and the conversion of spans need. It does not parse.
 *
 * The rules are PostgreSQL's (https://www.postgresql.org/docs/current/sql-syntax-lexical.html), as the parser has them, with one leniency:
 * operators are taken from a fixed list, so that `a<-1` is `<` and `-`. Comments yield no tokens.
 */
import type { DiagnosticCollector } from "./diagnostics.ts";

/**
 * - `word`: an unquoted identifier or keyword
 * - `quoted`: `"…"`
 * - `string`: `'…'` and its prefixed forms
 * - `dollar-string`: `$tag$…$tag$`
 * - `number`; `operator`; `punctuation`: one of `( ) [ ] { } , ; . : ::`
 * - `parameter`: `$name`
 * - `invalid`: a character outside the language, or a string or comment that never ends
 */
export type TokenKind = "word" | "quoted" | "string" | "dollar-string" | "number" | "operator" | "punctuation" | "parameter" | "invalid";

/** One token; `start` and `end` are UTF-16 offsets into the script. */
export interface Token {
  readonly kind: TokenKind;
  /** As written, except that a word is in upper case. */
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

/** Longest first, so that the first that fits is the longest. */
const OPERATORS = (
  "!~~* ->> #>> <=> !~~ ~~* !~* := -> #> #- <> <= >= != == => || << >> ~~ !~ ~* @> <@ @? @@ ?| ?& && ^@ " +
  "+ - * / % < > = ~ ! @ # ^ & | ?"
).split(" ");

const SPACE = /\s+/y;
/** As in PostgreSQL, every character beyond ASCII may be part of a name. */
const WORD = /[A-Za-z_\u{80}-\u{10ffff}][\w$\u{80}-\u{10ffff}]*/uy;
const NUMBER = /0[xX][0-9a-fA-F]+|(?:\d+(?:_\d+)*(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?/y;
const STRING_START = /(?:[eE]|[uU]&|[nNbBxX])?'/y;
const DOLLAR_QUOTE = /\$(?:[A-Za-z_\u{80}-\u{10ffff}][\w\u{80}-\u{10ffff}]*)?\$/uy;
const PARAMETER = /\$[\w\u{80}-\u{10ffff}]+/uy;
const PUNCTUATION = new Set(["(", ")", "[", "]", "{", "}", ",", ";", ".", ":"]);

/** The tokens of `sql` in order. Reports strings and comments that never end; what follows their start is one `invalid` token. */
export function tokenize(sql: string, diagnostics: DiagnosticCollector): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < sql.length) {
    const space = matchAt(SPACE, sql, at);
    if (space > at) {
      at = space;
      continue;
    }
    if (sql.startsWith("--", at)) {
      const end = sql.indexOf("\n", at);
      at = end === -1 ? sql.length : end + 1;
      continue;
    }
    if (sql.startsWith("/*", at)) {
      const end = endOfBlockComment(sql, at);
      if (end === undefined) {
        diagnostics.error("unterminated-comment", { start: at, end: at + 2 }, "comment is never closed", { hint: 'Close it with "*/".' });
        tokens.push({ kind: "invalid", text: "", start: at, end: sql.length });
      }
      at = end ?? sql.length;
      continue;
    }
    const token = tokenAt(sql, at, diagnostics);
    tokens.push(token);
    at = token.end;
  }
  return tokens;
}

/** The end of a match of the sticky `pattern` at `at`; `at` itself when there is none. */
function matchAt(pattern: RegExp, sql: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(sql) ? pattern.lastIndex : at;
}

function endOfBlockComment(sql: string, start: number): number | undefined {
  const edge = /\/\*|\*\//g;
  edge.lastIndex = start;
  let depth = 0;
  for (let match = edge.exec(sql); match !== null; match = edge.exec(sql)) {
    depth += match[0] === "/*" ? 1 : -1;
    if (depth === 0) return edge.lastIndex;
  }
  return undefined;
}

function tokenAt(sql: string, start: number, diagnostics: DiagnosticCollector): Token {
  const make = (kind: TokenKind, end: number): Token => {
    const text = sql.slice(start, end);
    return { kind, text: kind === "word" ? text.toUpperCase() : text, start, end };
  };
  const quote = matchAt(STRING_START, sql, start);
  if (quote > start) return closed("string", endOfString(sql, quote, /^e/i.test(sql.slice(start, quote))), quote);
  if (sql[start] === '"') return closed("quoted", endOfQuoted(sql, start + 1, '"'), start + 1);
  const word = matchAt(WORD, sql, start);
  if (word > start) return make("word", word);
  const number = matchAt(NUMBER, sql, start);
  if (number > start) return make("number", number);
  if (sql[start] === "$") return dollar();
  if (sql.startsWith("::", start)) return make("punctuation", start + 2);
  const operator = OPERATORS.find((op) => sql.startsWith(op, start));
  if (operator !== undefined) return make("operator", start + operator.length);
  if (PUNCTUATION.has(sql[start] ?? "")) return make("punctuation", start + 1);
  return make("invalid", start + ((sql.codePointAt(start) ?? 0) > 0xffff ? 2 : 1));

  function closed(kind: TokenKind, end: number | undefined, opened: number): Token {
    if (end !== undefined) return make(kind, end);
    const what = kind === "quoted" ? "quoted identifier" : "string";
    diagnostics.error("unterminated-string", { start, end: opened }, `${what} is never closed`, {
      hint: `Close it with ${sql.slice(opened - 1, opened)}.`,
    });
    return make("invalid", sql.length);
  }

  function dollar(): Token {
    const opened = matchAt(DOLLAR_QUOTE, sql, start);
    if (opened > start) {
      const tag = sql.slice(start, opened);
      const end = sql.indexOf(tag, opened);
      if (end !== -1) return make("dollar-string", end + tag.length);
      diagnostics.error("unterminated-string", { start, end: opened }, "dollar-quoted string is never closed", {
        hint: `Close it with ${tag}.`,
      });
      return make("invalid", sql.length);
    }
    const parameter = matchAt(PARAMETER, sql, start);
    return parameter > start ? make("parameter", parameter) : make("invalid", start + 1);
  }
}

/** Offset after the closing quote of a string whose content starts at `from`; `escapes` for `E'…'`. */
function endOfString(sql: string, from: number, escapes: boolean): number | undefined {
  if (!escapes) return endOfQuoted(sql, from, "'");
  for (let at = from; at < sql.length; at++) {
    if (sql[at] === "\\") at++;
    else if (sql[at] === "'") {
      if (sql[at + 1] !== "'") return at + 1;
      at++;
    }
  }
  return undefined;
}

/** Offset after the closing `quote`, which stands for itself when doubled. */
function endOfQuoted(sql: string, from: number, quote: string): number | undefined {
  for (let at = sql.indexOf(quote, from); at !== -1; at = sql.indexOf(quote, at + 2)) {
    if (sql[at + 1] !== quote) return at + 1;
  }
  return undefined;
}

/** The content of a `quoted` identifier or plain `string` token without its quotes, doubled quotes made single. */
export function unquote(text: string): string {
  const quote = text.at(-1) ?? "";
  const open = text.indexOf(quote);
  return text.slice(open + 1, -1).replaceAll(quote + quote, quote);
}
