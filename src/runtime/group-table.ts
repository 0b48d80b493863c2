/**
 * Hash tables of state. Entries lie row-major in *chunks* of 4, 16, then 64 KiB and never move while they live; deleted ones
 * are reused. The directory is extendible hashing: sub-tables of up to 8,192 slots of 8 bytes {u32 entry, u32 tag}, linear
 * probing; a full sub-table doubles until it has 8,192 slots, then splits in two, so there is never a full rehash. The tag is
 * the low half of the hash, whose lowest 13 bits are the slot and the next ones the sub-table, so growing reads no entry.
 *
 * Entry: u64 hash (the routing hash), u32 flags, u32 word, then the slots that the generated code lays out. Finding is
 * generated code (`codegen/group-table.ts`); this file inserts, removes, iterates and grows.
 */
import { reserve, setFatal, FATAL_STATE_LIMIT } from "./memory.ts";
import {
  CHANGED,
  CHANGE_MAP,
  FROZEN,
  allocateStateBlock,
  blockOf,
  blockShift,
  releaseStateBlock,
  segmentWord,
  setChangeState,
} from "./state-block.ts";
import { ARENA_SIZE, dropArena, freeValue, keepValue, makeArena } from "./value-arena.ts";

/** Flags of an entry, at `ENTRY_FLAGS`. Bits from `FIRST_FREE_FLAG` on belong to the generated code. */
export const ENTRY_FLAGS: usize = 8;
export const LIVE: u32 = 1;
/** Touched since the last flush, or (join) matched, or (hop) a sum overflowed: never part of a checkpoint. */
export const MARKED: u32 = 2;
/** Its current results have been emitted downstream. */
export const EMITTED: u32 = 4;
/** First slot of an entry. */
export const ENTRY_SLOTS: usize = 16;

// Table descriptor.
/** u32 address of the array of sub-tables. */
export const DIRECTORY: usize = 0;
/** u32 number of sub-tables − 1. */
export const DIRECTORY_MASK: usize = 4;
/** u32 slots of a sub-table − 1. */
export const SLOT_MASK: usize = 8;
/** u32 entries. */
export const TABLE_LIVE: usize = 12;
const ENTRY_SIZE: usize = 16;
const FREE_ENTRIES: usize = 20;
const OPEN_CHUNK: usize = 24;
/** u32 first chunk; the chunks are linked in the order of their index. */
export const FIRST_CHUNK: usize = 28;
const CHUNKS: usize = 32;
/** i64 partition: pane start, 0 for tables without panes. */
export const TABLE_PARTITION: usize = 40;
/** u32 number of the table within its vertex. */
export const TABLE_KIND: usize = 48;
/** u32 the vertex' state, see `state-snapshot.ts`. */
export const TABLE_STATE: usize = 52;
/** u32 links of all tables of a vertex. */
export const NEXT_TABLE: usize = 56;
export const PREVIOUS_TABLE: usize = 60;
const SOLE_DIRECTORY: usize = 64;
const DEPTH: usize = 68;
/** The table's value arena. */
export const TABLE_ARENA: usize = 72;
/** u32 tables of the same partition by kind, at most `SIBLINGS_MAX`. */
export const SIBLINGS: usize = 256;
export const SIBLINGS_MAX: usize = 64;
const DESCRIPTOR_SHIFT: u32 = 9;

/** In the vertex' state: u64 bytes in use, u64 entries of all tables of kind 0. */
export const STATE_BYTES: usize = 0;
export const STATE_KEYS: usize = 16;

// Chunk header.
export const CHUNK_TABLE: usize = 0;
export const CHUNK_INDEX: usize = 4;
/** u32 entries ever used, from the start. */
export const CHUNK_USED: usize = 8;
const CHUNK_CAPACITY: usize = 12;
export const CHUNK_LIVE: usize = 16;
/** u32 address of the chunk as it was frozen, 0 if it has not changed since. */
export const CHUNK_COPY: usize = 20;
export const NEXT_CHUNK: usize = 24;
export const CHUNK_ENTRIES: usize = 64;

const SLOTS_MAX: u32 = 8192;
const SLOT_BITS: u64 = 13;
const FIRST_SLOT_SHIFT: u32 = 9;
const DEPTH_MAX: u32 = 14;
const splitScratch: usize = reserve(65536);

/** Slots of a sub-table that may be used: 78 %. */
function growthLimit(mask: u32): u32 {
  return ((mask + 1) * 25) >> 5;
}

