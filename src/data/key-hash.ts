/**
 * The hash of a key: XXH64 with seed 0 over the key's canonical bytes. It decides which subtask owns a key (`key-group.ts`) and it is
 * stored in checkpoints, so its definition never changes; `runtime/hash.ts` computes the same and `test/golden/wire/key-hash.json` pins both.
 *
 * Canonical bytes: the columns in key order without padding, each one byte of presence (0: NULL, nothing follows; 1: the value follows):
 *
 * - integers of every width, booleans (0, 1), dates, times, timestamps: widened to 64 bits by their own signedness, little-endian
 * - decimals: 128-bit two's complement of the unscaled value at the column's scale, little-endian
 * - floats: the bits of the float64 value, little-endian; −0 as +0, every NaN as 0x7ff8000000000000
 * - text, JSON (the text as it is) and bytes: length in bytes as u32 little-endian, then the bytes (UTF-8)
 *
 * So equal values of different widths hash alike, and no two different keys of one list of types have the same bytes.
 */
import { assert } from "../core/assert.ts";
import { internalError } from "../core/errors.ts";
import type { ScalarType } from "./data-type.ts";

/** A key column's value: bigint for integers, decimals (unscaled), dates (days), times and timestamps (ns); number for floats. */
export type KeyValue = null | boolean | bigint | number | string | Uint8Array;

const MASK = (1n << 64n) - 1n;
const PRIME_1 = 0x9e3779b185ebca87n;
const PRIME_2 = 0xc2b2ae3d27d4eb4fn;
const PRIME_3 = 0x165667b19e3779f9n;
const PRIME_4 = 0x85ebca77c2b2ae63n;
const PRIME_5 = 0x27d4eb2f165667c5n;

function rotateLeft(x: bigint, count: bigint): bigint {
  return ((x << count) | (x >> (64n - count))) & MASK;
}

function round(accumulator: bigint, input: bigint): bigint {
  return (rotateLeft((accumulator + input * PRIME_2) & MASK, 31n) * PRIME_1) & MASK;
}

function mergeRound(hash: bigint, accumulator: bigint): bigint {
  return ((hash ^ round(0n, accumulator)) * PRIME_1 + PRIME_4) & MASK;
}

/** XXH64 of `bytes` as an unsigned 64-bit integer. Source: https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md */
export function xxh64(bytes: Uint8Array, seed = 0n): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  let hash: bigint;
  if (bytes.length >= 32) {
    const lanes: [bigint, bigint, bigint, bigint] = [
      (seed + PRIME_1 + PRIME_2) & MASK,
      (seed + PRIME_2) & MASK,
      seed,
      (seed - PRIME_1) & MASK,
    ];
    for (; at + 32 <= bytes.length; at += 32) {
      for (const lane of [0, 1, 2, 3] as const) lanes[lane] = round(lanes[lane], view.getBigUint64(at + 8 * lane, true));
    }
    const [a, b, c, d] = lanes;
    hash = (rotateLeft(a, 1n) + rotateLeft(b, 7n) + rotateLeft(c, 12n) + rotateLeft(d, 18n)) & MASK;
    for (const lane of lanes) hash = mergeRound(hash, lane);
  } else {
    hash = (seed + PRIME_5) & MASK;
  }
  return avalanche(mixTail(view, at, (hash + BigInt(bytes.length)) & MASK));
}

/** The last 0 to 31 bytes: by eights, a four, ones. */
function mixTail(view: DataView, start: number, hash: bigint): bigint {
  let at = start;
  for (; at + 8 <= view.byteLength; at += 8) {
    hash = (rotateLeft(hash ^ round(0n, view.getBigUint64(at, true)), 27n) * PRIME_1 + PRIME_4) & MASK;
  }
  if (at + 4 <= view.byteLength) {
    hash = (rotateLeft(hash ^ ((BigInt(view.getUint32(at, true)) * PRIME_1) & MASK), 23n) * PRIME_2 + PRIME_3) & MASK;
    at += 4;
  }
  for (; at < view.byteLength; at++) {
    hash = (rotateLeft(hash ^ ((BigInt(view.getUint8(at)) * PRIME_5) & MASK), 11n) * PRIME_1) & MASK;
  }
  return hash;
}

function avalanche(hash: bigint): bigint {
  hash = ((hash ^ (hash >> 33n)) * PRIME_2) & MASK;
  hash = ((hash ^ (hash >> 29n)) * PRIME_3) & MASK;
  return hash ^ (hash >> 32n);
}

/**
 * The canonical bytes of a key, `values[i]` of type `types[i]`; see the file's comment. Two keys of the same types are equal, NULL and
 * NaN being values, exactly if these bytes are. Asserts that values fit their types; INTERVAL cannot be a key.
 */
export function canonicalKeyBytes(types: readonly ScalarType[], values: readonly KeyValue[]): Uint8Array {
  assert(types.length === values.length, `a key of ${types.length} columns was given ${values.length} values`);
  const parts: Uint8Array[] = [];
  for (const [i, type] of types.entries()) {
    const value = values[i] ?? null;
    parts.push(Uint8Array.of(value === null ? 0 : 1));
    if (value !== null) parts.push(...canonicalValue(type, value));
  }
  return Buffer.concat(parts);
}

function canonicalValue(type: ScalarType, value: KeyValue): readonly Uint8Array[] {
  if (typeof value === "boolean") return [littleEndian(value ? 1n : 0n, 8)];
  if (typeof value === "bigint") return [littleEndian(value, type.kind === "decimal" ? 16 : 8)];
  if (typeof value === "number") return [canonicalFloat(value)];
  if (typeof value === "string") return withLength(Buffer.from(value, "utf8"));
  if (value instanceof Uint8Array) return withLength(value);
  throw internalError("invariant", `a value of type ${type.kind} cannot be a key`);
}

function littleEndian(value: bigint, size: 8 | 16): Uint8Array {
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt.asUintN(64, value), true);
  if (size === 16) view.setBigUint64(8, BigInt.asUintN(64, value >> 64n), true);
  return bytes;
}

function canonicalFloat(value: number): Uint8Array {
  if (Number.isNaN(value)) return littleEndian(0x7ff8000000000000n, 8);
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setFloat64(0, value === 0 ? 0 : value, true);
  return bytes;
}

function withLength(bytes: Uint8Array): readonly Uint8Array[] {
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, bytes.length, true);
  return [length, bytes];
}

/** The 64-bit hash of a key as an unsigned integer; `keyGroup` takes it from here. */
export function keyHash(types: readonly ScalarType[], values: readonly KeyValue[]): bigint {
  return xxh64(canonicalKeyBytes(types, values));
}
