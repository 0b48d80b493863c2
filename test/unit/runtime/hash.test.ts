/** XXH64 of the runtime against the reference, and its byte comparisons. */
import { expect } from "chai";
import { Prng } from "../../../src/core/prng.ts";
import { xxh64 } from "../../../src/data/key-hash.ts";
import { type RuntimeModule, runtimeModule } from "../../support/runtime-module.ts";

interface Exports {
  readonly hash: (at: number, length: number) => bigint;
  readonly word: (value: bigint) => bigint;
  readonly nullHash: () => bigint;
  readonly same: (a: number, b: number, length: number) => number;
  readonly compare: (a: number, aLength: number, b: number, bLength: number) => number;
  readonly float: (value: number) => bigint;
}

const ENTRY = `
import { hashBytes, hashWord, HASH_OF_NULL, sameBytes, compareBytes, floatKey } from "./src/runtime/hash.ts";
export function hash(at: usize, length: usize): u64 { return hashBytes(at, length); }
export function word(value: u64): u64 { return hashWord(value); }
export function nullHash(): u64 { return HASH_OF_NULL; }
export function same(a: usize, b: usize, length: usize): bool { return sameBytes(a, b, length); }
export function compare(a: usize, aLength: usize, b: usize, bLength: usize): i32 { return compareBytes(a, aLength, b, bLength); }
export function float(value: f64): u64 { return floatKey(value); }
`;

describe("runtime hash", () => {
  let module: RuntimeModule<Exports>;
  const unsigned = (value: bigint): bigint => BigInt.asUintN(64, value);

  before(async () => {
    module = await runtimeModule<Exports>(ENTRY);
  });

  it("equals XXH64 for every length up to 200 bytes and beyond", () => {
    const random = new Prng(1);
    for (const length of [...Array(200).keys(), 1000, 4097]) {
      const bytes = Uint8Array.from({ length }, () => random.below(256));
      module.bytes.set(bytes, module.base + 3);
      expect(unsigned(module.exports.hash(module.base + 3, length))).to.equal(xxh64(bytes));
    }
  });

  it("hashes one present word, and NULL, like their canonical bytes", () => {
    const random = new Prng(2);
    for (let i = 0; i < 200; i++) {
      const value = random.nextU64() >> BigInt(random.below(64));
      const canonical = new Uint8Array(9);
      canonical[0] = 1;
      new DataView(canonical.buffer).setBigUint64(1, value, true);
      expect(unsigned(module.exports.word(value))).to.equal(xxh64(canonical));
    }
    expect(unsigned(module.exports.nullHash())).to.equal(xxh64(Uint8Array.of(0)));
  });

  it("compares bytes as unsigned, shorter first, whatever lies behind them", () => {
    const random = new Prng(3);
    for (let i = 0; i < 2000; i++) {
      const [a, b] = [0, 1].map(() => Uint8Array.from({ length: random.below(20) }, () => (random.below(8) === 0 ? 200 : 7))) as [
        Uint8Array,
        Uint8Array,
      ];
      const [at, to] = [module.base, module.base + 128];
      module.bytes.fill(random.below(256), at, at + 256);
      module.bytes.set(a, at);
      module.bytes.set(b, to);
      expect(Math.sign(module.exports.compare(at, a.length, to, b.length))).to.equal(Buffer.compare(a, b));
      if (a.length === b.length) expect(module.exports.same(at, to, a.length) !== 0).to.equal(Buffer.compare(a, b) === 0);
    }
  });

  it("makes one key of both zeros and of all NaNs", () => {
    expect(module.exports.float(-0)).to.equal(0n);
    expect(unsigned(module.exports.float(Number.NaN))).to.equal(0x7ff8000000000000n);
    expect(module.exports.float(1)).to.equal(0x3ff0000000000000n);
  });
});
