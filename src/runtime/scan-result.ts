/** What the last `scan` or `generate` did, for the host to ask. */

/** Bytes consumed. */
export let consumedBytes: usize = 0;
/** Rows consumed, good and bad. */
export let consumedRows: i32 = 0;
/** Largest watermark over the rows, ns; i64 minimum if none. */
export let batchWatermark: i64 = i64.MIN_VALUE;
/** Time of reading, ns. */
export let readTime: i64 = 0;

export function setScanResult(bytes: usize, rows: usize, watermark: i64): void {
  consumedBytes = bytes;
  consumedRows = <i32>rows;
  batchWatermark = watermark;
}

export function setReadTime(ns: i64): void {
  readTime = ns;
}
