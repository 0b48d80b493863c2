/** What the slots of a worker are started with, once everything that an assignment refers to has been fetched. Pure. */
import type { VertexRestore } from "../checkpoint/restore.ts";
import type { RunFence } from "../gen/peer.ts";
import type { AcceptedAssignment } from "./assignment.ts";
import type { ModuleSource, WorkerStart } from "./protocol.ts";

/** What has been fetched. */
export interface FetchedParts {
  readonly module: ModuleSource;
  /** Undefined: a first start. */
  readonly restore: readonly VertexRestore[] | undefined;
  /** URL of the module that exports `createSource` and `createSink`. */
  readonly connectors: string;
}

/** See the file's comment. */
export function workerStart(fence: RunFence, assigned: AcceptedAssignment, { module, restore, connectors }: FetchedParts): WorkerStart {
  const { program, parallelism, settings, stateUrl, stateLimit, stuckMs, credential, preview, worker, placement } = assigned;
  const run = {
    job: fence.jobId,
    by: { fence: fence.fence, run: fence.runId },
    program,
    module,
    parallelism,
    settings: { ...settings, fence: fence.fence, restoredEpoch: assigned.baseEpoch },
    connectors,
    store: stateUrl,
    restore,
    stateLimit,
    stuckMs,
    credential,
    preview,
  };
  return { run, worker, placement };
}
