/**
 * Which epochs count, for jobs without a database (`wadi run`): one small record, `checkpoints/<job>/latest`, replaced atomically after an
 * epoch's manifest is durable. It lists the complete epochs with their manifests' checksums and the fence of the run that owns the job.
 *
 * One process at a time owns the job (the state directory's lock sees to that); the fence catches one that was given up. On a cluster the
 * same record is a table row in Postgres.
 */
import { z } from "zod";
import { assert } from "../core/assert.ts";
import { type AppError, type ErrorCode, externalError, internalError, toAppError } from "../core/errors.ts";
import type { ObjectStore } from "../storage/object-store.ts";
import type { Manifest } from "./manifest.ts";
import { encodeManifest, parseManifest } from "./manifest-codec.ts";
import { completionPath, jobFolder, manifestPath, type RunIdentity } from "./paths.ts";
import { type SealedFormat, seal, sha256, unseal } from "./sealed.ts";

/** An epoch that counts. */
export interface CompleteEpoch extends RunIdentity {
  readonly epoch: number;
  /** Path of its manifest. */
  readonly manifest: string;
  /** SHA-256 of the manifest's bytes in hex. */
  readonly checksum: string;
}

/** The record: the run that owns the job and the complete epochs, oldest first. */
export interface CompletionRecord extends RunIdentity {
  readonly job: string;
  readonly epochs: readonly CompleteEpoch[];
}

/** An epoch that could not be used, and why. */
export interface SkippedEpoch {
  readonly epoch: number;
  readonly manifest: string;
  readonly error: AppError;
}

/** What a run starts from. `skipped`: newer epochs, newest first; not empty means that work is repeated, which the user has to be told. */
export interface RestorePoint {
  readonly entry: CompleteEpoch;
  readonly manifest: Manifest;
  readonly skipped: readonly SkippedEpoch[];
}

const UNREADABLE: ReadonlySet<ErrorCode> = new Set(["not-found", "checksum-mismatch", "version-mismatch"]);

const u64 = z
  .string()
  .regex(/^[0-9]{1,20}$/)
  .transform(BigInt);
const epochEntry = z.strictObject({
  epoch: z.number().int().min(1),
  manifest: z.string(),
  checksum: z.string(),
  fence: u64,
  run: z.string(),
});
const recordBody = z.strictObject({ job: z.string(), fence: u64, run: z.string(), epochs: z.array(epochEntry) });
const RECORD: SealedFormat<z.infer<typeof recordBody>> = { format: "wadi-completion", version: 1, schema: recordBody };

/** The job's record, `undefined` if there never was one. An unreadable record is an error, not a fresh start. */
export async function readCompletion(store: ObjectStore, job: string): Promise<CompletionRecord | undefined> {
  const path = completionPath(job);
  if ((await store.head(path)) === undefined) return undefined;
  return unseal(RECORD, await store.get(path), path);
}

/**
 * Makes `by` the job's owner. Complete epochs newer than `restored` are dropped from the list: the new run goes on from there and will
 * count the same numbers again; `undefined` keeps none. Throws `fenced` if a run with the same or a higher fence owns the job.
 */
export async function takeOver(store: ObjectStore, job: string, by: RunIdentity, restored: number | undefined): Promise<CompletionRecord> {
  const record = await readCompletion(store, job);
  if (record !== undefined && record.fence >= by.fence) throw fenced(job, by, record);
  const epochs = (record?.epochs ?? []).filter(({ epoch }) => restored !== undefined && epoch <= restored);
  assert(restored === undefined || epochs.at(-1)?.epoch === restored, `epoch ${restored} of job "${job}" is not complete`);
  return writeRecord(store, { job, fence: by.fence, run: by.run, epochs });
}

