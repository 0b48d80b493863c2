/**
 * What an object store still knows of pipelines whose database is lost: for each job that has checkpoints its description, the newest epoch that
 * can be restored, and what is wrong. Reading only.
 */
import { type CompletionRecord, findRestorePoint, type RestorePoint, readCompletion } from "../../checkpoint/completion.ts";
import { type JobDescription, readDescription } from "../../checkpoint/description.ts";
import { type AppError, toAppError } from "../../core/errors.ts";
import type { ObjectStore } from "../../storage/object-store.ts";

const CHECKPOINTS = "checkpoints/";

/** What is there for a job. */
export interface FoundJob {
  readonly id: string;
  /** URL of the store it was found in, as it was given. */
  readonly from: string;
  readonly description: JobDescription | undefined;
  readonly record: CompletionRecord | undefined;
  /** Undefined: no epoch was complete, or none can be restored. */
  readonly restore: RestorePoint | undefined;
  /** Why it cannot be recovered; undefined: it can. */
  readonly refused: string | undefined;
  /** What is to be said although it can. */
  readonly notes: readonly string[];
}

/** Jobs that have a folder in the store, by id. */
async function jobsIn(store: ObjectStore): Promise<string[]> {
  const ids = new Set<string>();
  for await (const { path } of store.list(CHECKPOINTS)) {
    const id = /^([A-Za-z0-9_-]{1,100})\/./.exec(path.slice(CHECKPOINTS.length))?.[1];
    if (id !== undefined) ids.add(id);
  }
  return [...ids].sort();
}

/** Something that is broken for good is a finding; an outage is an error. */
async function orFinding<T>(read: () => Promise<T>): Promise<T | { readonly finding: AppError }> {
  try {
    return await read();
  } catch (error) {
    const known = toAppError(error);
    if (!["not-found", "checksum-mismatch", "version-mismatch"].includes(known.code)) throw known;
    return { finding: known };
  }
}

function isFinding(value: unknown): value is { readonly finding: AppError } {
  return typeof value === "object" && value !== null && "finding" in value;
}

async function look(store: ObjectStore, from: string, id: string): Promise<FoundJob> {
  const nothing = { id, from, description: undefined, record: undefined, restore: undefined, notes: [] };
  const description = await orFinding(() => readDescription(store, id));
  if (isFinding(description)) return { ...nothing, refused: description.finding.message };
  if (description === undefined)
    return { ...nothing, refused: "it has no description: it is of wadi run, or of a release that wrote none" };
  if (description.job.id !== id) return { ...nothing, refused: `its description is that of job "${description.job.id}"` };
  const record = await orFinding(() => readCompletion(store, id));
  if (isFinding(record)) return { ...nothing, description, refused: record.finding.message };
  const restore = await orFinding(() => findRestorePoint(store, id));
  if (isFinding(restore)) return { ...nothing, description, record, refused: restore.finding.message };
  const skipped = (restore?.skipped ?? []).map(({ epoch, error }) => `epoch ${epoch} is broken and not used: ${error.message}`);
  const notes = restore === undefined ? ["no epoch was complete: it begins anew"] : skipped;
  return { id, from, description, record, restore, refused: undefined, notes };
}

/** All jobs of the store at `from`, by id. Throws what the store throws if it cannot be read. */
export async function findJobs(store: ObjectStore, from: string): Promise<readonly FoundJob[]> {
  const found: FoundJob[] = [];
  for (const id of await jobsIn(store)) found.push(await look(store, from, id));
  return found;
}
