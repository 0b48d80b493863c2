/**
 * A simulated worker process: dials controllers until one takes it, runs slots, repeats what was not acknowledged, obeys the highest leader it
 * has seen, and ends when nobody renews its lease. Faults of workers happen here: they die, hang, never register, lose their stream.
 */
import { must } from "../../src/core/assert.ts";
import type { WorkerId } from "../../src/core/ids.ts";
import type { PlacedWorker } from "../../src/job/job.ts";
import type { Resumption, WorkerMessage } from "../../src/job/run-event.ts";
import type { SimReport, ToController, ToWorker } from "./messages.ts";
import type { SimManifest } from "./outside.ts";
import { SimSlot } from "./sim-slot.ts";
import type { Simulation } from "./simulation.ts";
import { Actor, type Stream, violation } from "./world.ts";

const HEARTBEAT_MS = 3000;
const TURN_MS = 400;
const ORPHAN_MS = 200_000;
/** Who does not say welcome within this time is not there. */
const WELCOME_MS = 2000;

type Assign = ToWorker & { readonly kind: "assign" };

/** See the file's comment. */
export class SimWorker extends Actor {
  readonly #sim: Simulation;
  readonly id: WorkerId;
  readonly fence: number;
  readonly slots: number;
  /** Of a bad build. */
  failsWhenAssigned = false;
  readonly #port: number;
  #stream: Stream<ToController, ToWorker> | undefined;
  /** The stream on which it is welcome. */
  #welcomed: Stream<ToController, ToWorker> | undefined;
  #leader = 0;
  #assigned = false;
  #number = -1;
  #running = false;
  #complete = 0;
  #turning = false;
  #slots: SimSlot[] = [];
  #renewedAtMs: number;
  #dialled = 0;
  #dialAfterMs = 0;
  /** Called when the process is gone. */
  readonly #onExit: (reason: string) => void;

  constructor(sim: Simulation, id: WorkerId, fence: number, slots: number, onExit: (reason: string) => void) {
    super(sim.world, id);
    this.#sim = sim;
    this.id = id;
    this.fence = fence;
    this.slots = slots;
    this.#port = sim.world.prng.below(60_000);
    this.#onExit = onExit;
    this.#renewedAtMs = sim.world.nowMs;
    this.#dial();
    this.#live();
  }

  /** Ends the process. */
  exit(reason: string): void {
    if (!this.alive) return;
    this.log(() => `exits: ${reason}`);
    this.alive = false;
    this.#stream?.break();
    this.#onExit(reason);
  }

  /** SIGTERM: asks to leave, then ends by itself. */
  terminate(): void {
    if (this.world.prng.chance(1, 2)) this.#say({ kind: "leave", reason: "SIGTERM", deadlineMs: 10_000 });
    this.post(500 + this.world.prng.below(4000), () => this.exit("SIGTERM"));
  }

  /** The machine wants it gone. */
  askToLeave(): void {
    this.#say({ kind: "leave", reason: "drain", deadlineMs: 30_000 });
  }

  /** A slot fails: the last word of the process, if it gets through. */
  fail(domain: "user" | "external"): void {
    const code = domain === "user" ? "bad-data" : "slot-failed";
    this.#say({ kind: "failed", error: { domain, code, message: "a slot failed", retry: "never" } });
    this.post(100, () => this.exit("a slot failed"));
  }

  breakStream(): void {
    this.#stream?.break();
  }

  /** No controller can be reached for so long. */
  partition(durationMs: number): void {
    this.#dialAfterMs = this.world.nowMs + durationMs;
    this.#stream?.break();
  }

