/** What slots say, as messages to the controller, and what it says to slots. Pure, field by field. */
import type { SubtaskReport } from "../checkpoint/manifest.ts";
import { encodeReport, MANIFEST_VERSION } from "../checkpoint/manifest-codec.ts";
import type { SinkCommit } from "../connectors/connector.ts";
import { externalError } from "../core/errors.ts";
import type { PhaseTiming, ReportTiming, SlotProgress, VertexProgress } from "../dataflow/slot-contract.ts";
import { BEFORE_TIME } from "../dataflow/watermark.ts";
import type { Commit } from "../gen/controller.ts";
import type { PhaseSpan, SlotProgress as SlotProgressMessage, VertexProgress as VertexProgressMessage } from "../gen/report.ts";
import type { WorkerMessage } from "../rpc/worker-client.ts";
import { epochNumber } from "./assignment.ts";
import type { SlotCommand, SlotEvent, StagedCommit } from "./protocol.ts";

/** A vertex' part of an epoch. */
export function reportMessage(epoch: number, report: SubtaskReport, timing: ReportTiming): WorkerMessage {
  return {
    $case: "vertexReport",
    value: {
      epoch: BigInt(epoch),
      vertex: report.vertex,
      subtask: report.subtask,
      report: encodeReport(report),
      reportVersion: MANIFEST_VERSION,
      phases: timing.phases.map(phaseSpan),
      writtenBytes: BigInt(timing.writtenBytes),
      stateBytes: BigInt(timing.stateBytes),
    },
  };
}

/** A slot's sinks have published an epoch. */
export function committedMessage(subtask: number, epoch: number, phases: readonly PhaseTiming[]): WorkerMessage {
  return { $case: "committed", value: { subtask, epoch: BigInt(epoch), phases: phases.map(phaseSpan) } };
}

/** A slot waits for `RunSlots`. */
export function readyMessage({ subtask, restoreMs, restoredBytes }: SlotEvent & { readonly kind: "ready" }): WorkerMessage {
  return { $case: "slotReady", value: { subtask, restoreUs: BigInt(Math.round(restoreMs * 1000)), restoredBytes: BigInt(restoredBytes) } };
}

/** Rows of a sink. */
export function previewMessage({ subtask, vertex, batch }: SlotEvent & { readonly kind: "preview" }): WorkerMessage {
  const { firstRow, rows, dropped } = batch;
  return { $case: "previewRows", value: { vertex, subtask, firstRow: BigInt(firstRow), rows, dropped: BigInt(dropped) } };
}

function phaseSpan({ phase, startedAtNs, durationMs, bytes }: PhaseTiming): PhaseSpan {
  return { phase, startedAtNs, durationUs: BigInt(Math.round(durationMs * 1000)), bytes: BigInt(bytes) };
}

/** A slot as of now. */
export function progressMessage(subtask: number, progress: SlotProgress): SlotProgressMessage {
  const { vertices, rowsRead, rowsWritten, blockedMs, stateBytes, epoch } = progress;
  return {
    subtask,
    vertices: vertices.map(vertexProgress),
    rowsRead: BigInt(rowsRead),
    rowsWritten: BigInt(rowsWritten),
    blockedMs: BigInt(Math.round(blockedMs)),
    stateBytes: BigInt(stateBytes),
    epoch: BigInt(epoch),
  };
}

function vertexProgress(progress: VertexProgress): VertexProgressMessage {
  const { vertex, stats, watermarkNs, holder, idle, ended } = progress;
  return {
    vertex,
    rowsIn: BigInt(stats.rowsIn),
    rowsOut: BigInt(stats.rowsOut),
    filtered: BigInt(stats.filtered),
    late: BigInt(stats.late),
    bad: BigInt(stats.bad),
    keys: BigInt(stats.keys),
    stateBytes: BigInt(stats.stateBytes),
    ...(watermarkNs === BEFORE_TIME ? {} : { watermarkNs }),
    ...(holder === undefined ? {} : { holderVertex: holder.vertex, holderPartition: holder.partition }),
    idle,
    ended,
    queueBytes: BigInt(progress.queueBytes),
    blockedMs: BigInt(Math.round(progress.blockedMs)),
    bytesIn: BigInt(progress.bytesIn),
    bytesOut: BigInt(progress.bytesOut),
  };
}

/** The command for slots. Throws `io` for a commit that is not the JSON of a sink. */
export function commitCommand({ epoch, staged }: Commit): SlotCommand & { readonly kind: "commit" } {
  return {
    kind: "commit",
    epoch: epochNumber(epoch),
    staged: staged.map(({ vertex, subtask, commit }): StagedCommit => ({ vertex, subtask, commit: parseCommit(vertex, commit) })),
  };
}

function parseCommit(vertex: number, text: string): SinkCommit {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as SinkCommit;
  } catch {
    // Said below.
  }
  throw externalError("io", `the commit of vertex ${vertex} is not what a sink staged`, { retry: "never" });
}
