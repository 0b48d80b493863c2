/** Rows and logs for users: asks workers for what the API's requests name, and passes on what they send. */
import { toAppError } from "../core/errors.ts";
import type { JobId } from "../core/ids.ts";
import { failLogRequest, type LogRequestRow, readLogRequests, readOutputRequests, trimPreviewRows, writeLogChunk } from "../db/output.ts";
import type { LogChunk, PreviewRows } from "../gen/report.ts";
import type { WorkerBody } from "../rpc/worker-server.ts";
import type { RunKey } from "../scheduler/scheduler.ts";
import type { LeaderContext } from "./context.ts";
import type { JobDriver } from "./job-driver.ts";
import { LogTails } from "./log-tails.ts";
import { readWorkerOutput } from "./worker-output.ts";

/** Rows per second and subtask that a tail gets. */
const TAIL_ROWS_PER_SECOND = 200;
/** Newest rows of a job that are kept. */
const ROWS_KEPT = 10_000;
/** First rows of a run that are kept although nobody has looked yet: a small result is over before somebody does. */
const UNSEEN_ROWS_KEPT = 1_000;
/** Rows are deleted in pieces of so many. */
const TRIM_EVERY = 2_000;
/** An answer that has not come after so long never will, milliseconds. */
const ANSWER_MS = 15_000;

/** See the file's comment. */
export class Output {
  readonly #context: LeaderContext;
  readonly #jobs: ReadonlyMap<JobId, JobDriver>;
  /** Rows since the last deletion, by job. */
  readonly #received = new Map<JobId, number>();
  /** Requests that a worker was asked for, by id, with the elapsed time of the question. */
  readonly #asked = new Map<string, number>();
  #writing: Promise<void> = Promise.resolve();
  readonly #tails: LogTails;
  #wanted: ReadonlyMap<JobId, ReadonlyMap<number, number>> = new Map();
  /** Rows of the newest run that nobody wanted, by job. */
  readonly #unseen = new Map<JobId, { readonly fence: bigint; readonly rows: number }>();

  constructor(context: LeaderContext, jobs: ReadonlyMap<JobId, JobDriver>) {
    this.#context = context;
    this.#jobs = jobs;
    this.#tails = new LogTails(context);
  }

  /** Looks what users want. */
  async poll(): Promise<void> {
    await this.#tail();
    for (const request of await readLogRequests(this.#context.db)) await this.#ask(request);
    await this.#tails.poll();
  }

  async #tail(): Promise<void> {
    const wanted = new Map<JobId, Map<number, number>>();
    for (const { job, vertex } of await readOutputRequests(this.#context.db)) {
      const vertices = wanted.get(job as JobId) ?? new Map<number, number>();
      wanted.set(job as JobId, vertices.set(vertex, TAIL_ROWS_PER_SECOND));
    }
    for (const job of new Set([...this.#wanted.keys(), ...wanted.keys()])) {
      this.#jobs.get(job)?.effects.run?.tail(wanted.get(job) ?? new Map());
    }
    this.#wanted = wanted;
  }

  async #ask({ id, job, worker, fromOffset, limitBytes }: LogRequestRow): Promise<void> {
    const { db, clock } = this.#context;
    const askedMs = this.#asked.get(id);
    if (askedMs === undefined) {
      const run = this.#jobs.get(job as JobId)?.effects.run;
      this.#asked.set(id, clock.elapsedMs());
      if (run?.askLog(worker, { requestId: id, offset: fromOffset, limitBytes }) !== true)
        void this.#answer(id, worker, fromOffset, limitBytes);
    } else if (clock.elapsedMs() - askedMs > ANSWER_MS) {
      this.#asked.delete(id);
      await failLogRequest(db, id, `worker ${worker} did not answer within ${ANSWER_MS / 1000} s`);
    }
  }

  /** Answers for a worker that is not connected (any more): from what the scheduler has, or from its last words. */
  async #answer(id: string, worker: string, fromOffset: bigint, limitBytes: bigint): Promise<void> {
    const { db, logger } = this.#context;
    try {
      const end = await readWorkerOutput(this.#context, worker, fromOffset < 0n ? Number(-fromOffset) : 0);
      const skip = fromOffset > 0n ? Math.max(0, Number(fromOffset) - end.offset) : 0;
      const text = Buffer.from(end.text)
        .subarray(skip, skip + Number(limitBytes))
        .toString("utf8");
      await writeLogChunk(db, id, BigInt(end.offset + skip), text, true);
    } catch (thrown) {
      const error = toAppError(thrown);
      await failLogRequest(db, id, error.message).catch(() => logger.warn("a log request was not answered", { error }));
    } finally {
      this.#asked.delete(id);
    }
  }

  /** A worker has sent rows or a piece of its log. */
  received(job: JobId, run: RunKey, body: WorkerBody): void {
    if (body.$case === "previewRows") this.#rows(job, run, body.value);
    if (body.$case === "logChunk") this.#log(body.value);
  }

  #rows(job: JobId, run: RunKey, { vertex, subtask, firstRow, rows }: PreviewRows): void {
    if (!this.#isWanted(job, run, vertex, rows.length)) return;
    const received = rows.map((row, index) => ({
      job,
      run: run.run,
      runFence: run.fence,
      vertex,
      subtask,
      rowNumber: firstRow + BigInt(index),
      row,
    }));
    this.#context.projections.previews(received);
    this.#received.set(job, (this.#received.get(job) ?? 0) + rows.length);
  }

  /** Whether rows are shown to somebody: those of previews always, those of other pipelines while somebody looks on, and their first ones. */
  #isWanted(job: JobId, run: RunKey, vertex: number, rows: number): boolean {
    if (this.#wanted.get(job)?.has(vertex) === true || this.#jobs.get(job)?.stored.job.preview === true) return true;
    const before = this.#unseen.get(job);
    const count = (before?.fence === run.fence ? before.rows : 0) + rows;
    this.#unseen.set(job, { fence: run.fence, rows: count });
    return count <= UNSEEN_ROWS_KEPT;
  }

  #log({ requestId, offset, text, last }: LogChunk): void {
    if (last) this.#asked.delete(requestId);
    this.#writing = this.#writing
      .then(() => writeLogChunk(this.#context.db, requestId, offset, new TextDecoder().decode(text), last))
      .catch((error: unknown) => this.#context.logger.warn("a log was not written", { error: toAppError(error) }));
  }

  /** Deletes rows beyond the newest of each job that has got many. */
  async trim(): Promise<void> {
    for (const [job, rows] of this.#received) {
      if (rows < TRIM_EVERY) continue;
      this.#received.set(job, 0);
      await trimPreviewRows(this.#context.db, job, ROWS_KEPT);
    }
  }

  /** The job is deleted. */
  forget(job: JobId): void {
    this.#received.delete(job);
    this.#unseen.delete(job);
  }

  /** Resolves when what was received is written. */
  async settled(): Promise<void> {
    this.#tails.stop();
    await this.#writing;
  }
}
