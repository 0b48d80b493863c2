/** Labels, annotations and names by which Wadi's objects are found again in Kubernetes, and how a run is read from them. */
import { createHash } from "node:crypto";
import type { JobId, RunId } from "../../core/ids.ts";
import type { RunKey, RunSpec } from "../scheduler.ts";

/** Labels of all objects of a run. */
export const LABEL = {
  managedBy: "app.kubernetes.io/managed-by",
  cluster: "wadi.dev/cluster",
  pipeline: "wadi.dev/pipeline",
  job: "wadi.dev/job",
  run: "wadi.dev/run",
  fence: "wadi.dev/fence",
  /** Of the config map that remembers the newest run of a job. */
  record: "wadi.dev/record",
} as const;

/** Annotations of a run's Job. */
export const ANNOTATION = {
  slots: "wadi.dev/slots",
  workers: "wadi.dev/workers",
  specHash: "wadi.dev/spec-hash",
  changedAt: "wadi.dev/changed-at",
} as const;

/** Set by the Job controller on each pod: its number, from 0. */
export const INDEX_ANNOTATION = "batch.kubernetes.io/job-completion-index";

/** Everything of this Wadi, as a label selector. */
export function clusterSelector(cluster: string): string {
  return `${LABEL.managedBy}=wadi,${LABEL.cluster}=${cluster}`;
}

/** Everything of a job, of one run if `fence` is given. */
export function jobSelector(cluster: string, job: JobId, fence?: bigint): string {
  return `${clusterSelector(cluster)},${LABEL.job}=${job}${fence === undefined ? "" : `,${LABEL.fence}=${fence}`}`;
}

/** Labels of everything of a run. */
export function runLabels(cluster: string, spec: RunSpec): Record<string, string> {
  return {
    "app.kubernetes.io/name": "wadi",
    "app.kubernetes.io/component": "worker",
    "app.kubernetes.io/instance": cluster,
    [LABEL.managedBy]: "wadi",
    [LABEL.cluster]: cluster,
    [LABEL.pipeline]: spec.pipeline,
    [LABEL.job]: spec.job,
    [LABEL.run]: spec.run,
    [LABEL.fence]: String(spec.fence),
  };
}

/** The run that `labels` tell of; undefined: not one of ours. */
export function runOf(labels: Readonly<Record<string, string>>): RunKey | undefined {
  const { [LABEL.job]: job, [LABEL.run]: run, [LABEL.fence]: fence } = labels;
  if (job === undefined || run === undefined || fence === undefined || !/^\d{1,19}$/.test(fence)) return undefined;
  return { job: job as JobId, run: run as RunId, fence: BigInt(fence) };
}

/** The part of a name that tells jobs apart: 16 characters for ids that `makeId` made, more than that as a hash. */
function jobPart(job: JobId): string {
  const tail = job.replace(/^job_/, "");
  return /^[0-9a-z]{1,16}$/.test(tail) ? tail : createHash("sha256").update(job).digest("hex").slice(0, 16);
}

const SLUG_LENGTH = 20;

/**
 * Name of a run's Job. Pods are named after it with "-<index>-<5 characters>" and get "<name>-<index>" as host name, which is 63 characters at
 * most: with a prefix of 6 characters this leaves 12 for the fence and 5 for the index.
 */
export function jobName(prefix: string, { slug, job, fence }: Pick<RunSpec, "slug" | "job" | "fence">): string {
  const short = slug
    .slice(0, SLUG_LENGTH)
    .replace(/[^0-9a-z-]/g, "-")
    .replace(/^-+|-+$/g, "");
  return [prefix, ...(short === "" ? [] : [short]), jobPart(job), String(fence)].join("-");
}

/** Name of the config map that remembers the newest run of a job. */
export function recordName(prefix: string, cluster: string, job: JobId): string {
  return `${prefix}-${createHash("sha256").update(cluster).digest("hex").slice(0, 6)}-${jobPart(job)}`;
}
