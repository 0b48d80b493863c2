/** XXH64 against published vectors, and the golden file that the AssemblyScript side is tested with too. */
import { readFileSync, writeFileSync } from "node:fs";
import { expect } from "chai";
import fc from "fast-check";
import type { ScalarType } from "../../../src/data/data-type.ts";
import { FLOAT64, INT64, TEXT } from "../../../src/data/data-type.ts";
import { keyGroup } from "../../../src/data/key-group.ts";
import { canonicalKeyBytes, type KeyValue, keyHash, xxh64 } from "../../../src/data/key-hash.ts";
import { isUpdating } from "../../support/golden.ts";

const GOLDEN = new URL("../../golden/wire/key-hash.json", import.meta.url);

/** The buffer of xxHash's own self-test: https://github.com/Cyan4973/xxHash/blob/dev/tests/sanity_test.c */
function sanityBuffer(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let generator = 2654435761n;
  for (let i = 0; i < length; i++) {
    bytes[i] = Number(generator >> 56n);
    generator = (generator * 11400714785074694797n) & ((1n << 64n) - 1n);
  }
  return bytes;
}

interface Case {
  readonly name: string;
  readonly types: readonly ScalarType[];
  readonly values: readonly KeyValue[];
}

const decimal: ScalarType = { kind: "decimal", precision: 38, scale: 10 };
const kind = (
  name: "boolean" | "int8" | "int16" | "int32" | "uint8" | "uint64" | "float32" | "bytes" | "date" | "time" | "timestamp" | "json",
): ScalarType => ({ kind: name });

const CASES: readonly Case[] = [
  { name: "no columns", types: [], values: [] },
  { name: "null bigint", types: [INT64], values: [null] },
  { name: "bigint 0", types: [INT64], values: [0n] },
  { name: "bigint 1", types: [INT64], values: [1n] },
  { name: "bigint -1", types: [INT64], values: [-1n] },
  { name: "bigint minimum", types: [INT64], values: [-(2n ** 63n)] },
  { name: "bigint maximum", types: [INT64], values: [2n ** 63n - 1n] },
  { name: "tinyint -1 is bigint -1", types: [kind("int8")], values: [-1n] },
  { name: "smallint 1 is bigint 1", types: [kind("int16")], values: [1n] },
  { name: "int -2147483648", types: [kind("int32")], values: [-2147483648n] },
  { name: "unsigned tinyint 255", types: [kind("uint8")], values: [255n] },
  { name: "unsigned bigint maximum", types: [kind("uint64")], values: [2n ** 64n - 1n] },
  { name: "false", types: [kind("boolean")], values: [false] },
  { name: "true", types: [kind("boolean")], values: [true] },
  { name: "date before 1970", types: [kind("date")], values: [-1n] },
  { name: "time", types: [kind("time")], values: [86_399_999_999_999n] },
  { name: "timestamp", types: [kind("timestamp")], values: [1_700_000_000_123_456_789n] },
  { name: "decimal 1.5", types: [decimal], values: [15_000_000_000n] },
  { name: "decimal negative", types: [decimal], values: [-(10n ** 37n)] },
  { name: "double 1.5", types: [FLOAT64], values: [1.5] },
  { name: "double 0", types: [FLOAT64], values: [0] },
  { name: "double -0 is 0", types: [FLOAT64], values: [-0] },
  { name: "double not a number", types: [FLOAT64], values: [Number.NaN] },
  { name: "double infinity", types: [FLOAT64], values: [Number.POSITIVE_INFINITY] },
  { name: "real 0.1 widened", types: [kind("float32")], values: [Math.fround(0.1)] },
  { name: "null text", types: [TEXT], values: [null] },
  { name: "empty text", types: [TEXT], values: [""] },
  { name: "text a", types: [TEXT], values: ["a"] },
  { name: "text non-ASCII", types: [TEXT], values: ["Grüße, 世界 🌍"] },
  { name: "text of 100 bytes", types: [TEXT], values: ["0123456789".repeat(10)] },
  { name: "json text", types: [kind("json")], values: ['{"a": 1}'] },
  { name: "bytes", types: [kind("bytes")], values: [Uint8Array.of(0, 255, 128)] },
  { name: "three columns", types: [INT64, TEXT, kind("boolean")], values: [42n, "key", true] },
  { name: "three columns with null in the middle", types: [INT64, TEXT, kind("boolean")], values: [42n, null, true] },
  { name: "texts a and bc", types: [TEXT, TEXT], values: ["a", "bc"] },
  { name: "texts ab and c", types: [TEXT, TEXT], values: ["ab", "c"] },
  {
    name: "window and key",
    types: [kind("timestamp"), kind("timestamp"), INT64],
    values: [1_700_000_000_000_000_000n, 1_700_000_010_000_000_000n, 1007n],
  },
];

