/**
 * Random NDJSON for declared tables: every value a column can have, spelled in every way JSON allows, with NULLs, missing keys, unknown
 * nested fields, shuffled keys and white space. Event time is out of order by less than the table's watermark delay, so no row is late.
 */
import type { Prng } from "../../src/core/prng.ts";
import { formatDate, formatTimeOfDay, formatTimestamp } from "../../src/core/time.ts";
import { type DataType, type Field, isInteger } from "../../src/data/data-type.ts";
import type { SourceTable } from "./oracle-programs.ts";
import { randomFloat, randomInteger, randomText } from "./random-values.ts";

/** How to make the rows of a table. */
export interface NdjsonOptions {
  readonly rows: number;
  /** Bad lines in a thousand. Default 0. */
  readonly badPerMille?: number;
  /** First event time; rows follow every `stepNs`. */
  readonly startNs: bigint;
  readonly stepNs: bigint;
}

const UNKNOWN_KEYS = ["unknown", "C0", "c00", "", "ключ", "c\\u0030x"];
const UNKNOWN_VALUES = [
  "null",
  "1",
  "-0.5e+10",
  "[]",
  "{}",
  '"x\\"y"',
  '[1,[2,{"a":"]"}],{}]',
  '{"c0":1,"c1":{"c2":[{}]}}',
  '"\\\\"',
  "true",
];
const BAD_LINES = [
  "{",
  "}",
  '{"c0":',
  '{"c0" 1}',
  "[1]",
  "1",
  '"text"',
  "nul",
  '{"c0":1}}',
  '{"a":"unterminated}',
  "{,}",
  '{"a":1,}',
  "\u0000",
];

/** `text` as a JSON string: plain, or with some characters escaped in one of the permitted ways. */
export function spellText(prng: Prng, text: string): string {
  const plain = JSON.stringify(text);
  if (!prng.chance(1, 4)) return plain;
  const hex = (c: string): string => {
    const units = c.split("").map((unit) => unit.charCodeAt(0).toString(16).padStart(4, "0"));
    return units.map((digits) => `\\u${prng.chance(1, 2) ? digits : digits.toUpperCase()}`).join("");
  };
  const body = plain.slice(1, -1).replace(/\\u[0-9a-f]{4}|\\.|\//g, (part) => (part === "/" ? "\\/" : part));
  const spelled = body.replace(/(\\u[0-9a-f]{4}|\\.)|([^\0-\x7f]|[a-z])/gu, (_, escaped: string | undefined, c: string) => {
    return escaped ?? (prng.chance(1, 2) ? hex(c) : c);
  });
  return `"${spelled}"`;
}

/** An integer with a fraction or exponent that changes nothing, now and then. */
function spellInteger(prng: Prng, value: bigint): string {
  if (!prng.chance(1, 15)) return value.toString();
  if (value % 10n === 0n && value !== 0n && prng.chance(1, 2)) return `${value / 10n}e${prng.pick(["1", "+1", "01"])}`;
  return value === 0n ? prng.pick(["-0", "0.0", "0e5"]) : prng.pick([`${value}.0`, `${value}.00e0`, `${value}0E-1`]);
}

function spellFloat(prng: Prng, value: number): string {
  if (prng.chance(1, 6)) return value.toExponential();
  return prng.chance(1, 30)
    ? prng.pick(["-0.0", "1e-400", "0.1000000000000000055511151231257827", "123456789012345678901234567890"])
    : String(value);
}

function spellTimestamp(prng: Prng, ns: bigint): string {
  const text = formatTimestamp(ns);
  return `"${prng.pick([text, text, `${text}Z`, text.replace("T", " "), `${text}+00:00`])}"`;
}

function spellValue(prng: Prng, type: DataType): string {
  if (isInteger(type)) {
    const value = prng.chance(1, 6) ? randomInteger(prng, type) : BigInt(prng.between(type.kind.startsWith("u") ? 0 : -20, 100));
    return spellInteger(prng, value);
  }
  switch (type.kind) {
    case "boolean":
      return prng.pick(["true", "false"]);
    case "float32":
    case "float64":
      return spellFloat(prng, randomFloat(prng));
    case "timestamp":
      return spellTimestamp(prng, 1_677_628_800_000_000_000n + BigInt(prng.between(-200_000_000, 200_000_000)) * 1_000_001n);
    case "date":
      return `"${formatDate(prng.between(-20_000, 40_000))}"`;
    case "time":
      return `"${formatTimeOfDay(BigInt(prng.below(86_400_000)) * 1_000_000n)}"`;
    case "json":
      return prng.pick(UNKNOWN_VALUES.filter((value) => value !== "null"));
    case "struct":
      return spellObject(prng, type.fields, undefined);
    default:
      return spellText(prng, randomText(prng, 12));
  }
}

/** An object with `fields`; `time` is the text of the field at index 0. */
function spellObject(prng: Prng, fields: readonly Field[], time: string | undefined): string {
  const spaces = prng.chance(1, 8);
  const space = (): string => (spaces ? prng.pick(["", " ", "  ", "\t", "\r"]) : "");
  let members = fields.flatMap((field, index) => {
    const isNull = field.nullable && prng.chance(1, 8);
    if (isNull && prng.chance(1, 2)) return [];
    const value = index === 0 && time !== undefined ? time : isNull ? "null" : spellValue(prng, field.type);
    return [`${space()}${JSON.stringify(field.name)}${space()}:${space()}${value}${space()}`];
  });
  if (prng.chance(1, 8)) members.splice(prng.below(members.length + 1), 0, `"${prng.pick(UNKNOWN_KEYS)}":${prng.pick(UNKNOWN_VALUES)}`);
  if (prng.chance(1, 6)) members = prng.shuffle(members);
  if (prng.chance(1, 30)) members.unshift(...duplicates(prng, fields));
  return `{${members.join(",")}}`;
}

/** An earlier value for a key that comes again: the later one counts, also where it is NULL. A missing key is left missing. */
function duplicates(prng: Prng, fields: readonly Field[]): string[] {
  const field = prng.pick(fields);
  if (field.type.kind === "struct" || field.nullable) return [];
  return [`${JSON.stringify(field.name)}:${spellValue(prng, field.type)}`];
}

/** The lines of a table, each ended by a newline except, now and then, the last. */
export function randomNdjson(prng: Prng, table: SourceTable, options: NdjsonOptions): Uint8Array {
  const bound = Number((table.delayNs ?? 0n) / 2_000_000n);
  const lines: string[] = [];
  for (let i = 0; i < options.rows; i++) {
    if (prng.chance(options.badPerMille ?? 0, 1000)) lines.push(prng.pick(BAD_LINES));
    if (prng.chance(1, 40)) lines.push(prng.pick(["", "  "]));
    const jitter = BigInt(prng.between(-bound, bound)) * 1_000_000n;
    const time = table.eventTime === undefined ? undefined : spellTimestamp(prng, options.startNs + BigInt(i) * options.stepNs + jitter);
    const line = spellObject(prng, table.fields, time);
    lines.push(line);
    if (prng.chance(1, 20)) lines.push(line);
  }
  return Buffer.from(lines.join("\n") + (prng.chance(1, 4) ? "" : "\n"));
}
