/** What the slots of a worker are started with, once everything that an assignment refers to has been fetched. Pure. */
import type { VertexRestore } from "../checkpoint/restore.ts";
import type { SecretValues } from "../connectors/secrets.ts";
import type { RunFence } from "../gen/peer.ts";
import type { AcceptedAssignment } from "./assignment.ts";
import type { DataTls } from "./data-tls.ts";
import type { ModuleSource, WorkerStart } from "./protocol.ts";

/** What has been fetched. */
export interface FetchedParts {
  readonly module: ModuleSource;
  /** Undefined: a first start. */
  readonly restore: readonly VertexRestore[] | undefined;
  /** URL of the module that exports `createSource` and `createSink`. */
  readonly connectors: string;
  readonly secrets: SecretValues;
  /** Undefined: the data plane is plain. */
  readonly tls: DataTls | undefined;
}

/** What this process may use. */
export interface ProcessLimits {
  /** Bytes of memory; 0: unlimited. */
  readonly memoryBytes: number;
  /** How long a user's function may take for one batch. */
  readonly udfTimeoutMs: number;
}

/** Share of a process' memory for all slots' state: the rest is for frames, buffers and the code. */
const STATE_SHARE = 0.75;

/** See the file's comment. */
export function workerStart(fence: RunFence, assigned: AcceptedAssignment, fetched: FetchedParts, limits: ProcessLimits): WorkerStart {
  const { program, parallelism, settings, stateUrl, stuckMs, credential, preview, worker, placement } = assigned;
  const { module, restore, connectors } = fetched;
  const slots = placement.filter((owner) => owner === worker).length;
  const roomBytes = limits.memoryBytes === 0 ? Number.POSITIVE_INFINITY : Math.floor((limits.memoryBytes * STATE_SHARE) / slots);
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
    stateLimit: Math.min(assigned.stateLimit, roomBytes),
    stuckMs,
    udfTimeoutMs: limits.udfTimeoutMs,
    credential,
    secrets: fetched.secrets,
    preview,
  };
  return { run, worker, placement, tls: fetched.tls };
}
