/**
 * Numbers as text against JavaScript: integers against BigInt, doubles against `Number()` and `String()`, floats against
 * exact big-integer rounding. `WADI_FUZZ_SCALE` multiplies the random cases.
 */
import { expect } from "chai";
import { exactText, nearestF32 } from "../../support/exact-decimal.ts";
import { FUZZ_SCALE, type RuntimeModule, runtimeModule } from "../../support/runtime-module.ts";
import { Seeded } from "../../support/seeded.ts";

const ENTRY = `
import * as read from "./src/runtime/number-read.ts";
import {
  readI64, readI32, readI16, readI8, readU64, readU32, readU16, readU8, readF64, readF32, castI64, castU64, castF64, castF32,
} from "./src/runtime/number-read.ts";
import {
  writeI64, writeU64, writeF64, writeF32, writeF64Sql, writeF32Sql, isFiniteF64, isFiniteF32,
} from "./src/runtime/number-write.ts";
export { readI64, readI32, readI16, readI8, readU64, readU32, readU16, readU8, readF64, readF32 };
export { castI64, castU64, castF64, castF32 };
export { writeI64, writeU64, writeF64, writeF32, writeF64Sql, writeF32Sql, isFiniteF64, isFiniteF32 };
export function status(): i32 { return read.numStatus; }
export function i64Value(): i64 { return read.numI64; }
export function u64Value(): u64 { return read.numU64; }
export function f64Value(): f64 { return read.numF64; }
export function f32Value(): f32 { return read.numF32; }
`;

/** Decimals near ties, subnormals and the ends of the range, from the literature's bug reports. */
const HARD = `
  0 -0 0.0 -0.0e-5 1 5e-324 4.9e-324 2.4703282292062327e-324 2.4703282292062328e-324
  2.47032822920623272088284396434110686182e-324 2.4703282292062327208828439643411068618252990130716e-324
  2.2250738585072011e-308 2.2250738585072012e-308 2.2250738585072014e-308 1.7976931348623157e308 1.7976931348623158e308
  1.7976931348623159e308 1.797693134862315807e308 179769313486231580793728971405303415e273 9007199254740991
  9007199254740992 9007199254740993 9007199254740993.0000000000000000000000000001 9007199254740995 18446744073709551615
  18446744073709551616 1e22 1e23 8.5e22 1e-22 1e-23 -3.018e+50 6.02214076e23 1090544144181609348671888949248
  1090544144181609348835077142190 7.2057594037927933e16 123456789012345678901234567890
  0.500000000000000166533453693773481063544750213623046875 3.518437208883201171875e13 62.5364939768271845828
  8.10109172351e-10 1.50000000000000011102230246251565 30078505129381147446200 1777820000000000000001
  0.000000000000000000000000000000000000000000000000000000000000000000000001 1e-400 1e400 -1e309 1e310 1e-342 1e-343
  9999999999999999999e-343 99999999999999999999999999e-350 0e400 123e-350 1e999999999999999999999
  1e-999999999999999999999 0e999999999999999999999
`;

/** Doubles at the edges of the spellings. */
const DOUBLES = `
  0 -0 1 -1 10 100 123 0.1 0.5 1e21 1e22 1e20 123456789012345680000 1.5e-6 1e-6 1e-7 9.999999e-7 5e-324
  1.7976931348623157e308 2.2250738585072014e-308 2.225073858507201e-308 1e23 9.5e-7 1e16 1e15 9999999999999998
  12345678.9 4.35 0.3 1e100 1.2e-5 1e-5 9e-6 1e17 123456789.125
`
  .trim()
  .split(/\s+/)
  .map(Number)
  .concat([2 ** 53, 2 ** 53 + 2, 2 ** 63, 2 ** 64, 2 / 3, 2 ** 51 + 0.5, 2 ** -1074]);

type Reader = (at: number) => number;
type Cast = (at: number, length: number) => number;

