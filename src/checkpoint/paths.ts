/**
 * Names of checkpoint files. Everything of a job lies below `checkpoints/<job>/`, everything written for an epoch in a folder of its number.
 * Names carry fence and run, so that a run that was given up can never overwrite a file of its successor.
 */
import { assert } from "../core/assert.ts";

/** The run that writes: its fence (u64, grows with every run of the job) and its id. */
export interface RunIdentity {
  readonly fence: bigint;
  readonly run: string;
}

/** `checkpoints/<job>/`. Throws `invariant` for a job that is no plain name. */
export function jobFolder(job: string): string {
  return `checkpoints/${plain(job)}/`;
}

/** `checkpoints/<job>/<epoch>/`; `epoch` from 1. */
export function epochFolder(job: string, epoch: number): string {
  assert(Number.isSafeInteger(epoch) && epoch >= 1, `${epoch} is no epoch`);
  return `${jobFolder(job)}${epoch}/`;
}

/** Where the manifest of an epoch is, as its run writes it. */
export function manifestPath(job: string, epoch: number, by: RunIdentity): string {
  return `${epochFolder(job, epoch)}manifest-${by.fence}-${plain(by.run)}`;
}

/** Where the segments that changed in an epoch are. */
export function tableFilePath(job: string, epoch: number, by: RunIdentity, vertex: number, subtask: number): string {
  return `${epochFolder(job, epoch)}table-${vertex}-${subtask}-${by.fence}-${plain(by.run)}`;
}

/** Where the list of complete epochs is, for `wadi run`. */
export function completionPath(job: string): string {
  return `${jobFolder(job)}latest`;
}

/** The epoch in whose folder `path` lies, `undefined` if it lies in none of `job`. */
export function epochOfPath(job: string, path: string): number | undefined {
  const folder = jobFolder(job);
  if (!path.startsWith(folder)) return undefined;
  const match = /^([1-9][0-9]{0,14})\/./.exec(path.slice(folder.length));
  return match === null ? undefined : Number(match[1]);
}

function plain(name: string): string {
  assert(/^[A-Za-z0-9_-]{1,100}$/.test(name), `"${name}" is not a plain name`);
  return name;
}
