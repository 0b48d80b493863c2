/** Finds a run's Nomad job by what people know of it: the job's id in Nomad, or an id or the name of the pipeline, of Wadi's job or of the run. */
import { userError } from "../../core/errors.ts";
import { type NomadJobState, readJob } from "../../scheduler/nomad/answers.ts";
import type { NomadClient } from "../../scheduler/nomad/client.ts";
import { JOB_PREFIX, runOfMeta } from "../../scheduler/nomad/spec.ts";
import type { RunKey } from "../../scheduler/scheduler.ts";

/** A run as Nomad has it. */
export interface FoundRun {
  /** Of the Nomad job. */
  readonly id: string;
  readonly key: RunKey;
  readonly pipeline: string;
  readonly workers: number;
  readonly stopped: boolean;
  readonly submittedNs: number;
}

function foundRun(job: NomadJobState, { key, workers }: { readonly key: RunKey; readonly workers: number }): FoundRun {
  const pipeline = job.Meta["pipeline"] ?? "";
  return { id: job.ID, key, pipeline, workers, stopped: job.Stop, submittedNs: job.SubmitTime };
}

/** The newest run that `text` names; undefined: Nomad has none. Throws `invalid-usage` where it names runs of several jobs. */
export async function findRun(client: NomadClient, clusterId: string, text: string, signal: AbortSignal): Promise<FoundRun | undefined> {
  const { rows } = await client.list({ path: "/v1/jobs", query: { prefix: JOB_PREFIX, meta: true }, signal });
  const jobs = rows.map(readJob).flatMap((job) => {
    const run = runOfMeta(job.Meta, clusterId);
    const names = [job.ID, ...["pipeline_id", "pipeline", "job_id", "run_id"].map((name) => job.Meta[name])];
    return run !== undefined && names.includes(text) ? [foundRun(job, run)] : [];
  });
  const ours = [...new Set(jobs.map(({ key }) => key.job))];
  if (ours.length > 1) throw userError("invalid-usage", `"${text}" names ${ours.length} jobs`, { hint: `Use an id: ${ours.join(", ")}.` });
  return newestOf(jobs);
}

/** The run with the highest fence. */
function newestOf(runs: readonly FoundRun[]): FoundRun | undefined {
  return runs.reduce<FoundRun | undefined>((a, b) => (a === undefined || b.key.fence > a.key.fence ? b : a), undefined);
}
