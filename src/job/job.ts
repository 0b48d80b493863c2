/**
 * What the job state machine knows of a job: the part of its row in `jobs` that decisions are made from. Plain data; the controller reads and
 * writes it as a whole. Times are milliseconds since 1970-01-01 UTC, durations milliseconds.
 */
import type { ErrorRecord } from "../core/errors.ts";
import type { JobId, RunId, WorkerId } from "../core/ids.ts";

/** All states, as the database and the API write them. */
export const JOB_STATES = [
  "created",
  "compiling",
  "scheduling",
  "running",
  "rescaling",
  "restarting",
  "checkpoint-stopping",
  "stopping",
  "stopped",
  "finishing",
  "finished",
  "recovering",
  "failing",
  "failed",
] as const;

/** Where a job is. */
export type JobState = (typeof JOB_STATES)[number];

/** States that may last for ever; all others have a deadline. */
export const REST_STATES: ReadonlySet<JobState> = new Set<JobState>(["running", "stopped", "finished", "failed"]);

/** How a user wants a job stopped, from soft to hard; `none`: it shall run. */
export const STOP_MODES = ["none", "checkpoint", "graceful", "immediate", "force"] as const;

/** One of `STOP_MODES`. */
export type StopMode = (typeof STOP_MODES)[number];

/** `safe`: with a checkpoint first. */
export type RestartMode = "safe" | "force";

/** What the user wants: the columns `desired_…`. */
export interface Desired {
  /** Grows with every change. */
  readonly revision: number;
  readonly stop: StopMode;
  /** 1 … 4096. */
  readonly parallelism: number;
  readonly checkpointIntervalMs: number;
  /** Raised to ask for a restart. */
  readonly restartNonce: number;
  readonly restartMode: RestartMode;
  /** Checkpoints of earlier epochs are not restored; undefined: all count. */
  readonly ignoreStateBeforeEpoch: number | undefined;
  /** Any text that changes with the environment and the scheduler's settings of the workers: a change of it needs other workers. */
  readonly launchKey: string;
  /** Build of the workers: a release, an artifact's address, an image; empty: the scheduler's own. A change of it needs other workers. */
  readonly build: string;
  /** The pipeline is deleted: the job is stopped by force and cleaned up. */
  readonly deleted: boolean;
}

/** A run of the job. */
export interface RunReference {
  /** `runIdOf` of job and fence. */
  readonly id: RunId;
  /** From 1, growing within a job. */
  readonly fence: number;
}

/** A worker with the subtasks it runs: `count` in a row from `first`. Its number within the run is its index in the placement. */
export interface PlacedWorker {
  readonly worker: WorkerId;
  readonly first: number;
  readonly count: number;
}

/** Why a job is on its way out of a run, and how far it is. */
export interface Ending {
  /**
   * `run`: the run has been told to stop and works on it. `closing`: its last epoch is published, workers close. `workers`: workers are told
   * to end by the scheduler. `killing`: they did not, and are killed. `backoff`: they are gone, the next attempt waits.
   */
  readonly phase: "run" | "closing" | "workers" | "killing" | "backoff";
  /** How the run was told to stop. */
  readonly mode: Exclude<StopMode, "none">;
  /** Whether the state's work is done for good (the last epoch counts), so that only workers are waited for. */
  readonly drained: boolean;
  /** All sources had ended. */
  readonly finished: boolean;
}

/** Waiting for something outside, and since when. */
export interface Waiting {
  readonly sinceMs: number;
  readonly for: "slots" | "start" | "stop";
  /** In words, for users. */
  readonly reason: string;
}

/**
 * The next run, whose workers come up while the newest one still runs: make before break. Its fence is one above all that were ever given. It
 * owns nothing: it becomes the newest run once the one before has published its last epoch, or it is discarded.
 */
