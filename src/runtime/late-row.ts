/**
 * What users see of a late row: its event time and its key, as text such as `timestamp=2024-02-29T12:00:00.5Z key=(42, "x")`.
 * The payload is put together piece by piece by generated code; keys that do not fit are left out.
 */
import { LATE_ROW, reportRow, rowPosition } from "./row-errors.ts";
import { writeI64, writeU64 } from "./number-write.ts";
import { reserve } from "./memory.ts";
import { writeTimestamp } from "./time-text.ts";

const CAPACITY: usize = 1024;
const ROOM_MIN: usize = 160;
const TEXT_MAX: usize = 64;
const payload: usize = reserve(CAPACITY + 64);
let end: usize = payload;
let keys: i32 = 0;

function put(word: u64): void {
  for (; word != 0; word >>= 8) store<u8>(end++, <u8>word);
}

/** Starts the payload of a row with event time `ns`. */
export function startLateRow(ns: i64): void {
  end = payload;
  keys = 0;
  put(0x6d617473656d6974); // "timestam"
  put(0x3d70); // "p="
  end = writeTimestamp(end, ns);
}

/** Starts a key column; false if there is no room for it. */
function nextKey(): bool {
  if (end + ROOM_MIN > payload + CAPACITY) return false;
  if (keys++ == 0)
    put(0x283d79656b20); // " key=("
  else put(0x202c); // ", "
  return true;
}

/** Adds a key column's integer. */
export function lateSigned(value: i64): void {
  if (nextKey()) end = writeI64(end, value);
}

/** Adds a key column's unsigned integer. */
export function lateUnsigned(value: u64): void {
  if (nextKey()) end = writeU64(end, value);
}

/** Adds a key column's text, cut at 64 bytes. */
export function lateText(value: usize, length: usize): void {
  if (!nextKey()) return;
  const shown = length < TEXT_MAX ? length : TEXT_MAX;
  put(34);
  memory.copy(end, value, shown);
  end += shown;
  put(34);
}

/** Adds a key column that is NULL, or of a type that is not shown. */
export function lateOther(isNull: bool): void {
  if (nextKey()) put(isNull ? 0x4c4c554e : 63); // "NULL" or "?"
}

/** Reports the row with what has been put together. */
export function reportLateRow(vertex: i32, batch: usize, row: usize): void {
  if (keys != 0) put(41);
  reportRow(vertex, LATE_ROW, rowPosition(batch, row), -1, payload, end - payload);
}
