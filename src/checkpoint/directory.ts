/**
 * The segment directory of one vertex and subtask: where each live segment's newest version lies. Immutable; a checkpoint makes the next
 * one from it. Also adds up which files are still needed.
 */
import { assert, must } from "../core/assert.ts";
import { compareSegments, describeSegment, type FileRef, type SegmentKey, type SegmentRef } from "./segment.ts";

/** Nested by table, partition, segment: bigint keys compare by value, and no key string is made per segment. */
type Index = Map<number, Map<bigint, Map<number, SegmentRef>>>;

/** See the file's comment. */
export class SegmentDirectory {
  readonly #index: Index;
  readonly size: number;

  /** `refs` in any order; a segment named twice is an `invariant` error. */
  constructor(refs: Iterable<SegmentRef> = []) {
    const index: Index = new Map();
    let size = 0;
    for (const ref of refs) {
      const partitions = inside(index, ref.table, () => new Map<bigint, Map<number, SegmentRef>>());
      const segments = inside(partitions, ref.partition, () => new Map<number, SegmentRef>());
      assert(!segments.has(ref.segment), `${describeSegment(ref)} appears twice`);
      segments.set(ref.segment, ref);
      size++;
    }
    this.#index = index;
    this.size = size;
  }

  /** Where the segment is stored, `undefined` if it is not in the directory. */
  get(key: SegmentKey): SegmentRef | undefined {
    return this.#index.get(key.table)?.get(key.partition)?.get(key.segment);
  }

  /** All entries in canonical order. */
  refs(): readonly SegmentRef[] {
    const refs: SegmentRef[] = [];
    for (const partitions of this.#index.values()) for (const segments of partitions.values()) refs.push(...segments.values());
    return refs.sort(compareSegments);
  }

  /**
   * The directory after a checkpoint that wrote `written` while exactly `live` existed. A live segment that was neither written now nor
   * known before, and a written one that is not live, are `invariant` errors: state would be lost or raised from the dead.
   */
  advance(written: readonly SegmentRef[], live: Iterable<SegmentKey>): SegmentDirectory {
    const fresh = new SegmentDirectory(written);
    const next: SegmentRef[] = [];
    let used = 0;
    for (const key of live) {
      const ref = fresh.get(key);
      if (ref !== undefined) used++;
      next.push(ref ?? must(this.get(key), `the stored version of ${describeSegment(key)}`));
    }
    assert(used === written.length, `${written.length - used} written segments are not live`);
    return new SegmentDirectory(next);
  }
}

/** The files of `known` that `refs` still need, in order of path. A file that `known` lacks is an `invariant` error. */
export function referencedFiles(refs: Iterable<SegmentRef>, known: Iterable<FileRef>): readonly FileRef[] {
  const byPath = new Map<string, FileRef>();
  for (const file of known) byPath.set(file.path, file);
  const needed = new Map<string, FileRef>();
  for (const { file } of refs) if (!needed.has(file)) needed.set(file, must(byPath.get(file), `the size of file "${file}"`));
  return [...needed.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

function inside<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}
