/** Group tables against a Map: growth, removal, colliding hashes, and the memory they take. */
import { expect } from "chai";
import { compileModule, MEMORY_PAGES } from "../../../src/codegen/asc.ts";
import { Prng } from "../../../src/core/prng.ts";

interface Exports {
  readonly make: (entrySize: number) => number;
  readonly drop: (t: number) => void;
  readonly put: (t: number, hash: bigint, key: bigint) => number;
  readonly find: (t: number, hash: bigint, key: bigint) => number;
  readonly remove: (t: number, e: number, hash: bigint) => void;
  readonly live: (t: number) => number;
  readonly walk: (t: number) => bigint;
  readonly grow: (t: number, from: bigint, count: number) => void;
  readonly hash: (key: bigint) => bigint;
  readonly bytes: () => bigint;
  readonly used: () => bigint;
  readonly fatal: () => number;
}

const MAIN = `
import { makeTable, releaseTable, insertEntry, removeEntry, startCursor, nextEntry, TABLE_LIVE } from "../runtime/group-table.ts";
import { reserve, stateBytes, fatalCode } from "../runtime/memory.ts";
import { hashWord } from "../runtime/hash.ts";
const STATE: usize = reserve(512);
export function make(entrySize: usize): usize { return makeTable(STATE, 0, 0, entrySize); }
export function drop(t: usize): void { releaseTable(t); }
export function find(t: usize, h: u64, key: u64): usize {
  const slots = <usize>load<u32>(<usize>load<u32>(t) + ((<usize>(h >> 13) & <usize>load<u32>(t, 4)) << 2));
  const mask = <usize>load<u32>(t, 8);
  let p = <usize>h & mask;
  while (true) {
    const slot = load<u64>(slots + (p << 3));
    if (slot == 0) return 0;
    if (<u32>(slot >> 32) == <u32>h && load<u64>(<usize>(<u32>slot), 16) == key) return <usize>(<u32>slot);
    p = (p + 1) & mask;
  }
}
export function put(t: usize, h: u64, key: u64): usize {
  let e = find(t, h, key);
  if (e == 0) { e = insertEntry(t, h, h); store<u64>(e, key, 16); }
  return e;
}
export function remove(t: usize, e: usize, h: u64): void { removeEntry(t, e, h); }
export function live(t: usize): u32 { return load<u32>(t, TABLE_LIVE); }
export function walk(t: usize): u64 {
  let sum: u64 = 0;
  startCursor(t);
  for (let e = nextEntry(); e != 0; e = nextEntry()) sum += load<u64>(e, 16);
  return sum;
}
export function grow(t: usize, from: u64, count: i32): void { for (let i: i32 = 0; i < count; i++) put(t, hashWord(from + i), from + i); }
export function hash(key: u64): u64 { return hashWord(key); }
export function bytes(): u64 { return load<u64>(STATE); }
export function used(): u64 { return stateBytes(); }
export function fatal(): i32 { return fatalCode; }
`;

describe("group table", function () {
  this.timeout(60_000);
  let module: WebAssembly.Module;
  const instance = (): Exports => {
    const memory = new WebAssembly.Memory({ initial: MEMORY_PAGES, maximum: MEMORY_PAGES });
    return new WebAssembly.Instance(module, { env: { memory, abort: () => {} } }).exports as unknown as Exports;
  };

  before(async () => {
    module = await WebAssembly.compile(await compileModule(new Map([["generated/main.ts", MAIN]]), "generated/main.ts", "production"));
  });

  const HASHES: readonly { readonly name: string; readonly keys: number; readonly of: (x: Exports, key: bigint) => bigint }[] = [
    { name: "good hashes", keys: 40_000, of: (x, key) => x.hash(key) },
    { name: "256 different hashes", keys: 3000, of: (_, key) => (key & 255n) * 0x9e3779b97f4a7c15n },
    { name: "hashes that agree in the low 32 bits", keys: 2000, of: (_, key) => key << 32n },
    { name: "hashes in one sub-table after many splits", keys: 20_000, of: (x, key) => x.hash(key) & ~0x1fe000n },
  ];
  for (const { name, keys, of } of HASHES) {
    it(`finds what was put and not what was removed, with ${name}`, () => {
      const x = instance();
      const t = x.make(24) >>> 0;
      const random = new Prng(5);
      const present = new Map<bigint, number>();
      for (let i = 0; i < 4 * keys; i++) {
        const key = BigInt(random.below(keys));
        const hash = of(x, key);
        const entry = present.get(key);
        if (random.below(3) === 0 && entry !== undefined) {
          x.remove(t, entry, hash);
          present.delete(key);
        } else {
          const at = x.put(t, hash, key) >>> 0;
          if (entry !== undefined) expect(at).to.equal(entry);
          present.set(key, at);
        }
      }
      expect(x.live(t)).to.equal(present.size);
      for (let key = 0n; key < keys; key++) expect(x.find(t, of(x, key), key) >>> 0).to.equal(present.get(key) ?? 0);
      expect(x.walk(t)).to.equal([...present.keys()].reduce((a, b) => a + b, 0n));
      x.drop(t);
      expect(x.bytes()).to.equal(0n);
      expect(x.used()).to.equal(0n);
    });
  }

  it("takes at most 64 bytes per group of a BIGINT key with two 64-bit accumulators, all the way from 64,000 to a million groups", () => {
    const x = instance();
    const t = x.make(40) >>> 0;
    let worst = 0;
    for (let groups = 0; groups < 1_000_000; groups += 1000) {
      x.grow(t, BigInt(groups), 1000);
      if (groups + 1000 >= 64_000) worst = Math.max(worst, Number(x.used()) / (groups + 1000));
    }
    expect(x.live(t)).to.equal(1_000_000);
    expect(worst).to.be.at.most(64);
    x.drop(t);
    expect(x.used()).to.equal(0n);
  });

  it("shares segments between small tables and gives them back", () => {
    const x = instance();
    const tables = Array.from({ length: 20_000 }, (_, i) => {
      const t = x.make(40) >>> 0;
      x.put(t, x.hash(BigInt(i)), BigInt(i));
      return t;
    });
    expect(Number(x.used()) / tables.length).to.be.at.most(5200);
    for (const t of tables) x.drop(t);
    expect(x.used()).to.equal(0n);
  });

  it("ends the slot instead of looping when thousands of hashes are all alike", () => {
    const x = instance();
    const t = x.make(24) >>> 0;
    for (let i = 0n; i < 9000n && x.fatal() === 0; i++) x.put(t, 42n, i);
    expect(x.fatal()).to.equal(1);
    expect(x.live(t)).to.be.greaterThan(8000);
  });
});
