/**
 * Casts of literals at planning time. Only conversions whose result is certain are done here; all others stay casts for the run, so
 * planning never gives another answer than running would.
 */

import { formatDate, formatTimestamp, NS_PER_DAY, parseDate, parseTimeOfDay, parseTimestamp } from "../../core/time.ts";
import { integerRange, isInteger, type ScalarType } from "../../data/data-type.ts";
import type { LiteralExpression, LiteralValue } from "../../program/expression.ts";

/** A converted literal; `invalid`: the value has no such conversion; `later`: only the run can say. */
export type LiteralCast = { readonly value: LiteralValue } | "invalid" | "later";

/** Converts a literal to `type`. NULL converts to every type. */
export function castLiteral(literal: LiteralExpression, type: ScalarType): LiteralCast {
  const { value, type: from } = literal;
  if (value === null) return { value: null };
  if (from.kind === type.kind && from.kind !== "decimal") return { value };
  if (typeof value === "string") return from.kind === "text" ? castText(value, type) : "later";
  if (typeof value === "boolean") return castBoolean(value, type);
  if (typeof value === "bigint") return castBigint(value, from, type);
  if (typeof value === "number") return castFloat(value, type);
  return "later";
}

const TRUE_WORDS = new Set(["true", "t", "yes", "y", "on", "1"]);
const FALSE_WORDS = new Set(["false", "f", "no", "n", "off", "0"]);

function castText(text: string, type: ScalarType): LiteralCast {
  switch (type.kind) {
    case "timestamp":
      return present(parseTimestamp(text));
    case "date":
      return castTextToDate(text);
    case "time":
      return present(parseTimeOfDay(text));
    case "boolean": {
      const word = text.trim().toLowerCase();
      return TRUE_WORDS.has(word) ? { value: true } : FALSE_WORDS.has(word) ? { value: false } : "invalid";
    }
    case "json":
      return { value: text };
    case "decimal":
      return castTextToDecimal(text, type.precision, type.scale);
    case "float32":
    case "float64":
      return castTextToFloat(text, type.kind);
    default:
      return isInteger(type) ? castTextToInteger(text, type) : "later";
  }
}

function present(value: bigint | undefined): LiteralCast {
  return value === undefined ? "invalid" : { value };
}

function castTextToDate(text: string): LiteralCast {
  const days = parseDate(text);
  if (days !== undefined) return { value: BigInt(days) };
  const ns = parseTimestamp(text);
  return ns === undefined ? "invalid" : { value: BigInt(Math.floor(Number(ns / 1_000_000_000n) / 86_400)) };
}

function castTextToInteger(text: string, type: ScalarType): LiteralCast {
  return /^[+-]?\d+$/.test(text) ? fitInteger(BigInt(text.replace(/^\+/, "")), type) : "invalid";
}

function castTextToFloat(text: string, kind: "float32" | "float64"): LiteralCast {
  if (!/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text)) return /^[+-]?(nan|inf|infinity)$/i.test(text) ? "later" : "invalid";
  return { value: kind === "float32" ? Math.fround(Number(text)) : Number(text) };
}

/** Reads a plain decimal number; digits beyond the scale are rounded, halves away from zero. */
function castTextToDecimal(text: string, precision: number, scale: number): LiteralCast {
  const match = /^([+-]?)(\d*)(?:\.(\d*))?$/.exec(text);
  if (match === null || (match[2] ?? "") + (match[3] ?? "") === "") return "invalid";
  const [, sign, whole = "", fraction = ""] = match;
  return fitDecimal(rescale(BigInt(whole + fraction), fraction.length, scale) * (sign === "-" ? -1n : 1n), precision);
}

function castBoolean(value: boolean, type: ScalarType): LiteralCast {
  if (isInteger(type)) return { value: value ? 1n : 0n };
  if (type.kind === "text") return { value: String(value) };
  return "later";
}

function castBigint(value: bigint, from: ScalarType, type: ScalarType): LiteralCast {
  if (isInteger(from)) {
    if (isInteger(type)) return fitInteger(value, type);
    if (type.kind === "float64") return { value: Number(value) };
    if (type.kind === "float32") return { value: Math.fround(Number(value)) };
    if (type.kind === "text") return { value: value.toString() };
    if (type.kind === "decimal") return fitDecimal(value * 10n ** BigInt(type.scale), type.precision);
    if (type.kind === "boolean") return { value: value !== 0n };
    if (type.kind === "timestamp") return { value };
    return "later";
  }
  if (from.kind === "decimal" && type.kind === "decimal") return fitDecimal(rescale(value, from.scale, type.scale), type.precision);
  if (from.kind === "timestamp" && type.kind === "text") return { value: formatTimestamp(value) };
  if (from.kind === "date" && type.kind === "timestamp") return fitInteger(value * NS_PER_DAY, { kind: "int64" });
  if (from.kind === "date" && type.kind === "text") return { value: formatDate(Number(value)) };
  return "later";
}

/** Truncates towards zero when an integer is asked for. */
function castFloat(value: number, type: ScalarType): LiteralCast {
  if (type.kind === "float64") return { value };
  if (type.kind === "float32") return { value: Math.fround(value) };
  if (!isInteger(type)) return "later";
  return Number.isFinite(value) ? fitInteger(BigInt(Math.trunc(value)), type) : "invalid";
}

function fitInteger(value: bigint, type: ScalarType): LiteralCast {
  if (!isInteger(type)) return "later";
  const { min, max } = integerRange(type.kind);
  return value >= min && value <= max ? { value } : "invalid";
}

function fitDecimal(value: bigint, precision: number): LiteralCast {
  const limit = 10n ** BigInt(precision);
  return value > -limit && value < limit ? { value } : "invalid";
}

function rescale(value: bigint, from: number, to: number): bigint {
  if (to >= from) return value * 10n ** BigInt(to - from);
  const divisor = 10n ** BigInt(from - to);
  const half = divisor / 2n;
  return (value + (value < 0n ? -half : half)) / divisor;
}
