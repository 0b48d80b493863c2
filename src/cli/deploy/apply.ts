/**
 * Carries out a plan: secrets, policies, then the jobs stage by stage, each stage waited for before the next. Every step may be done again: what is
 * in place stays. An interruption stops the waiting, not what was submitted.
 */
import { externalError, toAppError } from "../../core/errors.ts";
import type { NomadClient } from "../../scheduler/nomad/client.ts";
import { awaitHealthy } from "./await-health.ts";
import type { JobHealth } from "./job-health.ts";
import type { PlannedJob } from "./plan.ts";
import { spaceOf } from "./plan.ts";
import { type WantedPolicy, writePolicy } from "./policies.ts";
import { type MissingSecrets, writeSecrets } from "./secrets.ts";

/** What is to be done. */
export interface DeployPlan {
  readonly jobs: readonly PlannedJob[];
  readonly secrets: readonly MissingSecrets[];
  readonly policies: readonly WantedPolicy[];
}

/** How to do it. */
export interface ApplyOptions {
  /** Milliseconds that a stage may take to become healthy. */
  readonly waitMs: number;
  readonly signal: AbortSignal;
  /** Takes lines of progress. */
  readonly tell: (line: string) => void;
}

/** What was done. */
export interface Applied {
  readonly submitted: readonly string[];
  /** Not reached, because the signal was aborted. */
  readonly left: readonly string[];
  /** How the jobs are. */
  readonly health: readonly JobHealth[];
}

/** Whether there is nothing to do. */
export function isInPlace({ jobs, secrets, policies }: DeployPlan): boolean {
  return jobs.every(({ change }) => change === "none") && secrets.length === 0 && policies.length === 0;
}

/** Carries out `plan`. Throws the failure of the first job that does not become healthy. */
export async function applyPlan(client: NomadClient, plan: DeployPlan, options: ApplyOptions): Promise<Applied> {
  const { tell, signal, waitMs } = options;
  for (const secrets of plan.secrets) {
    await writeSecrets(client, secrets);
    tell(`variable ${secrets.path}: ${Object.keys(secrets.items).join(", ")} written`);
  }
  for (const policy of plan.policies) {
    await writePolicy(client, policy);
    tell(`policy ${policy.name}: written`);
  }
  const submitted: string[] = [];
  const health: JobHealth[] = [];
  const stages = [...new Set(plan.jobs.map(({ service }) => service.stage))].sort((a, b) => a - b);
  for (const stage of stages) {
    const jobs = plan.jobs.filter(({ service }) => service.stage === stage);
    if (signal.aborted) break;
    for (const job of jobs) {
      if (job.change === "none") continue;
      await submit(client, job);
      submitted.push(job.template.jobId);
      tell(`${job.template.jobId}: submitted`);
    }
    const places = jobs.map(({ template, job }) => ({ id: template.jobId, namespace: spaceOf(job).namespace ?? "default" }));
    health.push(...(await awaitHealthy(client, places, { limitMs: waitMs, signal, tell })));
  }
  const seen = new Set(health.map(({ id }) => id));
  return { submitted, health, left: plan.jobs.flatMap(({ template }) => (seen.has(template.jobId) ? [] : [template.jobId])) };
}

/** Registers a job as it was planned. Throws `already-exists` if somebody changed it since. */
async function submit(client: NomadClient, { job, template, index, variables }: PlannedJob): Promise<void> {
  const submission = { Source: template.hcl, Format: "hcl2", Variables: variables };
  const body = { Job: job, EnforceIndex: true, JobModifyIndex: index, Submission: submission };
  try {
    await client.call({ method: "PUT", path: "/v1/jobs", query: spaceOf(job), body });
  } catch (thrown) {
    const error = toAppError(thrown);
    if (error.code !== "already-exists") throw error;
    throw externalError("already-exists", `somebody else changed the job "${template.jobId}" since it was planned`, {
      retry: "never",
      hint: "Run `wadi deploy plan` to see what is different now, then apply again.",
      cause: error,
    });
  }
}
