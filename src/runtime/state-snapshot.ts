/**
 * The state of one vertex: its tables, and how they reach a checkpoint. A barrier freezes the chunks of entries that changed
 * since the last one; `snapshotState` encodes them one by one as state frames while processing goes on: a frozen chunk about
 * to change is copied aside first (`markChanged`), values freed meanwhile stay until the snapshot has been read, and so do
 * dropped tables.
 *
 * A frame holds the live entries of one chunk, a column a slot, 64-bit integers as they lie in the entry. A chunk whose text
 * is too long for one frame becomes several with the same segment and the sub-index 0, 1, … in the header's `bytes`.
 *
 * The layout of a kind of table: u32 slots, u32 leading slots that restoring leaves to the insertion, then per slot u32
 * offset, u32 width (0: text as u32 address, u32 length). The first three slots are the hash, the flags and the word.
 */
import { columnBytes, columnValues } from "./batch.ts";
import { parallelism, subtask } from "./exchange.ts";
import { FRAME_HEADER_SIZE, KIND_STATE, nextBuffer, setFrameLength, writeHeader } from "./frame.ts";
import {
  CHUNK_COPY,
  CHUNK_ENTRIES,
  CHUNK_INDEX,
  CHUNK_LIVE,
  CHUNK_TABLE,
  CHUNK_USED,
  ENTRY_FLAGS,
  FIRST_CHUNK,
  LIVE,
  MARKED,
  NEXT_CHUNK,
  NEXT_TABLE,
  PREVIOUS_TABLE,
  STATE_BYTES,
  STATE_KEYS,
  TABLE_KIND,
  TABLE_PARTITION,
  TABLE_STATE,
  entrySizeOf,
  freeTextNow,
  keepText,
  makeTable,
  releaseTable,
} from "./group-table.ts";
import { allocateBlock, growBlock, reserve, setFatal, FATAL_ROW_TOO_LARGE } from "./memory.ts";
import { CHANGED, CHANGE_MAP, CLEAN, FROZEN, blockShift, releaseStateBlock, setChangeState } from "./state-block.ts";
import { setStateSize } from "./stats.ts";

const VERTEX: usize = 8;
const FIRST_TABLE: usize = 12;
const IS_FROZEN: usize = 24;
const SEGMENT_LIST: usize = 28;
const SEGMENT_COUNT: usize = 32;
const CURSOR: usize = 36;
const ROW_CURSOR: usize = 40;
const SUB_INDEX: usize = 44;
const DROPPED: usize = 48;
const FREED: usize = 52;
const FREED_COUNT: usize = 56;
const HOLDS: usize = 60;
const LAYOUTS: usize = 64;
const STATE_SIZE: usize = 64 + 64 * 4;

const FRAME_MAX: usize = 1 << 20;
/** Entries of the frame being encoded: no chunk has more. */
const selected: usize = reserve(4096 * 4);

/** The state of `vertex`, without tables. */
export function makeState(vertex: i32): usize {
  const s = reserve(STATE_SIZE);
  store<u32>(s, vertex, VERTEX);
  store<u32>(s, <u32>allocateBlock(4096), SEGMENT_LIST);
  store<u32>(s, <u32>allocateBlock(4096), FREED);
  return s;
}

/** Says how entries of tables of `kind` are laid out, see the file's comment. */
export function setLayout(s: usize, kind: u32, layout: usize): void {
  store<u32>(s + ((<usize>kind) << 2), <u32>layout, LAYOUTS);
}

/** A new table of the vertex. */
export function addTable(s: usize, kind: u32, partition: i64, entrySize: usize): usize {
  const t = makeTable(s, kind, partition, entrySize);
  const first = <usize>load<u32>(s, FIRST_TABLE);
  store<u32>(t, <u32>first, NEXT_TABLE);
  if (first != 0) store<u32>(first, <u32>t, PREVIOUS_TABLE);
  store<u32>(s, <u32>t, FIRST_TABLE);
  return t;
}

/** Drops a table: at once, or when the snapshot in progress has been read. */
export function dropTable(s: usize, t: usize): void {
  const next = <usize>load<u32>(t, NEXT_TABLE);
  const previous = <usize>load<u32>(t, PREVIOUS_TABLE);
  if (next != 0) store<u32>(next, <u32>previous, PREVIOUS_TABLE);
  if (previous != 0) store<u32>(previous, <u32>next, NEXT_TABLE);
  else store<u32>(s, <u32>next, FIRST_TABLE);
  if (load<u32>(s, IS_FROZEN) == 0) {
    releaseTable(t);
    return;
  }
  store<u32>(t, load<u32>(s, DROPPED), NEXT_TABLE);
  store<u32>(s, <u32>t, DROPPED);
}

