/**
 * The scratch area: where text made by expressions lives until its row's outputs have been copied. Reset at every row.
 */
import { reserve } from "./memory.ts";

/** Largest text that an expression may make. */
export const SCRATCH_RESULT_MAX: usize = 1 << 20;
const CAPACITY: usize = 64 << 20;
const area: usize = reserve(CAPACITY + 4096);
let used: usize = 0;

/** Forgets all text made so far. */
export function scratchReset(): void {
  used = 0;
}

/** Room for `bytes`; 0 if that is more than an expression may make, or the row has used up the area. */
export function scratchRoom(bytes: usize): usize {
  if (bytes > SCRATCH_RESULT_MAX + 4096 || used + bytes > CAPACITY) return 0;
  return area + used;
}

/** Keeps what was written from the last `scratchRoom` up to `end`. */
export function scratchKeep(end: usize): void {
  used = (end - area + 79) & ~(<usize>15);
}