function accountOf(t: usize): usize {
  return <usize>load<u32>(t, TABLE_STATE) + STATE_BYTES;
}

/** Counts entries that come (or, negative, go). */
function countEntries(t: usize, entries: i32): void {
  store<u32>(t, load<u32>(t, TABLE_LIVE) + entries, TABLE_LIVE);
  if (load<u32>(t, TABLE_KIND) != 0) return;
  const state = <usize>load<u32>(t, TABLE_STATE);
  store<u64>(state, load<u64>(state, STATE_KEYS) + <u64>(<i64>entries), STATE_KEYS);
}

/**
 * An empty table of entries of `entrySize` bytes (a multiple of 8, at most 65,472). `state`: the vertex' state, whose first
 * u64 adds up bytes.
 */
export function makeTable(state: usize, kind: u32, partition: i64, entrySize: usize): usize {
  const t = allocateStateBlock(state, DESCRIPTOR_SHIFT);
  memory.fill(t, 0, 512);
  store<u32>(t, <u32>state, TABLE_STATE);
  store<u32>(t, kind, TABLE_KIND);
  store<i64>(t, partition, TABLE_PARTITION);
  store<u32>(t, <u32>entrySize, ENTRY_SIZE);
  store<u32>(t, <u32>(t + SOLE_DIRECTORY), DIRECTORY);
  store<u32>(t, 63, SLOT_MASK);
  const slots = allocateStateBlock(state, FIRST_SLOT_SHIFT);
  memory.fill(slots, 0, 512);
  store<u32>(t, <u32>slots, SOLE_DIRECTORY);
  makeArena(t + TABLE_ARENA, state);
  return t;
}

/** Gives back all memory of a table. */
export function releaseTable(t: usize): void {
  const state = accountOf(t);
  countEntries(t, -(<i32>load<u32>(t, TABLE_LIVE)));
  let chunk = <usize>load<u32>(t, FIRST_CHUNK);
  while (chunk != 0) {
    const next = <usize>load<u32>(chunk, NEXT_CHUNK);
    if (load<u32>(chunk, CHUNK_COPY) != 0) releaseStateBlock(state, <usize>load<u32>(chunk, CHUNK_COPY));
    setChangeState(chunk, blockShift(chunk), 0);
    releaseStateBlock(state, chunk);
    chunk = next;
  }
  const directory = <usize>load<u32>(t, DIRECTORY);
  const count = load<u32>(t, DIRECTORY_MASK) + 1;
  for (let i: u32 = 0; i < count; i++) {
    const slots = <usize>load<u32>(directory + ((<usize>i) << 2));
    // A sub-table of local depth d stands 2^(depth − d) times in the directory: only the first occurrence frees it.
    if (count == 1 || i >> load<u32>(segmentWord(slots), 4) == 0) releaseStateBlock(state, slots);
  }
  if (count > 1) releaseStateBlock(state, directory);
  dropArena(t + TABLE_ARENA);
  releaseStateBlock(state, t);
}

/** Makes the next chunk of entries, zeroed and changed. */
function addChunk(t: usize): usize {
  const index = load<u32>(t, CHUNKS);
  const entrySize = <usize>load<u32>(t, ENTRY_SIZE);
  let shift: u32 = index == 0 ? 12 : index == 1 ? 14 : 16;
  while ((<usize>1) << (<usize>shift) < entrySize + CHUNK_ENTRIES) shift += 2;
  const chunk = allocateStateBlock(accountOf(t), shift);
  memory.fill(chunk, 0, (<usize>1) << (<usize>shift));
  store<u32>(chunk, <u32>t, CHUNK_TABLE);
  store<u32>(chunk, index, CHUNK_INDEX);
  store<u32>(chunk, <u32>((((<usize>1) << (<usize>shift)) - CHUNK_ENTRIES) / entrySize), CHUNK_CAPACITY);
  const last = <usize>load<u32>(t, OPEN_CHUNK);
  if (last == 0) store<u32>(t, <u32>chunk, FIRST_CHUNK);
  else store<u32>(last, <u32>chunk, NEXT_CHUNK);
  store<u32>(t, <u32>chunk, OPEN_CHUNK);
  store<u32>(t, index + 1, CHUNKS);
  setChangeState(chunk, shift, CHANGED);
  return chunk;
}

/** Start of the chunk that holds the entry. */
export function chunkOf(entry: usize): usize {
  return blockOf(entry);
}

/** The table that holds the entry. */
export function tableOf(entry: usize): usize {
  return <usize>load<u32>(blockOf(entry), CHUNK_TABLE);
}

