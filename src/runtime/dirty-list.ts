/**
 * Groups changed since the last flush, each with a copy of its entry as it was then: the copy is what has been emitted, and
 * what has to be taken back. A linked list of blocks, read once from the front, then released.
 */
import { allocateStateBlock, releaseStateBlock } from "./state-block.ts";

// A list: u32 first block, u32 last block, u32 end of the last block's records, u32 record being read, u32 its block, u32 account.
const FIRST: usize = 0;
const LAST: usize = 4;
const END: usize = 8;
const CURSOR: usize = 12;
const CURSOR_BLOCK: usize = 16;
const ACCOUNT: usize = 20;
/** Bytes of the structure. */
export const DIRTY_LIST_SIZE: usize = 24;

const BLOCK_SHIFT: u32 = 16;
// A block: u32 next, u32 end of its records, then the records.
const BLOCK_END: usize = 4;
const BLOCK_HEADER: usize = 8;
/** A record: u32 entry, u32 mark of the caller, then the copy. */
export const RECORD_MARK: usize = 4;
export const RECORD_COPY: usize = 8;

/** Makes an empty list at `list`; `account` adds up the bytes it takes. */
export function makeDirtyList(list: usize, account: usize): void {
  memory.fill(list, 0, DIRTY_LIST_SIZE);
  store<u32>(list, <u32>account, ACCOUNT);
}

/** Appends entry `e` of `size` bytes with a copy of it. */
export function addDirty(list: usize, e: usize, size: usize, mark: u32): void {
  let last = <usize>load<u32>(list, LAST);
  let at = <usize>load<u32>(list, END);
  if (last == 0 || at + RECORD_COPY + size > last + 65536) {
    const block = allocateStateBlock(<usize>load<u32>(list, ACCOUNT), BLOCK_SHIFT);
    store<u32>(block, 0);
    if (last == 0) {
      store<u32>(list, <u32>block, FIRST);
      store<u32>(list, <u32>block, CURSOR_BLOCK);
      store<u32>(list, <u32>(block + BLOCK_HEADER), CURSOR);
    } else {
      store<u32>(last, <u32>block);
    }
    last = block;
    at = block + BLOCK_HEADER;
    store<u32>(list, <u32>block, LAST);
  }
  store<u32>(at, <u32>e);
  store<u32>(at, mark, RECORD_MARK);
  memory.copy(at + RECORD_COPY, e, size);
  store<u32>(list, <u32>(at + RECORD_COPY + size), END);
  store<u32>(last, <u32>(at + RECORD_COPY + size), BLOCK_END);
}

/** True if there is no record left to read. */
export function dirtyDone(list: usize): bool {
  return load<u32>(list, CURSOR) == load<u32>(list, END);
}

/** The next record, 0 at the end. All records stay until `releaseDirty`. */
export function nextDirty(list: usize, size: usize): usize {
  if (dirtyDone(list)) return 0;
  let at = <usize>load<u32>(list, CURSOR);
  let block = <usize>load<u32>(list, CURSOR_BLOCK);
  if (at == <usize>load<u32>(block, BLOCK_END)) {
    block = <usize>load<u32>(block);
    at = block + BLOCK_HEADER;
    store<u32>(list, <u32>block, CURSOR_BLOCK);
  }
  store<u32>(list, <u32>(at + RECORD_COPY + size), CURSOR);
  return at;
}

/** Empties a list that has been read to its end. */
export function releaseDirty(list: usize): void {
  const account = <usize>load<u32>(list, ACCOUNT);
  let block = <usize>load<u32>(list, FIRST);
  while (block != 0) {
    const next = <usize>load<u32>(block);
    releaseStateBlock(account, block);
    block = next;
  }
  makeDirtyList(list, account);
}
