/** The newest progress of each slot of a run, and samples of it at the controller's pace. */
import type { Heartbeat } from "../gen/controller.ts";
import { type HeardSlot, type RunSample, sampleRun } from "./measurements.ts";

/** See the file's comment. */
export class RunMeter {
  readonly #newest = new Map<number, HeardSlot>();
  #sampled: ReadonlyMap<number, HeardSlot> = new Map();
  #fresh = false;

  /** `atMs`: elapsed milliseconds. */
  heard(heartbeat: Heartbeat, atMs: number): void {
    for (const progress of heartbeat.slots) this.#newest.set(progress.subtask, { atMs, progress });
    this.#fresh ||= heartbeat.slots.length > 0;
  }

  /** The newest measurements; undefined if nothing has been heard since the last sample. */
  sample(): RunSample | undefined {
    if (!this.#fresh) return undefined;
    this.#fresh = false;
    const sample = sampleRun([...this.#newest.values()], this.#sampled);
    this.#sampled = new Map(this.#newest);
    return sample;
  }
}
