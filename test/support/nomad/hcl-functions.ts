/**
 * Functions of HCL2 in Nomad's jobs, those that templates of jobs use. Nomad has fewer than Terraform: no `regex`, no `startswith`, no `toset`; those
 * for files are refused by its API.
 */
import { createHash } from "node:crypto";
import type { HclValue } from "./hcl-syntax.ts";

/** A call fails with this text. */
export class HclFunctionError extends Error {
  /** The argument that is wrong, from 0, and its parameter's name; undefined: the call as a whole. */
  readonly argument: { readonly index: number; readonly name: string } | undefined;

  constructor(message: string, argument?: { readonly index: number; readonly name: string }) {
    super(message);
    this.argument = argument;
  }
}

type HclFunction = (...values: readonly HclValue[]) => HclValue;
type HclMap = { readonly [name: string]: HclValue };

function textOf(value: HclValue | undefined): string {
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  throw new HclFunctionError("string required");
}

function numberOf(value: HclValue | undefined): number {
  const number = typeof value === "string" && value !== "" ? Number(value) : value;
  if (typeof number === "number" && !Number.isNaN(number)) return number;
  throw new HclFunctionError("a number is required");
}

function listOf(value: HclValue | undefined): readonly HclValue[] {
  if (Array.isArray(value)) return value as readonly HclValue[];
  throw new HclFunctionError("list required");
}

function mapOf(value: HclValue | undefined): HclMap {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as HclMap;
  throw new HclFunctionError("map required");
}

const sortedNames = (value: HclValue | undefined) => Object.keys(mapOf(value)).sort();
const same = (left: HclValue, right: HclValue) => JSON.stringify(left) === JSON.stringify(right);
const distinct = (list: readonly HclValue[]) => list.filter((one, index) => list.findIndex((other) => same(one, other)) === index);

/** Regular expressions are RE2's; those of both languages are meant. */
function expressionOf(pattern: HclValue | undefined, flags: string): RegExp {
  try {
    return new RegExp(textOf(pattern), flags);
  } catch (error) {
    throw new HclFunctionError(error instanceof Error ? error.message : "invalid pattern");
  }
}

/** JSON as Go writes it: keys in order, `<`, `>` and `&` escaped. */
function json(value: HclValue): string {
  const ordered = (one: HclValue): HclValue => {
    if (Array.isArray(one)) return one.map((inner: HclValue) => ordered(inner));
    if (typeof one !== "object" || one === null) return one;
    return Object.fromEntries(sortedNames(one).map((name) => [name, ordered((one as HclMap)[name] ?? null)]));
  };
  return JSON.stringify(ordered(value)).replace(/[<>&]/g, (character) => `\\u00${character.charCodeAt(0).toString(16)}`);
}

function format(pattern: HclValue | undefined, ...values: readonly HclValue[]): string {
  let next = 0;
  return textOf(pattern).replace(
    /%(0?)(\d*)(?:\.(\d+))?([vdsqfx%])/g,
    (_all, zero: string, width: string, precision: string, verb: string) => {
      if (verb === "%") return "%";
      const value = values[next];
      next += 1;
      if (value === undefined) throw new HclFunctionError("not enough arguments for the format");
      const printed =
        verb === "q"
          ? JSON.stringify(textOf(value))
          : verb === "f"
            ? numberOf(value).toFixed(precision === "" || precision === undefined ? 6 : Number(precision))
            : verb === "x"
              ? numberOf(value).toString(16)
              : typeof value === "object"
                ? json(value)
                : String(value);
      return printed.padStart(Number(width), zero === "0" ? "0" : " ");
    },
  );
}

function lookup(map: HclValue | undefined, key: HclValue | undefined, fallback: HclValue | undefined): HclValue {
  const found = mapOf(map)[textOf(key)] ?? fallback;
  if (found === undefined) throw new HclFunctionError(`lookup failed to find key ${JSON.stringify(key)}`);
  return found;
}

