/** `wadi controller`: a controller as a process. Of several one leads; the others stand by. Ending it leaves workers as they are. */
import { Controller } from "../../controller/controller.ts";
import { systemClock } from "../../core/clock.ts";
import type { LoadedConfig } from "../../core/config.ts";
import { systemRandom } from "../../core/prng.ts";
import { openDatabase } from "../../db/connection.ts";
import { artifactStore, levelOf, openCompiler } from "../compile.ts";
import { awaitDatabase, databaseOptions } from "../database.ts";
import { release } from "../release.ts";
import { makeScheduler, servicesOf } from "../schedulers.ts";
import { type ProcessParts, runProcess } from "../service-process.ts";

/** Runs the command to its end; the exit code. */
export async function controller(loaded: LoadedConfig): Promise<number> {
  const { config } = loaded;
  const db = openDatabase(databaseOptions(config, "wadi controller"));
  const compiler = await openCompiler(config, artifactStore(config));
  let service: Controller | undefined;
  const make = async ({ logger, metrics, ready, stopping }: ProcessParts): Promise<Controller> => {
    const scheduler = makeScheduler(config, logger, { db, leaderEpoch: () => BigInt(service?.status.leaderEpoch ?? "0") });
    await awaitDatabase(db, logger, stopping);
    compiler.warmUp();
    return new Controller({
      db,
      scheduler,
      services: servicesOf(scheduler),
      compiler: { compile: (program) => compiler.compile({ program, level: levelOf(program) }) },
      settings: config,
      clock: systemClock,
      random: systemRandom,
      logger,
      metrics,
      release: release(),
      onListening: (port) => ready({ "controller.rpc-port": port }),
    });
  };
  try {
    return await runProcess(
      {
        name: "controller",
        status: () => ({ ok: service !== undefined, details: { ...service?.status, leads: String(service?.leads ?? false) } }),
        drain: async (signal) => service?.drain(signal),
        services: async (parts) => {
          service = await make(parts);
          return [service];
        },
      },
      loaded,
    );
  } finally {
    await compiler.close();
    await db.destroy();
  }
}
