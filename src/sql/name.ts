/**
 * Names and type names as written in a script: the leaves that expressions, queries and statements share.
 */
import type { DataType } from "../data/data-type.ts";
import type { Span } from "./source-text.ts";

/** One part of a name. `text` is without quotes and with its case as written; `quoted` says whether it was in `"…"`. */
export interface Ident {
  readonly text: string;
  readonly quoted: boolean;
  readonly span: Span;
}

/** A dotted name of one part or more. */
export interface QualifiedName {
  readonly parts: readonly Ident[];
  readonly span: Span;
}

/** A type as written in SQL, synonyms folded and bounds checked by `type-name.ts`. */
export interface TypeNode {
  readonly type: DataType;
  /**
   * Digits of the second's fraction when `type` is a timestamp, else undefined. Plain TIMESTAMP is 9. The engine stores nanoseconds in
   * any case: a cast to a coarser one truncates.
   */
  readonly timestampPrecision: 0 | 3 | 6 | 9 | undefined;
  readonly span: Span;
}
