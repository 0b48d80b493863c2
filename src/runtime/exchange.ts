/**
 * The sending half of an exchange: the output queue, and partitioning. Rows are scattered by counting (two passes, no sort)
 * into one open frame a target; an open frame is queued when it is full or when the host asks (linger, watermark, barrier).
 *
 * An open frame is a batch under construction: fixed column areas for `BATCH_ROWS` rows and text areas that grow.
 */
import {
  ALL_VALID,
  BATCH_ROWS,
  batchRows,
  columnBytes,
  columnValidity,
  columnValues,
  makeBatch,
  setBatchRows,
  setColumn,
} from "./batch.ts";
import { allValid, frameSizeBound, writeFrame, writeHeader, setFrameLength, KIND_DATA, KIND_ENCODED, FRAME_HEADER_SIZE } from "./frame.ts";
import { allocateBlock, growBlock, reserve } from "./memory.ts";
import { copyLoose, gather1, gather2, gather4, gather8, selectedBytes } from "./selection.ts";

/** Target of frames for the host: encoded bytes of a sink. */
export const HOST: i32 = -1;
const QUEUE_SIZE: usize = 4096;
const queue: usize = reserve(QUEUE_SIZE * 16);
let head: usize = 0;
let tail: usize = 0;
let queuedBytes: usize = 0;

/** Number of subtasks of every vertex. */
export let parallelism: i32 = 1;
/** Number of this subtask. */
export let subtask: i32 = 0;

export function setSubtask(own: i32, all: i32): void {
  subtask = own;
  parallelism = all;
}

/** Puts a frame (a block) into the output queue. */
export function queueFrame(frame: usize, length: usize, edge: i32, target: i32): void {
  const entry = queue + ((tail & (QUEUE_SIZE - 1)) << 4);
  store<u32>(entry, <u32>frame);
  store<u32>(entry, <u32>length, 4);
  store<u32>(entry, edge, 8);
  store<u32>(entry, target, 12);
  tail++;
  queuedBytes += length;
  if (tail - head >= QUEUE_SIZE) unreachable();
}

export function outputPeek(): usize {
  return head == tail ? 0 : queue + ((head & (QUEUE_SIZE - 1)) << 4);
}

export function outputPop(): void {
  queuedBytes -= <usize>load<u32>(queue + ((head & (QUEUE_SIZE - 1)) << 4), 4);
  head++;
}

export function outputBytes(): usize {
  return queuedBytes;
}

/** Queues all of `batch` as one frame. */
export function sendBatch(batch: usize, widths: usize, columns: usize, edge: i32, target: i32): void {
  const rows = batchRows(batch);
  const frame = allocateBlock(frameSizeBound(batch, rows, widths, columns));
  const length = writeFrame(frame, batch, rows, widths, columns, KIND_DATA, edge, target, 0);
  queueFrame(frame, length, edge, target);
}

/**
 * A block for encoded bytes: bytes begin at `FRAME_HEADER_SIZE`. `sendEncoded` completes and queues it; it may have been
 * moved by `growBlock` meanwhile.
 */
export function encodedBlock(bytes: usize): usize {
  return allocateBlock(FRAME_HEADER_SIZE + bytes + 64);
}

/** Queues an encoded block of `bytes` bytes and `rows` rows. */
export function sendEncoded(block: usize, bytes: usize, rows: usize, edge: i32, target: i32): void {
  writeHeader(block, KIND_ENCODED, rows, edge, target < 0 ? 0 : target, 0, 0);
  const length = (FRAME_HEADER_SIZE + bytes + 63) & ~(<usize>63);
  setFrameLength(block, length);
  store<u32>(block, <u32>bytes, 60);
  queueFrame(block, length, edge, target);
}

// A partitioner is a block of u32: columns, widths, edge, address of a byte a column (1: no NULL in the batch being distributed), then per
// target the address of its open batch and that of its validity areas. While no NULL has come, a column of an open batch has the validity
// ALL_VALID and its area is unused: copying validity costs as much as copying values, and most columns have no NULL.
const P_COLUMNS: usize = 0;
const P_WIDTHS: usize = 4;
const P_EDGE: usize = 8;
const P_PRESENT: usize = 12;
const P_OPEN: usize = 16;
const P_AREAS: usize = 20;
const selection: usize = reserve(BATCH_ROWS * 4 + 64);
const targets: usize = reserve(BATCH_ROWS * 2 + 64);
const starts: usize = reserve(4097 * 4 + 64);

/** A partitioner for `edge`, whose batches have `columns` columns of the given widths. */
export function makePartitioner(edge: i32, widths: usize, columns: usize): usize {
  const p = reserve(P_OPEN + ((<usize>parallelism) << 3));
  store<u32>(p, <u32>columns, P_COLUMNS);
  store<u32>(p, <u32>widths, P_WIDTHS);
  store<u32>(p, edge, P_EDGE);
  store<u32>(p, <u32>reserve(columns), P_PRESENT);
  for (let t: usize = 0; t < <usize>parallelism; t++) {
    store<u32>(p + (t << 3), <u32>makeOpen(columns, widths), P_OPEN);
    store<u32>(p + (t << 3), <u32>makeAreas(columns), P_AREAS);
  }
  return p;
}

/** An open batch; text byte areas are blocks with their own growth. */
function makeOpen(columns: usize, widths: usize): usize {
  const batch = makeBatch(columns);
  for (let c: usize = 0; c < columns; c++) {
    const width = <usize>load<u8>(widths + c);
    const values = reserve(width == 0 ? (BATCH_ROWS + 1) * 4 : BATCH_ROWS * width);
    setColumn(batch, c, values, ALL_VALID, width == 0 ? allocateBlock(32768) : 0);
  }
  return batch;
}

