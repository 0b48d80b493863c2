/** Small checkpoints for tests: segments, directories, reports and manifests with every field filled. */
import {
  assembleManifest,
  type EpochIdentity,
  type Manifest,
  type SubtaskReport,
  type VertexIdentity,
} from "../../src/checkpoint/manifest.ts";
import { tableFilePath } from "../../src/checkpoint/paths.ts";
import type { FileRef, SegmentMeta, SegmentRef } from "../../src/checkpoint/segment.ts";
import { TableFileWriter } from "../../src/checkpoint/table-file.ts";
import type { ObjectStore } from "../../src/storage/object-store.ts";

export const RUN = { fence: 3n, run: "run_abc" };

export const IDENTITY: EpochIdentity = {
  job: "job_1",
  epoch: 7,
  ...RUN,
  parent: 6,
  parallelism: 2,
  programFingerprint: "f00d",
  createdAtNs: 1_700_000_000_123_456_789n,
  final: false,
};

export const VERTICES: readonly VertexIdentity[] = [
  { vertex: 0, name: "source bids", fingerprint: "aa", stateSchema: "", rowWise: true },
  { vertex: 1, name: "tumble by auction", fingerprint: "bb", stateSchema: "cc", rowWise: false },
];

export const PROGRAM = { vertices: VERTICES, edges: [{ id: 0, source: 0, target: 1 }] };

/** Reports of both vertices at parallelism 2 that refer to two files per stateful subtask. */
export function sampleReports(job = "job_1"): SubtaskReport[] {
  const file = (epoch: number, subtask: number) => tableFilePath(job, epoch, RUN, 1, subtask);
  const files: FileRef[] = [0, 1].flatMap((subtask) => [
    { path: file(5, subtask), size: 1000, recordBytes: 800, checksum: 0xdeadbeef },
    { path: file(7, subtask), size: 500, recordBytes: 300, checksum: 17 },
  ]);
  return [0, 1].flatMap((subtask): SubtaskReport[] => [
    {
      vertex: 0,
      subtask,
      segments: [],
      files: [],
      positions: [{ split: `block-${subtask}`, position: { offset: "9223372036854775807", done: false, parts: [1, 2.5, null] } }],
      watermark: 1_000_000_000_000_000_001n,
      sink: undefined,
      counts: { rowsIn: 10, rowsOut: 6, filtered: 3, late: 0, bad: 1 },
      sent: [{ edge: 0, rows: 6 }],
      received: [],
    },
    {
      vertex: 1,
      subtask,
      segments: [
        { table: 0, partition: -5n, segment: 0, rows: 1024, file: file(5, subtask), offset: 64, length: 500, checksum: 1 },
        { table: 0, partition: -5n, segment: 1, rows: 3, file: file(7, subtask), offset: 64, length: 100, checksum: 2 },
        {
          table: 0,
          partition: 9_000_000_000_000_000_000n,
          segment: 0,
          rows: 9,
          file: file(7, subtask),
          offset: 164,
          length: 200,
          checksum: 4294967295,
        },
        { table: 1, partition: 0n, segment: 0, rows: 1, file: file(5, subtask), offset: 564, length: 300, checksum: 0 },
      ],
      files: files.slice(subtask * 2, subtask * 2 + 2),
      positions: [],
      watermark: subtask === 0 ? -1n : 5n,
      sink: { state: { length: 12345 }, commit: subtask === 0 ? ["stage-é"] : undefined },
      counts: { rowsIn: 6, rowsOut: 2, filtered: 0, late: 1, bad: 0 },
      sent: [],
      received: [{ edge: 0, rows: 6 }],
    },
  ]);
}

/** A manifest with every field filled; its files do not exist. */
export function sampleManifest(): Manifest {
  return assembleManifest(IDENTITY, PROGRAM, sampleReports());
}

/** Writes one table file. */
export async function writeTable(
  store: ObjectStore,
  path: string,
  segments: readonly (readonly [SegmentMeta, Uint8Array])[],
): Promise<{ readonly file: FileRef; readonly refs: readonly SegmentRef[] }> {
  const writer = await TableFileWriter.open(store, path, { vertex: 1, subtask: 0, parallelism: 2, epoch: 7, fence: 3n });
  const refs: SegmentRef[] = [];
  for (const [segment, frame] of segments) refs.push(await writer.append(segment, frame));
  return { file: await writer.finish(), refs };
}
