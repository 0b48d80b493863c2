/**
 * A JSON reader for the oracle, over bytes, as strict as `design/engine.md` says and no stricter: structure is checked for the whole
 * line, the spelling of scalars only when somebody asks for their value. Nothing is lost: numbers and strings keep their bytes.
 */

/** A parsed value; `raw` is its text. A later duplicate of a key has replaced the earlier one. */
export type JsonNode =
  | { readonly kind: "object"; readonly members: ReadonlyMap<string, JsonNode>; readonly raw: Uint8Array }
  | { readonly kind: "array"; readonly items: readonly JsonNode[]; readonly raw: Uint8Array }
  /** `raw` includes the quotes. */
  | { readonly kind: "string"; readonly raw: Uint8Array }
  /** Bytes of which numbers are made, not yet judged; or one of the words `true`, `false` and `null`. */
  | { readonly kind: "number" | "word"; readonly raw: Uint8Array };

/** Thrown for a line or value that is not acceptable; `kind` is a reason of `ERROR_REASONS`. */
export class JsonError extends Error {
  readonly kind: "malformed JSON" | "invalid UTF-8";

  constructor(kind: "malformed JSON" | "invalid UTF-8") {
    super(kind);
    this.kind = kind;
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const isSpace = (byte: number | undefined): boolean => byte === 0x20 || byte === 0x09 || byte === 0x0d || byte === 0x0a;
const NUMBER_BYTES = new Set(Buffer.from("-+.0123456789eE"));
const isNumberByte = (byte: number | undefined): boolean => byte !== undefined && NUMBER_BYTES.has(byte);
const isNumberStart = (byte: number | undefined): boolean => byte === 0x2d || (byte !== undefined && byte >= 0x30 && byte <= 0x39);
const WORDS = ["true", "false", "null"].map((word) => Buffer.from(word));
const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The lines of `bytes` without their newlines; a last one without newline counts, lines of white space alone only if `blank`. */
export function splitLines(bytes: Uint8Array, blank = false): Uint8Array[] {
  const lines: Uint8Array[] = [];
  for (let from = 0; from < bytes.length; ) {
    const newline = bytes.indexOf(0x0a, from);
    const end = newline < 0 ? bytes.length : newline;
    const line = bytes.subarray(from, end);
    if (blank || !line.every(isSpace)) lines.push(line);
    from = end + 1;
  }
  return lines;
}

/** Parses one line. Throws `JsonError`. */
export function parseJsonLine(line: Uint8Array): JsonNode {
  const reader = new Reader(line);
  const node = reader.value();
  reader.end();
  return node;
}

class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  end(): void {
    this.#space();
    if (this.#at !== this.#bytes.length) throw new JsonError("malformed JSON");
  }

  value(): JsonNode {
    this.#space();
    const from = this.#at;
    const byte = this.#bytes[from];
    if (byte === 0x7b) return this.#object(from);
    if (byte === 0x5b) return this.#array(from);
    if (byte === QUOTE) {
      this.#string();
      return { kind: "string", raw: this.#bytes.subarray(from, this.#at) };
    }
    if (isNumberStart(byte)) {
      while (isNumberByte(this.#bytes[this.#at])) this.#at++;
      return { kind: "number", raw: this.#bytes.subarray(from, this.#at) };
    }
    const word = WORDS.find((w) => Buffer.compare(w, this.#bytes.subarray(from, from + w.length)) === 0);
    if (word === undefined) throw new JsonError("malformed JSON");
    this.#at += word.length;
    return { kind: "word", raw: word };
  }

  #object(from: number): JsonNode {
    const members = new Map<string, JsonNode>();
    this.#at++;
    if (!this.#skip(0x7d)) {
      do {
        this.#space();
        const start = this.#at;
        if (this.#bytes[start] !== QUOTE) throw new JsonError("malformed JSON");
        this.#string();
        const key = keyText(this.#bytes.subarray(start, this.#at));
        if (!this.#skip(0x3a)) throw new JsonError("malformed JSON");
        members.set(key, this.value());
      } while (this.#skip(0x2c));
      if (!this.#skip(0x7d)) throw new JsonError("malformed JSON");
    }
    return { kind: "object", members, raw: this.#bytes.subarray(from, this.#at) };
  }

  #array(from: number): JsonNode {
    const items: JsonNode[] = [];
    this.#at++;
    if (!this.#skip(0x5d)) {
      do items.push(this.value());
      while (this.#skip(0x2c));
      if (!this.#skip(0x5d)) throw new JsonError("malformed JSON");
    }
    return { kind: "array", items, raw: this.#bytes.subarray(from, this.#at) };
  }

  /** Moves past a string, from its opening quote. */
  #string(): void {
    for (this.#at++; this.#bytes[this.#at] !== QUOTE; this.#at++) {
      if (this.#bytes[this.#at] === BACKSLASH) this.#at++;
      if ((this.#bytes[this.#at] ?? 0) < 0x20) throw new JsonError("malformed JSON");
    }
    this.#at++;
  }

  #space(): void {
    while (isSpace(this.#bytes[this.#at])) this.#at++;
  }

  #skip(byte: number): boolean {
    this.#space();
    if (this.#bytes[this.#at] !== byte) return false;
    this.#at++;
    return true;
  }
}

/** A key that is no valid string equals no column's name, and a duplicate only of itself. */
function keyText(raw: Uint8Array): string {
  try {
    return decodeString(raw);
  } catch {
    return `\0invalid ${Buffer.from(raw).toString("hex")}`;
  }
}

/** The value of a string with its quotes. Throws `JsonError` for invalid UTF-8, bad escapes and lone surrogates. */
export function decodeString(raw: Uint8Array): string {
  let text: string;
  try {
    text = UTF8.decode(raw);
  } catch {
    throw new JsonError("invalid UTF-8");
  }
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "string" && !/\p{Surrogate}/u.test(value)) return value;
  } catch {
    throw new JsonError("malformed JSON");
  }
  throw new JsonError("invalid UTF-8");
}

/** The text of a number by JSON's grammar, or `undefined`. */
export function numberText(raw: Uint8Array): string | undefined {
  const text = Buffer.from(raw).toString("latin1");
  return /^-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?$/.test(text) ? text : undefined;
}

/** `true`, `false`, `null`, or `undefined` for another word. */
export function wordValue(raw: Uint8Array): true | false | null | undefined {
  const text = Buffer.from(raw).toString("latin1");
  return text === "true" ? true : text === "false" ? false : text === "null" ? null : undefined;
}
