/**
 * What is being written in the editor: query and functions, kept in the browser's storage on every change, so that nothing typed is lost.
 */
import { readStored, writeStored } from "../../storage.ts";

/** A function of the draft. */
export interface DraftUdf {
  readonly definition: string;
}

/** An unfinished pipeline. */
export interface Draft {
  readonly query: string;
  readonly udfs: readonly DraftUdf[];
}

/** Nothing written. */
export const EMPTY_DRAFT: Draft = { query: "", udfs: [] };

/** A new function's text. */
export const UDF_TEMPLATE = `// A function that every query of this pipeline can call by its name.
export function double_it(value: number): number {
  return value * 2;
}
`;

/** Storage key of the draft that began as a copy of the pipeline `from`, or as nothing. */
function keyOf(from: string | undefined): string {
  return from === undefined ? "draft" : `draft.${from}`;
}

/** The stored draft; `undefined` if there is none that can be read. */
export function loadDraft(from: string | undefined): Draft | undefined {
  const text = readStored(keyOf(from));
  if (text === undefined) return undefined;
  try {
    const { query, udfs } = JSON.parse(text) as Partial<Draft>;
    return typeof query === "string" && Array.isArray(udfs) ? { query, udfs } : undefined;
  } catch {
    return undefined;
  }
}

/** Keeps a draft; an empty one is forgotten. */
export function saveDraft(from: string | undefined, draft: Draft): void {
  const isEmpty = draft.query.trim() === "" && draft.udfs.length === 0;
  writeStored(keyOf(from), isEmpty ? undefined : JSON.stringify(draft));
}
