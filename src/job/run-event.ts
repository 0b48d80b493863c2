/**
 * What the machine of one run hears and what it wants done. Workers are named by their id; a worker's number within the run is its index in
 * the placement. Subtasks, vertices and epochs as everywhere: from 0, from 0, from 1.
 */
import type { ErrorRecord } from "../core/errors.ts";
import type { WorkerId } from "../core/ids.ts";
import type { EpochPurpose } from "./coordinator.ts";
import type { RunCommand, TimelineEntry } from "./effect.ts";
import type { RunReport } from "./event.ts";
import type { PlacedWorker, RunReference, StopMode } from "./job.ts";

/** A worker that offers slots, as a placement function takes it. */
export interface OfferedSlots {
  readonly worker: WorkerId;
  /** From 1. */
  readonly slots: number;
}

/** Durations of a run, milliseconds. */
export interface RunLimits {
  /** `pipeline.worker-heartbeat-timeout`: a silent worker is lost, with it the run. */
  readonly heartbeatMs: number;
  /** A silent worker whose machine the scheduler does not reach either is lost after so long; after half of it if its stream broke, too. */
  readonly unreachableMs: number;
  /** Leases are renewed this often. */
  readonly renewMs: number;
  /** `checkpoint.timeout`: an epoch that is not complete then fails the run. */
  readonly checkpointMs: number;
  /** Slots that have not closed then are taken for closed: the scheduler ends their workers. */
  readonly closeMs: number;
  /** First and longest wait before an epoch is completed again after the object store failed; it doubles in between. */
  readonly backoffMs: number;
  /** See `backoffMs`. */
  readonly maxBackoffMs: number;
}

/** What does not change during a run. */
export interface RunConfig {
  readonly run: RunReference;
  /** Vertices of the program. */
  readonly vertices: number;
  readonly parallelism: number;
  /** The epoch the run was restored from; 0: a first start. */
  readonly restoredEpoch: number;
  /** Time between the begin of two checkpoints. */
  readonly checkpointIntervalMs: number;
  /** Barriers are sent by the slots, by row count. */
  readonly byRows: boolean;
  readonly limits: RunLimits;
  /**
   * Pure: places subtasks on the offered slots, `undefined` if there are too few (`placeSubtasks` of scheduler/placement.ts). Called until it
   * succeeds once.
   */
  readonly place: (parallelism: number, offered: readonly OfferedSlots[]) => readonly PlacedWorker[] | undefined;
}

/** What a new leader knows of a run from the database and the object store. */
export interface Adoption {
  readonly placement: readonly PlacedWorker[];
  /** Epochs that this run has recorded as complete, ascending; those of earlier runs are not named. */
  readonly recorded: readonly number[];
}

/** Where other workers reach a worker's data plane. */
export interface DataAddress {
  readonly host: string;
  readonly port: number;
}

/** What a worker that was running already is doing: see `Resumption` in controller.proto. */
export interface Resumption {
  readonly startedEpoch: number;
  readonly completeEpoch: number;
  /** All its sinks have published this epoch and every one before. */
  readonly committedEpoch: number;
  readonly readySubtasks: readonly number[];
  readonly endedSubtasks: readonly number[];
  /** Own subtasks that have closed; absent: none. */
  readonly closedSubtasks?: readonly number[];
  readonly running: boolean;
  readonly paused: boolean;
}

/** What a worker says. Every message is a sign of life. */
export type WorkerMessage =
  /** First on every stream. */
  | { readonly kind: "register"; readonly slots: number; readonly data: DataAddress; readonly resumption: Resumption | undefined }
  | { readonly kind: "heartbeat" }
  | { readonly kind: "slot-ready"; readonly subtask: number }
  | { readonly kind: "epoch-started"; readonly subtask: number; readonly epoch: number }
  /** Keep the report's contents until `complete` succeeded: doubles are the same. */
  | { readonly kind: "vertex-reported"; readonly epoch: number; readonly vertex: number; readonly subtask: number }
  | { readonly kind: "committed"; readonly subtask: number; readonly epoch: number }
  | { readonly kind: "slot-ended"; readonly subtask: number }
  | { readonly kind: "slot-closed"; readonly subtask: number }
  /** All its slots are closed, the process exits. */
  | { readonly kind: "finished" }
  | { readonly kind: "failed"; readonly error: ErrorRecord }
  | { readonly kind: "leave"; readonly reason: string; readonly deadlineMs: number | undefined };