interface Exports {
  readonly readI64: Reader;
  readonly readI32: Reader;
  readonly readI16: Reader;
  readonly readI8: Reader;
  readonly readU64: Reader;
  readonly readU32: Reader;
  readonly readU16: Reader;
  readonly readU8: Reader;
  readonly readF64: Reader;
  readonly readF32: Reader;
  readonly castI64: Cast;
  readonly castU64: Cast;
  readonly castF64: Cast;
  readonly castF32: Cast;
  readonly writeI64: (at: number, value: bigint) => number;
  readonly writeU64: (at: number, value: bigint) => number;
  readonly writeF64: (at: number, value: number) => number;
  readonly writeF32: (at: number, value: number) => number;
  readonly writeF64Sql: (at: number, value: number) => number;
  readonly writeF32Sql: (at: number, value: number) => number;
  readonly isFiniteF64: (value: number) => number;
  readonly isFiniteF32: (value: number) => number;
  readonly status: () => number;
  readonly i64Value: () => bigint;
  readonly u64Value: () => bigint;
  readonly f64Value: () => number;
  readonly f32Value: () => number;
}

const OK = 0;
const SYNTAX = 1;
const RANGE = 2;
const FRACTION = 3;
const JSON_NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;

/** What follows a number in a document; none continues one. */
const FOLLOWERS = [0x2c, 0x7d, 0x0a, 0x20, 0x00, 0xff, 0x2f, 0x3a];

let m: RuntimeModule<Exports>;

before(async () => {
  m = await runtimeModule<Exports>(ENTRY);
});

/** Reads `text` and checks that the reader stopped at its end unless it refused the text. */
function read(reader: Reader, text: string, follower = 0x2c): number {
  const length = m.writeText(m.base, text, follower);
  const end = reader(m.base);
  const status = m.exports.status();
  if (status !== SYNTAX && end - m.base !== length) expect.fail(`${text}: read ${end - m.base} of ${length} bytes`);
  return status;
}

function expectF64(text: string, follower?: number): void {
  const expected = Number(text);
  const status = read(m.exports.readF64, text, follower);
  if (!Object.is(m.exports.f64Value(), expected) || status !== (Number.isFinite(expected) ? OK : RANGE)) {
    expect.fail(`${text}: ${m.exports.f64Value()} with status ${status} instead of ${expected}`);
  }
}

function expectF32(text: string): void {
  const expected = nearestF32(text);
  const status = read(m.exports.readF32, text);
  if (!Object.is(m.exports.f32Value(), expected) || status !== (Number.isFinite(expected) ? OK : RANGE)) {
    expect.fail(`${text}: ${m.exports.f32Value()} with status ${status} instead of ${expected}`);
  }
}

/** A decimal of 1 to `most` digits with a point and an exponent somewhere. */
function randomDecimal(random: Seeded, most: number): string {
  const length = 1 + random.below(most);
  const digits = random.digits(length);
  const point = random.below(length + 1);
  const integral = digits.slice(0, point).replace(/^0+(?=\d)/, "") || "0";
  const fraction = digits.slice(point);
  const exponent = random.below(4) === 0 ? "" : `${random.pick(["e", "E"])}${random.pick(["", "+", "-"])}${random.below(340)}`;
  return `${random.pick(["", "-"])}${integral}${fraction === "" ? "" : `.${fraction}`}${exponent}`;
}

/** The exact middle between a random double and the next greater one, and texts a hair off it. */
function nearMiddle(random: Seeded, fractionBits: number, bias: number): string[] {
  const biased = random.below(2 * bias + 1);
  const fraction = random.nextU64() & ((1n << BigInt(fractionBits)) - 1n);
  const significand = biased === 0 ? fraction : fraction | (1n << BigInt(fractionBits));
  const middle = exactText(significand * 2n + 1n, Math.max(biased, 1) - bias - fractionBits - 1);
  const plain = middle.includes(".") ? middle : `${middle}.0`;
  const cut = plain.slice(0, Math.max(plain.indexOf(".") + 2, 10 + random.below(30)));
  return [middle, `${plain}${"0".repeat(random.below(90))}1`, plain.slice(0, -1).replace(/\.$/, ""), cut];
}

