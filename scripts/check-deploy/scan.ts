/**
 * Finds where the blocks and arguments of an HCL file are: a scanner of the structure only. Expressions are skipped, with their strings,
 * heredocs and comments, and kept as text. What they mean comes from `@cdktf/hcl2json` (`documents.ts`), which knows no lines.
 */

/** An argument as written. */
export interface ScannedAttribute {
  readonly name: string;
  /** From 1. */
  readonly line: number;
  /** The expression's text. */
  readonly text: string;
}

/** A block as written; the file itself is one without a type. */
export interface ScannedBlock {
  readonly type: string;
  readonly labels: readonly string[];
  readonly line: number;
  readonly attributes: ScannedAttribute[];
  readonly blocks: ScannedBlock[];
}

const IDENTIFIER = /[\p{ID_Start}_][\p{ID_Continue}-]*/uy;
const HEREDOC = /<<-?([\p{ID_Start}_][\p{ID_Continue}-]*)[ \t]*\n/uy;
const CLOSING: Readonly<Record<string, string>> = { "{": "}", "[": "]", "(": ")" };

class Scanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  #line(at: number): number {
    let line = 1;
    for (let end = this.#text.indexOf("\n"); end >= 0 && end < at; end = this.#text.indexOf("\n", end + 1)) line += 1;
    return line;
  }

  #match(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text);
    if (found === null) return undefined;
    this.#at = pattern.lastIndex;
    return found;
  }

  /** Skips white space and comments; line ends too if `lines`. */
  #space(lines: boolean): void {
    const blank = lines ? /(?:\s|#[^\n]*|\/\/[^\n]*|\/\*[\s\S]*?\*\/)*/y : /(?:[ \t\r]|\/\*[\s\S]*?\*\/)*/y;
    this.#match(blank);
  }

  /** Skips a quoted string with what is interpolated in it; the position is behind its opening quote. */
  #string(): void {
    while (this.#at < this.#text.length) {
      const two = this.#text.slice(this.#at, this.#at + 2);
      if (this.#text.startsWith("$${", this.#at) || this.#text.startsWith("%%{", this.#at)) this.#at += 3;
      else if (two === "${" || two === "%{") {
        this.#at += 2;
        this.#until("}");
      } else if (two.startsWith("\\")) this.#at += 2;
      else {
        this.#at += 1;
        if (two.startsWith('"')) return;
      }
    }
  }

  #heredoc(): boolean {
    const word = this.#match(HEREDOC)?.[1];
    if (word === undefined) return false;
    const end = new RegExp(`^[ \\t]*${word}[ \\t]*$`, "gm");
    end.lastIndex = this.#at;
    const found = end.exec(this.#text);
    this.#at = found === null ? this.#text.length : end.lastIndex;
    return true;
  }

  /** Skips an expression up to a line's end, or up to `closing`, which is taken. */
  #until(closing: string | undefined): void {
    while (this.#at < this.#text.length) {
      this.#space(closing !== undefined);
      const character = this.#text[this.#at] ?? "";
      if (character === closing) {
        this.#at += 1;
        return;
      }
      if (closing === undefined && (character === "\n" || character === "}")) return;
      if (closing === undefined && (character === "#" || this.#text.startsWith("//", this.#at))) return;
      if (character === "<" && this.#heredoc()) continue;
      this.#at += 1;
      if (character === '"') this.#string();
      const inner = CLOSING[character];
      if (inner !== undefined) this.#until(inner);
    }
  }

  /** What is in a block up to its closing brace, or up to the end of the file. */
  body(block: ScannedBlock): ScannedBlock {
    for (;;) {
      this.#space(true);
      if (this.#at >= this.#text.length) return block;
      if (this.#text[this.#at] === "}") {
        this.#at += 1;
        return block;
      }
      const start = this.#at;
      const name = this.#match(IDENTIFIER)?.[0];
      if (name === undefined) {
        this.#at += 1;
        continue;
      }
      this.#item(block, name, this.#line(start));
    }
  }

  #item(block: ScannedBlock, name: string, line: number): void {
    this.#space(false);
    if (this.#text[this.#at] === "=") {
      this.#at += 1;
      this.#space(false);
      const from = this.#at;
      this.#until(undefined);
      block.attributes.push({ name, line, text: this.#text.slice(from, this.#at).trim() });
      return;
    }
    const labels: string[] = [];
    for (;;) {
      const label = this.#match(/"([^"\n]*)"/y)?.[1] ?? this.#match(IDENTIFIER)?.[0];
      if (label === undefined) break;
      labels.push(label);
      this.#space(false);
    }
    if (this.#text[this.#at] !== "{") return;
    this.#at += 1;
    block.blocks.push(this.body({ type: name, labels, line, attributes: [], blocks: [] }));
  }
}

/** The structure of a file. A file that cannot be parsed gives what could be recognised. */
export function scanHcl(text: string): ScannedBlock {
  return new Scanner(text).body({ type: "", labels: [], line: 1, attributes: [], blocks: [] });
}
