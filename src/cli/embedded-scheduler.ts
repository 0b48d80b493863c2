/** Workers as threads of the controller's process: no process per worker, and none that outlives the controller. For previews and tests. */
import { systemClock } from "../core/clock.ts";
import type { Config } from "../core/config.ts";
import type { Logger } from "../core/log.ts";
import { systemRandom } from "../core/prng.ts";
import { startThreadFile } from "../core/thread-file.ts";
import { ThreadLauncher } from "../scheduler/embedded/launcher.ts";
import { EmbeddedScheduler, MemoryRecords } from "../scheduler/embedded/scheduler.ts";
import { TermScheduler } from "./term-scheduler.ts";
import { workerEnvironment } from "./worker-environment.ts";

/** The scheduler of threads. */
export function embeddedScheduler(config: Config, logger: Logger): TermScheduler<EmbeddedScheduler> {
  const records = new MemoryRecords();
  const environment = workerEnvironment(process.env);
  const launcher = new ThreadLauncher({
    start: (options) => startThreadFile("embedded-worker", import.meta.url, options),
    environment,
    data: { config },
    clock: systemClock,
  });
  return new TermScheduler("embedded", () => {
    const slots = config["process.slots"];
    const scheduler = new EmbeddedScheduler({ launcher, records, slots, clock: systemClock, random: systemRandom, logger });
    return { scheduler, close: () => undefined };
  });
}
