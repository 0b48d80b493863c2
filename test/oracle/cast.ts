/**
 * Casts of the oracle, with DataFusion's semantics: floats truncate to integers, text is parsed between ASCII white space, numbers are
 * spelled as arrow-cast does (`1.0`, `1e16`). What does not fit is a row error.
 */
import { internalError } from "../../src/core/errors.ts";
import {
  floorDiv,
  floorMod,
  formatDate,
  formatTimeOfDay,
  formatTimestamp,
  NS_PER_DAY,
  parseDate,
  parseTimeOfDay,
  parseTimestamp,
} from "../../src/core/time.ts";
import { isInteger, printType, type ScalarType } from "../../src/data/data-type.ts";
import { divideRounded, fitFloat } from "./scalar-arithmetic.ts";
import { inRange, RowError, type Value } from "./value.ts";

/** The value of an integer as a float of `type`, rounded once (a detour over float64 would round to float32 twice). */
export function integerToFloat(value: bigint, type: ScalarType): number {
  if (type.kind !== "float32") return Number(value);
  const magnitude = value < 0n ? -value : value;
  const drop = BigInt(Math.max(0, magnitude.toString(2).length - 50));
  const kept = (magnitude >> drop) << drop;
  // What was cut off only matters as "something": one bit far below the 24 that stay.
  const sticky = kept === magnitude ? kept : kept | (1n << drop);
  return Math.fround(Number(value < 0n ? -sticky : sticky));
}

/** `spelled`, or the digits below it if both are equally near to `value` and those below are even: toExponential takes those above. */
function evenOfTwo(value: number, precision: number, spelled: string): string {
  const isOdd = /[13579]e/.test(spelled);
  const rest =
    value
      .toExponential(100)
      .split("e")[0]
      ?.replace(".", "")
      .slice(precision + 1) ?? "";
  return isOdd && /^50*$/.test(rest) ? spelled.replace(/\de/, (digit) => `${Number(digit[0]) - 1}e`) : spelled;
}

/** `1.25e+3` with its last digit one higher. */
function nextDigits(spelled: string): string {
  const [mantissa = "", exponent = "0"] = spelled.split("e");
  const digits = mantissa.replace(".", "");
  const next = (BigInt(digits) + 1n).toString();
  const power = Number(exponent) - digits.length + next.length;
  return `${next[0]}.${next.slice(1)}e${power < 0 ? power : `+${power}`}`;
}

/** The shortest digits of a finite, positive float and its decimal point: the value is 0.digits × 10^point. */
function shortest(value: number, type: ScalarType): { readonly digits: string; readonly point: number } {
  let spelled = value.toExponential();
  if (type.kind === "float32") {
    for (let precision = 0; precision < 9; precision++) {
      spelled = value.toExponential(precision);
      if (Math.fround(Number(spelled)) === value) {
        spelled = evenOfTwo(value, precision, spelled);
        break;
      }
      // Below a power of two floats lie closer together than above it: then the digits above may lead back where the nearest do not.
      const above = nextDigits(spelled);
      if (Math.fround(Number(above)) === value) {
        spelled = above;
        break;
      }
    }
  }
  const [mantissa = "", exponent = ""] = spelled.split("e");
  return { digits: mantissa.replace(".", "").replace(/0+$/, "") || "0", point: Number(exponent) + 1 };
}

function layOut(digits: string, point: number, plain: boolean, wholeSuffix: string, exponentPlus: string): string {
  if (!plain) {
    const fraction = digits.length > 1 ? `.${digits.slice(1)}` : "";
    return `${digits[0]}${fraction}e${point > 0 ? exponentPlus : ""}${point - 1}`;
  }
  if (point <= 0) return `0.${"0".repeat(-point)}${digits}`;
  if (digits.length <= point) return digits.padEnd(point, "0") + wholeSuffix;
  return `${digits.slice(0, point)}.${digits.slice(point)}`;
}

/** A finite float in JSON: ECMAScript's Number::toString, for REAL over the fewest digits that read back as that float32. */
export function jsonFloat(value: number, type: ScalarType): string {
  if (type.kind !== "float32" || value === 0) return String(value);
  const { digits, point } = shortest(Math.abs(value), type);
  return (value < 0 ? "-" : "") + layOut(digits, point, point > -6 && point <= 21, "", "+");
}

