/**
 * The Job controller: makes the pods of Jobs, counts those that have ended, decides by failure policies. After
 * https://github.com/kubernetes/kubernetes/blob/master/pkg/controller/job/job_controller.go
 */
import type { V1PodFailurePolicyRule } from "@kubernetes/client-node";
import { podOf } from "./admission.ts";
import { recordEvent } from "./events.ts";
import { isTerminal, type JobObject, newMetadata, now, ownedBy, type PodObject, setCondition } from "./objects.ts";
import type { ApiRefusal } from "./status.ts";
import type { ObjectStore } from "./store.ts";

const FINALIZER = "batch.kubernetes.io/job-tracking";
const INDEX = "batch.kubernetes.io/job-completion-index";
const COMPONENT = "job-controller";

export interface JobControllerParts {
  readonly store: ObjectStore;
  /** Makes a pod as the API server does; a refusal if it does not. */
  readonly createPod: (pod: PodObject) => ApiRefusal | undefined;
  readonly deletePod: (pod: PodObject) => void;
  readonly deleteJob: (job: JobObject) => void;
  /** Calls `work` after a time, while the cluster runs. */
  readonly later: (ms: number, work: () => void) => void;
}

export class JobController {
  readonly #parts: JobControllerParts;
  /** Failed creations are tried again later: by job. */
  readonly #backoff = new Map<string, number>();
  readonly #expiring = new Set<string>();
  readonly #failedIndexes = new Map<string, Set<number>>();
  readonly #completedIndexes = new Map<string, Set<number>>();

  constructor(parts: JobControllerParts) {
    this.#parts = parts;
  }

  sync(): void {
    const { store } = this.#parts;
    const jobs = store.list<JobObject>("jobs");
    for (const job of jobs) this.#syncJob(job);
    // Pods whose Job is gone lose the finalizer.
    const known = new Set(jobs.map(({ metadata }) => metadata.uid));
    for (const pod of store.list<PodObject>("pods")) {
      const owner = pod.metadata.ownerReferences?.[0]?.uid;
      if (owner !== undefined && !known.has(owner)) this.#untrack(pod);
    }
  }

