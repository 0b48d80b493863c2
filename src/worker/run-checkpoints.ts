/**
 * The durable side of `wadi run`'s checkpoints: finds where to start, writes manifests, records completion and collects garbage, in the
 * object store under the job's name. What belongs in which epoch is decided in `job/coordinator.ts`.
 */
import {
  type CompletionRecord,
  findRestorePoint,
  nextFence,
  type RestorePoint,
  readCompletion,
  recordComplete,
  takeOver,
  writeManifest,
} from "../checkpoint/completion.ts";
import { checkLedger, type Imbalance } from "../checkpoint/ledger.ts";
import { assembleManifest, type Manifest, type SubtaskReport, type VertexIdentity } from "../checkpoint/manifest.ts";
import type { RunIdentity } from "../checkpoint/paths.ts";
import { GarbageCollector } from "../checkpoint/retention.ts";
import type { Clock } from "../core/clock.ts";
import { userError } from "../core/errors.ts";
import type { Program } from "../program/program.ts";
import type { ObjectStore } from "../storage/object-store.ts";

/** What checkpoints are made of. */
export interface RunCheckpointsInit {
  readonly store: ObjectStore;
  readonly job: string;
  /** Unique id of the run: a plain name. */
  readonly run: string;
  readonly program: Program;
  /** Hash of the state's layout, by vertex. */
  readonly stateSchemas: Readonly<Record<number, string>>;
  readonly parallelism: number;
  readonly clock: Clock;
  readonly ignoreState: boolean;
}

/** A completed epoch. */
export interface CompletedEpoch {
  readonly manifest: Manifest;
  /** Rows that are not accounted for: an alarm. */
  readonly imbalances: readonly Imbalance[];
}

/** See the file's comment. */
export class RunCheckpoints {
  readonly #init: RunCheckpointsInit;
  readonly #collector: GarbageCollector;
  readonly by: RunIdentity;
  /** Where the run starts from; undefined: fresh. */
  readonly restored: RestorePoint | undefined;
  #parent: number | undefined;

  private constructor(init: RunCheckpointsInit, by: RunIdentity, restored: RestorePoint | undefined) {
    this.#init = init;
    this.#collector = new GarbageCollector(init.store);
    this.by = by;
    this.restored = restored;
    this.#parent = restored?.entry.epoch;
  }

  /** Finds the restore point. Throws `state-mismatch` if it belongs to another program. Nothing is written. */
  static async open(init: RunCheckpointsInit): Promise<RunCheckpoints> {
    const record: CompletionRecord | undefined = await readCompletion(init.store, init.job);
    const restored = init.ignoreState ? undefined : await findRestorePoint(init.store, init.job);
    if (restored !== undefined) checkProgram(init.program, restored.manifest, init.stateSchemas);
    return new RunCheckpoints(init, { fence: nextFence(record), run: init.run }, restored);
  }

  /** Makes this run the owner of the job. Before the first checkpoint file. */
  async takeOver(): Promise<void> {
    await takeOver(this.#init.store, this.#init.job, this.by, this.restored?.entry.epoch);
  }

  /** Writes the manifest and makes the epoch count. Calls must not overlap. */
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
    const vertices = program.vertices.map((vertex) => identityOf(program, vertex.id, this.#init.stateSchemas));
    const manifest = assembleManifest(identity, { vertices, edges: program.edges }, reports);
    await recordComplete(store, job, await writeManifest(store, manifest));
    this.#parent = epoch;
    return { manifest, imbalances: checkLedger(manifest) };
  }

  /** Forgets and deletes what nothing needs any more. Must not overlap with `complete`. */
  async retain(oldestInFlight: number): Promise<void> {
    await this.#collector.collect({ job: this.#init.job, by: this.by, oldestInFlight });
  }
}

/** Vertices whose rows all come out, are filtered, late or bad. */
const ROW_WISE: ReadonlySet<string> = new Set(["source", "compute"]);

function identityOf(program: Program, vertex: number, stateSchemas: Readonly<Record<number, string>>): VertexIdentity {
  const { name, fingerprint, operator } = program.vertices[vertex] as Program["vertices"][number];
  return { vertex, name, fingerprint, stateSchema: stateSchemas[vertex] ?? "", rowWise: ROW_WISE.has(operator.kind) };
}

/** Refuses another program's state, with the difference. */
function checkProgram(program: Program, manifest: Manifest, stateSchemas: Readonly<Record<number, string>>): void {
  const here = new Map(program.vertices.map((v) => [v.fingerprint, v.name]));
  const there = new Map(manifest.vertices.map((v) => [v.fingerprint, v.name]));
  const changed = manifest.vertices.filter(
    (v, i) => v.fingerprint === program.vertices[i]?.fingerprint && v.stateSchema !== (stateSchemas[i] ?? ""),
  );
  if (program.fingerprint === manifest.programFingerprint && changed.length === 0) return;
  const added = [...here].filter(([fingerprint]) => !there.has(fingerprint)).map(([, name]) => `"${name}"`);
  const removed = [...there].filter(([fingerprint]) => !here.has(fingerprint)).map(([, name]) => `"${name}"`);
  const parts = [
    ...(removed.length > 0 ? [`The state has ${removed.join(", ")}, which the program does not have.`] : []),
    ...(added.length > 0 ? [`The program has ${added.join(", ")}, which the state does not have.`] : []),
    ...changed.map((v) => `The state of "${v.name}" has another layout in this build.`),
  ];
  throw userError("state-mismatch", `the state directory belongs to another program (epoch ${manifest.epoch})`, {
    detail: parts.length > 0 ? parts.join(" ") : "The same operators are connected in another way.",
    hint: "Run the program that made the state, use another --state-dir, or start fresh with --ignore-state.",
  });
}
