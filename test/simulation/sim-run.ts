/**
 * A simulated controller's side of one run: performs what the run machine decides (messages to workers, manifests, records) and keeps what
 * workers reported until their epoch counts.
 */
import type { WorkerId } from "../../src/core/ids.ts";
import type { JobEffect, RunCommand } from "../../src/job/effect.ts";
import type { PlacedWorker } from "../../src/job/job.ts";
import { adoptRun, type Run, runWakeAtMs, startRun, stepRun } from "../../src/job/run.ts";
import type { RunConfig, RunEffect, RunEvent } from "../../src/job/run-event.ts";
import { placeSubtasks } from "../../src/scheduler/placement.ts";
import type { SimReport, ToController, ToWorker } from "./messages.ts";
import type { SimManifest, SimRecord, StagedRows } from "./outside.ts";
import type { SimController } from "./sim-controller.ts";
import type { Waiting } from "./sim-room.ts";
import type { Simulation } from "./simulation.ts";
import { away, type Stream } from "./world.ts";

type Setup = JobEffect & { readonly kind: "start-run" | "adopt-run" };
type WorkerStream = Stream<ToController, ToWorker>;

/** See the file's comment. */
export class SimRun {
  readonly #sim: Simulation;
  readonly #controller: SimController;
  readonly #setup: Setup;
  readonly fence: number;
  readonly #leader: number;
  readonly #streams = new Map<WorkerId, WorkerStream>();
  readonly #reports = new Map<number, Map<string, SimReport>>();
  readonly #staged = new Map<number, readonly StagedRows[]>();
  #machine: Run | undefined;
  #restored: SimManifest | undefined;
  #base = 0;
  #over = false;
  #commands: RunCommand[] = [];
  #wakeAtMs: number | undefined;
  /** Workers that came up beside the run before: they register as soon as the machine is there. */
  #handed: readonly Waiting[];

  constructor(sim: Simulation, controller: SimController, setup: Setup, handed: readonly Waiting[] = []) {
    this.#handed = handed;
    this.#sim = sim;
    this.#controller = controller;
    this.#setup = setup;
    this.fence = setup.run.fence;
    this.#leader = controller.leaderEpoch;
    this.#open();
  }

  /** Whether workers may register. */
  get isOpen(): boolean {
    return this.#machine !== undefined;
  }

