/** The messages of a run, between the wire's words and those of the run machine. Pure, field by field. */

import type { ErrorRecord } from "../core/errors.ts";
import type { WorkerId } from "../core/ids.ts";
import type { Register } from "../gen/controller.ts";
import type { CloseMode, Resumption, WorkerMessage } from "../job/run-event.ts";
import { fromErrorMessage } from "../rpc/error-message.ts";
import type { ControllerBody } from "../rpc/refusal.ts";
import type { WorkerBody } from "../rpc/worker-server.ts";

/** The lease that workers are given, milliseconds. */
export const WORKER_LEASE_MS = 12_000;
/** It is renewed this often, milliseconds: a worker that hears nothing for a third of its lease looks for another controller. */
export const WORKER_RENEWAL_MS = 1_500;
/** Workers report this often, milliseconds. */
export const HEARTBEAT_INTERVAL_MS = 2_000;

/** A registration as the run machine hears it. */
export function registration(register: Register): WorkerMessage {
  const { slots, dataHost, dataPort, resumption } = register;
  return { kind: "register", slots, data: { host: dataHost, port: dataPort }, resumption: resumptionOf(resumption) };
}

function resumptionOf(resumption: Register["resumption"]): Resumption | undefined {
  if (resumption === undefined) return undefined;
  const { startedEpoch, completeEpoch, committedEpoch, readySubtasks, endedSubtasks, running, paused, closedSubtasks } = resumption;
  return {
    startedEpoch: Number(startedEpoch),
    completeEpoch: Number(completeEpoch),
    committedEpoch: Number(committedEpoch),
    readySubtasks,
    endedSubtasks,
    running,
    paused,
    ...(closedSubtasks === undefined ? {} : { closedSubtasks }),
  };
}

/** What a worker says, as the run machine hears it; undefined for what does not concern it (rows and logs for users). */
export function runMessage(body: WorkerBody): WorkerMessage | undefined {
  switch (body.$case) {
    case "heartbeat":
      return { kind: "heartbeat" };
    case "slotReady":
      return { kind: "slot-ready", subtask: body.value.subtask };
    case "epochStarted":
      return { kind: "epoch-started", subtask: body.value.subtask, epoch: Number(body.value.epoch) };
    case "vertexReport": {
      const { epoch, vertex, subtask } = body.value;
      return { kind: "vertex-reported", epoch: Number(epoch), vertex, subtask };
    }
    case "committed":
      return { kind: "committed", subtask: body.value.subtask, epoch: Number(body.value.epoch) };
    case "slotEnded":
      return { kind: "slot-ended", subtask: body.value.subtask };
    case "slotClosed":
      return { kind: "slot-closed", subtask: body.value.subtask };
    case "finished":
      return { kind: "finished" };
    case "failed":
      return { kind: "failed", error: failureOf(body.value.error) };
    case "leave": {
      const { reason, deadlineMs } = body.value;
      return { kind: "leave", reason, deadlineMs: deadlineMs === 0 ? undefined : deadlineMs };
    }
    case "logChunk":
    case "previewRows":
    case "checkpointRequest":
      return undefined;
  }
}

function failureOf(error: Parameters<typeof fromErrorMessage>[0] | undefined): ErrorRecord {
  if (error !== undefined) return fromErrorMessage(error);
  return { domain: "internal", code: "slot-failed", message: "a worker failed and did not say why", retry: "never" };
}

/** A barrier. */
export function triggerMessage(epoch: number, thenStop: boolean): ControllerBody {
  return { $case: "triggerBarrier", value: { epoch: BigInt(epoch), thenStop } };
}

/** The end of a worker's slots. */
export function stopMessage(mode: CloseMode, deadlineMs: number): ControllerBody {
  return { $case: "stop", value: { mode, deadlineMs } };
}

/** A renewal. `epochComplete`: newest complete epoch; `acknowledged`: messages of the worker that were acted on. */
export function renewalMessage(epochComplete: number, acknowledged: bigint): ControllerBody {
  return {
    $case: "leaseRenewal",
    value: { durationMs: WORKER_LEASE_MS, epochComplete: BigInt(epochComplete), acknowledgedSequence: acknowledged },
  };
}

/** Ids of workers come from outside; the run machine only compares them. */
export function workerOf(register: Register): WorkerId {
  return register.workerId as WorkerId;
}
