/**
 * All scalar functions of the registry, by name. The types make the two tables total: a function that is added to the registry does
 * not compile until the oracle knows it. Strict functions see no NULL; the others get their arguments unevaluated.
 */
import { internalError } from "../../src/core/errors.ts";
import { floorDiv, NS_PER_MS, NS_PER_SECOND, NS_PER_US } from "../../src/core/time.ts";
import { INT64, type ScalarType, TIMESTAMP } from "../../src/data/data-type.ts";
import type { IntervalValue } from "../../src/program/expression.ts";
import type { SCALAR_FUNCTIONS, ScalarFunctionName } from "../../src/program/scalar-function.ts";
import { absolute, arithmetic, negate, roundDigits, roundHalfAway } from "./scalar-arithmetic.ts";
import { left, like, pad, repeat, replace, right, splitPart, strpos, substr, trim } from "./scalar-text.ts";
import { addInterval, bin, part, truncate } from "./scalar-time.ts";
import { codePoints, compareValues, inRange, type Value } from "./value.ts";

type StrictName = {
  [Name in ScalarFunctionName]: (typeof SCALAR_FUNCTIONS)[Name]["nulls"] extends `strict${string}` ? Name : never;
}[ScalarFunctionName];
type LazyName = Exclude<ScalarFunctionName, StrictName>;

/** Arguments that are not NULL, and the result's type. */
type Strict = (args: readonly Value[], type: ScalarType) => Value;
/** Arguments to be evaluated by calling them, in order, at most once each. */
type Lazy = (args: readonly (() => Value)[]) => Value;

const text = (value: Value | undefined): string => value as string;
const whole = (value: Value | undefined): bigint => value as bigint;
const real = (value: Value | undefined): number => value as number;
const interval = (value: Value | undefined): IntervalValue => value as IntervalValue;

const binary =
  (name: "add" | "subtract" | "multiply" | "divide" | "modulo"): Strict =>
  ([a, b], type) =>
    arithmetic(name, a as Value, b as Value, type);
const comparison =
  (test: (order: number) => boolean): Strict =>
  ([a, b]) =>
    test(compareValues(a as Value, b as Value));
const maths =
  (f: (x: number) => number): Strict =>
  ([x]) =>
    f(real(x));
const texts =
  (f: (a: string, b: string) => Value): Strict =>
  ([a, b]) =>
    f(text(a), text(b));
const timestamp = (ns: bigint): bigint => inRange(ns, TIMESTAMP, "integer overflow");

