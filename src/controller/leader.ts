/**
 * One term of leading: reads all jobs, drives each by a `JobDriver`, keeps looking for what users changed, and writes what they see. Built
 * anew for every term; nothing of it outlives one.
 */
import { setMaxListeners } from "node:events";
import { toAppError } from "../core/errors.ts";
import type { JobId } from "../core/ids.ts";
import { withRetry } from "../core/retry.ts";
import { type ChangedJob, fenceJobs, readChangedJobs, readJobs, type StoredJob } from "../db/jobs.ts";
import type { Register, Welcome } from "../gen/controller.ts";
import type { RunFence } from "../gen/peer.ts";
import type { TimelineEntry } from "../job/effect.ts";
import type { StopMode } from "../job/job.ts";
import { fencedOut, leaderMoved } from "../rpc/refusal.ts";
import type { WorkerBody, WorkerSession } from "../rpc/worker-server.ts";
import type { RunKey, SchedulerEvent, WorkerView } from "../scheduler/scheduler.ts";
import type { LeaderContext } from "./context.ts";
import type { SharedWork } from "./effects.ts";
import { Gate } from "./gate.ts";
import { Housekeeping } from "./housekeeping.ts";
import { JobDriver } from "./job-driver.ts";
import type { SampledJob } from "./job-gauges.ts";
import { JobListener } from "./job-listener.ts";
import { Output } from "./output.ts";
import { PushedGroups } from "./pushed-groups.ts";
import { HEARTBEAT_INTERVAL_MS, WORKER_LEASE_MS } from "./run-messages.ts";
import { SchedulerProjection } from "./scheduler-view.ts";
import { WorkerBook } from "./worker-book.ts";

/** Compilations at a time; requests for workers, and jobs that may be on their way to running, unless the scheduler bears more. */
const COMPILATIONS = 2;
const STARTS = 8;
/** Deadlines are looked at this often, milliseconds. */
const TICK_MS = 100;
/** Changes are looked for this often without being told of any, milliseconds. */
const POLL_MS = 500;
const FLUSH_MS = 500;
/** Measurements are taken this often; less often for many jobs. */
const SAMPLE_MS = 2_000;
const SAMPLE_MANY_MS = 5_000;
const MANY_JOBS = 50;
const RETRY = { attempts: Number.POSITIVE_INFINITY, initialMs: 100, maxMs: 1_000 };

/** See the file's comment. */
export class Leader {
  readonly #context: LeaderContext;
  readonly #jobs = new Map<JobId, JobDriver>();
  /** Jobs that wait for a place to start, in order. */
  readonly #waiting = new Map<JobId, () => void>();
  readonly #shared: SharedWork;
  readonly #output: Output;
  readonly #housekeeping: Housekeeping;
  readonly #listener: JobListener;
  readonly #view: SchedulerProjection;
  readonly #pushed: PushedGroups;
  readonly #startsAtOnce: number;
  #ready = false;
  #draining: StopMode | undefined;

  constructor(context: LeaderContext) {
    this.#context = context;
    this.#startsAtOnce = context.scheduler.startsAtOnce ?? STARTS;
    this.#output = new Output(context, this.#jobs);
    this.#listener = new JobListener(context);
    this.#view = new SchedulerProjection(context);
    this.#pushed = new PushedGroups(context, () => [...this.#jobs.values()].map(({ stored }) => stored.job));
    this.#shared = {
      compilations: new Gate(COMPILATIONS),
      starts: new Gate(this.#startsAtOnce),
      book: new WorkerBook(context.projections, context.nowMs),
      output: (job, run, body) => this.#output.received(job, run, body),
      onStarted: (spec, accepted) => this.#view.started(spec, accepted),
      onStateChanged: () => this.#fillPlaces(),
      onDeleted: (job) => this.#remove(job),
    };
    this.#housekeeping = new Housekeeping(context, this.#output);
  }

