/**
 * Performs what the job machine wants: compiles, asks the scheduler, drives the run, deletes. One of the five places where errors are caught:
 * what fails is told to the machine as an event, which decides whether it is tried again. Every effect may be performed twice.
 */
import { jobFolder } from "../checkpoint/paths.ts";
import { handedOver, haveSecretOptions, secretsOf } from "../connectors/secrets.ts";
import { type AppError, externalError, toAppError, toErrorRecord } from "../core/errors.ts";
import type { JobId, WorkerId } from "../core/ids.ts";
import { deleteJob, readProgramText, type StoredJob } from "../db/jobs.ts";
import type { Register } from "../gen/controller.ts";
import type { RunFence } from "../gen/peer.ts";
import type { Failed } from "../gen/report.ts";
import type { JobEffect, TimelineEntry, WorkerStop } from "../job/effect.ts";
import type { JobEvent } from "../job/event.ts";
import type { RunReference } from "../job/job.ts";
import { decodeProgram } from "../program/codec.ts";
import { fromErrorMessage } from "../rpc/error-message.ts";
import { fencedOut, leaderMoved } from "../rpc/refusal.ts";
import { hashRunToken, isRunToken, makeRunToken } from "../rpc/run-token.ts";
import type { WorkerBody, WorkerSession } from "../rpc/worker-server.ts";
import type { RunKey, RunSpec, SecretReference, WorkerExit, WorkerView } from "../scheduler/scheduler.ts";
import { makeArtifact } from "./artifacts.ts";
import type { LeaderContext } from "./context.ts";
import type { Gate } from "./gate.ts";
import type { JobLabels } from "./job-gauges.ts";
import { RunDriver } from "./run-driver.ts";
import { WaitingRoom } from "./waiting-room.ts";
import type { WorkerBook } from "./worker-book.ts";
import { type WorkerStopScope, workerStop } from "./worker-stop.ts";

/** What all jobs of a leader share. */
export interface SharedWork {
  readonly compilations: Gate;
  readonly starts: Gate;
  readonly book: WorkerBook;
  /** Rows and pieces of logs, for users. */
  readonly output: (job: JobId, run: RunKey, body: WorkerBody) => void;
  /** Workers were asked for with `spec`; not accepted: it waits here until there is room. */
  readonly onStarted: (spec: RunSpec, accepted: boolean) => void;
  /** A job has come into another state: there may be a place for another one to start. */
  readonly onStateChanged: () => void;
  /** The job and its row are deleted. */
  readonly onDeleted: (job: JobId) => void;
}

/** Whose effects are performed. */
export interface JobHost {
  readonly id: JobId;
  readonly stored: StoredJob;
  post(event: JobEvent): void;
  note(entry: TimelineEntry): void;
}

/** Bytes of a worker besides its slots' state: code, buffers, JavaScript's heap. */
const SLOT_OVERHEAD_BYTES = 256 << 20;
const SLOT_CPU_MILLIS = 1_000;
/** Tokens of runs that a job's workers may show: of the run that runs and of the prepared one, by a few controllers each. */
const TOKENS_KEPT = 8;
/** Workers that have not registered after so long keep no other job from starting, milliseconds. */
const COMING_UP_MS = 10_000;
/** How long the opening of an adopted run waits for the scheduler's word on its workers, milliseconds. */
const HEAR_OF_ENDS_MS = 1_000;

/** See the file's comment. */
export class JobEffects {
  readonly #context: LeaderContext;
  readonly #shared: SharedWork;
  readonly #host: JobHost;
  /** Of the newest run that was started here. */
  #token: { readonly fence: number; readonly token: string } | undefined;
  #run: RunDriver | undefined;
  /** Workers of the run that is prepared beside the one above. */
  #room: WaitingRoom | undefined;
  /** Runs up to this fence are over: their workers are told so. */
  #droppedFence = 0;
  /** Aborted when the newest run's workers have come up, or it is over. */
  #placing = new AbortController();
  #stop: { readonly abort: AbortController; readonly nudge: () => void } | undefined;
  /** Ends of single runs under way, by fence. */
  readonly #ends = new Map<number, { readonly abort: AbortController; readonly nudge: () => void }>();

