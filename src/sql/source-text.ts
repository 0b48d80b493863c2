/**
 * A script and the places in it. Offsets and columns count UTF-16 units, as editors and `String` do; lines and columns start at 1.
 * Only `\n` ends a line, as the SQL parser has it; a `\r` before it belongs to the line.
 */

/** A half-open range of UTF-16 offsets into the script. An empty one marks a place between two characters. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** A place in the script. */
export interface SourcePosition {
  /** From 1. */
  readonly line: number;
  /** From 1, in UTF-16 units. */
  readonly column: number;
  /** From 0, in UTF-16 units. */
  readonly offset: number;
}

/** A text with an index of its lines. Positions outside it are clamped to its ends. */
export class SourceText {
  readonly text: string;
  readonly #lineStarts: readonly number[];
  /** False for a text in which every code point is one UTF-16 unit. */
  readonly #hasPairs: boolean;
  /** The line that `#codePoints` is of: places come in bunches, and a script is often one long line. */
  #indexedLine = 0;
  #codePoints: Int32Array = new Int32Array(0);

  constructor(text: string) {
    this.text = text;
    const starts = [0];
    for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
    this.#lineStarts = starts;
    this.#hasPairs = /[\ud800-\udbff]/.test(text);
  }

  /** Line and column of `offset`. */
  positionOf(offset: number): SourcePosition {
    const at = Math.min(Math.max(offset, 0), this.text.length);
    let low = 0;
    let high = this.#lineStarts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#lineStarts[middle] ?? 0) <= at) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: at - (this.#lineStarts[low] ?? 0) + 1, offset: at };
  }

  /** Both ends of `span` as positions. */
  rangeOf(span: Span): { readonly start: SourcePosition; readonly end: SourcePosition } {
    return { start: this.positionOf(span.start), end: this.positionOf(Math.max(span.start, span.end)) };
  }

  /** The text of a line (from 1) without its line end; empty for a line that does not exist. */
  lineText(line: number): string {
    const start = this.#lineStarts[line - 1];
    if (start === undefined) return "";
    return this.text.slice(start, this.#lineStarts[line] ?? this.text.length).replace(/\r?\n$/, "");
  }

  /**
   * The UTF-16 offset of the parser's place: `line` and `column` from 1, the column counted in code points. The one conversion from code
   * points; a place past the end of its line or of the text gives that end.
   */
  offsetOfCodePoint(line: number, column: number): number {
    const start = this.#lineStarts[line - 1];
    if (start === undefined) return this.text.length;
    const end = this.#lineStarts[line] ?? this.text.length;
    const points = Math.max(column - 1, 0);
    if (!this.#hasPairs) return Math.min(start + points, end);
    if (this.#indexedLine !== line) {
      this.#indexedLine = line;
      this.#codePoints = codePointOffsets(this.text, start, end);
    }
    return this.#codePoints[points] ?? end;
  }
}

/** The UTF-16 offset of each code point of `text` from `start` to `end`. */
function codePointOffsets(text: string, start: number, end: number): Int32Array {
  const offsets = new Int32Array(end - start);
  let count = 0;
  for (let at = start; at < end; at += (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1) offsets[count++] = at;
  return offsets.subarray(0, count);
}

/** The smallest span that covers all of `spans`; at least one must be given. */
export function unionSpan(first: Span, ...others: readonly Span[]): Span {
  let { start, end } = first;
  for (const span of others) {
    start = Math.min(start, span.start);
    end = Math.max(end, span.end);
  }
  return { start, end };
}

/** Longest part of a source line that is shown, in UTF-16 units. */
const MAX_SHOWN = 160;

/** The lines that show a place to people: where it is, the source line, and carets under the range. Tabs are kept so that carets line up. */
export function renderPlace(source: SourceText, start: SourcePosition, end: SourcePosition, fileName?: string): string[] {
  const line = source.lineText(start.line);
  const cutAt = start.column - 1 > MAX_SHOWN / 2 ? start.column - 1 - MAX_SHOWN / 2 : 0;
  const shown = line.slice(cutAt, cutAt + MAX_SHOWN);
  const lead = line.slice(cutAt, start.column - 1).replace(/[^\t]/gu, " ");
  const endColumn = end.line === start.line ? end.column : line.length + 1;
  const marked = line.slice(start.column - 1, Math.min(endColumn - 1, cutAt + MAX_SHOWN));
  const width = Math.max([...marked].length, 1);
  const gutter = String(start.line);
  const pad = " ".repeat(gutter.length);
  const name = fileName === undefined ? "" : `${fileName}:`;
  return [
    `${pad}--> ${name}${start.line}:${start.column}`,
    `${pad} |`,
    `${gutter} | ${cutAt > 0 ? "…" : ""}${shown}${cutAt + MAX_SHOWN < line.length ? "…" : ""}`,
    `${pad} | ${cutAt > 0 ? " " : ""}${lead}${"^".repeat(width)}`,
  ];
}