/**
 * Makes `by` the job's owner and keeps what counts: from now on no earlier run completes an epoch. Called again by the owner it changes
 * nothing. Throws `fenced` if a run with a higher fence, or another one with the same, owns the job.
 *
 * `witnessed`: epochs that somebody who led was told to count, oldest first. A store has no compare-and-set that all of them offer: a leader that
 * was stopped in the middle of its write and wakes up after another has led may have put back an older list. What the owner before completed
 * behind the end of the list is put back on it.
 */
export async function claimJob(
  store: ObjectStore,
  job: string,
  by: RunIdentity,
  witnessed: readonly CompleteEpoch[] = [],
): Promise<CompletionRecord> {
  const record = await readCompletion(store, job);
  const last = record?.epochs.at(-1)?.epoch ?? 0;
  const lost = witnessed.filter(({ epoch, fence, run }) => epoch > last && fence === record?.fence && run === record.run);
  if (record !== undefined && record.fence === by.fence && record.run === by.run && lost.length === 0) return record;
  if (record !== undefined && (record.fence > by.fence || (record.fence === by.fence && record.run !== by.run)))
    throw fenced(job, by, record);
  return writeRecord(store, { job, fence: by.fence, run: by.run, epochs: [...(record?.epochs ?? []), ...lost] });
}

/** Takes complete epochs newer than `restored` off the list (all of them if undefined): the owner counts on from there. Throws `fenced`. */
export async function forgetNewer(
  store: ObjectStore,
  job: string,
  by: RunIdentity,
  restored: number | undefined,
): Promise<CompletionRecord> {
  const record = await readCompletion(store, job);
  if (record === undefined || record.fence !== by.fence || record.run !== by.run) throw fenced(job, by, record);
  const epochs = record.epochs.filter(({ epoch }) => restored !== undefined && epoch <= restored);
  return epochs.length === record.epochs.length ? record : writeRecord(store, { ...record, epochs });
}

/** The fence for the job's next run: one above the last, 1 for the first. */
export function nextFence(record: CompletionRecord | undefined): bigint {
  return (record?.fence ?? 0n) + 1n;
}

/** Stores the manifest. The epoch does not count yet; its files must be durable. Idempotent. */
export async function writeManifest(store: ObjectStore, manifest: Manifest): Promise<CompleteEpoch> {
  const { job, epoch, fence, run } = manifest;
  const path = manifestPath(job, epoch, manifest);
  const bytes = encodeManifest(manifest);
  await store.put(path, bytes);
  return { epoch, manifest: path, checksum: sha256(bytes), fence, run };
}

/**
 * Makes the epoch count: when this resolves, a restore will use it and sinks may commit. Idempotent. Throws `fenced` if the run does not
 * own the job any more, `invariant` for an epoch that is not newer than the last. `mayWrite` is asked right before the write, and throws if not.
 */
export async function recordComplete(
  store: ObjectStore,
  job: string,
  entry: CompleteEpoch,
  mayWrite: () => void = () => undefined,
): Promise<CompletionRecord> {
  const record = await readCompletion(store, job);
  if (record === undefined || record.fence !== entry.fence || record.run !== entry.run) throw fenced(job, entry, record);
  const last = record.epochs.at(-1);
  if (last?.epoch === entry.epoch && last.checksum === entry.checksum) return record;
  assert(last === undefined || last.epoch < entry.epoch, `epoch ${entry.epoch} of job "${job}" is not newer than epoch ${last?.epoch}`);
  mayWrite();
  return writeRecord(store, { ...record, epochs: [...record.epochs, entry] });
}

/** Takes epochs off the list, before their files are deleted. Throws `fenced` like `recordComplete`. Never takes the newest. */
export async function forgetEpochs(
  store: ObjectStore,
  job: string,
  by: RunIdentity,
  epochs: ReadonlySet<number>,
): Promise<CompletionRecord> {
  const record = await readCompletion(store, job);
  if (record === undefined || record.fence !== by.fence || record.run !== by.run) throw fenced(job, by, record);
  assert(!epochs.has(record.epochs.at(-1)?.epoch ?? 0), `the newest complete epoch of job "${job}" must stay`);
  const kept = record.epochs.filter(({ epoch }) => !epochs.has(epoch));
  return kept.length === record.epochs.length ? record : writeRecord(store, { ...record, epochs: kept });
}

