/** Times and embedded JSON as JSON values. */
import { writeI64 } from "./number-write.ts";
import { writeDate, writeTime, writeTimestamp } from "./time-text.ts";

const NS_PER_MS: i64 = 1000000;

function quoteFrom(start: usize, end: usize): usize {
  store<u8>(start, 34);
  store<u8>(end, 34);
  return end + 1;
}

/** A timestamp as a string, RFC 3339 without zone. */
export function writeQuotedTimestamp(q: usize, ns: i64): usize {
  return quoteFrom(q, writeTimestamp(q + 1, ns));
}

/** A date as a string. */
export function writeQuotedDate(q: usize, days: i32): usize {
  return quoteFrom(q, writeDate(q + 1, days));
}

/** A time of day as a string. */
export function writeQuotedTime(q: usize, ns: i64): usize {
  return quoteFrom(q, writeTime(q + 1, ns));
}

/** A timestamp as whole milliseconds since 1970, rounded down. */
export function writeMillis(q: usize, ns: i64): usize {
  const whole = ns / NS_PER_MS;
  return writeI64(q, whole * NS_PER_MS > ns ? whole - 1 : whole);
}

/** JSON text as it is; a line break in it, which only blanks can hold, becomes a space. */
export function writeEmbedded(q: usize, p: usize, length: usize): usize {
  for (let i: usize = 0; i < length; i++) {
    const c = load<u8>(p + i);
    store<u8>(q + i, c == 10 || c == 13 ? 32 : c);
  }
  return q + length;
}
