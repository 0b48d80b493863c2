/**
 * Workers as processes of this machine: what a laptop uses. They outlive the controller; its successor finds them by two kinds of files, runs
 * (run-records.ts) and workers (worker-folder.ts).
 */
import { LocalScheduler, type LocalSchedulerOptions } from "../local-scheduler.ts";
import { RunRecords } from "./run-records.ts";

/** What the scheduler works with. */
export interface ProcessSchedulerOptions extends Omit<LocalSchedulerOptions, "name" | "what" | "records"> {
  /** Folder of its records. */
  readonly folder: string;
}

/** See the file's comment. */
export class ProcessScheduler extends LocalScheduler {
  /** Takes over what an earlier scheduler on the same folder left; a first call waits for it. */
  constructor({ folder, ...options }: ProcessSchedulerOptions) {
    super({ ...options, name: "process", what: "process", records: new RunRecords(folder) });
  }
}
