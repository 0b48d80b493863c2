/**
 * Workers as threads of the caller: for previews and tests, where a process per worker is too much. They end with the scheduler, and what is
 * remembered of runs is in memory, shared by the schedulers of one process.
 */
import type { JobId } from "../../core/ids.ts";
import { LocalScheduler, type LocalSchedulerOptions } from "../local-scheduler.ts";
import type { RecordedJob, RunRecordStore } from "../process/run-records.ts";

/** What the scheduler works with. */
export type EmbeddedSchedulerOptions = Omit<LocalSchedulerOptions, "name" | "what">;

/** Records of runs in memory. */
export class MemoryRecords implements RunRecordStore {
  readonly #jobs = new Map<JobId, RecordedJob>();

  /** They go with the process: nothing is forgotten before. */
  prune(): void {}

  read(): RecordedJob[] {
    return [...this.#jobs.values()];
  }

  write(job: RecordedJob): void {
    this.#jobs.set(job.job, job);
  }
}

/** See the file's comment. */
export class EmbeddedScheduler extends LocalScheduler {
  /** On `options.records`, where an earlier scheduler of this process may have left something. */
  constructor(options: EmbeddedSchedulerOptions) {
    super({ ...options, name: "embedded", what: "thread" });
  }

  /** Ends all workers at once, and waits for that. */
  override async shutdown(): Promise<void> {
    await this.killAll();
    await super.shutdown();
  }
}