/** Addresses of a validity area for every column. */
function makeAreas(columns: usize): usize {
  const areas = reserve(columns << 2);
  for (let c: usize = 0; c < columns; c++) store<u32>(areas + (c << 2), <u32>reserve(BATCH_ROWS));
  return areas;
}

/** Queues the open batch of target `t` if it has rows. */
function closeOpen(p: usize, t: usize): void {
  const batch = <usize>load<u32>(p + (t << 3), P_OPEN);
  if (batchRows(batch) == 0) return;
  const columns = <usize>load<u32>(p, P_COLUMNS);
  sendBatch(batch, <usize>load<u32>(p, P_WIDTHS), columns, load<u32>(p, P_EDGE), <i32>t);
  setBatchRows(batch, 0);
  for (let c: usize = 0; c < columns; c++) setColumn(batch, c, columnValues(batch, c), ALL_VALID, columnBytes(batch, c));
}

/** Queues everything that waits. */
export function flushPartitioner(p: usize): void {
  for (let t: usize = 0; t < <usize>parallelism; t++) closeOpen(p, t);
}

/** Appends the `count` rows of `batch` selected by `rows` to the open batch of target `t`. */
function append(p: usize, t: usize, batch: usize, rows: usize, count: usize): void {
  const open = <usize>load<u32>(p + (t << 3), P_OPEN);
  if (batchRows(open) + count > BATCH_ROWS) closeOpen(p, t);
  const at = batchRows(open);
  const columns = <usize>load<u32>(p, P_COLUMNS);
  const widths = <usize>load<u32>(p, P_WIDTHS);
  const present = <usize>load<u32>(p, P_PRESENT);
  const areas = <usize>load<u32>(p + (t << 3), P_AREAS);
  for (let c: usize = 0; c < columns; c++) {
    const from = columnValues(batch, c);
    const to = columnValues(open, c);
    appendValidity(open, c, at, rows, count, load<u8>(present + c) != 0 ? 0 : columnValidity(batch, c), <usize>load<u32>(areas + (c << 2)));
    switch (load<u8>(widths + c)) {
      case 0:
        appendText(open, c, at, rows, count, from, columnBytes(batch, c));
        break;
      case 1:
        gather1(rows, count, from, to + at);
        break;
      case 2:
        gather2(rows, count, from, to + (at << 1));
        break;
      case 4:
        gather4(rows, count, from, to + (at << 2));
        break;
      default:
        gather8(rows, count, from, to + (at << 3));
    }
  }
  setBatchRows(open, at + count);
}

/** Appends validity; `from` 0 means no NULLs. The column's own `area` is used from its first NULL on. */
function appendValidity(open: usize, c: usize, at: usize, rows: usize, count: usize, from: usize, area: usize): void {
  if (columnValidity(open, c) == ALL_VALID) {
    if (from == 0) return;
    memory.fill(area, 1, at);
    setColumn(open, c, columnValues(open, c), area, columnBytes(open, c));
  }
  if (from == 0) memory.fill(area + at, 1, count);
  else gather1(rows, count, from, area + at);
}

function appendText(open: usize, c: usize, at: usize, rows: usize, count: usize, offsets: usize, bytes: usize): void {
  const to = columnValues(open, c);
  if (at == 0) store<u32>(to, 0);
  let used = <usize>load<u32>(to + (at << 2));
  const block = growBlock(columnBytes(open, c), used, used + selectedBytes(rows, count, offsets) + 64);
  setColumn(open, c, to, columnValidity(open, c), block);
  for (let j: usize = 0; j < count; j++) {
    const entry = offsets + ((<usize>load<u32>(rows + (j << 2))) << 2);
    const start = load<u32>(entry);
    const length = <usize>(load<u32>(entry, 4) - start);
    copyLoose(block + used, bytes + <usize>start, length);
    used += length;
    store<u32>(to + ((at + j) << 2), <u32>used, 4);
  }
}

/** Distributes `batch` by key group: `hashes` has a u64 a row; subtask = top 12 bits × parallelism >> 12. */
export function partition(p: usize, batch: usize, hashes: usize): void {
  const rows = batchRows(batch);
  const n = <usize>parallelism;
  const columns = <usize>load<u32>(p, P_COLUMNS);
  const present = <usize>load<u32>(p, P_PRESENT);
  for (let c: usize = 0; c < columns; c++) store<u8>(present + c, allValid(columnValidity(batch, c), rows) ? 1 : 0);
  memory.fill(starts, 0, (n + 1) << 2);
  for (let r: usize = 0; r < rows; r++) {
    const t = <usize>((<u32>(load<u64>(hashes + (r << 3)) >> 52) * <u32>n) >> 12);
    store<u16>(targets + (r << 1), <u16>t);
    store<u32>(starts + (t << 2), load<u32>(starts + (t << 2), 4) + 1, 4);
  }
  for (let t: usize = 0; t < n; t++) store<u32>(starts + (t << 2), load<u32>(starts + (t << 2)) + load<u32>(starts + (t << 2), 4), 4);
  for (let r: usize = 0; r < rows; r++) {
    const slot = starts + ((<usize>load<u16>(targets + (r << 1))) << 2);
    const at = load<u32>(slot);
    store<u32>(selection + ((<usize>at) << 2), <u32>r);
    store<u32>(slot, at + 1);
  }
  let first: usize = 0;
  for (let t: usize = 0; t < n; t++) {
    const end = <usize>load<u32>(starts + (t << 2));
    if (end > first) append(p, t, batch, selection + (first << 2), end - first);
    first = end;
  }
}