/** A float as CAST(… AS TEXT) spells it: the Rust crate ryu's `format`. */
export function sqlFloat(value: number, type: ScalarType): string {
  if (Number.isNaN(value)) return "NaN";
  const sign = value < 0 || Object.is(value, -0) ? "-" : "";
  if (!Number.isFinite(value)) return `${sign}inf`;
  if (value === 0) return `${sign}0.0`;
  const { digits, point } = shortest(Math.abs(value), type);
  const [least, greatest] = type.kind === "float32" ? [-6, 13] : [-5, 16];
  return sign + layOut(digits, point, point > least && point <= greatest, ".0", "");
}

/** An unscaled decimal as `-12.50`. */
export function decimalText(value: bigint, scale: number): string {
  const digits = (value < 0n ? -value : value).toString().padStart(scale + 1, "0");
  const split = digits.length - scale;
  return (value < 0n ? "-" : "") + digits.slice(0, split) + (scale === 0 ? "" : `.${digits.slice(split)}`);
}

/** A finite number's decimal text (`-1.25e3`) as an unscaled decimal, halves away from zero; `undefined` if it is no number. */
export function parseDecimal(text: string, scale: number): bigint | undefined {
  const match = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/.exec(text);
  if (match === null || (match[2] ?? "") + (match[3] ?? "") === "") return undefined;
  const [, sign, integral = "", fraction = "", exponent = "0"] = match;
  const shift = Number(exponent) - fraction.length + scale;
  if (Math.abs(shift) > 100_000) return shift < 0 ? 0n : undefined;
  const magnitude = BigInt(integral + fraction);
  const value = shift >= 0 ? magnitude * 10n ** BigInt(shift) : divideRounded(magnitude, 10n ** BigInt(-shift));
  return sign === "-" ? -value : value;
}

const trimAscii = (text: string): string => text.replace(/^[ \t\n\f\r]+|[ \t\n\f\r]+$/g, "");

function found<T>(value: T | undefined): T {
  if (value === undefined) throw new RowError("invalid text for cast");
  return value;
}

function textToFloat(text: string, type: ScalarType): number {
  if (/^[+-]?(inf|infinity)$/i.test(text)) return text.startsWith("-") ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  if (/^[+-]?nan$/i.test(text)) return Number.NaN;
  if (!/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text)) throw new RowError("invalid text for cast");
  return decimalToFloat(text, type);
}

/** The float nearest to a decimal text; for REAL rounded once, which matters where the float64 lies half way between two float32. */
export function decimalToFloat(text: string, type: ScalarType): number {
  const double = Number(text);
  if (type.kind !== "float32" || !Number.isFinite(double)) return double;
  const single = Math.fround(double);
  if (single === double || !Number.isFinite(single)) return single;
  // Decide a tie of the float64 by the exact decimal: compare text with double as decimals of 400 digits.
  const exact = parseDecimal(text, 400);
  const rounded = parseDecimal(exactDecimal(double), 400);
  if (exact === undefined || rounded === undefined || exact === rounded) return single;
  const nudged = nextDouble(double, exact > rounded);
  return Math.fround(isTie(double) ? nudged : double);
}

/** Whether a float64 lies exactly between two neighbouring float32: only bit 28 of its low 29 bits is set. */
function isTie(value: number): boolean {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  return (view.getUint32(4) & 0x1fffffff) === 0x10000000;
}

function nextDouble(value: number, up: boolean): number {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  const away = up === value > 0;
  view.setBigInt64(0, view.getBigInt64(0) + (away ? 1n : -1n));
  return view.getFloat64(0);
}

/** Every digit of a float64's exact value. */
function exactDecimal(value: number): string {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, Math.abs(value));
  const bits = view.getBigUint64(0);
  const biased = Number(bits >> 52n);
  const mantissa = (bits & ((1n << 52n) - 1n)) | (biased === 0 ? 0n : 1n << 52n);
  const exponent = (biased === 0 ? 1 : biased) - 1075;
  const scaled = exponent >= 0 ? mantissa << BigInt(exponent) : mantissa * 5n ** BigInt(-exponent);
  return (value < 0 ? "-" : "") + decimalText(scaled, exponent >= 0 ? 0 : -exponent);
}

