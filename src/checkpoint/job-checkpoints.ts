/**
 * The durable side of one run's checkpoints: finds where to start, makes the run the job's owner, writes manifests, records completion and
 * collects garbage, in the object store under the job's name. Used by `wadi run` and by the controller; what belongs in which epoch is
 * decided in `job/`, and who may write is decided by the run's fence in the completion record.
 *
 * Knows no program: what a manifest says of vertices and edges is handed in.
 */
import type { Clock } from "../core/clock.ts";
import { userError } from "../core/errors.ts";
import type { ObjectStore } from "../storage/object-store.ts";
import {
  type CompleteEpoch,
  type CompletionRecord,
  claimJob,
  findRestorePoint,
  forgetNewer,
  nextFence,
  type RestorePoint,
  readCompletion,
  recordComplete,
  takeOver,
  writeManifest,
} from "./completion.ts";
import { checkLedger, type Imbalance } from "./ledger.ts";
import { assembleManifest, type Manifest, type SubtaskReport, type VertexIdentity } from "./manifest.ts";
import type { RunIdentity } from "./paths.ts";
import { GarbageCollector } from "./retention.ts";

/** What a manifest says of the program. `vertices` by number. */
export interface CheckpointedProgram {
  readonly fingerprint: string;
  readonly vertices: readonly VertexIdentity[];
  readonly edges: readonly { readonly id: number; readonly source: number; readonly target: number }[];
}

/** What checkpoints are made of. */
export interface JobCheckpointsInit {
  readonly store: ObjectStore;
  readonly job: string;
  /** Unique id of the run: a plain name. */
  readonly run: string;
  /** Fence of the run; undefined: one above that of the job's last run. */
  readonly fence?: bigint | undefined;
  readonly program: CheckpointedProgram;
  /** 1 … 4096. */
  readonly parallelism: number;
  readonly clock: Clock;
  /** Start fresh although there is state. */
  readonly ignoreState: boolean;
  /** Asked right before an epoch is made to count; throws if this process may not write any more. */
  readonly mayWrite?: (() => void) | undefined;
  /** Complete epochs to keep, from 1; 5 by default. */
  readonly keep?: number | undefined;
  /** What people call the place of the state, for messages: `the state directory` by default. */
  readonly place?: string | undefined;
  /** Advice for state that belongs to another program. */
  readonly mismatchHint?: string | undefined;
}

/** What `claim` works with. */
export interface ClaimInit extends JobCheckpointsInit {
  readonly fence: bigint;
  /** Earlier epochs are not restored. */
  readonly oldestEpoch: number;
  /** Epochs that are known to count from elsewhere, oldest first: see `claimJob`; none by default. */
  readonly witnessed?: readonly CompleteEpoch[] | undefined;
}

/** A completed epoch. */
export interface CompletedEpoch {
  readonly manifest: Manifest;
  /** What the record says of it. */
  readonly entry: CompleteEpoch;
  /** Rows that are not accounted for: an alarm. */
  readonly imbalances: readonly Imbalance[];
}

const DEFAULT_HINT = "Run the program that made the state, use another --state-dir, or start fresh with --ignore-state.";

/** See the file's comment. */
export class JobCheckpoints {
  readonly #init: JobCheckpointsInit;
  readonly #collector: GarbageCollector;
  readonly by: RunIdentity;
  /** Where the run starts from; undefined: fresh. */
  readonly restored: RestorePoint | undefined;
  #parent: number | undefined;

  private constructor(init: JobCheckpointsInit, by: RunIdentity, restored: RestorePoint | undefined, parent: number | undefined) {
    this.#init = init;
    this.#collector = new GarbageCollector(init.store);
    this.by = by;
    this.restored = restored;
    this.#parent = parent;
  }

  /** Finds the restore point. Throws `state-mismatch` if it belongs to another program. Nothing is written. */
  static async open(init: JobCheckpointsInit): Promise<JobCheckpoints> {
    const record: CompletionRecord | undefined = await readCompletion(init.store, init.job);
    const restored = init.ignoreState ? undefined : await findRestorePoint(init.store, init.job);
    if (restored !== undefined) checkProgram(init, restored.manifest);
    const by = { fence: init.fence ?? nextFence(record), run: init.run };
    return new JobCheckpoints(init, by, restored, restored?.entry.epoch);
  }

