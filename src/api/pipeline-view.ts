/** Rows of pipelines and jobs as the API answers them. */
import type { z } from "zod";
import type { JobRecord, PipelineRecord } from "../db/pipelines.ts";
import { jobAction, stateName } from "./job-action.ts";
import { graphOf, type ProgramCache } from "./pipeline-graph.ts";
import type { jobShape, pipelineShape } from "./schema/pipeline-shapes.ts";

/** The pipeline as answered. */
export function viewPipeline(pipeline: PipelineRecord, programs: ProgramCache): z.input<typeof pipelineShape> {
  const { job } = pipeline;
  const { text, stop, inProgress } = jobAction(job.state, job.stop === "none");
  const program = programs.decode(pipeline.id, pipeline.program);
  const parallelism = job.parallelism ?? job.desiredParallelism;
  return {
    id: pipeline.id,
    name: pipeline.name,
    query: pipeline.query,
    udfs: [...pipeline.udfs],
    checkpoint_interval_micros: job.checkpointIntervalUs,
    stop: job.stop,
    created_at: pipeline.createdUs,
    action: stop ?? null,
    action_text: text,
    action_in_progress: inProgress,
    graph: program === undefined ? { nodes: [], edges: [] } : graphOf(program, parallelism),
    preview: pipeline.preview,
    state_url: pipeline.stateUrl ?? null,
    tags: pipeline.tags,
    parallelism: job.desiredParallelism,
    state: stateName(job.state),
    job_id: job.id,
    created_by: pipeline.createdBy,
    worker_build: job.desiredBuild,
  };
}

/** The job as answered. */
export function viewJob(job: JobRecord): z.input<typeof jobShape> {
  return {
    id: job.id,
    pipeline_id: job.pipelineId,
    running_desired: job.stop === "none",
    state: stateName(job.state),
    run_id: job.runFence,
    start_time: job.startedUs ?? null,
    finish_time: job.finishedUs ?? null,
    tasks: job.tasks ?? null,
    failure_reason: failureOf(job),
    created_at: job.createdUs,
    scheduler_config: job.schedulerConfig,
    env_vars: job.envVars,
    parallelism: job.desiredParallelism,
    running_parallelism: job.parallelism ?? null,
    restarts: job.restarts,
    epoch: job.epoch,
    state_changed_at: job.stateChangedUs,
    waiting: job.waiting === undefined ? null : { since: job.waiting.sinceUs, for: job.waiting.for, reason: job.waiting.reason },
    worker_build: job.desiredBuild,
    running_worker_build: job.build,
    rejected_worker_build: job.rejectedBuild ?? null,
  };
}

function failureOf({ failure }: JobRecord): z.input<typeof jobShape>["failure_reason"] {
  if (failure === undefined) return null;
  const { domain, code, message, hint } = failure;
  const known = domain === "user" || domain === "external" ? domain : "internal";
  return { error: message, domain: known, code, hint: hint ?? null };
}
