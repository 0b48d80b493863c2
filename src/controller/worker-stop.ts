/** Stops the workers of a job's runs through the scheduler, and waits until it knows of none any more. */
import type { JobId } from "../core/ids.ts";
import type { WorkerStop } from "../job/effect.ts";
import type { RunReference } from "../job/job.ts";
import type { RunKey, WorkerView } from "../scheduler/scheduler.ts";
import type { LeaderContext } from "./context.ts";
import { WORKER_LEASE_MS } from "./run-messages.ts";

const FIRST_LOOK_MS = 100;
const LONGEST_LOOK_MS = 2_000;

/** A stop under way. */
export interface WorkerStopping {
  /** True once no worker is left; false if the signal was aborted. Rejects with the scheduler's error. */
  readonly gone: Promise<boolean>;
  /** Something has ended: looks again at once. */
  readonly nudge: () => void;
}

/** Whom a stop is about. */
export interface WorkerStopScope {
  /** Only workers of the run itself. */
  readonly alone?: boolean;
  /** Whether a lost worker may still carry out a commit; absent: any may. */
  readonly mayPublish?: (view: WorkerView) => boolean;
  /** Handles of lost workers that an earlier stop of the job has waited for; the caller's, kept up to date here. */
  readonly settled?: Set<string>;
}

/**
 * Stops all workers of `run` and of earlier runs of the job. A worker that the scheduler calls lost cannot publish anything without a commit of
 * this controller: it counts as gone as soon as it has carried out what it was told, and otherwise when its lease must have run out.
 */
export function workerStop(
  { scheduler, clock }: LeaderContext,
  job: JobId,
  run: RunReference,
  mode: WorkerStop,
  signal: AbortSignal,
  { alone = false, mayPublish = () => true, settled = new Set() }: WorkerStopScope = {},
): WorkerStopping {
  let wake = new AbortController();
  const lostSince = new Map<string, number>();
  const isGone = (view: WorkerView): boolean => {
    const { handle, phase } = view;
    if (phase !== "lost") {
      settled.delete(handle);
      return phase === "exited";
    }
    const since = lostSince.get(handle) ?? clock.elapsedMs();
    lostSince.set(handle, since);
    if (!mayPublish(view) || clock.elapsedMs() - since > WORKER_LEASE_MS) settled.add(handle);
    return settled.has(handle);
  };
  const isMeant = ({ fence }: WorkerView): boolean => (alone ? fence === BigInt(run.fence) : fence <= BigInt(run.fence));
  const left = async () => (await scheduler.listWorkers(job)).filter((view) => isMeant(view) && !isGone(view));
  const work = async (): Promise<boolean> => {
    const keys = new Map<string, RunKey>([[run.id, { job, run: run.id, fence: BigInt(run.fence) }]]);
    for (const view of await left()) keys.set(view.run, { job, run: view.run, fence: view.fence });
    for (const key of keys.values()) await scheduler.stopWorkers(key, mode);
    for (let waitMs = FIRST_LOOK_MS; !signal.aborted; waitMs = Math.min(LONGEST_LOOK_MS, waitMs * 2)) {
      if ((await left()).length === 0) return !signal.aborted;
      wake = new AbortController();
      await clock.sleep(waitMs, AbortSignal.any([wake.signal, signal]));
    }
    return false;
  };
  return { gone: work(), nudge: () => wake.abort() };
}
