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

/** All runs of this installation that Nomad remembers; with `name` those that it names. */
export async function listRuns(client: NomadClient, clusterId: string, signal: AbortSignal, name?: string): Promise<readonly FoundRun[]> {
  const { rows } = await client.list({ path: "/v1/jobs", query: { prefix: JOB_PREFIX, meta: true }, signal });
  return rows.map(readJob).flatMap((job) => {
    const run = runOfMeta(job.Meta, clusterId);
    const names = [job.ID, ...["pipeline_id", "pipeline", "job_id", "run_id"].map((key) => job.Meta[key])];
    return run !== undefined && (name === undefined || names.includes(name)) ? [foundRun(job, run)] : [];
  });
}

/** The newest run that `text` names; undefined: Nomad has none. Throws `invalid-usage` where it names runs of several jobs. */
export async function findRun(client: NomadClient, clusterId: string, text: string, signal: AbortSignal): Promise<FoundRun | undefined> {
  const runs = await listRuns(client, clusterId, signal, text);
  const jobs = [...new Set(runs.map(({ key }) => key.job))];
  if (jobs.length > 1) throw userError("invalid-usage", `"${text}" names ${jobs.length} jobs`, { hint: `Use an id: ${jobs.join(", ")}.` });
  return newestOf(runs);
}

/** The run with the highest fence. */
function newestOf(runs: readonly FoundRun[]): FoundRun | undefined {
  return runs.reduce<FoundRun | undefined>((a, b) => (a === undefined || b.key.fence > a.key.fence ? b : a), undefined);
}
