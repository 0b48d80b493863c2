/**
 * Calls of user-defined functions: arguments go into the cells of one frame, the host calls the function and fills the result's cell. The
 * frame is read again before anything else is evaluated, so one is enough. Layout and outcomes: `program/abi.ts`.
 */
import { reserve } from "./memory.ts";
import { scratchKeep, scratchRoom } from "./scratch.ts";

/** Bytes of a cell. */
export const CELL: usize = 16;
/** Outcomes: `UDF_OUTCOME`. */
export const UDF_VALUE: i32 = 1;
export const UDF_FAILURE: i32 = 2;
export const UDF_TOO_LARGE: i32 = 3;
/** Most bytes of a text that a function gives. */
const TEXT_MAX: usize = 1 << 20;
const frame: usize = reserve(33 * 16);

@external("env", "udf")
declare function udf(number: i32, frame: usize): i32;

/** Address of the first argument's cell. */
export function udfFrame(): usize {
  return frame;
}

/** Calls function `number` with the `count` arguments in the frame; the result's cell is the next one. */
export function callUdf(number: i32, count: i32): i32 {
  return udf(number, frame);
}

/** The same for a function that gives a text: it is kept in the scratch area, with its address and length in the result's cell. */
export function callTextUdf(number: i32, count: i32): i32 {
  const result = frame + <usize>count * CELL;
  const room = scratchRoom(TEXT_MAX + 64);
  if (room == 0) return UDF_TOO_LARGE;
  store<u32>(result, <u32>room);
  store<u32>(result, <u32>TEXT_MAX, 8);
  const outcome = udf(number, frame);
  if (outcome == UDF_VALUE) scratchKeep(room + <usize>load<u32>(result, 8));
  return outcome;
}