function slice(list: HclValue | undefined, from: HclValue | undefined, to: HclValue | undefined): HclValue {
  const items = listOf(list);
  if (numberOf(to) > items.length || numberOf(from) > numberOf(to))
    throw new HclFunctionError("end index must not be greater than the length of the list");
  return items.slice(numberOf(from), numberOf(to));
}

function range(...values: readonly HclValue[]): HclValue {
  const [first = 0, second, step = 1] = values.map(numberOf);
  const [from, to] = second === undefined ? [0, first] : [first, second];
  const out: number[] = [];
  for (let at = from; step > 0 ? at < to : at > to; at += step) out.push(at);
  return out;
}

function replace(text: HclValue | undefined, from: HclValue | undefined, to: HclValue | undefined): string {
  return textOf(text).split(textOf(from)).join(textOf(to));
}

const hash =
  (algorithm: string): HclFunction =>
  (text) =>
    createHash(algorithm).update(textOf(text)).digest("hex");
const found = (list: readonly HclValue[], wanted: HclValue) => list.findIndex((one) => same(one, wanted));

const OF_TEXT: Readonly<Record<string, HclFunction>> = {
  lower: (text) => textOf(text).toLowerCase(),
  upper: (text) => textOf(text).toUpperCase(),
  title: (text) => textOf(text).replace(/\b\p{L}/gu, (letter) => letter.toUpperCase()),
  trimspace: (text) => textOf(text).trim(),
  trimprefix: (text, prefix) => (textOf(text).startsWith(textOf(prefix)) ? textOf(text).slice(textOf(prefix).length) : textOf(text)),
  trimsuffix: (text, suffix) =>
    textOf(text).endsWith(textOf(suffix)) ? textOf(text).slice(0, textOf(text).length - textOf(suffix).length) : textOf(text),
  trim: (text, cut) => {
    const cuts = new Set(textOf(cut));
    const letters = [...textOf(text)];
    while (cuts.has(letters[0] ?? "")) letters.shift();
    while (cuts.has(letters.at(-1) ?? "")) letters.pop();
    return letters.join("");
  },
  chomp: (text) => textOf(text).replace(/[\r\n]+$/, ""),
  strlen: (text) => [...textOf(text)].length,
  substr: (text, offset, length) => {
    const [from, count] = [numberOf(offset), numberOf(length)];
    const letters = [...textOf(text)].slice(from);
    return (count < 0 ? letters : letters.slice(0, count)).join("");
  },
  replace: (text, from, to) => replace(text, from, to),
  regex_replace: (text, pattern, to) => textOf(text).replace(expressionOf(pattern, "gu"), textOf(to).replace(/\$\{(\w+)\}/g, "$$$1")),
  split: (separator, text) => textOf(text).split(textOf(separator)),
  join: (separator, ...lists) => lists.flatMap(listOf).map(textOf).join(textOf(separator)),
  indent: (spaces, text) => textOf(text).replaceAll("\n", `\n${" ".repeat(numberOf(spaces))}`),
  format: (pattern, ...values) => format(pattern, ...values),
  formatlist: (pattern, ...values) => {
    const length = Math.max(...values.map((one) => (Array.isArray(one) ? one.length : 1)));
    return Array.from({ length }, (_none, index) =>
      format(pattern, ...values.map((one) => (Array.isArray(one) ? ((one as readonly HclValue[])[index] ?? null) : one))),
    );
  },
  jsonencode: (value) => json(value ?? null),
  jsondecode: (text) => {
    try {
      return JSON.parse(textOf(text)) as HclValue;
    } catch {
      throw new HclFunctionError("invalid JSON");
    }
  },
  base64encode: (text) => Buffer.from(textOf(text)).toString("base64"),
  base64decode: (text) => Buffer.from(textOf(text), "base64").toString(),
  urlencode: (text) => encodeURIComponent(textOf(text)).replaceAll("%20", "+"),
  md5: hash("md5"),
  sha1: hash("sha1"),
  sha256: hash("sha256"),
  sha512: hash("sha512"),
};

