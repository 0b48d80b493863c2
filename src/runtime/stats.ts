/** Row counters of every vertex, laid out as `STATS` of `program/abi.ts` says. The host reads them at every barrier. */
import { reserve } from "./memory.ts";

/** Bytes of one vertex' counters. */
const STATS_SIZE: usize = 64;
const table: usize = reserve(1024 * STATS_SIZE);

/** Address of `vertex`' counters. */
export function statsOf(vertex: i32): usize {
  return table + <usize>vertex * STATS_SIZE;
}

export function countRowsIn(vertex: i32, rows: usize): void {
  const p = statsOf(vertex);
  store<u64>(p, load<u64>(p) + <u64>rows);
}

export function countRowsOut(vertex: i32, rows: usize): void {
  const p = statsOf(vertex);
  store<u64>(p, load<u64>(p, 8) + <u64>rows, 8);
}

export function countFiltered(vertex: i32, rows: usize): void {
  const p = statsOf(vertex);
  store<u64>(p, load<u64>(p, 16) + <u64>rows, 16);
}

export function countLate(vertex: i32, rows: usize): void {
  const p = statsOf(vertex);
  store<u64>(p, load<u64>(p, 24) + <u64>rows, 24);
}

export function countBad(vertex: i32, rows: usize): void {
  const p = statsOf(vertex);
  store<u64>(p, load<u64>(p, 32) + <u64>rows, 32);
}

/** Keys and bytes of the vertex' state tables, as they are now. */
export function setStateSize(vertex: i32, keys: u64, bytes: u64): void {
  const p = statsOf(vertex);
  store<u64>(p, keys, 40);
  store<u64>(p, bytes, 48);
}

export function countFlush(vertex: i32): void {
  const p = statsOf(vertex);
  store<u64>(p, load<u64>(p, 56) + 1, 56);
}
