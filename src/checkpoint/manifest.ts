/**
 * The manifest: everything a restore has to know about one epoch, written last, after all the files it names. It is assembled by the
 * coordinator from one report per vertex and subtask. It alone does not make an epoch count: see `completion.ts`.
 *
 * These are the domain types and the assembly; bytes are in `manifest-codec.ts`.
 */
import { assert } from "../core/assert.ts";
import type { Json } from "./canonical-json.ts";
import { referencedFiles } from "./directory.ts";
import { type EdgeLedger, type RowCounts, sumCounts } from "./ledger.ts";
import { compareSegments, type FileRef, type SegmentRef } from "./segment.ts";

/** How far one split (file block, Kafka partition, generator share) of a source has been read. Opaque here. */
export interface SourcePosition {
  /** The split's name, unique within the source. */
  readonly split: string;
  readonly position: Json;
}

/** What a sink says at a barrier. Opaque here. */
export interface SinkCheckpoint {
  /** What it needs to go on after a restore, such as the file's length. */
  readonly state: Json;
  /** What has to be committed once the epoch is complete; `undefined` if there is nothing. Commits are idempotent and replayed on restore. */
  readonly commit: Json | undefined;
}

/** The state of one subtask of one vertex at the barrier. */
export interface SubtaskState {
  readonly subtask: number;
  /** Directory of all live segments, in canonical order. */
  readonly segments: readonly SegmentRef[];
  readonly positions: readonly SourcePosition[];
  /** Event time in ns; `undefined` before the first watermark. */
  readonly watermark: bigint | undefined;
  readonly sink: SinkCheckpoint | undefined;
}

/** Rows that went over an edge, as one of its ends counted them. */
export interface EdgeCount {
  readonly edge: number;
  readonly rows: number;
}

/** What a slot reports of one vertex when all its files of the epoch are durable. */
export interface SubtaskReport extends SubtaskState {
  readonly vertex: number;
  /** At least the files that `segments` name. */
  readonly files: readonly FileRef[];
  /** Rows of this epoch alone. */
  readonly counts: RowCounts;
  readonly sent: readonly EdgeCount[];
  readonly received: readonly EdgeCount[];
}

/** What the program says of a vertex. */
export interface VertexIdentity {
  readonly vertex: number;
  readonly name: string;
  /** Stable over edits of the program elsewhere: what state is matched by. */
  readonly fingerprint: string;
  /** Hash of the layout of its state tables; "" without state. */
  readonly stateSchema: string;
  /** Whether every row in is a row out, filtered, late or bad. */
  readonly rowWise: boolean;
}

/** A vertex in a manifest. `subtasks` has one entry per subtask, by number. */
export interface VertexState extends VertexIdentity {
  readonly counts: RowCounts;
  readonly subtasks: readonly SubtaskState[];
}

/** What the coordinator knows of an epoch. */
export interface EpochIdentity {
  readonly job: string;
  /** From 1, growing within a job. */
  readonly epoch: number;
  readonly fence: bigint;
  readonly run: string;
  /** The newest complete epoch when this one began; `undefined` for the first. */
  readonly parent: number | undefined;
  readonly parallelism: number;
  readonly programFingerprint: string;
  /** Wall time in ns at which the barrier was sent. */
  readonly createdAtNs: bigint;
  /** Whether all sources have ended: there is nothing to resume. */
  readonly final: boolean;
}

/** See the file's comment. */
export interface Manifest extends EpochIdentity {
  readonly vertices: readonly VertexState[];
  readonly edges: readonly EdgeLedger[];
  /** Every file that a restore may read, also those of earlier epochs, by path. */
  readonly files: readonly FileRef[];
}

/**
 * The manifest of an epoch whose reports are all in. A missing, doubled or foreign report is an `invariant` error. Rows are added up;
 * whether they balance is `checkLedger`'s question.
 */
export function assembleManifest(
  epoch: EpochIdentity,
  program: { readonly vertices: readonly VertexIdentity[]; readonly edges: readonly { id: number; source: number; target: number }[] },
  reports: readonly SubtaskReport[],
): Manifest {
  assert(reports.length === program.vertices.length * epoch.parallelism, `epoch ${epoch.epoch} has ${reports.length} reports`);
  const vertices = program.vertices.map((vertex): VertexState => {
    const own = reports.filter((report) => report.vertex === vertex.vertex).sort((a, b) => a.subtask - b.subtask);
    const complete = own.length === epoch.parallelism && own.every((report, subtask) => report.subtask === subtask);
    assert(complete, `epoch ${epoch.epoch} lacks a report of vertex ${vertex.vertex}, or has one twice`);
    return { ...vertex, counts: sumCounts(own.map((report) => report.counts)), subtasks: own.map(stateOf) };
  });
  const edges = program.edges.map(({ id, source, target }): EdgeLedger => {
    const sum = (counts: readonly EdgeCount[]) => counts.reduce((rows, count) => rows + (count.edge === id ? count.rows : 0), 0);
    return { edge: id, source, target, sent: sum(reports.flatMap((r) => r.sent)), received: sum(reports.flatMap((r) => r.received)) };
  });
  const known = reports.flatMap((report) => report.files);
  const files = referencedFiles(
    reports.flatMap((report) => report.segments),
    known,
  );
  return { ...epoch, vertices, edges, files };
}

function stateOf(report: SubtaskReport): SubtaskState {
  return {
    subtask: report.subtask,
    segments: [...report.segments].sort(compareSegments),
    positions: report.positions,
    watermark: report.watermark,
    sink: report.sink,
  };
}
