/**
 * The machine of one run, one generation of workers: who has registered, who runs what, who is alive, which epochs are under way, how it ends.
 * Pure. What is decided about epochs is in `coordinator.ts`.
 */
import type { Adoption, RunConfig, RunEffect, RunEvent } from "./run-event.ts";

/** A run as its machine sees it. Never stored: a new leader builds it anew with `adoptRun`. */
export interface Run {
  readonly config: RunConfig;
}

/** A step's result. */
export interface RunStep {
  readonly run: Run;
  readonly effects: readonly RunEffect[];
}

/** A run none of whose workers has registered. */
export function startRun(config: RunConfig, nowMs: number): RunStep {
  void nowMs;
  return { run: { config }, effects: [] };
}

/** A run that another controller has led: its workers register again and it goes on; if one does not come back in time, the run is lost. */
export function adoptRun(config: RunConfig, adoption: Adoption, nowMs: number): RunStep {
  void nowMs, adoption;
  return { run: { config }, effects: [] };
}

/** What follows from `event` at `nowMs`. Effects may be performed in any order and at the same time, but for `complete` and `retain`. */
export function stepRun(run: Run, event: RunEvent, nowMs: number): RunStep {
  void event, nowMs;
  return { run, effects: [] };
}

/** When the machine wants a `tick` without anything else happening; undefined: never. */
export function runWakeAtMs(run: Run): number | undefined {
  void run;
  return undefined;
}
