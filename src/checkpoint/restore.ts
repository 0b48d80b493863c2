/**
 * Plans a restore: which stored segments each new subtask has to read, at the same or another parallelism. Each old subtask owned a
 * contiguous range of key groups; a new one reads all segments of the old ones whose range overlaps its own, and on load keeps the rows
 * whose key falls into its range. Pure.
 */
import { assert } from "../core/assert.ts";
import { groupRange, KEY_GROUPS } from "../data/key-group.ts";
import type { Json } from "./canonical-json.ts";
import type { Manifest, SourcePosition, VertexState } from "./manifest.ts";
import type { SegmentRef } from "./segment.ts";

/** What a new subtask reads of one old one. */
export interface RestoreSource {
  readonly oldSubtask: number;
  readonly segments: readonly SegmentRef[];
  /** Whether the segments may hold rows of other subtasks, which have to be left out. */
  readonly filter: boolean;
}

/** What one new subtask of a vertex begins with. */
export interface SubtaskRestore {
  readonly subtask: number;
  /** By old subtask; only those with segments. */
  readonly sources: readonly RestoreSource[];
}

/** What a sink said at the barrier, by the subtask that said it. */
export interface RestoredSink {
  readonly oldSubtask: number;
  readonly state: Json;
  /** To be committed again before anything else: it may have been lost, and commits are idempotent. `undefined` if there was nothing. */
  readonly commit: Json | undefined;
}

/** What a vertex begins with. */
export interface VertexRestore {
  readonly vertex: number;
  readonly fingerprint: string;
  readonly stateSchema: string;
  /** By new subtask. */
  readonly subtasks: readonly SubtaskRestore[];
  /** Positions of all splits, by name; the source shares them out anew. */
  readonly positions: readonly SourcePosition[];
  /** Event time in ns that every subtask may start from: the least of the old ones; `undefined` if one of them had none. */
  readonly watermark: bigint | undefined;
  readonly sinks: readonly RestoredSink[];
}

/** Plans for `parallelism` (1 … 4096) subtasks. A split that two old subtasks claim is an `invariant` error: rows would be read twice. */
export function planRestore(manifest: Manifest, parallelism: number): readonly VertexRestore[] {
  assert(parallelism >= 1 && parallelism <= KEY_GROUPS, `parallelism ${parallelism} must be between 1 and ${KEY_GROUPS}`);
  return manifest.vertices.map((vertex) => ({
    vertex: vertex.vertex,
    fingerprint: vertex.fingerprint,
    stateSchema: vertex.stateSchema,
    subtasks: Array.from({ length: parallelism }, (_, subtask) => ({
      subtask,
      sources: sourcesOf(vertex, manifest.parallelism, subtask, parallelism),
    })),
    positions: positionsOf(vertex),
    watermark: watermarkOf(vertex),
    sinks: vertex.subtasks.flatMap(({ subtask, sink }) => (sink === undefined ? [] : [{ oldSubtask: subtask, ...sink }])),
  }));
}

/** Old subtasks whose key groups overlap those of `subtask`. */
export function overlappingSubtasks(subtask: number, parallelism: number, oldParallelism: number): readonly number[] {
  const { first, end } = groupRange(subtask, parallelism);
  const found: number[] = [];
  for (let old = 0; old < oldParallelism; old++) {
    const range = groupRange(old, oldParallelism);
    if (range.first < end && first < range.end) found.push(old);
  }
  return found;
}

function sourcesOf(vertex: VertexState, oldParallelism: number, subtask: number, parallelism: number): readonly RestoreSource[] {
  const own = groupRange(subtask, parallelism);
  return overlappingSubtasks(subtask, parallelism, oldParallelism).flatMap((oldSubtask) => {
    const segments = vertex.subtasks[oldSubtask]?.segments ?? [];
    const old = groupRange(oldSubtask, oldParallelism);
    const filter = old.first < own.first || old.end > own.end;
    return segments.length === 0 ? [] : [{ oldSubtask, segments, filter }];
  });
}

function positionsOf(vertex: VertexState): readonly SourcePosition[] {
  const positions = vertex.subtasks.flatMap((subtask) => subtask.positions);
  positions.sort((a, b) => (a.split < b.split ? -1 : a.split > b.split ? 1 : 0));
  positions.forEach((position, i) => {
    assert(positions[i - 1]?.split !== position.split, `two subtasks of vertex ${vertex.vertex} claim split "${position.split}"`);
  });
  return positions;
}

function watermarkOf(vertex: VertexState): bigint | undefined {
  let least: bigint | undefined;
  for (const { watermark } of vertex.subtasks) {
    if (watermark === undefined) return undefined;
    if (least === undefined || watermark < least) least = watermark;
  }
  return least;
}
