/**
 * Variable-length values of one state table: text that entries point to. A bump pointer over blocks that grow from 1 KiB to
 * 64 KiB, with free lists by size for values that are replaced; values above 8 KiB have blocks of their own. Everything goes
 * back at once with the table.
 *
 * An arena is a structure inside its table's descriptor. It knows nothing of snapshots: who frees a value makes sure that
 * nothing reads it any more.
 */
import { adjustStateBytes, allocateBlock, blockCapacity, releaseBlock } from "./memory.ts";
import { allocateStateBlock, releaseStateBlock } from "./state-block.ts";

const CURSOR: usize = 0;
const END: usize = 4;
const BLOCKS: usize = 8;
const NEXT_SHIFT: usize = 12;
const LARGE: usize = 16;
const ACCOUNT: usize = 20;
const FREE: usize = 24;
const CLASSES: usize = 36;
const LARGEST: usize = 8192;

/** Bytes of the structure. */
export const ARENA_SIZE: usize = FREE + CLASSES * 4;

let sizeOfClass: usize = 0;

/** Free list of values of `length` > 0 bytes; sets `sizeOfClass`. Multiples of 8 up to 64, then four sizes per doubling. */
function classOf(length: usize): usize {
  if (length <= 64) {
    sizeOfClass = (length + 7) & ~(<usize>7);
    return (length - 1) >>> 3;
  }
  const bits: usize = 31 - <usize>clz<u32>(<u32>(length - 1));
  const quarter = (length - 1) >>> (bits - 2);
  sizeOfClass = (quarter + 1) << (bits - 2);
  return 8 + ((bits - 6) << 2) + quarter - 4;
}

/** Makes an empty arena at `arena`; `account` adds up the bytes it takes. */
export function makeArena(arena: usize, account: usize): void {
  memory.fill(arena, 0, ARENA_SIZE);
  store<u32>(arena, 10, NEXT_SHIFT);
  store<u32>(arena, <u32>account, ACCOUNT);
}

/** Copies `length` bytes in steps of 8: `to` has room for the rounded length. */
function copyValue(to: usize, from: usize, length: usize): void {
  if (length > 128) memory.copy(to, from, length);
  else for (let i: usize = 0; i < length; i += 8) store<u64>(to + i, load<u64>(from + i));
}

function bump(arena: usize, size: usize): usize {
  let at = <usize>load<u32>(arena, CURSOR);
  if (at + size > <usize>load<u32>(arena, END)) {
    let shift = load<u32>(arena, NEXT_SHIFT);
    while ((<usize>1) << (<usize>shift) < size + 8) shift += 2;
    const block = allocateStateBlock(<usize>load<u32>(arena, ACCOUNT), shift);
    store<u32>(block, load<u32>(arena, BLOCKS));
    store<u32>(arena, <u32>block, BLOCKS);
    store<u32>(arena, <u32>(block + ((<usize>1) << (<usize>shift))), END);
    store<u32>(arena, shift < 16 ? shift + 2 : 16, NEXT_SHIFT);
    at = block + 8;
  }
  store<u32>(arena, <u32>(at + size), CURSOR);
  return at;
}

/** A block of its own in a doubly linked list: u32 next, u32 previous, then the value at 16. */
function allocateLarge(arena: usize, length: usize): usize {
  const block = allocateBlock(length + 16);
  const account = <usize>load<u32>(arena, ACCOUNT);
  store<u64>(account, load<u64>(account) + blockCapacity(block));
  adjustStateBytes(<i64>blockCapacity(block));
  const next = load<u32>(arena, LARGE);
  store<u32>(block, next);
  store<u32>(block, 0, 4);
  if (next != 0) store<u32>(<usize>next, <u32>block, 4);
  store<u32>(arena, <u32>block, LARGE);
  return block + 16;
}

function releaseLarge(arena: usize, block: usize): void {
  const next = load<u32>(block);
  const previous = load<u32>(block, 4);
  if (next != 0) store<u32>(<usize>next, previous, 4);
  if (previous != 0) store<u32>(<usize>previous, next);
  else store<u32>(arena, next, LARGE);
  const account = <usize>load<u32>(arena, ACCOUNT);
  store<u64>(account, load<u64>(account) - blockCapacity(block));
  adjustStateBytes(-(<i64>blockCapacity(block)));
  releaseBlock(block);
}

/** A copy of the `length` bytes at `value`; 0 for no bytes. */
export function keepValue(arena: usize, value: usize, length: usize): usize {
  if (length == 0) return 0;
  let at: usize = 0;
  if (length > LARGEST) at = allocateLarge(arena, length);
  else {
    const free = arena + FREE + (classOf(length) << 2);
    at = <usize>load<u32>(free);
    if (at != 0) store<u32>(free, load<u32>(at));
    else at = bump(arena, sizeOfClass);
  }
  copyValue(at, value, length);
  return at;
}

/** Frees a value of `keepValue`. */
export function freeValue(arena: usize, value: usize, length: usize): void {
  if (length == 0) return;
  if (length > LARGEST) {
    releaseLarge(arena, value - 16);
    return;
  }
  const free = arena + FREE + (classOf(length) << 2);
  store<u32>(value, load<u32>(free));
  store<u32>(free, <u32>value);
}

/** Frees all values at once. */
export function dropArena(arena: usize): void {
  const account = <usize>load<u32>(arena, ACCOUNT);
  let block = load<u32>(arena, BLOCKS);
  while (block != 0) {
    const next = load<u32>(<usize>block);
    releaseStateBlock(account, <usize>block);
    block = next;
  }
  while (load<u32>(arena, LARGE) != 0) releaseLarge(arena, <usize>load<u32>(arena, LARGE));
}
