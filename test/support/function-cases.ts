/**
 * Every scalar function of the registry in every overload, every cast that the binder lets pass, and IN, each as one expression over the
 * columns of one table, with the values worth trying. The table of overloads is total by its type: a function that is added to the registry
 * does not compile until it stands here.
 */
import type { Prng } from "../../src/core/prng.ts";
import {
  BOOLEAN,
  DATE,
  FLOAT64,
  INT32,
  INT64,
  integerRange,
  isInteger,
  printType,
  type ScalarType,
  TEXT,
  TIMESTAMP,
} from "../../src/data/data-type.ts";
import type { Column } from "../../src/data/schema.ts";
import type { Expression, IntervalValue, LiteralExpression, LiteralValue } from "../../src/program/expression.ts";
import { SCALAR_FUNCTIONS, type ScalarFunctionName } from "../../src/program/scalar-function.ts";
import { isCastable } from "../../src/sql/binder/coercion.ts";
import { call, column, literal } from "./oracle-programs.ts";

const FLOAT32: ScalarType = { kind: "float32" };
const JSON_TYPE: ScalarType = { kind: "json" };
const TIME: ScalarType = { kind: "time" };
const INTEGERS = (["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"] as const).map((kind) => ({ kind }));
const NUMBERS: readonly ScalarType[] = [...INTEGERS, FLOAT32, FLOAT64];
const ALL: readonly ScalarType[] = [BOOLEAN, ...NUMBERS, TEXT, JSON_TYPE, TIMESTAMP, DATE, TIME];

/** Operands that an expression can have of one type. */
const OPERANDS = 3;
/** Values of an operand: as they stand in a row, floats as text, because JSON has neither NaN nor infinities. */
type Cell = bigint | string | boolean | null;

/** One expression and what it reads. */
export interface FunctionCase {
  readonly name: string;
  /** The function it is a case of; undefined for casts, IN and CASE. */
  readonly function: ScalarFunctionName | undefined;
  readonly expression: Expression;
  /** Columns that it reads, each with the values to try. */
  readonly operands: readonly { readonly column: number; readonly values: readonly Cell[] }[];
}

/** Columns that every table of cases begins with: the row's number, and the case that the row is for. */
const LEADING: readonly Column[] = [
  { name: "id", type: INT64, nullable: false },
  { name: "chosen", type: INT32, nullable: false },
];

/** Columns of the table: operands of every type, those of floats as text. */
export const CASE_COLUMNS: readonly Column[] = [
  ...LEADING,
  ...ALL.flatMap((type) =>
    Array.from({ length: OPERANDS }, (_, i) => ({ name: `${type.kind}_${i}`, type: isFloat(type) ? TEXT : type, nullable: true })),
  ),
];

function isFloat(type: ScalarType): boolean {
  return type.kind === "float32" || type.kind === "float64";
}

const FLOATS =
  "0 -0 1 -1 0.5 -0.5 1.5 2.5 -2.5 0.1 3.7 -3.7 1e16 123456.75 16777217 1e300 -1e300 5e-324 1e-40 9007199254740993 9223372036854775807 -9223372036854775808 18446744073709551616 127.9 -128.9 65535.5 NaN inf -inf 0.49999999999999994 4503599627370497.5 1e-7 1e21";
const TEXTS = [
  ..."|a|ab|abc|A|aXbXc| a |12|-7|+5|1.5|1e3| 42 |007|-0|9223372036854775807|-9223372036854775808|9223372036854775808|18446744073709551615|256|-129|4294967296".split(
    "|",
  ),
  ..."1e400|1e-400|nan|NaN|inf|-Infinity|.5|5.|1e|0x10|true|FALSE|t|f|yes|no|on|off|1|0|2023-01-31|2024-02-29|2023-02-29|2023-01-01T00:00:00".split(
    "|",
  ),
  ..."2023-01-01 12:34:56.789|2023-01-01T00:00:00.123456789Z|2023-01-01T00:00:00+05:30|1677-09-21T00:12:43.145224192|2262-04-11T23:47:16.854775807|2262-04-12|12:34|12:34:56.789|24:00:00|23:59:59.999999999|0001-01-01|9999-12-31".split(
    "|",
  ),
  ..."ünïcödé|日本語|🎉🎊|a🌍b|ß|İ|ΑΣ|👩‍🚀|%|_|\\|a%c|a_c|\t x\n|,a,,b,|xyxyx".split("|"),
];
const PATTERNS = ["", "%", "_", "a%", "%c", "a_c", "%b%", "a\\%c", "\\", "%\\_%", "__", "%🌍%", "_🌍_", "A%C", "%x%x%"];
const SECOND = 1_000_000_000n;
const TIMESTAMPS = [
  0n,
  -1n,
  1n,
  951_782_400n * SECOND,
  1_709_164_799n * SECOND + 999_999_999n,
  1_704_067_200n * SECOND,
  -62_135_596n * SECOND,
  1_677_628_800_123_456_789n,
  -(2n ** 63n),
  2n ** 63n - 1n,
  -3_600n * SECOND - 5n,
];

