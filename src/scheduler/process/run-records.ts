/**
 * What the process scheduler has to remember over a restart of the controller, for there is no outside system that would: which run of a job
 * came last, whether it was stopped, and which workers each run was given. One small file per job, replaced atomically and made durable
 * before a call is answered.
 */
import { createHash } from "node:crypto";
import { closeSync, fsyncSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { externalError, toAppError } from "../../core/errors.ts";
import type { JobId, RunId, WorkerId } from "../../core/ids.ts";
import type { RunSpec, WorkerExit } from "../scheduler.ts";

/** A worker of a run. */
export interface RecordedWorker {
  readonly id: WorkerId;
  readonly slots: number;
  /** "<pid>@<start time>"; undefined until it has been launched. */
  readonly handle: string | undefined;
  /** Undefined while it runs, as far as is known. */
  readonly exit: WorkerExit | undefined;
  /** The machine that was to start it; absent: this one. */
  readonly node?: string | undefined;
}

/** A run that was started. */
export interface RecordedRun {
  readonly run: RunId;
  readonly fence: bigint;
  /** Hash of its specification. */
  readonly essence: string;
  readonly workers: readonly RecordedWorker[];
  /** Wall time at which it was started; undefined in records of earlier builds. */
  readonly submittedAtMs: number | undefined;
}

/** What is known of a job. */
export interface RecordedJob {
  readonly job: JobId;
  /** Highest fence that was started or stopped. */
  readonly fence: bigint;
  /** The run with that fence may have no new worker. */
  readonly stopped: boolean;
  /** Runs, the newest last. */
  readonly runs: readonly RecordedRun[];
}

/** Runs of a job that are remembered although their workers have exited. */
const KEPT_RUNS = 5;

const exitSchema = z.object({ code: z.number().optional(), signal: z.string().optional(), outOfMemory: z.boolean(), reason: z.string() });
const jobSchema = z.object({
  version: z.literal(1),
  job: z.string(),
  fence: z.string().transform(BigInt),
  stopped: z.boolean(),
  runs: z.array(
    z.object({
      run: z.string(),
      fence: z.string().transform(BigInt),
      essence: z.string(),
      submittedAtMs: z.number().optional(),
      workers: z.array(
        z.object({
          id: z.string(),
          slots: z.number(),
          handle: z.string().optional(),
          exit: exitSchema.optional(),
          node: z.string().optional(),
        }),
      ),
    }),
  ),
});

/** What must be the same when a run is started again: everything but token, controllers and their authority. */
export function essenceOf({ runToken: _token, controllers: _controllers, controllerCa: _ca, ...rest }: RunSpec): string {
  const text = JSON.stringify(rest, (_key, value: unknown) => (typeof value === "bigint" ? String(value) : sorted(value)));
  return createHash("sha256").update(text).digest("hex");
}

function sorted(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** `job` without runs that are over and long past. */
export function forgetOldRuns(job: RecordedJob): RecordedJob {
  const runs = job.runs.filter((run, index) => index >= job.runs.length - KEPT_RUNS || !isOver(run));
  return { ...job, runs };
}

/** Whether all its workers have exited. */
export function isOver({ workers }: RecordedRun): boolean {
  return workers.every(({ exit }) => exit !== undefined);
}

/** A record as JSON text. */
export function encodeJob(job: RecordedJob): string {
  return JSON.stringify({ version: 1, ...job }, (_key, value: unknown) => (typeof value === "bigint" ? String(value) : value));
}

/** The inverse. Throws what JSON and the schema throw. */
export function decodeJob(text: string): RecordedJob {
  const { version: _, job, runs, ...rest } = jobSchema.parse(JSON.parse(text));
  return {
    ...rest,
    job: job as JobId,
    runs: runs.map(({ run, submittedAtMs, workers, ...others }) => ({
      ...others,
      run: run as RunId,
      submittedAtMs,
      workers: workers.map(({ id, slots, handle, exit, node }) => ({
        id: id as WorkerId,
        slots,
        handle,
        exit: exit === undefined ? undefined : { ...exit, code: exit.code, signal: exit.signal },
        ...(node === undefined ? {} : { node }),
      })),
    })),
  };
}

/** Where records are kept. */
export interface RunRecordStore {
  /**
   * Forgets jobs whose workers have all exited and of which nothing was written since `beforeMs` (wall time): nobody will ask for them again.
   */
  prune(beforeMs: number): void;
  /** All jobs. A record that cannot be read is an error: forgetting a run could start it twice. */
  read(): RecordedJob[];
  /** Keeps the job's record instead of an older one. */
  write(job: RecordedJob): void;
}

/** The files, in one folder. Everything throws `io`-like errors of the system in words. */
export class RunRecords implements RunRecordStore {
  readonly #folder: string;

  /** `folder` is made when it is needed. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  prune(beforeMs: number): void {
    for (const { job, runs } of this.read()) {
      const path = join(this.#folder, `${job}.json`);
      if (runs.every(isOver) && statSync(path).mtimeMs < beforeMs) rmSync(path);
    }
  }

  read(): RecordedJob[] {
    return this.#names().map((name) => this.#readFile(join(this.#folder, name)));
  }

  write(job: RecordedJob): void {
    const path = join(this.#folder, `${job.job}.json`);
    try {
      mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
      const fd = openSync(`${path}.new`, "w", 0o600);
      writeSync(fd, `${encodeJob(job)}\n`);
      fsyncSync(fd);
      closeSync(fd);
      renameSync(`${path}.new`, path);
    } catch (error) {
      throw toAppError(error);
    }
  }

  #readFile(path: string): RecordedJob {
    try {
      return decodeJob(readFileSync(path, "utf8"));
    } catch (error) {
      throw externalError("io", `the scheduler's record "${path}" cannot be read`, {
        retry: "never",
        detail: error instanceof Error ? error.message : "",
        hint: "Stop all workers of this machine, then remove the file.",
        cause: error,
      });
    }
  }

  #names(): string[] {
    try {
      return readdirSync(this.#folder).filter((name) => name.endsWith(".json"));
    } catch {
      return [];
    }
  }
}
