/** The newest progress of each slot of a run, and samples of it at the controller's pace. */
import type { Heartbeat } from "../gen/controller.ts";
import { type HeardSlot, type RunSample, sampleRun } from "./measurements.ts";

const TELL_MS = 60_000;

/** See the file's comment. */
export class RunMeter {
  readonly #newest = new Map<number, HeardSlot>();
  #sampled: ReadonlyMap<number, HeardSlot> = new Map();
  #fresh = false;
  /** Of each worker, since its start. */
  readonly #bad = new Map<string, number>();
  #told: { readonly rows: number; readonly atMs: number } = { rows: 0, atMs: Number.NEGATIVE_INFINITY };

  /** `atMs`: elapsed milliseconds. */
  heard(worker: string, heartbeat: Heartbeat, atMs: number): void {
    this.#bad.set(worker, Number(heartbeat.badRows));
    for (const progress of heartbeat.slots) this.#newest.set(progress.subtask, { atMs, progress });
    this.#fresh ||= heartbeat.slots.length > 0;
  }

  /** Rows that could not be read or computed since this was asked last; at most once a minute, 0 if there is nothing to tell. */
  takeBadRows(atMs: number): number {
    const rows = [...this.#bad.values()].reduce((sum, count) => sum + count, 0);
    if (rows <= this.#told.rows || atMs - this.#told.atMs < TELL_MS) return 0;
    const fresh = rows - this.#told.rows;
    this.#told = { rows, atMs };
    return fresh;
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
