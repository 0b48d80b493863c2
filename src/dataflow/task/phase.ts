/** Taking the time of a checkpoint's phases: wall time says when, the monotonic clock says how long. */
import type { Clock } from "../../core/clock.ts";
import type { PhaseTiming } from "../slot-contract.ts";

/** A point in time on both clocks. */
export interface Moment {
  readonly ns: bigint;
  readonly ms: number;
}

/** Now. */
export function momentOf(clock: Clock): Moment {
  return { ns: clock.nowNs(), ms: clock.elapsedMs() };
}

/** The phase that began at `begin` and ended at `endMs` (elapsed milliseconds). */
export function phaseSince(phase: PhaseTiming["phase"], begin: Moment, endMs: number, bytes: number): PhaseTiming {
  return { phase, startedAtNs: begin.ns, durationMs: Math.max(0, endMs - begin.ms), bytes };
}