/**
 * To be called before a live entry's checkpointed part changes, unless the change map says CHANGED. A chunk frozen by a
 * barrier and not yet copied out is copied aside first.
 */
export function markChanged(entry: usize): void {
  const chunk = blockOf(entry);
  const shift = blockShift(chunk);
  const state = load<u8>(CHANGE_MAP + (chunk >>> 12));
  if (state == CHANGED) return;
  if (state == FROZEN) {
    const copy = allocateStateBlock(accountOf(<usize>load<u32>(chunk, CHUNK_TABLE)), shift);
    memory.copy(copy, chunk, (<usize>1) << (<usize>shift));
    store<u32>(chunk, <u32>copy, CHUNK_COPY);
  }
  setChangeState(chunk, shift, CHANGED);
}

/** A new live entry outside the directory, zeroed but for its flags and hash. */
export function appendEntry(t: usize, hash: u64): usize {
  let e = <usize>load<u32>(t, FREE_ENTRIES);
  let chunk: usize = 0;
  if (e != 0) {
    markChanged(e);
    chunk = blockOf(e);
    store<u32>(t, load<u32>(e), FREE_ENTRIES);
    memory.fill(e, 0, <usize>load<u32>(t, ENTRY_SIZE));
  } else {
    chunk = <usize>load<u32>(t, OPEN_CHUNK);
    if (chunk == 0 || load<u32>(chunk, CHUNK_USED) == load<u32>(chunk, CHUNK_CAPACITY)) chunk = addChunk(t);
    else markChanged(chunk);
    const used = load<u32>(chunk, CHUNK_USED);
    e = chunk + CHUNK_ENTRIES + <usize>used * <usize>load<u32>(t, ENTRY_SIZE);
    store<u32>(chunk, used + 1, CHUNK_USED);
  }
  store<u32>(chunk, load<u32>(chunk, CHUNK_LIVE) + 1, CHUNK_LIVE);
  countEntries(t, 1);
  store<u64>(e, hash);
  store<u32>(e, LIVE, ENTRY_FLAGS);
  return e;
}

/** Takes an entry that is in no directory (any more) out of its table. Its values must have been freed. */
export function discardEntry(t: usize, e: usize): void {
  markChanged(e);
  const chunk = blockOf(e);
  store<u32>(chunk, load<u32>(chunk, CHUNK_LIVE) - 1, CHUNK_LIVE);
  countEntries(t, -1);
  store<u32>(e, 0, ENTRY_FLAGS);
  store<u32>(e, load<u32>(t, FREE_ENTRIES));
  store<u32>(t, <u32>e, FREE_ENTRIES);
}

/** Puts a slot into the first free place from its home on. */
function place(slots: usize, mask: usize, slot: u64): void {
  let p = <usize>(slot >> 32) & mask;
  while (load<u64>(slots + (p << 3)) != 0) p = (p + 1) & mask;
  store<u64>(slots + (p << 3), slot);
}

/** Doubles the only sub-table. */
function doubleSole(t: usize): void {
  const slots = <usize>load<u32>(t, SOLE_DIRECTORY);
  const mask = <usize>load<u32>(t, SLOT_MASK);
  const larger = allocateStateBlock(accountOf(t), blockShift(slots) + 1);
  const newMask = (mask << 1) | 1;
  memory.fill(larger, 0, (newMask + 1) << 3);
  for (let p: usize = 0; p <= mask; p++) {
    const slot = load<u64>(slots + (p << 3));
    if (slot != 0) place(larger, newMask, slot);
  }
  releaseStateBlock(accountOf(t), slots);
  store<u32>(t, <u32>larger, SOLE_DIRECTORY);
  store<u32>(t, <u32>newMask, SLOT_MASK);
  if (newMask + 1 == <usize>SLOTS_MAX) {
    store<u32>(segmentWord(larger), load<u32>(t, TABLE_LIVE));
    store<u32>(segmentWord(larger), 0, 4);
  }
}

/** Doubles the directory: its second half repeats the first. */
function doubleDirectory(t: usize): void {
  const depth = load<u32>(t, DEPTH);
  const bytes: usize = (<usize>4) << (<usize>depth);
  const old = <usize>load<u32>(t, DIRECTORY);
  const shift: u32 = depth + 3 < FIRST_SLOT_SHIFT ? FIRST_SLOT_SHIFT : depth + 3;
  const larger = depth > 0 && blockShift(old) == shift ? old : allocateStateBlock(accountOf(t), shift);
  if (larger != old) memory.copy(larger, old, bytes);
  memory.copy(larger + bytes, old, bytes);
  if (depth > 0 && larger != old) releaseStateBlock(accountOf(t), old);
  store<u32>(t, <u32>larger, DIRECTORY);
  store<u32>(t, depth + 1, DEPTH);
  store<u32>(t, ((<u32>1) << (depth + 1)) - 1, DIRECTORY_MASK);
}

