/**
 * The process scheduler of a controller: workers are `wadi worker` processes of this build. It is made anew for every term of leading, because
 * it reads the records of what runs when it is made, and while this controller stands by another one changes them.
 */

import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { must } from "../core/assert.ts";
import { systemClock } from "../core/clock.ts";
import type { Config } from "../core/config.ts";
import type { Logger } from "../core/log.ts";
import { systemRandom } from "../core/prng.ts";
import { ProcessLauncher, type WorkerCommand } from "../scheduler/process/launcher.ts";
import { ProcessScheduler } from "../scheduler/process/scheduler.ts";
import type { Scheduler, SchedulerEvent } from "../scheduler/scheduler.ts";
import type { StateFolder } from "./state-folder.ts";
import { configArguments, workerEnvironment } from "./worker-environment.ts";

/** A scheduler that begins to observe when a term begins. */
export class TermScheduler implements Scheduler {
  readonly name = "process";
  readonly #make: () => { readonly scheduler: ProcessScheduler; readonly launcher: ProcessLauncher };
  #current: ProcessScheduler | undefined;

  /** In `folder`, which belongs to one machine. */
  constructor(config: Config, folder: StateFolder, logger: Logger) {
    this.#make = () => {
      const launcher = new ProcessLauncher({
        folder: folder.workers,
        command: workerCommand(folder, config["process.niceness"]),
        clock: systemClock,
      });
      const slots = config["process.slots"];
      const records = join(folder.path, "runs");
      return {
        launcher,
        scheduler: new ProcessScheduler({ launcher, folder: records, slots, clock: systemClock, random: systemRandom, logger }),
      };
    };
  }

  observe(listener: (event: SchedulerEvent) => void): () => void {
    const { scheduler, launcher } = this.#make();
    this.#current = scheduler;
    const end = scheduler.observe(listener);
    return () => {
      end();
      launcher.close();
      void scheduler.shutdown();
    };
  }

  startWorkers(...words: Parameters<Scheduler["startWorkers"]>) {
    return this.#term().startWorkers(...words);
  }

  stopWorkers(...words: Parameters<Scheduler["stopWorkers"]>) {
    return this.#term().stopWorkers(...words);
  }

  listWorkers(...words: Parameters<Scheduler["listWorkers"]>) {
    return this.#term().listWorkers(...words);
  }

  plan(...words: Parameters<Scheduler["plan"]>) {
    return this.#term().plan(...words);
  }

  logs(...words: Parameters<Scheduler["logs"]>) {
    return this.#term().logs(...words);
  }

  view() {
    return this.#term().view();
  }

  async shutdown(): Promise<void> {
    await this.#current?.shutdown();
  }

  #term(): ProcessScheduler {
    return must(this.#current, "a term of leading");
  }
}

const NICE_PROGRAMS = ["/usr/bin/nice", "/bin/nice"] as const;

/**
 * How this build is started as a worker, from TypeScript sources or as built. Where workers want more than the machine has, the controller and
 * the database must still get their turn, or the leader loses its lease; so workers are nice, from their first thread on.
 */
function workerCommand(folder: StateFolder, niceness: number): WorkerCommand {
  const fromSource = import.meta.url.endsWith(".ts");
  const main = fileURLToPath(new URL(`./main.${fromSource ? "ts" : "js"}`, import.meta.url));
  const loader = fromSource ? ["--import", pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href] : [];
  const environment = { ...workerEnvironment(process.env), WADI__STATE_DIR: folder.path };
  const words = [...process.execArgv, ...loader, main, "worker", ...configArguments(process.argv)];
  const nice = NICE_PROGRAMS.find((path) => existsSync(path));
  if (nice === undefined || niceness === 0) return { program: process.execPath, args: words, environment };
  return { program: nice, args: ["-n", String(niceness), process.execPath, ...words], environment };
}
