/**
 * Manifests and subtask reports as bytes: canonical JSON in the sealed envelope, version 1, pinned by `test/golden/wire/manifest.json`.
 * 64-bit integers are decimal strings. Segment directories are packed: per table and partition one flat list of six integers a segment
 * (segment, rows, index into `files`, offset, length, checksum), so that a large state's manifest stays small and quick to parse.
 */
import { z } from "zod";
import { assert, must } from "../core/assert.ts";
import { externalError } from "../core/errors.ts";
import type { Json } from "./canonical-json.ts";
import type { Manifest, SubtaskReport, SubtaskState } from "./manifest.ts";
import { type SealedFormat, seal, unseal } from "./sealed.ts";
import type { FileRef, SegmentRef } from "./segment.ts";

/** Version of manifests and reports that is written, and the only one read. */
export const MANIFEST_VERSION = 1;

const count = z.number().int().nonnegative();
const u64 = z
  .string()
  .regex(/^[0-9]{1,20}$/)
  .transform(BigInt);
const i64 = z
  .string()
  .regex(/^-?[0-9]{1,19}$/)
  .transform(BigInt);
// Checked by its origin: everything here comes out of JSON.parse.
const json = z.custom<Json>((value) => value !== undefined);

const packedSegments = z.strictObject({ table: count, partition: i64, segments: z.array(count) });
const fileRef = z.strictObject({ path: z.string().min(1), size: count, recordBytes: count, checksum: count });
const subtaskFields = {
  subtask: count,
  directory: z.array(packedSegments),
  positions: z.array(z.strictObject({ split: z.string(), position: json })),
  watermark: i64.optional(),
  sink: z.strictObject({ state: json, commit: json.optional() }).optional(),
};
const rowCounts = z.strictObject({ rowsIn: count, rowsOut: count, filtered: count, late: count, bad: count });
const edgeCount = z.strictObject({ edge: count, rows: count });

const manifestBody = z.strictObject({
  job: z.string().min(1),
  epoch: count.min(1),
  fence: u64,
  run: z.string().min(1),
  parent: count.optional(),
  parallelism: count.min(1),
  programFingerprint: z.string(),
  createdAtNs: i64,
  final: z.boolean(),
  complete: z.literal(true),
  vertices: z.array(
    z.strictObject({
      vertex: count,
      name: z.string(),
      fingerprint: z.string(),
      stateSchema: z.string(),
      rowWise: z.boolean(),
      counts: rowCounts,
      subtasks: z.array(z.strictObject(subtaskFields)),
    }),
  ),
  edges: z.array(z.strictObject({ edge: count, source: count, target: count, sent: count, received: count })),
  files: z.array(fileRef),
});

const reportBody = z.strictObject({
  vertex: count,
  ...subtaskFields,
  files: z.array(fileRef),
  counts: rowCounts,
  sent: z.array(edgeCount),
  received: z.array(edgeCount),
});

type PackedSegments = z.infer<typeof packedSegments>;
type PackedSubtask = z.infer<z.ZodObject<typeof subtaskFields>>;

const MANIFEST: SealedFormat<z.infer<typeof manifestBody>> = { format: "wadi-manifest", version: MANIFEST_VERSION, schema: manifestBody };
const REPORT: SealedFormat<z.infer<typeof reportBody>> = { format: "wadi-subtask-report", version: MANIFEST_VERSION, schema: reportBody };

/** The manifest's bytes: the same for the same manifest in every build of this version. */
export function encodeManifest(manifest: Manifest): Uint8Array {
  const files = indexFiles(manifest.files);
  const vertices = manifest.vertices.map((vertex) => ({
    ...vertex,
    subtasks: vertex.subtasks.map((subtask) => packSubtask(subtask, files)),
  }));
  return seal(MANIFEST, inText({ ...manifest, complete: true, vertices }));
}