  #syncJob(job: JobObject): void {
    const { store } = this.#parts;
    const pods = store.list<PodObject>("pods", job.metadata.namespace).filter((pod) => ownedBy(pod, job));
    if (isFinished(job) || job.metadata.deletionTimestamp !== undefined) {
      for (const pod of pods) if (isTerminal(pod) || job.metadata.deletionTimestamp !== undefined) this.#untrack(pod);
      if (isFinished(job)) this.#expire(job);
      return;
    }
    const verdicts = pods
      .filter((pod) => isTerminal(pod) && isTracked(pod))
      .map((pod) => ({ pod, failed: pod.status.phase === "Failed", action: actionOf(job, pod) }));
    this.#count(job, verdicts);
    const fresh = store.get<JobObject>("jobs", job.metadata.namespace, job.metadata.name) ?? job;
    const living = pods.filter((pod) => !isTerminal(pod));
    const failJob = verdicts.find(({ action, failed }) => failed && action === "FailJob");
    if (failJob !== undefined)
      return this.#finish(fresh, living, "Failed", "PodFailurePolicy", `Pod ${failJob.pod.metadata.name} has matching FailJob rule`);
    if ((fresh.status.failed ?? 0) > (fresh.spec.backoffLimit ?? 6)) {
      return this.#finish(fresh, living, "Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit");
    }
    if (fresh.spec.suspend === true) {
      for (const pod of living) this.#parts.deletePod(pod);
      return;
    }
    this.#fill(fresh, living);
    this.#maybeFinish(fresh, living);
  }

  /** Counts the ended pods and lets go of them. */
  #count(job: JobObject, verdicts: readonly { pod: PodObject; failed: boolean; action: V1PodFailurePolicyRule["action"] }[]): void {
    const { store } = this.#parts;
    const [completed, failedIndexes] = [this.#indexes(this.#completedIndexes, job), this.#indexes(this.#failedIndexes, job)];
    let [succeeded, failed] = [0, 0];
    for (const { pod, failed: hasFailed, action } of verdicts) {
      const index = Number(pod.metadata.annotations?.[INDEX] ?? 0);
      if (!hasFailed) {
        succeeded += 1;
        completed.add(index);
      } else if (action !== "Ignore") {
        failed += 1;
        const limit = job.spec.backoffLimitPerIndex;
        if (action === "FailIndex" || (limit !== undefined && failuresOf(pod) >= limit)) failedIndexes.add(index);
      }
      this.#untrack(pod);
    }
    const pods = store.list<PodObject>("pods", job.metadata.namespace).filter((pod) => ownedBy(pod, job));
    const active = pods.filter((pod) => !isTerminal(pod) && pod.metadata.deletionTimestamp === undefined);
    store.change("jobs", job, ({ status, spec }) => {
      status.startTime ??= now();
      status.active = active.length;
      status.ready = active.filter(({ status: { phase } }) => phase === "Running").length;
      status.terminating = pods.filter((pod) => !isTerminal(pod)).length - active.length;
      status.succeeded = (status.succeeded ?? 0) + succeeded;
      status.failed = (status.failed ?? 0) + failed;
      if (completed.size > 0) status.completedIndexes = [...completed].sort((a, b) => a - b).join(",");
      if (spec.backoffLimitPerIndex !== undefined) status.failedIndexes = [...failedIndexes].sort((a, b) => a - b).join(",");
    });
  }

  /** Makes the pods that are missing. */
  #fill(job: JobObject, living: readonly PodObject[]): void {
    if ((this.#backoff.get(job.metadata.uid) ?? 0) > Date.now()) return;
    const { parallelism = 1, completions = 1, podReplacementPolicy } = job.spec;
    // With "Failed" a pod that is ending keeps its place until it has ended.
    const taken = living.filter((pod) => podReplacementPolicy === "Failed" || pod.metadata.deletionTimestamp === undefined);
    const used = new Set(taken.map((pod) => Number(pod.metadata.annotations?.[INDEX])));
    const over = new Set([...this.#indexes(this.#completedIndexes, job), ...this.#indexes(this.#failedIndexes, job)]);
    let room = parallelism - taken.length;
    for (let index = 0; index < completions && room > 0; index++) {
      if (used.has(index) || over.has(index)) continue;
      const pod = makePod(job, index);
      const refusal = this.#parts.createPod(pod);
      if (refusal !== undefined) {
        recordEvent(this.#parts.store, job, "Warning", "FailedCreate", `Error creating: ${refusal.message}`, COMPONENT);
        this.#backoff.set(job.metadata.uid, Date.now() + 500);
        this.#parts.later(550, () => this.sync());
        return;
      }
      recordEvent(this.#parts.store, job, "Normal", "SuccessfulCreate", `Created pod: ${pod.metadata.name}`, COMPONENT);
      room -= 1;
    }
  }

  #maybeFinish(job: JobObject, living: readonly PodObject[]): void {
    const { completions = 1 } = job.spec;
    const [completed, failed] = [this.#indexes(this.#completedIndexes, job), this.#indexes(this.#failedIndexes, job)];
    if (job.spec.completionMode === "Indexed" ? completed.size + failed.size < completions : (job.status.succeeded ?? 0) < completions)
      return;
    if (living.length > 0) return;
    if (failed.size > 0) this.#finish(job, [], "Failed", "FailedIndexes", "Job has failed indexes");
    else this.#finish(job, [], "Complete", "CompletionsReached", "Reached expected number of succeeded pods");
  }

  #finish(job: JobObject, living: readonly PodObject[], type: "Complete" | "Failed", reason: string, message: string): void {
    const { store } = this.#parts;
    for (const pod of living) this.#parts.deletePod(pod);
    store.change("jobs", job, ({ status }) => {
      status.conditions = setCondition(status.conditions ?? [], { type, status: "True", reason, message });
      if (type === "Complete") status.completionTime = now();
    });
    if (type === "Complete") recordEvent(store, job, "Normal", "Completed", "Job completed", COMPONENT);
    else recordEvent(store, job, "Warning", reason, message, COMPONENT);
  }

  /** The TTL controller. */
  #expire(job: JobObject): void {
    const { ttlSecondsAfterFinished: ttl } = job.spec;
    if (ttl === undefined || this.#expiring.has(job.metadata.uid)) return;
    this.#expiring.add(job.metadata.uid);
    this.#parts.later(ttl * 1000, () => this.#parts.deleteJob(job));
  }

  #untrack(pod: PodObject): void {
    this.#parts.store.change("pods", pod, ({ metadata }) => {
      if (metadata.finalizers !== undefined) metadata.finalizers = metadata.finalizers.filter((name) => name !== FINALIZER);
    });
  }

  #indexes(of: Map<string, Set<number>>, { metadata }: JobObject): Set<number> {
    const known = of.get(metadata.uid) ?? new Set<number>();
    of.set(metadata.uid, known);
    return known;
  }
}

