/** Casts between text and other types, and the arithmetic they need. A status of 0 is success; results in `castResult`. */
import { readDate, readTime, readTimestamp, timeStatus, timeValue } from "./time-text.ts";

/** Result of the last successful cast. */
export let castResult: i64 = 0;

/** The ASCII text at `p` in lower case as a little-endian word; 0 if it is longer than 8 bytes. */
function lowerWord(p: usize, length: usize): u64 {
  if (length > 8) return 0;
  let word: u64 = 0;
  for (let i = length; i > 0; i--) {
    const c = <u64>load<u8>(p + i - 1);
    word = (word << 8) | (c - 65 < 26 ? c + 32 : c);
  }
  return word;
}

/** Text as a boolean: t, true, y, yes, on, 1 and their opposites, in any case, as arrow-cast reads them. */
export function castBoolean(p: usize, length: usize): i32 {
  switch (lowerWord(p, length)) {
    case 0x74:
    case 0x65757274:
    case 0x79:
    case 0x736579:
    case 0x6e6f:
    case 0x31:
      castResult = 1;
      return 0;
    case 0x66:
    case 0x65736c6166:
    case 0x6e:
    case 0x6f6e:
    case 0x66666f:
    case 0x30:
      castResult = 0;
      return 0;
  }
  return 1;
}

export function castTimestamp(p: usize, length: usize): i32 {
  readTimestamp(p, length);
  castResult = timeValue;
  return timeStatus;
}

export function castDate(p: usize, length: usize): i32 {
  readDate(p, length);
  castResult = timeValue;
  return timeStatus;
}

export function castTime(p: usize, length: usize): i32 {
  readTime(p, length);
  castResult = timeValue;
  return timeStatus;
}

export function writeBooleanText(q: usize, value: bool): usize {
  store<u64>(q, value ? 0x65757274 : 0x65736c6166);
  return q + (value ? 4 : 5);
}
