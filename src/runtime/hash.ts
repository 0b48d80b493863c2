/**
 * XXH64 with seed 0 over canonical key bytes, as `data/key-hash.ts` defines them (one golden pins both). Generated code puts a
 * key's canonical bytes into a key buffer and calls `hashBytes`; `hashWord` is the shortcut for a key of one 64-bit value.
 *
 * Source: https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md
 */
import { allocateBlock, growBlock } from "./memory.ts";

const PRIME_1: u64 = 0x9e3779b185ebca87;
const PRIME_2: u64 = 0xc2b2ae3d27d4eb4f;
const PRIME_3: u64 = 0x165667b19e3779f9;
const PRIME_4: u64 = 0x85ebca77c2b2ae63;
const PRIME_5: u64 = 0x27d4eb2f165667c5;

/** Hash of a key of one column that is NULL: of the single byte 0. */
export const HASH_OF_NULL: u64 = 0xe934a84adb052768;
/** Bits that every NaN has as a key. */
export const CANONICAL_NAN: u64 = 0x7ff8000000000000;

function round(accumulator: u64, input: u64): u64 {
  return rotl<u64>(accumulator + input * PRIME_2, 31) * PRIME_1;
}

function mergeRound(hash: u64, accumulator: u64): u64 {
  return (hash ^ round(0, accumulator)) * PRIME_1 + PRIME_4;
}

/** The last mixing of XXH64; a bijection. */
export function avalanche(hash: u64): u64 {
  hash = (hash ^ (hash >> 33)) * PRIME_2;
  hash = (hash ^ (hash >> 29)) * PRIME_3;
  return hash ^ (hash >> 32);
}

/** Hash of a key of one present 64-bit value: of the byte 1 and the value's 8 bytes. */
export function hashWord(value: u64): u64 {
  let hash: u64 = PRIME_5 + 9;
  hash = rotl<u64>(hash ^ round(0, (value << 8) | 1), 27) * PRIME_1 + PRIME_4;
  hash = rotl<u64>(hash ^ ((value >> 56) * PRIME_5), 11) * PRIME_1;
  return avalanche(hash);
}

/** XXH64 of the `length` bytes at `at`. */
export function hashBytes(at: usize, length: usize): u64 {
  const end = at + length;
  let hash: u64 = PRIME_5;
  if (length >= 32) {
    let a: u64 = PRIME_1 + PRIME_2;
    let b: u64 = PRIME_2;
    let c: u64 = 0;
    let d: u64 = 0 - PRIME_1;
    for (; at + 32 <= end; at += 32) {
      a = round(a, load<u64>(at));
      b = round(b, load<u64>(at, 8));
      c = round(c, load<u64>(at, 16));
      d = round(d, load<u64>(at, 24));
    }
    hash = rotl<u64>(a, 1) + rotl<u64>(b, 7) + rotl<u64>(c, 12) + rotl<u64>(d, 18);
    hash = mergeRound(mergeRound(mergeRound(mergeRound(hash, a), b), c), d);
  }
  hash += <u64>length;
  for (; at + 8 <= end; at += 8) hash = rotl<u64>(hash ^ round(0, load<u64>(at)), 27) * PRIME_1 + PRIME_4;
  if (at + 4 <= end) {
    hash = rotl<u64>(hash ^ (<u64>load<u32>(at) * PRIME_1), 23) * PRIME_2 + PRIME_3;
    at += 4;
  }
  for (; at < end; at++) hash = rotl<u64>(hash ^ (<u64>load<u8>(at) * PRIME_5), 11) * PRIME_1;
  return avalanche(hash);
}

/** A second hash for entries of one group: the group's hash mixed with a value's. Private to a table, never routed by. */
export function mixHashes(group: u64, value: u64): u64 {
  return avalanche(rotl<u64>(group, 23) ^ (value * PRIME_1));
}

/** Canonical bits of a float as a key: −0 as +0, one NaN. */
export function floatKey(value: f64): u64 {
  if (value != value) return CANONICAL_NAN;
  return reinterpret<u64>(value + 0.0);
}

let keyBuffer: usize = allocateBlock(4096);

/** A buffer for canonical key bytes with room for `bytes` more after the first `used`, which are kept; it may move. */
export function keyRoom(used: usize, bytes: usize): usize {
  keyBuffer = growBlock(keyBuffer, used, used + bytes + 64);
  return keyBuffer;
}

/** Appends a present 64-bit value's canonical bytes at `at`; returns the end. */
export function putWord(at: usize, value: u64): usize {
  store<u8>(at, 1);
  store<u64>(at, value, 1);
  return at + 9;
}

/** Appends a present text's canonical bytes at `at`; returns the end. Room for 16 bytes beyond it must exist. */
export function putText(at: usize, text: usize, length: usize): usize {
  store<u8>(at, 1);
  store<u32>(at, <u32>length, 1);
  const to = at + 5;
  if (length > 64) memory.copy(to, text, length);
  else for (let i: usize = 0; i < length; i += 16) v128.store(to + i, v128.load(text + i));
  return to + length;
}

/** True if the `length` bytes at `a` and `b` are equal; both may be read 7 bytes beyond. */
export function sameBytes(a: usize, b: usize, length: usize): bool {
  const end = a + length;
  for (; a + 8 <= end; a += 8, b += 8) if (load<u64>(a) != load<u64>(b)) return false;
  if (a == end) return true;
  return (load<u64>(a) ^ load<u64>(b)) << ((8 - <u64>(end - a)) << 3) == 0;
}

/** Order of two texts by bytes: negative, 0 or positive. */
export function compareBytes(a: usize, aLength: usize, b: usize, bLength: usize): i32 {
  const shorter = aLength < bLength ? aLength : bLength;
  let i: usize = 0;
  while (i + 8 <= shorter && load<u64>(a + i) == load<u64>(b + i)) i += 8;
  for (; i < shorter; i++) {
    const difference = <i32>load<u8>(a + i) - <i32>load<u8>(b + i);
    if (difference != 0) return difference;
  }
  return aLength == bLength ? 0 : aLength < bLength ? -1 : 1;
}
