/** The process scheduler with real processes that do nothing, for its conformance suite and its own tests. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { systemClock } from "../../src/core/clock.ts";
import { externalError } from "../../src/core/errors.ts";
import { silentLogger } from "../../src/core/log.ts";
import { systemRandom } from "../../src/core/prng.ts";
import { ProcessLauncher } from "../../src/scheduler/process/launcher.ts";
import { ProcessScheduler } from "../../src/scheduler/process/scheduler.ts";
import type { WorkerView } from "../../src/scheduler/scheduler.ts";
import type { SchedulerStage } from "./scheduler-conformance.ts";
import { temporaryFolder } from "./temporary-folder.ts";

const IDLE_WORKER = fileURLToPath(new URL("./idle-worker.mjs", import.meta.url));
const CAPACITY = 12;
const SETTLE_LIMIT_MS = 10_000;

/** A machine for one test. */
export class ProcessStage implements SchedulerStage {
  readonly capacity = CAPACITY;
  readonly folder = temporaryFolder("processes");
  readonly #environment: Readonly<Record<string, string>>;
  readonly #launchers: ProcessLauncher[] = [];
  readonly #schedulers: ProcessScheduler[] = [];
  readonly #pids = new Set<number>();
  readonly #phases = new Map<string, WorkerView>();

  /** `environment` is that of the workers. */
  constructor(environment: Readonly<Record<string, string>> = {}) {
    this.#environment = environment;
  }

  get workers(): string {
    return join(this.folder, "workers");
  }

  async open(): Promise<ProcessScheduler> {
    for (const launcher of this.#launchers) launcher.close();
    const command = { program: process.execPath, args: [IDLE_WORKER], environment: { ...process.env, ...this.#environment } };
    const launcher = new ProcessLauncher({ folder: this.workers, command: () => command, clock: systemClock, pollMs: 20 });
    this.#launchers.push(launcher);
    const records = join(this.folder, "runs");
    const options = { launcher, folder: records, slots: CAPACITY, clock: systemClock, random: systemRandom, logger: silentLogger };
    const scheduler = new ProcessScheduler(options);
    this.#schedulers.push(scheduler);
    scheduler.observe((event) => {
      if (event.kind !== "worker") return;
      this.#phases.set(event.worker.handle, event.worker);
      const pid = Number(event.worker.handle.split("@")[0]);
      if (Number.isInteger(pid)) this.#pids.add(pid);
    });
    return scheduler;
  }

  async settle(): Promise<void> {
    await this.until(() => [...this.#phases.values()].every(({ phase }) => phase !== "stopping"));
  }

  /** Waits until the processes listen to signals. */
  async ready(): Promise<void> {
    const outputs = () => readdirSync(this.workers).map((worker) => join(this.workers, worker, "output.log"));
    await this.until(() => outputs().every((path) => readFileSync(path, "utf8").includes("ready")));
  }

  async until(condition: () => boolean): Promise<void> {
    const deadline = performance.now() + SETTLE_LIMIT_MS;
    while (!condition()) {
      if (performance.now() > deadline) throw externalError("timeout", "the processes did not settle");
      await systemClock.sleep(10);
    }
  }

  async crash(worker: WorkerView): Promise<void> {
    process.kill(Number(worker.handle.split("@")[0]), "SIGKILL");
    await this.until(() => this.#phases.get(worker.handle)?.phase === "exited");
  }

  async close(): Promise<void> {
    for (const launcher of this.#launchers) launcher.close();
    for (const scheduler of this.#schedulers) await scheduler.shutdown();
    for (const pid of this.#pids) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It has ended.
      }
    }
  }
}
