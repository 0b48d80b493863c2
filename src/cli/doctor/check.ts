/**
 * The contract of `wadi doctor`: a check looks at one thing and says in one sentence what it found and, if that is bad, in another what to do.
 * A check changes nothing for good; what it makes (a probe object, a probe job) it removes itself, also when its time is over.
 */
import type { Clock } from "../../core/clock.ts";

/** How one thing is. `warn`: it works, with a limit worth knowing; `skip`: it was not looked at. */
export type Verdict = "ok" | "warn" | "fail" | "skip";

/** What a check found. */
export interface Finding {
  readonly verdict: Verdict;
  /** What is so; with `warn` and `fail` the cause. Lower case, no full stop, objects named. */
  readonly says: string;
  /** What to do, as a sentence; present with `warn` and `fail`. */
  readonly fix?: string | undefined;
}

/** One thing to look at. */
export interface Check {
  /** Lower-case words with dashes, unique: what other checks and programs name it by. */
  readonly id: string;
  /** For people: what is looked at, such as "Nomad leader". */
  readonly title: string;
  /** Milliseconds after which the check is given up. */
  readonly limitMs: number;
  /** Checks without which this one can find nothing: it is skipped if one of them failed or was skipped. */
  readonly needs?: readonly string[];
  /** What to do if it is given up, as a sentence. */
  readonly ifSilent: string;
  /** Looks. What it throws counts as a failure with the error's own words. The signal is aborted when its time is over. */
  run(signal: AbortSignal): Promise<Finding>;
}

/** How to look. */
export interface DoctorOptions {
  readonly clock: Clock;
  /** Whether a short job may be started to look from a node. */
  readonly probe: boolean;
}

/** Nothing to mend. */
export function ok(says: string): Finding {
  return { verdict: "ok", says };
}

/** It works, but `says`. */
export function warn(says: string, fix: string): Finding {
  return { verdict: "warn", says, fix };
}

/** It does not work because `says`. */
export function fail(says: string, fix: string): Finding {
  return { verdict: "fail", says, fix };
}

/** It was not looked at because `says`. */
export function skip(says: string): Finding {
  return { verdict: "skip", says };
}
