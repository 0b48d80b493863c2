/**
 * Segments: what state is made of on disk. A state table is partitions (panes, i64) of segments (about 1024 entries each); a checkpoint
 * writes only the segments that changed, and a *directory* names for every live segment where its newest version lies: often in a file of
 * an earlier epoch. A restore reads the directory and then those ranges; no chain of deltas is ever merged.
 */

import { assert } from "../core/assert.ts";
import { readFrameHeader } from "../data/frame.ts";

/** Names a segment within one vertex and subtask. `table` and `segment` are u32, `partition` is i64. */
export interface SegmentKey {
  readonly table: number;
  readonly partition: bigint;
  readonly segment: number;
}

/** A segment with its number of entries (u32). */
export interface SegmentMeta extends SegmentKey {
  readonly rows: number;
}

/** Where the newest version of a segment is stored. */
export interface SegmentRef extends SegmentMeta {
  /** Path of the table file in the object store. */
  readonly file: string;
  /** Range of the stored record in bytes. */
  readonly offset: number;
  readonly length: number;
  /** CRC-32 of the record: see `table-format.ts`. */
  readonly checksum: number;
}

/** A table file as a manifest names it. */
export interface FileRef {
  readonly path: string;
  /** Bytes of the whole file. */
  readonly size: number;
  /** Bytes of its records, without header, index and trailer: what liveness is measured against. */
  readonly recordBytes: number;
  /** CRC-32 of the whole file. */
  readonly checksum: number;
}

/** The key and the entries of a state frame, from its header. Throws `version-mismatch` if it is none. */
export function segmentOfFrame(frame: Uint8Array): SegmentMeta {
  const header = readFrameHeader(frame);
  assert(header.kind === "state", `a ${header.kind} frame is not state`);
  return { table: header.source, partition: header.argument, segment: header.segment, rows: header.rows };
}

/** Canonical order: by table, partition, segment. */
export function compareSegments(a: SegmentKey, b: SegmentKey): number {
  if (a.table !== b.table) return a.table - b.table;
  if (a.partition !== b.partition) return a.partition < b.partition ? -1 : 1;
  return a.segment - b.segment;
}

/** A segment in words, for messages. */
export function describeSegment(key: SegmentKey): string {
  return `table ${key.table}, partition ${key.partition}, segment ${key.segment}`;
}