  /** Ends of workers that were seen before their run is driven here: of a leader that takes over. */
  #early: WorkerView[] = [];
  /** What all stops of the job's workers have in common. */
  readonly #scope: WorkerStopScope = { mayPublish: (view) => this.#mayPublish(view), settled: new Set() };

  constructor(context: LeaderContext, shared: SharedWork, host: JobHost) {
    this.#context = context;
    this.#shared = shared;
    this.#host = host;
  }

  /** The run that is driven here. */
  get run(): RunDriver | undefined {
    return this.#run;
  }

  /**
   * Hashes of the tokens that the row has to have before `effects` are performed: with that of a new token if workers are to be started and
   * this controller has none for the run. Earlier ones of the same run stay: its workers may have been started by another controller.
   */
  tokensFor(effects: readonly JobEffect[], known: readonly string[], fence: number | undefined): readonly string[] {
    const start = effects.find((effect) => effect.kind === "start-workers");
    if (start === undefined || fence === undefined || this.#token?.fence === start.run.fence) return known;
    this.#token = { fence: start.run.fence, token: makeRunToken() };
    return [...known.slice(1 - TOKENS_KEPT), hashRunToken(this.#token.token)];
  }

  /** Begins `effect`; what comes of it is told to the job. */
  perform(effect: Exclude<JobEffect, { kind: "record" }>): void {
    switch (effect.kind) {
      case "compile":
        return this.#attempt(
          () => this.#compile(),
          (error) => ({ kind: "compile-failed", error: toErrorRecord(error) }),
        );
      case "start-workers":
        return this.#attempt(() => this.#startWorkers(effect), startFailed(effect.run));
      case "prepare-run":
        return this.#prepareRun(effect.run, effect.parallelism);
      case "end-workers":
        return this.#attempt(
          () => this.#endWorkers(effect.run, effect.mode),
          (error) => ({ kind: "stop-failed", fence: effect.run.fence, error: toErrorRecord(error) }),
        );
      case "start-run":
      case "adopt-run":
        return this.#attempt(() => this.#openRun(effect), startFailed(effect.run));
      case "command-run":
        if (this.#run?.key.fence === BigInt(effect.run.fence)) this.#run.command(effect.command);
        return;
      case "drop-run":
        return this.#drop(effect.run);
      case "stop-workers":
        return this.#attempt(
          () => this.#stopWorkers(effect.run, effect.mode),
          (error) => ({ kind: "stop-failed", fence: effect.run.fence, error: toErrorRecord(error) }),
        );
      case "clean-up":
        return this.#attempt(
          () => this.#cleanUp(),
          () => undefined,
        );
    }
  }

  /** Ends what goes on here; workers are not touched. */
  release(): void {
    this.#run?.release();
    for (const session of this.#room?.leave() ?? []) session.close();
    this.#placing.abort();
    this.#stop?.abort.abort();
    for (const { abort } of this.#ends.values()) abort.abort();
  }

  #attempt(work: () => Promise<void>, failure: (error: AppError) => JobEvent | undefined): void {
    work().catch((thrown: unknown) => {
      const error = toAppError(thrown);
      const { term, logger } = this.#context;
      if (!term.valid) return;
      const event = failure(error);
      logger.warn("an effect failed", { job: this.#host.id, effect: event?.kind ?? "clean-up", error });
      if (event !== undefined) this.#host.post(event);
    });
  }

  async #compile(): Promise<void> {
    const { db, stores, compiler, term } = this.#context;
    const { pipeline } = this.#host.stored;
    const compiled = await this.#shared.compilations.run(async () => {
      term.check();
      const text = await readProgramText(db, pipeline.id);
      if (text === undefined) throw externalError("not-found", `pipeline "${pipeline.name}" has no program`, { retry: "never" });
      const program = decodeProgram(text);
      const { hash } = await makeArtifact(compiler, await stores.open(stores.artifactUrl), program);
      return { hash, vertices: program.vertices.length };
    });
    this.#host.post({ kind: "compiled", artifact: compiled.hash, vertices: compiled.vertices });
  }