/** What ryu's \`pretty\` prints for the digits of \`String(value)\`. */
function ryuText(value: number, shortest: string, least: number, greatest: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value < 0 ? "-inf" : "inf";
  const sign = Object.is(value, -0) || value < 0 ? "-" : "";
  if (value === 0) return `${sign}0.0`;
  const [mantissa = "", exponentText = "0"] = shortest
    .replace("-", "")
    .replace(/^0\.(0*)/, (_all, zeros: string) => `.${zeros}`)
    .split("e");
  const [integral = "", fraction = ""] = mantissa.split(".");
  const exponent = shortest.includes("e") ? Number(shortest.slice(shortest.indexOf("e") + 1)) : Number(exponentText);
  const all = integral + fraction;
  const leading = all.length - all.replace(/^0+/, "").length;
  const digits = all.replace(/^0+/, "").replace(/0+$/, "");
  const point = integral.length - leading + exponent;
  if (point <= least || point > greatest) return `${sign}${digits[0]}${digits.length > 1 ? `.${digits.slice(1)}` : ""}e${point - 1}`;
  if (point <= 0) return `${sign}0.${"0".repeat(-point)}${digits}`;
  if (digits.length > point) return `${sign}${digits.slice(0, point)}.${digits.slice(point)}`;
  return `${sign}${digits.padEnd(point, "0")}.0`;
}

/** The shortest text of a positive float: the fewest digits of which some choice reads back, and of those the nearest to it. */
function shortestF32(value: number): string {
  for (let precision = 1; precision < 10; precision++) {
    const [digits = "", exponent = ""] = value.toExponential(precision - 1).split("e");
    const nearest = BigInt(digits.replace(".", ""));
    const spell = (n: bigint): number => Number(`${n}e${Number(exponent) - precision + 1}`);
    const reading = [nearest, nearest - 1n, nearest + 1n].filter((n) => nearestF32(String(spell(n))) === value);
    const distance = (n: bigint): number => Math.abs(spell(n) - value) / value;
    // Two texts equally near: the even one.
    const best = reading.sort((x, y) =>
      Math.abs(distance(x) - distance(y)) < 1e-13 ? Number(x % 2n) - Number(y % 2n) : distance(x) - distance(y),
    )[0];
    if (best !== undefined) return String(spell(best));
  }
  return String(value);
}

/** The unsigned result: WebAssembly hands 64-bit integers over as signed. */
function u64Value(): bigint {
  return BigInt.asUintN(64, m.exports.u64Value());
}

describe("reading integers", () => {
  const WIDTHS = [
    ["readI64", -(2n ** 63n), 2n ** 63n - 1n],
    ["readI32", -(2n ** 31n), 2n ** 31n - 1n],
    ["readI16", -(2n ** 15n), 2n ** 15n - 1n],
    ["readI8", -(2n ** 7n), 2n ** 7n - 1n],
    ["readU64", 0n, 2n ** 64n - 1n],
    ["readU32", 0n, 2n ** 32n - 1n],
    ["readU16", 0n, 2n ** 16n - 1n],
    ["readU8", 0n, 2n ** 8n - 1n],
  ] as const;

  for (const [name, least, greatest] of WIDTHS) {
    const value = (): bigint => (least === 0n ? u64Value() : m.exports.i64Value());

    it(`${name} is exact inside its range and refuses what lies outside`, () => {
      for (const base of [0n, least, greatest, 10n ** 7n, 10n ** 8n, 10n ** 15n, 10n ** 16n, 10n ** 17n, 10n ** 19n, 2n ** 64n]) {
        for (let delta = -11n; delta <= 11n; delta++) {
          for (const integer of [base + delta, -base + delta]) {
            for (const text of [`${integer}`, `${integer}.0`, `${integer}0e-1`]) {
              if (text === "00e-1") continue;
              const status = read(m.exports[name], text);
              expect(status, text).to.equal(integer >= least && integer <= greatest ? OK : RANGE);
              if (status === OK) expect(value(), text).to.equal(integer);
            }
          }
        }
      }
    });

    it(`${name} reads random integers of every length before every follower`, () => {
      const random = new Seeded(1);
      for (let i = 0; i < 4000 * FUZZ_SCALE; i++) {
        const integer = random.below(2) === 0 ? random.u64OfAnyLength() : -random.u64OfAnyLength();
        const status = read(m.exports[name], `${integer}`, random.pick(FOLLOWERS));
        const fits = integer >= least && integer <= greatest;
        if (status !== (fits ? OK : RANGE) || (fits && value() !== integer)) expect.fail(`${integer}: ${value()} with status ${status}`);
      }
    });
  }

  it("accepts fractions and exponents only where the value is integral", () => {
    const cases: readonly (readonly [string, number, bigint])[] = [
      ["1e3", OK, 1000n],
      ["12.50e1", OK, 125n],
      ["-0", OK, 0n],
      ["-0.000", OK, 0n],
      ["0e999999999999", OK, 0n],
      ["1.5", FRACTION, 1n],
      ["-1.999", FRACTION, -1n],
      ["1e-400", FRACTION, 0n],
      [`1${"0".repeat(500)}e-500`, OK, 1n],
      [`0.${"0".repeat(500)}1e501`, OK, 1n],
      [`1${"0".repeat(500)}.5e-500`, FRACTION, 1n],
      ["9223372036854775807.000", OK, 9223372036854775807n],
      ["9223372036854775807.5", FRACTION, 9223372036854775807n],
      ["-9223372036854775808.0e0", OK, -9223372036854775808n],
    ];
    for (const [text, status, value] of cases) {
      expect(read(m.exports.readI64, text), text).to.equal(status);
      expect(m.exports.i64Value(), text).to.equal(value);
    }
    for (const text of ["1e400", "9223372036854775808.0", "92233720368547758070e-0", "1e99999999999999999999"]) {
      expect(read(m.exports.readI64, text), text).to.equal(RANGE);
    }
    expect(read(m.exports.readU64, "-0")).to.equal(OK);
    expect(read(m.exports.readU64, "-0.5")).to.equal(FRACTION);
    expect(read(m.exports.readU64, "18446744073709551615.0")).to.equal(OK);
    expect(u64Value()).to.equal(2n ** 64n - 1n);
  });

  it("refuses what JSON's grammar refuses, and stops where a number stops", () => {
    const random = new Seeded(2);
    const alphabet = ["0", "1", "9", "5", ".", "-", "+", "e", "E", "00", "12345678"];
    for (let i = 0; i < 20_000 * FUZZ_SCALE; i++) {
      let text = "";
      for (let n = 1 + random.below(7); n > 0; n--) text += random.pick(alphabet);
      const longest = longestNumber(text);
      for (const reader of [m.exports.readI64, m.exports.readU64, m.exports.readF64, m.exports.readF32]) {
        m.writeText(m.base, text, 0x2c);
        const end = reader(m.base) - m.base;
        const refused = m.exports.status() === SYNTAX;
        if (refused !== (longest === undefined) || (longest !== undefined && end !== longest.length)) {
          expect.fail(`${text}: read ${end} bytes, refused: ${refused}, expected ${longest ?? "refusal"}`);
        }
      }
    }
  });
});