/** What happened. */
export type RunEvent =
  | { readonly kind: "worker"; readonly worker: WorkerId; readonly message: WorkerMessage }
  /** Its stream broke; it may come back. */
  | { readonly kind: "disconnected"; readonly worker: WorkerId }
  /** The scheduler says that a worker is gone for good; undefined: one that has not registered. */
  | { readonly kind: "worker-exited"; readonly worker: WorkerId | undefined; readonly reason: string; readonly outOfMemory: boolean }
  /** The scheduler does not hear of the worker's machine, or does again. It may well run, and is not lost as long as it is heard. */
  | { readonly kind: "worker-unreachable"; readonly worker: WorkerId; readonly unreachable: boolean }
  /** The effect `complete` succeeded, now or in an earlier attempt, by this controller or another. */
  | { readonly kind: "recorded"; readonly epoch: number }
  /** The effect `complete` failed. `retry: "backoff"`: it is tried again until the checkpoint's time is over. */
  | { readonly kind: "record-failed"; readonly epoch: number; readonly error: ErrorRecord }
  /** Time has passed: at least at `runWakeAtMs`. */
  | { readonly kind: "tick" }
  /** The job's word. */
  | { readonly kind: "command"; readonly command: RunCommand };

/** What workers are told about their end: see `Stop` in controller.proto. */
export type CloseMode = "finished" | Exclude<StopMode, "none">;

/** What has to be done. Messages to a worker whose stream is broken are dropped: it is told again when it registers. */
export type RunEffect =
  /** Sent on every registration: a worker that has it ignores it. `number`: within the run. */
  | {
      readonly kind: "assign";
      readonly worker: WorkerId;
      readonly number: number;
      readonly placement: readonly PlacedWorker[];
      /** By number. */
      readonly peers: readonly (DataAddress & { readonly worker: WorkerId })[];
    }
  /** All slots of the run are ready: run. */
  | { readonly kind: "run"; readonly worker: WorkerId }
  | { readonly kind: "trigger"; readonly worker: WorkerId; readonly epoch: number; readonly stop: boolean }
  /** Sinks publish what the worker's subtasks staged for `epoch`; it is in its manifest if this controller did not complete it. */
  | { readonly kind: "commit"; readonly worker: WorkerId; readonly epoch: number }
  | { readonly kind: "close"; readonly worker: WorkerId; readonly mode: CloseMode; readonly deadlineMs: number }
  /** A lease renewal. `epoch`: newest complete epoch. */
  | { readonly kind: "renew"; readonly worker: WorkerId; readonly epoch: number }
  /** An epoch has begun (for the projection). `purpose` as in `checkpoints.kind`. */
  | { readonly kind: "epoch-begun"; readonly epoch: number; readonly purpose: EpochPurpose }
  /**
   * Write the manifest of all reports, then record it under the run's fence: `recorded` or `record-failed`. Idempotent: an epoch that this run
   * has recorded already is a success. One after the other, in order of epochs, and never while `retain` is under way.
   */
  | { readonly kind: "complete"; readonly epoch: number; readonly final: boolean; readonly purpose: EpochPurpose }
  /** All sinks have published `epoch`. Older checkpoints may go; files of epochs after it are in flight. Failing is no failure of the run. */
  | { readonly kind: "retain"; readonly epoch: number }
  /** An event of the job: `{ kind: "run", fence, report }`. */
  | { readonly kind: "report"; readonly report: RunReport }
  /** Write to the timeline. */
  | { readonly kind: "record"; readonly entry: TimelineEntry };
