/**
 * The tokens of one statement with its brackets paired: answers "what stands here" for the pre-pass and for spans. Brackets that do not
 * match are left unpaired; saying so is the parser's business.
 */
import type { Token } from "./lexer.ts";
import type { Span } from "./source-text.ts";

const CLOSING: Readonly<Record<string, string>> = { "(": ")", "[": "]", "{": "}" };

/** Tokens by index, from 0 to `length - 1`; asking outside gives `undefined`. */
export class TokenStream {
  readonly tokens: readonly Token[];
  /** Index of the partner of each bracket, -1 for other tokens and unpaired brackets. */
  readonly #partner: Int32Array;
  /** Index of the innermost open bracket around each token, -1 at top level. A bracket is not inside itself. */
  readonly #enclosing: Int32Array;

  /** `tokens` are those of one statement, in order. */
  constructor(tokens: readonly Token[]) {
    this.tokens = tokens;
    this.#partner = new Int32Array(tokens.length).fill(-1);
    this.#enclosing = new Int32Array(tokens.length).fill(-1);
    const open: number[] = [];
    for (const [index, token] of tokens.entries()) {
      const opener = open.at(-1);
      if (token.kind === "punctuation" && opener !== undefined && CLOSING[tokens[opener]?.text ?? ""] === token.text) {
        this.#partner[opener] = index;
        this.#partner[index] = opener;
        open.pop();
      }
      this.#enclosing[index] = open.at(-1) ?? -1;
      if (token.kind === "punctuation" && token.text in CLOSING) open.push(index);
    }
  }

  /** How many tokens there are. */
  get length(): number {
    return this.tokens.length;
  }

  /** The token at `index`. */
  at(index: number): Token | undefined {
    return this.tokens[index];
  }

  /** True if the token at `index` is the unquoted word `word` (upper case). */
  isWord(index: number, ...words: readonly string[]): boolean {
    const token = this.tokens[index];
    return token?.kind === "word" && words.includes(token.text);
  }

  /** True if the token at `index` is this punctuation or operator. */
  isSymbol(index: number, symbol: string): boolean {
    const token = this.tokens[index];
    return token !== undefined && (token.kind === "punctuation" || token.kind === "operator") && token.text === symbol;
  }

  /** True if the token at `index` can be a name: a word or a quoted identifier. */
  isName(index: number): boolean {
    const kind = this.tokens[index]?.kind;
    return kind === "word" || kind === "quoted";
  }

  /** Index of the bracket that pairs with the one at `index`, or `undefined`. */
  partner(index: number): number | undefined {
    const partner = this.#partner[index];
    return partner === undefined || partner === -1 ? undefined : partner;
  }

  /** Index of the innermost open bracket around the token at `index`, or `undefined` at top level. */
  enclosing(index: number): number | undefined {
    const open = this.#enclosing[index];
    return open === undefined || open === -1 ? undefined : open;
  }

  /** Index of the first token that starts at `offset` or later; `length` if there is none. */
  indexFrom(offset: number): number {
    let low = 0;
    let high = this.tokens.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.tokens[middle]?.start ?? 0) < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The tokens from `first` to before `end` as a stream of their own. */
  slice(first: number, end: number): TokenStream {
    return new TokenStream(this.tokens.slice(first, end));
  }

  /** The span from the token at `first` to the one at `last`, both included; clamped to the tokens there are. */
  span(first: number, last: number): Span {
    const from = this.tokens[Math.min(Math.max(first, 0), this.length - 1)];
    const to = this.tokens[Math.min(Math.max(last, 0), this.length - 1)];
    return { start: from?.start ?? 0, end: Math.max(to?.end ?? 0, from?.start ?? 0) };
  }

  /** The items between the brackets `open` and its partner, split at their commas, as half-open index ranges; empty items included. */
  items(open: number): readonly (readonly [first: number, end: number])[] {
    const close = this.partner(open) ?? this.length;
    if (close === open + 1) return [];
    const items: (readonly [number, number])[] = [];
    let first = open + 1;
    for (let i = first; i < close; i++) {
      const inner = this.partner(i);
      if (inner !== undefined && inner > i) i = inner;
      else if (this.isSymbol(i, ",")) {
        items.push([first, i]);
        first = i + 1;
      }
    }
    items.push([first, close]);
    return items;
  }
}

/** The statements of a script: its tokens split at `;`, empty ones dropped. */
export function splitStatements(tokens: readonly Token[]): TokenStream[] {
  const statements: TokenStream[] = [];
  let from = 0;
  for (let i = 0; i <= tokens.length; i++) {
    const token = tokens[i];
    if (token !== undefined && !(token.kind === "punctuation" && token.text === ";")) continue;
    if (i > from) statements.push(new TokenStream(tokens.slice(from, i)));
    from = i + 1;
  }
  return statements;
}
