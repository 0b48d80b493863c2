/**
 * What can happen to a job. Events name the run they belong to by its fence; those of an older run change nothing. All may come twice, and
 * too late.
 */
import type { ErrorRecord } from "../core/errors.ts";
import type { Desired, PlacedWorker } from "./job.ts";

/** What a run tells its job. */
export type RunReport =
  /** Enough workers have registered: this is who runs what. Answered by the command `placement-stored`. */
  | { readonly kind: "placed"; readonly placement: readonly PlacedWorker[] }
  /** All slots are ready and were told to run. */
  | { readonly kind: "running" }
  /** An epoch counts. */
  | { readonly kind: "epoch-complete"; readonly epoch: number }
  /** All sources have ended: the last checkpoint is under way. */
  | { readonly kind: "ending" }
  /** A worker has to leave its machine; `deadlineMs`: it is killed after so long, undefined: unknown. */
  | { readonly kind: "leaving"; readonly reason: string; readonly deadlineMs: number | undefined }
  /** The last epoch is published: nothing is left to do. Answered by the command `close`. */
  | { readonly kind: "drained"; readonly finished: boolean }
  /** All slots are closed. */
  | { readonly kind: "closed"; readonly finished: boolean }
  /** A slot or worker failed, or an epoch could not be completed. */
  | { readonly kind: "failed"; readonly error: ErrorRecord }
  /** A worker is gone. */
  | { readonly kind: "lost"; readonly error: ErrorRecord }
  /** Of a prepared run: workers with enough slots have registered and wait. */
  | { readonly kind: "prepared" };

/** What happened. `jitter`: a number in 0 … 1 that spreads repetitions of many jobs over time; 1 (the longest wait) if absent. */
export type JobEvent = { readonly jitter?: number } /**
 * The job was read from its row by a controller that knows nothing else of it: what the state needs is wanted again. Before the effects
 * the row is written with this controller's leader epoch even if it is the same, so that a former leader writes nothing any more.
 */ & (
  | { readonly kind: "loaded" }
  /** The user's wishes as of now. */
  | { readonly kind: "desired-changed"; readonly desired: Desired }
  /** Time has passed: at least at `wakeAtMs`. */
  | { readonly kind: "tick" }
  /** The program is compiled and the artifact stored; `vertices`: of the program. */
  | { readonly kind: "compiled"; readonly artifact: string; readonly vertices: number }
  | { readonly kind: "compile-failed"; readonly error: ErrorRecord }
  /** The scheduler has the request. */
  | { readonly kind: "workers-accepted"; readonly fence: number; readonly workers: number }
  /** Nothing was started: there are too few free slots now. */
  | { readonly kind: "not-enough-slots"; readonly fence: number; readonly needed: number; readonly available: number }
  /** The scheduler cannot place workers it has accepted; `missing` 0: it could. */
  | { readonly kind: "placement-blocked"; readonly fence: number; readonly missing: number; readonly reason: string }
  /** `start-workers`, `prepare-run`, `start-run` or `adopt-run` failed. The run's machine, if any, is as it was. */
  | { readonly kind: "start-failed"; readonly fence: number; readonly error: ErrorRecord }
  /** `stop-workers` or `end-workers` failed. */
  | { readonly kind: "stop-failed"; readonly fence: number; readonly error: ErrorRecord }
  /** No worker of the run or of an earlier one exists any more, and none will. Of a leftover (`end-workers`): none of that run alone. */
  | { readonly kind: "workers-gone"; readonly fence: number }
  /** A machine with workers of the run drains. */
  | { readonly kind: "drain"; readonly fence: number; readonly reason: string; readonly deadlineMs: number | undefined }
  /** The scheduler may have been away and answers now: what it was asked in vain is asked again. */
  | { readonly kind: "scheduler-back" }
  | { readonly kind: "run"; readonly fence: number; readonly report: RunReport }
);

/** All kinds of events. */
export const JOB_EVENT_KINDS = [
  "loaded",
  "desired-changed",
  "tick",
  "compiled",
  "compile-failed",
  "workers-accepted",
  "not-enough-slots",
  "placement-blocked",
  "start-failed",
  "stop-failed",
  "workers-gone",
  "drain",
  "scheduler-back",
  "run",
] as const satisfies readonly JobEvent["kind"][];
