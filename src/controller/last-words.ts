/**
 * Keeps the last lines that failed workers wrote to stderr: read once from the scheduler while it still has them, and kept with the job when
 * the outside system has forgotten the worker.
 */
import { toAppError } from "../core/errors.ts";
import { readKeptWords, writeLastWords } from "../db/scheduler-events.ts";
import type { WorkerView } from "../scheduler/scheduler.ts";
import type { LeaderContext } from "./context.ts";
import { Gate } from "./gate.ts";
import { readLogEnd } from "./log-end.ts";

const LINES = 200;
const TAIL_BYTES = 64 << 10;
const READ_MS = 10_000;
/** Workers whose output is read at a time, and those that may wait; the others are left out. */
const READS = 4;
const MOST_WAITING = 1_000;
/** Workers that are known to be done with; the oldest are forgotten, and asked the database about again. */
const MOST_DONE = 5_000;
const ATTEMPTS = 3;

/** See the file's comment. */
export class LastWords {
  readonly #context: LeaderContext;
  readonly #gate = new Gate(READS);
  /** By "job handle": how often it was tried. */
  readonly #waiting = new Map<string, { readonly view: WorkerView; readonly attempts: number }>();
  readonly #done = new Set<string>();

  constructor(context: LeaderContext) {
    this.#context = context;
  }

  /** The scheduler shows a worker: if it has failed, its last words are wanted. */
  seen(view: WorkerView): void {
    const key = `${view.job} ${view.handle}`;
    if (!hasFailed(view) || this.#done.has(key) || this.#waiting.has(key) || this.#waiting.size >= MOST_WAITING) return;
    this.#waiting.set(key, { view, attempts: 0 });
  }

  /** Reads and keeps the words of workers that have failed since. Throws the database's errors; then all is done again. */
  async collect(): Promise<void> {
    if (this.#waiting.size === 0) return;
    const batch = [...this.#waiting];
    const kept = await readKeptWords(
      this.#context.db,
      batch.map(([, { view }]) => ({ job: view.job, handle: view.handle })),
    );
    await Promise.all(
      batch.map(([key, { view, attempts }]) => {
        if (kept.has(key)) return this.#finish(key);
        return this.#gate.run(() => this.#keep(key, view, attempts));
      }),
    );
  }

  async #keep(key: string, view: WorkerView, attempts: number): Promise<void> {
    const { db, scheduler, clock, term, logger } = this.#context;
    try {
      const read = { stream: "stderr", tailBytes: TAIL_BYTES } as const;
      const { text } = await readLogEnd({ scheduler, clock, signal: term.signal }, view.handle, read, READ_MS);
      const lines = text.trimEnd().split("\n").slice(-LINES).join("\n");
      await writeLastWords(db, { job: view.job, handle: view.handle, runFence: view.fence, stderr: lines });
      this.#finish(key);
    } catch (thrown) {
      const error = toAppError(thrown);
      if (error.retry === "never" || attempts + 1 >= ATTEMPTS) {
        logger.debug("a failed worker has left no words", { job: view.job, handle: view.handle, error });
        this.#finish(key);
      } else this.#waiting.set(key, { view, attempts: attempts + 1 });
    }
  }

  #finish(key: string): void {
    this.#waiting.delete(key);
    this.#done.add(key);
    if (this.#done.size <= MOST_DONE) return;
    for (const oldest of this.#done) {
      this.#done.delete(oldest);
      break;
    }
  }
}

/** Ended by itself in an orderly way, or by a polite request, is no failure; an end that nobody saw may be one. */
function hasFailed({ exit }: WorkerView): boolean {
  return exit !== undefined && (exit.outOfMemory || (exit.code !== 0 && exit.signal !== "SIGTERM"));
}