/**
 * The number at the start of `text` as a reader sees it: undefined where the bytes up to the first that cannot continue a
 * number are none (`1e` and `01` are refused although a prefix is a number).
 */
function longestNumber(text: string): string | undefined {
  const match = /^-?\d*(\.\d*)?([eE][+-]?\d*)?/.exec(text);
  const candidate = match?.[0] ?? "";
  return JSON_NUMBER.test(candidate) ? candidate : undefined;
}

describe("reading floats", () => {
  it("gives Number() for known hard decimals", () => {
    const hard = [
      ...HARD.trim().split(/\s+/),
      `1${"0".repeat(400)}e-400`,
      `0.${"0".repeat(400)}1e401`,
      `0.${"0".repeat(2000)}5e2001`,
      `${"9".repeat(309)}`,
      `${"9".repeat(308)}`,
      `${"1".repeat(800)}e-800`,
    ];
    for (const text of hard) {
      expectF64(text);
      expectF32(text.length < 700 && Math.abs(Number(text.split(/e/i)[1] ?? 0)) < 9999 ? text : "1");
    }
  });

  it("gives Number() for random doubles as JavaScript writes them", () => {
    const random = new Seeded(3);
    for (let i = 0; i < 60_000 * FUZZ_SCALE; i++) {
      const value = random.f64Bits();
      if (!Number.isFinite(value)) continue;
      expectF64(String(value), random.pick(FOLLOWERS));
      expectF64(value.toExponential(random.below(21)));
    }
  });

  it("gives Number() for random decimals of up to 800 digits", () => {
    const random = new Seeded(4);
    for (let i = 0; i < 40_000 * FUZZ_SCALE; i++) expectF64(randomDecimal(random, random.pick([3, 8, 17, 19, 20, 21, 40])));
    for (let i = 0; i < 3000 * FUZZ_SCALE; i++) expectF64(randomDecimal(random, 800));
  });

  it("gives Number() at and next to the middle of two doubles", () => {
    const random = new Seeded(5);
    for (let i = 0; i < 1500 * FUZZ_SCALE; i++) for (const text of nearMiddle(random, 52, 1023)) expectF64(text);
  });

  it("rounds to REAL once, from the decimal", () => {
    // Number() gives a double that lies in the middle of two floats; the decimal lies above it.
    expectF32("1.000000178813934326171875000000000000000000000000001");
    expectF32("340282356779733661637539395458142568447");
    expectF32("340282356779733661637539395458142568448");
    const random = new Seeded(6);
    for (let i = 0; i < 10_000 * FUZZ_SCALE; i++) {
      const value = random.f32Bits();
      if (Number.isFinite(value)) expectF32(String(value));
      expectF32(randomDecimal(random, random.pick([3, 8, 10, 17, 25])));
    }
    for (let i = 0; i < 1000 * FUZZ_SCALE; i++) for (const text of nearMiddle(random, 23, 127)) expectF32(text);
  });
});

