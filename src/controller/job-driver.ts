/**
 * One job under this leader: feeds its state machine one event at a time, writes the row before anything is done, and hands the effects to
 * `JobEffects`. Events that come while the database is away wait in order.
 */
import { toAppError } from "../core/errors.ts";
import type { JobId } from "../core/ids.ts";
import { withRetry } from "../core/retry.ts";
import type { JobEventRow } from "../db/job-events.ts";
import { readJobs, type StoredJob, writeJob } from "../db/jobs.ts";
import type { JobEffect, TimelineEntry } from "../job/effect.ts";
import type { JobEvent } from "../job/event.ts";
import type { Desired, JobState, StopMode } from "../job/job.ts";
import { stepJob, wakeAtMs } from "../job/step.ts";
import type { LeaderContext } from "./context.ts";
import { JobEffects, type JobHost, type SharedWork } from "./effects.ts";
import { jobLimits } from "./limits.ts";
import { fenceError } from "./term.ts";

/** Attempts to write a row while the database is away: for ever, within the term. */
const WRITE_RETRY = { attempts: Number.POSITIVE_INFINITY, initialMs: 100, maxMs: 2_000 };
/** States in which a job uses a place among those that are being started. */
const STARTING: ReadonlySet<JobState> = new Set<JobState>(["compiling", "scheduling"]);
/** States out of which only a user's wish leads. */
const RESTING: ReadonlySet<JobState> = new Set<JobState>(["created", "stopped", "finished", "failed"]);

/** See the file's comment. */
export class JobDriver implements JobHost {
  readonly id: JobId;
  readonly effects: JobEffects;
  /** It waits for a place to start: time does not make it start. */
  held = false;
  readonly #context: LeaderContext;
  readonly #shared: SharedWork;
  #stored: StoredJob;
  readonly #queue: JobEvent[] = [];
  #working = false;
  /** The whole cluster stops: every job stops with a checkpoint, whatever its user wants. */
  #drained: StopMode | undefined;
  #wished: Desired;
  #over = false;

  constructor(context: LeaderContext, shared: SharedWork, stored: StoredJob) {
    this.id = stored.job.id;
    this.#context = context;
    this.#shared = shared;
    this.#stored = stored;
    this.#wished = stored.job.desired;
    this.effects = new JobEffects(context, shared, this);
  }

  /** The job as of the last write, with what was read beside it. */
  get stored(): StoredJob {
    return this.#stored;
  }

  get state(): JobState {
    return this.#stored.job.state;
  }

  /** Whether it uses a place among those that are being started. */
  get starting(): boolean {
    const { state, context } = this.#stored.job;
    return STARTING.has(state) && context.waiting === undefined;
  }

  /** Whether nothing is going on and its user wants it to run: it has to wait for a place to start. */
  get wantsPlace(): boolean {
    const { stop, deleted } = this.#wished;
    return RESTING.has(this.state) && stop === "none" && !deleted;
  }

  /** Whether it has come to rest for good or until its user wants something else. */
  get atRest(): boolean {
    return RESTING.has(this.state) && !this.#working;
  }

  /** Whether its newest run is over, so that no worker of it may exist. */
  get settledRun(): boolean {
    const { live, leftovers } = this.#stored.job.context;
    return this.atRest && !live && leftovers.length === 0;
  }

  /** Whether it has events to work off. */
  get busy(): boolean {
    return this.#working;
  }