const TRUE_WORDS = new Set(["t", "tr", "tru", "true", "y", "ye", "yes", "on", "1"]);
const FALSE_WORDS = new Set(["f", "fa", "fal", "fals", "false", "n", "no", "of", "off", "0"]);

function fromText(raw: string, to: ScalarType): Value {
  const text = trimAscii(raw);
  switch (to.kind) {
    case "boolean": {
      const word = text.toLowerCase();
      if (!TRUE_WORDS.has(word) && !FALSE_WORDS.has(word)) throw new RowError("invalid text for cast");
      return TRUE_WORDS.has(word);
    }
    case "float32":
    case "float64":
      return textToFloat(text, to);
    case "decimal":
      return inRange(found(parseDecimal(text, to.scale)), to, "cast out of range");
    case "bytes":
      return Buffer.from(raw, "utf8");
    case "timestamp":
      return found(parseTimestamp(text));
    case "date": {
      const days = parseDate(text);
      return days === undefined ? floorDiv(found(parseTimestamp(text)), NS_PER_DAY) : BigInt(days);
    }
    case "time":
      return found(parseTimeOfDay(text));
    default:
      if (!/^[+-]?\d+$/.test(text)) throw new RowError("invalid text for cast");
      return inRange(BigInt(text.replace("+", "")), to, "invalid text for cast");
  }
}

function toText(value: Value, from: ScalarType): string {
  if (value instanceof Uint8Array) {
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(value);
    } catch {
      throw new RowError("invalid text for cast");
    }
  }
  if (typeof value === "number") return sqlFloat(value, from);
  if (typeof value !== "bigint") return String(value);
  switch (from.kind) {
    case "timestamp":
      return formatTimestamp(value);
    case "date":
      return formatDate(Number(value));
    case "time":
      return formatTimeOfDay(value);
    case "decimal":
      return decimalText(value, from.scale);
    default:
      return value.toString();
  }
}

function fromFloat(value: number, to: ScalarType): Value {
  if (to.kind === "float32" || to.kind === "float64") return fitFloat(value, to);
  if (to.kind === "boolean") return value !== 0;
  if (!Number.isFinite(value)) throw new RowError("cast out of range");
  if (to.kind === "decimal") return inRange(parseDecimal(exactDecimal(value), to.scale) ?? 0n, to, "cast out of range");
  return inRange(BigInt(Math.trunc(value)), to, "cast out of range");
}

/** Between the types that are bigints here. */
function fromBigint(value: bigint, from: ScalarType, to: ScalarType): Value {
  if (from.kind === "timestamp" && to.kind === "date") return floorDiv(value, NS_PER_DAY);
  if (from.kind === "timestamp" && to.kind === "time") return floorMod(value, NS_PER_DAY);
  if (from.kind === "date" && to.kind === "timestamp") return inRange(value * NS_PER_DAY, to, "cast out of range");
  const unit = from.kind === "decimal" ? 10n ** BigInt(from.scale) : 1n;
  if (to.kind === "boolean") return value !== 0n;
  if (to.kind === "float32" || to.kind === "float64") {
    return from.kind === "decimal" ? decimalToFloat(decimalText(value, from.scale), to) : integerToFloat(value, to);
  }
  if (to.kind === "decimal") {
    const scaled = value * 10n ** BigInt(to.scale);
    return inRange(divideRounded(scaled, unit), to, "cast out of range");
  }
  return inRange(value / unit, to, "cast out of range");
}

/** `value` of type `from` as `to`. NULL stays NULL. Throws `RowError`; combinations that no binder makes are an invariant. */
export function castValue(value: Value, from: ScalarType, to: ScalarType): Value {
  if (value === null || printType(from) === printType(to)) return value;
  if (to.kind === "text" || to.kind === "json") return toText(value, from);
  if (typeof value === "string") return fromText(value, to);
  if (typeof value === "number") return fromFloat(value, to);
  if (typeof value === "bigint") return fromBigint(value, from, to);
  if (typeof value === "boolean" && isInteger(to)) return value ? 1n : 0n;
  if (typeof value === "boolean" && (to.kind === "float32" || to.kind === "float64")) return Number(value);
  throw internalError("invariant", `the oracle cannot cast ${printType(from)} to ${printType(to)}`);
}
