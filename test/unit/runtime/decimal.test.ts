/**
 * 128-bit decimals against BigInt.
 */
import { expect } from "chai";
import { FUZZ_SCALE, type RuntimeModule, runtimeModule } from "../../support/runtime-module.ts";
import { Seeded } from "../../support/seeded.ts";

const ENTRY = `
import * as decimal from "./src/runtime/decimal.ts";
import {
  readDecimal, castDecimal, writeDecimal, fitsPrecision, addDecimal, subtractDecimal, negateDecimal, multiplyDecimal, divideDecimal,
  moduloDecimal, compareDecimal, rescaleDecimal, decimalOfI64, decimalToI64, decimalToDouble, decimalOfDouble,
} from "./src/runtime/decimal.ts";
export { readDecimal, castDecimal, writeDecimal, fitsPrecision, addDecimal, subtractDecimal, negateDecimal, multiplyDecimal };
export { divideDecimal, moduloDecimal, compareDecimal, rescaleDecimal, decimalOfI64, decimalToI64, decimalToDouble, decimalOfDouble };
export function status(): i32 { return decimal.decStatus; }
export function low(): u64 { return decimal.decLo; }
export function high(): i64 { return decimal.decHi; }
`;

type OnTwo = (aLo: bigint, aHi: bigint, bLo: bigint, bHi: bigint) => void;

interface Exports {
  readonly readDecimal: (p: number, precision: number, scale: number) => number;
  readonly castDecimal: (p: number, length: number, precision: number, scale: number) => number;
  readonly writeDecimal: (dst: number, lo: bigint, hi: bigint, scale: number) => number;
  readonly fitsPrecision: (lo: bigint, hi: bigint, precision: number) => number;
  readonly addDecimal: OnTwo;
  readonly subtractDecimal: OnTwo;
  readonly negateDecimal: (lo: bigint, hi: bigint) => void;
  readonly multiplyDecimal: OnTwo;
  readonly divideDecimal: (aLo: bigint, aHi: bigint, bLo: bigint, bHi: bigint, shift: number) => void;
  readonly moduloDecimal: OnTwo;
  readonly compareDecimal: (aLo: bigint, aHi: bigint, bLo: bigint, bHi: bigint) => number;
  readonly rescaleDecimal: (lo: bigint, hi: bigint, from: number, to: number) => void;
  readonly decimalOfI64: (value: bigint, scale: number) => void;
  readonly decimalToI64: (lo: bigint, hi: bigint, scale: number) => bigint;
  readonly decimalToDouble: (lo: bigint, hi: bigint, scale: number) => number;
  readonly decimalOfDouble: (value: number, scale: number) => void;
  readonly status: () => number;
  readonly low: () => bigint;
  readonly high: () => bigint;
}

const OK = 0;
const SYNTAX = 1;
const RANGE = 2;
const FRACTION = 3;
const ZERO_DIVISOR = 4;
const LIMIT = 10n ** 38n;

let m: RuntimeModule<Exports>;

before(async () => {
  m = await runtimeModule<Exports>(ENTRY);
});

const words = (value: bigint): [bigint, bigint] => [BigInt.asIntN(64, value), value >> 64n];
const result = (): bigint => (m.exports.high() << 64n) | BigInt.asUintN(64, m.exports.low());
const magnitude = (value: bigint): bigint => (value < 0n ? -value : value);

/** a / b, half away from zero. */
function divideRounded(a: bigint, b: bigint): bigint {
  const [quotient, rest] = [magnitude(a) / b, magnitude(a) % b];
  const rounded = rest * 2n >= b ? quotient + 1n : quotient;
  return a < 0n ? -rounded : rounded;
}

/** A value of up to 38 digits, all lengths equally likely, sometimes next to a power. */
function randomDecimal(random: Seeded): bigint {
  const power = 10n ** BigInt(random.below(39));
  const value = random.pick([BigInt(random.digits(38)) % power, power - 1n, power, power / 2n, (1n << BigInt(random.below(126))) - 1n]);
  const bounded = value < LIMIT ? value : LIMIT - 1n;
  return random.below(2) === 0 ? bounded : -bounded;
}

function plainText(value: bigint, scale: number): string {
  const digits = magnitude(value)
    .toString()
    .padStart(scale + 1, "0");
  const text = scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
  return value < 0n ? `-${text}` : text;
}

/** Expects an exact result, or RANGE where it does not fit. */
function expectResult(expected: bigint, what: string): void {
  const fits = magnitude(expected) < LIMIT;
  const status = m.exports.status();
  if (status !== (fits ? OK : RANGE) || (fits && result() !== expected)) {
    expect.fail(`${what}: ${result()} with status ${status} instead of ${expected}`);
  }
}

