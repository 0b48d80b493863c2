/**
 * The contract between the controller and whatever starts workers: Nomad, processes of this machine, node daemons, Kubernetes, threads of the
 * caller. A scheduler starts and stops workers of a run and says what it sees of them; it knows nothing of programs, checkpoints or the job's
 * state, and it never decides to replace a worker: a lost one is reported, and the controller starts another run.
 *
 * Rules for every implementation, tested by one conformance suite (test/support/scheduler-conformance.ts):
 * - Runs are told apart by job and fence. Calls for one run come one after another; calls for different runs may overlap.
 * - Every call is idempotent and may be repeated after a crash of the controller at any point: what must survive is in the outside system.
 * - A call resolves when the outside system has accepted it, not when it has happened: that is what `list` and `observe` tell.
 * - Failures are `AppError`s. `retry: "backoff"`: the outside system did not answer, the same call may be made again. `retry: "never"`: the
 *   specification can never be met (`invalid-config`) or access is refused (`permission-denied`), and the job fails with the text.
 */
import type { JobId, NodeId, PipelineId, RunId, WorkerId } from "../core/ids.ts";
import type { LogPiece, LogQuery, SchedulerPlan, SchedulerView } from "./view.ts";

/** A run of a job: its fence grows with every run of the job, from 1. */
export interface RunKey {
  readonly job: JobId;
  readonly run: RunId;
  readonly fence: bigint;
}

/** What one slot is given. */
export interface SlotResources {
  /** Thousandths of a processor. */
  readonly cpuMillis: number;
  /** Bytes; state, buffers and a share of the worker's own memory. */
  readonly memoryBytes: number;
}

/** A secret of the outside system by its name there; resolved by that system or in the worker, never by the controller. */
export interface SecretReference {
  /** Environment variable under which the worker finds it. */
  readonly variable: string;
  /** "env", "file", "nomad-variable" or "aws-secrets-manager". */
  readonly store: string;
  /** Where it is in that store. */
  readonly reference: string;
}

/** Everything a scheduler has to know to start the workers of a run. The same for all of them: they tell themselves apart when they register. */
export interface RunSpec extends RunKey {
  readonly pipeline: PipelineId;
  /** Lower-case letters, digits and dashes, at most 40 characters: what people find in the outside system's own tools. */
  readonly slug: string;
  /** Slots needed in all: the job's parallelism. */
  readonly slots: number;
  /** Slots of one worker at most; the scheduler may give fewer where its workers are smaller. */
  readonly slotsPerWorker: number;
  readonly resources: SlotResources;
  /** Content hash of the artifact, so that a machine that has it is preferred. */
  readonly artifact: string;
  /** Build of the worker: a release, an artifact's address or an image, as the scheduler understands it; absent: its own default. */
  readonly build?: string | undefined;
  /** Controllers' endpoints, "host:port", the leader first. */
  readonly controllers: readonly string[];
  /** What workers log in with. Made for this run. Handed over by the safest means the outside system has; never shown, never in a job spec. */
  readonly runToken: string;
  /** Authority of controllers' certificates, PEM, for WADI_CONTROLLER_CA_FILE; absent: they are dialled as the worker's own settings say. No secret. */
  readonly controllerCa?: string | undefined;
  /** Plain settings. A name that looks like a secret's is refused with `invalid-config`. */
  readonly environment: Readonly<Record<string, string>>;
  readonly secrets: readonly SecretReference[];
  /** The user's own wishes for this scheduler, as the API took them; each scheduler parses what it knows and refuses the rest. */
  readonly overrides: Readonly<Record<string, unknown>>;
}

/** What became of a request for workers. */
export type StartOutcome =
  /** The outside system has the request. Workers come one by one; `workers` is how many are to be expected. */
  | { readonly kind: "accepted"; readonly workers: number }
  /** Not an error: nothing was started, the same call may succeed later. */
  | { readonly kind: "not-enough-slots"; readonly needed: number; readonly available: number };

/** How a worker ended. */
export interface WorkerExit {
  /** Exit code; undefined: a signal ended it, or nobody knows. */
  readonly code: number | undefined;
  /** Such as "SIGKILL". */
  readonly signal: string | undefined;
  readonly outOfMemory: boolean;
  /** In words, as the outside system says it: "OOM killed", "node nd_1 is down". */
  readonly reason: string;
}

/** Where a worker is in the scheduler's eyes. `lost`: nobody knows, and it must be taken for running until its lease has run out. */
export type WorkerPhase = "placing" | "starting" | "running" | "stopping" | "exited" | "lost";

