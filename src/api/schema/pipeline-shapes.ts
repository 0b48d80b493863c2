/**
 * Shapes of pipelines, their graphs and their jobs, as Arroyo has them; what is new stands behind what is Arroyo's.
 */
import { z } from "zod";
import { STOP_MODES } from "../../db/pipelines.ts";
import { MAX_SCRIPT_BYTES } from "../../sql/limits.ts";
import { count, displayName, jsonObject, micros, optional, optionalMicros, stringMap } from "./shape.ts";

const MINUTE_US = 60_000_000;
const INTERVAL_MIN_US = 1_000_000;
const INTERVAL_MAX_US = 24 * 60 * MINUTE_US;

/** SQL of a request. Its size is checked here, so that the refusal names the field. */
const sql = z
  .string()
  .refine((text) => Buffer.byteLength(text) <= MAX_SCRIPT_BYTES, `must have at most ${MAX_SCRIPT_BYTES} bytes`)
  .meta({ description: "SQL script, at most 1 MiB" });

const parallelism = z
  .int("must be an integer from 1 to 4096")
  .min(1, "must be an integer from 1 to 4096")
  .max(4096, "must be an integer from 1 to 4096")
  .meta({ description: "subtasks of every operator" });

const checkpointInterval = z
  .int("must be an integer of microseconds")
  .min(INTERVAL_MIN_US, "must be between 1 second and 1 day, in microseconds")
  .max(INTERVAL_MAX_US, "must be between 1 second and 1 day, in microseconds")
  .meta({ description: "microseconds between two checkpoints, from 1 second to 1 day" });

/** How a job is to stop. */
export const stopShape = z.enum(STOP_MODES).meta({ id: "StopType" });

/** A function in a request or of a pipeline. */
export const udfShape = z.object({ definition: z.string().max(MAX_SCRIPT_BYTES), language: z.string() }).meta({ id: "Udf" });

const udfPost = z.strictObject({ definition: z.string().max(MAX_SCRIPT_BYTES), language: optional(z.string()) });
const udfsPost = optional(z.array(udfPost).max(100, "must have at most 100 functions"));

const environmentName = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,254}$/, "must be names of environment variables");
const envVars = z.record(environmentName, z.string().max(65_536)).meta({ description: "environment of the workers; never a secret" });

/** Body of POST /pipelines. */
export const pipelinePost = z
  .strictObject({
    name: displayName,
    query: sql,
    udfs: udfsPost,
    parallelism: optional(parallelism).meta({ description: "subtasks of every operator, 1 by default" }),
    checkpoint_interval_micros: optional(checkpointInterval),
    state_url: optional(z.string().min(1).max(2_048)).meta({ description: "object store of the checkpoints; the cluster's by default" }),
    tags: optional(stringMap),
    env_vars: optional(envVars),
    scheduler_config: optional(jsonObject),
  })
  .meta({ id: "PipelinePost" });

/** Body of POST /pipelines/preview. */
export const previewPost = z.strictObject({ query: sql, udfs: udfsPost, enable_sinks: optional(z.boolean()) }).meta({ id: "PreviewPost" });

/** Body of POST /pipelines/validate_query. */
export const validateQueryPost = z.strictObject({ query: sql, udfs: udfsPost }).meta({ id: "ValidateQueryPost" });

/** What a build of the worker is called: a release, the URL of an artifact, a reference of an image. */
const workerBuild = z
  .string()
  .max(500, "must have at most 500 characters")
  .regex(/^[^\s\p{Cc}]*$/u, "must not contain spaces or control characters")
  .meta({ description: "release, artifact or image of the workers; empty: the scheduler's default" });

/** Body of PATCH /pipelines/{id}. */
export const pipelinePatch = z
  .strictObject({
    parallelism: optional(parallelism),
    checkpoint_interval_micros: optional(checkpointInterval),
    stop: optional(stopShape),
    env_vars: optional(envVars),
    scheduler_config: optional(jsonObject),
    worker_build: optional(workerBuild),
    tags: optional(stringMap).meta({ description: "instead of all it has; the job goes on as it is" }),
  })
  .meta({ id: "PipelinePatch" });

/** Body of POST /pipelines/{id}/restart. */
export const pipelineRestart = z
  .strictObject({ force: optional(z.boolean()), ignore_state: optional(z.boolean()) })
  .meta({ id: "PipelineRestart" });