/** Values of a type that are worth trying, NULL last. */
function valuesOf(type: ScalarType): readonly Cell[] {
  if (isInteger(type)) {
    const { min, max } = integerRange(type.kind);
    const near = [0n, 1n, 2n, 3n, 7n, 100n, -1n, -7n, min, min + 1n, max, max - 1n, 2n ** 31n, 2n ** 53n + 1n, 10n ** 9n, 9_223_372_036n];
    return [...new Set(near.filter((n) => n >= min && n <= max)), null];
  }
  switch (type.kind) {
    case "boolean":
      return [true, false, null];
    case "float32":
    case "float64":
      return [...FLOATS.split(" "), null];
    case "timestamp":
      return [...TIMESTAMPS, null];
    case "date":
      return [0n, -1n, 59n, 19_782n, 106_751n, 106_752n, -106_752n, -106_751n, 2_932_896n, -719_162n, null];
    case "time":
      return [0n, 1n, 45_296_789_000_000n, 86_399_999_999_999n, null];
    case "json":
      return ['{"a":[1,"x"]}', "12", "true", '"text"', "-1.5e3", null];
    default:
      return [...TEXTS, null];
  }
}

/** A parameter: any operand of a type, an operand of chosen values, or a literal. */
type Parameter = ScalarType | { readonly type: ScalarType; readonly values: readonly Cell[] } | LiteralExpression;

interface Overload {
  readonly parameters: readonly Parameter[];
  readonly type: ScalarType;
}

const over = (type: ScalarType, ...parameters: readonly Parameter[]): Overload => ({ type, parameters });
const interval = (months: number, days: number, ns: bigint): LiteralExpression =>
  literal({ months, days, ns } satisfies IntervalValue, { kind: "interval" });
const text = (value: string): LiteralExpression => literal(value, TEXT);

const same = (types: readonly ScalarType[], count: number): readonly Overload[] =>
  types.map((t) => over(t, ...Array.from({ length: count }, () => t)));
const compared = ALL.map((t) => over(BOOLEAN, t, t));
const floats = [over(FLOAT64, FLOAT64)];
const logic = [
  over(BOOLEAN, BOOLEAN, BOOLEAN),
  over(BOOLEAN, literal(null, BOOLEAN), BOOLEAN),
  over(BOOLEAN, BOOLEAN, literal(true, BOOLEAN)),
];
const test = [over(BOOLEAN, BOOLEAN)];
const chosen = [...same(ALL, 1), ...same(ALL, 2), ...same(ALL, 3), ...ALL.map((t) => over(t, literal(null, t), t))];
const matched = [over(BOOLEAN, TEXT, { type: TEXT, values: [...PATTERNS, null] }), ...PATTERNS.map((p) => over(BOOLEAN, TEXT, text(p)))];
const WORDS = { type: TEXT, values: ["", "a", "X", ",", "xy", "🌍", "ab", "\\", "é", null] };
const COUNTS = { type: INT64, values: [0n, 1n, 2n, 3n, 20n, -1n, -2n, 2n ** 31n, 2n ** 32n + 1n, 2n ** 63n - 1n, -(2n ** 63n), null] };
const found = [over(BOOLEAN, TEXT, WORDS)];
const oneText = [over(TEXT, TEXT)];
const trimmed = [over(TEXT, TEXT), over(TEXT, TEXT, WORDS)];
const counted = [over(TEXT, TEXT, COUNTS)];
const padded = [over(TEXT, TEXT, COUNTS, WORDS)];
const INTERVALS = [
  interval(0, 0, 0n),
  interval(1, 0, 0n),
  interval(-13, 5, -SECOND),
  interval(0, 3, 7n),
  interval(0, -40, SECOND),
  interval(1200, 0, 1n),
];
const moved = INTERVALS.map((by) => over(TIMESTAMP, TIMESTAMP, by));
const UNITS = ["microsecond", "millisecond", "second", "minute", "hour", "day", "week", "month", "quarter", "year"];
const PARTS = ["year", "quarter", "month", "week", "day", "doy", "dow", "isodow", "hour", "minute", "second", "millisecond", "microsecond"];
const STRIDES = [interval(0, 0, 1n), interval(0, 0, 90n * SECOND), interval(0, 7, 0n), interval(0, 1, 3_600n * SECOND)];
const fromInteger = [over(TIMESTAMP, INT64)];

