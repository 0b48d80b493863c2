/** A place in HCL text that moves forward: white space and comments, words, punctuation. The parsers of bodies, expressions and templates share it. */
import { HclError, type HclSource, type Range } from "./hcl-syntax.ts";

const IDENTIFIER = /[\p{ID_Start}_][\p{ID_Continue}-]*/uy;

/** Reads one text from its beginning to its end. */
export class Cursor {
  readonly source: HclSource;
  at = 0;
  /** Ends before the text does where a part of it is read by itself. */
  readonly end: number;

  constructor(source: HclSource) {
    this.source = source;
    this.end = source.text.length;
  }

  /** Whether nothing is left. */
  get done(): boolean {
    return this.at >= this.end;
  }

  /** Whether the next characters are `text`. */
  sees(text: string): boolean {
    return this.source.text.startsWith(text, this.at);
  }

  /** Goes past `text` if it is next. */
  take(text: string): boolean {
    if (!this.sees(text)) return false;
    this.at += text.length;
    return true;
  }

  /** Goes past `text`, which has to be next. */
  need(text: string, inside: string): void {
    if (!this.take(text)) this.fail("Invalid expression", `Expected "${text}" in ${inside}.`);
  }

  /** Goes past spaces and comments, and past line ends too where `lines`. */
  space(lines: boolean): void {
    const { text } = this.source;
    for (;;) {
      const next = text[this.at];
      if (next === " " || next === "\t" || next === "\r" || (lines && next === "\n")) this.at += 1;
      else if (next === "#" || this.sees("//")) {
        const newline = text.indexOf("\n", this.at);
        this.at = newline < 0 ? this.end : newline;
      } else if (this.sees("/*")) {
        const close = text.indexOf("*/", this.at);
        if (close < 0) this.fail("Unterminated comment", "A comment has no end.");
        this.at = close + 2;
      } else return;
    }
  }

  /** A name, if one is next. */
  identifier(): string | undefined {
    IDENTIFIER.lastIndex = this.at;
    const found = IDENTIFIER.exec(this.source.text)?.[0];
    if (found !== undefined) this.at += found.length;
    return found;
  }

  /** What `pattern` (sticky) finds here, gone past. */
  match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.source.text)?.[0];
    if (found !== undefined) this.at += found.length;
    return found;
  }

  /** Throws for what is here. */
  fail(summary: string, detail: string, range: Range = { start: this.at, end: Math.min(this.end, this.at + 1) }): never {
    throw new HclError(this.source, range, summary, detail);
  }
}
