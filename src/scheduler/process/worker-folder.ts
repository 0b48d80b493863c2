/**
 * What is kept of a worker process on this machine: one folder per worker with its record (who it is, which process), its token (mode 0600,
 * gone with the process) and its logs. The record outlives the controller: its successor finds the process by id and start time.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import type { JobId, RunId, WorkerId } from "../../core/ids.ts";
import type { WorkerLaunch } from "../scheduler.ts";

/** A launch without its secret. */
export type RecordedLaunch = Omit<WorkerLaunch, "runToken">;

/** Which process a worker is; undefined while it is being started. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Start time in clock ticks since boot; "" where the system does not tell. */
  readonly ticks: string;
}

/** The record of a worker. */
export interface WorkerRecord {
  readonly launch: RecordedLaunch;
  readonly process: ProcessIdentity | undefined;
}

/** Folders of workers that have ended which are kept, for their logs. */
const KEPT_FOLDERS = 100;

const recordSchema = z.object({
  version: z.literal(1),
  job: z.string(),
  run: z.string(),
  fence: z.string().transform(BigInt),
  worker: z.string(),
  slots: z.number(),
  controllers: z.array(z.string()),
  environment: z.record(z.string(), z.string()),
  memoryBytes: z.number(),
  build: z.string().optional(),
  controllerCa: z.string().optional(),
  pid: z.number().optional(),
  ticks: z.string().optional(),
});

/** Folders of workers below one folder. */
export class WorkerFolders {
  readonly #folder: string;

  /** `folder` is made when it is needed, for this user only. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  path(worker: string): string {
    return join(this.#folder, worker);
  }

  /** Whether anything of the worker is kept. */
  has(worker: string): boolean {
    return existsSync(this.path(worker));
  }

  /** Whether its end has not been seen yet: the token goes with the process. */
  hasToken(worker: string): boolean {
    return existsSync(this.tokenFile(worker));
  }

  tokenFile(worker: string): string {
    return join(this.path(worker), "token");
  }

  /** Authority of controllers' certificates; there only if one was given. */
  caFile(worker: string): string {
    return join(this.path(worker), "controller-ca.pem");
  }

  /** JSON lines, written by the worker itself. */
  logFile(worker: string): string {
    return join(this.path(worker), "worker.log");
  }

  /** Standard output and standard error of the process. */
  outputFile(worker: string): string {
    return join(this.path(worker), "output.log");
  }

  /** Makes the folder of a new worker, with its token. */
  create({ runToken, ...launch }: WorkerLaunch): void {
    mkdirSync(this.path(launch.worker), { recursive: true, mode: 0o700 });
    writeFileSync(this.tokenFile(launch.worker), runToken, { mode: 0o600 });
    if (launch.controllerCa !== undefined) writeFileSync(this.caFile(launch.worker), launch.controllerCa, { mode: 0o600 });
    this.write({ launch, process: undefined });
  }

  /** Replaces the record, atomically. */
  write({ launch, process }: WorkerRecord): void {
    const path = join(this.path(launch.worker), "record.json");
    const text = JSON.stringify({ version: 1, ...launch, fence: String(launch.fence), ...process });
    writeFileSync(`${path}.new`, `${text}\n`, { mode: 0o600 });
    renameSync(`${path}.new`, path);
  }

  /** All records that can be read. */
  list(): WorkerRecord[] {
    return this.#names().flatMap((name) => this.#read(name) ?? []);
  }

  /** The process is gone: its token with it. Folders of workers long gone are removed, `alive` says which are not. */
  retire(worker: string, alive: (worker: string) => boolean): void {
    rmSync(this.tokenFile(worker), { force: true });
    const gone = this.#names().filter((name) => !alive(name));
    if (gone.length <= KEPT_FOLDERS) return;
    const byAge = gone.map((name) => ({ name, changedMs: statSync(this.path(name), { throwIfNoEntry: false })?.mtimeMs ?? 0 }));
    byAge.sort((a, b) => a.changedMs - b.changedMs);
    for (const { name } of byAge.slice(0, gone.length - KEPT_FOLDERS)) rmSync(this.path(name), { recursive: true, force: true });
  }

  #names(): string[] {
    try {
      return readdirSync(this.#folder).filter((name) => name.startsWith("wk_"));
    } catch {
      return [];
    }
  }

  #read(name: string): WorkerRecord | undefined {
    try {
      const found = recordSchema.parse(JSON.parse(readFileSync(join(this.path(name), "record.json"), "utf8")));
      const { version: _, pid, ticks, job, run, worker, ...rest } = found;
      const launch: RecordedLaunch = { ...rest, job: job as JobId, run: run as RunId, worker: worker as WorkerId };
      return { launch, process: pid === undefined ? undefined : { pid, ticks: ticks ?? "" } };
    } catch {
      // A record that a crash cut off names no process: there was none yet, or it is found by its environment.
      return undefined;
    }
  }
}
