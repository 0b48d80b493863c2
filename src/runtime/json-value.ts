/** JSON values that are neither numbers nor text: booleans and times. Results in `valueI64`; faults in `json-scan.ts`. */
import { copyEnd, copyString, scanFault, setFault } from "./json-scan.ts";
import { INVALID_TIMESTAMP, MALFORMED_JSON, OUT_OF_RANGE, WRONG_TYPE } from "./row-errors.ts";
import { NUM_FRACTION, NUM_RANGE, numI64, numStatus, readI64 } from "./number-read.ts";
import { readDate, readTime, readTimestamp, timeStatus, timeValue } from "./time-text.ts";

/** Result of the last read: 0 or 1, ns, or days. */
export let valueI64: i64 = 0;

const NS_PER_MS: i64 = 1000000;
const TEXT_MAX: usize = 64;
const text: usize = memory.data(256, 16);

/** Says why a number could not be read at `p`: another kind of value, out of range, or no JSON. */
export function numberFault(p: usize, status: i32): void {
  if (status == NUM_RANGE) return setFault(OUT_OF_RANGE, -1);
  if (status == NUM_FRACTION) return setFault(WRONG_TYPE, -1);
  setFault(isOtherValue(p) ? WRONG_TYPE : MALFORMED_JSON, -1);
}

/** True at the first byte of a string, object, array, `true` or `false`. */
function isOtherValue(p: usize): bool {
  const c = <u32>load<u8>(p);
  return c == 34 || c == 123 || c == 91 || load<u32>(p) == 0x65757274 || load<u32>(p) == 0x736c6166;
}

/** Reads `true` or `false`. */
export function readBoolean(p: usize): usize {
  if (load<u32>(p) == 0x65757274) {
    valueI64 = 1;
    return p + 4;
  }
  if (load<u32>(p) == 0x736c6166 && load<u8>(p, 4) == 101) {
    valueI64 = 0;
    return p + 5;
  }
  const c = <u32>load<u8>(p);
  setFault(c == 34 || c == 123 || c == 91 || c == 45 || c - 48 < 10 ? WRONG_TYPE : MALFORMED_JSON, -1);
  return p;
}

/** Reads whole milliseconds since 1970 as ns. */
export function readMillis(p: usize): usize {
  const end = readI64(p);
  if (numStatus != 0) {
    numberFault(p, numStatus);
    return p;
  }
  if (numI64 > i64.MAX_VALUE / NS_PER_MS || numI64 < i64.MIN_VALUE / NS_PER_MS) setFault(OUT_OF_RANGE, -1);
  valueI64 = numI64 * NS_PER_MS;
  return end;
}

/** Copies the string at `p` (its quote) to `text`; its length, or 0 on a fault. Leaves the address behind it in `after`. */
let after: usize = 0;
function quotedText(p: usize): usize {
  after = p;
  if (load<u8>(p) != 34) {
    const c = <u32>load<u8>(p);
    setFault(isOtherValue(p) || c == 45 || c - 48 < 10 ? WRONG_TYPE : MALFORMED_JSON, -1);
    return 0;
  }
  let quote = p + 1;
  while (load<u8>(quote) != 34 && load<u8>(quote) != 92 && load<u8>(quote) >= 32 && quote - p <= TEXT_MAX) quote++;
  if (load<u8>(quote) != 34 && quote - p > TEXT_MAX) {
    setFault(INVALID_TIMESTAMP, -1);
    return 0;
  }
  after = copyString(p + 1, text);
  return scanFault != 0 ? 0 : copyEnd - text;
}

/** Reads an RFC 3339 timestamp, with or without zone. */
export function readTimestampString(p: usize): usize {
  const length = quotedText(p);
  if (scanFault != 0) return after;
  readTimestamp(text, length);
  return keepTime();
}

/** Reads a date. */
export function readDateString(p: usize): usize {
  const length = quotedText(p);
  if (scanFault != 0) return after;
  readDate(text, length);
  return keepTime();
}

/** Reads a time of day. */
export function readTimeString(p: usize): usize {
  const length = quotedText(p);
  if (scanFault != 0) return after;
  readTime(text, length);
  return keepTime();
}

function keepTime(): usize {
  if (timeStatus != 0) setFault(INVALID_TIMESTAMP, -1);
  valueI64 = timeValue;
  return after;
}
