/**
 * SQL type names → data types, read from the statement's tokens (the parser's tree has no spans for types, and does not know
 * `STRUCT<name TYPE, …>`). The grammar is that of `reference/arroyo-features.md` §1 with PostgreSQL's synonyms.
 */
import type { DataType, Field, ScalarType } from "../data/data-type.ts";
import type { DiagnosticCollector } from "./diagnostics.ts";
import { unquote } from "./lexer.ts";
import type { TypeNode } from "./name.ts";
import { nearestName } from "./nearest-name.ts";
import type { Span } from "./source-text.ts";
import type { TokenStream } from "./token-stream.ts";

type SimpleKind = Exclude<ScalarType["kind"], "decimal" | "timestamp">;

/** Synonyms of types without parameters, in upper case. */
const SIMPLE: Readonly<Record<string, SimpleKind>> = {
  BOOLEAN: "boolean",
  BOOL: "boolean",
  TINYINT: "int8",
  SMALLINT: "int16",
  INT2: "int16",
  INT: "int32",
  INTEGER: "int32",
  INT4: "int32",
  BIGINT: "int64",
  INT8: "int64",
  REAL: "float32",
  FLOAT: "float32",
  FLOAT4: "float32",
  DOUBLE: "float64",
  FLOAT8: "float64",
  CHAR: "text",
  CHARACTER: "text",
  VARCHAR: "text",
  TEXT: "text",
  STRING: "text",
  BYTEA: "bytes",
  BYTES: "bytes",
  VARBINARY: "bytes",
  BLOB: "bytes",
  DATE: "date",
  TIME: "time",
  INTERVAL: "interval",
  JSON: "json",
};

const UNSIGNED: Readonly<Record<string, SimpleKind>> = { int8: "uint8", int16: "uint16", int32: "uint32", int64: "uint64" };

/** Types of other systems, with what to write instead. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  TIMESTAMPTZ: "Use TIMESTAMP; times are UTC.",
  UUID: "Use TEXT.",
  JSONB: "Use JSON.",
  MAP: "Use JSON or STRUCT<…>.",
  ENUM: "Use TEXT.",
  HUGEINT: "Use DECIMAL(38, 0).",
  LIST: "Use ARRAY<…>.",
  UTINYINT: "Use TINYINT UNSIGNED.",
  USMALLINT: "Use SMALLINT UNSIGNED.",
  UINTEGER: "Use INT UNSIGNED.",
  UBIGINT: "Use BIGINT UNSIGNED.",
};

/** Types whose length in parentheses is accepted and means nothing. */
const WITH_LENGTH: ReadonlySet<string> = new Set(["CHAR", "CHARACTER", "VARCHAR", "VARBINARY"]);

const ALL_NAMES = [...Object.keys(SIMPLE), "TIMESTAMP", "DATETIME", "DECIMAL", "NUMERIC", "STRUCT", "ARRAY", ...Object.keys(ELSEWHERE)];

/** True if `word` (upper case) begins a type that exists here. */
export function isTypeWord(word: string): boolean {
  return word in SIMPLE || ["TIMESTAMP", "DATETIME", "DECIMAL", "NUMERIC", "DEC", "STRUCT", "ARRAY"].includes(word);
}

/** A type read from tokens. */
export interface ReadType {
  readonly node: TypeNode;
  /** Index of the first token after the type. */
  readonly next: number;
}

/**
 * Reads the type that starts at token `first`. `undefined` if none can be read; the reason is then reported to `diagnostics`, as are
 * types that are out of bounds.
 */
export function readType(stream: TokenStream, first: number, diagnostics: DiagnosticCollector): ReadType | undefined {
  const reader = new TypeReader(stream, first, diagnostics);
  const type = reader.read();
  if (type === undefined) return undefined;
  const span = reader.spanFrom(first);
  return { node: { type, timestampPrecision: type.kind === "timestamp" ? reader.precision : undefined, span }, next: reader.next };
}

