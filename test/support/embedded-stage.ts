/** The embedded scheduler with threads that do nothing, for its conformance suite. */
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { systemClock } from "../../src/core/clock.ts";
import { silentLogger } from "../../src/core/log.ts";
import { systemRandom } from "../../src/core/prng.ts";
import { ThreadLauncher } from "../../src/scheduler/embedded/launcher.ts";
import { EmbeddedScheduler, MemoryRecords } from "../../src/scheduler/embedded/scheduler.ts";
import type { WorkerLaunch, WorkerView } from "../../src/scheduler/scheduler.ts";
import { eventually } from "./eventually.ts";
import type { SchedulerStage } from "./scheduler-conformance.ts";

const IDLE_THREAD = fileURLToPath(new URL("./idle-thread.mjs", import.meta.url));

/** A launcher whose threads can be made to crash. */
class CrashingLauncher extends ThreadLauncher {
  readonly threads = new Map<string, Worker>();

  constructor() {
    let newest: Worker | undefined;
    const start = (options: ConstructorParameters<typeof Worker>[1]): Worker => {
      newest = new Worker(IDLE_THREAD, options);
      return newest;
    };
    super({ start, environment: {}, data: undefined, clock: systemClock });
    this.#newest = () => newest;
  }

  readonly #newest: () => Worker | undefined;

  override async launch(launch: WorkerLaunch) {
    const launched = await super.launch(launch);
    const thread = this.#newest();
    if (thread !== undefined) this.threads.set(launched.handle, thread);
    return launched;
  }
}

/** One process for one test. */
export class EmbeddedStage implements SchedulerStage {
  readonly capacity = 8;
  readonly workersOutlive = false;
  readonly #records = new MemoryRecords();
  readonly #launcher = new CrashingLauncher();
  readonly #phases = new Map<string, WorkerView>();
  readonly #schedulers: EmbeddedScheduler[] = [];

  async open(): Promise<EmbeddedScheduler> {
    const options = { launcher: this.#launcher, records: this.#records, slots: this.capacity };
    const scheduler = new EmbeddedScheduler({ ...options, clock: systemClock, random: systemRandom, logger: silentLogger });
    this.#schedulers.push(scheduler);
    scheduler.observe((event) => {
      if (event.kind === "worker") this.#phases.set(event.worker.handle, event.worker);
    });
    return scheduler;
  }

  async settle(): Promise<void> {
    const settled = () => [...this.#phases.values()].every(({ phase }) => phase !== "stopping");
    await eventually("the threads settle", () => settled() || undefined);
  }

  async crash(worker: WorkerView): Promise<void> {
    this.#launcher.threads.get(worker.handle)?.postMessage("crash");
    await eventually("the thread is gone", () => this.#phases.get(worker.handle)?.phase === "exited" || undefined);
  }

  async close(): Promise<void> {
    for (const scheduler of this.#schedulers) await scheduler.shutdown();
  }
}
