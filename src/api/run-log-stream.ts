/**
 * The logs of all workers of a run as one stream of events, line by line, filtered, in the order of their times as far as lines have any. It
 * reads the same tails that readers of single logs do; workers that come later are taken up, and one whose log is at its end is left out.
 */
import { type LogTail, readLogTail, requestLogTail } from "../db/log-tails.ts";
import { listRunWorkers, type ScheduledWorker } from "../db/scheduled-workers.ts";
import type { ApiContext } from "./api-context.ts";
import type { EventStream } from "./event-stream.ts";
import { type LogSelection, selectLines } from "./log-stream.ts";

/** What is read. */
export interface RunLogSelection extends Omit<LogSelection, "worker"> {
  readonly fence: number;
}

/** A line with whose it is. */
interface RunLogLine {
  readonly worker: string;
  /** Of the worker within its run; null: not placed. */
  readonly number: number | null;
  readonly text: string;
}

/** Workers of one run whose logs are read at most: each is read from its machine as long as somebody looks on. */
export const MOST_WORKERS = 32;

const POLL_MS = 300;
const WANTED_MS = 15_000;
const RENEW_MS = 5_000;
const CHUNKS_PER_READ = 50;
/** Without following: nothing new for this long is the end, milliseconds. */
const QUIET_MS = 3_000;
const PATIENCE_MS = 15_000;
const END_EVENT = "end";

interface Followed {
  readonly worker: ScheduledWorker;
  cursor: number;
  over: boolean;
}

/** Sends lines until the reader is gone, all workers of a run that is over have been read, or, without `follow`, nothing more is there. */
export async function streamRunLog(api: ApiContext, selection: RunLogSelection, stream: EventStream): Promise<void> {
  const reading = new RunLog(api, selection);
  const begunMs = api.clock.elapsedMs();
  let newsMs: number | undefined;
  while (!stream.signal.aborted) {
    const nowMs = api.clock.elapsedMs();
    await reading.renew(nowMs);
    const { lines, cursor } = await reading.read();
    if (lines.length > 0) {
      newsMs = nowMs;
      await stream.send({ id: String(cursor), data: { lines } });
    }
    const quiet = nowMs - (newsMs ?? begunMs) > (newsMs === undefined ? PATIENCE_MS : QUIET_MS);
    if (reading.over || (!selection.follow && quiet))
      return stream.send({ event: END_EVENT, data: { done: true, message: reading.remark } });
    await api.clock.sleep(POLL_MS, stream.signal);
  }
}

class RunLog {
  readonly #api: ApiContext;
  readonly #selection: RunLogSelection;
  readonly #followed = new Map<string, Followed>();
  #renewAtMs = Number.NEGATIVE_INFINITY;
  #all = 0;
  /** Whether a worker may still write. */
  #alive = true;

  constructor(api: ApiContext, selection: RunLogSelection) {
    this.#api = api;
    this.#selection = selection;
  }

  /** Whether nothing can follow. */
  get over(): boolean {
    return !this.#alive && [...this.#followed.values()].every(({ over }) => over);
  }

  /** What a reader has to know besides the lines; empty: nothing. */
  get remark(): string {
    if (this.#all === 0) return "nothing is kept of this run's workers";
    return this.#all > MOST_WORKERS ? `only ${MOST_WORKERS} of ${this.#all} workers are read together` : "";
  }

  /** Says every few seconds that the logs are wanted, those of new workers, too. */
  async renew(nowMs: number): Promise<void> {
    if (nowMs < this.#renewAtMs) return;
    this.#renewAtMs = nowMs + RENEW_MS;
    const { job, fence, cursor } = this.#selection;
    const workers = await listRunWorkers(this.#api.db, job, fence, 1_000);
    this.#all = workers.length;
    this.#alive = workers.some(({ endedUs }) => endedUs === undefined);
    for (const worker of workers.slice(0, MOST_WORKERS)) {
      if (worker.handle === undefined) continue;
      const known = this.#followed.get(worker.id);
      this.#followed.set(worker.id, { worker, cursor: known?.cursor ?? cursor, over: known?.over ?? false });
      await requestLogTail(this.#api.db, job, this.#tailOf(worker.id), WANTED_MS);
    }
  }

  /** What has come since, and the newest place in it. */
  async read(): Promise<{ readonly lines: readonly RunLogLine[]; readonly cursor: number }> {
    const lines: RunLogLine[] = [];
    for (const followed of this.#followed.values()) {
      if (followed.over) continue;
      const part = await readLogTail(this.#api.db, this.#tailOf(followed.worker.id), followed.cursor, CHUNKS_PER_READ);
      const { id: worker, number = null } = followed.worker;
      for (const { cursor, text } of part?.chunks ?? []) {
        followed.cursor = cursor;
        for (const line of selectLines(text, this.#selection)) lines.push({ worker, number, text: line });
      }
      if (part !== undefined && part.state !== "open" && part.chunks.length < CHUNKS_PER_READ) followed.over = true;
    }
    const cursor = Math.max(0, ...[...this.#followed.values()].map((followed) => followed.cursor));
    return { lines: byTime(lines), cursor };
  }

  #tailOf(worker: string): LogTail {
    return { worker, stream: this.#selection.stream };
  }
}

const TIME = /^\{"time":"([^"]+)"|^(\d{4}-\d\d-\d\dT[\d:.]+Z?)/;

/** In the order of their times; a line without one stays behind the one before it. */
function byTime(lines: readonly RunLogLine[]): readonly RunLogLine[] {
  let worker = "";
  let time = "";
  const timed = lines.map((line) => {
    const [, json, plain] = TIME.exec(line.text) ?? [];
    time = json ?? plain ?? (line.worker === worker ? time : "");
    worker = line.worker;
    return { line, time };
  });
  // Sorting is stable: lines of one time stay as they are.
  return timed.sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0)).map(({ line }) => line);
}
