/**
 * Batches: how operators of one slot hand on rows. A batch is a list of column pointers; the columns stay where they were
 * made, so passing a column through costs nothing. A batch and its columns are valid until the call that received it returns.
 *
 * Layout: u32 rows, u32 columns, u64 unused, then 16 bytes a column: u32 values, u32 validity, u32 bytes, u32 unused.
 * Fixed-width columns: `values` holds them densely (booleans one byte). Variable-length columns: `values` holds rows + 1 u32
 * offsets into `bytes`; the first need not be 0. Validity is one byte a row, 1 = present; never 0: columns without NULLs
 * point to `ALL_VALID`. The value of a NULL is undefined, but readable; a NULL text has a valid (possibly empty) range.
 */
import { reserve } from "./memory.ts";

/** Rows of a batch at most. */
export const BATCH_ROWS: usize = 8192;
/** `BATCH_ROWS` bytes of 1: the validity of a column without NULLs. */
export const ALL_VALID: usize = reserve(BATCH_ROWS + 64);
memory.fill(ALL_VALID, 1, BATCH_ROWS + 64);

/** A batch with room for `columns` columns and no rows. */
export function makeBatch(columns: usize): usize {
  const batch = reserve(16 + columns * 16);
  store<u32>(batch, <u32>columns, 4);
  return batch;
}

export function batchRows(batch: usize): usize {
  return <usize>load<u32>(batch);
}

export function setBatchRows(batch: usize, rows: usize): void {
  store<u32>(batch, <u32>rows);
}

export function batchColumns(batch: usize): usize {
  return <usize>load<u32>(batch, 4);
}

export function columnValues(batch: usize, column: usize): usize {
  return <usize>load<u32>(batch + (column << 4), 16);
}

export function columnValidity(batch: usize, column: usize): usize {
  return <usize>load<u32>(batch + (column << 4), 20);
}

export function columnBytes(batch: usize, column: usize): usize {
  return <usize>load<u32>(batch + (column << 4), 24);
}

/** Sets all pointers of a column; `validity` 0 means no NULLs. */
export function setColumn(batch: usize, column: usize, values: usize, validity: usize, bytes: usize): void {
  const entry = batch + (column << 4);
  store<u32>(entry, <u32>values, 16);
  store<u32>(entry, <u32>(validity == 0 ? ALL_VALID : validity), 20);
  store<u32>(entry, <u32>bytes, 24);
}

/** Makes column `to` of `target` the column `from` of `source`: an alias. */
export function aliasColumn(target: usize, to: usize, source: usize, from: usize): void {
  store<v128>(target + (to << 4), load<v128>(source + (from << 4), 16), 16);
}
