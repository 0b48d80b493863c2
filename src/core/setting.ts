/**
 * The kinds of values a setting can have. Each is a zod schema that accepts TOML's own value and the text of an environment variable, and
 * whose failure message completes the sentence "<name> must be …"; each knows how to print its value so that it reads back.
 */
import { z } from "zod";
import { formatDuration, parseDuration } from "./duration.ts";
import { NS_PER_MS } from "./time.ts";

/** A span of time in milliseconds. */
export type DurationMs = number;
/** A size in bytes. */
export type ByteCount = number;

/** One setting: how it is read, what it is when nobody sets it, what it is for. */
export interface Setting<T> {
  readonly schema: z.ZodType<T>;
  readonly fallback: T;
  /** For `--help`, the README and errors: one sentence with units and range. */
  readonly doc: string;
  /** Its value is never printed or logged. */
  readonly sensitive: boolean;
  /** The TOML text of a value. */
  readonly print: (value: T) => string;
}

/** Makes a kind of setting from a parser that answers `undefined` for what is not a value of it. */
function kind<T>(expected: string, parse: (value: unknown) => T | undefined, print: (value: T) => string) {
  const schema = z.unknown().transform((value, context): T => {
    const result = parse(value);
    if (result !== undefined) return result;
    context.addIssue({ code: "custom", message: `must be ${expected}` });
    return z.NEVER;
  });
  return (fallback: T, doc: string): Setting<T> => ({ schema, fallback, doc, sensitive: false, print });
}

const printText = (value: string): string => JSON.stringify(value);

/** A text that is not empty. */
export const text = kind<string>("a text that is not empty", nonEmptyText, printText);

/** A text that may be left out; an empty one counts as left out. */
export function optionalText(doc: string): Setting<string | undefined> {
  const schema = z.string("must be a text").transform((value) => (value === "" ? undefined : value));
  return { schema, fallback: undefined, doc, sensitive: false, print: (value) => (value === undefined ? '""' : printText(value)) };
}

/** An optional text that is never shown: a password or a token. */
export function secret(doc: string): Setting<string | undefined> {
  return { ...optionalText(doc), sensitive: true };
}

/** An integer from `low` to `high`, both included. */
export function integer(low: number, high: number) {
  const parse = (value: unknown): number | undefined => {
    const number = typeof value === "string" && /^-?\d{1,16}$/.test(value.trim()) ? Number(value) : value;
    return Number.isInteger(number) && (number as number) >= low && (number as number) <= high ? (number as number) : undefined;
  };
  return kind<number>(`an integer from ${low} to ${high}`, parse, String);
}

/** A TCP port; 0 lets the operating system choose. */
export const port = integer(0, 65_535);

/** `true` or `false`. */
export const flag = kind<boolean>(
  "true or false",
  (value) => {
    const word = typeof value === "string" ? value.trim().toLowerCase() : value;
    if (word === true || word === "true" || word === "1") return true;
    return word === false || word === "false" || word === "0" ? false : undefined;
  },
  String,
);

/** One of `words`. */
export function choice<const W extends readonly string[]>(words: W) {
  const parse = (value: unknown): W[number] | undefined => words.find((word) => word === value);
  return kind<W[number]>(`one of ${words.map((word) => `"${word}"`).join(", ")}`, parse, printText);
}

/** A span of whole milliseconds such as `"10s"`, from `lowMs` to `highMs`. */
export function duration(lowMs: DurationMs, highMs: DurationMs) {
  const parse = (value: unknown): DurationMs | undefined => {
    const ns = typeof value === "string" ? parseDuration(value) : undefined;
    if (ns === undefined || ns % NS_PER_MS !== 0n) return undefined;
    const ms = Number(ns / NS_PER_MS);
    return ms >= lowMs && ms <= highMs ? ms : undefined;
  };
  const range = `from ${printDuration(lowMs)} to ${printDuration(highMs)}`;
  return kind<DurationMs>(`a duration such as "10s" ${range}`, parse, (ms) => printText(printDuration(ms)));
}

function printDuration(ms: DurationMs): string {
  return formatDuration(BigInt(ms) * NS_PER_MS);
}

const BYTE_UNITS: readonly (readonly [suffix: string, bytes: number])[] = [
  ["TiB", 2 ** 40],
  ["GiB", 2 ** 30],
  ["MiB", 2 ** 20],
  ["KiB", 2 ** 10],
  ["GB", 1e9],
  ["MB", 1e6],
  ["kB", 1e3],
  ["B", 1],
];