const OF_COLLECTIONS: Readonly<Record<string, HclFunction>> = {
  length: (value) =>
    typeof value === "string" ? [...value].length : Array.isArray(value) ? value.length : Object.keys(mapOf(value)).length,
  contains: (list, wanted) => found(listOf(list), wanted ?? null) >= 0,
  index: (list, wanted) => {
    const at = found(listOf(list), wanted ?? null);
    if (at < 0) throw new HclFunctionError("item not found");
    return at;
  },
  concat: (...lists) => lists.flatMap((list) => [...listOf(list)]),
  merge: (...maps) => Object.assign({}, ...maps.filter((map) => map !== null).map(mapOf)) as HclMap,
  keys: (map) => sortedNames(map),
  values: (map) => sortedNames(map).map((name) => mapOf(map)[name] ?? null),
  lookup: (map, key, fallback) => lookup(map, key, fallback),
  zipmap: (names, values) => Object.fromEntries(listOf(names).map((name, index) => [textOf(name), listOf(values)[index] ?? null])),
  element: (list, index) => {
    const items = listOf(list);
    if (items.length === 0) throw new HclFunctionError("cannot use element function with an empty list");
    return items[numberOf(index) % items.length] ?? null;
  },
  slice: (list, from, to) => slice(list, from, to),
  reverse: (list) => (typeof list === "string" ? [...list].reverse().join("") : [...listOf(list)].reverse()),
  sort: (list) => listOf(list).map(textOf).sort(),
  distinct: (list) => distinct(listOf(list)),
  compact: (list) => listOf(list).filter((one) => one !== null && one !== ""),
  flatten: (list) => listOf(list).flat(20) as readonly HclValue[],
  chunklist: (list, size) => chunks(listOf(list), numberOf(size)),
  coalesce: (...values) => {
    const first = values.find((one) => one !== null && one !== "");
    if (first === undefined) throw new HclFunctionError("no non-null arguments");
    return first;
  },
  coalescelist: (...lists) => lists.find((list) => listOf(list).length > 0) ?? [],
  setunion: (...sets) => distinct(sets.flatMap((set) => [...listOf(set)])),
  setintersection: (first, ...sets) => listOf(first).filter((one) => sets.every((set) => found(listOf(set), one) >= 0)),
  setproduct: (...sets) =>
    sets.reduce<readonly HclValue[]>((tuples, set) => tuples.flatMap((tuple) => listOf(set).map((one) => [...listOf(tuple), one])), [[]]),
  range: (...values) => range(...values),
};

function chunks(items: readonly HclValue[], size: number): HclValue[] {
  if (size < 1) return [items];
  return Array.from({ length: Math.ceil(items.length / size) }, (_none, index) => items.slice(index * size, (index + 1) * size));
}

const OF_NUMBERS: Readonly<Record<string, HclFunction>> = {
  abs: (value) => Math.abs(numberOf(value)),
  ceil: (value) => Math.ceil(numberOf(value)),
  floor: (value) => Math.floor(numberOf(value)),
  max: (...values) => Math.max(...values.map(numberOf)),
  min: (...values) => Math.min(...values.map(numberOf)),
  pow: (base, power) => numberOf(base) ** numberOf(power),
  log: (value, base) => Math.log(numberOf(value)) / Math.log(numberOf(base)),
  signum: (value) => Math.sign(numberOf(value)),
  parseint: (text, base) => {
    const number = Number.parseInt(textOf(text), numberOf(base));
    if (Number.isNaN(number)) {
      throw new HclFunctionError(`cannot parse ${JSON.stringify(text)} as a base ${numberOf(base)} integer`, { index: 0, name: "number" });
    }
    return number;
  },
};

/** Functions by name; `can` and `try` are the evaluation's own. */
export const HCL_FUNCTIONS: Readonly<Record<string, HclFunction>> = { ...OF_TEXT, ...OF_COLLECTIONS, ...OF_NUMBERS };