const STRICT: Readonly<Record<StrictName, Strict>> = {
  add: binary("add"),
  subtract: binary("subtract"),
  multiply: binary("multiply"),
  divide: binary("divide"),
  modulo: binary("modulo"),
  negate: ([a], type) => negate(a as Value, type),
  eq: comparison((order) => order === 0),
  ne: comparison((order) => order !== 0),
  lt: comparison((order) => order < 0),
  le: comparison((order) => order <= 0),
  gt: comparison((order) => order > 0),
  ge: comparison((order) => order >= 0),
  not: ([a]) => !(a as boolean),
  abs: ([a], type) => absolute(a as Value, type),
  signum: maths((x) => (x === 0 ? 0 : Math.sign(x))),
  ceil: maths(Math.ceil),
  floor: maths(Math.floor),
  trunc: maths(Math.trunc),
  round: ([x, digits]) => (digits === undefined ? roundHalfAway(real(x)) : roundDigits(real(x), whole(digits))),
  sqrt: maths(Math.sqrt),
  exp: maths(Math.exp),
  ln: maths(Math.log),
  log10: maths(Math.log10),
  log2: maths(Math.log2),
  power: ([x, y]) => real(x) ** real(y),
  bit_and: ([a, b]) => whole(a) & whole(b),
  bit_or: ([a, b]) => whole(a) | whole(b),
  bit_xor: ([a, b]) => whole(a) ^ whole(b),
  like: texts(like),
  ilike: texts((a, b) => like(a, b, true)),
  concat_operator: texts((a, b) => a + b),
  lower: ([a]) => text(a).toLowerCase(),
  upper: ([a]) => text(a).toUpperCase(),
  char_length: ([a]) => BigInt(codePoints(text(a)).length),
  octet_length: ([a]) => BigInt(Buffer.byteLength(text(a))),
  substr: ([a, from, count]) => substr(text(a), whole(from), count === undefined ? undefined : whole(count)),
  left: ([a, n]) => left(text(a), whole(n)),
  right: ([a, n]) => right(text(a), whole(n)),
  btrim: ([a, set]) => trim(text(a), text(set ?? " "), true, true),
  ltrim: ([a, set]) => trim(text(a), text(set ?? " "), true, false),
  rtrim: ([a, set]) => trim(text(a), text(set ?? " "), false, true),
  starts_with: texts((a, b) => a.startsWith(b)),
  ends_with: texts((a, b) => a.endsWith(b)),
  contains: texts((a, b) => a.includes(b)),
  strpos: texts(strpos),
  replace: ([a, from, to]) => replace(text(a), text(from), text(to)),
  split_part: ([a, delimiter, n]) => splitPart(text(a), text(delimiter), whole(n)),
  reverse: ([a]) => codePoints(text(a)).reverse().join(""),
  repeat: ([a, n]) => repeat(text(a), whole(n)),
  lpad: ([a, length, fill]) => pad(text(a), whole(length), text(fill), "left"),
  rpad: ([a, length, fill]) => pad(text(a), whole(length), text(fill), "right"),
  timestamp_add_interval: ([ts, by]) => addInterval(whole(ts), interval(by), 1),
  timestamp_subtract_interval: ([ts, by]) => addInterval(whole(ts), interval(by), -1),
  timestamp_diff_ns: ([a, b]) => inRange(whole(a) - whole(b), INT64, "integer overflow"),
  date_trunc: ([unit, ts]) => truncate(text(unit), whole(ts)),
  date_part: ([unit, ts]) => part(text(unit), whole(ts)),
  date_bin: ([stride, ts, origin]) => bin(interval(stride), whole(ts), whole(origin)),
  to_timestamp_seconds: ([n]) => timestamp(whole(n) * NS_PER_SECOND),
  to_timestamp_millis: ([n]) => timestamp(whole(n) * NS_PER_MS),
  to_timestamp_micros: ([n]) => timestamp(whole(n) * NS_PER_US),
  to_timestamp_nanos: ([n]) => whole(n),
  to_unixtime: ([ts]) => floorDiv(whole(ts), NS_PER_SECOND),
};

/** Three-valued AND/OR from the left: `decisive` decides and stops. */
const connective =
  (decisive: boolean): Lazy =>
  ([a, b]) => {
    const first = a?.();
    if (first === decisive) return decisive;
    const second = b?.();
    if (second === decisive) return decisive;
    return first === null || second === null ? null : !decisive;
  };

const extreme =
  (sign: 1 | -1): Lazy =>
  (args) =>
    args
      .map((arg) => arg())
      .filter((value) => value !== null)
      .reduce<Value>((best, value) => (best === null || sign * compareValues(value, best) > 0 ? value : best), null);

const both = (args: readonly (() => Value)[]): readonly [Value, Value] => [args[0]?.() ?? null, args[1]?.() ?? null];
const same = (a: Value, b: Value): boolean => (a === null || b === null ? a === b : compareValues(a, b) === 0);

const LAZY: Readonly<Record<LazyName, Lazy>> = {
  and: connective(false),
  or: connective(true),
  is_distinct: (args) => !same(...both(args)),
  is_null: ([a]) => a?.() === null,
  is_true: ([a]) => a?.() === true,
  is_false: ([a]) => a?.() === false,
  coalesce: (args) => {
    for (const arg of args) {
      const value = arg();
      if (value !== null) return value;
    }
    return null;
  },
  greatest: extreme(1),
  least: extreme(-1),
  nullif: (args) => {
    const [a, b] = both(args);
    return a !== null && b !== null && same(a, b) ? null : a;
  },
  concat: (args) =>
    args
      .map((arg) => arg())
      .filter((value) => value !== null)
      .join(""),
};

/**
 * The result of a function. Every argument of a strict function is evaluated, from the left, before any is looked at: an error in one
 * counts even if another is NULL. Throws `RowError`.
 */
export function callScalar(name: ScalarFunctionName, args: readonly (() => Value)[], type: ScalarType): Value {
  if (name in LAZY) return LAZY[name as LazyName](args);
  const strict = STRICT[name as StrictName] as Strict | undefined;
  if (strict === undefined) throw internalError("invariant", `the oracle has no function "${name}"`);
  const values = args.map((arg) => arg());
  return values.includes(null) ? null : strict(values, type);
}