  #open(): void {
    const { store } = this.#sim;
    const { fence } = this;
    store.call(
      this.#controller,
      () => (this.#setup.kind === "start-run" ? this.#sim.takeOver(fence) : store.record),
      (answer) => {
        if (this.#over) return;
        if (!answer.ok || answer.value === undefined || answer.value.fence !== fence) {
          this.#over = true;
          const reason = answer.ok ? "another run owns the job" : answer.reason;
          const error = answer.ok ? { ...away(reason), code: "fenced" as const, retry: "never" as const } : away(reason);
          this.#controller.runFailedToOpen(this, error);
          return;
        }
        this.#begin(answer.value);
      },
    );
  }

  #begin(record: SimRecord): void {
    const { nowMs } = this.#sim.world;
    const setup = this.#setup;
    const own = record.epochs.filter((entry) => entry.fence === this.fence);
    const oldest = setup.ignoreStateBeforeEpoch ?? 0;
    this.#restored = record.epochs.filter((entry) => entry.fence < this.fence && entry.epoch >= oldest).at(-1);
    // Epochs are numbered on also where nothing is restored.
    this.#base = this.#restored?.epoch ?? (own[0] === undefined ? Math.max(0, oldest - 1, this.#sim.store.newest) : own[0].epoch - 1);
    this.#sim.outputOf(this.fence, this.#restored, this.#base, own.length > 0);
    const config = this.#config();
    const placement = setup.kind === "adopt-run" ? setup.placement : undefined;
    const recorded = own.map(({ epoch }) => epoch);
    const step = placement === undefined ? startRun(config, nowMs) : adoptRun(config, { placement, recorded }, nowMs);
    this.#machine = step.run;
    this.#performAll(step.effects);
    if (setup.kind === "adopt-run" && setup.stop !== undefined)
      this.#step({ kind: "command", command: { kind: "stop", mode: setup.stop } });
    for (const command of this.#commands) this.#step({ kind: "command", command });
    this.#commands = [];
    for (const { stream, worker, said } of this.#handed) if (!stream.broken) this.admit(stream, worker, said);
    this.#handed = [];
    this.#planWake();
  }

  #config(): RunConfig {
    const { run, parallelism, checkpointIntervalMs } = this.#setup;
    const place = (wanted: number, offered: readonly { worker: WorkerId; slots: number }[]): readonly PlacedWorker[] | undefined =>
      placeSubtasks(wanted, offered) as readonly PlacedWorker[] | undefined;
    const { runLimits: limits } = this.#sim.options;
    return { run, vertices: 2, parallelism, restoredEpoch: this.#base, checkpointIntervalMs, byRows: false, limits, place };
  }

  /** The machine is forgotten. */
  end(): void {
    this.#over = true;
    for (const stream of this.#streams.values()) stream.break();
    for (const { stream } of this.#handed) stream.break();
    this.#handed = [];
    this.#streams.clear();
  }

  command(command: RunCommand): void {
    if (this.#machine === undefined) this.#commands.push(command);
    else this.#step({ kind: "command", command });
  }

  /** A worker registers on a new stream. */
  admit(stream: WorkerStream, worker: WorkerId, said: ToController): void {
    this.#streams.get(worker)?.break();
    this.#streams.set(worker, stream);
    stream.toClient({ kind: "welcome", leader: this.#leader });
    this.hear(worker, said);
  }

  /** Whether it was handed over and will be admitted. */
  awaits(stream: WorkerStream): boolean {
    return this.#handed.some((waiting) => waiting.stream === stream);
  }

  owns(stream: WorkerStream, worker: WorkerId): boolean {
    return this.#streams.get(worker) === stream;
  }

  hear(worker: WorkerId, { message, report }: ToController): void {
    if (report !== undefined) {
      const reports = this.#reports.get(report.epoch) ?? new Map<string, SimReport>();
      this.#reports.set(report.epoch, reports.set(`${report.vertex} ${report.subtask}`, report));
    }
    this.#step({ kind: "worker", worker, message });
    if (this.#sim.world.fault(10)) this.#step({ kind: "worker", worker, message });
  }

  broken(stream: WorkerStream, worker: WorkerId): void {
    if (this.#streams.get(worker) !== stream) return;
    this.#streams.delete(worker);
    this.#step({ kind: "disconnected", worker });
  }

  workerExited(worker: WorkerId, reason: string): void {
    this.#step({ kind: "worker-exited", worker, reason, outOfMemory: false });
  }

  #step(event: RunEvent): void {
    if (this.#over || this.#machine === undefined) return;
    const { run, effects } = stepRun(this.#machine, event, this.#sim.world.nowMs);
    this.#machine = run;
    const { kind } = event;
    if (kind !== "tick" && !(kind === "worker" && event.message.kind === "heartbeat")) {
      this.#controller.log(
        () => `  ${kind} ${JSON.stringify(kind === "worker" ? event.message : event)} → ${effects.map(describe).join(" ")}`,
      );
    }
    this.#performAll(effects);
    this.#planWake();
  }

  #planWake(): void {
    if (this.#over || this.#machine === undefined) return;
    const atMs = runWakeAtMs(this.#machine);
    const { nowMs } = this.#sim.world;
    if (atMs === undefined || (this.#wakeAtMs !== undefined && this.#wakeAtMs <= atMs && this.#wakeAtMs > nowMs)) return;
    this.#wakeAtMs = atMs;
    this.#controller.post(Math.max(0, atMs - nowMs), () => {
      this.#wakeAtMs = undefined;
      this.#step({ kind: "tick" });
    });
  }

  #performAll(effects: readonly RunEffect[]): void {
    for (const effect of effects) {
      if (this.#over || !this.#controller.alive) return;
      if (this.#sim.world.fault(this.#sim.options.faults.crashBetweenEffects)) return this.#controller.crash();
      this.#perform(effect);
    }
  }

  #send(worker: WorkerId, message: ToWorker): void {
    this.#streams.get(worker)?.toClient(message);
  }

  #perform(effect: RunEffect): void {
    const leader = this.#leader;
    switch (effect.kind) {
      case "assign": {
        const { placement, number } = effect;
        return this.#send(effect.worker, {
          kind: "assign",
          leader,
          placement,
          number,
          restored: this.#restored?.epoch ?? 0,
          base: this.#base,
        });
      }
      case "run":
        return this.#send(effect.worker, { kind: "run", leader });
      case "trigger":
        return this.#send(effect.worker, { ...effect, leader });
      case "commit":
        return this.#commit(effect.worker, effect.epoch);
      case "close":
        return this.#send(effect.worker, { kind: "close", leader, mode: effect.mode });
      case "renew":
        return this.#send(effect.worker, { ...effect, leader });
      case "complete":
        return this.#complete(effect.epoch);
      case "report":
        return this.#controller.tell({ kind: "run", fence: this.fence, report: effect.report });
      case "epoch-begun":
      case "retain":
      case "record":
        return;
    }
  }

  #complete(epoch: number): void {
    const manifest = this.#manifest(epoch);
    this.#staged.set(epoch, manifest.staged);
    if (this.#sim.options.plant === "commit-before-record") for (const worker of this.#streams.keys()) this.#commit(worker, epoch);
    this.#sim.complete(this.#controller, manifest, (answer) => {
      if (!answer.ok) return this.#step({ kind: "record-failed", epoch, error: away(answer.reason) });
      if (this.#sim.world.fault(this.#sim.options.faults.crashAfterRecord)) return this.#controller.crash();
      if (answer.value) {
        this.#reports.delete(epoch);
        return this.#step({ kind: "recorded", epoch });
      }
      this.#step({ kind: "record-failed", epoch, error: { ...away("another run owns the job"), code: "fenced", retry: "never" } });
    });
  }

  #manifest(epoch: number): SimManifest {
    const { splits } = this.#sim.options;
    const positions = new Array<number>(splits).fill(0);
    const sums = new Array<number>(splits).fill(0);
    const reports = [...(this.#reports.get(epoch)?.values() ?? [])];
    for (const [split, position, sum] of reports.flatMap((report) => report.positions)) {
      positions[split] = position;
      sums[split] = sum;
    }
    const staged = reports.filter(({ vertex }) => vertex === 1).map(({ subtask, rows }) => ({ subtask, rows }));
    return { epoch, fence: this.fence, positions, sums, staged };
  }

  /** What was staged is in memory, or in the manifest that a former controller wrote. */
  #commit(worker: WorkerId, epoch: number): void {
    const known = this.#staged.get(epoch);
    if (known !== undefined) return this.#send(worker, { kind: "commit", leader: this.#leader, epoch, staged: known });
    const { store } = this.#sim;
    store.call(
      this.#controller,
      () => this.#sim.stagedIn(this.fence, epoch),
      (answer) => {
        if (this.#over) return;
        if (answer.ok && answer.value !== undefined) {
          this.#send(worker, { kind: "commit", leader: this.#leader, epoch, staged: answer.value });
        } else {
          this.#controller.post(1000, () => {
            if (!this.#over) this.#commit(worker, epoch);
          });
        }
      },
    );
  }
}

function describe(effect: RunEffect): string {
  if (effect.kind === "report") return `report:${effect.report.kind}`;
  return "worker" in effect ? `${effect.kind}@${effect.worker}` : effect.kind;
}
