/** Partitioning: every row arrives once at the subtask of its key group, in order, with its NULLs, however batches with and without them mix. */
import { expect } from "chai";
import { Prng } from "../../../src/core/prng.ts";
import { type RuntimeModule, runtimeModule } from "../../support/runtime-module.ts";

const ENTRY = `
import { flushPartitioner, makePartitioner, outputPeek, outputPop, partition, setSubtask } from "./src/runtime/exchange.ts";
import { columnValidity, columnValues, makeBatch, setBatchRows, setColumn, batchRows } from "./src/runtime/batch.ts";
import { readFrame } from "./src/runtime/frame.ts";
import { releaseBlock, reserve } from "./src/runtime/memory.ts";
const widths = memory.data<u8>([8, 2, 0]);
let p: usize = 0;
const batch = makeBatch(2);
const received = makeBatch(2);
export const keys = reserve(65536);
export const shorts = reserve(16384);
export const validity = reserve(8192);
export const hashes = reserve(65536);
export function init(parallelism: i32): void { setSubtask(0, parallelism); p = makePartitioner(7, widths, 2); }
export function push(rows: usize, nulls: bool): void {
  setBatchRows(batch, rows);
  setColumn(batch, 0, keys, 0, 0);
  setColumn(batch, 1, shorts, nulls ? validity : 0, 0);
  partition(p, batch, hashes);
}
export function flush(): void { flushPartitioner(p); }
export function next(): i32 {
  const entry = outputPeek();
  if (entry == 0) return -1;
  readFrame(<usize>load<u32>(entry), received);
  return load<i32>(entry, 12);
}
export function rows(): usize { return batchRows(received); }
export function values(c: usize): usize { return columnValues(received, c); }
export function valid(): usize { return columnValidity(received, 1); }
export function pop(): void { const frame = <usize>load<u32>(outputPeek()); outputPop(); releaseBlock(frame); }
`;

interface Exports {
  readonly keys: WebAssembly.Global;
  readonly shorts: WebAssembly.Global;
  readonly validity: WebAssembly.Global;
  readonly hashes: WebAssembly.Global;
  readonly init: (parallelism: number) => void;
  readonly push: (rows: number, nulls: number) => void;
  readonly flush: () => void;
  readonly next: () => number;
  readonly rows: () => number;
  readonly values: (column: number) => number;
  readonly valid: () => number;
  readonly pop: () => void;
}

type Row = readonly [key: bigint, value: number | null];

const PARALLELISM = 3;

/** Subtask of a key: the test's hash is the key in the top 12 bits. */
function targetOf(key: bigint): number {
  return Number(((key & 0xfffn) * BigInt(PARALLELISM)) >> 12n);
}

/** Sends a random batch; its rows by target. */
function send({ exports, view }: RuntimeModule<Exports>, prng: Prng, expected: readonly Row[][]): void {
  const rows = prng.pick([1, 7, 500, 8192]);
  const nulls = prng.pick(["none", "possible", "some"]);
  for (let r = 0; r < rows; r++) {
    const key = BigInt(prng.below(4096));
    const value = nulls === "some" && prng.chance(1, 3) ? null : prng.below(30_000);
    view.setBigUint64(Number(exports.keys.value) + r * 8, key, true);
    view.setUint16(Number(exports.shorts.value) + r * 2, value ?? 0, true);
    view.setUint8(Number(exports.validity.value) + r, value === null ? 0 : 1);
    view.setBigUint64(Number(exports.hashes.value) + r * 8, key << 52n, true);
    expected[targetOf(key)]?.push([key, value]);
  }
  exports.push(rows, nulls === "none" ? 0 : 1);
}

/** Takes everything out of the output queue. */
function receive({ exports, view }: RuntimeModule<Exports>, received: readonly Row[][]): void {
  for (let target = exports.next(); target >= 0; target = exports.next()) {
    const [keys, shorts, valid] = [exports.values(0), exports.values(1), exports.valid()];
    for (let r = 0; r < exports.rows(); r++) {
      const value = view.getUint8(valid + r) === 0 ? null : view.getUint16(shorts + r * 2, true);
      received[target]?.push([view.getBigUint64(keys + r * 8, true), value]);
    }
    exports.pop();
  }
}

describe("partitioning", function () {
  this.timeout(20_000);

  for (const seed of [1, 2, 3]) {
    it(`brings every row once to its subtask, in order, NULLs as they were (seed ${seed})`, async () => {
      const prng = new Prng(seed);
      const module = await runtimeModule<Exports>(ENTRY);
      module.exports.init(PARALLELISM);
      const expected: Row[][] = Array.from({ length: PARALLELISM }, () => []);
      const received: Row[][] = Array.from({ length: PARALLELISM }, () => []);
      for (let i = 0; i < 60; i++) {
        send(module, prng, expected);
        if (prng.chance(1, 4)) module.exports.flush();
        receive(module, received);
      }
      module.exports.flush();
      receive(module, received);
      expect(expected.flat().filter(([, value]) => value === null)).to.have.length.greaterThan(1000);
      expect(received).to.deep.equal(expected);
    });
  }
});
