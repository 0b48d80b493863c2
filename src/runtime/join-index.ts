/**
 * A chained hash index over the entries of one table, made when a join fires and thrown away after: heads by hash, the chain
 * through the word of each entry. Slots come from the low bits of the hash, as in `group-table.ts`.
 */
import { allocateBlock, releaseBlock } from "./memory.ts";

const ENTRY_WORD: usize = 12;
const HEADS_MAX: u32 = 1 << 22;

let heads: usize = 0;
let mask: usize = 0;

/** Starts an empty index for about `entries` entries; there is one at a time. */
export function openIndex(entries: u32): void {
  let size: u32 = 64;
  while (size < entries && size < HEADS_MAX) size <<= 1;
  heads = allocateBlock((<usize>size) << 2);
  mask = <usize>(size - 1);
  memory.fill(heads, 0, (<usize>size) << 2);
}

/** Adds an entry under its hash. */
export function indexEntry(e: usize): void {
  const head = heads + ((<usize>load<u64>(e) & mask) << 2);
  store<u32>(e, load<u32>(head), ENTRY_WORD);
  store<u32>(head, <u32>e);
}

/** First entry of the chain of `hash`, 0 if there is none. */
export function firstIndexed(hash: u64): usize {
  return <usize>load<u32>(heads + ((<usize>hash & mask) << 2));
}

/** The entry after `e` in its chain. */
export function nextIndexed(e: usize): usize {
  return <usize>load<u32>(e, ENTRY_WORD);
}

export function closeIndex(): void {
  releaseBlock(heads);
}
