/** Deletes what has had its time: measurements, requests, rows of previews, old checkpoints' rows, previews that are over. */
import { toAppError } from "../core/errors.ts";
import { trimCheckpoints } from "../db/checkpoints.ts";
import { trimJobEvents } from "../db/job-events.ts";
import { expirePipelines } from "../db/jobs.ts";
import { expireOutput } from "../db/output.ts";
import { readReplicationSlots } from "../db/replication-slots.ts";
import { trimSchedulerRuns } from "../db/scheduler.ts";
import { trimLastWords, trimSchedulerEvents } from "../db/scheduler-events.ts";
import { expireWorkers } from "../db/workers.ts";
import type { LeaderContext } from "./context.ts";
import type { Output } from "./output.ts";

const TURN_MS = 5_000;
/** Every so many turns the rarer work is done. */
const EXPIRY_TURNS = 6;
const RARE_TURNS = 12;
const SAMPLES_KEPT_MS = 5 * 60_000;
const PREVIEWS_KEPT_MS = 60 * 60_000;
const WORKERS_KEPT_MS = 24 * 60 * 60_000;
const EVENTS_KEPT = 1_000;
const CHECKPOINTS_KEPT = 100;
/** Of each job: runs with what was submitted for them, lines of the scheduler's timeline, failed workers' last words. */
const RUNS_KEPT = 10;
const SCHEDULER_EVENTS_KEPT = 500;
const LAST_WORDS_KEPT = 20;

/** See the file's comment. */
export class Housekeeping {
  readonly #context: LeaderContext;
  readonly #output: Output;
  #turn = 0;

  constructor(context: LeaderContext, output: Output) {
    this.#context = context;
    this.#output = output;
  }

  /** Works until `over` is aborted. Never throws: what failed is done by the next turn. */
  async run(over: AbortSignal): Promise<void> {
    const { clock, logger } = this.#context;
    for (;;) {
      await clock.sleep(TURN_MS, over);
      if (over.aborted) return;
      try {
        await this.#clean();
      } catch (error) {
        logger.warn("housekeeping failed", { error: toAppError(error) });
      }
    }
  }

  async #clean(): Promise<void> {
    const { db } = this.#context;
    await this.#output.trim();
    this.#turn += 1;
    if (this.#turn % EXPIRY_TURNS === 0) {
      await expireOutput(db, SAMPLES_KEPT_MS);
      await this.#measureDatabase();
    }
    if (this.#turn % RARE_TURNS !== 0) return;
    await expirePipelines(db, PREVIEWS_KEPT_MS);
    await trimCheckpoints(db, CHECKPOINTS_KEPT);
    await expireWorkers(db, WORKERS_KEPT_MS);
    await trimJobEvents(db, EVENTS_KEPT);
    await trimSchedulerRuns(db, RUNS_KEPT);
    await trimSchedulerEvents(db, SCHEDULER_EVENTS_KEPT);
    await trimLastWords(db, LAST_WORDS_KEPT);
  }

  /** What the server does not tell this role is not told. */
  async #measureDatabase(): Promise<void> {
    const { db, metrics, logger } = this.#context;
    try {
      metrics.replicationSlots(await readReplicationSlots(db));
    } catch (error) {
      logger.debug("replication slots could not be read", { error: toAppError(error) });
    }
  }
}
