/**
 * Random typed expressions over given columns, to a given depth. Every function of the registry can come up. What a profile leaves out:
 *
 * - `any`: nothing; row errors happen, but not in most rows
 * - `sql`: what SQL cannot say: the difference of timestamps as nanoseconds, casts of floats to BOOLEAN
 * - `total`: whatever can fail on some row, for expressions over changelogs, whose passing rows the oracle never sees
 * - `duckdb`: also whatever DuckDB computes differently or only approximately
 */
import type { Prng } from "../../src/core/prng.ts";
import { BOOLEAN, FLOAT64, INT64, integerRange, isInteger, type ScalarType, TEXT, TIMESTAMP } from "../../src/data/data-type.ts";
import type { Column } from "../../src/data/schema.ts";
import type { Expression, IntervalValue, LiteralExpression, LiteralValue } from "../../src/program/expression.ts";
import type { ScalarFunctionName } from "../../src/program/scalar-function.ts";
import { call, column, literal } from "./oracle-programs.ts";
import { randomInteger, randomSimpleText, randomText } from "./random-values.ts";

export type ExpressionProfile = "any" | "sql" | "total" | "duckdb";

const INTERVAL: ScalarType = { kind: "interval" };
const INT32: ScalarType = { kind: "int32" };
const COMPARISONS = ["eq", "ne", "lt", "le", "gt", "ge", "is_distinct"] as const;
const TRUNC_UNITS = ["microsecond", "millisecond", "second", "minute", "hour", "day", "week", "month", "quarter", "year"];
const PART_UNITS = ["year", "quarter", "month", "week", "day", "doy", "dow", "hour", "minute", "second", "millisecond", "microsecond"];

/** Types that expressions are made of. */
export const EXPRESSION_TYPES: readonly ScalarType[] = [
  BOOLEAN,
  { kind: "int8" },
  { kind: "int16" },
  INT32,
  INT64,
  { kind: "uint8" },
  { kind: "uint16" },
  { kind: "uint32" },
  { kind: "uint64" },
  { kind: "float32" },
  FLOAT64,
  TEXT,
  TIMESTAMP,
  { kind: "date" },
  { kind: "time" },
];

const interval = (value: Partial<IntervalValue>): LiteralExpression => literal({ months: 0, days: 0, ns: 0n, ...value }, INTERVAL);

/** Makes expressions over `columns` (the physical ones it may use, by index). */
export class ExpressionGenerator {
  readonly #prng: Prng;
  readonly #columns: readonly Column[];
  readonly #profile: ExpressionProfile;
  /** Whether row errors may happen. */
  readonly #isFallible: boolean;

  constructor(prng: Prng, columns: readonly Column[], profile: ExpressionProfile = "any") {
    this.#prng = prng;
    this.#columns = columns;
    this.#profile = profile;
    this.#isFallible = profile === "any" || profile === "sql";
  }

  /** An expression of `type`; `depth` 0 is a column or literal. */
  make(type: ScalarType, depth: number): Expression {
    if (depth <= 0 || this.#prng.chance(1, 8)) return this.leaf(type);
    switch (this.#prng.below(8)) {
      case 0:
        return this.#case(type, depth);
      case 1:
        return this.#choice(type, depth);
      case 2:
        return this.#cast(type, depth);
      default:
        return this.#call(type, depth);
    }
  }

  /** A column of `type` if there is one, mostly; else a literal. */
  leaf(type: ScalarType): Expression {
    const candidates = this.#columns.flatMap((c, index) => (c.type.kind === type.kind ? [column(index, c.type, c.nullable)] : []));
    return candidates.length > 0 && this.#prng.chance(4, 5) ? this.#prng.pick(candidates) : this.#literal(type);
  }

  #literal(type: ScalarType): LiteralExpression {
    return literal(this.#prng.chance(1, 12) ? null : this.#value(type), type);
  }

  #value(type: ScalarType): LiteralValue {
    const p = this.#prng;
    if (isInteger(type)) return p.chance(1, 10) && this.#isFallible ? randomInteger(p, type) : this.#small(type);
    switch (type.kind) {
      case "boolean":
        return p.chance(1, 2);
      case "float32":
        return Math.fround(p.between(-1000, 1000) / 8);
      case "float64":
        return p.between(-100_000, 100_000) / 100;
      case "timestamp":
        return 1_677_628_800_000_000_000n + BigInt(p.between(-100_000, 100_000)) * 1_000_000_000n + BigInt(p.below(1000)) * 1_000_000n;
      case "date":
        return BigInt(p.between(-1000, 30_000));
      case "time":
        return BigInt(p.below(86_400)) * 1_000_000_000n;
      default:
        return this.#profile === "duckdb" ? randomSimpleText(p, 8) : randomText(p, 8);
    }
  }

