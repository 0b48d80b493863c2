/**
 * A simulated controller: drives the real job machine and the real run machine as the product's controller does, writes the row before it
 * performs effects, and can die between any two of them. A new process knows nothing but what the database and the object store have.
 */
import { must } from "../../src/core/assert.ts";
import type { ErrorRecord } from "../../src/core/errors.ts";
import type { WorkerId } from "../../src/core/ids.ts";
import type { JobEffect } from "../../src/job/effect.ts";
import type { JobEvent } from "../../src/job/event.ts";
import { isRunWanted, type Job } from "../../src/job/job.ts";
import { stepJob, wakeAtMs } from "../../src/job/step.ts";
import type { ToController, ToWorker } from "./messages.ts";
import { SimRoom } from "./sim-room.ts";
import { SimRun } from "./sim-run.ts";
import type { SimWorker } from "./sim-worker.ts";
import type { Simulation } from "./simulation.ts";
import { Actor, type Answer, away, Stream } from "./world.ts";

const LEASE_MS = 15_000;
const RENEW_MS = 4000;
const POLL_MS = 3000;
const LIST_MS = 1000;

/** See the file's comment. */
export class SimController extends Actor {
  readonly #sim: Simulation;
  /** Leader epoch; undefined: it does not lead, as far as it knows. */
  leader: number | undefined;
  #leaseUntilMs = 0;
  #leaseEpoch: number | undefined;
  job: Job | undefined;
  #revision = 0;
  readonly #events: JobEvent[] = [];
  #writing = false;
  #run: SimRun | undefined;
  #room: SimRoom | undefined;
  #wakeAtMs: number | undefined;
  #stopping: number | undefined;
  readonly #ending = new Set<number>();

  constructor(sim: Simulation, name: string) {
    super(sim.world, name);
    this.#sim = sim;
    this.post(sim.world.prng.below(2000), () => this.#lease());
    this.post(POLL_MS, () => this.#poll());
  }

  /** The process ends. */
  crash(): void {
    this.log(() => "crashes");
    this.alive = false;
    this.#run?.end();
    this.#closeRoom();
    this.#sim.controllerCrashed(this);
  }

  #lease(): void {
    this.post(RENEW_MS, () => this.#lease());
    const { database } = this.#sim;
    const sentMs = this.world.nowMs;
    const epoch = this.#leaseEpoch;
    database.call(
      this,
      () => database.takeLease(this.name, epoch, LEASE_MS),
      (answer) => this.#leased(answer, sentMs),
    );
  }

  #leased(answer: Answer<number | undefined>, sentMs: number): void {
    if (answer.ok && answer.value !== undefined) {
      this.#leaseUntilMs = sentMs + LEASE_MS;
      this.#leaseEpoch = answer.value;
      if (this.leader !== answer.value) this.#takeOver(answer.value);
    } else if (answer.ok || this.world.nowMs >= this.#leaseUntilMs) {
      this.#stepDown("the lease is lost");
    }
  }

  #stepDown(why: string): void {
    if (this.leader === undefined) return;
    this.log(() => `steps down: ${why}`);
    this.leader = undefined;
    this.job = undefined;
    this.#events.length = 0;
    this.#writing = false;
    this.#run?.end();
    this.#run = undefined;
    this.#stopping = undefined;
    this.#ending.clear();
    this.#closeRoom();
  }

  #closeRoom(): void {
    for (const { stream } of this.#room?.leave() ?? []) stream.break();
    this.#room = undefined;
  }

