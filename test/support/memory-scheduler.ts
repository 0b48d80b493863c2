/**
 * The scheduler contract over an outside system in memory: for tests and simulations of whatever drives a scheduler. What would be in Nomad or
 * the operating system is in a `MemoryCluster`; a scheduler opened on it anew knows what its predecessor did.
 */
import { isDeepStrictEqual } from "node:util";
import { assert } from "../../src/core/assert.ts";
import { externalError, internalError } from "../../src/core/errors.ts";
import type { JobId, RunId } from "../../src/core/ids.ts";
import { sizeWorkers } from "../../src/scheduler/placement.ts";
import type {
  RunKey,
  RunSpec,
  Scheduler,
  SchedulerEvent,
  StartOutcome,
  StopMode,
  WorkerExit,
  WorkerView,
} from "../../src/scheduler/scheduler.ts";
import type { LogPiece, LogQuery, RunView, SchedulerPlan, SchedulerView } from "../../src/scheduler/view.ts";

interface MemoryRun {
  readonly spec: RunSpec;
  readonly workers: number;
}

/** The outside system: machines with slots, runs and workers. */
export class MemoryCluster {
  readonly capacity: number;
  readonly #runs = new Map<string, MemoryRun>();
  readonly #fences = new Map<JobId, { fence: bigint; stopped: boolean }>();
  readonly #workers = new Map<string, WorkerView>();
  readonly #listeners = new Set<(event: SchedulerEvent) => void>();
  #handles = 0;

  /** `capacity`: slots of all machines. */
  constructor(capacity: number) {
    this.capacity = capacity;
  }

  start(spec: RunSpec): StartOutcome {
    const key = `${spec.job}/${spec.fence}`;
    const newest = this.#fences.get(spec.job) ?? { fence: 0n, stopped: false };
    if (spec.fence < newest.fence || (spec.fence === newest.fence && newest.stopped)) {
      throw internalError("fenced", `run ${spec.run} of job ${spec.job} has been superseded or stopped`);
    }
    const known = this.#runs.get(key);
    if (known !== undefined) {
      if (isDeepStrictEqual(essence(known.spec), essence(spec))) return { kind: "accepted", workers: known.workers };
      throw internalError("already-exists", `run ${spec.run} of job ${spec.job} was started with another specification`);
    }
    const available = this.capacity - this.usedSlots;
    if (spec.slots > available) return { kind: "not-enough-slots", needed: spec.slots, available };
    this.#fences.set(spec.job, { fence: spec.fence, stopped: false });
    const sizes = sizeWorkers(spec.slots, spec.slotsPerWorker);
    this.#runs.set(key, { spec, workers: sizes.length });
    const { job, run, fence } = spec;
    for (const slots of sizes) {
      this.#handles += 1;
      const handle = `worker-${this.#handles}`;
      const view = { job, run, fence, handle, slots, worker: undefined, phase: "placing", node: undefined, exit: undefined } as const;
      this.#change({ ...view, note: "waits for a machine", link: undefined });
    }
    return { kind: "accepted", workers: sizes.length };
  }

  stop(run: RunKey, mode: StopMode): void {
    const newest = this.#fences.get(run.job)?.fence ?? 0n;
    if (run.fence >= newest) this.#fences.set(run.job, { fence: run.fence, stopped: true });
    for (const worker of this.list().filter((one) => one.job === run.job && one.fence === run.fence && one.phase !== "exited")) {
      if (mode.kind === "graceful" && worker.phase === "running") this.#change({ ...worker, phase: "stopping" });
      else this.exit(worker.handle, { code: undefined, signal: "SIGKILL", outOfMemory: false, reason: "stopped" });
    }
  }

  get usedSlots(): number {
    return this.list().reduce((sum, { phase, slots }) => sum + (phase === "exited" ? 0 : slots), 0);
  }

  plan(spec: RunSpec): SchedulerPlan {
    const available = this.capacity - this.usedSlots;
    const fits = this.#runs.has(`${spec.job}/${spec.fence}`) || spec.slots <= available;
    const workers = sizeWorkers(spec.slots, spec.slotsPerWorker).length;
    const reason = fits ? "" : `${spec.slots} slots are needed and ${available} are free`;
    return { text: `${workers} workers`, format: "text", workers, missing: fits ? 0 : workers, reason, warnings: [] };
  }

