/**
 * The scratch area: where text made by expressions lives until its row's outputs have been copied. Reset at every row.
 */
import { reserve } from "./memory.ts";

const CAPACITY: usize = 64 << 20;
const area: usize = reserve(CAPACITY + 4096);
let used: usize = 0;

/** Forgets all text made so far. */
export function scratchReset(): void {
  used = 0;
}

/** Room for `bytes`; 0 if the row has used up the area. */
export function scratchRoom(bytes: u64): usize {
  return bytes > <u64>(CAPACITY - used) ? 0 : area + used;
}

/** Keeps what was written from the last `scratchRoom` up to `end`. */
export function scratchKeep(end: usize): void {
  used = (end - area + 79) & ~(<usize>15);
}
