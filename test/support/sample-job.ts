/** Jobs as tests of what looks at them need them. */
import type { JobId } from "../../src/core/ids.ts";
import { type Job, type JobState, newJob, runIdOf } from "../../src/job/job.ts";

/** A job of four slots in `state` whose newest run has `fence` (0: none), with what else its context holds. */
export function sampleJob(id: string, state: JobState, fence: number, context: Partial<Job["context"]> = {}): Job {
  const job = newJob(
    {
      id: id as JobId,
      preview: false,
      ttlMs: undefined,
      desired: {
        revision: 1,
        stop: "none",
        parallelism: 4,
        checkpointIntervalMs: 10_000,
        restartNonce: 0,
        restartMode: "safe",
        ignoreStateBeforeEpoch: undefined,
        launchKey: "",
        build: "",
        deleted: false,
      },
    },
    0,
  );
  const run = fence === 0 ? undefined : { id: runIdOf(job.id, fence), fence };
  return { ...job, state, run, context: { ...job.context, checkpointIntervalMs: 10_000, lastFence: fence, ...context } };
}