/**
 * The newest complete epoch that can be read, with the newer ones that cannot; `undefined` if no epoch was ever complete. If none can be
 * read, the newest one's error is thrown: starting fresh is the user's choice, not ours.
 */
export async function findRestorePoint(store: ObjectStore, job: string): Promise<RestorePoint | undefined> {
  const record = await readCompletion(store, job);
  const skipped: SkippedEpoch[] = [];
  for (const entry of [...(record?.epochs ?? [])].reverse()) {
    try {
      const manifest = await loadManifest(store, job, entry);
      await checkFiles(store, job, manifest);
      return { entry, manifest, skipped };
    } catch (error) {
      const known = toAppError(error);
      // An outage or a lost permission is no reason to give up work: only what will not become readable is skipped.
      if (!UNREADABLE.has(known.code)) throw known;
      skipped.push({ epoch: entry.epoch, manifest: entry.manifest, error: known });
    }
  }
  const newest = skipped[0];
  if (newest === undefined) return undefined;
  throw externalError(
    newest.error.code,
    `none of the ${skipped.length} complete epochs of job "${job}" can be restored: ${newest.error.message}`,
    {
      retry: "never",
      cause: newest.error,
      detail: skipped.map(({ epoch, error }) => `Epoch ${epoch}: ${error.message}.`).join(" "),
      hint: `Bring back the files below "${jobFolder(job)}", or start without state.`,
    },
  );
}

/** The manifest of a complete epoch, checked against the record and the names it goes by. */
export async function loadManifest(store: ObjectStore, job: string, entry: CompleteEpoch): Promise<Manifest> {
  const bytes = await store.get(entry.manifest);
  const manifest = parseManifest(bytes, entry.manifest);
  const same = manifest.job === job && manifest.epoch === entry.epoch && manifest.fence === entry.fence && manifest.run === entry.run;
  if (same && sha256(bytes) === entry.checksum) return manifest;
  throw externalError("checksum-mismatch", `"${entry.manifest}" is not the manifest that was recorded for epoch ${entry.epoch}`, {
    retry: "never",
  });
}

/** Throws `not-found` or `checksum-mismatch` for the first file that is missing or has another size. Contents are checked when they are read. */
async function checkFiles(store: ObjectStore, job: string, manifest: Manifest): Promise<void> {
  const sizes = new Map<string, number>();
  if (manifest.files.length > 0) for await (const { path, size } of store.list(jobFolder(job))) sizes.set(path, size);
  for (const file of manifest.files) {
    const size = sizes.get(file.path) ?? (await store.head(file.path))?.size;
    const fault = `epoch ${manifest.epoch} needs file "${file.path}" of ${file.size} bytes`;
    if (size === undefined) throw externalError("not-found", `${fault}, which does not exist`, { retry: "never" });
    if (size !== file.size) throw externalError("checksum-mismatch", `${fault}, which has ${size} bytes`, { retry: "never" });
  }
}

async function writeRecord(store: ObjectStore, record: CompletionRecord): Promise<CompletionRecord> {
  const epochs = record.epochs.map((entry) => ({ ...entry, fence: entry.fence.toString() }));
  await store.put(completionPath(record.job), seal(RECORD, { ...record, fence: record.fence.toString(), epochs }));
  return record;
}

function fenced(job: string, by: RunIdentity, owner: RunIdentity | undefined): AppError {
  const words = owner === undefined ? "no run has taken it over" : `run "${owner.run}" with fence ${owner.fence} owns it`;
  return internalError("fenced", `run "${by.run}" with fence ${by.fence} may not write checkpoints of job "${job}": ${words}`);
}
