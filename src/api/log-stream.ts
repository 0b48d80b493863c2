/**
 * A worker's log as events, line by line and filtered. The controller reads the log once, however many follow it, and keeps its newest pieces
 * in a table with a growing cursor: a reader that comes back says the last event's id and goes on behind it.
 */
import { readLogTail, requestLogTail } from "../db/log-tails.ts";
import type { ApiContext } from "./api-context.ts";
import type { EventStream } from "./event-stream.ts";

/** What is read. */
export interface LogSelection {
  readonly job: string;
  readonly worker: string;
  readonly stream: "stdout" | "stderr";
  /** Whether to go on until the worker ends or the reader goes. */
  readonly follow: boolean;
  /** Only lines with this text, without regard to case. */
  readonly contains: string | undefined;
  /** Only lines of this level or worse; lines without a level are left out then. */
  readonly level: LogLevel | undefined;
  /** Go on behind this place; 0: from the beginning of what is kept. */
  readonly cursor: number;
}

/** Levels of lines, the worst first. */
export const LOG_LEVELS = ["error", "warn", "info", "debug"] as const;
/** One of `LOG_LEVELS`. */
export type LogLevel = (typeof LOG_LEVELS)[number];

const POLL_MS = 300;
const WANTED_MS = 15_000;
const RENEW_MS = 5_000;
const CHUNKS_PER_READ = 50;
/** Without following: nothing new for this long is the end, milliseconds. */
const QUIET_MS = 2_000;
/** The controller has not begun to read after so long, milliseconds. */
const PATIENCE_MS = 15_000;
const END_EVENT = "end";

/** Sends lines until the reader is gone, the worker has ended, or, without `follow`, nothing more is there. */
export async function streamLog(api: ApiContext, selection: LogSelection, stream: EventStream): Promise<void> {
  const { job, worker, stream: which, follow } = selection;
  const tail = { worker, stream: which } as const;
  const begunMs = api.clock.elapsedMs();
  let renewAtMs = Number.NEGATIVE_INFINITY;
  let newsMs: number | undefined;
  let { cursor } = selection;
  while (!stream.signal.aborted) {
    const nowMs = api.clock.elapsedMs();
    if (nowMs >= renewAtMs) {
      await requestLogTail(api.db, job, tail, WANTED_MS);
      renewAtMs = nowMs + RENEW_MS;
    }
    const part = await readLogTail(api.db, tail, cursor, CHUNKS_PER_READ);
    for (const chunk of part?.chunks ?? []) {
      cursor = chunk.cursor;
      newsMs = nowMs;
      const lines = selectLines(chunk.text, selection);
      if (lines.length > 0) await stream.send({ id: String(cursor), data: { lines } });
    }
    if (part !== undefined && part.chunks.length === CHUNKS_PER_READ) continue;
    if (part?.state === "failed") return stream.send({ event: END_EVENT, data: { done: true, message: part.failure ?? "" } });
    if (part?.state === "ended") return stream.send({ event: END_EVENT, data: { done: true, message: "" } });
    if (!follow && newsMs !== undefined && nowMs - newsMs > QUIET_MS)
      return stream.send({ event: END_EVENT, data: { done: true, message: "" } });
    if (!follow && newsMs === undefined && nowMs - begunMs > PATIENCE_MS) {
      return stream.send({ event: END_EVENT, data: { done: true, message: "nothing has come of the log" } });
    }
    await api.clock.sleep(POLL_MS, stream.signal);
  }
}

/** Lines of `text` that the reader wants. */
export function selectLines(text: string, { contains, level }: Pick<LogSelection, "contains" | "level">): string[] {
  const wanted = contains?.toLowerCase();
  const least = level === undefined ? undefined : LOG_LEVELS.indexOf(level);
  return text.split("\n").filter((line) => {
    if (line === "") return false;
    if (wanted !== undefined && !line.toLowerCase().includes(wanted)) return false;
    return least === undefined || levelRank(line) <= least;
  });
}

/** Place of a line's level in `LOG_LEVELS`; behind all of them: it has none. */
function levelRank(line: string): number {
  const name = /"level":"(error|warn|info|debug|fatal)"/.exec(line)?.[1] ?? /\b(ERROR|WARN|INFO|DEBUG)\b/.exec(line)?.[1]?.toLowerCase();
  if (name === "fatal") return 0;
  const rank = LOG_LEVELS.indexOf(name as LogLevel);
  return rank < 0 ? LOG_LEVELS.length : rank;
}