describe("decimals as text", () => {
  it("are written with all digits of the scale and read back", () => {
    const random = new Seeded(41);
    for (let i = 0; i < 8000 * FUZZ_SCALE; i++) {
      const [value, scale] = [randomDecimal(random), random.below(39)];
      const text = m.readText(m.base, m.exports.writeDecimal(m.base, ...words(value), scale));
      if (text !== plainText(value, scale)) expect.fail(`${value} at ${scale}: ${text}`);
      const length = m.writeText(m.base, text, 0x2c);
      expect(m.exports.readDecimal(m.base, 38, scale) - m.base).to.equal(length);
      expectResult(value, text);
    }
  });

  it("are truncated as JSON and rounded in a cast, half away from zero", () => {
    const random = new Seeded(42);
    for (let i = 0; i < 8000 * FUZZ_SCALE; i++) {
      const [digits, exponent] = [random.digits(1 + random.below(45)), random.below(60) - 45];
      const [precision, scale] = [1 + random.below(38), random.below(20)];
      const sign = random.pick(["", "-"]);
      const text = `${sign}${BigInt(digits)}e${exponent}`;
      const exact = BigInt(digits) * (sign === "" ? 1n : -1n);
      const shift = exponent + scale;
      const divisor = 10n ** BigInt(Math.max(-shift, 0));
      const scaled = exact * 10n ** BigInt(Math.max(shift, 0));
      const bound = 10n ** BigInt(precision);
      const length = m.writeText(m.base, text, 0x2c);
      m.exports.readDecimal(m.base, precision, scale);
      const truncated = scaled / divisor;
      const expected = magnitude(truncated) >= bound ? RANGE : scaled % divisor === 0n ? OK : FRACTION;
      if (m.exports.status() !== expected || (expected !== RANGE && result() !== truncated))
        expect.fail(`${text} (${precision}, ${scale}): ${result()}`);
      const rounded = divideRounded(scaled, divisor);
      const status = m.exports.castDecimal(m.base, length, precision, scale);
      const fits = magnitude(rounded) < bound;
      if (status !== (fits ? OK : RANGE) || (fits && result() !== rounded))
        expect.fail(`cast ${text} (${precision}, ${scale}): ${result()}`);
    }
  });

  it("are refused when they are no numbers", () => {
    for (const text of ["", "-", "a", "1.2.3", "1e", "--1", "1 2", "0x1"]) {
      expect(m.exports.castDecimal(m.base, m.writeText(m.base, text, 0x31), 38, 2), text).to.equal(SYNTAX);
    }
    expect(m.exports.castDecimal(m.base, m.writeText(m.base, " +.5 ", 0x31), 3, 2)).to.equal(OK);
    expect(result()).to.equal(50n);
    for (const text of ["01", "+1", ".5", "-"]) {
      m.writeText(m.base, text, 0x2c);
      m.exports.readDecimal(m.base, 38, 2);
      expect(m.exports.status(), text).to.equal(SYNTAX);
    }
  });
});

describe("decimal arithmetic", () => {
  it("adds, subtracts, multiplies, divides, takes rests, compares and rescales as BigInt does", () => {
    const random = new Seeded(43);
    for (let i = 0; i < 8000 * FUZZ_SCALE; i++) {
      const [a, b] = [randomDecimal(random), randomDecimal(random)];
      const both = [...words(a), ...words(b)] as const;
      m.exports.addDecimal(...both);
      expectResult(a + b, `${a} + ${b}`);
      m.exports.subtractDecimal(...both);
      expectResult(a - b, `${a} - ${b}`);
      m.exports.multiplyDecimal(...both);
      expectResult(a * b, `${a} * ${b}`);
      m.exports.negateDecimal(...words(a));
      expect(result()).to.equal(-a);
      expect(Math.sign(m.exports.compareDecimal(...both))).to.equal(a < b ? -1 : a > b ? 1 : 0);
      const shift = random.below(39);
      m.exports.divideDecimal(...both, shift);
      const dividend = a * 10n ** BigInt(shift);
      if (b === 0n) expect(m.exports.status()).to.equal(ZERO_DIVISOR);
      else if (magnitude(dividend) >= 1n << 128n) expect(m.exports.status()).to.equal(RANGE);
      else expectResult(dividend / b, `${a} / ${b} at ${shift}`);
      m.exports.moduloDecimal(...both);
      if (b === 0n) expect(m.exports.status()).to.equal(ZERO_DIVISOR);
      else expectResult(a % b, `${a} % ${b}`);
      const [from, to] = [random.below(39), random.below(39)];
      m.exports.rescaleDecimal(...words(a), from, to);
      const rescaled = to >= from ? a * 10n ** BigInt(to - from) : divideRounded(a, 10n ** BigInt(from - to));
      expectResult(rescaled, `${a} from ${from} to ${to}`);
      const precision = random.below(39);
      expect(m.exports.fitsPrecision(...words(a), precision) === 1).to.equal(magnitude(a) < 10n ** BigInt(precision));
    }
  });

  it("converts to and from integers and doubles", () => {
    const random = new Seeded(44);
    for (let i = 0; i < 8000 * FUZZ_SCALE; i++) {
      const [value, scale] = [randomDecimal(random), random.below(39)];
      const whole = value / 10n ** BigInt(scale);
      const integer = m.exports.decimalToI64(...words(value), scale);
      const fits = BigInt.asIntN(64, whole) === whole;
      if ((m.exports.status() === OK) !== fits || (fits && integer !== whole)) expect.fail(`${value} at ${scale}: ${integer}`);
      expect(m.exports.decimalToDouble(...words(value), scale)).to.equal(Number(value) / Number(10n ** BigInt(scale)));
      const short = BigInt.asIntN(64, random.u64OfAnyLength());
      m.exports.decimalOfI64(short, scale);
      expectResult(short * 10n ** BigInt(scale), `${short} at ${scale}`);
      const double = (random.f64Bits() % 1e20) / random.pick([1, 1e5, 1e15]);
      if (!Number.isFinite(double)) continue;
      const scaled = Math.abs(double) * Number(10n ** BigInt(scale));
      const rounded = BigInt(Math.floor(scaled)) + (scaled - Math.floor(scaled) >= 0.5 ? 1n : 0n);
      m.exports.decimalOfDouble(double, scale);
      if (scaled < 9e37) expectResult(double < 0 ? -rounded : rounded, `${double} at ${scale}`);
    }
    for (const value of [Number.NaN, Infinity, -Infinity, 1e38, -1e39]) {
      m.exports.decimalOfDouble(value, 0);
      expect(m.exports.status(), `${value}`).to.equal(RANGE);
    }
  });
});
