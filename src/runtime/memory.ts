/**
 * Memory of a slot. The linear memory is 4 GiB from the start (reserved, not committed), so views never detach; this file
 * hands it out. Three kinds of use, three allocators over one bump pointer:
 *
 * - `reserve`: start-up and growing buffers; never given back.
 * - `allocateSegment`: 64 KiB segments of state tables; returned to a pool; counted against the state limit.
 * - `allocateBlock`: frames; power-of-two sizes with free lists.
 *
 * Every block is followed by at least 64 bytes that may be read (kernels over-read, they never over-interpret).
 */

/** Bytes of a state segment. */
export const SEGMENT_SIZE: usize = 65536;

/** Fatal codes of `program/abi.ts`. */
export const FATAL_STATE_LIMIT: i32 = 1;
export const FATAL_ROW_TOO_LARGE: i32 = 2;
export const FATAL_FRAME_VERSION: i32 = 3;

let top: usize = (__heap_base + 63) & ~(<usize>63);
let limit: u64 = 0xe0000000;
let stateInUse: u64 = 0;
let segmentPool: usize = 0;
const blockPools: usize = memory.data(32 * 4, 16);

export let fatalCode: i32 = 0;
export let fatalArgument: i64 = 0;

/** Records the first fatal condition; the slot ends after the current call. */
export function setFatal(code: i32, argument: i64): void {
  if (fatalCode == 0) {
    fatalCode = code;
    fatalArgument = argument;
  }
}

/** Bytes of state tables at most. */
export function setStateLimit(bytes: u64): void {
  limit = bytes;
}

/** Bytes of state segments in use. */
export function stateBytes(): u64 {
  return stateInUse;
}

/**
 * `bytes` zeroed, 64-byte aligned, for ever. Consecutive blocks are an odd multiple of 64 bytes apart modulo 4 KiB, because
 * columns a multiple of 4 KiB apart share cache sets and run three times slower.
 */
export function reserve(bytes: usize): usize {
  const at = top;
  top += ((bytes + 63) & ~(<usize>63)) + 192;
  if (((top - at) & 4095) == 0) top += 64;
  if (top > 0xfff00000) unreachable();
  return at;
}

/** Adds `bytes` (negative: takes away) to the state in use, for state kept outside segments. */
export function adjustStateBytes(bytes: i64): void {
  stateInUse += <u64>bytes;
  if (stateInUse > limit) setFatal(FATAL_STATE_LIMIT, <i64>stateInUse);
}

/**
 * A state segment, aligned to its size, contents undefined. Over the state limit it is handed out all the same and the slot
 * is told to end.
 */
export function allocateSegment(): usize {
  adjustStateBytes(SEGMENT_SIZE);
  if (segmentPool == 0) refillSegmentPool();
  const pooled = segmentPool;
  segmentPool = load<usize>(pooled);
  return pooled;
}

/** Takes 1 MiB from the bump pointer: aligning each segment alone would waste half of the memory. */
function refillSegmentPool(): void {
  top = (top + SEGMENT_SIZE - 1) & ~(SEGMENT_SIZE - 1);
  for (let i: usize = 16; i > 0; i--) {
    const segment = top + (i - 1) * SEGMENT_SIZE;
    store<usize>(segment, segmentPool);
    segmentPool = segment;
  }
  top += 16 * SEGMENT_SIZE + 64;
  if (top > 0xfff00000) unreachable();
}

/** Returns a segment to the pool. */
export function releaseSegment(segment: usize): void {
  stateInUse -= SEGMENT_SIZE;
  store<usize>(segment, segmentPool);
  segmentPool = segment;
}

/** A block of at least `bytes` (at most 1 GiB), 64-byte aligned, contents undefined. */
export function allocateBlock(bytes: usize): usize {
  let shift: usize = 12;
  while ((<usize>1) << shift < bytes) shift++;
  const pool = blockPools + (shift << 2);
  const pooled = load<usize>(pool);
  if (pooled != 0) {
    store<usize>(pool, load<usize>(pooled));
    return pooled;
  }
  const header = reserve(((<usize>1) << shift) + 64);
  store<u32>(header, <u32>shift);
  return header + 64;
}

/** Returns a block of `allocateBlock`. */
export function releaseBlock(block: usize): void {
  const pool = blockPools + ((<usize>load<u32>(block - 64)) << 2);
  store<usize>(block, load<usize>(pool));
  store<usize>(pool, block);
}

/** Bytes that a block of `allocateBlock` can hold. */
export function blockCapacity(block: usize): usize {
  return (<usize>1) << (<usize>load<u32>(block - 64));
}

/**
 * `block` if it holds `bytes`, else a larger one with the first `used` bytes copied over. For byte buffers that grow by
 * doubling (text under construction).
 */
export function growBlock(block: usize, used: usize, bytes: usize): usize {
  if (blockCapacity(block) >= bytes) return block;
  const larger = allocateBlock(bytes);
  memory.copy(larger, block, used);
  releaseBlock(block);
  return larger;
}