  /** Runs until the term is over or `stop` is aborted; then what is collected is written and everything is let go of. Never throws. */
  async run(stop: AbortSignal): Promise<void> {
    const { term, clock, scheduler, logger, metrics } = this.#context;
    const over = AbortSignal.any([stop, term.signal]);
    setMaxListeners(0, over, term.signal);
    const unobserve = scheduler.observe((event) => this.#observed(event));
    scheduler.tellControllers?.(this.#context.endpoints);
    metrics.leader.set(1);
    metrics.leaderEpoch.set(Number(term.epoch));
    try {
      await Promise.race([this.#takeOver(over), aborted(over)]);
      const loops = [
        this.#every(over, TICK_MS, async () => this.#tick()),
        this.#every(over, POLL_MS, () => this.#poll(), this.#listener),
        this.#every(over, FLUSH_MS, () => this.#context.projections.flush()),
        this.#every(over, POLL_MS, () => this.#output.poll()),
        this.#every(over, SAMPLE_MS, () => this.#sample()),
        this.#housekeeping.run(over),
        this.#view.run(over),
        this.#pushed.run(over),
        this.#listener.run(over),
      ];
      // A statement that the database does not answer must not keep this leader from letting go: its loops end by themselves later.
      await Promise.race([Promise.all(loops), aborted(term.signal)]);
    } catch (error) {
      if (!over.aborted) logger.error("the leader failed", { error: toAppError(error) });
    } finally {
      this.#ready = false;
      unobserve();
      if (term.valid) await Promise.race([this.#writeLast(), clock.sleep(1_000, term.signal)]);
      for (const job of this.#jobs.values()) job.release();
      metrics.reset();
    }
  }

  async #writeLast(): Promise<void> {
    await this.#output.settled();
    await this.#context.projections.flush();
  }

  async #takeOver(over: AbortSignal): Promise<void> {
    const { db, term, clock, random, logger } = this.#context;
    const startedMs = clock.elapsedMs();
    const retrying = { clock, random, signal: over };
    await withRetry(() => fenceJobs(db, term.epoch), RETRY, retrying);
    const stored = await withRetry(() => readJobs(db), RETRY, retrying);
    for (const one of stored) this.#add(one, true);
    this.#ready = true;
    logger.info("jobs taken over", { jobs: stored.length, tookMs: Math.round(clock.elapsedMs() - startedMs) });
    void this.#reconcileWorkers(over);
  }

  /** Runs `work` at once and then every `ms`, or when `listener` has heard of something. One failure does not end the loop. */
  async #every(over: AbortSignal, ms: number, work: () => Promise<void>, listener?: JobListener): Promise<void> {
    const { clock, logger, metrics } = this.#context;
    let failing = false;
    while (!over.aborted) {
      const startedMs = clock.elapsedMs();
      try {
        await work();
        failing = false;
      } catch (thrown) {
        const error = toAppError(thrown);
        metrics.databaseErrors.inc();
        if (!failing && !over.aborted) logger.warn("a turn of the leader's loop failed", { error });
        failing = true;
      }
      metrics.loopSeconds.observe((clock.elapsedMs() - startedMs) / 1000);
      await (listener === undefined ? clock.sleep(ms, over) : listener.heard(ms, over));
    }
  }

  #add(stored: StoredJob, loaded: boolean): void {
    const driver = new JobDriver(this.#context, this.#shared, stored);
    if (!stored.job.preview) this.#context.metrics.jobKnown(driver.effects.labels);
    this.#jobs.set(driver.id, driver);
    if (this.#draining !== undefined) driver.drain(this.#draining);
    this.#admit(driver, () => (loaded ? driver.post({ kind: "loaded" }) : driver.tellDesired()));
  }

  /** Tells a job what makes it start when there is a place for it; at once if it does not want one. */
  #admit(driver: JobDriver, tell: () => void): void {
    if (!driver.wantsPlace || this.#draining !== undefined) {
      this.#waiting.delete(driver.id);
      driver.held = false;
      return tell();
    }
    this.#waiting.set(driver.id, tell);
    driver.held = true;
    this.#fillPlaces();
  }

  #fillPlaces(): void {
    if (this.#waiting.size === 0) return;
    let used = 0;
    for (const job of this.#jobs.values()) if (job.starting || (job.busy && job.wantsPlace)) used += 1;
    for (const [id, tell] of this.#waiting) {
      if (used >= this.#startsAtOnce) return;
      this.#waiting.delete(id);
      const job = this.#jobs.get(id);
      if (job !== undefined) job.held = false;
      tell();
      used += 1;
    }
  }

  #tick(): void {
    const nowMs = this.#context.nowMs();
    for (const job of this.#jobs.values()) job.tick(nowMs);
    this.#fillPlaces();
  }

  async #poll(): Promise<void> {
    const changed = await readChangedJobs(this.#context.db);
    const unknown = changed.filter((one) => this.#isNews(one)).map(({ id }) => id);
    if (unknown.length === 0) return;
    for (const fresh of await readJobs(this.#context.db, unknown)) {
      const driver = this.#jobs.get(fresh.job.id);
      if (driver === undefined) this.#add(fresh, fresh.revision > 0n);
      else this.#change(driver, fresh);
    }
  }

  #isNews({ id, desiredRevision, deleted }: ChangedJob): boolean {
    const known = this.#jobs.get(id)?.knownDesired;
    return known === undefined || known.revision !== desiredRevision || known.deleted !== deleted;
  }

  #change(driver: JobDriver, fresh: StoredJob): void {
    driver.wish(fresh);
    this.#admit(driver, () => driver.tellDesired());
  }

  #remove(job: JobId): void {
    const driver = this.#jobs.get(job);
    if (driver === undefined) return;
    driver.release();
    this.#jobs.delete(job);
    this.#waiting.delete(job);
    this.#output.forget(job);
    this.#context.metrics.jobDeleted(driver.effects.labels);
  }

  async #sample(): Promise<void> {
    const { projections, metrics, nowMs, clock, term, settings } = this.#context;
    let running = 0;
    let workers = 0;
    const takenAtMs = nowMs();
    for (const job of this.#jobs.values()) {
      const { run } = job.effects;
      if (run === undefined || run.over) continue;
      running += 1;
      workers += run.workers;
      const samples = run.meter.sample();
      if (samples !== undefined) projections.samples([{ job: job.id, runFence: run.key.fence, takenAtMs, samples }]);
      const bad = run.meter.takeBadRows(clock.elapsedMs());
      if (bad > 0) job.note(badRows(bad, run.key));
      if (job.state === "running" && !job.stored.job.preview)
        metrics.checkpointAge(job.effects.labels, takenAtMs - (run.newestEpochBeganMs ?? run.drivenSinceMs));
    }
    metrics.workers.set(workers);
    const jobs = [...this.#jobs.values()];
    metrics.countJobs(jobs.map(({ state }) => state));
    metrics.now.set(
      jobs.map((job) => sampled(job, takenAtMs)),
      settings["checkpoint.timeout"],
    );
    if (running >= MANY_JOBS) await clock.sleep(SAMPLE_MANY_MS - SAMPLE_MS, term.signal);
  }

  #observed(event: SchedulerEvent): void {
    this.#view.observed(event);
    switch (event.kind) {
      case "worker":
        return this.#jobs.get(event.worker.job)?.effects.seen(event.worker);
      case "placement": {
        const { run, missing, reason } = event;
        const job = this.#jobs.get(run.job);
        if (job !== undefined && missing > 0) this.#context.metrics.placementFailures.inc({ ...job.effects.labels });
        return job?.post({ kind: "placement-blocked", fence: Number(run.fence), missing, reason });
      }
      case "drain":
        for (const run of event.runs) {
          const { reason = `node ${event.node} drains` } = event;
          this.#jobs.get(run.job)?.post({ kind: "drain", fence: Number(run.fence), reason, deadlineMs: event.deadlineMs });
        }
        return;
      case "resync":
        for (const job of this.#jobs.values()) job.post({ kind: "scheduler-back" });
        return void this.#reconcileWorkers(this.#context.term.signal);
    }
  }

  /** What the scheduler knows of the jobs' workers: shows it, hears of exits that were missed, and ends workers of runs that are over. */
  async #reconcileWorkers(over: AbortSignal): Promise<void> {
    const { scheduler, logger } = this.#context;
    for (const job of [...this.#jobs.values()]) {
      if (over.aborted) return;
      if (job.stored.job.run === undefined) continue;
      try {
        const views = await scheduler.listWorkers(job.id);
        for (const view of views) job.effects.seen(view);
        for (const view of orphans(views, job)) {
          logger.info("stopping a worker of a run that is over", { job: job.id, run: view.run, handle: view.handle });
          await scheduler.stopWorkers({ job: job.id, run: view.run, fence: view.fence }, { kind: "force" });
        }
      } catch (error) {
        logger.warn("workers could not be listed", { job: job.id, error: toAppError(error) });
      }
    }
  }

  /** Stops every job with a checkpoint (`mode` "force": at once), whatever users want; nothing is started any more. */
  drain(mode: StopMode): void {
    this.#draining = mode;
    this.#waiting.clear();
    for (const job of this.#jobs.values()) job.drain(mode);
  }

  /** Whether jobs are taken over and the term holds. */
  get active(): boolean {
    return this.#ready && this.#context.term.valid;
  }

  /** Whether no run has a worker any more. */
  get idle(): boolean {
    return this.#ready && [...this.#jobs.values()].every((job) => job.settledRun);
  }

  /** Whether a worker may join; throws the refusal. */
  async admit(register: Register, fence: RunFence): Promise<Welcome> {
    if (!this.#ready) throw leaderMoved(undefined, this.#context.endpoints);
    const job = this.#jobs.get(fence.jobId as JobId);
    if (job === undefined) throw fencedOut(0n, "the job does not exist any more");
    await job.effects.admit(register, fence);
    const certificate = await this.#context.security.certify(register, fence);
    const lease = { durationMs: WORKER_LEASE_MS, epochComplete: BigInt(job.stored.job.epoch), acknowledgedSequence: 0n };
    const { endpoints, settings } = this.#context;
    const heartbeatIntervalMs = HEARTBEAT_INTERVAL_MS;
    const metricsPush = pushOf(settings);
    return { lease, heartbeatIntervalMs, endpoints, ...certificate, takesCheckpointRequests: true, metricsPush };
  }

  /** A worker is connected. */
  opened(session: WorkerSession, release: string): void {
    const job = this.#jobs.get(session.fence.jobId as JobId);
    if (job === undefined || !this.#ready) return session.close();
    job.effects.opened(session, release);
  }

  /** It says something. */
  message(session: WorkerSession, body: WorkerBody): void {
    if (body.$case === "heartbeat") {
      const { residentBytes, cpuUs } = body.value;
      this.#context.projections.uses(session.register.workerId, Number(residentBytes), Number(cpuUs));
    }
    this.#jobs.get(session.fence.jobId as JobId)?.effects.message(session, body);
  }

  /** Its stream is over. */
  closed(session: WorkerSession): void {
    this.#jobs.get(session.fence.jobId as JobId)?.effects.closed(session);
  }
}

function sampled({ stored, effects }: JobDriver, nowMs: number): SampledJob {
  const epochs = effects.run?.over === false ? effects.run.epochs : undefined;
  const since = epochs?.committingSinceMs;
  const { job, pipeline } = stored;
  const commitAgeMs = since === undefined ? undefined : nowMs - since;
  return { labels: effects.labels, pipeline: pipeline.name, job, checkpointMs: epochs?.newestTookMs, commitAgeMs };
}

/** Where workers push their metrics; undefined: nowhere. */
function pushOf(settings: LeaderContext["settings"]): Welcome["metricsPush"] {
  const url = settings["metrics.pushgateway"];
  return url === undefined || !settings["metrics.push"] ? undefined : { url, intervalMs: settings["metrics.push-interval"] };
}

function badRows(rows: number, run: RunKey): TimelineEntry {
  const message = `${rows} row${rows === 1 ? "" : "s"} could not be read or computed`;
  return { kind: "bad-rows", level: "warn", message, fence: Number(run.fence), error: undefined, details: { rows } };
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** Workers of runs that are over: of earlier ones, and of the newest if the job has come to rest. */
function orphans(views: readonly WorkerView[], job: JobDriver): readonly WorkerView[] {
  const fence = BigInt(job.stored.job.run?.fence ?? 0);
  return views.filter(
    (view) => view.phase !== "exited" && view.phase !== "lost" && (view.fence < fence || (view.fence === fence && job.settledRun)),
  );
}
