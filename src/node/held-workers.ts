/**
 * The workers of this machine: started once for each id, counted against the slots, watched, ended when they are told to, and known again
 * after a restart of the daemon. How a process is started is the launcher's business.
 */
import type { Clock } from "../core/clock.ts";
import { externalError } from "../core/errors.ts";
import type { WorkerId } from "../core/ids.ts";
import type { Logger } from "../core/log.ts";
import { NS_PER_MS } from "../core/time.ts";
import type { LaunchedWorker, StopMode, WorkerExit, WorkerLaunch, WorkerLauncher } from "../scheduler/scheduler.ts";

/** A worker. */
export interface HeldWorker {
  readonly launch: Omit<WorkerLaunch, "runToken">;
  readonly handle: string;
  /** Wall time at which it was started or found, nanoseconds. */
  readonly startedAtNs: bigint;
  readonly stopping: boolean;
  readonly exit: WorkerExit | undefined;
  /** Wall time, milliseconds; undefined while it runs. */
  readonly endedAtMs: number | undefined;
  /** A controller has heard of its end. */
  readonly acknowledged: boolean;
}

/** What it works with. */
export interface HeldWorkersOptions {
  readonly launcher: WorkerLauncher;
  readonly slots: number;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Something has changed: a worker is new or has ended. */
  readonly onChange: (exit?: WorkerExit) => void;
}

/** Workers that have ended which are remembered, so that none is started again. */
const KEPT = 500;

/** See the file's comment. */
export class HeldWorkers {
  readonly #options: HeldWorkersOptions;
  readonly #workers = new Map<WorkerId, HeldWorker>();
  readonly #launched = new Map<WorkerId, LaunchedWorker>();
  readonly #starting = new Map<WorkerId, Promise<HeldWorker>>();
  /** Slots of workers that are being started. */
  #promised = 0;
  readonly #over = new AbortController();

  constructor(options: HeldWorkersOptions) {
    this.#options = options;
  }

  /** Takes over what an earlier daemon left; how many run. */
  async adopt(): Promise<number> {
    for (const { launch, worker } of await this.#options.launcher.adopt()) this.#hold(launch, worker);
    for (const { launch, exit } of (await this.#options.launcher.departed?.()) ?? []) {
      const held = { launch, handle: "", startedAtNs: 0n, stopping: false, exit, endedAtMs: this.#nowMs(), acknowledged: false };
      this.#workers.set(launch.worker, held);
    }
    return this.#launched.size;
  }

  get all(): readonly HeldWorker[] {
    return [...this.#workers.values()];
  }

  get running(): readonly HeldWorker[] {
    return this.all.filter(({ exit }) => exit === undefined);
  }

  get(id: WorkerId): HeldWorker | undefined {
    return this.#workers.get(id);
  }

  get freeSlots(): number {
    return this.#options.slots - this.#promised - this.running.reduce((sum, { launch }) => sum + launch.slots, 0);
  }

  /** The worker of `launch`, started unless it was before: also one that has ended. Throws if there are not enough slots. */
  async start(launch: WorkerLaunch): Promise<HeldWorker> {
    const { worker, slots } = launch;
    const known = this.#workers.get(worker) ?? this.#starting.get(worker);
    if (known !== undefined) return known;
    if (slots > this.freeSlots) {
      const { slots: all } = this.#options;
      throw externalError("io", `${slots} slots are asked for and ${Math.max(0, this.freeSlots)} of ${all} are free`, { retry: "never" });
    }
    const starting = this.#start(launch);
    this.#starting.set(worker, starting);
    try {
      return await starting;
    } finally {
      this.#starting.delete(worker);
    }
  }

  /** Tells a worker to end; false: it is not here. */
  stop(id: WorkerId, mode: StopMode): boolean {
    const held = this.#workers.get(id);
    const launched = this.#launched.get(id);
    if (held === undefined) return false;
    if (launched === undefined || held.exit !== undefined) return true;
    this.#workers.set(id, { ...held, stopping: true });
    if (mode.kind === "force") launched.kill();
    else {
      launched.terminate();
      if (!held.stopping) this.#killLater(launched, mode.deadlineMs).catch(() => undefined);
    }
    this.#options.onChange();
    return true;
  }

  /** Ends all at once. */
  killAll(): void {
    for (const { launch } of this.running) this.stop(launch.worker, { kind: "force" });
  }

  /** A controller has written down that these have ended. */
  acknowledge(ids: readonly WorkerId[]): void {
    for (const id of ids) {
      const held = this.#workers.get(id);
      if (held?.exit !== undefined) this.#workers.set(id, { ...held, acknowledged: true });
    }
    const over = this.all.filter(({ acknowledged }) => acknowledged);
    for (const { launch } of over.slice(0, Math.max(0, over.length - KEPT))) this.#workers.delete(launch.worker);
  }

  /** Lets go of the workers: they go on. */
  release(): void {
    this.#over.abort();
  }

  async #start(launch: WorkerLaunch): Promise<HeldWorker> {
    this.#promised += launch.slots;
    try {
      const launched = await this.#options.launcher.launch(launch);
      const { runToken: _, ...recorded } = launch;
      return this.#hold(recorded, launched);
    } finally {
      this.#promised -= launch.slots;
    }
  }

  #hold(launch: HeldWorker["launch"], launched: LaunchedWorker): HeldWorker {
    const { clock, logger, onChange } = this.#options;
    const held: HeldWorker = {
      launch,
      handle: launched.handle,
      startedAtNs: clock.nowNs(),
      stopping: false,
      exit: undefined,
      endedAtMs: undefined,
      acknowledged: false,
    };
    this.#workers.set(launch.worker, held);
    this.#launched.set(launch.worker, launched);
    launched.exited.then(
      (exit) => {
        if (this.#over.signal.aborted) return;
        this.#launched.delete(launch.worker);
        const last = this.#workers.get(launch.worker) ?? held;
        this.#workers.set(launch.worker, { ...last, exit, endedAtMs: this.#nowMs() });
        logger.info("a worker has ended", { job: launch.job, worker: launch.worker, reason: exit.reason });
        onChange(exit);
      },
      () => undefined,
    );
    onChange();
    return held;
  }

  async #killLater(worker: LaunchedWorker, deadlineMs: number): Promise<void> {
    const ended = new AbortController();
    const waiting = AbortSignal.any([ended.signal, this.#over.signal]);
    await Promise.race([this.#options.clock.sleep(deadlineMs, waiting), worker.exited]);
    ended.abort();
    if (!this.#over.signal.aborted) worker.kill();
  }

  #nowMs(): number {
    return Number(this.#options.clock.nowNs() / NS_PER_MS);
  }
}