export interface PreparedRun {
  readonly run: RunReference;
  /** The state in which the job hands over to it. */
  readonly cause: "rescaling" | "restarting";
  readonly parallelism: number;
  /** `Desired.launchKey` and `Desired.restartNonce` that it was made for. */
  readonly launchKey: string;
  readonly restartNonce: number;
  /** Build of its workers. */
  readonly build: string;
  /** Handed over to by then, ready or not; while the newest run is `running`. */
  readonly deadlineAtMs: number;
  /** The newest run has to move whatever the user wants: its workers have to leave their machine. */
  readonly forced: boolean;
  /** By then they are killed; undefined: nobody says so. */
  readonly killedAtMs: number | undefined;
}

/** A run besides the newest whose workers are to be stopped: one that was handed over, or was prepared and is not needed. */
export interface Leftover {
  readonly run: RunReference;
  /** The scheduler did not answer: it is asked again then. */
  readonly retryAtMs: number | undefined;
  /** Times it did not. */
  readonly attempts: number;
}

/** What the machine remembers within a state: column `state_context`. */
export interface JobContext {
  /** Present in states that leave a run. */
  readonly ending: Ending | undefined;
  /** Present while slots are missing, or a start, an adoption or a stop is repeated. */
  readonly waiting: Waiting | undefined;
  /** An attempt (start, stop, recovery) is repeated then. */
  readonly retryAtMs: number | undefined;
  /** Attempts made in this state. */
  readonly attempts: number;
  /** Placement of the run's subtasks; undefined: not placed yet. Stored before workers hear of it, so that a new leader adopts them. */
  readonly placement: readonly PlacedWorker[] | undefined;
  /** Whether the state's time, or that of its phase, has begun anew once because nobody ran the machine. */
  readonly renewed: boolean;
  /** Vertices of the program; 0: not compiled yet. */
  readonly vertices: number;
  /** `Desired.launchKey` of the newest run. */
  readonly launchKey: string;
  /** Whether workers of the newest run may exist. */
  readonly live: boolean;
  /** Since when the job is in `running` without a failure; undefined: it is not. */
  readonly runningSinceMs: number | undefined;
  /** Checkpoint interval that the run was told. */
  readonly checkpointIntervalMs: number;
  /** `Desired.ignoreStateBeforeEpoch` when the newest run was made. */
  readonly ignoreStateBeforeEpoch: number | undefined;
  /** Present while the next run's workers come up or wait beside the newest run. */
  readonly prepared: PreparedRun | undefined;
  /** Without doubles, ascending by fence. */
  readonly leftovers: readonly Leftover[];
  /** Build of the newest run's workers. */
  readonly build: string;
  /** The build that completed a checkpoint last; undefined: none did. A run of another one is on trial. */
  readonly goodBuild: string | undefined;
  /** The wanted build, if it was on trial and failed: until the wish changes `goodBuild` is used. */
  readonly rejectedBuild: string | undefined;
  /** Highest fence that was given to a run, prepared ones included; 0: that of the newest run. */
  readonly lastFence: number;
}

/** A job. */
export interface Job {
  readonly id: JobId;
  /** Made by the editor: never restarted, stopped at its `ttlMs`. */
  readonly preview: boolean;
  /** Time from the first start to the stop; undefined: none. */
  readonly ttlMs: number | undefined;
  readonly desired: Desired;
  readonly state: JobState;
  readonly stateChangedAtMs: number;
  /** When the state must have been left; undefined: it may last. */
  readonly stateDeadlineAtMs: number | undefined;
  readonly context: JobContext;
  /** `desired.revision` that the state takes account of. */
  readonly observedRevision: number;
  /** `desired.restartNonce` that has been acted on. */
  readonly observedRestartNonce: number;
  /** The newest run; undefined: there was none. */
  readonly run: RunReference | undefined;
  /** Of the newest run. */
  readonly parallelism: number | undefined;
  /** Subtasks of all operators of the newest run. */
  readonly tasks: number | undefined;
  /** Failures in a row since it was last healthy. */
  readonly restarts: number;
  /** Newest complete epoch; 0: none. */
  readonly epoch: number;
  /** Content hash of the compiled module. */
  readonly artifact: string | undefined;
  readonly startedAtMs: number | undefined;
  /** When it stopped, finished or failed. */
  readonly finishedAtMs: number | undefined;
  /** Why it failed or recovers; kept until it runs or stops. */
  readonly failure: ErrorRecord | undefined;
}