/** A size such as `"64MiB"`, `"1.5GB"` or a number of bytes, from `low` to `high` bytes. */
export function byteSize(low: ByteCount, high: ByteCount) {
  const parse = (value: unknown): ByteCount | undefined => {
    const bytes = typeof value === "string" ? parseByteSize(value) : value;
    return Number.isInteger(bytes) && (bytes as number) >= low && (bytes as number) <= high ? (bytes as number) : undefined;
  };
  const range = `from ${formatByteSize(low)} to ${formatByteSize(high)}`;
  return kind<ByteCount>(`a size such as "64MiB" ${range}`, parse, (bytes) => printText(formatByteSize(bytes)));
}

/** The bytes of `"64MiB"`, `"1.5 GB"` or `"4096"`; `undefined` if `text` is no size or not a whole number of bytes. */
export function parseByteSize(text: string): ByteCount | undefined {
  const match = /^(\d{1,12})(?:\.(\d{1,6}))?\s*([kmgt]?i?b)?$/i.exec(text.trim());
  if (match === null) return undefined;
  const suffix = (match[3] ?? "B").toLowerCase();
  const unit = BYTE_UNITS.find(([name]) => name.toLowerCase() === suffix)?.[1];
  if (unit === undefined) return undefined;
  const scale = 10 ** (match[2]?.length ?? 0);
  const bytes = (Number(match[1] + (match[2] ?? "")) * unit) / scale;
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** The size in the largest binary unit that divides it: `64MiB`, `1000B`. */
export function formatByteSize(bytes: ByteCount): string {
  const unit = BYTE_UNITS.find(([suffix, size]) => (suffix.includes("i") || size === 1) && bytes >= size && bytes % size === 0);
  return unit === undefined ? `${bytes}B` : `${bytes / unit[1]}${unit[0]}`;
}

/** A list of texts: a TOML array, or one text with commas. */
export const textList = kind<readonly string[]>(
  "a list of texts",
  (value) => {
    const items = typeof value === "string" ? value.split(",").map((item) => item.trim()) : value;
    if (!Array.isArray(items)) return undefined;
    const texts = items.filter((item): item is string => typeof item === "string" && item !== "");
    return texts.length === items.length ? Object.freeze(texts) : undefined;
  },
  (value) => JSON.stringify(value),
);

/** A value of a table whose shape is somebody else's, such as a part of a Kubernetes manifest. */
export type Tree = string | number | boolean | readonly Tree[] | { readonly [name: string]: Tree };
/** A table of such values. */
export type TreeTable = { readonly [name: string]: Tree };

/** Texts by name: a TOML table, or JSON text. */
export const textTable = kind<Readonly<Record<string, string>>>(
  "a table of texts",
  (value) => {
    const table = readTree(value);
    if (!isTable(table)) return undefined;
    const texts = Object.entries(table).flatMap(([name, item]) => (typeof item === "string" ? [[name, item] as const] : []));
    return texts.length === Object.keys(table).length ? Object.freeze(Object.fromEntries(texts)) : undefined;
  },
  printTree,
);

/** A table of any depth: a TOML table, or JSON text. */
export const treeTable = kind<TreeTable>(
  "a table",
  (value) => {
    const table = readTree(value);
    return isTable(table) ? table : undefined;
  },
  printTree,
);

/** A list of tables: a TOML array of tables, or JSON text. */
export const tableList = kind<readonly TreeTable[]>(
  "a list of tables",
  (value) => {
    const list = readTree(value);
    if (!Array.isArray(list)) return undefined;
    const tables = (list as readonly Tree[]).filter(isTable);
    return tables.length === list.length ? Object.freeze(tables) : undefined;
  },
  printTree,
);

function isTable(tree: Tree | undefined): tree is TreeTable {
  return typeof tree === "object" && !Array.isArray(tree);
}

/** `value` if it is made of tables, lists, texts, numbers and truth values alone; from a text, as JSON. */
function readTree(value: unknown): Tree | undefined {
  if (typeof value !== "string") return toTree(value);
  try {
    return toTree(JSON.parse(value));
  } catch {
    return undefined;
  }
}

function toTree(value: unknown): Tree | undefined {
  if (typeof value === "bigint") return Number(value);
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") return value;
  if (typeof value !== "object" || value === null) return undefined;
  const items = Object.entries(value).map(([name, item]) => [name, toTree(item)] as const);
  if (items.some(([, item]) => item === undefined)) return undefined;
  return Array.isArray(value) ? items.map(([, item]) => item as Tree) : (Object.fromEntries(items) as TreeTable);
}

/** As TOML in one line: https://toml.io/en/v1.0.0#inline-table. */
function printTree(tree: Tree): string {
  if (typeof tree !== "object") return JSON.stringify(tree);
  if (Array.isArray(tree)) return `[${(tree as readonly Tree[]).map(printTree).join(", ")}]`;
  const items = Object.entries(tree).map(([name, item]) => `${JSON.stringify(name)} = ${printTree(item)}`);
  return items.length === 0 ? "{}" : `{ ${items.join(", ")} }`;
}

function nonEmptyText(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