/** Frees a value of `t` as soon as no snapshot in progress and no holder can still read it. */
export function freeText(t: usize, value: usize, length: usize): void {
  if (length == 0) return;
  const s = <usize>load<u32>(t, TABLE_STATE);
  if ((load<u32>(s, IS_FROZEN) | load<u32>(s, HOLDS)) == 0) {
    freeTextNow(t, value, length);
    return;
  }
  const count = <usize>load<u32>(s, FREED_COUNT);
  const list = growBlock(<usize>load<u32>(s, FREED), count << 4, (count + 1) << 4);
  store<u32>(s, <u32>list, FREED);
  store<u32>(list + (count << 4), <u32>t);
  store<u32>(list + (count << 4), <u32>value, 4);
  store<u32>(list + (count << 4), <u32>length, 8);
  store<u32>(s, <u32>(count + 1), FREED_COUNT);
}

/** While held, freed values stay readable. */
export function holdValues(s: usize, held: bool): void {
  store<u32>(s, <u32>held, HOLDS);
  freeHeld(s);
}

function freeHeld(s: usize): void {
  if ((load<u32>(s, IS_FROZEN) | load<u32>(s, HOLDS)) != 0) return;
  const list = <usize>load<u32>(s, FREED);
  const end = list + ((<usize>load<u32>(s, FREED_COUNT)) << 4);
  for (let at = list; at < end; at += 16) freeTextNow(<usize>load<u32>(at), <usize>load<u32>(at, 4), <usize>load<u32>(at, 8));
  store<u32>(s, 0, FREED_COUNT);
}

/** Writes the vertex' number of keys and bytes into its counters; `more`: bytes of tables that are in no checkpoint. */
export function reportStateSize(s: usize, more: u64): void {
  setStateSize(load<i32>(s, VERTEX), load<u64>(s, STATE_KEYS), load<u64>(s, STATE_BYTES) + more);
}

/** Freezes all tables. A snapshot that was not read to its end is given up: its chunks count as changed again. */
export function freezeState(s: usize): void {
  if (load<u32>(s, IS_FROZEN) != 0) abandonSnapshot(s);
  store<u32>(s, 0, SEGMENT_COUNT);
  store<u32>(s, 0, CURSOR);
  store<u32>(s, 0, ROW_CURSOR);
  store<u32>(s, 0, SUB_INDEX);
  for (let t = <usize>load<u32>(s, FIRST_TABLE); t != 0; t = <usize>load<u32>(t, NEXT_TABLE)) {
    for (let chunk = <usize>load<u32>(t, FIRST_CHUNK); chunk != 0; chunk = <usize>load<u32>(chunk, NEXT_CHUNK)) freezeChunk(s, t, chunk);
  }
  store<u32>(s, 1, IS_FROZEN);
}

function freezeChunk(s: usize, t: usize, chunk: usize): void {
  const live = load<u32>(chunk, CHUNK_LIVE);
  if (load<u8>(CHANGE_MAP + (chunk >>> 12)) == CHANGED) setChangeState(chunk, blockShift(chunk), live != 0 ? FROZEN : CLEAN);
  if (live == 0) return;
  const count = <usize>load<u32>(s, SEGMENT_COUNT);
  const list = growBlock(<usize>load<u32>(s, SEGMENT_LIST), count * 24, (count + 1) * 24);
  store<u32>(s, <u32>list, SEGMENT_LIST);
  const entry = list + count * 24;
  store<u32>(entry, load<u32>(t, TABLE_KIND));
  store<u32>(entry, load<u32>(chunk, CHUNK_INDEX), 4);
  store<i64>(entry, load<i64>(t, TABLE_PARTITION), 8);
  store<u32>(entry, live, 16);
  store<u32>(entry, <u32>chunk, 20);
  store<u32>(s, <u32>(count + 1), SEGMENT_COUNT);
}

function abandonSnapshot(s: usize): void {
  const list = <usize>load<u32>(s, SEGMENT_LIST);
  const end = list + <usize>load<u32>(s, SEGMENT_COUNT) * 24;
  for (let at = list + <usize>load<u32>(s, CURSOR) * 24; at < end; at += 24) {
    const chunk = <usize>load<u32>(at, 20);
    releaseCopy(s, chunk);
    if (load<u8>(CHANGE_MAP + (chunk >>> 12)) == FROZEN) setChangeState(chunk, blockShift(chunk), CHANGED);
  }
  thaw(s);
}