const printValue = (value: KeyValue): unknown =>
  value instanceof Uint8Array
    ? { hex: Buffer.from(value).toString("hex") }
    : typeof value === "bigint" || typeof value === "number"
      ? printNumber(value)
      : value;
const printNumber = (value: bigint | number): string => (Object.is(value, -0) ? "-0" : String(value));

function golden(): readonly unknown[] {
  return CASES.map(({ name, types, values }) => ({
    name,
    types,
    values: values.map(printValue),
    canonical: Buffer.from(canonicalKeyBytes(types, values)).toString("hex"),
    hash: keyHash(types, values).toString(16).padStart(16, "0"),
    group: keyGroup(keyHash(types, values)),
  }));
}

describe("key hash", () => {
  it("gives the published XXH64 values", () => {
    const hash = (text: string, seed = 0n): string => xxh64(Buffer.from(text), seed).toString(16).padStart(16, "0");
    expect(hash("")).to.equal("ef46db3751d8e999");
    expect(hash("a")).to.equal("d24ec4f1a98c6e5b");
    expect(hash("as")).to.equal("1c330fb2d66be179");
    expect(hash("asd")).to.equal("631c37ce72a97393");
    expect(hash("asdf")).to.equal("415872f599cea71e");
    expect(hash("Call me Ishmael. Some years ago--never mind how long precisely-")).to.equal("02a2e85470d6fd96");
    expect(hash("", 0xae0543311b702d91n)).to.equal("4b6a04fcdf7a4672");
  });

  it("gives the values of xxHash's self-test, with and without a seed", () => {
    const prime32 = 0x9e3779b1n;
    const cases: readonly (readonly [number, bigint, bigint])[] = [
      [0, 0n, 0xef46db3751d8e999n],
      [0, prime32, 0xac75fda2929b17efn],
      [1, 0n, 0xe934a84adb052768n],
      [1, prime32, 0x5014607643a9b4c3n],
      [14, 0n, 0x8282dcc4994e35c8n],
      [14, prime32, 0xc3bd6bf63deb6df0n],
      [222, 0n, 0xb641ae8cb691c174n],
      [222, prime32, 0x20cb8ab7ae10c14an],
    ];
    for (const [length, seed, expected] of cases) expect(xxh64(sanityBuffer(length), seed), `length ${length}`).to.equal(expected);
  });

  it("is what the golden file says", () => {
    const actual = golden();
    if (isUpdating(process.env)) writeFileSync(GOLDEN, `${JSON.stringify(actual, undefined, 2)}\n`);
    expect(JSON.parse(JSON.stringify(actual))).to.deep.equal(JSON.parse(readFileSync(GOLDEN, "utf8")));
    expect(actual.length).to.be.greaterThan(30);
  });

  it("has different canonical bytes for different keys", () => {
    const key = fc.tuple(fc.option(fc.string({ unit: "binary" })), fc.option(fc.string({ unit: "binary" })), fc.option(fc.bigInt(-5n, 5n)));
    const bytes = (k: readonly KeyValue[]): string => Buffer.from(canonicalKeyBytes([TEXT, TEXT, INT64], k)).toString("hex");
    fc.assert(
      fc.property(key, key, (a, b) => {
        const equal = a.every((v, i) => v === b[i]);
        expect(bytes(a) === bytes(b)).to.equal(equal);
      }),
    );
  });

  it("spreads consecutive integers over all key groups", () => {
    const groups = new Set(Array.from({ length: 40_000 }, (_, i) => keyGroup(keyHash([INT64], [BigInt(i)]))));
    expect(groups.size).to.be.greaterThan(4090);
  });
});
