/**
 * What users see besides states, on its way to the database: collected in memory and written a few times a second, one statement per table
 * for all jobs. Nothing is decided from it, so a controller that dies loses at most the last moment of it; while the database is away the
 * newest is kept, within bounds.
 */
import { toAppError } from "../core/errors.ts";
import type { Logger } from "../core/log.ts";
import { type CheckpointRow, type RetiredEpoch, retireCheckpoints, writeCheckpoints } from "../db/checkpoints.ts";
import type { Database } from "../db/connection.ts";
import { insertJobEvents, type JobEventRow } from "../db/job-events.ts";
import { insertMetricSamples, insertPreviewRows, type MetricSampleRow, type PreviewRow } from "../db/output.ts";
import { deleteWorkers, type HeardWorker, touchWorkers, type WorkerRow, writeWorkers } from "../db/workers.ts";
import { CpuMeter } from "./cpu-meter.ts";
import type { Term } from "./term.ts";

/** What projections are written with. */
export interface ProjectionsInit {
  readonly db: Database;
  readonly term: Term;
  readonly logger: Logger;
  /** Milliseconds since 1970. */
  readonly nowMs: () => number;
}

const MOST_EVENTS = 20_000;
const MOST_PREVIEW_ROWS = 20_000;
const MOST_SAMPLES = 2_000;
/** Rows of one statement at most. */
const STATEMENT_ROWS = 2_000;

/** See the file's comment. */
export class Projections {
  readonly #init: ProjectionsInit;
  #events: JobEventRow[] = [];
  #previews: PreviewRow[] = [];
  #samples: MetricSampleRow[] = [];
  #checkpoints = new Map<string, CheckpointRow>();
  #workers = new Map<string, WorkerRow>();
  #retired: RetiredEpoch[] = [];
  #heard = new Map<string, Omit<HeardWorker, "id">>();
  readonly #cpu = new CpuMeter();
  #gone: string[] = [];
  #flushing: Promise<void> = Promise.resolve();

  constructor(init: ProjectionsInit) {
    this.#init = init;
  }

  /** Adds to a timeline. */
  event(row: JobEventRow): void {
    this.#events.push(row);
  }

  /** Replaces what is known of an epoch of a run. */
  checkpoint(row: CheckpointRow): void {
    this.#checkpoints.set(`${row.job}/${row.runFence}/${row.epoch}`, row);
  }

  /** The files of these epochs are gone. */
  retired(epochs: readonly RetiredEpoch[]): void {
    this.#retired.push(...epochs);
  }

  /** Replaces what is known of a worker. */
  worker(row: WorkerRow): void {
    this.#workers.set(row.id, row);
    if (row.endedAtMs !== undefined) this.#cpu.forget(row.id);
  }

  /** The row was another worker's, or is of no use. */
  workerGone(id: string): void {
    this.#workers.delete(id);
    this.#cpu.forget(id);
    this.#gone.push(id);
  }

