/** Templates of HCL: quoted strings and heredocs with `${…}`, `%{if}` and `%{for}`, their escapes, their strip markers, the flush of `<<-`. */
import type { Cursor } from "./hcl-cursor.ts";
import type { Expression, TemplatePart } from "./hcl-syntax.ts";

/** Reads an expression inside of `${…}`, where line ends do not count. */
export type ReadExpression = (cursor: Cursor) => Expression;

/** A template's pieces before `if` and `for` are put together. */
type Piece =
  | { readonly kind: "text"; text: string }
  | { readonly kind: "value"; readonly value: Expression }
  | { readonly kind: "directive"; readonly word: string; readonly names: readonly string[]; readonly value: Expression | undefined };

const ESCAPES: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", '"': '"', "\\": "\\" };

/** Collects literal text: one piece per line in a heredoc, as the original's scanner does it, which strip markers and flushing depend on. */
class Pieces {
  readonly all: Piece[] = [];
  #text = "";
  #stripNext = false;

  add(text: string): void {
    this.#text += text;
  }

  /** Ends the piece of text; `strip`: the marker after it asks for no space before it. */
  flush(strip = false): void {
    let text = this.#text;
    this.#text = "";
    if (text !== "" && this.#stripNext) text = text.trimStart();
    if (text !== "" || this.#stripNext) {
      this.#stripNext = false;
      this.all.push({ kind: "text", text });
    }
    const last = this.all.at(-1);
    if (strip && last?.kind === "text") last.text = last.text.trimEnd();
  }

  push(piece: Piece, stripNext: boolean): void {
    this.all.push(piece);
    this.#stripNext = stripNext;
  }
}

function readInterpolation(cursor: Cursor, pieces: Pieces, read: ReadExpression): void {
  cursor.at += 2;
  pieces.flush(cursor.take("~"));
  cursor.space(true);
  const value = read(cursor);
  cursor.space(true);
  const strips = cursor.take("~");
  cursor.need("}", "a template");
  pieces.push({ kind: "value", value }, strips);
}

function readDirective(cursor: Cursor, pieces: Pieces, read: ReadExpression): void {
  cursor.at += 2;
  pieces.flush(cursor.take("~"));
  cursor.space(true);
  const word = cursor.identifier() ?? "";
  const names: string[] = [];
  let value: Expression | undefined;
  cursor.space(true);
  if (word === "if") value = read(cursor);
  else if (word === "for") {
    do {
      cursor.space(true);
      names.push(cursor.identifier() ?? "");
      cursor.space(true);
    } while (cursor.take(","));
    if (cursor.identifier() !== "in") cursor.fail("Invalid template directive", 'Expected "in" in a "for" directive.');
    cursor.space(true);
    value = read(cursor);
  } else if (!["else", "endif", "endfor"].includes(word)) cursor.fail("Invalid template directive", `"${word}" is not a directive.`);
  cursor.space(true);
  const strips = cursor.take("~");
  cursor.need("}", "a template directive");
  pieces.push({ kind: "directive", word, names, value }, strips);
}

/** A sequence of a template that begins here, read; false: plain text is here. */
function readSequence(cursor: Cursor, pieces: Pieces, read: ReadExpression): boolean {
  if (cursor.sees("$${") || cursor.sees("%%{")) {
    pieces.add(cursor.source.text.slice(cursor.at + 1, cursor.at + 3));
    cursor.at += 3;
  } else if (cursor.sees("${")) readInterpolation(cursor, pieces, read);
  else if (cursor.sees("%{")) readDirective(cursor, pieces, read);
  else return false;
  return true;
}

function readEscape(cursor: Cursor): string {
  cursor.at += 1;
  const letter = cursor.source.text[cursor.at] ?? "";
  cursor.at += 1;
  if (letter === "u" || letter === "U") {
    const digits = cursor.match(letter === "u" ? /[0-9a-fA-F]{4}/y : /[0-9a-fA-F]{8}/y);
    if (digits !== undefined) return String.fromCodePoint(Number.parseInt(digits, 16));
  }
  return ESCAPES[letter] ?? cursor.fail("Invalid escape sequence", `The symbol "${letter}" is not a valid escape sequence selector.`);
}

/** The rest of a quoted string, after its first quote. */
export function readQuoted(cursor: Cursor, read: ReadExpression): TemplatePart[] {
  const pieces = new Pieces();
  for (;;) {
    if (cursor.done || cursor.sees("\n")) cursor.fail("Unterminated template string", "No closing marker was found for the string.");
    if (cursor.take('"')) break;
    if (readSequence(cursor, pieces, read)) continue;
    if (cursor.sees("\\")) pieces.add(readEscape(cursor));
    else {
      pieces.add(cursor.source.text[cursor.at] ?? "");
      cursor.at += 1;
    }
  }
  pieces.flush();
  return assemble(cursor, pieces.all);
}

/** The rest of a heredoc, after `<<` or `<<-`; the cursor ends at the line end after its marker. */
export function readHeredoc(cursor: Cursor, flush: boolean, read: ReadExpression): TemplatePart[] {
  const marker = cursor.identifier() ?? cursor.fail("Invalid expression", "A heredoc needs a marker.");
  if (cursor.match(/[ \t\r]*\n/y) === undefined) cursor.fail("Invalid expression", "A heredoc begins on the line after its marker.");
  const close = new RegExp(`[ \\t]*${marker}[ \\t\\r]*(?=\\n|$)`, "y");
  const pieces = new Pieces();
  for (let lineStart = true; ; ) {
    if (lineStart && cursor.match(close) !== undefined) break;
    if (cursor.done) cursor.fail("Unterminated template string", `No closing marker "${marker}" was found.`);
    lineStart = false;
    if (readSequence(cursor, pieces, read)) continue;
    const character = cursor.source.text[cursor.at] ?? "";
    cursor.at += 1;
    pieces.add(character);
    if (character === "\n") {
      pieces.flush();
      lineStart = true;
    }
  }
  pieces.flush();
  if (flush) unindent(pieces.all);
  return assemble(cursor, pieces.all);
}

/** Takes the smallest indentation off all lines. A line whose line end before it was stripped does not count as one, as in the original. */
function unindent(pieces: readonly Piece[]): void {
  const lines: { text: string }[] = [];
  let least = Number.POSITIVE_INFINITY;
  let newline = true;
  for (const piece of pieces) {
    if (newline) {
      newline = false;
      let spaces = 0;
      if (piece.kind === "text") {
        spaces = piece.text.length - piece.text.trimStart().length;
        if (spaces === piece.text.length && piece.text.endsWith("\n")) spaces = Number.POSITIVE_INFINITY;
        else lines.push(piece);
      }
      least = Math.min(least, spaces);
    }
    if (piece.kind === "text" && piece.text.endsWith("\n")) newline = true;
  }
  for (const line of lines) line.text = line.text.slice(Math.min(least, line.text.length));
}

/** Puts `if` and `for` together. */
function assemble(cursor: Cursor, pieces: readonly Piece[]): TemplatePart[] {
  let at = 0;
  const until = (stops: readonly string[]): { parts: TemplatePart[]; stop: string } => {
    const parts: TemplatePart[] = [];
    for (;;) {
      const piece = pieces[at];
      at += 1;
      if (piece === undefined) {
        if (!stops.includes(""))
          cursor.fail("Unterminated template", `Expected a directive ${stops.map((one) => `"${one}"`).join(" or ")}.`);
        return { parts, stop: "" };
      }
      if (piece.kind !== "directive") parts.push(piece);
      else if (stops.includes(piece.word)) return { parts, stop: piece.word };
      else if (piece.word === "if" && piece.value !== undefined) {
        const yes = until(["else", "endif"]);
        const otherwise = yes.stop === "else" ? until(["endif"]).parts : [];
        parts.push({ kind: "if", condition: piece.value, whenTrue: yes.parts, otherwise });
      } else if (piece.word === "for" && piece.value !== undefined) {
        parts.push({ kind: "for", names: piece.names, list: piece.value, body: until(["endfor"]).parts });
      } else cursor.fail("Invalid template directive", `Unexpected "${piece.word}".`);
    }
  };
  return until([""]).parts;
}
