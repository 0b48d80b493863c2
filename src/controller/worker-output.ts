/** Output of a worker that cannot be asked itself: from the scheduler while it keeps it, else the last words that were kept. */
import { AppError, externalError } from "../core/errors.ts";
import { readLastWords } from "../db/scheduler-events.ts";
import { readWorkerHandle } from "../db/workers.ts";
import type { LeaderContext } from "./context.ts";
import { type LogEnd, readLogEnd } from "./log-end.ts";

const READ_MS = 10_000;

/** The last `tailBytes` (0: all) that the worker wrote to stderr. Throws `not-found` if nothing is kept anywhere. */
export async function readWorkerOutput(
  { db, scheduler, clock, term }: Pick<LeaderContext, "db" | "scheduler" | "clock" | "term">,
  worker: string,
  tailBytes: number,
): Promise<LogEnd> {
  const known = await readWorkerHandle(db, worker);
  if (known === undefined) throw externalError("not-found", `nothing is known of worker ${worker}`, { retry: "never" });
  try {
    return await readLogEnd({ scheduler, clock, signal: term.signal }, known.handle, { stream: "stderr", tailBytes }, READ_MS);
  } catch (error) {
    if (!(error instanceof AppError) || error.domain !== "external") throw error;
    const words = await readLastWords(db, known.job, known.handle);
    if (words === undefined) throw error;
    return { offset: 0, text: words };
  }
}
