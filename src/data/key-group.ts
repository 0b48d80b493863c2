/**
 * Key groups: which subtask owns a key. A key's hash is XXH64 (seed 0) of its canonical bytes (`runtime/hash.ts` and
 * `data/key-hash.ts` agree, pinned by a golden); the group is the top 12 bits, the subtask a range of groups.
 */
import { assert } from "../core/assert.ts";

/** Number of key groups: the largest useful parallelism. */
export const KEY_GROUPS = 4096;

/** Group of a 64-bit key hash, 0…4095. */
export function keyGroup(hash: bigint): number {
  return Number(BigInt.asUintN(64, hash) >> 52n);
}

/** Subtask that owns `group`, 0…parallelism − 1. */
export function subtaskOfGroup(group: number, parallelism: number): number {
  assert(parallelism >= 1 && parallelism <= KEY_GROUPS, `parallelism ${parallelism} must be between 1 and ${KEY_GROUPS}`);
  return (group * parallelism) >>> 12;
}

/** Groups [first, end) that `subtask` owns. The ranges of all subtasks tile 0…4095. */
export function groupRange(subtask: number, parallelism: number): { readonly first: number; readonly end: number } {
  return { first: Math.ceil((subtask * KEY_GROUPS) / parallelism), end: Math.ceil(((subtask + 1) * KEY_GROUPS) / parallelism) };
}