/** Splits a full sub-table of 8,192 slots in two by the next bit of the hash. False if the directory is at its limit. */
function splitSubTable(t: usize, hash: u64): bool {
  let directory = <usize>load<u32>(t, DIRECTORY);
  const slots = <usize>load<u32>(directory + ((<usize>(<u32>(hash >> SLOT_BITS) & load<u32>(t, DIRECTORY_MASK))) << 2));
  const depth = load<u32>(segmentWord(slots), 4);
  if (depth == load<u32>(t, DEPTH)) {
    if (depth == DEPTH_MAX) return false;
    doubleDirectory(t);
    directory = <usize>load<u32>(t, DIRECTORY);
  }
  const other = allocateStateBlock(accountOf(t), 16);
  memory.copy(splitScratch, slots, 65536);
  memory.fill(slots, 0, 65536);
  memory.fill(other, 0, 65536);
  const bit = SLOT_BITS + <u64>depth;
  let moved: u32 = 0;
  for (let p: usize = 0; p < 65536; p += 8) {
    const slot = load<u64>(splitScratch + p);
    if (slot == 0) continue;
    const up = <u32>((slot >> 32) >> bit) & 1;
    moved += up;
    place(up != 0 ? other : slots, 8191, slot);
  }
  const word = segmentWord(slots);
  store<u32>(segmentWord(other), moved);
  store<u32>(segmentWord(other), depth + 1, 4);
  store<u32>(word, load<u32>(word) - moved);
  store<u32>(word, depth + 1, 4);
  const first = (<u32>(hash >> SLOT_BITS) & (((<u32>1) << depth) - 1)) | ((<u32>1) << depth);
  for (let i = first; i <= load<u32>(t, DIRECTORY_MASK); i += (<u32>2) << depth) store<u32>(directory + ((<usize>i) << 2), <u32>other);
  return true;
}

/** Makes room for one more entry of `hash`; returns its sub-table. */
function roomFor(t: usize, hash: u64): usize {
  while (load<u32>(t, SLOT_MASK) + 1 < SLOTS_MAX) {
    if (load<u32>(t, TABLE_LIVE) < growthLimit(load<u32>(t, SLOT_MASK))) return <usize>load<u32>(t, SOLE_DIRECTORY);
    doubleSole(t);
  }
  while (true) {
    const directory = <usize>load<u32>(t, DIRECTORY);
    const slots = <usize>load<u32>(directory + ((<usize>(<u32>(hash >> SLOT_BITS) & load<u32>(t, DIRECTORY_MASK))) << 2));
    const count = load<u32>(segmentWord(slots));
    if (count < growthLimit(SLOTS_MAX - 1)) return slots;
    if (splitSubTable(t, hash)) continue;
    // Thousands of hashes that agree in 27 bits: no data does that by chance. The sub-table fills up, then the slot ends.
    if (count < SLOTS_MAX - 1) return slots;
    setFatal(FATAL_STATE_LIMIT, <i64>load<u32>(t, TABLE_LIVE));
    return 0;
  }
}

/**
 * A new entry in the directory under `hash`, which must not be there; its routing hash is `routing`. Everything else of it is
 * zero, to be filled in by the caller.
 */
export function insertEntry(t: usize, hash: u64, routing: u64): usize {
  const slots = roomFor(t, hash);
  const e = appendEntry(t, routing);
  if (slots == 0) return e;
  const mask = <usize>load<u32>(t, SLOT_MASK);
  place(slots, mask, (hash << 32) | <u64>e);
  if (mask == 8191) store<u32>(segmentWord(slots), load<u32>(segmentWord(slots)) + 1);
  return e;
}

