/**
 * Panes of a windowed vertex: tables by pane start, ascending. Time moves forward, so new panes come near the end and old
 * ones leave at the front; a sorted array serves both lookups and firing in order.
 */
import { allocateBlock, growBlock, reserve } from "./memory.ts";

// A list: u32 block of {i64 start, u32 table, u32 unused}, u32 first, u32 end (indexes into the block).
const BLOCK: usize = 0;
const FIRST: usize = 4;
const END: usize = 8;

/** An empty list. */
export function makePanes(): usize {
  const panes = reserve(16);
  store<u32>(panes, <u32>allocateBlock(4096));
  return panes;
}

export function paneCount(panes: usize): usize {
  return <usize>(load<u32>(panes, END) - load<u32>(panes, FIRST));
}

function paneAt(panes: usize, i: usize): usize {
  return <usize>load<u32>(panes, BLOCK) + ((<usize>load<u32>(panes, FIRST) + i) << 4);
}

/** Start of the i-th pane. */
export function paneStart(panes: usize, i: usize): i64 {
  return load<i64>(paneAt(panes, i));
}

/** Table of the i-th pane. */
export function paneTable(panes: usize, i: usize): usize {
  return <usize>load<u32>(paneAt(panes, i), 8);
}

/** Table of the newest pane, 0 if there is none. */
export function lastTable(panes: usize): usize {
  const count = paneCount(panes);
  return count == 0 ? 0 : paneTable(panes, count - 1);
}

/** Index of the first pane that starts at `start` or later. */
export function paneIndex(panes: usize, start: i64): usize {
  let high = paneCount(panes);
  if (high != 0 && paneStart(panes, high - 1) < start) return high;
  let low: usize = 0;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (paneStart(panes, middle) < start) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Table of the pane that starts at `start`, 0 if there is none. */
export function findPane(panes: usize, start: i64): usize {
  const i = paneIndex(panes, start);
  return i < paneCount(panes) && paneStart(panes, i) == start ? paneTable(panes, i) : 0;
}

/** Adds a pane; there must be none with this start. */
export function insertPane(panes: usize, start: i64, table: usize): void {
  const i = paneIndex(panes, start);
  const end = <usize>load<u32>(panes, END);
  store<u32>(panes, <u32>growBlock(<usize>load<u32>(panes, BLOCK), end << 4, (end + 1) << 4), BLOCK);
  const at = paneAt(panes, i);
  memory.copy(at + 16, at, (paneCount(panes) - i) << 4);
  store<i64>(at, start);
  store<u32>(at, <u32>table, 8);
  store<u32>(panes, <u32>(end + 1), END);
}

/** Forgets the first `count` panes; their tables are the caller's. */
export function removeFirstPanes(panes: usize, count: usize): void {
  const first = load<u32>(panes, FIRST) + <u32>count;
  const end = load<u32>(panes, END);
  store<u32>(panes, first, FIRST);
  if (first < 1024 && first != end) return;
  const block = <usize>load<u32>(panes, BLOCK);
  memory.copy(block, block + ((<usize>first) << 4), (<usize>(end - first)) << 4);
  store<u32>(panes, 0, FIRST);
  store<u32>(panes, end - first, END);
}

/** Start of the pane or window of `width` ns that contains `at`, aligned to the epoch. */
export function alignDown(at: i64, width: i64): i64 {
  const rest = at % width;
  return rest < 0 ? at - rest - width : at - rest;
}