const OVERLOADS: Readonly<Record<ScalarFunctionName, readonly Overload[]>> = {
  add: same(NUMBERS, 2),
  subtract: same(NUMBERS, 2),
  multiply: same(NUMBERS, 2),
  divide: same(NUMBERS, 2),
  modulo: same(NUMBERS, 2),
  negate: same(NUMBERS, 1),
  eq: compared,
  ne: compared,
  lt: compared,
  le: compared,
  gt: compared,
  ge: compared,
  is_distinct: [...compared, ...ALL.map((t) => over(BOOLEAN, t, literal(null, t)))],
  and: logic,
  or: logic,
  not: test,
  is_null: ALL.map((t) => over(BOOLEAN, t)),
  is_true: test,
  is_false: test,
  coalesce: chosen,
  greatest: chosen,
  least: chosen,
  nullif: [...same(ALL, 2), ...ALL.map((t) => over(t, t, literal(null, t)))],
  abs: same(NUMBERS, 1),
  signum: floats,
  ceil: floats,
  floor: floats,
  trunc: floats,
  round: [...floats, over(FLOAT64, FLOAT64, { type: INT64, values: [0n, 1n, 2n, 6n, -1n, -3n, 300n, -300n, 400n, null] })],
  sqrt: floats,
  exp: floats,
  ln: floats,
  log10: floats,
  log2: floats,
  power: [over(FLOAT64, FLOAT64, FLOAT64)],
  bit_and: same(INTEGERS, 2),
  bit_or: same(INTEGERS, 2),
  bit_xor: same(INTEGERS, 2),
  like: matched,
  ilike: matched,
  concat: [over(TEXT, TEXT), over(TEXT, WORDS, WORDS), over(TEXT, WORDS, literal(null, TEXT), WORDS, WORDS)],
  concat_operator: [over(TEXT, TEXT, WORDS)],
  lower: oneText,
  upper: oneText,
  char_length: [over(INT64, TEXT)],
  octet_length: [over(INT64, TEXT)],
  substr: [over(TEXT, TEXT, COUNTS), over(TEXT, WORDS, COUNTS, COUNTS), over(TEXT, TEXT, COUNTS, COUNTS)],
  left: counted,
  right: counted,
  btrim: trimmed,
  ltrim: trimmed,
  rtrim: trimmed,
  starts_with: found,
  ends_with: found,
  contains: found,
  strpos: [over(INT64, TEXT, WORDS)],
  replace: [over(TEXT, TEXT, WORDS, WORDS)],
  split_part: [over(TEXT, TEXT, WORDS, COUNTS)],
  reverse: oneText,
  repeat: [over(TEXT, WORDS, COUNTS), over(TEXT, TEXT, { type: INT64, values: [3n, 300n, 2n ** 20n + 1n, null] })],
  lpad: padded,
  rpad: padded,
  timestamp_add_interval: moved,
  timestamp_subtract_interval: moved,
  timestamp_diff_ns: [over(INT64, TIMESTAMP, TIMESTAMP)],
  date_trunc: UNITS.map((unit) => over(TIMESTAMP, text(unit), TIMESTAMP)),
  date_part: [...PARTS.map((unit) => over(INT32, text(unit), TIMESTAMP)), over(FLOAT64, text("epoch"), TIMESTAMP)],
  date_bin: STRIDES.map((stride) => over(TIMESTAMP, stride, TIMESTAMP, TIMESTAMP)),
  to_timestamp_seconds: fromInteger,
  to_timestamp_millis: fromInteger,
  to_timestamp_micros: fromInteger,
  to_timestamp_nanos: fromInteger,
  to_unixtime: [over(INT64, TIMESTAMP)],
};

const PRESENT: Readonly<Record<string, LiteralValue>> = { boolean: true, text: "p", json: "{}", float32: 1, float64: 1 };

/** Gathers the operands of one expression. */
class Operands {
  readonly used: { column: number; values: readonly Cell[] }[] = [];
  readonly #count = new Map<string, number>();
  /** Makes operands that cannot be NULL: other code is generated for them. */
  readonly #present: boolean;

  constructor(present: boolean) {
    this.#present = present;
  }