function releaseCopy(s: usize, chunk: usize): void {
  const copy = <usize>load<u32>(chunk, CHUNK_COPY);
  if (copy == 0) return;
  releaseStateBlock(s + STATE_BYTES, copy);
  store<u32>(chunk, 0, CHUNK_COPY);
}

function thaw(s: usize): void {
  store<u32>(s, 0, IS_FROZEN);
  freeHeld(s);
  let t = <usize>load<u32>(s, DROPPED);
  store<u32>(s, 0, DROPPED);
  while (t != 0) {
    const next = <usize>load<u32>(t, NEXT_TABLE);
    releaseTable(t);
    t = next;
  }
  reportStateSize(s, 0);
}

/** Writes the next frame of the frozen state at `out`; its length, 0 when everything has been read. */
export function snapshotState(s: usize, out: usize, capacity: usize): usize {
  if (load<u32>(s, IS_FROZEN) == 0) return 0;
  while (load<u32>(s, CURSOR) < load<u32>(s, SEGMENT_COUNT)) {
    const chunk = <usize>load<u32>(<usize>load<u32>(s, SEGMENT_LIST) + <usize>load<u32>(s, CURSOR) * 24, 20);
    const copy = <usize>load<u32>(chunk, CHUNK_COPY);
    const frozen = load<u8>(CHANGE_MAP + (chunk >>> 12)) == FROZEN;
    let length: usize = 0;
    if (copy != 0 || frozen) length = encodeRows(s, copy != 0 ? copy : chunk, out, capacity);
    if (length != 0) return length;
    releaseCopy(s, chunk);
    if (frozen) setChangeState(chunk, blockShift(chunk), CLEAN);
    store<u32>(s, load<u32>(s, CURSOR) + 1, CURSOR);
    store<u32>(s, 0, ROW_CURSOR);
    store<u32>(s, 0, SUB_INDEX);
  }
  thaw(s);
  return 0;
}

/** Bytes of the entry's text. */
function textBytes(layout: usize, e: usize): usize {
  const slots = <usize>load<u32>(layout);
  let bytes: usize = 0;
  for (let c: usize = 0; c < slots; c++) {
    const slot = layout + (c << 3);
    if (load<u32>(slot, 12) == 0) bytes += <usize>load<u32>(e + <usize>load<u32>(slot, 8), 4);
  }
  return bytes;
}

/** Selects entries from the row cursor on, as many as fit into a frame; returns their number. */
function selectRows(s: usize, chunk: usize, layout: usize, size: usize, capacity: usize): usize {
  const used = load<u32>(chunk, CHUNK_USED);
  let i = load<u32>(s, ROW_CURSOR);
  let count: usize = 0;
  let bytes: usize = 1024 + <usize>load<u32>(layout) * 528;
  for (; i < used; i++) {
    const e = chunk + CHUNK_ENTRIES + <usize>i * size;
    if ((load<u32>(e, ENTRY_FLAGS) & LIVE) == 0) continue;
    const more = size + textBytes(layout, e);
    if (bytes + more > FRAME_MAX) {
      if (count != 0) break;
      if (bytes + more > capacity - 64) {
        setFatal(FATAL_ROW_TOO_LARGE, <i64>more);
        continue;
      }
    }
    bytes += more;
    store<u32>(selected + (count << 2), <u32>e);
    count++;
  }
  store<u32>(s, i, ROW_CURSOR);
  return count;
}

/** Encodes the next rows of a chunk (or of its copy); 0 if none are left. */
function encodeRows(s: usize, chunk: usize, out: usize, capacity: usize): usize {
  const t = <usize>load<u32>(chunk, CHUNK_TABLE);
  const layout = <usize>load<u32>(s + ((<usize>load<u32>(t, TABLE_KIND)) << 2), LAYOUTS);
  const rows = selectRows(s, chunk, layout, entrySizeOf(t), capacity);
  if (rows == 0) return 0;
  const columns = <usize>load<u32>(layout);
  writeHeader(out, KIND_STATE, rows, load<i32>(s, VERTEX), 0, load<i64>(t, TABLE_PARTITION), columns);
  store<u16>(out, <u16>load<u32>(t, TABLE_KIND), 20);
  store<u32>(out, load<u32>(chunk, CHUNK_INDEX), 56);
  store<u32>(out, load<u32>(s, SUB_INDEX), 60);
  store<u32>(s, load<u32>(s, SUB_INDEX) + 1, SUB_INDEX);
  let offset = nextBuffer(0, FRAME_HEADER_SIZE + (columns << 4));
  for (let c: usize = 0; c < columns; c++) {
    const slot = layout + (c << 3);
    const entry = out + FRAME_HEADER_SIZE + (c << 4);
    store<u64>(entry, <u64>offset);
    store<u64>(entry, 0, 8);
    const at = <usize>load<u32>(slot, 8);
    const width = <usize>load<u32>(slot, 12);
    if (width == 0) {
      offset = encodeText(out, offset, entry, at, rows);
    } else {
      encodeFixed(out + offset, at, width, rows, c == 1 ? ~MARKED : ~(<u32>0));
      offset = nextBuffer(offset, rows * width);
    }
  }
  setFrameLength(out, offset);
  return offset;
}