class TypeReader {
  next: number;
  precision: 0 | 3 | 6 | 9 = 9;
  readonly #stream: TokenStream;
  readonly #diagnostics: DiagnosticCollector;
  /** A `>>` closes two brackets: true while its second half is still to be read. */
  #half = false;

  constructor(stream: TokenStream, first: number, diagnostics: DiagnosticCollector) {
    this.#stream = stream;
    this.next = first;
    this.#diagnostics = diagnostics;
  }

  /** The span from token `first` to the last one read. */
  spanFrom(first: number): Span {
    return this.#stream.span(first, Math.max(first, this.#half ? this.next : this.next - 1));
  }

  read(): DataType | undefined {
    const first = this.next;
    let type = this.#readBase();
    while (type !== undefined && this.#stream.isSymbol(this.next, "[")) {
      const size = this.#stream.at(this.next + 1)?.kind === "number" ? 1 : 0;
      if (!this.#stream.isSymbol(this.next + 1 + size, "]")) return this.#fail("syntax", first, 'expected "]" after "[" in an array type');
      this.next += 2 + size;
      type = this.#arrayOf(type, first);
    }
    return type;
  }

  #readBase(): DataType | undefined {
    const first = this.next;
    const token = this.#stream.at(first);
    if (token === undefined || !this.#stream.isName(first)) return this.#fail("syntax", first, "expected a type name");
    this.next++;
    const word = token.kind === "word" ? token.text : unquote(token.text).toUpperCase();
    switch (word) {
      case "STRUCT":
        return this.#readStruct(first);
      case "ARRAY":
        return this.#readArray(first);
      case "DECIMAL":
      case "NUMERIC":
      case "DEC":
        return this.#readDecimal(first);
      case "TIMESTAMP":
      case "DATETIME":
        return this.#readTimestamp(first);
      default:
        return this.#readSimple(word, first);
    }
  }

  #readSimple(word: string, first: number): DataType | undefined {
    const kind = Object.hasOwn(SIMPLE, word) ? SIMPLE[word] : undefined;
    if (kind === undefined) return this.#unknown(word, first);
    if (word === "DOUBLE" && this.#stream.isWord(this.next, "PRECISION")) this.next++;
    if (word === "CHARACTER" && this.#stream.isWord(this.next, "VARYING")) this.next++;
    if (WITH_LENGTH.has(word)) this.#readNumbers();
    if (word === "FLOAT") {
      const bits = this.#readNumbers()[0];
      if (bits !== undefined && bits > 24) return { kind: "float64" };
    }
    if (word === "TIME") this.#readNumbers();
    const unsigned = Object.hasOwn(UNSIGNED, kind) ? UNSIGNED[kind] : undefined;
    if (unsigned !== undefined && this.#stream.isWord(this.next, "UNSIGNED")) {
      this.next++;
      return { kind: unsigned };
    }
    return { kind };
  }

  #readStruct(first: number): DataType | undefined {
    if (!this.#stream.isSymbol(this.next, "<"))
      return this.#fail("invalid-type", first, "STRUCT needs its fields", "Write STRUCT<name TYPE, …>.");
    this.next++;
    const fields: Field[] = [];
    for (;;) {
      const nameAt = this.next;
      const token = this.#stream.at(nameAt);
      if (token === undefined || !this.#stream.isName(nameAt)) return this.#fail("syntax", nameAt, "expected a field name in STRUCT<…>");
      const name = token.kind === "quoted" ? unquote(token.text) : this.#diagnostics.source.text.slice(token.start, token.end);
      this.next++;
      if (this.#stream.isSymbol(this.next, ":")) this.next++;
      const type = this.read();
      if (type === undefined) return undefined;
      const required = this.#stream.isWord(this.next, "NOT") && this.#stream.isWord(this.next + 1, "NULL");
      if (required) this.next += 2;
      if (fields.some((f) => f.name.toLowerCase() === name.toLowerCase())) {
        return this.#fail("duplicate-name", nameAt, `field "${name}" is defined twice`);
      }
      fields.push({ name, type, nullable: !required });
      if (this.#closeAngle()) return { kind: "struct", fields };
      if (!this.#stream.isSymbol(this.next, ",")) return this.#fail("syntax", this.next, 'expected "," or ">" in STRUCT<…>');
      this.next++;
    }
  }

  #readArray(first: number): DataType | undefined {
    if (!this.#stream.isSymbol(this.next, "<"))
      return this.#fail("invalid-type", first, "ARRAY needs its element type", "Write ARRAY<TYPE> or TYPE[].");
    this.next++;
    const element = this.read();
    if (element === undefined) return undefined;
    if (!this.#closeAngle()) return this.#fail("syntax", this.next, 'expected ">" after the element type of ARRAY');
    return this.#arrayOf(element, first);
  }

  #arrayOf(element: DataType, first: number): DataType | undefined {
    if (element.kind !== "array") return { kind: "array", element };
    return this.#fail("invalid-type", first, "arrays of arrays are not supported", "Put the inner array into a STRUCT.");
  }

  #readDecimal(first: number): DataType | undefined {
    const [precision = 38, scale] = this.#readNumbers();
    const places = scale ?? (this.#stream.isSymbol(this.next - 1, ")") ? 0 : 10);
    if (precision < 1 || precision > 38) {
      return this.#fail("invalid-type", first, `precision of DECIMAL must be between 1 and 38, not ${precision}`);
    }
    if (places > precision)
      return this.#fail("invalid-type", first, `scale of DECIMAL must be between 0 and its precision ${precision}, not ${places}`);
    return { kind: "decimal", precision, scale: places };
  }

  #readTimestamp(first: number): DataType | undefined {
    const [digits = 9] = this.#readNumbers();
    if (digits !== 0 && digits !== 3 && digits !== 6 && digits !== 9) {
      return this.#fail("invalid-type", first, `precision of TIMESTAMP must be 0, 3, 6 or 9, not ${digits}`);
    }
    this.precision = digits;
    const zoned = this.#stream.isWord(this.next, "WITH");
    if (
      (zoned || this.#stream.isWord(this.next, "WITHOUT")) &&
      this.#stream.isWord(this.next + 1, "TIME") &&
      this.#stream.isWord(this.next + 2, "ZONE")
    ) {
      this.next += 3;
      if (zoned)
        return this.#fail("unknown-type", first, 'type "TIMESTAMP WITH TIME ZONE" is not supported', "Use TIMESTAMP; times are UTC.");
    }
    return { kind: "timestamp" };
  }

  /** The numbers in parentheses after a type name; none without parentheses. */
  #readNumbers(): number[] {
    const close = this.#stream.isSymbol(this.next, "(") ? this.#stream.partner(this.next) : undefined;
    if (close === undefined) return [];
    const numbers: number[] = [];
    for (let i = this.next + 1; i < close; i++) {
      const token = this.#stream.at(i);
      if (token?.kind === "number") numbers.push(Number(token.text));
    }
    this.next = close + 1;
    return numbers;
  }

  /** Consumes one `>`, which may be half of a `>>`. */
  #closeAngle(): boolean {
    if (this.#half) {
      this.#half = false;
      this.next++;
      return true;
    }
    if (this.#stream.isSymbol(this.next, ">")) {
      this.next++;
      return true;
    }
    this.#half = this.#stream.isSymbol(this.next, ">>");
    return this.#half;
  }

  #unknown(word: string, first: number): undefined {
    const name = this.#diagnostics.source.text.slice(this.spanFrom(first).start, this.spanFrom(first).end);
    const hint = Object.hasOwn(ELSEWHERE, word) ? ELSEWHERE[word] : undefined;
    const near = nearestName(word, ALL_NAMES);
    return this.#fail(
      "unknown-type",
      first,
      `type "${name}" does not exist`,
      hint ?? (near === undefined ? undefined : `Did you mean ${near}?`),
    );
  }

  #fail(code: "syntax" | "unknown-type" | "invalid-type" | "duplicate-name", at: number, message: string, hint?: string): undefined {
    this.#diagnostics.error(code, this.#stream.span(at, Math.max(at, Math.min(this.next - 1, this.#stream.length - 1))), message, { hint });
    return undefined;
  }
}
