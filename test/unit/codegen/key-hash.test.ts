/** The generated key hash is that of `data/key-hash.ts`: on the golden keys, and on random keys of every type. */
import { readFileSync } from "node:fs";
import { expect } from "chai";
import { compileModule, MEMORY_PAGES } from "../../../src/codegen/asc.ts";
import { emitKeyHash } from "../../../src/codegen/key-hash.ts";
import { Prng } from "../../../src/core/prng.ts";
import { isVariable, type ScalarType } from "../../../src/data/data-type.ts";
import { type KeyValue, keyHash } from "../../../src/data/key-hash.ts";
import type { Column } from "../../../src/data/schema.ts";
import { KINDS, randomCell, typeOf } from "../../support/aggregate-case.ts";
import { type Cells, fillColumns } from "../../support/vertex-module.ts";

type GoldenValue = null | boolean | number | string | { readonly hex: string };

interface GoldenKey {
  readonly name: string;
  readonly types: readonly ScalarType[];
  readonly values: readonly GoldenValue[];
  readonly hash: string;
}

const GOLDEN = JSON.parse(readFileSync(new URL("../../golden/wire/key-hash.json", import.meta.url), "utf8")) as readonly GoldenKey[];

/** Types that the engine computes with; see `value.ts`. */
function supported(type: ScalarType): boolean {
  return type.kind !== "decimal" && type.kind !== "interval";
}

function fromGolden(type: ScalarType, value: GoldenValue): KeyValue {
  if (value === null || typeof value === "boolean") return value;
  if (typeof value === "object") return Uint8Array.from(Buffer.from(value.hex, "hex"));
  if (type.kind === "float32" || type.kind === "float64") return Number(value);
  if (type.kind === "text" || type.kind === "json") return String(value);
  return BigInt(value);
}

interface Exports {
  readonly columns: (count: number) => number;
  readonly room: (bytes: number) => number;
  readonly set: (batch: number, c: number, values: number, validity: number, bytes: number) => void;
}

/** Hashes of the keys of each layout: one module with a function per layout. */
async function hashAll(layouts: readonly { readonly columns: readonly Column[]; readonly rows: readonly Cells[] }[]): Promise<bigint[][]> {
  const functions = layouts.map(({ columns }, i) =>
    emitKeyHash(
      `hash${i}`,
      columns.map((c, index) => ({ index, type: c.type, nullable: c.nullable })),
    ),
  );
  const main = `${functions.join("\n")}
import { makeBatch, setColumn as setColumnOf } from "../runtime/batch.ts";
import { reserve } from "../runtime/memory.ts";
export function columns(count: usize): usize { return makeBatch(count); }
export function room(bytes: usize): usize { return reserve(bytes); }
export function set(batch: usize, c: usize, values: usize, validity: usize, bytes: usize): void { setColumnOf(batch, c, values, validity, bytes); }
${layouts.map((_, i) => `export function run${i}(batch: usize, rows: usize, out: usize): void { hash${i}(batch, rows, out); }`).join("\n")}`;
  const binary = await compileModule(new Map([["generated/main.ts", main]]), "generated/main.ts", "preview");
  const memory = new WebAssembly.Memory({ initial: MEMORY_PAGES, maximum: MEMORY_PAGES });
  const { instance } = await WebAssembly.instantiate(binary, { env: { memory, abort: () => {} } });
  const exports = instance.exports as unknown as Exports & Record<string, (batch: number, rows: number, out: number) => void>;
  return layouts.map(({ columns, rows }, i) => {
    const batch = exports.columns(columns.length) >>> 0;
    for (const [c, column] of columns.entries()) {
      const values = exports.room((rows.length + 1) * 8 + 64) >>> 0;
      const validity = exports.room(rows.length + 64) >>> 0;
      const bytes = isVariable(column.type) ? exports.room(1 << 20) >>> 0 : 0;
      fillColumns(
        memory.buffer,
        column,
        rows.map((row) => row[c] ?? null),
        { values, validity, bytes },
      );
      exports.set(batch, c, values, column.nullable ? validity : 0, bytes);
    }
    const out = exports.room(rows.length * 8) >>> 0;
    exports[`run${i}`]?.(batch, rows.length, out);
    const view = new DataView(memory.buffer);
    return rows.map((_, r) => view.getBigUint64(out + 8 * r, true));
  });
}

const columnsOf = (types: readonly ScalarType[], nullable: (i: number) => boolean): Column[] =>
  types.map((type, i) => ({ name: `k${i}`, type, nullable: nullable(i) }));

describe("generated key hash", function () {
  this.timeout(60_000);

  it("equals the golden hashes of all types that the engine has", async () => {
    const keys = GOLDEN.filter((g) => g.types.every(supported));
    expect(keys.length).to.be.greaterThan(20);
    const layouts = keys.map((g) => ({
      columns: columnsOf(g.types, () => true),
      rows: [g.types.map((type, i) => fromGolden(type, g.values[i] ?? null))],
    }));
    const hashes = await hashAll(layouts);
    expect(keys.map((g, i) => [g.name, hashes[i]?.[0]?.toString(16).padStart(16, "0")])).to.deep.equal(keys.map((g) => [g.name, g.hash]));
  });

  it("equals the reference on random keys of one to four columns, nullable and not", async () => {
    const random = new Prng(7);
    const layouts = Array.from({ length: 60 }, (_, n) => {
      const kinds =
        n < 2 * KINDS.length
          ? [KINDS[n >> 1] ?? "int64"]
          : Array.from({ length: 1 + random.below(4) }, () => KINDS[random.below(KINDS.length)] ?? "int64");
      const columns = columnsOf(kinds.map(typeOf), (i) => (n + i) % 2 === 0);
      return { columns, rows: Array.from({ length: 50 }, () => columns.map((c) => randomCell(random, c, 60))) };
    });
    const hashes = await hashAll(layouts);
    for (const [i, { columns, rows }] of layouts.entries()) {
      const types = columns.map((c) => c.type);
      expect(hashes[i]).to.deep.equal(rows.map((row) => keyHash(types, row as readonly KeyValue[])));
    }
  });
});