function encodeFixed(to: usize, at: usize, width: usize, rows: usize, mask: u32): void {
  if (width == 4) {
    for (let r: usize = 0; r < rows; r++) store<u32>(to + (r << 2), load<u32>(<usize>load<u32>(selected + (r << 2)) + at) & mask);
    return;
  }
  for (let r: usize = 0; r < rows; r++) store<u64>(to + (r << 3), load<u64>(<usize>load<u32>(selected + (r << 2)) + at));
}

function encodeText(out: usize, offset: usize, entry: usize, at: usize, rows: usize): usize {
  const offsets = out + offset;
  const start = nextBuffer(offset, (rows + 1) << 2);
  let used: usize = 0;
  store<u32>(offsets, 0);
  for (let r: usize = 0; r < rows; r++) {
    const slot = <usize>load<u32>(selected + (r << 2)) + at;
    const length = <usize>load<u32>(slot, 4);
    memory.copy(out + start + used, <usize>load<u32>(slot), length);
    used += length;
    store<u32>(offsets + (r << 2), <u32>used, 4);
  }
  store<u32>(entry, <u32>start, 8);
  store<u32>(entry, <u32>used, 12);
  return nextBuffer(start, used);
}

/** Number of live segments at the last barrier. */
export function segmentCount(s: usize): i32 {
  return load<i32>(s, SEGMENT_COUNT);
}

/** Their list, as `liveSegmentList` of `program/abi.ts` says. */
export function segmentList(s: usize): usize {
  return <usize>load<u32>(s, SEGMENT_LIST);
}

/** Marks a segment as changed. One that is frozen right now is being written anyway. */
export function touchStateSegment(s: usize, kind: u32, partition: i64, segment: u32): void {
  for (let t = <usize>load<u32>(s, FIRST_TABLE); t != 0; t = <usize>load<u32>(t, NEXT_TABLE)) {
    if (load<u32>(t, TABLE_KIND) != kind || load<i64>(t, TABLE_PARTITION) != partition) continue;
    for (let chunk = <usize>load<u32>(t, FIRST_CHUNK); chunk != 0; chunk = <usize>load<u32>(chunk, NEXT_CHUNK)) {
      if (load<u32>(chunk, CHUNK_INDEX) != segment) continue;
      if (load<u8>(CHANGE_MAP + (chunk >>> 12)) == CLEAN) setChangeState(chunk, blockShift(chunk), CHANGED);
    }
  }
}

/** True if this subtask owns keys of `hash`. */
export function ownsHash(hash: u64): bool {
  return <i32>((<u32>(hash >> 52) * <u32>parallelism) >> 12) == subtask;
}

/** Fills the slots of a restored entry from row `r` of a state frame read as `batch`, but those that its insertion has set. */
export function restoreSlots(s: usize, t: usize, e: usize, batch: usize, r: usize): void {
  const layout = <usize>load<u32>(s + ((<usize>load<u32>(t, TABLE_KIND)) << 2), LAYOUTS);
  const slots = <usize>load<u32>(layout);
  store<u32>(e, load<u32>(columnValues(batch, 1) + (r << 2)), ENTRY_FLAGS);
  store<u32>(e, load<u32>(columnValues(batch, 2) + (r << 2)), ENTRY_FLAGS + 4);
  for (let c = <usize>load<u32>(layout, 4); c < slots; c++) {
    const at = e + <usize>load<u32>(layout + (c << 3), 8);
    const values = columnValues(batch, c);
    const width = <usize>load<u32>(layout + (c << 3), 12);
    if (width == 8) store<u64>(at, load<u64>(values + (r << 3)));
    else if (width == 4) store<u32>(at, load<u32>(values + (r << 2)));
    else {
      const start = load<u32>(values + (r << 2));
      const length = <usize>(load<u32>(values + (r << 2), 4) - start);
      store<u32>(at, <u32>keepText(t, columnBytes(batch, c) + <usize>start, length));
      store<u32>(at, <u32>length, 4);
    }
  }
}