/** The manifest in `bytes`; `name` is its path. Throws `checksum-mismatch` or `version-mismatch` in words. */
export function parseManifest(bytes: Uint8Array, name: string): Manifest {
  const { complete: _, ...body } = unseal(MANIFEST, bytes, name);
  const vertices = body.vertices.map((vertex) => {
    if (vertex.subtasks.length !== body.parallelism || vertex.subtasks.some(({ subtask }, i) => subtask !== i)) {
      throw externalError("version-mismatch", `"${name}" lacks a subtask of vertex ${vertex.vertex}`, { retry: "never" });
    }
    return { ...vertex, subtasks: vertex.subtasks.map((subtask) => unpackSubtask(subtask, body.files, name)) };
  });
  return { ...body, parent: body.parent, vertices };
}

/** A report's bytes, for the way from worker to coordinator. */
export function encodeReport(report: SubtaskReport): Uint8Array {
  const { vertex, files, counts, sent, received } = report;
  return seal(REPORT, inText({ vertex, files, counts, sent, received, ...packSubtask(report, indexFiles(files)) }));
}

/** The report in `bytes`; `name` says where they came from. Throws like `parseManifest`. */
export function parseReport(bytes: Uint8Array, name: string): SubtaskReport {
  const body = unseal(REPORT, bytes, name);
  const { vertex, files, counts, sent, received } = body;
  return { vertex, files, counts, sent, received, ...unpackSubtask(body, files, name) };
}

function packSubtask(state: SubtaskState, files: ReadonlyMap<string, number>): PackedSubtask {
  const { subtask, positions, watermark, sink } = state;
  const packed = { subtask, directory: packDirectory(state.segments, files), positions: [...positions] };
  return { ...packed, ...(watermark === undefined ? {} : { watermark }), ...(sink === undefined ? {} : { sink }) };
}

function unpackSubtask(packed: PackedSubtask, files: readonly FileRef[], name: string): SubtaskState {
  const { subtask, positions, watermark, sink } = packed;
  const segments = packed.directory.flatMap((group) => unpackSegments(group, files, name));
  return { subtask, segments, positions, watermark, sink: sink === undefined ? undefined : { state: sink.state, commit: sink.commit } };
}

/** `segments` are in canonical order, so equal tables and partitions are neighbours. */
function packDirectory(segments: readonly SegmentRef[], files: ReadonlyMap<string, number>): PackedSegments[] {
  const groups: PackedSegments[] = [];
  let group: PackedSegments | undefined;
  for (const ref of segments) {
    if (group === undefined || group.table !== ref.table || group.partition !== ref.partition) {
      group = { table: ref.table, partition: ref.partition, segments: [] };
      groups.push(group);
    }
    const file = must(files.get(ref.file), `the entry of file "${ref.file}"`);
    group.segments.push(ref.segment, ref.rows, file, ref.offset, ref.length, ref.checksum);
  }
  return groups;
}

function unpackSegments(group: PackedSegments, files: readonly FileRef[], name: string): SegmentRef[] {
  const { table, partition, segments: list } = group;
  const shape = (what: string) => externalError("version-mismatch", `"${name}" ${what}`, { retry: "never" });
  if (list.length % 6 !== 0) throw shape(`has a segment list of ${list.length} integers`);
  const refs: SegmentRef[] = [];
  for (let i = 0; i < list.length; i += 6) {
    const [segment = 0, rows = 0, index = 0, offset = 0, length = 0, checksum = 0] = list.slice(i, i + 6);
    const file = files[index]?.path;
    if (file === undefined) throw shape(`names file ${index} of ${files.length}`);
    refs.push({ table, partition, segment, rows, file, offset, length, checksum });
  }
  return refs;
}

function indexFiles(files: readonly FileRef[]): ReadonlyMap<string, number> {
  return new Map(files.map((file, index) => [file.path, index]));
}

/** `value` with bigints as the decimal strings that the schemas read back. */
function inText(value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  if (Array.isArray(value)) return value.every((item) => typeof item === "number") ? value : value.map(inText);
  if (typeof value !== "object" || value === null) return value;
  assert(Object.getPrototypeOf(value) === Object.prototype, "only plain objects are written");
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, inText(field)]));
}