  async #startWorkers({ run, parallelism, build }: JobEffect & { readonly kind: "start-workers" }): Promise<void> {
    const { scheduler, term, clock } = this.#context;
    this.#placing.abort();
    const placing = new AbortController();
    this.#placing = placing;
    await this.#shared.starts.run(async () => {
      if (placing.signal.aborted) return;
      term.check();
      const spec = { ...this.#spec(run, parallelism, build), secrets: await this.#handedSecrets() };
      const outcome = await scheduler.startWorkers(spec);
      this.#shared.onStarted(spec, outcome.kind === "accepted");
      if (outcome.kind !== "accepted") {
        this.#context.metrics.placementFailures.inc({ ...this.labels });
        return this.#host.post({ ...outcome, fence: run.fence });
      }
      this.#host.post({ kind: "workers-accepted", fence: run.fence, workers: outcome.workers });
      // The place is kept while the workers come up: after a loss of many they would otherwise all start at once.
      await clock.sleep(COMING_UP_MS, AbortSignal.any([placing.signal, term.signal]));
    });
  }

  /** Of this job's metrics. */
  get labels(): JobLabels {
    return { job_id: this.#host.id, pipeline_id: this.#host.stored.pipeline.id };
  }

  #spec(run: RunReference, parallelism: number, build: string): RunSpec {
    const { settings, endpoints, security } = this.#context;
    const { job, pipeline, environment, overrides } = this.#host.stored;
    return {
      job: job.id,
      run: run.id,
      fence: BigInt(run.fence),
      pipeline: pipeline.id,
      slug: pipeline.slug.slice(0, 40),
      slots: parallelism,
      slotsPerWorker:
        settings["controller.scheduler"] === "process" ? settings["process.slots-per-process"] : settings["worker.task-slots"],
      resources: { cpuMillis: SLOT_CPU_MILLIS, memoryBytes: settings["pipeline.state-limit"] + SLOT_OVERHEAD_BYTES },
      artifact: job.artifact ?? "",
      ...(build === "" ? {} : { build }),
      controllers: endpoints,
      controllerCa: security.controllerCa,
      runToken: this.#token?.fence === run.fence ? this.#token.token : makeRunToken(),
      environment: { ...environment, WADI_PIPELINE_ID: pipeline.id },
      secrets: [],
      overrides,
    };
  }

  /** Secrets that the outside system has to hand to workers; the others they find by themselves. Only references are seen here. */
  async #handedSecrets(): Promise<readonly SecretReference[]> {
    // Programs are read when somebody could need it.
    if (!haveSecretOptions()) return [];
    const text = await readProgramText(this.#context.db, this.#host.stored.pipeline.id);
    return text === undefined ? [] : handedOver(secretsOf(decodeProgram(text)));
  }

  async #openRun(effect: JobEffect & { readonly kind: "start-run" | "adopt-run" }): Promise<void> {
    const { job, pipeline } = this.#host.stored;
    const { run, parallelism, checkpointIntervalMs, ignoreStateBeforeEpoch } = effect;
    if (this.#run !== undefined && this.#run.key.fence !== BigInt(run.fence)) this.#run.drop("a newer run has taken over");
    if (this.#run === undefined || this.#run.over) {
      this.#run = new RunDriver({
        context: this.#context,
        job: job.id,
        run,
        pipeline,
        preview: job.preview,
        parallelism,
        checkpointIntervalMs,
        ignoreStateBeforeEpoch,
        newestEpoch: job.epoch,
        artifactHash: job.artifact,
        labels: this.labels,
        adoption: effect.kind === "adopt-run" ? { placement: effect.placement, stop: effect.stop } : undefined,
        report: (report) => this.#report(run, report),
        record: (entry) => this.#host.note(entry),
      });
    }
    const { room } = this.#takeRoom(run.fence);
    for (const session of room?.leave() ?? []) this.#run.attach(session);
    for (const view of this.#early.splice(0)) if (view.fence === this.#run.key.fence) this.seen(view);
    if (effect.kind === "adopt-run") await this.#hearOfEnds(this.#keyOf(run));
    await this.#run.open();
  }

  /**
   * Workers that ended while nobody led are told of once, before the run is driven: they are asked for again, or it would wait for their
   * silence. A scheduler that does not answer at once is not waited for.
   */
  async #hearOfEnds(key: RunKey): Promise<void> {
    const { scheduler, logger, term, clock } = this.#context;
    const heard = new AbortController();
    const listed = scheduler
      .listWorkers(key.job, key.run)
      .then((views) => {
        if (term.valid) for (const view of views) if (view.phase === "exited") this.seen(view);
      })
      .catch((error: unknown) => {
        logger.warn("workers of an adopted run could not be listed", { job: key.job, run: key.run, error: toAppError(error) });
      })
      .finally(() => heard.abort());
    await Promise.race([listed, clock.sleep(HEAR_OF_ENDS_MS, AbortSignal.any([heard.signal, term.signal]))]);
  }

  #keyOf(run: RunReference): RunKey {
    return { job: this.#host.id, run: run.id, fence: BigInt(run.fence) };
  }

  /** Workers of the run may register and wait. */
  #prepareRun(run: RunReference, parallelism: number): void {
    if (this.#room?.key.fence === BigInt(run.fence)) return;
    this.#room?.refuse("another run is prepared");
    const report = (told: Extract<JobEvent, { kind: "run" }>["report"]): void => {
      this.#placing.abort();
      this.#host.post({ kind: "run", fence: run.fence, report: told });
    };
    this.#room = new WaitingRoom({ key: this.#keyOf(run), parallelism, report });
  }

  /** The room of the run with `fence`, which is closed. */
  #takeRoom(fence: number): { readonly room: WaitingRoom | undefined } {
    const room = this.#room?.key.fence === BigInt(fence) ? this.#room : undefined;
    if (room !== undefined) this.#room = undefined;
    return { room };
  }

  /** Time has passed. */
  tick(nowMs: number): void {
    this.#run?.tick(nowMs);
    this.#room?.tick(nowMs);
  }

  #report(run: RunReference, report: Extract<JobEvent, { kind: "run" }>["report"]): void {
    this.#placing.abort();
    if (report.kind === "placed") this.#shared.book.placed(report.placement);
    if (report.kind === "running") this.#shared.book.running(this.#host.stored.job.context.placement ?? []);
    this.#host.post({ kind: "run", fence: run.fence, report });
  }

  #drop({ fence }: RunReference): void {
    this.#placing.abort();
    this.#droppedFence = Math.max(this.#droppedFence, fence);
    if (this.#run !== undefined && this.#run.key.fence <= BigInt(fence)) this.#run.drop("the run is over");
  }

  async #stopWorkers(run: RunReference, mode: WorkerStop): Promise<void> {
    this.#stop?.abort.abort();
    const abort = new AbortController();
    const signal = AbortSignal.any([abort.signal, this.#context.term.signal]);
    const stopping = workerStop(this.#context, this.#host.id, run, mode, signal, this.#scope);
    this.#stop = { abort, nudge: stopping.nudge };
    const gone = await stopping.gone;
    if (!gone) return;
    this.#shared.book.forget(this.#keyOf(run));
    this.#host.post({ kind: "workers-gone", fence: run.fence });
  }

  /** Of one run alone. */
  async #endWorkers(run: RunReference, mode: WorkerStop): Promise<void> {
    this.#takeRoom(run.fence).room?.refuse("the run is not needed");
    this.#ends.get(run.fence)?.abort.abort();
    const abort = new AbortController();
    const signal = AbortSignal.any([abort.signal, this.#context.term.signal]);
    const stopping = workerStop(this.#context, this.#host.id, run, mode, signal, { ...this.#scope, alone: true });
    this.#ends.set(run.fence, { abort, nudge: stopping.nudge });
    const gone = await stopping.gone;
    if (!gone) return;
    this.#ends.delete(run.fence);
    this.#shared.book.forgetOne(this.#keyOf(run));
    this.#host.post({ kind: "workers-gone", fence: run.fence });
  }

  async #cleanUp(): Promise<void> {
    const { db, stores, term, projections, logger, writes, openings } = this.#context;
    const { job, pipeline } = this.#host.stored;
    await this.#run?.settled();
    const store = await stores.open(stores.stateUrl(pipeline.stateUrl));
    term.check();
    const objects = await openings.run(() => store.deletePrefix(jobFolder(job.id)));
    projections.forget(job.id);
    await writes.run(() => deleteJob(db, term.epoch, job.id, pipeline.id));
    logger.info("job deleted", { job: job.id, objects });
    this.#shared.onDeleted(job.id);
  }

  /** Whether a worker may join; throws the refusal. */
  async admit(register: Register, fence: RunFence): Promise<void> {
    const run = this.#judge(register, fence);
    try {
      await this.#context.security.prove(run.key, register);
    } catch (thrown) {
      const error = toAppError(thrown);
      if (error.retry === "never") this.#noteRefusal(run.key, register, error);
      throw error;
    }
    // It took a while: the run may be over.
    this.#judge(register, fence);
  }

  /** The run that the worker belongs to, by its token; throws the refusal. */
  #judge(register: Register, fence: RunFence): RunDriver | WaitingRoom {
    const { job, tokenHashes } = this.#host.stored;
    const current = BigInt(job.run?.fence ?? 0);
    if (fence.fence < current || fence.fence <= BigInt(this.#droppedFence)) throw fencedOut(current, "the run is over");
    const { prepared, lastFence } = job.context;
    const given = fence.fence > current && fence.fence <= BigInt(lastFence);
    if (given && fence.fence !== BigInt(prepared?.run.fence ?? 0)) throw fencedOut(current, "the run is not needed");
    if (register.credentialKind !== "run-token" || !tokenHashes.some((hash) => isRunToken(register.credential, hash))) {
      throw externalError("permission-denied", `worker ${register.workerId} does not have the credential of its run`, { retry: "never" });
    }
    // The run is being opened, or is about to be: the worker comes back in a moment.
    const run = this.#hostOf(fence.fence);
    if (run === undefined) throw leaderMoved(undefined, this.#context.endpoints);
    return run;
  }

  /** Who takes workers of the run with `fence` now. */
  #hostOf(fence: bigint): RunDriver | WaitingRoom | undefined {
    if (this.#room?.key.fence === fence) return this.#room;
    return this.#run?.key.fence === fence && !this.#run.over ? this.#run : undefined;
  }

  /** It has the token of the run and is not the worker that the scheduler placed: whoever wonders what became of it finds it here. */
  #noteRefusal({ fence }: RunKey, { workerId, handle }: Register, error: AppError): void {
    const details = { worker: workerId, handle };
    const message = `worker ${workerId} was refused: ${error.message}`;
    this.#host.note({ kind: "worker-refused", level: "warn", message, fence: Number(fence), error: toErrorRecord(error), details });
  }

  /** A worker of the run is connected. */
  opened(session: WorkerSession, release: string): void {
    const run = this.#hostOf(session.fence.fence);
    if (run === undefined) return session.close();
    const { register } = session;
    this.#shared.book.registered(run.key, register, release);
    if (register.resumption === undefined) {
      const message = `worker ${register.workerId} has registered with ${register.slots} slot${register.slots === 1 ? "" : "s"}`;
      const details = { worker: register.workerId, slots: register.slots, machine: register.machine };
      this.#host.note({ kind: "worker-registered", level: "info", message, fence: Number(run.key.fence), error: undefined, details });
    }
    run.attach(session, this.#context.nowMs());
  }

  /** It says something. */
  message(session: WorkerSession, body: WorkerBody): void {
    if (this.#room?.key.fence === session.fence.fence) return this.#room.message(session, body);
    const run = this.#run;
    if (run === undefined || run.key.fence !== session.fence.fence) return;
    if (body.$case === "previewRows" || body.$case === "logChunk") this.#shared.output(this.#host.id, run.key, body);
    if (body.$case === "failed" && !run.over) this.#noteFailure(session, body.value);
    run.message(session, body);
    this.#context.projections.heard(session.register.workerId);
  }

  /** Its stream is over. */
  closed(session: WorkerSession): void {
    if (this.#room?.key.fence === session.fence.fence) this.#room.detach(session);
    if (this.#run?.key.fence === session.fence.fence) this.#run.detach(session);
  }

  /** The scheduler has seen a worker of this job. */
  seen(view: WorkerView): void {
    const worker = this.#shared.book.registeredAs(view) as WorkerId | undefined;
    this.#shared.book.seen(view);
    if (view.phase !== "exited") return this.#reached(view, worker);
    this.#stop?.nudge();
    for (const { nudge } of this.#ends.values()) nudge();
    if (this.#room?.key.fence === view.fence) return this.#room.exited(worker, view.exit?.reason ?? view.note);
    if (this.#run === undefined && view.fence === BigInt(this.#host.stored.job.run?.fence ?? 0)) this.#early.push(view);
    if (this.#run?.key.fence !== view.fence || this.#run.over) return;
    if (view.exit !== undefined && view.exit.code !== 0) this.#noteExit(view, worker, view.exit);
    this.#run.exited({ ...view, worker });
  }

  /** A worker whose machine is gone is silent for less long until it is taken for lost. */
  #reached({ fence, phase }: WorkerView, worker: WorkerId | undefined): void {
    if (worker === undefined) return;
    if (this.#room?.key.fence === fence) return this.#room.reached(worker, phase !== "lost", this.#context.nowMs());
    if (this.#run?.key.fence === fence && !this.#run.over) this.#run.reached(worker, phase !== "lost");
  }

  /** Whether a worker that is lost could publish something of what it was told. */
  #mayPublish(view: WorkerView): boolean {
    if (this.#run?.key.fence !== view.fence) return true;
    return this.#run.mayPublish(this.#shared.book.registeredAs(view) as WorkerId | undefined);
  }

  #noteExit(view: WorkerView, worker: WorkerId | undefined, { code, signal, outOfMemory, reason }: WorkerExit): void {
    const how = outOfMemory
      ? "was killed for want of memory"
      : signal === undefined
        ? `ended with code ${code ?? "unknown"}`
        : `was ended by ${signal}`;
    const message = `worker ${worker ?? view.handle} ${how}${reason === "" ? "" : `: ${reason}`}`;
    const details = { worker: worker ?? "", handle: view.handle, out_of_memory: outOfMemory };
    this.#host.note({ kind: "worker-lost", level: "warn", message, fence: Number(view.fence), error: undefined, details });
  }

  #noteFailure(session: WorkerSession, { subtask, error }: Failed): void {
    if (error === undefined) return;
    const record = fromErrorMessage(error);
    const { workerId } = session.register;
    const details = { worker: workerId, ...(subtask === undefined ? {} : { subtask }) };
    const where = subtask === undefined ? `worker ${workerId}` : `subtask ${subtask}`;
    const message = `${where} failed: ${record.message}`;
    this.#host.note({ kind: "worker-failed", level: "error", message, fence: Number(session.fence.fence), error: record, details });
  }
}

function startFailed({ fence }: RunReference): (error: AppError) => JobEvent {
  return (error) => ({ kind: "start-failed", fence, error: toErrorRecord(error) });
}