/** Durations and counts that bound a job, from the settings. All in milliseconds. */
export interface JobLimits {
  /** `compiler.timeout`. */
  readonly compileMs: number;
  /** `pipeline.worker-startup-time`. */
  readonly workerStartupMs: number;
  /** `pipeline.task-startup-time`. */
  readonly taskStartupMs: number;
  /** `checkpoint.timeout`. */
  readonly checkpointMs: number;
  /** Time workers have to end before they are killed, and to be gone afterwards. */
  readonly stopMs: number;
  /** `pipeline.healthy-duration`. */
  readonly healthyMs: number;
  /** `pipeline.allowed-restarts`. */
  readonly allowedRestarts: number;
  /** First and longest wait before a repetition; it doubles in between. */
  readonly backoffMs: number;
  /** See `backoffMs`. */
  readonly maxBackoffMs: number;
  /** Time the next run's workers have to come up beside the running one; 0: a run is always left before the next is started. */
  readonly prepareMs: number;
}

/** Limits that are not settings, with Arroyo's values. */
export const FIXED_LIMITS = { stopMs: 60_000, backoffMs: 500, maxBackoffMs: 60_000, prepareMs: 60_000 } as const;

const JOB_PREFIX = "job_";

/** The id of a job's run: the job's own characters, `r` and the fence, so that it can be derived and read. */
export function runIdOf(job: JobId, fence: number): RunId {
  return `run_${job.slice(JOB_PREFIX.length)}r${fence}` as RunId;
}

/** The context of a job that has no run. */
export const NO_CONTEXT: JobContext = {
  ending: undefined,
  waiting: undefined,
  retryAtMs: undefined,
  attempts: 0,
  renewed: false,
  vertices: 0,
  placement: undefined,
  launchKey: "",
  live: false,
  runningSinceMs: undefined,
  checkpointIntervalMs: 0,
  ignoreStateBeforeEpoch: undefined,
  prepared: undefined,
  leftovers: [],
  build: "",
  goodBuild: undefined,
  rejectedBuild: undefined,
  lastFence: 0,
};

/** A job that the API has just made. */
export function newJob(init: Pick<Job, "id" | "preview" | "ttlMs" | "desired">, nowMs: number): Job {
  return {
    ...init,
    state: "created",
    stateChangedAtMs: nowMs,
    stateDeadlineAtMs: undefined,
    context: NO_CONTEXT,
    observedRevision: 0,
    observedRestartNonce: init.desired.restartNonce,
    run: undefined,
    parallelism: undefined,
    tasks: undefined,
    restarts: 0,
    epoch: 0,
    artifact: undefined,
    startedAtMs: undefined,
    finishedAtMs: undefined,
    failure: undefined,
  };
}

/** The build that the next run's workers shall have. */
export function wantedBuild({ desired, context }: Job): string {
  return desired.build === context.rejectedBuild ? (context.goodBuild ?? desired.build) : desired.build;
}

/** Whether a prepared run is what the user wants now. */
export function isPreparedFor(job: Job, { parallelism, launchKey, restartNonce, build }: PreparedRun): boolean {
  const { desired } = job;
  const same = desired.parallelism === parallelism && desired.launchKey === launchKey && desired.restartNonce === restartNonce;
  return same && wantedBuild(job) === build;
}

/** The fence of the job's next run: one above all that were ever given. */
export function nextFence({ run, context }: Job): number {
  return Math.max(run?.fence ?? 0, context.lastFence) + 1;
}

/**
 * Whether workers of the run with `fence` are wanted: if not they are to be `Fenced` when they speak. If so, and the run's machine does not
 * exist yet, they are to try again later.
 */
export function isRunWanted({ state, context, run }: Job, fence: number): boolean {
  if (context.prepared?.run.fence === fence) return true;
  if (run?.fence !== fence || !context.live) return false;
  if (state === "scheduling" || state === "running") return true;
  return context.ending?.phase === "run" || context.ending?.phase === "closing";
}
