/**
 * Advises which live segments to write again at the next checkpoint, so that old files can go: without it one unchanged segment keeps a
 * whole file of an early epoch. Two rules: a file whose records are less than half alive is emptied, so that files hold at most twice the
 * live bytes; and beyond a number of files the smallest are merged, so that a restore does not open one file per epoch. Pure.
 */
import type { Manifest } from "./manifest.ts";
import { compareSegments, type FileRef, type SegmentKey, type SegmentRef } from "./segment.ts";

/** When to compact. */
export interface CompactionPolicy {
  /** A file is emptied when less than this share of its record bytes is alive, 0 … 1. */
  readonly minLiveShare: number;
  /** Files per vertex and subtask above which the smallest are merged, down to half of it; at least 2. */
  readonly maxFiles: number;
}

/** Referenced bytes stay at most twice the live ones; a restore opens at most 64 files per subtask. */
export const DEFAULT_COMPACTION: CompactionPolicy = { minLiveShare: 0.5, maxFiles: 64 };

/** A segment that should be marked as changed. */
export interface CompactionAdvice extends SegmentKey {
  readonly vertex: number;
  readonly subtask: number;
}

/** Segments of one directory to write again, in canonical order. `files`: at least those that `refs` name. */
export function adviseCompaction(
  refs: readonly SegmentRef[],
  files: Iterable<FileRef>,
  policy: CompactionPolicy = DEFAULT_COMPACTION,
): readonly SegmentRef[] {
  const recordBytes = new Map<string, number>();
  for (const file of files) recordBytes.set(file.path, file.recordBytes);
  const liveBytes = new Map<string, number>();
  for (const ref of refs) liveBytes.set(ref.file, (liveBytes.get(ref.file) ?? 0) + ref.length);

  const emptied = new Set<string>();
  for (const [file, live] of liveBytes) if (live < policy.minLiveShare * (recordBytes.get(file) ?? 0)) emptied.add(file);
  const rest = [...liveBytes].filter(([file]) => !emptied.has(file)).sort(([a, x], [b, y]) => x - y || (a < b ? -1 : 1));
  const excess = rest.length > policy.maxFiles ? rest.length - Math.floor(policy.maxFiles / 2) : 0;
  for (const [file] of rest.slice(0, excess)) emptied.add(file);
  return refs.filter((ref) => emptied.has(ref.file)).sort(compareSegments);
}

/** Advice for a whole job, from its newest complete manifest. Applied, the next epoch references at most twice these live bytes plus what it writes. */
export function adviseManifestCompaction(manifest: Manifest, policy: CompactionPolicy = DEFAULT_COMPACTION): readonly CompactionAdvice[] {
  return manifest.vertices.flatMap(({ vertex, subtasks }) =>
    subtasks.flatMap(({ subtask, segments }) =>
      adviseCompaction(segments, manifest.files, policy).map(({ table, partition, segment }) => ({
        vertex,
        subtask,
        table,
        partition,
        segment,
      })),
    ),
  );
}
