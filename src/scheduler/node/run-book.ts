/**
 * Runs and their workers as the node scheduler remembers them: changed in memory at once, so that two decisions never count the same slot, and
 * written down by `save`, which its caller awaits before it acts on the change or answers for it.
 */
import type { JobId, WorkerId } from "../../core/ids.ts";
import { isOver, type RecordedJob, type RecordedRun, type RecordedWorker } from "../process/run-records.ts";
import type { NodeRecords } from "./records.ts";

/** A worker with its place in the book. */
export interface BookedWorker {
  readonly job: RecordedJob;
  readonly run: RecordedRun;
  readonly worker: RecordedWorker;
}

/** See the file's comment. */
export class RunBook {
  readonly #records: NodeRecords;
  readonly #jobs = new Map<JobId, RecordedJob>();
  /** Jobs of workers, by id; never forgotten within a term. */
  readonly #jobOf = new Map<string, JobId>();
  readonly #dirty = new Set<JobId>();
  readonly #writing = new Map<JobId, Promise<void>>();

  constructor(records: NodeRecords) {
    this.#records = records;
  }

  load(jobs: readonly RecordedJob[]): void {
    for (const job of jobs) this.#keep(job);
  }

  get jobs(): readonly RecordedJob[] {
    return [...this.#jobs.values()];
  }

  job(id: JobId): RecordedJob | undefined {
    return this.#jobs.get(id);
  }

  /** All workers, or those of one job. */
  workers(job?: JobId): readonly BookedWorker[] {
    const jobs = job === undefined ? this.jobs : [this.#jobs.get(job)].filter((one) => one !== undefined);
    return jobs.flatMap((one) => one.runs.flatMap((run) => run.workers.map((worker) => ({ job: one, run, worker }))));
  }

  /** Workers that have not exited, as far as is known. */
  living(): readonly BookedWorker[] {
    return this.workers().filter(({ worker }) => worker.exit === undefined);
  }

  worker(id: string): BookedWorker | undefined {
    const job = this.#jobs.get(this.#jobOf.get(id) ?? ("" as JobId));
    for (const run of job?.runs ?? []) {
      for (const worker of run.workers) if (worker.id === id && job !== undefined) return { job, run, worker };
    }
    return undefined;
  }

  /** Slots that living workers have, by node. */
  usedSlots(): ReadonlyMap<string, number> {
    const used = new Map<string, number>();
    for (const { runs } of this.#jobs.values()) {
      for (const { workers } of runs) {
        for (const { node, slots, exit } of workers) {
          if (exit === undefined && node !== undefined) used.set(node, (used.get(node) ?? 0) + slots);
        }
      }
    }
    return used;
  }

  /** Keeps `job` instead of what was known of it; undefined: forgets it again, as if it had never been written. */
  put(id: JobId, job: RecordedJob | undefined): void {
    if (job === undefined) this.#jobs.delete(id);
    else this.#keep(job);
    if (job === undefined) this.#dirty.delete(id);
    else this.#dirty.add(id);
  }

  #keep(job: RecordedJob): void {
    this.#jobs.set(job.job, job);
    for (const { workers } of job.runs) for (const { id } of workers) this.#jobOf.set(id, job.job);
  }

  /** Changes a worker; how it is now, undefined if it is not in the book. */
  change(id: WorkerId, change: Partial<RecordedWorker>): BookedWorker | undefined {
    const known = this.worker(id);
    if (known === undefined) return undefined;
    const worker = { ...known.worker, ...change };
    const run = { ...known.run, workers: known.run.workers.map((one) => (one.id === id ? worker : one)) };
    const job = { ...known.job, runs: known.job.runs.map((one) => (one.fence === run.fence ? run : one)) };
    this.put(job.job, job);
    return { job, run, worker };
  }

  /** Resolves when what is known of the job now is written down. Throws the store's errors; the change stays, and is written later. */
  async save(id: JobId): Promise<void> {
    await this.#writing.get(id)?.catch(() => undefined);
    const job = this.#jobs.get(id);
    if (job === undefined || !this.#dirty.has(id)) return;
    this.#dirty.delete(id);
    const writing = this.#records.writeJob(job).catch((error: unknown) => {
      this.#dirty.add(id);
      throw error;
    });
    this.#writing.set(id, writing);
    try {
      await writing;
    } finally {
      if (this.#writing.get(id) === writing) this.#writing.delete(id);
    }
  }

  /** Writes down what could not be written before. */
  async saveAll(): Promise<void> {
    for (const id of [...this.#dirty]) await this.save(id);
  }

  /** Forgets jobs that are over and of which nothing was submitted since `beforeMs` (wall time): nobody will ask for them again. */
  async prune(beforeMs: number): Promise<void> {
    const old = this.jobs.filter(({ runs }) => runs.every((run) => isOver(run) && (run.submittedAtMs ?? 0) < beforeMs));
    for (const { job } of old) this.#jobs.delete(job);
    await this.#records.removeJobs(old.map(({ job }) => job));
  }
}