/** A worker as the scheduler sees it. */
export interface WorkerView extends RunKey {
  /** What the scheduler calls it: process id, Nomad allocation id, pod name. Unique within the scheduler, also over time. */
  readonly handle: string;
  /** Undefined where the worker makes its own id and has not registered. */
  readonly worker: WorkerId | undefined;
  readonly phase: WorkerPhase;
  /** Slots it was started with. */
  readonly slots: number;
  /** The machine, by the outside system's id; undefined: not placed. */
  readonly node: NodeId | string | undefined;
  /** Present if and only if `phase` is `exited`. */
  readonly exit: WorkerExit | undefined;
  /** Why it is where it is, in plain words: why it cannot be placed, what it waits for; empty: nothing to say. */
  readonly note: string;
  /** Page of the outside system's own UI. */
  readonly link: string | undefined;
}

/** How workers are stopped. `graceful`: told to end, and killed after `deadlineMs`. `force`: killed at once. */
export type StopMode = { readonly kind: "graceful"; readonly deadlineMs: number } | { readonly kind: "force" };

/** What a scheduler sees happen. */
export type SchedulerEvent =
  /** A worker is new or has changed: its whole view. */
  | { readonly kind: "worker"; readonly worker: WorkerView }
  /** Workers of a run cannot be placed; said again when the reason changes, and with `missing` 0 once all are placed. */
  | { readonly kind: "placement"; readonly run: RunKey; readonly missing: number; readonly reason: string }
  /** Workers on a machine have to leave it; `deadlineMs`: then they are killed; undefined: no limit is known. */
  | {
      readonly kind: "drain";
      readonly node: NodeId | string;
      readonly runs: readonly RunKey[];
      readonly deadlineMs: number | undefined;
      /** Why, in plain words, where it is not the machine itself that drains. */
      readonly reason?: string;
    }
  /** Something for the timeline of the run, as the outside system tells it: an evaluation, a task's event. Never said twice. */
  | {
      readonly kind: "told";
      readonly run: RunKey;
      /** Of the worker it is about; undefined: of the run as a whole. */
      readonly handle: string | undefined;
      /** What it is about in the outside system's words: "evaluation", "allocation", "task", "pod", "process". */
      readonly about: string;
      readonly level: "error" | "warn" | "info";
      /** One line. */
      readonly message: string;
      /** Wall time by the outside system's clock. */
      readonly atMs: number;
    }
  /** Events may have been missed: the observer lists what it cares for. */
  | { readonly kind: "resync" };

/** Checks what a worker shows to prove that it is the one that the outside system placed for a run. */
export interface WorkerIdentityVerifier {
  /**
   * Resolves if `token` is valid now, made for Wadi, and belongs to the worker `handle` of `run`. Throws `permission-denied` with the reason in
   * words otherwise, and `connection-lost` with `retry: "backoff"` if the outside system's keys cannot be read. The token is never logged.
   */
  verify(run: RunKey, handle: string, token: string): Promise<void>;
}

/** Starts and stops workers: see the file's comment for what holds for all methods. */
export interface Scheduler {
  /** One of the values of the setting `controller.scheduler`. */
  readonly name: string;

  /** Runs whose workers may be on their way up at the same time; absent: as many as one machine bears. */
  readonly startsAtOnce?: number | undefined;

  /** Present where the outside system gives each worker an identity: a worker must then show it besides the run token. */
  readonly identities?: WorkerIdentityVerifier | undefined;

  /**
   * Asks for workers with `spec.slots` slots together. Called again with the same job and fence it starts nothing more and answers as before,
   * also after a restart of the controller; with the same fence and another specification (token and controllers apart) it throws
   * `already-exists`. A call with a lower fence than one of the job that was started or stopped before throws `fenced`. Workers of earlier
   * runs are not touched.
   */
  startWorkers(spec: RunSpec): Promise<StartOutcome>;

  /**
   * Ends all workers of the run, also those that are not placed yet, and no others. A run that is unknown or over is no error. Afterwards the
   * run can never have a new worker: `startWorkers` of it throws `fenced`. A graceful stop may be followed by a forced one.
   */
  stopWorkers(run: RunKey, mode: StopMode): Promise<void>;

  /**
   * All workers of the job's runs that the outside system knows, of `run` alone if it is given: in any phase, exited ones as long as the
   * outside system remembers them. Strongly consistent with the caller's own calls: a worker that was accepted is listed, placed or not.
   */
  listWorkers(job: JobId, run?: RunId): Promise<readonly WorkerView[]>;

