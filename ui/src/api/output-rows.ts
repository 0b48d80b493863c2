/**
 * Rows of an output as they come: parsed without losing digits, bounded, told to listeners at most a few times a second.
 */
import { readEvents } from "./event-stream.ts";
import type { OutputData } from "./types.ts";

/** A value of a row: text as it is shown, and what kind of value it is. */
export interface Cell {
  readonly text: string;
  readonly kind: "text" | "number" | "null" | "other";
}

/** A row with its place in the order in which rows came. */
export interface OutputRow {
  readonly number: number;
  readonly cells: Readonly<Record<string, Cell>>;
}

/** What is known of an output. Another object after every change. */
export interface OutputRows {
  /** In the order in which they first appeared. */
  readonly columns: readonly string[];
  readonly rows: readonly OutputRow[];
  /** Rows that came, those no longer kept included. */
  readonly count: number;
}

/** No rows yet. */
export const NO_ROWS: OutputRows = { columns: [], rows: [], count: 0 };

/** Rows that are kept; older ones go. */
export const ROWS_MAX = 10_000;
const FLUSH_MS = 150;

/** Where a reader of an output is. Its fields change while it is read. */
export interface OutputTail {
  rows: OutputRows;
  /** Id of the last event: reading goes on behind it. */
  cursor: string | undefined;
  /** The job has ended and every row has come. */
  ended: boolean;
}

/** At the beginning of what is kept. */
export function newTail(): OutputTail {
  return { rows: NO_ROWS, cursor: undefined, ended: false };
}

/** Goes on reading the output at `path` until it ends or `signal` aborts; `onRows` gets all rows kept so far. Throws as `readEvents`. */
export async function readTail(path: string, tail: OutputTail, signal: AbortSignal, onRows: (rows: OutputRows) => void): Promise<void> {
  let pending: OutputData[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  const flush = () => {
    clearTimeout(timer);
    timer = undefined;
    if (pending.length === 0) return;
    tail.rows = addRows(tail.rows, pending);
    pending = [];
    if (!signal.aborted) onRows(tail.rows);
  };
  try {
    await readEvents(path, { signal, lastEventId: tail.cursor }, ({ id, event, data }) => {
      if (event === "end") tail.ended = true;
      if (event !== "message") return;
      tail.cursor = id ?? tail.cursor;
      pending.push(JSON.parse(data) as OutputData);
      timer ??= setTimeout(flush, FLUSH_MS);
    });
  } finally {
    flush();
  }
}

/** `known` and the rows of `batches` behind it. */
export function addRows(known: OutputRows, batches: readonly OutputData[]): OutputRows {
  const columns = [...known.columns];
  const seen = new Set(columns);
  const added: OutputRow[] = [];
  let count = known.count;
  for (const batch of batches) {
    for (const row of parseBatch(batch.batch)) {
      for (const name of Object.keys(row)) {
        if (!seen.has(name)) {
          seen.add(name);
          columns.push(name);
        }
      }
      added.push({ number: count++, cells: row });
    }
  }
  return { columns, rows: [...known.rows, ...added].slice(-ROWS_MAX), count };
}

type Reviver = (this: unknown, key: string, value: unknown, context?: { readonly source?: string }) => unknown;

/** A number as it is written: 64-bit integers do not fit a double. */
class NumberText {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  toJSON(): unknown {
    const { rawJSON } = JSON as { readonly rawJSON?: (text: string) => unknown };
    return rawJSON === undefined ? Number(this.text) : rawJSON(this.text);
  }
}

/** Numbers keep their digits where the browser gives a reviver the source text. https://github.com/tc39/proposal-json-parse-with-source */
const keepNumbers: Reviver = (_key, value, context) =>
  typeof value === "number" ? new NumberText(context?.source ?? String(value)) : value;

function parseBatch(text: string): Readonly<Record<string, Cell>>[] {
  const parsed = JSON.parse(text, keepNumbers) as unknown;
  const rows = Array.isArray(parsed) ? (parsed as unknown[]) : [parsed];
  return rows.map((row) => {
    const isObject = typeof row === "object" && row !== null && !(row instanceof NumberText);
    return Object.fromEntries(Object.entries(isObject ? row : { value: row }).map(([name, value]) => [name, cellOf(value)]));
  });
}

function cellOf(value: unknown): Cell {
  if (value === null || value === undefined) return { text: "NULL", kind: "null" };
  if (value instanceof NumberText) return { text: value.text, kind: "number" };
  if (typeof value === "string") return { text: value, kind: "text" };
  if (typeof value === "boolean") return { text: String(value), kind: "other" };
  return { text: JSON.stringify(value), kind: "other" };
}