  /** What a worker has said: the same for all. */
  output(handle: string): Uint8Array {
    if (!this.#workers.has(handle)) throw externalError("not-found", `nothing is known of worker "${handle}"`, { retry: "never" });
    return new TextEncoder().encode("ready\n");
  }

  view(): SchedulerView {
    const workers = this.list();
    const runs = [...this.#runs.values()].map(({ spec, workers: wanted }): RunView => {
      const own = workers.filter(({ job, fence }) => job === spec.job && fence === spec.fence);
      const missing = own.filter(({ phase }) => phase === "placing").length;
      const [job, run, fence] = [spec.job, spec.run, spec.fence];
      const reason = missing === 0 ? "" : "waits for a machine";
      const status = own.every(({ phase }) => phase === "exited") ? "ended" : "running";
      const times = { waitingSinceMs: missing === 0 ? undefined : 0, submittedAtMs: 0 };
      return { job, run, fence, name: run, workers: wanted, missing, reason, status, ...times, link: undefined };
    });
    const slots = { total: this.capacity, used: this.usedSlots };
    const texts = { address: "", pool: "", zone: "", release: "", attributes: {}, link: undefined };
    const node = {
      id: "machine-1",
      name: "machine-1",
      state: "ready",
      drainDeadlineMs: undefined,
      cpu: undefined,
      memory: undefined,
    } as const;
    const place = { link: "live", trouble: "", version: "", place: {}, syncedAtMs: 0, services: [] } as const;
    return { scheduler: "memory", ...place, nodes: [{ ...node, ...texts, slots }], runs, workers };
  }

  list(): WorkerView[] {
    return [...this.#workers.values()];
  }

  subscribe(listener: (event: SchedulerEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Time passes: what waits is placed and runs, what stops ends. */
  settle(): void {
    for (const worker of this.list()) {
      if (worker.phase === "placing") this.#change({ ...worker, phase: "running", node: "machine-1", note: "" });
      if (worker.phase === "stopping") this.exit(worker.handle, { code: 0, signal: undefined, outOfMemory: false, reason: "stopped" });
    }
  }

  /** A worker ends by itself. */
  exit(handle: string, exit: WorkerExit): void {
    const worker = this.#workers.get(handle);
    if (worker !== undefined && worker.phase !== "exited") this.#change({ ...worker, phase: "exited", exit, note: exit.reason });
  }

  #change(worker: WorkerView): void {
    this.#workers.set(worker.handle, worker);
    for (const listener of this.#listeners) listener({ kind: "worker", worker });
  }
}

/** What must be the same when a run is started again. */
function essence({ runToken: _token, controllers: _controllers, controllerCa: _ca, ...rest }: RunSpec): object {
  return rest;
}

/** A scheduler on `cluster`; several in turn are one controller that restarts. */
export class MemoryScheduler implements Scheduler {
  readonly name = "memory";
  readonly #cluster: MemoryCluster;
  readonly #ends = new Set<() => void>();
  #over = false;

  constructor(cluster: MemoryCluster) {
    this.#cluster = cluster;
  }

  async startWorkers(spec: RunSpec): Promise<StartOutcome> {
    this.#check();
    return this.#cluster.start(spec);
  }

  async stopWorkers(run: RunKey, mode: StopMode): Promise<void> {
    this.#check();
    this.#cluster.stop(run, mode);
  }

  async listWorkers(job: JobId, run?: RunId): Promise<readonly WorkerView[]> {
    this.#check();
    return this.#cluster.list().filter((worker) => worker.job === job && (run === undefined || worker.run === run));
  }

  observe(listener: (event: SchedulerEvent) => void): () => void {
    this.#check();
    const end = this.#cluster.subscribe(listener);
    this.#ends.add(end);
    return end;
  }

  async plan(spec: RunSpec): Promise<SchedulerPlan> {
    this.#check();
    return this.#cluster.plan(spec);
  }

  async *logs(handle: string, { stream, tailBytes, follow, signal }: LogQuery): AsyncIterable<LogPiece> {
    this.#check();
    const output = this.#cluster.output(handle);
    const offset = tailBytes === 0 ? 0 : Math.max(0, output.length - tailBytes);
    if (stream === "stdout") yield { stream, offset, data: output.subarray(offset) };
    const ended = () => this.#cluster.list().some((worker) => worker.handle === handle && worker.phase === "exited");
    while (follow && !signal.aborted && !ended()) await new Promise((resolve) => setImmediate(resolve));
  }

  async view(): Promise<SchedulerView> {
    this.#check();
    return this.#cluster.view();
  }

  async shutdown(): Promise<void> {
    this.#over = true;
    for (const end of this.#ends) end();
    this.#ends.clear();
  }

  #check(): void {
    assert(!this.#over, "the scheduler has been shut down");
  }
}