  /**
   * Calls `listener` for what happens from now on, in order per worker, until the returned function is called. A worker's exit is told once
   * after its last other event. Never throws; the listener must not either. When the connection to the outside system was lost, `resync` is
   * told once it is back.
   */
  observe(listener: (event: SchedulerEvent) => void): () => void;

  /**
   * What `startWorkers` would submit and whether it would be placed now. Starts nothing, changes nothing; may be asked for a run that was
   * started. Throws `invalid-config` for a specification that can never be met.
   */
  plan(spec: RunSpec): Promise<SchedulerPlan>;

  /**
   * What `startWorkers` submitted for `spec` a moment ago, where that is known without asking the outside system much; absent: `plan` tells.
   * `missing` is 0: whether all is placed shows in what is observed.
   */
  submitted?(spec: RunSpec): Promise<SchedulerPlan>;

  /**
   * Output of a worker, by its handle, also after its end for as long as the outside system keeps it. Throws `not-found` if it keeps none
   * (any more), and `connection-lost` with `retry: "backoff"` if the machine that has it does not answer.
   */
  logs(handle: string, query: LogQuery): AsyncIterable<LogPiece>;

  /**
   * The caller leads from now on, and controllers are found there: "host:port", the caller first. Told at the begin of every term. Workers of
   * runs that go on find them as they find those of `RunSpec.controllers`, after a while. Absent: workers here learn it from controllers alone.
   * Never throws.
   */
  tellControllers?(endpoints: readonly string[]): void;

  /**
   * What people are shown. From what is known: it asks the outside system for no more than what has changed, and never throws: an outside
   * system that does not answer shows as `link` "down" with what was known last.
   */
  view(): Promise<SchedulerView>;

  /**
   * Lets go of everything in this process: connections, timers, observers. Workers go on, except those that cannot outlive the process
   * (threads), which are stopped by force. Other calls afterwards throw `invariant`; a second shutdown does nothing.
   */
  shutdown(): Promise<void>;
}

/** One worker to be started on this machine. */
export interface WorkerLaunch extends RunKey {
  readonly worker: WorkerId;
  /** Slots it shall offer, from 1. */
  readonly slots: number;
  readonly controllers: readonly string[];
  /** Handed to the worker in a file of mode 0600 or in memory; never as argument or in the environment. */
  readonly runToken: string;
  /** As `RunSpec.build`. */
  readonly build?: string | undefined;
  /** As `RunSpec.controllerCa`. */
  readonly controllerCa?: string | undefined;
  readonly environment: Readonly<Record<string, string>>;
  /** Bytes it may use. */
  readonly memoryBytes: number;
}

/** A worker that runs on this machine. */
export interface LaunchedWorker {
  /** Process id, or a thread's name; with the start time it names the process for good. */
  readonly handle: string;
  /** Resolves when it is gone and its resources are free; never rejects. */
  readonly exited: Promise<WorkerExit>;
  /** Tells it to end: it takes a checkpoint if it can. Does nothing if it is gone. */
  terminate(): void;
  /** Ends it at once. Does nothing if it is gone. */
  kill(): void;
}

/**
 * Starts workers on this machine: what the process and embedded schedulers and the node daemon are given, wired in `cli/` because a scheduler
 * may not import the worker.
 */
export interface WorkerLauncher {
  /**
   * Starts a worker and resolves when its process or thread exists; that it works shows when it registers. Not idempotent: the scheduler keeps
   * the record. Throws `external` errors with `retry: "backoff"` when the machine cannot start one now.
   */
  launch(launch: WorkerLaunch): Promise<LaunchedWorker>;

  /** Workers that an earlier process of this scheduler launched and that still run, found by its record. Empty if none can outlive it. */
  adopt(): Promise<readonly { readonly launch: Omit<WorkerLaunch, "runToken">; readonly worker: LaunchedWorker }[]>;

  /** Workers that were launched before and have ended while nobody watched, each told once; absent: there can be none. */
  departed?(): Promise<readonly { readonly launch: Omit<WorkerLaunch, "runToken">; readonly exit: WorkerExit }[]>;

  /** How workers are started here, for people: one command line without secrets. Throws `invalid-config` where they cannot, such as for a build that is not there. */
  describe(launch: Omit<WorkerLaunch, "runToken" | "worker">): string;

  /** Output of a worker that was launched here, as `Scheduler.logs` says. Throws `not-found` once nothing of it is kept. */
  logs(worker: WorkerId, query: LogQuery): AsyncIterable<LogPiece>;
}
