/**
 * The table of the job state machine: which event means something in which state, which states may follow, and how long a state may last.
 * Total: what is not handled is named as ignored. `step.ts` reads it, a test walks through it.
 *
 * A change of the user's wishes is looked at after every event in every state (`desire.ts`), so it is handled everywhere.
 */
import type { JobEvent } from "./event.ts";
import type { Ending, JobLimits, JobState } from "./job.ts";

/** Whether an event can change anything in a state. */
export type Answer = "handled" | "ignored";

/** Kinds of events; reports of a run are told apart. */
export type EventName =
  | Exclude<JobEvent["kind"], "run">
  | "run placed"
  | "run running"
  | "run epoch-complete"
  | "run ending"
  | "run leaving"
  | "run drained"
  | "run closed"
  | "run failed"
  | "run lost"
  | "run prepared";

/** Events that mean the same in all states. */
const EVERYWHERE = {
  loaded: "handled",
  "desired-changed": "handled",
  tick: "handled",
  "scheduler-back": "handled",
  "run epoch-complete": "handled",
} as const;

const NOTHING = {
  compiled: "ignored",
  "compile-failed": "ignored",
  "workers-accepted": "ignored",
  "not-enough-slots": "ignored",
  "placement-blocked": "ignored",
  "start-failed": "ignored",
  "stop-failed": "ignored",
  "workers-gone": "ignored",
  drain: "ignored",
  "run placed": "ignored",
  "run running": "ignored",
  "run ending": "ignored",
  "run leaving": "ignored",
  "run drained": "ignored",
  "run closed": "ignored",
  "run failed": "ignored",
  "run lost": "ignored",
  "run prepared": "ignored",
} as const;

type Row = Readonly<Record<EventName, Answer>>;

/** Without a run, or with one that is over. Workers that were given up may still come to their end. */
const AT_REST: Row = { ...EVERYWHERE, ...NOTHING, "stop-failed": "handled", "workers-gone": "handled" };
/** The run is told to stop and may still do anything. */
const LEAVING: Row = {
  ...EVERYWHERE,
  ...NOTHING,
  "start-failed": "handled",
  "stop-failed": "handled",
  "workers-gone": "handled",
  "run drained": "handled",
  "run closed": "handled",
  "run failed": "handled",
  "run lost": "handled",
};

/** State × event. */
export const ANSWERS: Readonly<Record<JobState, Row>> = {
  created: { ...EVERYWHERE, ...NOTHING },
  compiling: { ...EVERYWHERE, ...NOTHING, compiled: "handled", "compile-failed": "handled" },
  scheduling: {
    ...EVERYWHERE,
    ...NOTHING,
    "workers-accepted": "handled",
    "not-enough-slots": "handled",
    "placement-blocked": "handled",
    "start-failed": "handled",
    drain: "handled",
    "run placed": "handled",
    "run running": "handled",
    "run leaving": "handled",
    "run failed": "handled",
    "run lost": "handled",
  },
  running: {
    ...EVERYWHERE,
    ...NOTHING,
    "start-failed": "handled",
    drain: "handled",
    "run ending": "handled",
    "run leaving": "handled",
    "run drained": "handled",
    "run closed": "handled",
    "run failed": "handled",
    "run lost": "handled",
  },
  rescaling: LEAVING,
  restarting: LEAVING,
  "checkpoint-stopping": LEAVING,
  stopping: LEAVING,
  stopped: AT_REST,
  finishing: LEAVING,
  finished: AT_REST,
  recovering: { ...AT_REST },
  failing: { ...AT_REST },
  failed: AT_REST,
};

/** Runs besides the newest one, whatever the state. */
export const ANSWERS_BESIDES: Readonly<Record<"prepared" | "leftover", Omit<Row, keyof typeof EVERYWHERE>>> = {
  prepared: {
    ...NOTHING,
    "not-enough-slots": "handled",
    "placement-blocked": "handled",
    "start-failed": "handled",
    drain: "handled",
    "run failed": "handled",
    "run lost": "handled",
    "run prepared": "handled",
  },
  leftover: { ...NOTHING, "stop-failed": "handled", "workers-gone": "handled" },
};

/** Which states may follow. */
export const SUCCESSORS: Readonly<Record<JobState, readonly JobState[]>> = {
  created: ["compiling", "stopped"],
  compiling: ["scheduling", "stopped", "recovering", "failing"],
  scheduling: ["running", "stopping", "restarting", "rescaling", "recovering", "failing"],
  running: ["checkpoint-stopping", "stopping", "finishing", "rescaling", "restarting", "recovering", "failing"],
  rescaling: ["scheduling", "checkpoint-stopping", "stopping", "finishing", "recovering", "failing"],
  restarting: ["scheduling", "checkpoint-stopping", "stopping", "finishing", "recovering", "failing"],
  "checkpoint-stopping": ["stopped", "stopping", "finishing", "failing"],
  stopping: ["stopped", "finishing", "failing"],
  stopped: ["compiling"],
  finishing: ["finished", "stopping", "recovering", "failing"],
  finished: [],
  recovering: ["compiling", "stopping", "stopped"],
  failing: ["failed"],
  failed: ["compiling"],
};

/** How long a state may last and what happens afterwards. States that leave a run have a limit for each phase of it: `PHASE_LIMITS`. */
export interface StateLimit {
  /** The limit that counts. */
  readonly limit: keyof JobLimits;
  /** What follows when it is over. */
  readonly afterwards: string;
}

/** Limits of transient states that do not leave a run; `created` is left at once, the others by the phase of their ending. */
export const STATE_LIMITS = {
  compiling: { limit: "compileMs", afterwards: "recovering" },
  scheduling: { limit: "workerStartupMs", afterwards: "recovering; once subtasks are placed they have taskStartupMs" },
} as const satisfies Partial<Record<JobState, StateLimit>>;

/** Limits of the phases of an ending. The phase `run` of `stopping` has `stopMs`, in the other states it has `checkpointMs`. */
export const PHASE_LIMITS: Readonly<Record<Ending["phase"], StateLimit>> = {
  run: {
    limit: "checkpointMs",
    afterwards: "checkpoint-stopping: stopping, at once; stopping: killing; finishing: recovering; others: killing",
  },
  closing: { limit: "stopMs", afterwards: "workers" },
  workers: { limit: "stopMs", afterwards: "killing" },
  killing: { limit: "stopMs", afterwards: "the state's end, workers are taken for dead: they are fenced, and stopped again later" },
  backoff: { limit: "maxBackoffMs", afterwards: "compiling" },
};

/** The name of an event in the table. */
export function eventName(event: JobEvent): EventName {
  return event.kind === "run" ? `run ${event.report.kind}` : event.kind;
}
