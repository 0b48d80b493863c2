/**
 * The error buffer: rows that could not be processed leave the module as records (`ERROR_RECORD_HEADER` in
 * `program/abi.ts`), which the host drains after every call. And the provenance of the batch being processed: which source
 * partition it comes from and, per row, at which input position, as far as that is still known.
 */
import { reserve } from "./memory.ts";

/** Indexes of `ERROR_REASONS` in `program/abi.ts`. */
export const MALFORMED_JSON: i32 = 1;
export const WRONG_TYPE: i32 = 2;
export const OUT_OF_RANGE: i32 = 3;
export const INVALID_UTF8: i32 = 4;
export const MISSING_VALUE: i32 = 5;
export const INVALID_TIMESTAMP: i32 = 6;
export const ROW_TOO_LONG: i32 = 7;
export const TRUNCATED_ROW: i32 = 8;
export const NULL_EVENT_TIME: i32 = 9;
export const INTEGER_OVERFLOW: i32 = 10;
export const DIVISION_BY_ZERO: i32 = 11;
export const CAST_OUT_OF_RANGE: i32 = 12;
export const CAST_INVALID_TEXT: i32 = 13;
export const INVALID_ARGUMENT: i32 = 14;
export const RESULT_TOO_LARGE: i32 = 15;
export const LATE_ROW: i32 = 16;
export const UDF_FAILED: i32 = 17;

const CAPACITY: usize = 16 << 20;
const PAYLOAD_MAX: usize = 1024;
const buffer: usize = reserve(CAPACITY);
let used: usize = 0;

/** Source partition of the batch in progress; −1: unknown. */
export let currentPartition: i32 = -1;
/** The batch that `currentPositions` describes; 0: none. */
export let positionsBatch: usize = 0;
/** i64 input position of each row of `positionsBatch`. */
export let currentPositions: usize = 0;

/** Says where the rows of `batch` come from: `positions` has an i64 a row, or is 0. */
export function setProvenance(partition: i32, batch: usize, positions: usize): void {
  currentPartition = partition;
  positionsBatch = positions == 0 ? 0 : batch;
  currentPositions = positions;
}

/** Forgets the provenance: rows that come out of state or a channel. */
export function clearProvenance(): void {
  setProvenance(-1, 0, 0);
}

/** Input position of `row` of `batch`, −1 if unknown. */
export function rowPosition(batch: usize, row: usize): i64 {
  return positionsBatch == batch && batch != 0 ? load<i64>(currentPositions + (row << 3)) : -1;
}

/**
 * Appends a record. `payload` (`length` bytes, cut at 1 KiB) is what the user will see of the row. When the buffer is
 * nearly full the payload is dropped; when it is full so is the record (the counters still count the row).
 */
export function reportRow(vertex: i32, reason: i32, position: i64, column: i32, payload: usize, length: usize): void {
  let n = length < PAYLOAD_MAX ? length : PAYLOAD_MAX;
  if (used + 32 + n + 8 > CAPACITY - (1 << 20)) n = 0;
  if (used + 40 > CAPACITY) return;
  const at = buffer + used;
  const size = (32 + n + 7) & ~(<usize>7);
  store<u32>(at, <u32>size);
  store<u32>(at, vertex, 4);
  store<u32>(at, reason, 8);
  store<u32>(at, currentPartition, 12);
  store<i64>(at, position, 16);
  store<u32>(at, column, 24);
  store<u32>(at, <u32>n, 28);
  memory.copy(at + 32, payload, n);
  used += size;
}

export function errorBufferAddress(): usize {
  return buffer;
}

export function errorBufferBytes(): usize {
  return used;
}

export function resetErrorBuffer(): void {
  used = 0;
}