  /**
   * Makes the run with `init.fence` the job's owner first, so that no earlier run completes an epoch any more, then finds the restore point
   * among the epochs that count now; those below `oldestEpoch` do not. Called again for the same run (its controller died) it changes
   * nothing; if the run has completed epochs it goes on behind them and `restored` is undefined. Throws `fenced` or `state-mismatch`.
   */
  static async claim(init: ClaimInit): Promise<JobCheckpoints> {
    const { store, job, run, fence, oldestEpoch, witnessed } = init;
    const by = { fence, run };
    const newest = (await claimJob(store, job, by, witnessed)).epochs.at(-1);
    if (newest?.fence === fence) return new JobCheckpoints(init, by, undefined, newest.epoch);
    const ignored = init.ignoreState || newest === undefined || newest.epoch < oldestEpoch;
    const found = ignored ? undefined : await findRestorePoint(store, job);
    const restored = found !== undefined && found.entry.epoch < oldestEpoch ? undefined : found;
    if (restored !== undefined) checkProgram(init, restored.manifest);
    await forgetNewer(store, job, by, restored?.entry.epoch);
    return new JobCheckpoints(init, by, restored, restored?.entry.epoch);
  }

  /** Newest complete epoch of the job that this run builds on or has completed; undefined: none. */
  get newest(): number | undefined {
    return this.#parent;
  }

  /** What counts now, oldest first. */
  async recorded(): Promise<readonly CompleteEpoch[]> {
    return (await readCompletion(this.#init.store, this.#init.job))?.epochs ?? [];
  }

  /** Makes this run the owner of the job. Before the first checkpoint file. Throws `fenced` if a newer run owns it. */
  async takeOver(): Promise<CompletionRecord> {
    return takeOver(this.#init.store, this.#init.job, this.by, this.restored?.entry.epoch);
  }

  /** Writes the manifest and makes the epoch count. Calls must not overlap. Throws `fenced` if another run owns the job. */
  async complete(epoch: number, final: boolean, reports: readonly SubtaskReport[]): Promise<CompletedEpoch> {
    const { store, job, program, parallelism, clock } = this.#init;
    const identity = {
      job,
      epoch,
      ...this.by,
      parent: this.#parent,
      parallelism,
      programFingerprint: program.fingerprint,
      createdAtNs: clock.nowNs(),
      final,
    };
    const manifest = assembleManifest(identity, program, reports);
    const entry = await writeManifest(store, manifest);
    await recordComplete(store, job, entry, this.#init.mayWrite);
    this.#parent = epoch;
    return { manifest, entry, imbalances: checkLedger(manifest) };
  }

  /** Forgets and deletes what nothing needs any more. Must not overlap with `complete`. */
  async retain(oldestInFlight: number): Promise<readonly number[]> {
    const { job, keep } = this.#init;
    const { forgotten } = await this.#collector.collect({ job, by: this.by, oldestInFlight, ...(keep === undefined ? {} : { keep }) });
    return forgotten;
  }
}

/** Refuses another program's state, with the difference. */
function checkProgram(
  { program, place = "the state directory", mismatchHint = DEFAULT_HINT }: JobCheckpointsInit,
  manifest: Manifest,
): void {
  const here = new Map(program.vertices.map((v) => [v.fingerprint, v.name]));
  const there = new Map(manifest.vertices.map((v) => [v.fingerprint, v.name]));
  const changed = manifest.vertices.filter((v, i) => {
    const own = program.vertices[i];
    return v.fingerprint === own?.fingerprint && v.stateSchema !== own.stateSchema;
  });
  if (program.fingerprint === manifest.programFingerprint && changed.length === 0) return;
  const added = [...here].filter(([fingerprint]) => !there.has(fingerprint)).map(([, name]) => `"${name}"`);
  const removed = [...there].filter(([fingerprint]) => !here.has(fingerprint)).map(([, name]) => `"${name}"`);
  const parts = [
    ...(removed.length > 0 ? [`The state has ${removed.join(", ")}, which the program does not have.`] : []),
    ...(added.length > 0 ? [`The program has ${added.join(", ")}, which the state does not have.`] : []),
    ...changed.map((v) => `The state of "${v.name}" has another layout in this build.`),
  ];
  throw userError("state-mismatch", `${place} belongs to another program (epoch ${manifest.epoch})`, {
    detail: parts.length > 0 ? parts.join(" ") : "The same operators are connected in another way.",
    hint: mismatchHint,
  });
}