  /** A worker has said something. */
  heard(worker: string): void {
    if (!this.#heard.has(worker)) this.#heard.set(worker, { memoryBytes: undefined, cpuMillis: undefined });
  }

  /** What a worker uses: resident memory in bytes, processor time since its start in microseconds (0: it does not tell). */
  uses(worker: string, memoryBytes: number, cpuUs: number): void {
    const cpuMillis = this.#cpu.heard(worker, cpuUs, this.#init.nowMs()) ?? this.#heard.get(worker)?.cpuMillis;
    this.#heard.set(worker, { memoryBytes, cpuMillis });
  }

  /** Rows for whoever watches. */
  previews(rows: readonly PreviewRow[]): void {
    this.#previews.push(...rows);
    if (this.#previews.length > MOST_PREVIEW_ROWS) this.#previews.splice(0, this.#previews.length - MOST_PREVIEW_ROWS);
  }

  /** Measurements. */
  samples(rows: readonly MetricSampleRow[]): void {
    this.#samples.push(...rows);
  }

  /** Forgets what is collected of a job that is being deleted. */
  forget(job: string): void {
    this.#events = this.#events.filter((row) => row.job !== job);
    this.#previews = this.#previews.filter((row) => row.job !== job);
    this.#samples = this.#samples.filter((row) => row.job !== job);
    for (const [key, row] of this.#checkpoints) if (row.job === job) this.#checkpoints.delete(key);
    for (const [key, row] of this.#workers) if (row.job === job) this.#workers.delete(key);
  }

  /** Writes what is there. Never throws: what the database did not take because it is away is tried again with the next call. */
  flush(): Promise<void> {
    this.#flushing = this.#flushing.then(() => this.#write());
    return this.#flushing;
  }

  async #write(): Promise<void> {
    if (!this.#init.term.valid) return;
    await this.#writeJobs();
    await this.#writeOutput();
    await this.#writeWorkers();
  }

  async #writeJobs(): Promise<void> {
    const { db, term } = this.#init;
    await this.#take(
      "timelines",
      takeList(this.#events),
      (rows) => insertJobEvents(db, term.epoch, rows),
      (rows) => {
        this.#events = [...rows, ...this.#events].slice(-MOST_EVENTS);
      },
    );
    await this.#take(
      "checkpoints",
      takeMap(this.#checkpoints),
      (rows) => writeCheckpoints(db, term.epoch, rows),
      (rows) => {
        for (const row of rows) {
          const key = `${row.job}/${row.runFence}/${row.epoch}`;
          if (!this.#checkpoints.has(key)) this.#checkpoints.set(key, row);
        }
      },
    );
    await this.#take(
      "retired checkpoints",
      takeList(this.#retired),
      (rows) => retireCheckpoints(db, term.epoch, rows),
      (rows) => {
        this.#retired.unshift(...rows);
      },
    );
  }

  async #writeOutput(): Promise<void> {
    const { db } = this.#init;
    await this.#take(
      "previews",
      takeList(this.#previews),
      (rows) => insertPreviewRows(db, rows),
      (rows) => {
        this.#previews = [...rows, ...this.#previews].slice(-MOST_PREVIEW_ROWS);
      },
    );
    await this.#take(
      "measurements",
      takeList(this.#samples),
      (rows) => insertMetricSamples(db, rows),
      (rows) => {
        this.#samples = [...rows, ...this.#samples].slice(-MOST_SAMPLES);
      },
    );
  }

  async #writeWorkers(): Promise<void> {
    const { db, term, nowMs } = this.#init;
    await this.#take(
      "workers",
      takeMap(this.#workers),
      (rows) => writeWorkers(db, term.epoch, rows),
      (rows) => {
        for (const row of rows) if (!this.#workers.has(row.id)) this.#workers.set(row.id, row);
      },
    );
    await this.#take(
      "workers that are gone",
      takeList(this.#gone),
      (ids) => deleteWorkers(db, ids),
      (ids) => {
        this.#gone.unshift(...ids);
      },
    );
    const heard = [...this.#heard].map(([id, uses]) => ({ id, ...uses }));
    this.#heard.clear();
    await this.#take(
      "heartbeats",
      heard,
      (rows) => touchWorkers(db, rows, nowMs()),
      () => undefined,
    );
  }

  /** Writes `rows` in pieces; `putBack` gets what was not written. */
  async #take<T>(what: string, rows: T[], write: (rows: T[]) => Promise<void>, putBack: (rows: T[]) => void): Promise<void> {
    for (let at = 0; at < rows.length; at += STATEMENT_ROWS) {
      if (!this.#init.term.valid) return;
      try {
        await write(rows.slice(at, at + STATEMENT_ROWS));
      } catch (thrown) {
        const error = toAppError(thrown);
        this.#init.logger.warn("a projection was not written", { what, rows: rows.length - at, error });
        // A statement that the database refuses will be refused again: only an outage is waited for.
        if (error.domain === "external") putBack(rows.slice(at));
        return;
      }
    }
  }
}

function takeList<T>(list: T[]): T[] {
  return list.splice(0);
}

function takeMap<T>(map: Map<string, T>): T[] {
  const rows = [...map.values()];
  map.clear();
  return rows;
}