  #live(): void {
    if (this.world.nowMs - this.#renewedAtMs > ORPHAN_MS) return this.exit("nobody renewed its lease");
    if (this.world.nowMs - this.#renewedAtMs > this.#sim.options.redialMs) this.#stream?.break();
    this.#say({ kind: "heartbeat" });
    this.post(HEARTBEAT_MS, () => this.#live());
  }

  #dial(): void {
    const controllers = this.#sim.controllers.filter(({ alive }) => alive);
    const controller = controllers[this.#dialled++ % Math.max(1, controllers.length)];
    if (controller === undefined || this.world.nowMs < this.#dialAfterMs) {
      this.post(1000, () => this.#dial());
      return;
    }
    this.#stream = controller.accept(this);
    this.#stream.onClient = (message) => this.#hear(message);
    this.#stream.onClientBroken = () => this.post(200 + this.world.prng.below(800), () => this.#dial());
    this.#say(this.#registration());
    const stream = this.#stream;
    this.post(WELCOME_MS, () => {
      if (this.#welcomed !== stream) stream.break();
    });
  }

  #registration(): WorkerMessage {
    const data = { host: "worker", port: this.#port };
    return { kind: "register", slots: this.slots, data, resumption: this.#assigned ? this.#resumption() : undefined };
  }

  #resumption(): Resumption {
    const numbers = (slots: readonly SimSlot[]): readonly number[] => slots.map(({ subtask }) => subtask);
    return {
      startedEpoch: Math.max(0, ...this.#slots.map(({ known }) => known)),
      completeEpoch: this.#complete,
      committedEpoch: Math.min(...this.#slots.map(({ committed }) => committed)),
      readySubtasks: numbers(this.#slots.filter(({ ready }) => ready)),
      endedSubtasks: numbers(this.#slots.filter(({ endedTold }) => endedTold)),
      running: this.#running,
      paused: false,
    };
  }

  #say(message: WorkerMessage, report?: SimReport): void {
    this.#stream?.toServer({ message, report });
  }

  #hear(message: ToWorker): void {
    // Who does not lead gives no orders: it only shows the way.
    if (message.kind === "moved") return this.#stream?.break();
    if (message.leader < this.#leader) {
      this.log(() => `ignores ${message.kind} of leader ${message.leader}`);
      return;
    }
    this.#leader = message.leader;
    switch (message.kind) {
      case "fenced":
        return this.exit("fenced");
      case "welcome":
        this.#welcomed = this.#stream;
        this.#renewedAtMs = this.world.nowMs;
        return this.#repeat();
      case "renew":
        this.#renewedAtMs = this.world.nowMs;
        return this.#countsUpTo(message.epoch);
      case "assign":
        return this.#assign(message);
      case "run":
        this.#running = true;
        for (const slot of this.#slots) slot.running = true;
        return this.#turnSoon();
      case "trigger":
        for (const slot of this.#slots) slot.trigger(message.epoch, message.stop);
        return this.#turnSoon();
      case "commit":
        return this.#commit(message);
      case "close":
        return message.mode === "force" ? this.exit("told to") : this.#close();
    }
  }

  /** Reports that nobody has acknowledged. */
  #repeat(): void {
    for (const { reports, closed, subtask } of this.#slots) {
      for (const report of reports) this.#say({ ...report, kind: "vertex-reported" }, report);
      if (closed) this.#say({ kind: "slot-closed", subtask });
    }
  }

  #countsUpTo(epoch: number): void {
    this.#complete = Math.max(this.#complete, epoch);
    for (const { reports } of this.#slots) {
      while (reports[0] !== undefined && reports[0].epoch <= this.#complete) reports.shift();
    }
  }

  #assign({ placement, number, restored, base }: Assign): void {
    if (this.failsWhenAssigned) return this.fail("external");
    if (this.#assigned) return;
    this.#assigned = true;
    this.#number = number;
    this.#complete = base;
    this.#restore(placement, restored, base);
  }

  #restore(placement: readonly PlacedWorker[], restored: number, base: number): void {
    const { store } = this.#sim;
    if (restored === 0) {
      this.#startSlots(placement, base, undefined);
      return;
    }
    store.call(
      this,
      () => this.#sim.checkRestore(restored, this.fence),
      (answer) => {
        if (answer.ok) this.#startSlots(placement, base, answer.value);
        else this.post(1000, () => this.#restore(placement, restored, base));
      },
    );
  }

  #startSlots(placement: readonly PlacedWorker[], base: number, restored: SimManifest | undefined): void {
    const own = must(placement[this.#number], "the worker's place");
    const parallelism = placement.reduce((sum, { count }) => sum + count, 0);
    const { splits, plant } = this.#sim.options;
    const forgets = plant === "forgotten-state";
    this.#slots = Array.from(
      { length: own.count },
      (_, i) => new SimSlot(own.first + i, parallelism, splits, base, forgets ? positionsOnly(restored) : restored),
    );
    for (const slot of this.#slots) {
      if (!slot.isConsistent)
        throw violation(this.world, `subtask ${slot.subtask} was restored with a state that does not fit its positions`);
      this.post(this.world.prng.below(1500), () => {
        // One subtask publishes again what may have been lost with the process that should have done it.
        if (slot.subtask === 0)
          for (const staged of restored?.staged ?? []) this.#sim.sink.publish(restored?.fence ?? 0, restored?.epoch ?? 0, staged);
        slot.ready = true;
        this.#say({ kind: "slot-ready", subtask: slot.subtask });
      });
    }
  }

  #turnSoon(): void {
    if (this.#turning) return;
    this.#turning = true;
    this.post(this.world.prng.below(20), () => this.#turn());
  }

  #turn(): void {
    this.#turning = false;
    let busy = false;
    const { inputLimits } = this.#sim;
    for (const slot of this.#slots) {
      if (!slot.running || slot.closed) continue;
      const before = slot.injected;
      this.#store(slot, slot.inject());
      if (slot.injected > before) this.#say({ kind: "epoch-started", subtask: slot.subtask, epoch: slot.injected });
      slot.read(1 + this.world.prng.below(3), inputLimits);
      for (const { split, position } of slot.splits) this.#sim.noteRead(split, position);
      const ended = slot.hasEnded(inputLimits);
      if (ended && !slot.endedTold) {
        slot.endedTold = true;
        this.#say({ kind: "slot-ended", subtask: slot.subtask });
      }
      if (slot.known > slot.injected || (!ended && slot.injected < slot.stopAfter)) busy = true;
    }
    if (!busy) return;
    this.#turning = true;
    this.post(TURN_MS, () => this.#turn());
  }

  /** A part is told once it is durable; the object store may be away. Parts of a slot become durable one after the other. */
  #store(slot: SimSlot, reports: readonly SimReport[]): void {
    let delayMs = 0;
    for (const report of reports) {
      delayMs += 5 + this.world.prng.below(300);
      this.#storeAfter(delayMs, slot, report);
    }
  }

  #storeAfter(delayMs: number, slot: SimSlot, report: SimReport): void {
    this.post(delayMs, () => {
      if (this.world.faulty && this.world.nowMs < this.#sim.store.awayUntilMs) return this.#storeAfter(1000, slot, report);
      slot.reports.push(report);
      slot.reports.sort((a, b) => a.epoch - b.epoch);
      this.#say({ ...report, kind: "vertex-reported" }, report);
    });
  }

  #commit({ epoch, staged }: ToWorker & { readonly kind: "commit" }): void {
    this.#countsUpTo(epoch);
    for (const slot of this.#slots) {
      const own = staged.find(({ subtask }) => subtask === slot.subtask);
      if (this.#sim.options.plant === "boastful-worker") this.#say({ kind: "committed", subtask: slot.subtask, epoch });
      // Publishing can take as long as an interval, or several.
      this.post(this.world.prng.below(this.world.prng.chance(1, 5) ? 8000 : 400), () => {
        if (own !== undefined) this.#sim.sink.publish(this.fence, epoch, own);
        slot.publish(epoch);
        this.#say({ kind: "committed", subtask: slot.subtask, epoch });
      });
    }
  }

  #close(): void {
    for (const slot of this.#slots) {
      slot.closed = true;
      slot.running = false;
      this.#say({ kind: "slot-closed", subtask: slot.subtask });
    }
    this.#say({ kind: "finished" });
    this.post(300, () => this.exit("closed"));
  }
}

/** A planted bug: a restore that forgets the state. */
function positionsOnly(manifest: SimManifest | undefined): SimManifest | undefined {
  return manifest === undefined ? undefined : { ...manifest, sums: [] };
}