/** Removes an entry that stands under `hash`: later slots of its run move back. Its values must have been freed. */
export function removeEntry(t: usize, e: usize, hash: u64): void {
  const directory = <usize>load<u32>(t, DIRECTORY);
  const slots = <usize>load<u32>(directory + ((<usize>(<u32>(hash >> SLOT_BITS) & load<u32>(t, DIRECTORY_MASK))) << 2));
  const mask = <usize>load<u32>(t, SLOT_MASK);
  let hole = <usize>hash & mask;
  while (load<u32>(slots + (hole << 3)) != <u32>e) hole = (hole + 1) & mask;
  let p = hole;
  while (true) {
    p = (p + 1) & mask;
    const slot = load<u64>(slots + (p << 3));
    if (slot == 0) break;
    const home = <usize>(slot >> 32) & mask;
    if (((p - home) & mask) < ((p - hole) & mask)) continue;
    store<u64>(slots + (hole << 3), slot);
    hole = p;
  }
  store<u64>(slots + (hole << 3), 0);
  if (mask == 8191) store<u32>(segmentWord(slots), load<u32>(segmentWord(slots)) - 1);
  discardEntry(t, e);
}

/** Copies a value into the table's arena. */
export function keepText(t: usize, value: usize, length: usize): usize {
  return keepValue(t + TABLE_ARENA, value, length);
}

/** Frees a value of the table's arena at once; see `state-snapshot.ts` for values that a snapshot may still read. */
export function freeTextNow(t: usize, value: usize, length: usize): void {
  freeValue(t + TABLE_ARENA, value, length);
}

/** Rows that `touchGroups` handles at once: their slots and entries stay in the second-level cache until they are used. */
export const TOUCH_ROWS: usize = 1024;
const TOUCH_FROM: u32 = 8192;
const touched: usize = reserve(TOUCH_ROWS * 4);
/** Keeps the loads of `touchGroups` alive. */
export let touchSum: u64 = 0;

/**
 * Reads the first slot and the entry of each of `count` hashes, at most `TOUCH_ROWS`, so that the probes that follow find them
 * in the cache: here the misses overlap, there each waits for the branches before it. Small tables are left alone.
 */
export function touchGroups(t: usize, hashes: usize, count: usize): void {
  if (t == 0 || load<u32>(t, TABLE_LIVE) < TOUCH_FROM) return;
  const directory = <usize>load<u32>(t, DIRECTORY);
  const directoryMask = <usize>load<u32>(t, DIRECTORY_MASK);
  const mask = <usize>load<u32>(t, SLOT_MASK);
  for (let r: usize = 0; r < count; r++) {
    const h = load<u64>(hashes + (r << 3));
    const slots = <usize>load<u32>(directory + ((<usize>(h >> SLOT_BITS) & directoryMask) << 2));
    store<u32>(touched + (r << 2), load<u32>(slots + ((<usize>h & mask) << 3)));
  }
  let sum: u64 = 0;
  for (let r: usize = 0; r < count; r++) sum += load<u64>(<usize>load<u32>(touched + (r << 2)), ENTRY_SLOTS);
  touchSum = sum;
}

/** Cursor over the live entries of a table: the entry after (`chunk`, `index`). */
export let cursorChunk: usize = 0;
export let cursorIndex: u32 = 0;

/** Starts at the table's first entry. */
export function startCursor(t: usize): void {
  setCursor(<usize>load<u32>(t, FIRST_CHUNK), 0);
}

export function setCursor(chunk: usize, index: u32): void {
  cursorChunk = chunk;
  cursorIndex = index;
}

/** The next live entry, 0 at the end. */
export function nextEntry(): usize {
  while (cursorChunk != 0) {
    const used = load<u32>(cursorChunk, CHUNK_USED);
    const size = <usize>load<u32>(<usize>load<u32>(cursorChunk, CHUNK_TABLE), ENTRY_SIZE);
    while (cursorIndex < used) {
      const e = cursorChunk + CHUNK_ENTRIES + <usize>cursorIndex * size;
      cursorIndex++;
      if ((load<u32>(e, ENTRY_FLAGS) & LIVE) != 0) return e;
    }
    cursorIndex = 0;
    cursorChunk = <usize>load<u32>(cursorChunk, NEXT_CHUNK);
  }
  return 0;
}

/** The table of `kind` that belongs to the group table `t`. */
export function siblingOf(t: usize, kind: usize): usize {
  return <usize>load<u32>(t + (kind << 2), SIBLINGS);
}

export function setSibling(t: usize, kind: usize, table: usize): void {
  store<u32>(t + (kind << 2), <u32>table, SIBLINGS);
}

/** Bytes of one entry of the table. */
export function entrySizeOf(t: usize): usize {
  return <usize>load<u32>(t, ENTRY_SIZE);
}

// The descriptor's parts must not overlap.
if (TABLE_ARENA + ARENA_SIZE > SIBLINGS) unreachable();
