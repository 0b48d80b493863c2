/**
 * One simulated job from a seed: chaos for a while, then everything is healed and the job has to come to what its user wants last. The real job
 * machine, run machine and coordinator run in it; database, object store, scheduler, workers and users are simulated. What must always hold is
 * checked when it would be broken, what must hold in the end afterwards (src/job/README.md has the list).
 */
import type { JobId, WorkerId } from "../../src/core/ids.ts";
import { type Job, newJob, REST_STATES, STOP_MODES } from "../../src/job/job.ts";
import { Database, type SimManifest, type SimRecord, Sink, type StagedRows, Store } from "./outside.ts";
import { SimController } from "./sim-controller.ts";
import { BAD_BUILDS, BUILDS, type ChaosKind, drawOptions, type Plant, type SimOptions } from "./sim-options.ts";
import { SimScheduler } from "./sim-scheduler.ts";
import type { SimWorker } from "./sim-worker.ts";
import { type Actor, type Answer, violation, World } from "./world.ts";

/** After the world is healed a job is at rest within this: the sum of all deadlines and the longest sleep of a process. */
const REST_WITHIN_MS = 350_000;
/** Workers are gone so long after the job rests. */
const GONE_WITHIN_MS = 300_000;

/** Longer than any process hangs, and than it takes to notice. */
const CALM_MS = 130_000;

/** A wake-up and a write take this long at most. */
const POLITE_MS = 500;

/** What happened, so that a test can see that something did. */
export interface SimSummary {
  readonly state: Job["state"];
  readonly steps: number;
  readonly runs: number;
  readonly epochs: number;
  readonly published: number;
  readonly repeated: number;
  readonly adoptions: number;
  readonly faults: ReadonlyMap<string, number>;
  readonly states: ReadonlySet<Job["state"]>;
}

/** See the file's comment. */
export class Simulation {
  readonly world: World;
  readonly options: SimOptions;
  readonly database: Database;
  readonly store: Store;
  readonly sink: Sink;
  readonly scheduler: SimScheduler;
  controllers: SimController[] = [];
  /** Rows of each split. */
  readonly inputLimits: number[];
  cleanedUp = false;
  /** Time from healing to rest. */
  restAfterMs = 0;
  adoptions = 0;
  readonly #faults = new Map<string, number>();
  readonly #states = new Set<Job["state"]>();
  /** Rows of each split that were ever read. */
  readonly #read: number[] = [];
  #controllerNumber = 0;
  #healedAtMs: number | undefined;

  constructor(seed: number, plant?: Plant, trace?: (line: string) => void) {
    this.world = new World(seed, trace);
    const options = drawOptions(this.world.prng, plant);
    this.options = options;
    const { parallelism, checkpointIntervalMs, ttlMs, splits } = options;
    const desired: Job["desired"] = {
      revision: 1,
      stop: "none",
      parallelism,
      checkpointIntervalMs,
      restartNonce: 0,
      restartMode: "safe",
      ignoreStateBeforeEpoch: undefined,
      launchKey: "",
      build: "",
      deleted: false,
    };
    this.database = new Database(this.world, newJob({ id: "job_sim" as JobId, preview: false, ttlMs, desired }, 0));
    this.database.onWrite = (job) => this.#checkRow(job);
    this.database.onDesired = () => {
      for (const controller of this.controllers) if (this.world.prng.chance(3, 4)) controller.post(20, () => controller.readDesired());
    };
    this.database.unfenced = plant === "unfenced-row";
    this.store = new Store(this.world);
    this.store.unfenced = plant === "unfenced-record";
    this.sink = new Sink(this.world, this.store);
    this.scheduler = new SimScheduler(this, options.capacity);
    this.inputLimits = new Array<number>(splits).fill(options.rowsPerSplit);
    this.world.log(() => JSON.stringify(options));
  }

  /** Runs it to its end; throws what a checker saw. */
  run(): SimSummary {
    for (let i = 0; i < this.options.controllers; i++) this.#startController();
    this.#planChaos();
    this.#planUser();
    this.world.run(this.options.chaosMs, () => false);
    this.#heal();
    if (this.world.prng.chance(3, 4) && this.options.ttlMs === undefined) this.#finish();
    else this.#stop();
    return this.#summary();
  }

