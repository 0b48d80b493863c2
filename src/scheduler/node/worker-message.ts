/** Workers on their way between the node scheduler and a node daemon. Pure. */
import { NS_PER_MS } from "../../core/time.ts";
import { StartWorkerRequest, type WorkerExit as WorkerExitMessage } from "../../gen/node.ts";
import type { Question } from "../../rpc/node-client.ts";
import type { RecordedWorker } from "../process/run-records.ts";
import { launchOf } from "../process/spec.ts";
import type { RunSpec, WorkerExit } from "../scheduler.ts";

/** How a worker of `spec` is asked for. */
export function startRequest(
  spec: RunSpec,
  { id, slots }: RecordedWorker,
  leaderEpoch: bigint,
  artifactUrl: string,
): Question<StartWorkerRequest> {
  const { job, run, fence, build = "", controllers, controllerCa = "", runToken, environment, memoryBytes } = launchOf(spec, slots);
  return StartWorkerRequest.create({
    fence: { jobId: job, runId: run, fence },
    leaderEpoch,
    workerId: id,
    slots,
    controllerEndpoints: [...controllers],
    runToken,
    environment: { ...environment },
    memoryLimitBytes: BigInt(memoryBytes),
    artifactHash: spec.artifact,
    artifactStoreUrl: artifactUrl,
    controllerCa,
    build,
  });
}

/** How a worker ended, as a daemon says it. */
export function exitOf({ code, signal, outOfMemory, reason }: WorkerExitMessage): WorkerExit {
  return { code, signal: signal === "" ? undefined : signal, outOfMemory, reason };
}

/** The inverse; `endedAtMs`: wall time. */
export function exitMessage({ code, signal = "", outOfMemory, reason }: WorkerExit, endedAtMs: number): WorkerExitMessage {
  const message = { signal, outOfMemory, reason, endedAtNs: BigInt(Math.round(endedAtMs)) * NS_PER_MS };
  return code === undefined ? message : { ...message, code };
}
