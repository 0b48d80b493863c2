/** Shapes of what a job says of itself: errors, timeline, checkpoints, metrics, workers, output, logs. */
import { z } from "zod";
import { count, jsonObject, micros, optional, optionalMicros } from "./shape.ts";

const level = z.enum(["error", "warn", "info"]);
const domain = z.enum(["user", "external", "internal"]);

/** A line of the error log. */
export const jobLogShape = z
  .object({
    id: z.string(),
    created_at: micros,
    operator_id: z.string().nullable().meta({ description: "vertex; null: the job as a whole" }),
    task_index: count.nullable(),
    level,
    message: z.string(),
    details: z.string(),
    error_domain: domain.nullable(),
    error_code: z.string().nullable(),
  })
  .meta({ id: "JobLogMessage" });

/** A line of the timeline. */
export const jobEventShape = z
  .object({
    id: z.string(),
    created_at: micros,
    kind: z.string().meta({ description: "state-changed, worker-lost, placement-failed, …" }),
    level: z.enum(["error", "warn", "info", "debug"]),
    message: z.string(),
    details: jsonObject,
    run_id: count,
    node_id: z.int().nullable(),
    subtask: z.int().nullable(),
    error_domain: domain.nullable(),
    error_code: z.string().nullable(),
  })
  .meta({ id: "JobEvent" });

const checkpointSpan = z
  .object({ start_time: micros, finish_time: micros, event: z.string(), description: z.string(), bytes: count })
  .meta({ id: "CheckpointEventSpan" });

/** A checkpoint. */
export const checkpointShape = z
  .object({
    epoch: count,
    backend: z.string(),
    checkpoint_type: z.enum(["scheduled", "stopping"]),
    start_time: micros,
    finish_time: optionalMicros,
    events: z.array(checkpointSpan),
    id: z.string(),
    state: z.enum(["in-progress", "committing", "complete", "failed", "retired"]),
    run_id: count,
    parallelism: z.int(),
    written_bytes: count.meta({ description: "written for this checkpoint" }),
    state_bytes: count.meta({ description: "all live state, files of earlier checkpoints included" }),
    failure_message: z.string().nullable(),
  })
  .meta({ id: "Checkpoint" });

/** What a checkpoint did at one operator. */
export const operatorCheckpointShape = z
  .object({
    operator_id: z.string(),
    bytes: count,
    started_metadata_write: optionalMicros,
    finish_time: optionalMicros,
    subtasks: z.array(
      z
        .object({ index: count, bytes: count, event_spans: z.array(checkpointSpan), state_bytes: count })
        .meta({ id: "SubtaskCheckpointGroup" }),
    ),
    name: z.string(),
    state_bytes: count,
  })
  .meta({ id: "OperatorCheckpointGroup" });

/** Names of metrics: Arroyo's, then ours. */
export const METRIC_NAMES = [
  "bytes_recv",
  "bytes_sent",
  "messages_recv",
  "messages_sent",
  "backpressure",
  "tx_queue_size",
  "tx_queue_rem",
  "state_bytes",
  "keys",
  "late_rows",
  "bad_rows",
  "watermark_lag_seconds",
] as const;

const metric = z.object({ time: micros, value: z.number() }).meta({ id: "Metric" });

/** Metrics of one operator. */
export const operatorMetricsShape = z
  .object({
    node_id: z.int(),
    metric_groups: z.array(
      z
        .object({
          name: z.enum(METRIC_NAMES),
          subtasks: z.array(z.object({ index: count, metrics: z.array(metric) }).meta({ id: "SubtaskMetrics" })),
        })
        .meta({ id: "MetricGroup" }),
    ),
  })
  .meta({ id: "OperatorMetricGroup" });

/** Query of the measurements. */
export const metricsQuery = z.object({
  minutes: z
    .string()
    .regex(/^\d{1,4}$/, "must be an integer from 1 to 1440")
    .transform(Number)
    .refine((value) => value >= 1 && value <= 1_440, "must be an integer from 1 to 1440")
    .optional()
    .meta({ description: "how far back, 5 by default; more than 5 only with Prometheus" }),
});

/** Measurements and where they are from. */
export const operatorMetricsListShape = z.object({
  data: z.array(operatorMetricsShape),
  source: z.enum(["prometheus", "built-in"]).meta({ description: "built-in: the last five minutes, as the controller keeps them" }),
  note: z.string().nullable().meta({ description: "why Prometheus, which is set up, was not what answered" }),
});

/** A worker as scheduler and worker say. */
export const workerShape = z
  .object({
    id: z.string(),
    run_id: count,
    state: z.string().meta({ description: "placing, starting, registered, running, stopping, exited, lost" }),
    number: z.int().nullable(),
    handle: z.string().nullable().meta({ description: "what the scheduler calls it: process id, allocation id, pod name" }),
    node_id: z.string().nullable(),
    slots: count,
    data_address: z.string().nullable(),
    admin_address: z.string().nullable(),
    release: z.string(),
    reason: z.string().meta({ description: "why it is in this state, in words" }),
    exit_code: z.int().nullable(),
    exit_signal: z.string().nullable(),
    out_of_memory: z.boolean(),
    started_at: micros,
    heartbeat_at: optionalMicros,
    ended_at: optionalMicros,
  })
  .meta({ id: "Worker" });

/** Rows of an output: `batch` is a JSON array as text, because its numbers are exact there. */
export const outputShape = z
  .object({
    operator_id: z.string(),
    subtask_idx: count,
    timestamps: z.array(micros).meta({ description: "when each row arrived" }),
    start_id: count.meta({ description: "number of the first row among those of the subtask" }),
    batch: z.string().meta({ description: "JSON array of the rows" }),
  })
  .meta({ id: "OutputData" });

/** Body of POST …/logs. */
export const logPost = z
  .strictObject({
    worker_id: z.string().min(1).max(100),
    from_offset: optional(z.int()).meta({ description: "first byte; negative: so many before the end, which is the default: 65536" }),
    limit_bytes: optional(z.int().min(1).max(1_048_576, "must be at most 1048576")),
  })
  .meta({ id: "LogRequestPost" });

/** A log request with what has come of it. */
export const logShape = z
  .object({
    id: z.string(),
    worker_id: z.string(),
    state: z.enum(["asked", "answered", "failed"]),
    failure_message: z.string().nullable(),
    chunks: z.array(z.object({ offset: count, text: z.string(), last: z.boolean() })),
  })
  .meta({ id: "LogRequest" });