const place = z.object({ line: z.int(), column: z.int(), offset: z.int().meta({ description: "UTF-16 units from the start" }) });
/** A range of the SQL. */
const span = z.object({ start: place, end: place });

/** One finding. `severity` "warning" does not keep the query from running. */
export const diagnosticShape = z
  .object({
    message: z.string(),
    span: span.optional(),
    severity: z.enum(["error", "warning"]),
    code: z.string(),
    detail: z.string().optional(),
    hint: z.string().optional(),
  })
  .meta({ id: "SqlDiagnostic" });

const node = z
  .object({
    node_id: z.int().meta({ description: "vertex of the program" }),
    operator: z.string(),
    description: z.string(),
    parallelism: z.int(),
    kind: z.string(),
    table: z.string().nullable(),
    connector: z.string().nullable(),
    updating: z.boolean().meta({ description: "rows may be taken back" }),
  })
  .meta({ id: "PipelineNode" });

const edge = z
  .object({
    src_id: z.int(),
    dest_id: z.int(),
    key_type: z.string(),
    value_type: z.string(),
    edge_type: z.enum(["Forward", "Shuffle", "Gather", "LeftJoin", "RightJoin"]),
  })
  .meta({ id: "PipelineEdge" });

/** The dataflow graph. */
export const graphShape = z.object({ nodes: z.array(node), edges: z.array(edge) }).meta({ id: "PipelineGraph" });

/** Answer of validate_query. `errors` holds errors only, as Arroyo's; warnings are apart. */
export const validationShape = z
  .object({ graph: graphShape.nullable(), errors: z.array(diagnosticShape), warnings: z.array(diagnosticShape) })
  .meta({ id: "QueryValidationResult" });

/** A pipeline. */
export const pipelineShape = z
  .object({
    id: z.string(),
    name: z.string(),
    query: z.string(),
    udfs: z.array(udfShape),
    checkpoint_interval_micros: count,
    stop: stopShape,
    created_at: micros,
    action: stopShape.nullable().meta({ description: "what `stop` has to be set to for the next action; null: none is possible" }),
    action_text: z.string(),
    action_in_progress: z.boolean(),
    graph: graphShape,
    preview: z.boolean(),
    state_url: z.string().nullable(),
    tags: z.record(z.string(), z.string()),
    parallelism: z.int(),
    state: z.string().meta({ description: "state of the job" }),
    job_id: z.string(),
    created_by: z.string(),
    worker_build: z.string().meta({ description: "build of the workers that is wanted; empty: the scheduler's default" }),
  })
  .meta({ id: "Pipeline" });

/** Why a job failed. */
const failure = z
  .object({ error: z.string(), domain: z.enum(["user", "external", "internal"]), code: z.string(), hint: z.string().nullable() })
  .meta({ id: "FailureReason" });

/** A job. */
export const jobShape = z
  .object({
    id: z.string(),
    pipeline_id: z.string(),
    running_desired: z.boolean(),
    state: z.string().meta({ description: "Created, Running, CheckpointStopping, …" }),
    run_id: count.meta({ description: "number of the run: the fence of its commands and files" }),
    start_time: optionalMicros,
    finish_time: optionalMicros,
    tasks: count.nullable(),
    failure_reason: failure.nullable(),
    created_at: micros,
    scheduler_config: jsonObject,
    env_vars: jsonObject,
    parallelism: z.int().meta({ description: "that users want" }),
    running_parallelism: z.int().nullable().meta({ description: "of the newest run" }),
    restarts: count,
    epoch: count.meta({ description: "newest complete checkpoint; 0: none" }),
    state_changed_at: micros,
    waiting: z
      .object({ since: micros, for: z.enum(["slots", "start", "stop"]), reason: z.string() })
      .nullable()
      .meta({
        description:
          "it waits: since when and why, for capacity (slots) or for a scheduler that does not answer (start, stop); null: it does not",
      }),
    worker_build: z.string().meta({ description: "build of the workers that is wanted; empty: the scheduler's default" }),
    running_worker_build: z.string(),
    rejected_worker_build: z.string().nullable().meta({ description: "the wanted build, if it did not come up" }),
  })
  .meta({ id: "Job" });