describe("casting text to numbers", () => {
  function cast(reader: Cast, text: string): number {
    // Digits after the text must not be taken for its own.
    const length = m.writeText(m.base + 16, text, 0x37);
    m.bytes.fill(0x37, m.base, m.base + 16);
    return reader(m.base + 16, length);
  }

  it("takes signs, leading zeros and surrounding white space for integers, and nothing else", () => {
    for (const [text, value] of [
      ["+007", 7n],
      [" -12\n", -12n],
      ["0", 0n],
      ["-9223372036854775808", -(2n ** 63n)],
    ] as const) {
      expect(cast(m.exports.castI64, text), text).to.equal(OK);
      expect(m.exports.i64Value()).to.equal(value);
    }
    for (const text of ["", " ", "+", "-", "1.0", "1e3", "1 2", "0x10", "١", "--1", "1."]) {
      expect(cast(m.exports.castI64, text), text).to.equal(SYNTAX);
    }
    expect(cast(m.exports.castI64, "9223372036854775808")).to.equal(RANGE);
    expect(cast(m.exports.castU64, "-1")).to.equal(RANGE);
    expect(cast(m.exports.castU64, "018446744073709551615")).to.equal(OK);
    expect(u64Value()).to.equal(2n ** 64n - 1n);
  });

  it("takes the spellings of Rust's float parser for floats", () => {
    for (const text of ["1", "+1.5", "007.25", "1.", ".5", "-.5e3", "1e5", " 2.5 ", "1E-3", "123456789012345678901234567890.5"]) {
      expect(cast(m.exports.castF64, text), text).to.equal(OK);
      expect(m.exports.f64Value()).to.equal(Number(text));
      expect(cast(m.exports.castF32, text), text).to.equal(OK);
      expect(m.exports.f32Value()).to.equal(nearestF32(String(Number(text))));
    }
    for (const [text, value] of [
      ["inf", Infinity],
      ["-Infinity", -Infinity],
      ["+INF", Infinity],
      ["NaN", NaN],
      ["nan", NaN],
    ] as const) {
      expect(cast(m.exports.castF64, text), text).to.equal(OK);
      expect(m.exports.f64Value()).to.deep.equal(value);
    }
    for (const text of ["", ".", "e5", "1e", "1e+", "in", "infinit", "infinityy", "nanx", "1,5", "0x1", "1.5.2", "- 1", "1f"]) {
      expect(cast(m.exports.castF64, text), text).to.equal(SYNTAX);
    }
    expect(cast(m.exports.castF64, "1e400")).to.equal(RANGE);
    expect(m.exports.f64Value()).to.equal(Infinity);
  });
});

