/** What the controller has written of a job, as the API answers it. */
import type { z } from "zod";
import type { CheckpointOperator, CheckpointPhase } from "../db/checkpoints.ts";
import type { CheckpointRecord, JobEventRecord, WorkerRecord } from "../db/job-reports.ts";
import type { checkpointShape, jobEventShape, jobLogShape, operatorCheckpointShape, workerShape } from "./schema/job-shapes.ts";

type Domain = z.output<typeof jobLogShape>["error_domain"];
type Span = z.input<typeof checkpointShape>["events"][number];

const EVENT_PREFIX = "jlm_";

/** The public id of a line of a timeline: its number as text, so that it pages. */
function eventId(id: number): string {
  return `${EVENT_PREFIX}${id}`;
}

/** The inverse of `eventId`; `undefined` for what is none. */
export function parseEventId(text: string): number | undefined {
  const digits = text.startsWith(EVENT_PREFIX) ? text.slice(EVENT_PREFIX.length) : "";
  return /^\d{1,15}$/.test(digits) ? Number(digits) : undefined;
}

function domainOf(text: string | undefined): Domain {
  return text === "user" || text === "external" || text === "internal" ? text : null;
}

/** A line as Arroyo's error log has it. */
export function viewJobLog(event: JobEventRecord): z.input<typeof jobLogShape> {
  return {
    id: eventId(event.id),
    created_at: event.occurredUs,
    operator_id: event.vertex === undefined ? null : String(event.vertex),
    task_index: event.subtask ?? null,
    level: event.level === "error" || event.level === "warn" ? event.level : "info",
    message: event.message,
    details: detailText(event.details),
    error_domain: domainOf(event.errorDomain),
    error_code: event.errorCode ?? null,
  };
}

/** One `name: value` a line, as people read it. */
function detailText(details: Readonly<Record<string, unknown>>): string {
  return Object.entries(details)
    .map(([name, value]) => `${name}: ${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join("\n");
}

/** A line of the timeline. */
export function viewJobEvent(event: JobEventRecord): z.input<typeof jobEventShape> {
  const level = event.level === "error" || event.level === "warn" || event.level === "debug" ? event.level : "info";
  return {
    id: eventId(event.id),
    created_at: event.occurredUs,
    kind: event.kind,
    level,
    message: event.message,
    details: event.details,
    run_id: event.runFence,
    node_id: event.vertex ?? null,
    subtask: event.subtask ?? null,
    error_domain: domainOf(event.errorDomain),
    error_code: event.errorCode ?? null,
  };
}

const PHASES: Readonly<Record<string, readonly [event: string, description: string]>> = {
  alignment: ["Alignment", "Waiting for the barrier on all inputs"],
  snapshot: ["Sync", "Copying state out of the operator"],
  upload: ["Async", "Storing the copied state"],
  stage: ["Staging", "Making a sink's rows durable"],
  manifest: ["WritingMetadata", "Writing the manifest"],
  commit: ["Committing", "Publishing the rows of transactional sinks"],
};

function spanOf(phase: CheckpointPhase): Span {
  const [event, description] = PHASES[phase.phase] ?? [phase.phase, phase.phase];
  return { start_time: phase.started_us, finish_time: phase.started_us + phase.duration_us, event, description, bytes: phase.bytes };
}

/** A checkpoint; its first span is the whole. */
export function viewCheckpoint(checkpoint: CheckpointRecord, backend: string): z.input<typeof checkpointShape> {
  const { startedUs, finishedUs } = checkpoint;
  const whole: Span[] =
    finishedUs === undefined
      ? []
      : [
          {
            start_time: startedUs,
            finish_time: finishedUs,
            event: "Checkpointing",
            description: "The entire checkpoint",
            bytes: checkpoint.writtenBytes,
          },
        ];
  return {
    epoch: checkpoint.epoch,
    backend,
    checkpoint_type: checkpoint.kind === "scheduled" ? "scheduled" : "stopping",
    start_time: startedUs,
    finish_time: finishedUs ?? null,
    events: [...whole, ...checkpoint.phases.map(spanOf)],
    id: checkpoint.id,
    state: checkpoint.state,
    run_id: checkpoint.runFence,
    parallelism: checkpoint.parallelism,
    written_bytes: checkpoint.writtenBytes,
    state_bytes: checkpoint.stateBytes,
    failure_message: checkpoint.failure ?? null,
  };
}

/** What a checkpoint did at one operator. */
export function viewOperatorCheckpoint(operator: CheckpointOperator): z.input<typeof operatorCheckpointShape> {
  const subtasks = operator.subtasks.map((subtask) => ({
    index: subtask.subtask,
    bytes: subtask.written_bytes,
    event_spans: subtask.phases.map(spanOf),
    state_bytes: subtask.state_bytes,
  }));
  const spans = subtasks.flatMap((subtask) => subtask.event_spans);
  const finished = spans.reduce((latest, span) => Math.max(latest, span.finish_time), 0);
  return {
    operator_id: String(operator.vertex),
    bytes: subtasks.reduce((sum, subtask) => sum + subtask.bytes, 0),
    started_metadata_write: null,
    finish_time: finished === 0 ? null : finished,
    subtasks,
    name: operator.name,
    state_bytes: subtasks.reduce((sum, subtask) => sum + subtask.state_bytes, 0),
  };
}

/** A worker. */
export function viewWorker(worker: WorkerRecord): z.input<typeof workerShape> {
  return {
    id: worker.id,
    run_id: worker.runFence,
    state: worker.state,
    number: worker.number ?? null,
    handle: worker.handle ?? null,
    node_id: worker.nodeId ?? null,
    slots: worker.slots,
    data_address: worker.dataAddress ?? null,
    admin_address: worker.adminAddress ?? null,
    release: worker.release,
    reason: worker.reason,
    exit_code: worker.exitCode ?? null,
    exit_signal: worker.exitSignal ?? null,
    out_of_memory: worker.outOfMemory,
    started_at: worker.startedUs,
    heartbeat_at: worker.heartbeatUs ?? null,
    ended_at: worker.endedUs ?? null,
  };
}
