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

/** What some work gave, and the phase that it was. */
export interface Timed<T> {
  readonly result: T;
  readonly span: PhaseTiming;
}

/** What `work` gives, and the phase that it was. `bytes` is asked for at its end. */
export async function timed<T>(
  phase: PhaseTiming["phase"],
  clock: Clock,
  work: () => Promise<T>,
  bytes: () => number = () => 0,
): Promise<Timed<T>> {
  const begin = momentOf(clock);
  const result = await work();
  return { result, span: phaseSince(phase, begin, clock.elapsedMs(), bytes()) };
}
