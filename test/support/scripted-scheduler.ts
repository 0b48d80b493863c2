/** A scheduler in memory whose workers are `ScriptedWorker`s. Several on one cluster are controllers that lead in turn. */

import { makeId } from "../../src/core/ids.ts";
import { Prng } from "../../src/core/prng.ts";
import type { RunKey, RunSpec, StartOutcome, StopMode } from "../../src/scheduler/scheduler.ts";
import { MemoryCluster, MemoryScheduler } from "./memory-scheduler.ts";
import { type ScriptedProof, ScriptedWorker } from "./scripted-worker.ts";

/** The outside system with its workers. */
export class ScriptedCluster extends MemoryCluster {
  readonly workers: ScriptedWorker[] = [];
  /** Workers come up only while this is true. */
  placing = true;
  /** What the worker with a handle shows. */
  proofOf: (spec: RunSpec, handle: string) => ScriptedProof = () => ({});
  readonly #random = new Prng(1);

  /** Workers that run. */
  get alive(): readonly ScriptedWorker[] {
    return this.workers.filter(({ gone }) => !gone);
  }

  /** Alive workers of a job. */
  of(job: string): readonly ScriptedWorker[] {
    return this.alive.filter(({ spec }) => spec.job === job);
  }

  launch(spec: RunSpec): void {
    const known = new Set(this.workers.map(({ handle }) => handle));
    const own = this.list().filter((view) => view.job === spec.job && view.fence === spec.fence && !known.has(view.handle));
    if (!this.placing) return;
    this.settle();
    for (const { handle, slots } of own) {
      const exit = (code: number) =>
        this.exit(handle, { code, signal: undefined, outOfMemory: false, reason: code === 0 ? "" : "it died" });
      this.workers.push(new ScriptedWorker(makeId("worker", this.#random), handle, slots, spec, exit, this.proofOf(spec, handle)));
    }
  }

  /** A worker that says it is another of `worker`'s kind, with what `spec` gives it; the scheduler knows nothing of it. */
  imitate(worker: ScriptedWorker, spec: RunSpec): ScriptedWorker {
    const impostor = new ScriptedWorker(makeId("worker", this.#random), worker.handle, 1, spec, () => undefined);
    this.workers.push(impostor);
    return impostor;
  }

  /** Ends all workers: after a test. */
  end(): void {
    for (const worker of this.workers) worker.die(0);
  }
}

/** See the file's comment. */
export class ScriptedScheduler extends MemoryScheduler {
  readonly #scripted: ScriptedCluster;

  constructor(cluster: ScriptedCluster) {
    super(cluster);
    this.#scripted = cluster;
  }

  override async startWorkers(spec: RunSpec): Promise<StartOutcome> {
    const outcome = await super.startWorkers(spec);
    if (outcome.kind === "accepted") this.#scripted.launch(spec);
    return outcome;
  }

  override async stopWorkers(run: RunKey, mode: StopMode): Promise<void> {
    await super.stopWorkers(run, mode);
    for (const worker of this.#scripted.alive) if (worker.spec.job === run.job && worker.spec.fence === run.fence) worker.die(0);
  }
}
