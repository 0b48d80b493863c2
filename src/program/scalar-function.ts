/**
 * The scalar functions that a program may call, by canonical name: what the binder maps SQL's functions and operators to,
 * what the code generator emits, what the oracle interprets. Types are those after the binder's casts.
 *
 * Null rule: `strict` functions are NULL when an argument is; the others say their own rule here.
 *
 * Numeric `T` is any one numeric type shared by all arguments (and, unless said otherwise, the result). Integer
 * arithmetic that overflows and integer division or modulo by zero are row errors; float arithmetic is IEEE.
 */

/** Name → null rule and signature in words. */
export const SCALAR_FUNCTIONS = {
  // arithmetic
  add: { nulls: "strict", signature: "(T, T) → T" },
  subtract: { nulls: "strict", signature: "(T, T) → T" },
  multiply: { nulls: "strict", signature: "(T, T) → T" },
  divide: { nulls: "strict", signature: "(T, T) → T; integers truncate towards zero" },
  modulo: { nulls: "strict", signature: "(T, T) → T; sign of the dividend" },
  negate: { nulls: "strict", signature: "(T) → T" },
  // comparison: any one type on both sides; text by bytes; NaN equals NaN and is greatest
  eq: { nulls: "strict", signature: "(T, T) → boolean" },
  ne: { nulls: "strict", signature: "(T, T) → boolean" },
  lt: { nulls: "strict", signature: "(T, T) → boolean" },
  le: { nulls: "strict", signature: "(T, T) → boolean" },
  gt: { nulls: "strict", signature: "(T, T) → boolean" },
  ge: { nulls: "strict", signature: "(T, T) → boolean" },
  is_distinct: { nulls: "never null: NULL is a value", signature: "(T, T) → boolean" },
  // logic
  and: {
    nulls: "three-valued; false decides; evaluated left to right, the right side only if needed",
    signature: "(boolean, boolean) → boolean",
  },
  or: {
    nulls: "three-valued; true decides; evaluated left to right, the right side only if needed",
    signature: "(boolean, boolean) → boolean",
  },
  not: { nulls: "strict", signature: "(boolean) → boolean" },
  is_null: { nulls: "never null", signature: "(T) → boolean" },
  is_true: { nulls: "never null: NULL is not true", signature: "(boolean) → boolean" },
  is_false: { nulls: "never null: NULL is not false", signature: "(boolean) → boolean" },
  coalesce: { nulls: "first argument that is not NULL; later ones are not evaluated", signature: "(T, …) → T" },
  greatest: { nulls: "NULLs are left out; NULL if all are", signature: "(T, …) → T" },
  least: { nulls: "NULLs are left out; NULL if all are", signature: "(T, …) → T" },
  nullif: { nulls: "NULL if the arguments are equal, else the first", signature: "(T, T) → T" },
  // maths
  abs: { nulls: "strict", signature: "(T) → T" },
  signum: { nulls: "strict", signature: "(float64) → float64" },
  ceil: { nulls: "strict", signature: "(float64) → float64" },
  floor: { nulls: "strict", signature: "(float64) → float64" },
  trunc: { nulls: "strict", signature: "(float64) → float64" },
  round: { nulls: "strict", signature: "(float64[, int64 digits]) → float64; halves away from zero" },
  sqrt: { nulls: "strict", signature: "(float64) → float64" },
  exp: { nulls: "strict", signature: "(float64) → float64" },
  ln: { nulls: "strict", signature: "(float64) → float64" },
  log10: { nulls: "strict", signature: "(float64) → float64" },
  log2: { nulls: "strict", signature: "(float64) → float64" },
  power: { nulls: "strict", signature: "(float64, float64) → float64" },
  bit_and: { nulls: "strict", signature: "(integer T, T) → T" },
  bit_or: { nulls: "strict", signature: "(integer T, T) → T" },
  bit_xor: { nulls: "strict", signature: "(integer T, T) → T" },
  // text: positions and lengths count code points, from 1, as int64
  like: { nulls: "strict", signature: "(text, text pattern) → boolean; % _ and backslash" },
  ilike: { nulls: "strict", signature: "(text, text pattern) → boolean" },
  concat: { nulls: "NULL arguments are left out; never null", signature: "(text, …) → text" },
  concat_operator: { nulls: "strict: SQL's ||", signature: "(text, text) → text" },
  lower: { nulls: "strict", signature: "(text) → text" },
  upper: { nulls: "strict", signature: "(text) → text" },
  char_length: { nulls: "strict", signature: "(text) → int64" },
  octet_length: { nulls: "strict", signature: "(text) → int64" },
  substr: { nulls: "strict", signature: "(text, int64 from[, int64 count]) → text; a negative count is a row error" },
  left: { nulls: "strict", signature: "(text, int64 n) → text; negative n: all but the last |n|" },
  right: { nulls: "strict", signature: "(text, int64 n) → text; negative n: all but the first |n|" },
  btrim: { nulls: "strict", signature: "(text[, text characters]) → text; a space by default" },
  ltrim: { nulls: "strict", signature: "(text[, text characters]) → text" },
  rtrim: { nulls: "strict", signature: "(text[, text characters]) → text" },
  starts_with: { nulls: "strict", signature: "(text, text) → boolean" },
  ends_with: { nulls: "strict", signature: "(text, text) → boolean" },
  contains: { nulls: "strict", signature: "(text, text) → boolean" },
  strpos: { nulls: "strict", signature: "(text, text) → int64; 0 if absent" },
  replace: { nulls: "strict", signature: "(text, text from, text to) → text" },
  split_part: { nulls: "strict", signature: "(text, text delimiter, int64 n) → text; negative n counts from the end; 0 is a row error" },
  reverse: { nulls: "strict", signature: "(text) → text" },
  repeat: { nulls: "strict", signature: "(text, int64) → text; at most 1 MiB, more is a row error" },
  lpad: { nulls: "strict", signature: "(text, int64 length, text fill) → text" },
  rpad: { nulls: "strict", signature: "(text, int64 length, text fill) → text" },
  // time
  timestamp_add_interval: { nulls: "strict", signature: "(timestamp, interval literal) → timestamp; months clamp to the end of the month" },
  timestamp_subtract_interval: { nulls: "strict", signature: "(timestamp, interval literal) → timestamp" },
  timestamp_diff_ns: { nulls: "strict", signature: "(timestamp, timestamp) → int64 nanoseconds" },
  date_trunc: { nulls: "strict", signature: "(text literal unit, timestamp) → timestamp; weeks start on Monday" },
  date_part: { nulls: "strict", signature: "(text literal unit, timestamp) → int32, float64 for epoch" },
  date_bin: { nulls: "strict", signature: "(interval literal without months, timestamp, timestamp origin) → timestamp" },
  to_timestamp_seconds: { nulls: "strict", signature: "(int64) → timestamp" },
  to_timestamp_millis: { nulls: "strict", signature: "(int64) → timestamp" },
  to_timestamp_micros: { nulls: "strict", signature: "(int64) → timestamp" },
  to_timestamp_nanos: { nulls: "strict", signature: "(int64) → timestamp" },
  to_unixtime: { nulls: "strict", signature: "(timestamp) → int64 seconds, rounded down" },
} as const satisfies Readonly<Record<string, { readonly nulls: string; readonly signature: string }>>;

/** Canonical name of a scalar function. */
export type ScalarFunctionName = keyof typeof SCALAR_FUNCTIONS;
