/**
 * What the controller has to do for a job. Rules for whoever performs them: the job's row is written first; then effects are begun in their
 * order, none waits for another to be over. Every effect may be performed again, after a crash also by another controller, and must then
 * change nothing that is done already. What comes of an effect is told as an event.
 */
import type { ErrorRecord } from "../core/errors.ts";
import type { PlacedWorker, RunReference, StopMode } from "./job.ts";

/** What a job tells its run. */
export type RunCommand =
  /** The placement is in the row: workers may hear of it. */
  | { readonly kind: "placement-stored" }
  /** Stop; a harder mode overrides a softer one, a softer one is ignored. */
  | { readonly kind: "stop"; readonly mode: Exclude<StopMode, "none"> }
  /** It is in the row that the run is drained: workers may close. */
  | { readonly kind: "close" }
  /** A checkpoint is wanted now. */
  | { readonly kind: "checkpoint" }
  | { readonly kind: "set-interval"; readonly checkpointIntervalMs: number };

/** How workers are stopped by the scheduler. */
export type WorkerStop = { readonly kind: "graceful"; readonly deadlineMs: number } | { readonly kind: "force" };

/** An entry of the job's timeline: a row of `job_events`. */
export interface TimelineEntry {
  /** Kebab-case. */
  readonly kind: string;
  readonly level: "error" | "warn" | "info";
  /** One line. */
  readonly message: string;
  readonly fence: number;
  readonly error: ErrorRecord | undefined;
  readonly details: Readonly<Record<string, string | number | boolean>>;
}

/** What has to be done. */
export type JobEffect =
  /** Compile the program, store the artifact: `compiled` or `compile-failed`. */
  | { readonly kind: "compile" }
  /** Ask the scheduler for slots: `workers-accepted`, `not-enough-slots` or `start-failed`. */
  | { readonly kind: "start-workers"; readonly run: RunReference; readonly parallelism: number; readonly build: string }
  /**
   * Let workers of the prepared run register and wait, with their leases renewed, while the newest run runs: nothing of the job is owned or
   * read yet. Once they have slots enough the report `prepared` is told, if one of them ends `lost`. Those that wait are handed to the run's
   * machine by `start-run`. Does nothing if they may wait already. `drop-run` ends it.
   */
  | { readonly kind: "prepare-run"; readonly run: RunReference; readonly parallelism: number }
  /**
   * Own the job's completion record with the run's fence FIRST, so that no earlier run completes an epoch any more; then find the restore point
   * among the epochs it has then, and start the run machine (`startRun`). Does nothing if that machine exists. Fails: `start-failed`.
   * With `ignoreStateBeforeEpoch` nothing older is restored; without a restore point epochs are numbered on from the newest the job ever had,
   * and from `ignoreStateBeforeEpoch` at least (`RunConfig.restoredEpoch` is then the number before).
   */
  | {
      readonly kind: "start-run";
      readonly run: RunReference;
      readonly parallelism: number;
      readonly checkpointIntervalMs: number;
      readonly ignoreStateBeforeEpoch: number | undefined;
    }
  /**
   * Like `start-run` for a run whose workers are placed and may be running (`adoptRun`): it is restored from the newest recorded epoch of an
   * earlier run; epochs with its own fence are its own. Then, if `stop` is given, the machine is told to stop.
   */
  | {
      readonly kind: "adopt-run";
      readonly run: RunReference;
      readonly parallelism: number;
      readonly checkpointIntervalMs: number;
      readonly ignoreStateBeforeEpoch: number | undefined;
      readonly placement: readonly PlacedWorker[];
      readonly stop: Exclude<StopMode, "none"> | undefined;
    }
  /** Tell the run's machine, once it exists if it is being made; without one nothing happens: the next `adopt-run` says it as well. */
  | { readonly kind: "command-run"; readonly run: RunReference; readonly command: RunCommand }
  /** Forget the run's machine: its workers' messages are ignored from now on, they are `Fenced` when they speak. */
  | { readonly kind: "drop-run"; readonly run: RunReference }
  /** Stop the workers of this run and all earlier ones; once none exists: `workers-gone`. Fails: `stop-failed`. */
  | { readonly kind: "stop-workers"; readonly run: RunReference; readonly mode: WorkerStop }
  /** Stop the workers of this run and of no other; once none exists: `workers-gone`. Fails: `stop-failed`. Other stops go on meanwhile. */
  | { readonly kind: "end-workers"; readonly run: RunReference; readonly mode: WorkerStop }
  /** Write to the timeline. */
  | { readonly kind: "record"; readonly entry: TimelineEntry }
  /** The pipeline is deleted and nothing runs: delete checkpoints, rows and the job. */
  | { readonly kind: "clean-up" };
