/**
 * Random tables and lines for fuzzing the JSON scanner: every column type, nested structs, projections, and lines from well-formed in
 * the expected order (the scanner's fast path) to noise. What a line means is for the reference reader to say.
 */
import type { Prng } from "../../src/core/prng.ts";
import { formatDate, formatTimeOfDay, formatTimestamp } from "../../src/core/time.ts";
import type { DataType, Field, ScalarType } from "../../src/data/data-type.ts";
import { integerRange, integerShape, isInteger } from "../../src/data/data-type.ts";
import { flatten } from "../../src/data/schema.ts";
import { spellText } from "./random-ndjson.ts";
import { randomText } from "./random-values.ts";
import type { ScanTable } from "./scan-runner.ts";

/** A table, and the fields it was made of: all of them, to spell lines of. */
export interface RandomTable extends ScanTable {
  readonly fields: readonly Field[];
  readonly timestampFormat: "rfc3339" | "unix_millis";
}

const KINDS = [
  ...["int8", "int16", "int32", "int64", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64", "boolean"],
  ...["text", "text", "json", "timestamp", "timestamp", "date", "time"],
];
const NAMES = [
  "id",
  "a",
  "value",
  "b",
  "longer_name",
  "ключ",
  'quo"te',
  "back\\slash",
  "c0",
  "eight_by",
  "x y",
  "日本",
  "seventeen_bytes__",
];

function randomFields(prng: Prng, count: number, depth: number): Field[] {
  return prng
    .shuffle(NAMES)
    .slice(0, count)
    .map((name): Field => {
      const nullable = prng.chance(1, 2);
      if (depth > 0 && prng.chance(1, 5))
        return { name, nullable, type: { kind: "struct", fields: randomFields(prng, prng.between(1, 4), depth - 1) } };
      return { name, nullable, type: { kind: prng.pick(KINDS) } as ScalarType };
    });
}

/** Some of `fields`, in order, at least one. */
function project(prng: Prng, fields: readonly Field[]): Field[] {
  const kept = fields.filter(() => prng.chance(3, 4));
  return (kept.length === 0 ? fields.slice(0, 1) : kept).map((field) =>
    field.type.kind === "struct" ? { ...field, type: { kind: "struct", fields: project(prng, field.type.fields) } } : field,
  );
}

/** A random table, read whole or in part. */
export function randomTable(prng: Prng): RandomTable {
  const fields = randomFields(prng, prng.between(2, NAMES.length), 2);
  const read = prng.chance(1, 3) ? fields : project(prng, fields);
  const declared = fields.map((f) => ({
    name: f.name,
    type: f.type.kind === "struct" ? { kind: "struct" as const } : (f.type as ScalarType),
  }));
  return { ...flatten(read), fields, declared, timestampFormat: prng.pick(["rfc3339", "rfc3339", "unix_millis"]) };
}

const ODD_VALUES = [
  ...[
    "null",
    "true",
    "false",
    '""',
    "{}",
    "[]",
    "0",
    "-0",
    "1.5",
    '"x"',
    "1e2",
    "1.0",
    "-1",
    "nul",
    "truex",
    "tru",
    "nullnull",
    "01",
    "1.",
  ],
  ...[
    "1.5.5",
    "-",
    "+1",
    ".5",
    "1e",
    "1e+",
    "0x10",
    "NaN",
    "Infinity",
    "1e400",
    "-1e400",
    "1e-400",
    "[1,2,{}]",
    '{"a":{"b":[]}}',
    "[1,,2]",
  ],
  ...["[1,]", '{"a" 1}', '{"a":1,}', "[}", "{]", '"\\q"', '"\\ud800"', '"\\ud83d\\ude00"', '"\\u12"', '"a\tb"', "[ 1 , [ ] , { } ]", "'x'"],
  ...['{"a":1}', '{"id":null}', "[true,false,null,nul]", '{"a":1 "b":2}', '[["]"],"}"]', "18446744073709551616", "-9223372036854775809"],
  ...["9223372036854775807", "-9223372036854775808", "18446744073709551615", "123456789012345678901234567890", "0.1e1", "100e-2", "1E2"],
  ...[
    '"2023-02-30T00:00:00"',
    '"2023-01-01"',
    '"12:00:00"',
    '"2262-04-11T23:47:16.854775807"',
    '"2262-04-11T23:47:16.854775808"',
    '"\\u0032"',
  ],
  ...['"1677-09-21T00:12:43.145224192Z"', '"2023-01-01T00:00:60"', '"2023-01-01T25:00:00"', '"9999-12-31"', '"24:00:00"', '"2023-1-1"'],
];
const UNKNOWN_KEYS = ["unknown", "C0", "", "i", "idd", "ключи", "seventeen_bytes_"];

function spellScalar(prng: Prng, type: DataType, format: RandomTable["timestampFormat"]): string {
  if (isInteger(type)) {
    const { min, max } = integerRange(type.kind);
    if (prng.chance(1, 200)) return prng.pick([min - 1n, max + 1n, -1n]).toString();
    const { bits, signed } = integerShape(type.kind);
    const length = prng.between(1, bits);
    const value = prng.chance(1, 8)
      ? prng.pick([min, max, min + 1n, max - 1n, 0n])
      : signed
        ? BigInt.asIntN(length, prng.nextU64())
        : BigInt.asUintN(length, prng.nextU64());
    if (prng.chance(1, 40)) return prng.pick([`${value}.0`, `${value}e0`, `${value}0e-1`, `${value}.00`]);
    return value.toString();
  }
  switch (type.kind) {
    case "boolean":
      return prng.pick(["true", "false"]);
    case "float32":
    case "float64": {
      const view = new DataView(new ArrayBuffer(8));
      view.setBigUint64(0, prng.nextU64());
      const value = prng.chance(1, 2) ? prng.between(-1e6, 1e6) / 1000 : view.getFloat64(0);
      return Number.isFinite(value) ? prng.pick([String(value), value.toExponential(), value.toPrecision(17)]) : "1";
    }
    case "timestamp": {
      const ns = BigInt.asIntN(prng.pick([63, 62, 40]), prng.nextU64());
      if (format === "unix_millis") return prng.chance(1, 200) ? prng.nextU64().toString() : (ns / 1_000_000n).toString();
      const text = formatTimestamp(ns);
      return `"${prng.pick([text, text, `${text}Z`, text.replace("T", " "), `${text}+01:30`, text.slice(0, 19), text.slice(0, 10)])}"`;
    }
    case "date":
      return `"${formatDate(prng.between(-40_000, 80_000))}"`;
    case "time":
      return `"${formatTimeOfDay(prng.nextU64() % 86_400_000_000_000n)}"`;
    case "json":
      return prng.pick(['{"a":[1,2.5,"x"]}', "[]", '"text"', "12", "true", '{ "b" : null }', '"\u00fc\\n"']);
    default:
      return spellText(prng, randomText(prng, prng.pick([3, 12, 40])));
  }
}

/** How lines are spelled: blanks around tokens, how often something is out of the ordinary (in a hundred). */
interface Style {
  readonly blank: () => string;
  readonly odd: number;
}

function spellValue(prng: Prng, field: Field, format: RandomTable["timestampFormat"], style: Style): string {
  if (prng.chance(style.odd, 100)) return prng.pick(ODD_VALUES);
  if (field.nullable && prng.chance(1, 8)) return "null";
  if (field.type.kind === "struct") return spellObject(prng, field.type.fields, format, style);
  return spellScalar(prng, field.type, format);
}

function spellKey(prng: Prng, name: string, style: Style): string {
  return prng.chance(style.odd, 100) ? spellText(prng, name) : JSON.stringify(name);
}

function spellObject(prng: Prng, fields: readonly Field[], format: RandomTable["timestampFormat"], style: Style): string {
  const { blank, odd } = style;
  const member = (field: Field): string =>
    `${blank()}${spellKey(prng, field.name, style)}${blank()}:${blank()}${spellValue(prng, field, format, style)}${blank()}`;
  let members = fields.filter((f) => !(f.nullable && prng.chance(odd, 100))).map(member);
  if (prng.chance(odd, 50)) members.push(`${blank()}"${prng.pick(UNKNOWN_KEYS)}"${blank()}:${prng.pick(ODD_VALUES)}`);
  if (prng.chance(odd, 50)) members = prng.shuffle(members);
  if (prng.chance(odd, 50)) members.push(member(prng.pick(fields)));
  return `{${members.join(",")}${members.length === 0 ? blank() : ""}}`;
}

const MUTANT_BYTES = Buffer.from('{}[]",:\\ \t\r\n0179eE.+-ntfu/\0\x1f\x7f\x80\xbf\xc3\xe2\xf0\xff', "latin1");

/** `line` with a few bytes changed, taken out, put in, or cut off. */
function mutate(prng: Prng, line: Buffer): Buffer {
  let bytes = line;
  for (let n = prng.between(1, 3); n > 0 && bytes.length > 0; n--) {
    const at = prng.below(bytes.length);
    const noise = Buffer.from([prng.chance(1, 8) ? prng.below(256) : prng.pick([...MUTANT_BYTES])]);
    const skip = prng.pick([
      [noise, 1],
      [noise, 0],
      [Buffer.alloc(0), 1],
      [Buffer.alloc(0), prng.between(1, 9)],
    ] as const);
    bytes = prng.chance(1, 12) ? bytes.subarray(0, at) : Buffer.concat([bytes.subarray(0, at), skip[0], bytes.subarray(at + skip[1])]);
  }
  return bytes;
}

function randomLine(prng: Prng, table: RandomTable): Buffer {
  const none = (): string => "";
  const spell = (style: Style): Buffer => Buffer.from(spellObject(prng, table.fields, table.timestampFormat, style));
  const odd = prng.pick([0, 0, 1, 5, 20]);
  switch (prng.below(10)) {
    case 0:
    case 1:
    case 2:
      return spell({ blank: none, odd: 0 });
    case 3:
      return spell({ blank: () => prng.pick(["", "", " ", "  ", "\t", "\r"]), odd });
    case 4:
      return Buffer.from(spell({ blank: none, odd }).toString().replaceAll(',"', ', "').replaceAll('":', '": '));
    case 5:
    case 6:
      return mutate(prng, spell({ blank: none, odd: 0 }));
    case 7:
      return mutate(prng, spell({ blank: () => prng.pick(["", " "]), odd }));
    case 8:
      return spell({ blank: none, odd });
    default:
      return Buffer.from(
        prng.pick(["", "  ", "\r", "\t \r", "{}", "[1]", "12", "nul", '"x"', "{", "}", "{}{}", " {} ", prng.pick(ODD_VALUES)]),
      );
  }
}

/** `count` lines, mostly ended by a newline, some by CRLF; the last perhaps by nothing. */
export function randomLines(prng: Prng, table: RandomTable, count: number): Buffer {
  const parts: Buffer[] = [];
  for (let i = 0; i < count; i++) {
    parts.push(randomLine(prng, table));
    if (i < count - 1 || prng.chance(3, 4)) parts.push(Buffer.from(prng.chance(1, 20) ? "\r\n" : "\n"));
  }
  return Buffer.concat(parts);
}
