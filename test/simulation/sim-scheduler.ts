/**
 * A simulated scheduler with a limited number of slots, to the contract of src/scheduler/scheduler.ts: it starts workers slowly or not at all,
 * stops them, tells (most of the time) when one ends, and never replaces one.
 */
import type { WorkerId } from "../../src/core/ids.ts";
import { SimWorker } from "./sim-worker.ts";
import type { Simulation } from "./simulation.ts";
import { Service } from "./world.ts";

interface Placed {
  readonly id: WorkerId;
  readonly fence: number;
  readonly slots: number;
  readonly build: string;
  /** Undefined: not started yet. */
  process: SimWorker | undefined;
  gone: boolean;
}

/** What `startWorkers` answers. */
export type StartAnswer =
  | { readonly kind: "accepted"; readonly workers: number }
  | { readonly kind: "not-enough-slots"; readonly needed: number; readonly available: number }
  | { readonly kind: "fenced" };

/** See the file's comment. */
export class SimScheduler extends Service {
  readonly #sim: Simulation;
  readonly #workers: Placed[] = [];
  readonly #stopped = new Set<number>();
  #highest = 0;
  #numbers = 0;
  capacity: number;

  constructor(sim: Simulation, capacity: number) {
    super(sim.world, "scheduler", 5);
    this.#sim = sim;
    this.capacity = capacity;
  }

  /** Workers that exist or may come to exist, of runs up to `fence`. */
  living(fence: number): number {
    return this.#workers.filter((worker) => !worker.gone && worker.fence <= fence).length;
  }

  /** Processes of all runs. */
  get processes(): readonly SimWorker[] {
    return this.#workers.flatMap(({ process, gone }) => (process === undefined || gone ? [] : [process]));
  }

  start(fence: number, slots: number, build: string): StartAnswer {
    const known = this.#workers.filter((worker) => worker.fence === fence);
    if (this.#stopped.has(fence) || fence < this.#highest) return { kind: "fenced" };
    if (known.length > 0) return { kind: "accepted", workers: known.length };
    const used = this.#workers.filter(({ gone }) => !gone).reduce((sum, worker) => sum + worker.slots, 0);
    const available = Math.max(0, this.capacity - used);
    if (available < slots) return { kind: "not-enough-slots", needed: slots, available };
    this.#highest = fence;
    const { prng } = this.#sim.world;
    const perWorker = 1 + prng.below(3);
    for (let left = slots; left > 0; left -= perWorker) this.#place(fence, perWorker, build);
    // Now and then somebody gets more than asked for.
    if (prng.chance(1, 6)) this.#place(fence, 1, build);
    return { kind: "accepted", workers: Math.ceil(slots / perWorker) };
  }

  #place(fence: number, slots: number, build: string): void {
    const id = `wk_${String(this.#numbers++).padStart(4, "0")}` as WorkerId;
    const placed: Placed = { id, fence, slots, build, process: undefined, gone: false };
    this.#workers.push(placed);
    const { world, options } = this.#sim;
    if (world.fault(options.faults.neverStarts)) return;
    world.after(200 + world.prng.below(4000), () => this.#launch(placed));
  }

  #launch(placed: Placed): void {
    if (placed.gone) return;
    const { id, fence, slots, build } = placed;
    placed.process = new SimWorker(this.#sim, id, fence, slots, (reason) => this.#exited(placed, reason));
    this.#sim.workerStarted(placed.process);
    if (build === "crashing") placed.process.exit("this build does not start");
    if (build === "failing") placed.process.failsWhenAssigned = true;
  }

  #exited(placed: Placed, reason: string): void {
    placed.gone = true;
    const { world, options } = this.#sim;
    if (world.fault(options.faults.exitUntold)) return;
    world.after(50 + world.prng.below(1500), () => this.#sim.tellExit(placed.fence, placed.id, reason));
  }

  stop(fence: number, force: boolean, deadlineMs: number): void {
    for (let f = this.#highest; f <= fence; f++) this.#stopped.add(f);
    this.#stopped.add(fence);
    for (const placed of this.#workers) if (placed.fence <= fence && !placed.gone) this.#stopWorker(placed, force, deadlineMs);
  }

  /** Workers of this run alone that exist or may come to exist. */
  livingOf(fence: number): number {
    return this.#workers.filter((worker) => !worker.gone && worker.fence === fence).length;
  }

  /** Ends the run, and no other. */
  stopOnly(fence: number, force: boolean, deadlineMs: number): void {
    this.#stopped.add(fence);
    for (const placed of this.#workers) if (placed.fence === fence && !placed.gone) this.#stopWorker(placed, force, deadlineMs);
  }

  #stopWorker(placed: Placed, force: boolean, deadlineMs: number): void {
    const { world } = this.#sim;
    const { process } = placed;
    if (process === undefined) {
      if (this.#sim.options.plant !== "careless-scheduler") placed.gone = true;
      return;
    }
    if (!force) process.terminate();
    // The machine may not answer: then it takes until the world is healed.
    const unreachable = world.fault(this.#sim.options.faults.unkillable);
    const waitMs = (force ? 0 : deadlineMs) + world.prng.below(1500) + (unreachable ? 60_000 : 0);
    world.after(waitMs, () => process.exit(force ? "killed" : "killed after its deadline"));
  }
}