  /** Tells the machine, behind what was told before. */
  post(event: JobEvent): void {
    if (this.#over) return;
    this.#queue.push(event);
    if (!this.#working) void this.#work();
  }

  /** The user's wishes as they were read last, acted on or not. */
  get knownDesired(): Desired {
    return this.#wished;
  }

  /** The row was read again: the user's wishes may be others. `tellDesired` tells the machine. */
  wish(fresh: StoredJob): void {
    const { pipeline, environment, overrides } = fresh;
    this.#stored = { ...this.#stored, pipeline, environment, overrides };
    this.#wished = fresh.job.desired;
  }

  /** The machine hears of the wishes as they are now. */
  tellDesired(): void {
    this.post({ kind: "desired-changed", desired: this.#overlaid(this.#wished) });
  }

  /** Stops the job for the time of this leader; `desired_…` stays as it is, so that the next leader starts it again. */
  drain(mode: StopMode): void {
    if (this.#drained === mode) return;
    this.#drained = mode;
    this.tellDesired();
  }

  #overlaid(desired: Desired): Desired {
    return this.#drained === undefined || desired.stop !== "none" ? desired : { ...desired, stop: this.#drained };
  }

  /** Time has passed. */
  tick(nowMs: number): void {
    this.effects.tick(nowMs);
    if (this.#working || this.held) return;
    const wake = wakeAtMs(this.#stored.job, jobLimits(this.#context.settings));
    if (wake !== undefined && wake <= nowMs) this.post({ kind: "tick" });
  }

  /** Writes a timeline entry. */
  note(entry: TimelineEntry): void {
    this.#context.projections.event(this.#eventRow(entry));
  }

  /** The job is deleted, or this controller leads no more: nothing is done any more. */
  release(): void {
    this.#over = true;
    this.#queue.length = 0;
    this.effects.release();
  }

  /** This is one of the five places that catch: what fails here is the database, or a defect. */
  async #work(): Promise<void> {
    const { term, logger } = this.#context;
    this.#working = true;
    for (let event = this.#queue.shift(); event !== undefined && !this.#over && term.valid; event = this.#queue.shift()) {
      try {
        await this.#step(event);
      } catch (thrown) {
        const error = toAppError(thrown);
        if (term.valid) logger.error("a job's step failed", { job: this.id, state: this.state, event: event.kind, error });
      }
    }
    this.#working = false;
  }

  async #step(event: JobEvent): Promise<void> {
    const { random, nowMs, settings, term } = this.#context;
    const before = this.#stored.job;
    const { job, effects } = stepJob(before, { ...event, jitter: random.below(1001) / 1000 }, nowMs(), jobLimits(settings));
    const tokenHashes = this.effects.tokensFor(effects, this.#stored.tokenHashes, job.run?.fence);
    const entries = effects.flatMap((effect) => (effect.kind === "record" ? [this.#eventRow(effect.entry, job.run?.id)] : []));
    if (job !== before || tokenHashes !== this.#stored.tokenHashes) {
      const next = { ...this.#stored, job, tokenHashes };
      const revision = await this.#write(next, entries);
      if (revision === undefined) return this.#conflict();
      this.#stored = { ...this.#stored, job, tokenHashes, revision };
      if (job.state !== before.state) this.#stateChanged(before.state, job.state);
    } else {
      for (const entry of entries) this.#context.projections.event(entry);
    }
    if (!term.valid) throw fenceError(term.epoch);
    for (const effect of effects) this.#perform(effect);
  }

  #perform(effect: JobEffect): void {
    if (effect.kind !== "record" && !this.#over) this.effects.perform(effect);
  }

  #stateChanged(from: JobState, to: JobState): void {
    const { logger, metrics } = this.#context;
    logger.info("job changed state", { job: this.id, from, to });
    if (to === "recovering") metrics.restarts.inc({ ...this.effects.labels });
    if (to !== "running" && from === "running") metrics.jobGone(this.effects.labels);
    this.#shared.onStateChanged();
  }

  /** Writes until the database takes it or the term is over. */
  #write(next: StoredJob, entries: readonly JobEventRow[]): Promise<bigint | undefined> {
    const { db, term, clock, random, logger, writes } = this.#context;
    return withRetry(
      () =>
        writes.run(async () => {
          term.check();
          return writeJob(db, term.epoch, next, entries);
        }),
      WRITE_RETRY,
      {
        clock,
        random,
        signal: term.signal,
        onRetry: (error, attempt) => {
          if (attempt === 1) logger.warn("a job could not be written, it is tried again", { job: this.id, error });
        },
      },
    );
  }

  /**
   * The row is not as it was left: another leader has written it (then this term is over), somebody else has (a defect, or a person), or it is
   * gone. What is in the row counts; the machine is told to look at it anew.
   */
  async #conflict(): Promise<void> {
    const { db, term, logger } = this.#context;
    const [fresh] = await readJobs(db, [this.id]);
    if (fresh === undefined) {
      logger.info("the job is gone", { job: this.id });
      this.release();
      return;
    }
    term.check();
    logger.warn("the job's row was changed by somebody else", { job: this.id, revision: fresh.revision });
    this.#stored = fresh;
    this.#wished = fresh.job.desired;
    this.#queue.unshift({ kind: "loaded" });
  }

  #eventRow(entry: TimelineEntry, run = this.#stored.job.run?.id): JobEventRow {
    const { error } = entry;
    const details = { ...entry.details, ...(error?.detail === undefined ? {} : { detail: error.detail }) };
    return {
      job: this.id,
      run,
      runFence: BigInt(entry.fence),
      occurredAtMs: this.#context.nowMs(),
      kind: entry.kind,
      level: entry.level,
      message: entry.message,
      details: { ...details, ...(error?.hint === undefined ? {} : { hint: error.hint }) },
      error: error === undefined ? undefined : { domain: error.domain, code: error.code },
    };
  }
}
