/**
 * A run that Nomad has not been given yet: with `nomad.preflight` it waits at the controller until there is room, and only Wadi's API knows of it.
 * Where there is no API within reach nothing is known, which is no error: Nomad's own view is what the commands are about.
 */
import { slugOf } from "../../api/pipeline-requests.ts";
import type { Config } from "../../core/config.ts";
import { ApiClient, apiAccess } from "../api-client.ts";

/** A run that waits at the controller. */
export interface HeldRun {
  readonly job: string;
  readonly fence: number;
  readonly workers: number;
  readonly missing: number;
  /** Why, in plain words. */
  readonly reason: string;
  /** Wall time in milliseconds since 1970. */
  readonly sinceMs: number;
}

interface ScheduledRun {
  readonly run: string;
  readonly run_id: number;
  readonly job_id: string;
  readonly pipeline_id: string;
  readonly pipeline_name: string;
  readonly workers: number;
  readonly missing: number;
  readonly reason: string;
  readonly waiting_since: number | null;
}

const MICROS_PER_MS = 1_000;

/** The newest run that `target` (pipeline, job or run, by id or name) names and that waits for capacity; undefined: none is known. */
export async function findHeldRun(config: Config, target: string): Promise<HeldRun | undefined> {
  try {
    const api = new ApiClient(await apiAccess(config, undefined));
    const { data } = await api.call<{ readonly data: readonly ScheduledRun[] }>(
      "GET",
      "/scheduler/runs?waiting=true&current=true&limit=500",
    );
    const named = data.find((run) => [run.run, run.job_id, run.pipeline_id, run.pipeline_name, slugOf(run.pipeline_name)].includes(target));
    if (named === undefined) return undefined;
    const { job_id: job, run_id: fence, workers, missing, reason, waiting_since: since } = named;
    return { job, fence, workers, missing, reason, sinceMs: Math.round((since ?? 0) / MICROS_PER_MS) };
  } catch {
    return undefined;
  }
}
