/**
 * Selection vectors: the rows of a batch that passed a filter, as ascending u32 row numbers. Gathering copies the selected
 * rows of a column densely.
 */

/** Copies selected 8-byte values. */
export function gather8(selection: usize, count: usize, from: usize, to: usize): void {
  for (let j: usize = 0; j < count; j++) store<u64>(to + (j << 3), load<u64>(from + ((<usize>load<u32>(selection + (j << 2))) << 3)));
}

/** Copies selected 4-byte values. */
export function gather4(selection: usize, count: usize, from: usize, to: usize): void {
  for (let j: usize = 0; j < count; j++) store<u32>(to + (j << 2), load<u32>(from + ((<usize>load<u32>(selection + (j << 2))) << 2)));
}

/** Copies selected 2-byte values. */
export function gather2(selection: usize, count: usize, from: usize, to: usize): void {
  for (let j: usize = 0; j < count; j++) store<u16>(to + (j << 1), load<u16>(from + ((<usize>load<u32>(selection + (j << 2))) << 1)));
}

/** Copies selected bytes. */
export function gather1(selection: usize, count: usize, from: usize, to: usize): void {
  for (let j: usize = 0; j < count; j++) store<u8>(to + j, load<u8>(from + <usize>load<u32>(selection + (j << 2))));
}

/** Bytes of text in the selected rows. */
export function selectedBytes(selection: usize, count: usize, offsets: usize): usize {
  let sum: usize = 0;
  for (let j: usize = 0; j < count; j++) {
    const at = offsets + ((<usize>load<u32>(selection + (j << 2))) << 2);
    sum += <usize>(load<u32>(at, 4) - load<u32>(at));
  }
  return sum;
}

/** Copies `length` bytes and possibly up to 15 more behind them: cheaper than an exact copy for short text. */
export function copyLoose(to: usize, from: usize, length: usize): void {
  if (length > 64) {
    memory.copy(to, from, length);
    return;
  }
  for (let i: usize = 0; i < length; i += 16) v128.store(to + i, v128.load(from + i));
}

/** Copies selected text: offsets from 0 to `offsetsTo`, bytes to `bytesTo` (room for `selectedBytes` + 16). */
export function gatherText(selection: usize, count: usize, offsets: usize, bytes: usize, offsetsTo: usize, bytesTo: usize): void {
  let used: usize = 0;
  store<u32>(offsetsTo, 0);
  for (let j: usize = 0; j < count; j++) {
    const at = offsets + ((<usize>load<u32>(selection + (j << 2))) << 2);
    const start = load<u32>(at);
    const length = <usize>(load<u32>(at, 4) - start);
    copyLoose(bytesTo + used, bytes + <usize>start, length);
    used += length;
    store<u32>(offsetsTo + (j << 2), <u32>used, 4);
  }
}
