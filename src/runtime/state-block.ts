/**
 * Memory of state tables in blocks of 512 B to 64 KiB (powers of two, aligned to their size), so that tens of thousands of
 * small tables cost little: segments of 64 KiB are cut into blocks of one size and go back to the pool when all are free.
 *
 * And the change map: one byte per 4 KiB of memory that says whether the entries there have changed since the last
 * checkpoint. It is beside the entries, not in a header before them, because headers 64 KiB apart share one cache set.
 */
import { allocateSegment, releaseSegment, reserve } from "./memory.ts";

/** log2 of the smallest and largest block. */
export const BLOCK_SHIFT_MIN: u32 = 9;
export const BLOCK_SHIFT_MAX: u32 = 16;

/** Written to the last snapshot and unchanged since; contents may be anything for memory that is no chunk of entries. */
export const CLEAN: u8 = 0;
/** Changed since the last barrier. */
export const CHANGED: u8 = 1;
/** Changed before the last barrier and not yet copied out: must be copied aside before it changes again. */
export const FROZEN: u8 = 2;

/** One byte per 4 KiB of memory: CLEAN, CHANGED or FROZEN. */
export const CHANGE_MAP: usize = reserve(1 << 20);

// Per 64 KiB segment, 16 bytes: u32 first free block, u16 blocks used, u16 block shift, u32 next and u32 previous segment
// of the same block size with free blocks. Of a segment used whole the last two words are its owner's.
const SEGMENTS: usize = reserve(65536 * 16);
const partial: usize = memory.data(17 * 4, 16);

function segmentInfo(address: usize): usize {
  return SEGMENTS + ((address >>> 16) << 4);
}

/** Where the owner of a whole segment may keep two u32 of metadata, outside the segment itself. */
export function segmentWord(segment: usize): usize {
  return segmentInfo(segment) + 8;
}

/** log2 of the size of the block that `address` is in. */
export function blockShift(address: usize): u32 {
  return <u32>load<u16>(segmentInfo(address), 6);
}

/** Start of the block that `address` is in. */
export function blockOf(address: usize): usize {
  return address & ~(((<usize>1) << (<usize>blockShift(address))) - 1);
}

function linkPartial(segment: usize, shift: u32): void {
  const head = partial + ((<usize>shift) << 2);
  const next = load<u32>(head);
  const info = segmentInfo(segment);
  store<u32>(info, next, 8);
  store<u32>(info, 0, 12);
  if (next != 0) store<u32>(segmentInfo(<usize>next), <u32>segment, 12);
  store<u32>(head, <u32>segment);
}

function unlinkPartial(segment: usize, shift: u32): void {
  const info = segmentInfo(segment);
  const next = load<u32>(info, 8);
  const previous = load<u32>(info, 12);
  if (next != 0) store<u32>(segmentInfo(<usize>next), previous, 12);
  if (previous != 0) store<u32>(segmentInfo(<usize>previous), next, 8);
  else store<u32>(partial + ((<usize>shift) << 2), next);
}

/** Cuts a new segment into free blocks. */
function cutSegment(shift: u32): usize {
  const segment = allocateSegment();
  const info = segmentInfo(segment);
  const size: usize = (<usize>1) << (<usize>shift);
  for (let at = segment; at < segment + 65536; at += size) store<u32>(at, at + size < segment + 65536 ? <u32>(at + size) : 0);
  store<u32>(info, <u32>segment);
  store<u16>(info, 0, 4);
  store<u16>(info, <u16>shift, 6);
  linkPartial(segment, shift);
  return segment;
}

/** A block of 2^shift bytes, aligned to its size, contents undefined. `account`: a u64 that adds up its owner's bytes. */
export function allocateStateBlock(account: usize, shift: u32): usize {
  store<u64>(account, load<u64>(account) + ((<u64>1) << (<u64>shift)));
  if (shift == BLOCK_SHIFT_MAX) {
    const segment = allocateSegment();
    const info = segmentInfo(segment);
    store<u64>(info, (<u64>BLOCK_SHIFT_MAX) << 48);
    return segment;
  }
  let segment = <usize>load<u32>(partial + ((<usize>shift) << 2));
  if (segment == 0) segment = cutSegment(shift);
  const info = segmentInfo(segment);
  const block = <usize>load<u32>(info);
  const next = load<u32>(block);
  store<u32>(info, next);
  store<u16>(info, load<u16>(info, 4) + 1, 4);
  if (next == 0) unlinkPartial(segment, shift);
  return block;
}

/** Returns a block of `allocateStateBlock`. */
export function releaseStateBlock(account: usize, block: usize): void {
  const info = segmentInfo(block);
  const shift = <u32>load<u16>(info, 6);
  store<u64>(account, load<u64>(account) - ((<u64>1) << (<u64>shift)));
  const segment = block & ~(<usize>65535);
  if (shift == BLOCK_SHIFT_MAX) {
    releaseSegment(segment);
    return;
  }
  const free = load<u32>(info);
  const used = load<u16>(info, 4) - 1;
  store<u32>(block, free);
  store<u32>(info, <u32>block);
  store<u16>(info, used, 4);
  if (free == 0) linkPartial(segment, shift);
  if (used == 0) {
    unlinkPartial(segment, shift);
    releaseSegment(segment);
  }
}

/** Sets the change state of the block of entries at `block`, which is 4 KiB or larger. */
export function setChangeState(block: usize, shift: u32, state: u8): void {
  memory.fill(CHANGE_MAP + (block >>> 12), state, (<usize>1) << (<usize>shift - 12));
}
