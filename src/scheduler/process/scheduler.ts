/**
 * Workers as processes of this machine: what a laptop uses. The scheduler decides (who is started, who is stopped, what is remembered), its
 * launcher does it. What other schedulers leave to an outside system is here in two kinds of files: runs and workers.
 */
import { hostname } from "node:os";
import { assert, must } from "../../core/assert.ts";
import type { Clock } from "../../core/clock.ts";
import { type AppError, externalError, internalError, toAppError } from "../../core/errors.ts";
import { type JobId, makeId, type RunId } from "../../core/ids.ts";
import type { Logger } from "../../core/log.ts";
import type { RandomSource } from "../../core/prng.ts";
import { NS_PER_MS } from "../../core/time.ts";
import { sizeWorkers } from "../placement.ts";
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
} from "../scheduler.ts";
import { essenceOf, forgetOldRuns, type RecordedJob, type RecordedRun, type RecordedWorker, RunRecords } from "./run-records.ts";

/** What the scheduler works with. */
export interface ProcessSchedulerOptions {
  readonly launcher: WorkerLauncher;
  /** Folder of its records. */
  readonly folder: string;
  /** Slots of all its workers together at most. */
  readonly slots: number;
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly logger: Logger;
}

/** A name that looks like a secret's: it would be readable in the process' environment. */
const SECRET_NAME = /token|secret|passw|credential|private_?key|api_?key/i;

/** How long a job is remembered after its last worker has exited: longer than anybody asks for one of its runs again. */
const KEPT_MS = 7 * 24 * 60 * 60 * 1000;

/** See the file's comment. */
export class ProcessScheduler implements Scheduler {
  readonly name = "process";
  readonly #options: ProcessSchedulerOptions;
  readonly #records: RunRecords;
  readonly #jobs = new Map<JobId, RecordedJob>();
  /** Living workers, by id. */
  readonly #living = new Map<string, LaunchedWorker>();
  /** Workers that were told to end, by id. */
  readonly #stopping = new Set<string>();
  readonly #listeners = new Set<(event: SchedulerEvent) => void>();
  readonly #over = new AbortController();
  /** Calls that change anything, one after the other. */
  #queue: Promise<unknown>;

  /** Takes over what an earlier scheduler on the same folder left; a first call waits for it. */
  constructor(options: ProcessSchedulerOptions) {
    this.#options = options;
    this.#records = new RunRecords(options.folder);
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
    this.#records.prune(Number(this.#options.clock.nowNs() / NS_PER_MS) - KEPT_MS);
    for (const job of this.#records.read()) this.#jobs.set(job.job, job);
    const living = new Map((await this.#options.launcher.adopt()).map(({ launch, worker }) => [launch.worker as string, worker]));
    for (const job of this.#jobs.values()) {
      for (const run of job.runs) for (const worker of run.workers) this.#adoptWorker(job.job, run, worker, living.get(worker.id));
    }
  }

  #adoptWorker(job: JobId, run: RecordedRun, worker: RecordedWorker, living: LaunchedWorker | undefined): void {
    if (worker.exit !== undefined) return;
    if (living !== undefined) return this.#lives(job, run.fence, worker, living);
    // Launched and not there: it ended while nobody watched. Not launched: the next `startWorkers` does it.
    if (worker.handle === undefined) return;
    const exit = { code: undefined, signal: undefined, outOfMemory: false, reason: "it ended while no controller ran" };
    this.#change(job, run.fence, worker.id, { exit });
  }

  async #start(spec: RunSpec): Promise<StartOutcome> {
    checkSpec(spec);
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
      const available = this.#options.slots - this.#usedSlots();
      if (spec.slots > available) return { kind: "not-enough-slots", needed: spec.slots, available: Math.max(0, available) };
      const sizes = sizeWorkers(spec.slots, spec.slotsPerWorker);
      const workers = sizes.map((slots) => ({ id: makeId("worker", this.#options.random), slots, handle: undefined, exit: undefined }));
      const runs = [...job.runs, { run: spec.run, fence: spec.fence, essence, workers }];
      this.#remember(forgetOldRuns({ job: spec.job, fence: spec.fence, stopped: false, runs }));
    }
    const run = this.#run(spec.job, spec.fence);
    for (const worker of run.workers) if (worker.handle === undefined && worker.exit === undefined) await this.#launch(spec, worker);
    return { kind: "accepted", workers: run.workers.length };
  }

  async #launch(spec: RunSpec, { id, slots }: RecordedWorker): Promise<void> {
    const { job, run, fence, controllers, runToken, environment, resources } = spec;
    const memoryBytes = resources.memoryBytes * slots;
    const launched = await this.#options.launcher.launch({
      job,
      run,
      fence,
      worker: id,
      slots,
      controllers,
      runToken,
      environment,
      memoryBytes,
    });
    this.#lives(job, fence, this.#change(job, fence, id, { handle: launched.handle }), launched);
  }

  /** From now on the worker is watched. */
  #lives(job: JobId, fence: bigint, worker: RecordedWorker, launched: LaunchedWorker): void {
    this.#living.set(worker.id, launched);
    if (worker.handle !== launched.handle) this.#change(job, fence, worker.id, { handle: launched.handle });
    launched.exited.then(
      (exit) => this.#exited(job, fence, worker, exit),
      () => undefined,
    );
  }

  #exited(job: JobId, fence: bigint, worker: RecordedWorker, exit: WorkerExit): void {
    if (this.#over.signal.aborted) return;
    this.#living.delete(worker.id);
    this.#stopping.delete(worker.id);
    this.#options.logger.info("a worker process has ended", { job, worker: worker.id, handle: worker.handle, reason: exit.reason });
    try {
      this.#change(job, fence, worker.id, { exit });
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
      if (first) this.#killLater(living, mode.deadlineMs).catch(() => undefined);
    }
    if (first) this.#tell(this.#view(run.job, this.#run(run.job, run.fence), this.#worker(run.job, run.fence, id)));
  }

  async #killLater(worker: LaunchedWorker, deadlineMs: number): Promise<void> {
    await Promise.race([this.#options.clock.sleep(deadlineMs, this.#over.signal), worker.exited]);
    if (!this.#over.signal.aborted) worker.kill();
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

  #view(job: JobId, { run, fence }: RecordedRun, { id, slots, handle, exit }: RecordedWorker): WorkerView {
    const running = this.#stopping.has(id) ? "stopping" : "running";
    const phase = exit !== undefined ? "exited" : handle === undefined ? "starting" : running;
    const note = exit?.reason ?? (handle === undefined ? "is being started" : `process ${handle.split("@")[0]}`);
    return { job, run, fence, handle: handle ?? id, worker: id, phase, slots, node: hostname(), exit, note, link: undefined };
  }

  #tell(worker: WorkerView): void {
    for (const listener of this.#listeners) listener({ kind: "worker", worker });
  }
}

/** Refuses what processes of this machine cannot be given. */
function checkSpec(spec: RunSpec): void {
  const secret = Object.keys(spec.environment).find((name) => SECRET_NAME.test(name));
  if (secret !== undefined) throw refused(`"${secret}" looks like a secret and would be readable in the worker's environment`);
  const [unknown] = Object.keys(spec.overrides);
  if (unknown !== undefined) throw refused(`the process scheduler does not know the setting "${unknown}"`);
  const [reference] = spec.secrets;
  if (reference !== undefined) throw refused(`the process scheduler hands over no secrets, such as "${reference.variable}"`);
}

function refused(message: string): AppError {
  return externalError("invalid-config", message, { retry: "never" });
}
