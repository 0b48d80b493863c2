/**
 * What a user may do next with a job, as Arroyo decides it from the state and from what is wanted: the text of the button, the value of `stop`
 * behind it, and whether something is going on. The table is that of reference/arroyo-features.md §9.
 */
import type { StopMode } from "../db/pipelines.ts";

/** The next action. */
export interface JobAction {
  readonly text: string;
  /** Undefined: there is nothing to do now. */
  readonly stop: StopMode | undefined;
  readonly inProgress: boolean;
}

function action(text: string, stop: StopMode | undefined, inProgress: boolean): JobAction {
  return { text, stop, inProgress };
}

const STOP = action("Stop", "checkpoint", true);
const STOPPING = action("Stopping", undefined, true);
const START = action("Start", "none", false);
const FORCE_STOP = action("Force Stop", "immediate", true);

/** Actions by state in kebab-case: of a job that is wanted to run, and of one that is not. */
const ACTIONS: Readonly<Record<string, readonly [wanted: JobAction, unwanted: JobAction]>> = {
  created: [STOP, START],
  compiling: [STOP, STOPPING],
  scheduling: [STOP, STOPPING],
  running: [action("Stop", "checkpoint", false), STOPPING],
  rescaling: [STOP, STOPPING],
  recovering: [STOP, STOPPING],
  restarting: [STOP, STOPPING],
  "checkpoint-stopping": [FORCE_STOP, FORCE_STOP],
  stopping: [action("Stopping", "checkpoint", true), STOPPING],
  stopped: [action("Starting", undefined, true), START],
  finishing: [action("Finishing", undefined, true), action("Finishing", undefined, true)],
  finished: [action("Finished", undefined, false), action("Finished", undefined, false)],
  failing: [action("Failing", undefined, true), action("Failing", undefined, true)],
  failed: [action("Failed", undefined, false), START],
};

/** States in which nothing of a job runs and nothing changes by itself. */
export const TERMINAL_STATES: readonly string[] = ["stopped", "finished", "failed"];

/** The action for a job in `state` (kebab-case); `wanted`: it is to run. A state that this build does not know has none. */
export function jobAction(state: string, wanted: boolean): JobAction {
  return ACTIONS[state]?.[wanted ? 0 : 1] ?? action(stateName(state), undefined, true);
}

/** The state as Arroyo writes it: "checkpoint-stopping" is `CheckpointStopping`. */
export function stateName(state: string): string {
  return state.replace(/(?:^|-)([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/** All states, as Arroyo writes them. */
export const JOB_STATES: readonly string[] = Object.keys(ACTIONS).map(stateName);

/** The state in kebab-case, as rows have it; `undefined` if there is none of that name. */
export function kebabState(name: string): string | undefined {
  return Object.keys(ACTIONS).find((state) => stateName(state) === name || state === name);
}
