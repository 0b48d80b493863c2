/**
 * What there is to know of a job beside its graph.
 */
import type { Job, Pipeline } from "../../api/types.ts";
import { formatCount, formatDuration, formatTime } from "../../format.ts";

/** The facts. */
export function JobFacts({ pipeline, job }: { readonly pipeline: Pipeline; readonly job: Job | undefined }) {
  const tags = Object.entries(pipeline.tags ?? {});
  const environment = Object.keys(job?.env_vars ?? {});
  const scheduler = JSON.stringify(job?.scheduler_config ?? {});
  return (
    <section class="panel" aria-label="Job">
      <h2>Job</h2>
      <dl class="facts">
        <dt>Pipeline</dt>
        <dd class="mono">{pipeline.id}</dd>
        <dt>Job</dt>
        <dd class="mono">{pipeline.job_id}</dd>
        <dt>Run</dt>
        <dd class="num">{formatCount(job?.run_id)}</dd>
        <dt>Started</dt>
        <dd class="num">{formatTime(job?.start_time)}</dd>
        {job !== undefined && job.finish_time !== null && (
          <>
            <dt>Ended</dt>
            <dd class="num">{formatTime(job.finish_time)}</dd>
          </>
        )}
        <dt>Parallelism</dt>
        <dd class="num">
          {pipeline.parallelism}
          {typeof job?.running_parallelism === "number" &&
            job.running_parallelism !== pipeline.parallelism &&
            `, running with ${job.running_parallelism}`}
        </dd>
        <dt>Tasks</dt>
        <dd class="num">{formatCount(job?.tasks)}</dd>
        <dt>Checkpoints</dt>
        <dd class="num">
          every {formatDuration(pipeline.checkpoint_interval_micros)}
          {job !== undefined && job.epoch > 0 && `, newest ${job.epoch}`}
        </dd>
        {job !== undefined && job.restarts > 0 && (
          <>
            <dt>Failures in a row</dt>
            <dd class="num">{job.restarts}</dd>
          </>
        )}
        {pipeline.state_url !== null && (
          <>
            <dt>State in</dt>
            <dd class="mono">{pipeline.state_url}</dd>
          </>
        )}
        {tags.length > 0 && (
          <>
            <dt>Tags</dt>
            <dd>{tags.map(([name, value]) => `${name}=${value}`).join(", ")}</dd>
          </>
        )}
        {environment.length > 0 && (
          <>
            <dt>Environment</dt>
            <dd class="mono">{environment.join(", ")}</dd>
          </>
        )}
        {scheduler !== "{}" && (
          <>
            <dt>Scheduler</dt>
            <dd class="mono">{scheduler}</dd>
          </>
        )}
      </dl>
    </section>
  );
}
