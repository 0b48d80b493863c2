/**
 * Which checkpoint files may go. The newest few complete epochs are kept; a file is deleted only if no kept manifest, pending commit or
 * savepoint refers to it, whatever epoch it was written in. The planner is pure; `GarbageCollector` performs its plan.
 *
 * Invariant: nothing of the newest complete epoch or later is ever touched: a running epoch writes there, and may refer to files of attempts
 * that did not complete.
 */
import { assert } from "../core/assert.ts";
import type { ObjectStore } from "../storage/object-store.ts";
import { type CompleteEpoch, forgetEpochs, loadManifest, readCompletion } from "./completion.ts";
import { epochOfPath, jobFolder, type RunIdentity } from "./paths.ts";

/** Complete epochs that are kept by default. */
export const DEFAULT_RETAINED_EPOCHS = 5;

/** A kept epoch with everything its manifest refers to. */
export interface KeptEpoch {
  readonly epoch: number;
  readonly manifest: string;
  readonly files: readonly string[];
}

/** Splits complete epochs (oldest first) into those to keep (the newest `keep` ≥ 1 and the `pinned` ones) and those to forget. */
export function chooseKept<E extends { readonly epoch: number }>(
  complete: readonly E[],
  keep: number,
  pinned: ReadonlySet<number> = new Set(),
): { readonly kept: readonly E[]; readonly forgotten: readonly E[] } {
  assert(Number.isSafeInteger(keep) && keep >= 1, `${keep} epochs cannot be kept`);
  const firstKept = Math.max(0, complete.length - keep);
  const isKept = ({ epoch }: E, index: number) => index >= firstKept || pinned.has(epoch);
  return { kept: complete.filter(isKept), forgotten: complete.filter((entry, index) => !isKept(entry, index)) };
}

/** What the planner decides on. */
export interface RetentionFacts {
  readonly job: string;
  /** All kept epochs, oldest first. */
  readonly kept: readonly KeptEpoch[];
  /** Paths of all objects of the job. */
  readonly objects: readonly string[];
  /** Paths that pending commits, savepoints or forks need. */
  readonly protectedPaths: ReadonlySet<string>;
  /** The oldest epoch that the current run has begun or may still begin; nothing from there on is touched. */
  readonly oldestInFlight: number;
}

/** Paths to delete, in the given order: of forgotten epochs and of those that never completed. Nothing while no epoch is complete. */
export function planDeletions(facts: RetentionFacts): readonly string[] {
  const newest = facts.kept.at(-1);
  if (newest === undefined) return [];
  const limit = Math.min(newest.epoch, facts.oldestInFlight);
  const needed = new Set(facts.protectedPaths);
  for (const { manifest, files } of facts.kept) {
    needed.add(manifest);
    for (const file of files) needed.add(file);
  }
  return facts.objects.filter((path) => {
    const epoch = epochOfPath(facts.job, path);
    return epoch !== undefined && epoch < limit && !needed.has(path);
  });
}

/** What to collect. */
export interface CollectionRequest {
  readonly job: string;
  /** The run that owns the job. */
  readonly by: RunIdentity;
  /** 5 by default. */
  readonly keep?: number;
  readonly pinned?: ReadonlySet<number>;
  readonly protectedPaths?: ReadonlySet<string>;
  readonly oldestInFlight: number;
}

/** What went. */
export interface CollectionResult {
  readonly forgotten: readonly number[];
  readonly deleted: readonly string[];
}

/**
 * Forgets old epochs and deletes what nothing refers to. Forgets first, so that a crash in between leaves files too many, never a listed
 * epoch without its files; idempotent, the next call finishes the work. If a kept manifest cannot be read its references are unknown: the
 * error is thrown and nothing is deleted. Throws `fenced` if `by` does not own the job. One instance per run: it remembers manifests' files.
 */
export class GarbageCollector {
  readonly #store: ObjectStore;
  /** By the manifest's checksum. */
  readonly #references = new Map<string, readonly string[]>();

  constructor(store: ObjectStore) {
    this.#store = store;
  }

  async collect(request: CollectionRequest): Promise<CollectionResult> {
    const { job, by, oldestInFlight } = request;
    const record = await readCompletion(this.#store, job);
    const { kept, forgotten } = chooseKept(record?.epochs ?? [], request.keep ?? DEFAULT_RETAINED_EPOCHS, request.pinned);
    const references: KeptEpoch[] = [];
    for (const entry of kept) references.push({ epoch: entry.epoch, manifest: entry.manifest, files: await this.#filesOf(job, entry) });
    await forgetEpochs(this.#store, job, by, new Set(forgotten.map(({ epoch }) => epoch)));
    for (const { checksum } of forgotten) this.#references.delete(checksum);

    const objects: string[] = [];
    for await (const { path } of this.#store.list(jobFolder(job))) objects.push(path);
    const protectedPaths = request.protectedPaths ?? new Set<string>();
    const deleted = planDeletions({ job, kept: references, objects, protectedPaths, oldestInFlight });
    for (const path of deleted) await this.#store.delete(path);
    return { forgotten: forgotten.map(({ epoch }) => epoch), deleted };
  }

  async #filesOf(job: string, entry: CompleteEpoch): Promise<readonly string[]> {
    let files = this.#references.get(entry.checksum);
    if (files === undefined) {
      files = (await loadManifest(this.#store, job, entry)).files.map(({ path }) => path);
      this.#references.set(entry.checksum, files);
    }
    return files;
  }
}