  take(parameter: Parameter): Expression {
    if ("value" in parameter) return parameter;
    const { type, values } =
      "values" in parameter ? parameter : { type: parameter as ScalarType, values: valuesOf(parameter as ScalarType) };
    const number = this.#count.get(type.kind) ?? 0;
    this.#count.set(type.kind, number + 1);
    const index = CASE_COLUMNS.findIndex((c) => c.name === `${type.kind}_${number}`);
    this.used.push({ column: index, values });
    const read = column(index, isFloat(type) ? TEXT : type);
    const value: Expression = isFloat(type) ? { kind: "cast", value: read, safe: false, type, nullable: true } : read;
    return this.#present ? call("coalesce", [value, literal(PRESENT[type.kind] ?? 1n, type)], type) : value;
  }
}

function functionCases(present: boolean): readonly FunctionCase[] {
  return (Object.keys(SCALAR_FUNCTIONS) as ScalarFunctionName[]).flatMap((name) =>
    OVERLOADS[name].map(({ parameters, type }) => {
      const operands = new Operands(present);
      const expression = call(
        name,
        parameters.map((p) => operands.take(p)),
        type,
      );
      return { name: `${name}(${parameters.map(describe).join(", ")})`, function: name, expression, operands: operands.used };
    }),
  );
}

function describe(parameter: Parameter): string {
  if ("value" in parameter) return JSON.stringify(parameter.value, (_, v: unknown) => (typeof v === "bigint" ? `${v}` : v));
  return printType("values" in parameter ? parameter.type : (parameter as ScalarType));
}

function castCases(present: boolean): readonly FunctionCase[] {
  const pairs = ALL.flatMap((from) =>
    ALL.filter((to) => printType(to) !== printType(from) && isCastable(from, to)).map((to) => [from, to] as const),
  );
  return pairs.flatMap(([from, to]) =>
    [false, true].map((safe) => {
      const operands = new Operands(present);
      const value = operands.take(from);
      const expression: Expression = { kind: "cast", value, safe, type: to, nullable: value.nullable || safe };
      return {
        name: `${safe ? "try_" : ""}cast(${printType(from)} as ${printType(to)})`,
        function: undefined,
        expression,
        operands: operands.used,
      };
    }),
  );
}

function asLiteral(cell: Cell, type: ScalarType): LiteralExpression {
  if (!isFloat(type)) return literal(cell, type);
  const value = Number(String(cell).replace("inf", "Infinity"));
  return literal(type.kind === "float32" ? Math.fround(value) : value, type);
}

/** Short lists, and long ones, which integers search by halves. */
function inCases(present: boolean): readonly FunctionCase[] {
  return ALL.flatMap((type) =>
    [2, 12].map((length) => {
      const operands = new Operands(present);
      const value = operands.take(type);
      const list = valuesOf(type).slice(0, -1).slice(-length);
      const expression: Expression = {
        kind: "in",
        value,
        list: list.map((v) => asLiteral(v, type)),
        type: BOOLEAN,
        nullable: value.nullable,
      };
      return { name: `${printType(type)} in ${list.length} literals`, function: undefined, expression, operands: operands.used };
    }),
  );
}

function caseCases(): readonly FunctionCase[] {
  return ALL.map((type) => {
    const operands = new Operands(false);
    const condition = operands.take(BOOLEAN);
    const [value, otherwise] = [operands.take(type), operands.take(type)];
    const expression: Expression = { kind: "case", branches: [{ condition, value }], otherwise, type, nullable: true };
    return { name: `case of ${printType(type)}`, function: undefined, expression, operands: operands.used };
  });
}

/** All cases. Every function once with operands that can be NULL, once with operands that cannot. */
export function allFunctionCases(): readonly FunctionCase[] {
  const both = (make: (present: boolean) => readonly FunctionCase[]): readonly FunctionCase[] => [...make(false), ...make(true)];
  return [...both(functionCases), ...both(castCases), ...both(inCases), ...caseCases()];
}

/** Operand values by column for the rows of a case: all combinations, or `most` of them by chance. */
export function rowsOf(prng: Prng, { operands }: FunctionCase, most: number): readonly ReadonlyMap<number, Cell>[] {
  const total = operands.reduce((product, { values }) => product * values.length, 1);
  const combination = (n: number): ReadonlyMap<number, Cell> => {
    const row = new Map<number, Cell>();
    let rest = n;
    for (const { column: index, values } of operands) {
      row.set(index, values[rest % values.length] ?? null);
      rest = Math.floor(rest / values.length);
    }
    return row;
  };
  if (total <= most) return Array.from({ length: total }, (_, n) => combination(n));
  return Array.from({ length: most }, () => combination(prng.below(total)));
}
