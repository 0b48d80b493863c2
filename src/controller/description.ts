/** Leaves beside a job's checkpoints what `wadi recover` needs if the database is lost. */
import { writeDescription } from "../checkpoint/description.ts";
import { toAppError } from "../core/errors.ts";
import type { JobId } from "../core/ids.ts";
import { describeJob } from "../db/descriptions.ts";
import type { ObjectStore } from "../storage/object-store.ts";
import type { LeaderContext } from "./context.ts";

/** Stores the job's description as it is now. Never throws: a run does not end because its description cannot be written. */
export async function leaveDescription({ db, writes, logger }: LeaderContext, job: JobId, store: ObjectStore): Promise<void> {
  try {
    const description = await writes.run(() => describeJob(db, job));
    if (description !== undefined) await writeDescription(store, description);
  } catch (error) {
    logger.warn("the job's description could not be stored beside its checkpoints", { job, error: toAppError(error) });
  }
}