function isTracked({ metadata }: PodObject): boolean {
  return metadata.finalizers?.includes(FINALIZER) === true;
}

function isFinished({ status }: JobObject): boolean {
  return (status.conditions ?? []).some(({ type, status: value }) => (type === "Complete" || type === "Failed") && value === "True");
}

function failuresOf({ metadata }: PodObject): number {
  return Number(metadata.annotations?.["batch.kubernetes.io/job-index-failure-count"] ?? 0);
}

/** The first rule that fits decides. */
function actionOf({ spec }: JobObject, { status }: PodObject): V1PodFailurePolicyRule["action"] {
  for (const { action, onExitCodes, onPodConditions } of spec.podFailurePolicy?.rules ?? []) {
    const byCondition = (onPodConditions ?? []).some(({ type, status: value = "True" }) =>
      (status.conditions ?? []).some((condition) => condition.type === type && condition.status === value),
    );
    const codes = (status.containerStatuses ?? [])
      .filter(({ name }) => onExitCodes?.containerName === undefined || onExitCodes.containerName === name)
      .flatMap(({ state }) => state.terminated?.exitCode ?? []);
    const byCode = codes.some((code) => code !== 0 && onExitCodes?.values.includes(code) === (onExitCodes?.operator === "In"));
    if (byCondition || (onExitCodes !== undefined && byCode)) return action;
  }
  return "Count";
}

function makePod(job: JobObject, index: number): PodObject {
  const { metadata: own = {} } = job.spec.template;
  const suffix = Array.from({ length: 5 }, () => "bcdfghjklmnpqrstvwxz2456789"[Math.floor(Math.random() * 27)]).join("");
  const { name } = job.metadata;
  const spec = podOf(job.spec.template);
  spec.hostname = `${name}-${index}`;
  for (const container of spec.containers) {
    const fieldRef = { fieldPath: `metadata.annotations['${INDEX}']` };
    container.env = [...(container.env ?? []), { name: "JOB_COMPLETION_INDEX", valueFrom: { fieldRef } }];
  }
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: newMetadata(`${name}-${index}-${suffix}`, job.metadata.namespace, {
      generateName: `${name}-${index}-`,
      labels: { ...own.labels, [INDEX]: String(index) },
      annotations: { ...own.annotations, [INDEX]: String(index), "batch.kubernetes.io/job-index-failure-count": "0" },
      finalizers: [FINALIZER],
      ownerReferences: [{ apiVersion: "batch/v1", kind: "Job", name, uid: job.metadata.uid, controller: true, blockOwnerDeletion: true }],
    }),
    spec,
    status: { phase: "Pending" },
  };
}