  #small(type: ScalarType): bigint {
    const low = isInteger(type) && integerRange(type.kind).min === 0n ? 0 : -20;
    return BigInt(this.#prng.between(low, 100));
  }

  #case(type: ScalarType, depth: number): Expression {
    const branches = Array.from({ length: this.#prng.between(1, 3) }, () => ({
      condition: this.make(BOOLEAN, depth - 1),
      value: this.make(type, depth - 1),
    }));
    const otherwise = this.#prng.chance(1, 3) ? literal(null, type) : this.make(type, depth - 1);
    const nullable = otherwise.nullable || branches.some((b) => b.value.nullable);
    return { kind: "case", branches, otherwise, type, nullable };
  }

  #choice(type: ScalarType, depth: number): Expression {
    const name = this.#prng.pick(["coalesce", "coalesce", "greatest", "least", "nullif"] as const);
    const count = name === "nullif" ? 2 : this.#prng.between(1, 3);
    return call(
      name,
      Array.from({ length: count }, () => this.make(type, depth - 1)),
      type,
    );
  }

  /** From a type whose values fit, mostly: TRY_CAST otherwise. */
  #cast(type: ScalarType, depth: number): Expression {
    const from = this.#castSource(type);
    if (from === undefined) return this.#call(type, depth);
    const value = this.make(from, depth - 1);
    const safe = this.#isFallible ? this.#prng.chance(9, 10) : true;
    return { kind: "cast", value, safe, type, nullable: value.nullable || safe };
  }

  #castSource(type: ScalarType): ScalarType | undefined {
    const numbers = EXPRESSION_TYPES.filter((t) => isInteger(t) || t.kind.startsWith("float"));
    const exact = numbers.filter((t) => isInteger(t));
    const duckdb = this.#profile === "duckdb";
    if (isInteger(type)) return this.#prng.pick(duckdb ? exact : [...numbers, TEXT, BOOLEAN]);
    switch (type.kind) {
      case "float32":
      case "float64":
        return this.#prng.pick(duckdb ? exact.filter((t) => !t.kind.endsWith("64")) : [...numbers, TEXT]);
      case "boolean":
        return this.#prng.pick(duckdb || this.#profile === "sql" ? exact : [...numbers, TEXT]);
      case "text":
        return this.#prng.pick(duckdb ? [...exact, BOOLEAN] : EXPRESSION_TYPES);
      case "timestamp":
        return { kind: "date" };
      case "date":
      case "time":
        return TIMESTAMP;
      default:
        return undefined;
    }
  }

  #call(type: ScalarType, depth: number): Expression {
    const sub = (t: ScalarType): Expression => this.make(t, depth - 1);
    if (isInteger(type)) return this.#integerCall(type, sub);
    switch (type.kind) {
      case "boolean":
        return this.#booleanCall(sub);
      case "float32":
        return this.#arithmetic(type, sub);
      case "float64":
        return this.#prng.chance(1, 2) ? this.#arithmetic(type, sub) : this.#maths(sub);
      case "text":
        return this.#textCall(sub);
      case "timestamp":
        return this.#timestampCall(sub);
      default:
        return this.leaf(type);
    }
  }

  #arithmetic(type: ScalarType, sub: (t: ScalarType) => Expression): Expression {
    const isTotal = !this.#isFallible && isInteger(type);
    const name = this.#prng.pick(
      isTotal ? (["divide", "modulo"] as const) : (["add", "subtract", "multiply", "divide", "modulo", "negate", "abs"] as const),
    );
    if (name === "negate" || name === "abs") return call(name, [sub(type)], type);
    if (name !== "divide" && name !== "modulo") return call(name, [sub(type), sub(type)], type);
    // Division by a literal other than 0 and −1 cannot fail; other divisors are 0 only where NULLIF was forgotten on purpose.
    if (isTotal) return call(name, [sub(type), literal(BigInt(this.#prng.between(2, 50)), type)], type);
    const zero = isInteger(type) ? 0n : 0;
    const divisor = this.#isFallible && this.#prng.chance(1, 10) ? sub(type) : call("nullif", [sub(type), literal(zero, type)], type);
    return call(name, [sub(type), divisor], type);
  }

  #integerCall(type: ScalarType, sub: (t: ScalarType) => Expression): Expression {
    const p = this.#prng;
    if (p.chance(1, 5)) return call(p.pick(["bit_and", "bit_or", "bit_xor"] as const), [sub(type), sub(type)], type);
    if (type.kind === "int64" && p.chance(1, 2)) {
      const choices: readonly (() => Expression)[] = [
        () => call("char_length", [sub(TEXT)], type),
        () => call("octet_length", [sub(TEXT)], type),
        () => call("strpos", [sub(TEXT), sub(TEXT)], type),
        () => call("to_unixtime", [sub(TIMESTAMP)], type),
        () => call("timestamp_diff_ns", [sub(TIMESTAMP), sub(TIMESTAMP)], type),
      ];
      const count = { any: 5, sql: 4, total: 4, duckdb: 3 }[this.#profile];
      return p.pick(choices.slice(0, count))();
    }
    if (type.kind === "int32" && p.chance(1, 2)) return call("date_part", [literal(p.pick(PART_UNITS), TEXT), sub(TIMESTAMP)], type);
    return this.#arithmetic(type, sub);
  }

  #booleanCall(sub: (t: ScalarType) => Expression): Expression {
    const p = this.#prng;
    switch (p.below(9)) {
      case 0:
        return call("not", [sub(BOOLEAN)]);
      case 1:
        return call(p.pick(["is_true", "is_false", "is_null"] as const), [sub(BOOLEAN)]);
      case 2:
        return call("is_null", [sub(p.pick(EXPRESSION_TYPES))]);
      case 3:
      case 4:
        return call(p.pick(["and", "or"] as const), [sub(BOOLEAN), sub(BOOLEAN)]);
      case 5: {
        const type = p.pick(EXPRESSION_TYPES);
        const list = Array.from({ length: p.between(1, 6) }, () => literal(this.#value(type), type));
        const value = sub(type);
        return { kind: "in", value, list, type: BOOLEAN, nullable: value.nullable };
      }
      case 6:
        return call(p.pick(["starts_with", "ends_with", "contains"] as const), [sub(TEXT), sub(TEXT)]);
      case 7: {
        const name = this.#profile === "duckdb" ? "like" : p.pick(["like", "ilike"] as const);
        return call(name, [sub(TEXT), literal(this.#pattern(), TEXT)]);
      }
      default: {
        const type = p.pick(EXPRESSION_TYPES);
        return call(p.pick(COMPARISONS), [sub(type), sub(type)]);
      }
    }
  }

  #pattern(): string {
    const parts = Array.from({ length: this.#prng.between(0, 4) }, () =>
      this.#prng.pick(["%", "_", "%", "a", "é", "B", "\\%", "\\_", "\\\\", "世", "🌍", "%b%"]),
    );
    return parts.join("");
  }

  #maths(sub: (t: ScalarType) => Expression): Expression {
    const p = this.#prng;
    const exact: readonly ScalarFunctionName[] = ["signum", "ceil", "floor", "trunc", "round"];
    const approximate: readonly ScalarFunctionName[] = ["sqrt", "exp", "ln", "log10", "log2"];
    if (this.#profile === "duckdb") return call(p.pick(exact), [sub(FLOAT64)], FLOAT64);
    switch (p.below(6)) {
      case 0:
        return call("power", [sub(FLOAT64), literal(p.between(-4, 8) / 2, FLOAT64)], FLOAT64);
      case 1:
        return call("round", [sub(FLOAT64), literal(BigInt(p.between(-3, 6)), INT64)], FLOAT64);
      case 2:
        return call("date_part", [literal("epoch", TEXT), sub(TIMESTAMP)], FLOAT64);
      default:
        return call(p.pick([...exact, ...approximate]), [sub(FLOAT64)], FLOAT64);
    }
  }

  #count(low: number, high: number): LiteralExpression {
    return literal(BigInt(this.#prng.between(low, high)), INT64);
  }

  #textCall(sub: (t: ScalarType) => Expression): Expression {
    const p = this.#prng;
    const any = this.#isFallible;
    const low = this.#profile === "duckdb" ? 1 : -3;
    const text = (): Expression => sub(TEXT);
    const word = (): Expression => literal(p.pick(["a", "é", ",", "ab", "世", "x y"]), TEXT);
    const choices: readonly (() => Expression)[] = [
      () => call("concat", Array.from({ length: p.between(1, 3) }, text), TEXT),
      () => call("concat_operator", [text(), text()], TEXT),
      () =>
        call("substr", any && p.chance(1, 6) ? [text(), sub(INT64), sub(INT64)] : [text(), this.#count(low, 6), this.#count(0, 9)], TEXT),
      () => call("substr", [text(), this.#count(low, 6)], TEXT),
      () => call(p.pick(["left", "right"] as const), [text(), this.#count(-4, 6)], TEXT),
      () => call(p.pick(["btrim", "ltrim", "rtrim"] as const), [text(), literal(p.pick([" ", "a", " é", "xyz"]), TEXT)], TEXT),
      () => call("replace", [text(), any ? text() : word(), text()], TEXT),
      () => call("split_part", [text(), any ? text() : word(), this.#count(1, 4)], TEXT),
      () => call("repeat", [text(), this.#count(0, 3)], TEXT),
      () => call(p.pick(["lpad", "rpad"] as const), [text(), this.#count(0, 12), word()], TEXT),
      () => call("reverse", [sub(TEXT)], TEXT),
      () => call(p.pick(["lower", "upper"] as const), [text()], TEXT),
      () => call(p.pick(["btrim", "ltrim", "rtrim"] as const), [text()], TEXT),
      () => call("split_part", [text(), any ? text() : word(), this.#count(-3, -1)], TEXT),
    ];
    return p.pick(choices)();
  }

  #timestampCall(sub: (t: ScalarType) => Expression): Expression {
    const p = this.#prng;
    const ts = (): Expression => sub(TIMESTAMP);
    const by = (): LiteralExpression =>
      p.chance(1, 3)
        ? interval({ months: p.between(-30, 30), days: p.between(-3, 3) })
        : interval({ days: p.between(0, 40), ns: BigInt(p.between(-90_000, 90_000)) * 1_000_000_000n });
    const stride = (): LiteralExpression => interval({ ns: BigInt(p.between(1, 100_000)) * 1_000_000n });
    const origin = (): LiteralExpression => literal(BigInt(p.between(-5, 5)) * 3_600_000_000_000n, TIMESTAMP);
    const choices: readonly (() => Expression)[] = [
      () => call("date_trunc", [literal(p.pick(TRUNC_UNITS), TEXT), ts()], TIMESTAMP),
      () => call("timestamp_add_interval", [ts(), by()], TIMESTAMP),
      () => call("timestamp_subtract_interval", [ts(), by()], TIMESTAMP),
      () => call("date_bin", [stride(), ts(), origin()], TIMESTAMP),
      () => call("to_timestamp_nanos", [sub(INT64)], TIMESTAMP),
      () => call(p.pick(["to_timestamp_seconds", "to_timestamp_millis", "to_timestamp_micros"] as const), [sub(INT64)], TIMESTAMP),
    ];
    return p.pick(this.#isFallible ? choices : choices.slice(0, this.#profile === "total" ? 1 : 3))();
  }
}