  #takeOver(leader: number): void {
    this.#stepDown("it leads anew");
    const { database } = this.#sim;
    database.call(
      this,
      () => database.claim(leader),
      (answer) => {
        if (!answer.ok || answer.value === undefined || this.leader !== undefined) return;
        this.log(() => `leads with epoch ${leader}`);
        this.leader = leader;
        this.job = answer.value.job;
        this.#revision = answer.value.revision;
        this.tell({ kind: "loaded" });
      },
    );
  }

  /** Reads what the user wants. */
  #poll(): void {
    this.post(POLL_MS, () => this.#poll());
    this.readDesired();
  }

  /** See `#poll`; also called by a notification. */
  readDesired(): void {
    const { leader } = this;
    if (leader === undefined) return;
    const { database } = this.#sim;
    database.call(
      this,
      () => database.job.desired,
      (answer) => {
        const known = this.job?.desired.revision ?? 0;
        if (answer.ok && this.leader === leader && answer.value.revision > known)
          this.tell({ kind: "desired-changed", desired: answer.value });
      },
    );
  }

  /** An event of the job. */
  tell(event: JobEvent): void {
    if (this.leader === undefined) return;
    this.#events.push({ ...event, jitter: this.world.prng.below(1000) / 1000 });
    // Some come twice.
    if (event.kind !== "loaded" && this.world.fault(20)) this.#events.push(event);
    this.#pump();
  }

  #pump(): void {
    while (!this.#writing && this.leader !== undefined && this.job !== undefined) {
      const event = this.#events.shift();
      if (event === undefined) break;
      const before = this.job;
      const { job: stepped, effects } = stepJob(before, event, this.world.nowMs, this.#sim.options.limits);
      const forgetful = this.#sim.options.plant === "reused-fence" && stepped.context.lastFence > 0;
      const job = forgetful ? { ...stepped, context: { ...stepped.context, lastFence: 0 } } : stepped;
      this.log(
        () =>
          `${event.kind === "run" ? `run ${event.report.kind}` : event.kind} [${job.state}] ${effects.map(({ kind }) => kind).join(" ")}`,
      );
      if (job === before) this.#performAll(effects);
      else this.#write(job, effects, this.leader);
    }
    this.#planWake();
  }

  #planWake(): void {
    if (this.job === undefined || this.#writing) return;
    const atMs = wakeAtMs(this.job, this.#sim.options.limits);
    if (atMs === undefined || (this.#wakeAtMs !== undefined && this.#wakeAtMs <= atMs && this.#wakeAtMs > this.world.nowMs)) return;
    this.#wakeAtMs = atMs;
    this.post(Math.max(0, atMs - this.world.nowMs), () => {
      this.#wakeAtMs = undefined;
      this.tell({ kind: "tick" });
    });
  }

  #write(job: Job, effects: readonly JobEffect[], leader: number): void {
    this.#writing = true;
    const { database } = this.#sim;
    const revision = this.#revision;
    database.call(
      this,
      () => database.write(job, revision, leader),
      (answer) => {
        if (this.leader !== leader) return;
        if (!answer.ok) {
          this.post(500, () => {
            if (this.leader === leader) this.#write(job, effects, leader);
          });
          return;
        }
        this.#writing = false;
        if (!answer.value) return this.#stepDown("another leader wrote the row");
        this.job = job;
        this.#revision++;
        this.#performAll(effects);
        this.#pump();
      },
    );
  }

  #performAll(effects: readonly JobEffect[]): void {
    for (const effect of effects) {
      if (!this.alive || this.leader === undefined) return;
      if (this.world.fault(this.#sim.options.faults.crashBetweenEffects)) return this.crash();
      this.#perform(effect);
    }
  }

  #perform(effect: JobEffect): void {
    switch (effect.kind) {
      case "compile":
        return this.#compile();
      case "start-workers":
        return this.#startWorkers(effect.run.fence, effect.parallelism, effect.build);
      case "start-run":
      case "adopt-run": {
        if (this.#run?.fence === effect.run.fence) return;
        this.#run?.end();
        if (effect.kind === "adopt-run") this.#sim.adoptions++;
        const handed = this.#room?.fence === effect.run.fence ? this.#room.leave() : [];
        if (handed.length > 0) this.#sim.count("handed over");
        if (this.#room?.fence === effect.run.fence) this.#room = undefined;
        this.#run = new SimRun(this.#sim, this, effect, handed);
        return;
      }
      case "prepare-run":
        return this.#prepare(effect.run.fence, effect.parallelism);
      case "end-workers":
        return this.#endWorkers(effect.run.fence, effect.mode);
      case "command-run":
        if (this.#run?.fence === effect.run.fence) this.#run.command(effect.command);
        return;
      case "drop-run":
        if (this.#run?.fence !== effect.run.fence) return;
        this.#run.end();
        this.#run = undefined;
        return;
      case "stop-workers":
        return this.#stopWorkers(effect.run.fence, effect.mode);
      case "record":
        return this.log(() => `note: ${effect.entry.message}`);
      case "clean-up":
        this.#sim.cleanedUp = true;
    }
  }

  #compile(): void {
    const { faults } = this.#sim.options;
    this.post(100 + this.world.prng.below(3000), () => {
      if (this.world.fault(faults.compileFails)) this.tell({ kind: "compile-failed", error: away("no room for the artifact") });
      else this.tell({ kind: "compiled", artifact: "a", vertices: 2 });
    });
  }

  #startWorkers(fence: number, slots: number, build: string): void {
    const { scheduler } = this.#sim;
    scheduler.call(
      this,
      () => scheduler.start(fence, slots, build),
      (answer) => {
        if (!answer.ok) return this.tell({ kind: "start-failed", fence, error: away(answer.reason) });
        if (answer.value.kind === "accepted") return this.tell({ kind: "workers-accepted", fence, workers: answer.value.workers });
        if (answer.value.kind === "not-enough-slots") return this.tell({ ...answer.value, fence });
        this.tell({ kind: "start-failed", fence, error: { ...away("the run was stopped"), code: "fenced", retry: "never" } });
      },
    );
  }

  #stopWorkers(fence: number, mode: (JobEffect & { readonly kind: "stop-workers" })["mode"]): void {
    const { scheduler } = this.#sim;
    scheduler.call(
      this,
      () => scheduler.stop(fence, mode.kind === "force", mode.kind === "graceful" ? mode.deadlineMs : 0),
      (answer) => {
        if (!answer.ok) return this.tell({ kind: "stop-failed", fence, error: away(answer.reason) });
        if (this.leader !== undefined && this.#stopping !== fence) this.#watch(fence);
      },
    );
  }

  #prepare(fence: number, parallelism: number): void {
    if (this.#room?.fence === fence) return;
    this.#closeRoom();
    this.#sim.count("prepared");
    this.#room = new SimRoom(fence, parallelism, this.leaderEpoch, (report) => this.tell({ kind: "run", fence, report }));
  }

  /** Of one run alone. */
  #endWorkers(fence: number, mode: (JobEffect & { readonly kind: "end-workers" })["mode"]): void {
    if (this.#room?.fence === fence) {
      for (const { stream } of this.#room.leave()) stream.toClient({ kind: "fenced", leader: this.leaderEpoch });
      this.#room = undefined;
      this.#sim.count("discarded");
    }
    const { scheduler } = this.#sim;
    scheduler.call(
      this,
      () => scheduler.stopOnly(fence, mode.kind === "force", mode.kind === "graceful" ? mode.deadlineMs : 0),
      (answer) => {
        if (!answer.ok) return this.tell({ kind: "stop-failed", fence, error: away(answer.reason) });
        if (this.leader === undefined || this.#ending.has(fence)) return;
        this.#ending.add(fence);
        this.#watchEnd(fence, this.leader);
      },
    );
  }

  #watchEnd(fence: number, leader: number): void {
    const { scheduler } = this.#sim;
    scheduler.call(
      this,
      () => scheduler.livingOf(fence),
      (answer) => {
        if (this.leader !== leader) return;
        if (answer.ok && answer.value === 0) {
          this.#ending.delete(fence);
          return this.tell({ kind: "workers-gone", fence });
        }
        this.post(LIST_MS, () => {
          if (this.leader === leader) this.#watchEnd(fence, leader);
        });
      },
    );
  }

  /** Asks until no worker is left. */
  #watch(fence: number): void {
    this.#stopping = fence;
    const { scheduler } = this.#sim;
    const { leader } = this;
    scheduler.call(
      this,
      () => scheduler.living(fence),
      (answer) => {
        if (this.leader !== leader || this.#stopping !== fence) return;
        if (answer.ok && answer.value === 0) {
          this.#stopping = undefined;
          return this.tell({ kind: "workers-gone", fence });
        }
        this.post(LIST_MS, () => {
          if (this.leader === leader && this.#stopping === fence) this.#watch(fence);
        });
      },
    );
  }

  /** A run could not be made: as if it had never been asked for. */
  runFailedToOpen(run: SimRun, error: ErrorRecord): void {
    if (this.#run === run) this.#run = undefined;
    this.tell({ kind: "start-failed", fence: run.fence, error });
  }

  /** A worker dials. */
  accept(worker: SimWorker): Stream<ToController, ToWorker> {
    const stream = new Stream<ToController, ToWorker>(worker, this);
    stream.onServer = (said) => this.#hear(stream, worker.id, worker.fence, said);
    stream.onServerBroken = () => {
      this.#run?.broken(stream, worker.id);
      this.#room?.broken(stream, worker.id);
    };
    return stream;
  }

  #hear(stream: Stream<ToController, ToWorker>, worker: WorkerId, fence: number, said: ToController): void {
    const { leader, job } = this;
    const run = this.#run?.fence === fence ? this.#run : undefined;
    if (run?.isOpen === true && said.message.kind === "register") return run.admit(stream, worker, said);
    if (run?.owns(stream, worker) === true) return run.hear(worker, said);
    if (run?.awaits(stream) === true) return;
    if (leader !== undefined && this.#room?.fence === fence) return this.#room.hear(stream, worker, said);
    if (leader === undefined || job === undefined || isRunWanted(job, fence)) return stream.toClient({ kind: "moved", leader: 0 });
    // A worker of a later run than this controller knows of belongs to another leader.
    if (fence > Math.max(job.run?.fence ?? 0, job.context.lastFence)) return stream.toClient({ kind: "moved", leader: 0 });
    stream.toClient({ kind: "fenced", leader });
  }

  /** The scheduler saw a worker end. */
  workerExited(fence: number, worker: WorkerId, reason: string): void {
    if (this.#run?.fence === fence) this.#run.workerExited(worker, reason);
    if (this.#room?.fence === fence) this.#room.exited(worker, reason);
  }

  /** The scheduler drains a machine. */
  drain(fence: number, deadlineMs: number | undefined): void {
    this.tell({ kind: "drain", fence, reason: "node drain", deadlineMs });
  }

  /** The leader epoch, of a controller that leads. */
  get leaderEpoch(): number {
    return must(this.leader, "the leader epoch");
  }
}
