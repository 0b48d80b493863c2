/**
 * Workers on one's own machine: what the schedulers of processes and of threads have in common. It decides (who is started, who is stopped,
 * what is remembered), its launcher does it. What other schedulers leave to an outside system is here in records of runs.
 */
import { cpus, hostname, totalmem } from "node:os";
import { assert, must } from "../core/assert.ts";
import type { Clock } from "../core/clock.ts";
import { externalError, internalError, toAppError } from "../core/errors.ts";
import { type JobId, makeId, type RunId, type WorkerId } from "../core/ids.ts";
import type { Logger } from "../core/log.ts";
import type { RandomSource } from "../core/prng.ts";
import { NS_PER_MS } from "../core/time.ts";
import { sizeWorkers } from "./placement.ts";
import {
  essenceOf,
  forgetOldRuns,
  type RecordedJob,
  type RecordedRun,
  type RecordedWorker,
  type RunRecordStore,
} from "./process/run-records.ts";
import { checkSpec, launchOf, planOf } from "./process/spec.ts";
import { viewRuns, viewWorker } from "./process/view.ts";
import type {
  LaunchedWorker,
  RunKey,
  RunSpec,
  Scheduler,
  SchedulerEvent,
  StartOutcome,
  StopMode,
  WorkerExit,
  WorkerLauncher,
  WorkerView,
} from "./scheduler.ts";
import type { LogPiece, LogQuery, NodeView, SchedulerPlan, SchedulerView } from "./view.ts";

/** What the scheduler works with. */
export interface LocalSchedulerOptions {
  /** One of the values of the setting `controller.scheduler`. */
  readonly name: string;
  /** What a worker is here: "process", "thread". */
  readonly what: string;
  readonly launcher: WorkerLauncher;
  readonly records: RunRecordStore;
  /** Slots of all its workers together at most. */
  readonly slots: number;
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly logger: Logger;
}

/** How long a job is remembered after its last worker has exited: longer than anybody asks for one of its runs again. */
const KEPT_MS = 7 * 24 * 60 * 60 * 1000;

/** See the file's comment. */
export class LocalScheduler implements Scheduler {
  readonly name: string;
  readonly #options: LocalSchedulerOptions;
  readonly #records: RunRecordStore;
  readonly #jobs = new Map<JobId, RecordedJob>();
  /** Living workers, by id. */
  readonly #living = new Map<string, LaunchedWorker>();
  /** Workers that were told to end, by id. */
  readonly #stopping = new Set<string>();
  readonly #listeners = new Set<(event: SchedulerEvent) => void>();
  readonly #over = new AbortController();
  /** Calls that change anything, one after the other. */
  #queue: Promise<unknown>;

  /** Takes over what an earlier scheduler on the same records left; a first call waits for it. */
  constructor(options: LocalSchedulerOptions) {
    this.name = options.name;
    this.#options = options;
    this.#records = options.records;
    this.#queue = this.#adopt();
    this.#queue.catch(() => undefined);
  }

  startWorkers(spec: RunSpec): Promise<StartOutcome> {
    return this.#inTurn(() => this.#start(spec));
  }

  stopWorkers(run: RunKey, mode: StopMode): Promise<void> {
    return this.#inTurn(async () => this.#stop(run, mode));
  }