  #summary(): SimSummary {
    const { job } = this.database;
    const { published, repeated } = this.sink;
    const { steps } = this.world;
    const { adoptions } = this;
    const runs = job.run?.fence ?? 0;
    return {
      state: job.state,
      steps,
      runs,
      epochs: this.store.newest,
      published,
      repeated,
      adoptions,
      faults: this.#faults,
      states: this.#states,
    };
  }

  #startController(): void {
    this.controllers.push(new SimController(this, `controller ${this.#controllerNumber++}`));
  }

  /** A supervisor starts another. */
  controllerCrashed(controller: SimController): void {
    this.count("controller crashed");
    this.controllers = this.controllers.filter((other) => other !== controller);
    this.world.after(500 + this.world.prng.below(8000), () => this.#startController());
  }

  /** Something happened that a test wants to see happen. */
  count(what: string): void {
    this.#faults.set(what, (this.#faults.get(what) ?? 0) + 1);
  }

  #planChaos(): void {
    const { faults } = this.options;
    if (faults.everyMs === Number.POSITIVE_INFINITY) return;
    this.world.after(this.world.prng.below(2 * faults.everyMs), () => {
      if (!this.world.faulty) return;
      this.#chaos(this.world.prng.pick(faults.kinds));
      this.#planChaos();
    });
  }

  #chaos(kind: ChaosKind): void {
    const { world, scheduler, database, store } = this;
    const { prng } = world;
    const workers = scheduler.processes;
    const worker = workers.length === 0 ? undefined : prng.pick(workers);
    const controller = this.controllers.length === 0 ? undefined : prng.pick(this.controllers);
    world.log(() => `chaos: ${kind}`);
    this.count(kind);
    switch (kind) {
      case "kill-worker":
        return worker?.exit("out of memory");
      case "fail-slot":
        return worker?.fail(prng.chance(1, 12) ? "user" : "external");
      case "hang-worker":
        return worker?.stall(prng.between(1, 60) * 1000);
      case "break-stream":
        return worker?.breakStream();
      case "partition-worker":
        return worker?.partition(prng.between(1, 120) * 1000);
      case "leave":
        return worker?.askToLeave();
      case "drain":
        return this.#drain();
      case "crash-controller":
        return controller?.crash();
      case "stall-controller":
        return controller?.stall(prng.between(1, 80) * 1000);
      case "database-away":
        return database.goAway(prng.between(1, 30) * 1000);
      case "store-away":
        return store.goAway(prng.between(1, 50) * 1000);
      case "scheduler-away":
        return scheduler.goAway(prng.between(1, 30) * 1000);
      case "few-slots":
        scheduler.capacity = prng.below(this.options.capacity + 1);
        world.after(prng.between(1, 60) * 1000, () => {
          if (world.faulty) scheduler.capacity = this.options.capacity;
        });
    }
  }

  /** Machines with workers of the newest run, or of the prepared one, or of both have to be left; what is still there then is killed. */
  #drain(): void {
    const { world, controllers, scheduler } = this;
    const job = controllers.find(({ leader }) => leader !== undefined)?.job;
    const newest = job?.run?.fence;
    const prepared = job?.context.prepared?.run.fence;
    const fences = world.prng.pick([[newest], [newest], [prepared], [newest, prepared]]).filter((fence) => fence !== undefined);
    const deadlineMs = world.prng.pick([undefined, 3_000, 12_000, 30_000, 90_000]);
    for (const fence of fences) {
      for (const controller of controllers) controller.drain(fence, deadlineMs);
      if (deadlineMs === undefined) continue;
      world.after(deadlineMs, () => {
        for (const process of scheduler.processes) if (process.fence === fence) process.exit("its machine is gone");
      });
    }
  }

  #planUser(): void {
    const { userEveryMs } = this.options;
    if (userEveryMs === Number.POSITIVE_INFINITY) return;
    this.world.after(this.world.prng.below(2 * userEveryMs), () => {
      if (!this.world.faulty) return;
      this.#wish();
      this.#planUser();
    });
  }

  #wish(): void {
    const { database } = this;
    const { prng } = this.world;
    const { desired } = database.job;
    const wish = prng.pick<Partial<Job["desired"]>>([
      { stop: prng.pick(STOP_MODES) },
      { stop: "none" },
      { stop: "none", restartNonce: desired.restartNonce + (database.job.state === "failed" ? 1 : 0) },
      { parallelism: prng.between(1, 4) },
      { restartNonce: desired.restartNonce + 1, restartMode: prng.pick(["safe", "force"]) },
      { checkpointIntervalMs: prng.between(1, 10) * 1000 },
      { launchKey: String(prng.below(3)) },
      { build: this.#someBuild() },
      ...(prng.chance(1, 3) ? [{ restartNonce: desired.restartNonce + 1, ignoreStateBeforeEpoch: database.job.epoch + 1 }] : []),
    ]);
    this.world.log(() => `user: ${JSON.stringify(wish)}`);
    this.count("wish");
    database.wish(wish);
  }

  /** Where no run may be lost a build that does not work is wished for only if there is a good one to go back to. */
  #someBuild(): string {
    const build = this.world.prng.pick(BUILDS);
    const hopeless = this.options.gentle && this.database.job.context.goodBuild === undefined;
    return hopeless && BAD_BUILDS.has(build) ? "" : build;
  }

  #heal(): void {
    const { world, scheduler, options } = this;
    world.log(() => "healed");
    world.faulty = false;
    this.#healedAtMs = world.nowMs;
    scheduler.capacity = options.capacity + 16;
    if (this.controllers.length === 0) this.#startController();
    // A build that never works has nothing to go back to where none has ever completed a checkpoint.
    if (this.database.job.context.goodBuild === undefined) this.database.wish({ build: "" });
  }

  /** The user wants it to run until its sources end, which they do soon. */
  #finish(): void {
    const { database, world } = this;
    for (const [split, limit] of this.inputLimits.entries()) this.inputLimits[split] = Math.min(limit, (this.#read[split] ?? 0) + 3);
    const wake = (): void => {
      const { restartNonce } = database.job.desired;
      database.wish({ stop: "none", restartNonce: database.job.state === "failed" ? restartNonce + 1 : restartNonce });
    };
    wake();
    // A failure may have been under way.
    world.after(REST_WITHIN_MS / 3, wake);
    if (!world.run(world.nowMs + REST_WITHIN_MS, () => database.job.state === "finished")) throw this.#restless("finished");
    this.restAfterMs = world.nowMs - (this.#healedAtMs ?? 0);
    this.#checkRest();
    for (const [split, limit] of this.inputLimits.entries()) {
      if (this.sink.prefix(split) !== limit)
        throw violation(world, `split ${split} has ${limit} rows, ${this.sink.prefix(split)} were published`);
    }
  }

  /** Rows were read. */
  noteRead(split: number, position: number): void {
    this.#read[split] = Math.max(this.#read[split] ?? 0, position);
  }

  #stop(): void {
    const { database, world } = this;
    const mode = world.prng.pick(STOP_MODES.filter((candidate) => candidate !== "none"));
    const deleted = world.prng.chance(1, 5);
    // Processes that hung are back or gone then: what is stopped now is stopped in order.
    world.run(world.nowMs + CALM_MS, () => false);
    const healthy = database.job.state === "running";
    database.wish({ stop: mode, deleted });
    const rested = (): boolean => REST_STATES.has(database.job.state) && database.job.state !== "running";
    if (!world.run(world.nowMs + REST_WITHIN_MS, rested)) throw this.#restless(`stopped by ${mode}`);
    this.#checkRest();
    if (deleted && !world.run(world.nowMs + GONE_WITHIN_MS, () => this.cleanedUp))
      throw violation(world, "a deleted job was not cleaned up");
    if (healthy && (mode === "checkpoint" || mode === "graceful") && !deleted) this.#checkAllPublished();
  }

  /** What counts was published. */
  #checkAllPublished(): void {
    const last = this.store.record.epochs.at(-1);
    for (const [split, position] of (last?.positions ?? []).entries()) {
      if (this.sink.prefix(split) === position) continue;
      throw violation(this.world, `epoch ${last?.epoch} has ${position} rows of split ${split}, ${this.sink.prefix(split)} were published`);
    }
  }

  #restless(wanted: string): Error {
    const { state, context, restarts, stateDeadlineAtMs } = this.database.job;
    const more = JSON.stringify({ context, restarts, stateDeadlineAtMs });
    return violation(
      this.world,
      `the job is ${state} ${REST_WITHIN_MS / 1000} s after all faults are over, and should be ${wanted}: ${more}`,
    );
  }

  #checkRest(): void {
    const { world, scheduler, sink } = this;
    const gone = (): boolean => scheduler.living(Number.POSITIVE_INFINITY) === 0 && !this.database.job.context.live;
    if (!world.run(world.nowMs + GONE_WITHIN_MS, gone)) {
      throw violation(
        world,
        `the job is ${this.database.job.state}, and ${scheduler.living(Number.POSITIVE_INFINITY)} workers are left behind`,
      );
    }
    for (let split = 0; split < this.options.splits; split++) {
      const count = sink.count(split);
      if (sink.prefix(split) !== count)
        throw violation(world, `split ${split}: ${count} rows are published, row ${sink.prefix(split)} is missing`);
    }
  }

  #checkRow(job: Job): void {
    const before = this.database.job;
    const { limits } = this.options;
    this.#states.add(job.state);
    if (this.options.gentle && job.restarts > 0) throw violation(this.world, `a run was lost without need: ${job.failure?.message}`);
    if (job.restarts > limits.allowedRestarts)
      throw violation(this.world, `${job.restarts} restarts were made, ${limits.allowedRestarts} are allowed`);
    if ((job.run?.fence ?? 0) < (before.run?.fence ?? 0)) throw violation(this.world, "the run's fence went back");
    if (job.context.rejectedBuild !== undefined && before.context.rejectedBuild === undefined) this.count("build rejected");
    if (job.context.goodBuild !== before.context.goodBuild && before.context.goodBuild !== undefined) this.count("build moved");
    if (BAD_BUILDS.has(job.context.goodBuild ?? "")) throw violation(this.world, `build ${job.context.goodBuild} is taken for good`);
    if (job.epoch > this.store.newest) throw violation(this.world, `epoch ${job.epoch} is shown as complete and was never recorded`);
    this.#checkDeadline(before);
    if (!REST_STATES.has(job.state) && job.stateDeadlineAtMs === undefined)
      throw violation(this.world, `a job is ${job.state} without a deadline`);
  }

  /** Once there is a leader that is not disturbed, no state outlives its deadline. */
  #checkDeadline({ state, stateDeadlineAtMs }: Job): void {
    const { nowMs } = this.world;
    const calm = this.#healedAtMs !== undefined && nowMs > this.#healedAtMs + CALM_MS;
    if (!calm || stateDeadlineAtMs === undefined || nowMs <= stateDeadlineAtMs + POLITE_MS) return;
    throw violation(this.world, `the job is ${state} ${(nowMs - stateDeadlineAtMs) / 1000} s after its deadline`);
  }

  /** A run owns the record from now on and learns what counts. */
  takeOver(fence: number): SimRecord | undefined {
    return this.store.takeOver(fence);
  }

  /** A run opens: whose output it goes on with. */
  outputOf(fence: number, restored: SimManifest | undefined, base: number, adopted: boolean): void {
    const { outputs } = this.store;
    if (adopted || outputs.has(fence)) return;
    const fresh = Math.max(-1, ...outputs.values()) + 1;
    if (restored === undefined && base > 0) this.count("state ignored");
    outputs.set(fence, restored === undefined ? fresh : (outputs.get(restored.fence) ?? 0));
  }

  /** What was staged for an epoch, from its manifest. */
  stagedIn(fence: number, epoch: number): readonly StagedRows[] | undefined {
    return this.options.plant === "lost-staged" ? [] : this.store.manifests.get(`${fence}/${epoch}`)?.staged;
  }

  /** A manifest is written and counts; false: another run owns the record. */
  complete(controller: Actor, manifest: SimManifest, done: (answer: Answer<boolean>) => void): void {
    this.store.call(controller, () => this.store.complete(manifest), done);
  }

  /**
   * The manifest that a run of `fence` restores: only what counts, and nothing older than what was published. A read whose caller has given up
   * may come when the run has gone on for long: then its restore point may be gone.
   */
  checkRestore(epoch: number, fence: number): SimManifest | undefined {
    const { record } = this.store;
    const entry = record.epochs.find((known) => known.epoch === epoch && known.fence < fence);
    if (entry === undefined && record.fence === fence && !record.epochs.some((known) => known.fence === fence))
      throw violation(this.world, `run ${fence} restores epoch ${epoch}, which does not count`);
    return entry;
  }

  workerStarted(worker: SimWorker): void {
    this.world.log(() => `${worker.name} of run ${worker.fence} starts`);
  }

  /** The scheduler tells all controllers; only the leader listens. */
  tellExit(fence: number, worker: WorkerId, reason: string): void {
    for (const controller of this.controllers) controller.post(0, () => controller.workerExited(fence, worker, reason));
  }
}
