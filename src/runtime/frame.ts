/**
 * Frames in memory: writing a batch as one relocatable block and reading a block as a batch. The layout is that of
 * `data/frame.ts` (pinned by a golden). Column widths are described by a table of u8 codes: the width in bytes, 0 for
 * variable length.
 */
import { columnBytes, columnValidity, columnValues, setBatchRows, setColumn, ALL_VALID } from "./batch.ts";

export const FRAME_MAGIC: u32 = 0x31464457;
export const FRAME_VERSION: u16 = 1;
export const FRAME_HEADER_SIZE: usize = 96;
export const KIND_DATA: u8 = 0;
export const KIND_ENCODED: u8 = 5;
export const KIND_STATE: u8 = 6;

let ownSubtask: u16 = 0;
let runFence: u64 = 0;

/** Says who writes: stamped into every frame. */
export function setFrameOrigin(subtask: i32, fence: u64): void {
  ownSubtask = <u16>subtask;
  runFence = fence;
}

/** Next buffer after one of `bytes` at `offset`: 64-byte aligned, ≥ 64 bytes of padding, never a multiple of 4 KiB on. */
export function nextBuffer(offset: usize, bytes: usize): usize {
  const step = ((bytes + 63) & ~(<usize>63)) + 64;
  return offset + ((step & 4095) == 0 ? step + 64 : step);
}

/** Bytes of text in rows [0, rows) of a variable-length column. */
export function variableBytes(batch: usize, column: usize, rows: usize): usize {
  const offsets = columnValues(batch, column);
  return <usize>(load<u32>(offsets + (rows << 2)) - load<u32>(offsets));
}

/** Upper bound of the size of a frame of `rows` rows of `batch`. */
export function frameSizeBound(batch: usize, rows: usize, widths: usize, columns: usize): usize {
  let size = nextBuffer(0, FRAME_HEADER_SIZE + (columns << 4));
  for (let c: usize = 0; c < columns; c++) {
    const width = <usize>load<u8>(widths + c);
    size = nextBuffer(size, rows) + 64;
    if (width == 0) size = nextBuffer(nextBuffer(size, (rows + 1) << 2), variableBytes(batch, c, rows)) + 128;
    else size = nextBuffer(size, rows * width) + 64;
  }
  return size + 64;
}

/** Writes the header; the caller sets `length` and `bytes` when it knows them. `edge` and `target` as in `data/frame.ts`. */
export function writeHeader(at: usize, kind: u8, rows: usize, edge: i32, target: i32, argument: i64, columns: usize): void {
  memory.fill(at, 0, FRAME_HEADER_SIZE);
  store<u32>(at, FRAME_MAGIC);
  store<u16>(at, FRAME_VERSION, 4);
  store<u8>(at, kind, 6);
  store<u32>(at, <u32>rows, 12);
  store<u32>(at, edge, 16);
  store<u16>(at, ownSubtask, 20);
  store<u16>(at, <u16>target, 22);
  store<i64>(at, argument, 24);
  store<u64>(at, runFence, 32);
  store<u32>(at, <u32>columns, 40);
}

export function setFrameLength(at: usize, length: usize): void {
  store<u32>(at, <u32>length, 8);
}

export function frameLength(at: usize): usize {
  return <usize>load<u32>(at, 8);
}

export function frameRows(at: usize): usize {
  return <usize>load<u32>(at, 12);
}

/** True if the frame has this build's magic and version. */
export function frameReadable(at: usize): bool {
  return load<u32>(at) == FRAME_MAGIC && load<u16>(at, 4) == FRAME_VERSION;
}

/** True if all `rows` validity bytes are 1. */
export function allValid(validity: usize, rows: usize): bool {
  if (validity == ALL_VALID) return true;
  let r: usize = 0;
  for (; r + 8 <= rows; r += 8) if (load<u64>(validity + r) != 0x0101010101010101) return false;
  for (; r < rows; r++) if (load<u8>(validity + r) == 0) return false;
  return true;
}

/**
 * Writes the rows of `batch` as a frame at `at` (room for `frameSizeBound`), header included but for edge-specific fields
 * given here; returns the frame's length.
 */
export function writeFrame(
  at: usize,
  batch: usize,
  rows: usize,
  widths: usize,
  columns: usize,
  kind: u8,
  edge: i32,
  target: i32,
  argument: i64,
): usize {
  writeHeader(at, kind, rows, edge, target, argument, columns);
  let offset = nextBuffer(0, FRAME_HEADER_SIZE + (columns << 4));
  for (let c: usize = 0; c < columns; c++) {
    const entry = at + FRAME_HEADER_SIZE + (c << 4);
    const width = <usize>load<u8>(widths + c);
    const values = columnValues(batch, c);
    const validity = columnValidity(batch, c);
    store<u64>(entry, 0, 4);
    store<u32>(entry, 0, 12);
    if (!allValid(validity, rows)) {
      store<u32>(entry, <u32>offset, 4);
      memory.copy(at + offset, validity, rows);
      offset = nextBuffer(offset, rows);
    }
    store<u32>(entry, <u32>offset);
    if (width != 0) {
      memory.copy(at + offset, values, rows * width);
      offset = nextBuffer(offset, rows * width);
      continue;
    }
    const base = load<u32>(values);
    const bytes = variableBytes(batch, c, rows);
    for (let r: usize = 0; r <= rows; r++) store<u32>(at + offset + (r << 2), load<u32>(values + (r << 2)) - base);
    offset = nextBuffer(offset, (rows + 1) << 2);
    store<u32>(entry, <u32>offset, 8);
    store<u32>(entry, <u32>bytes, 12);
    memory.copy(at + offset, columnBytes(batch, c) + <usize>base, bytes);
    offset = nextBuffer(offset, bytes);
  }
  setFrameLength(at, offset);
  return offset;
}

/** Makes `batch` (of at least as many columns) a view of the frame at `at`. */
export function readFrame(at: usize, batch: usize): void {
  const columns = <usize>load<u32>(at, 40);
  setBatchRows(batch, frameRows(at));
  for (let c: usize = 0; c < columns; c++) {
    const entry = at + FRAME_HEADER_SIZE + (c << 4);
    const validity = <usize>load<u32>(entry, 4);
    const bytes = <usize>load<u32>(entry, 8);
    setColumn(batch, c, at + <usize>load<u32>(entry), validity == 0 ? 0 : at + validity, bytes == 0 ? 0 : at + bytes);
  }
}