  listWorkers(job: JobId, run?: RunId): Promise<readonly WorkerView[]> {
    return this.#inTurn(async () => {
      const runs = (this.#jobs.get(job)?.runs ?? []).filter((one) => run === undefined || one.run === run);
      return runs.flatMap((one) => one.workers.map((worker) => this.#view(job, one, worker)));
    });
  }

  observe(listener: (event: SchedulerEvent) => void): () => void {
    this.#check();
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  plan(spec: RunSpec): Promise<SchedulerPlan> {
    return this.#inTurn(async () => {
      checkSpec(this.name, spec);
      const known = this.#jobs.get(spec.job)?.runs.some(({ fence }) => fence === spec.fence) === true;
      return planOf(spec, this.#options.slots - this.#usedSlots(), known, (launch) => this.#options.launcher.describe(launch));
    });
  }

  async *logs(handle: string, query: LogQuery): AsyncIterable<LogPiece> {
    const worker = await this.#inTurn(async () => this.#named(handle));
    if (worker === undefined) throw externalError("not-found", `nothing is known of worker "${handle}"`, { retry: "never" });
    yield* this.#options.launcher.logs(worker, query);
  }

  async view(): Promise<SchedulerView> {
    this.#check();
    const trouble = await this.#queue.then(
      () => "",
      (error: unknown) => toAppError(error).message,
    );
    const jobs = [...this.#jobs.values()];
    const workers = jobs.flatMap(({ job, runs }) => runs.flatMap((run) => run.workers.map((worker) => this.#view(job, run, worker))));
    return {
      scheduler: this.name,
      link: trouble === "" ? "live" : "down",
      trouble,
      version: "",
      place: { machine: hostname() },
      syncedAtMs: this.#nowMs(),
      nodes: [this.#machine()],
      runs: jobs.flatMap(viewRuns),
      workers,
      services: [],
    };
  }

  /** Ends all workers at once; resolves when they are gone and that is written down. */
  protected async killAll(): Promise<void> {
    if (this.#over.signal.aborted) return;
    await this.#queue.catch(() => undefined);
    const living = [...this.#living.values()];
    for (const worker of living) worker.kill();
    await Promise.all(living.map(({ exited }) => exited));
  }

  async shutdown(): Promise<void> {
    if (this.#over.signal.aborted) return;
    this.#over.abort();
    this.#listeners.clear();
    await this.#queue.catch(() => undefined);
  }

  #check(): void {
    assert(!this.#over.signal.aborted, "the scheduler has been shut down");
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    this.#check();
    const turn = this.#queue.then(work);
    // A failed take-over fails every call; a failed call fails nobody else.
    const before = this.#queue;
    this.#queue = turn.then(
      () => undefined,
      () => before,
    );
    this.#queue.catch(() => undefined);
    return await turn;
  }

  async #adopt(): Promise<void> {
    this.#records.prune(this.#nowMs() - KEPT_MS);
    for (const job of this.#records.read()) this.#jobs.set(job.job, job);
    const living = new Map((await this.#options.launcher.adopt()).map(({ launch, worker }) => [launch.worker as string, worker]));
    for (const job of this.#jobs.values()) {
      for (const run of job.runs) for (const worker of run.workers) this.#adoptWorker(job.job, run, worker, living.get(worker.id));
    }
  }

  #adoptWorker(job: JobId, run: RecordedRun, worker: RecordedWorker, living: LaunchedWorker | undefined): void {
    if (worker.exit !== undefined) return;
    if (living !== undefined) return this.#lives(job, run.run, run.fence, worker, living);
    // Launched and not there: it ended while nobody watched. Not launched: the next `startWorkers` does it.
    if (worker.handle === undefined) return;
    const exit = { code: undefined, signal: undefined, outOfMemory: false, reason: "it ended while no controller ran" };
    this.#change(job, run.fence, worker.id, { exit });
    this.#tellEnd({ job, run: run.run, fence: run.fence }, worker, exit);
  }

  async #start(spec: RunSpec): Promise<StartOutcome> {
    checkSpec(this.name, spec);
    const job = this.#jobs.get(spec.job) ?? { job: spec.job, fence: 0n, stopped: false, runs: [] };
    if (spec.fence < job.fence || (spec.fence === job.fence && job.stopped)) {
      throw internalError("fenced", `run ${spec.run} of job ${spec.job} has been superseded or stopped`);
    }
    const essence = essenceOf(spec);
    const known = job.runs.find(({ fence }) => fence === spec.fence);
    if (known !== undefined && known.essence !== essence) {
      throw internalError("already-exists", `run ${spec.run} of job ${spec.job} was started with another specification`);
    }
    if (known === undefined) {
      // Before anything is written down: what cannot be started must not be remembered.
      this.#options.launcher.describe(launchOf(spec, 1));
      const available = this.#options.slots - this.#usedSlots();
      if (spec.slots > available) return { kind: "not-enough-slots", needed: spec.slots, available: Math.max(0, available) };
      const sizes = sizeWorkers(spec.slots, spec.slotsPerWorker);
      const workers = sizes.map((slots) => ({ id: makeId("worker", this.#options.random), slots, handle: undefined, exit: undefined }));
      const runs = [...job.runs, { run: spec.run, fence: spec.fence, essence, workers, submittedAtMs: this.#nowMs() }];
      this.#remember(forgetOldRuns({ job: spec.job, fence: spec.fence, stopped: false, runs }));
    }
    const run = this.#run(spec.job, spec.fence);
    for (const worker of run.workers) if (worker.handle === undefined && worker.exit === undefined) await this.#launch(spec, worker);
    return { kind: "accepted", workers: run.workers.length };
  }

  async #launch(spec: RunSpec, { id, slots }: RecordedWorker): Promise<void> {
    const { job, run, fence } = spec;
    const launched = await this.#options.launcher.launch({ ...launchOf(spec, slots), worker: id });
    this.#lives(job, run, fence, this.#change(job, fence, id, { handle: launched.handle }), launched);
    const message = `${this.#options.what} ${launched.handle.split("@")[0]} started with ${slots} slot${slots === 1 ? "" : "s"}`;
    this.#say({ job, run, fence }, launched.handle, "info", message);
  }

  /** From now on the worker is watched. */
  #lives(job: JobId, run: RunId, fence: bigint, worker: RecordedWorker, launched: LaunchedWorker): void {
    this.#living.set(worker.id, launched);
    if (worker.handle !== launched.handle) this.#change(job, fence, worker.id, { handle: launched.handle });
    launched.exited.then(
      (exit) => this.#exited({ job, run, fence }, worker, exit),
      () => undefined,
    );
  }

  #exited(run: RunKey, worker: RecordedWorker, exit: WorkerExit): void {
    if (this.#over.signal.aborted) return;
    this.#living.delete(worker.id);
    this.#stopping.delete(worker.id);
    this.#options.logger.info("a worker has ended", { job: run.job, worker: worker.id, handle: worker.handle, reason: exit.reason });
    try {
      const ended = this.#change(run.job, run.fence, worker.id, { exit });
      this.#tellEnd(run, ended, exit);
    } catch (error) {
      this.#options.logger.error("the end of a worker could not be written down", { worker: worker.id, error: toAppError(error) });
    }
  }

  #stop(run: RunKey, mode: StopMode): void {
    const job = this.#jobs.get(run.job);
    if (run.fence >= (job?.fence ?? 0n) && !(job?.stopped === true && job.fence === run.fence)) {
      this.#remember({ runs: [], ...job, job: run.job, fence: run.fence, stopped: true });
    }
    for (const worker of job?.runs.find(({ fence }) => fence === run.fence)?.workers ?? []) this.#stopWorker(run, worker, mode);
  }

  #stopWorker(run: RunKey, { id, handle, exit }: RecordedWorker, mode: StopMode): void {
    if (exit !== undefined) return;
    const living = this.#living.get(id);
    if (living === undefined) {
      if (handle === undefined) {
        const never = { code: undefined, signal: undefined, outOfMemory: false, reason: "stopped before it was started" };
        this.#change(run.job, run.fence, id, { exit: never });
      }
      return;
    }
    const first = !this.#stopping.has(id);
    this.#stopping.add(id);
    if (mode.kind === "force") living.kill();
    else {
      living.terminate();
      if (first) this.#killLater(run, living, mode.deadlineMs).catch(() => undefined);
    }
    if (first) this.#tell(this.#view(run.job, this.#run(run.job, run.fence), this.#worker(run.job, run.fence, id)));
  }

  async #killLater(run: RunKey, worker: LaunchedWorker, deadlineMs: number): Promise<void> {
    const over = new AbortController();
    const ended = worker.exited.then(() => true);
    const signal = AbortSignal.any([over.signal, this.#over.signal]);
    const inTime = await Promise.race([this.#options.clock.sleep(deadlineMs, signal).then(() => false), ended]);
    over.abort();
    if (inTime || this.#over.signal.aborted) return;
    this.#say(run, worker.handle, "warn", `${this.#options.what} did not end within ${deadlineMs} ms and is killed`);
    worker.kill();
  }

  #usedSlots(): number {
    let used = 0;
    for (const { runs } of this.#jobs.values()) {
      for (const { workers } of runs) for (const { slots, exit } of workers) used += exit === undefined ? slots : 0;
    }
    return used;
  }

  #run(job: JobId, fence: bigint): RecordedRun {
    return must(
      this.#jobs.get(job)?.runs.find((run) => run.fence === fence),
      `run with fence ${fence} of job ${job}`,
    );
  }

  #worker(job: JobId, fence: bigint, id: string): RecordedWorker {
    return must(
      this.#run(job, fence).workers.find((worker) => worker.id === id),
      `worker ${id}`,
    );
  }

  /** Changes a worker's record, durably, and tells the observers. */
  #change(job: JobId, fence: bigint, id: string, change: Partial<RecordedWorker>): RecordedWorker {
    const known = must(this.#jobs.get(job), `job ${job}`);
    const changed = { ...this.#worker(job, fence, id), ...change };
    const runs = known.runs.map((run) =>
      run.fence === fence ? { ...run, workers: run.workers.map((worker) => (worker.id === id ? changed : worker)) } : run,
    );
    this.#remember({ ...known, runs });
    this.#tell(this.#view(job, this.#run(job, fence), changed));
    return changed;
  }

  #remember(job: RecordedJob): void {
    this.#records.write(job);
    this.#jobs.set(job.job, job);
  }

  #view(job: JobId, run: RecordedRun, worker: RecordedWorker): WorkerView {
    const { what } = this.#options;
    return viewWorker(job, run, worker, { stopping: this.#stopping.has(worker.id), what, node: hostname() });
  }

  #machine(): NodeView {
    const used = this.#usedSlots();
    return {
      id: hostname(),
      name: hostname(),
      address: "",
      pool: "",
      zone: "",
      state: "ready",
      drainDeadlineMs: undefined,
      cpu: { total: cpus().length * 1_000, used: used * 1_000 },
      // Nobody reserves memory here: what is used is not known.
      memory: undefined,
      slots: { total: this.#options.slots, used },
      release: "",
      attributes: { memory: `${(totalmem() / 2 ** 30).toFixed(1)} GiB` },
      link: undefined,
    };
  }

  /** The worker that was or is called so. */
  #named(handle: string): WorkerId | undefined {
    for (const { runs } of this.#jobs.values()) {
      for (const { workers } of runs) for (const worker of workers) if (worker.handle === handle || worker.id === handle) return worker.id;
    }
    return undefined;
  }

  #tell(worker: WorkerView): void {
    for (const listener of this.#listeners) listener({ kind: "worker", worker });
  }

  #tellEnd(run: RunKey, worker: RecordedWorker, { code, outOfMemory, reason }: WorkerExit): void {
    const handle = worker.handle ?? worker.id;
    const asWanted = code === 0 || this.#wasStopped(run);
    this.#say(run, handle, outOfMemory || !asWanted ? "warn" : "info", `${this.#options.what} ${handle.split("@")[0]} ended: ${reason}`);
  }

  #wasStopped({ job, fence }: RunKey): boolean {
    const known = this.#jobs.get(job);
    return known !== undefined && (fence < known.fence || known.stopped);
  }

  #say(run: RunKey, handle: string, level: "error" | "warn" | "info", message: string): void {
    const { job, run: id, fence } = run;
    const event = {
      kind: "told",
      run: { job, run: id, fence },
      handle,
      about: this.#options.what,
      level,
      message,
      atMs: this.#nowMs(),
    } as const;
    for (const listener of this.#listeners) listener(event);
  }

  #nowMs(): number {
    return Number(this.#options.clock.nowNs() / NS_PER_MS);
  }
}