describe("writing numbers", () => {
  const at = (): number => m.base + 64;

  function written(end: number): string {
    return m.readText(at(), end);
  }

  it("writes integers of every length as BigInt does", () => {
    const random = new Seeded(7);
    const edges = [0n, 2n ** 63n - 1n, 2n ** 64n - 1n];
    for (let power = 1n; power < 2n ** 63n; power *= 10n) edges.push(power - 1n, power, power + 1n);
    for (let i = 0; i < 50_000 * FUZZ_SCALE; i++) edges.push(random.u64OfAnyLength());
    for (const value of edges) {
      if (written(m.exports.writeU64(at(), value)) !== value.toString()) expect.fail(`${value}`);
      const signed = BigInt.asIntN(64, random.below(2) === 0 ? value : -value);
      if (written(m.exports.writeI64(at(), signed)) !== signed.toString()) expect.fail(`${signed}`);
    }
    expect(written(m.exports.writeI64(at(), -(2n ** 63n)))).to.equal("-9223372036854775808");
  });

  it("writes doubles as String() does", () => {
    const random = new Seeded(8);
    const check = (value: number): void => {
      const text = written(m.exports.writeF64(at(), value));
      if (text !== String(value)) expect.fail(`${value}: ${text}`);
    };
    for (const value of DOUBLES) check(value);
    for (let exponent = -1074; exponent < 1024; exponent++) check(2 ** exponent);
    for (let exponent = -323; exponent < 309; exponent++) check(Number(`1e${exponent}`));
    for (let i = 0; i < 60_000 * FUZZ_SCALE; i++) {
      const value = random.f64Bits();
      if (Number.isFinite(value)) check(value);
      check(random.below(1e9) / random.pick([1, 10, 100, 1000, 1e6, 7]));
      check(Number(`${random.digits(1 + random.below(17))}e${random.below(50) - 30}`));
    }
  });

  it("writes doubles for a cast to text as Rust's ryu does", () => {
    const random = new Seeded(9);
    const check = (value: number): void => {
      const text = written(m.exports.writeF64Sql(at(), value));
      if (text !== ryuText(value, String(value), -5, 16)) expect.fail(`${value}: ${text}`);
    };
    for (const value of [...DOUBLES, Number.NaN, Infinity, -Infinity]) check(value);
    for (let i = 0; i < 20_000 * FUZZ_SCALE; i++) {
      check(random.f64Bits());
      check(Number(`${random.digits(1 + random.below(17))}e${random.below(50) - 30}`));
    }
    for (const [value, text] of [
      [1, "1.0"],
      [-0, "-0.0"],
      [1e16, "1e16"],
      [1.5e-5, "0.000015"],
      [1e-6, "1e-6"],
    ] as const) {
      expect(written(m.exports.writeF64Sql(at(), value))).to.equal(text);
    }
  });

  it("writes floats with the fewest digits that read back as the float", () => {
    const random = new Seeded(10);
    const check = (value: number): void => {
      const shortest = `${value < 0 ? "-" : ""}${shortestF32(Math.abs(value))}`;
      const text = written(m.exports.writeF32(at(), value));
      if (text !== shortest) expect.fail(`${value}: ${text} instead of ${shortest}`);
      const sql = written(m.exports.writeF32Sql(at(), value));
      if (sql !== ryuText(value, shortest, -6, 13)) expect.fail(`${value}: ${sql}`);
    };
    for (let exponent = -149; exponent < 128; exponent++) check(2 ** exponent);
    for (const value of [0.1, 16777216, 3.4028234663852886e38, 1e10, 8388607.5, 9.5e-7, 1e-6, 1e13, 1e12].map(Math.fround)) check(value);
    for (let i = 0; i < 5000 * FUZZ_SCALE; i++) {
      const value = random.f32Bits();
      if (Number.isFinite(value) && value !== 0) check(value);
    }
    expect(written(m.exports.writeF32(at(), -0))).to.equal("0");
    expect(written(m.exports.writeF32Sql(at(), -0))).to.equal("-0.0");
    expect(written(m.exports.writeF32Sql(at(), -Infinity))).to.equal("-inf");
  });

  it("knows what is finite", () => {
    for (const value of [0, -0, 1, 1.7976931348623157e308, 5e-324]) expect(m.exports.isFiniteF64(value)).to.equal(1);
    for (const value of [Number.NaN, Infinity, -Infinity]) {
      expect(m.exports.isFiniteF64(value)).to.equal(0);
      expect(m.exports.isFiniteF32(value)).to.equal(0);
    }
    expect(m.exports.isFiniteF32(3.4028234663852886e38)).to.equal(1);
  });

  it("touches no byte beyond its reserve", () => {
    const reserve = 64;
    for (const value of [-1.2345678901234567e-308, -123456789012345680000, -1.2345678901234567e-6, 1e21]) {
      m.bytes.fill(0xaa, at(), at() + 256);
      m.exports.writeF64(at(), value);
      m.exports.writeF64Sql(at(), value);
      expect(m.bytes.subarray(at() + reserve, at() + 256).every((byte) => byte === 0xaa)).to.equal(true);
    }
  });
});
