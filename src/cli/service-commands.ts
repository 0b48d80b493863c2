/** Commands that run parts of the system as processes: cluster, api, controller, worker, migrate. */
import type { Argv } from "yargs";
import { wholeNumber } from "./arguments.ts";
import { CONFIG, type CommandSet, configuration, type Finish } from "./command-set.ts";

const MIGRATE = {
  ...CONFIG,
  wait: { type: "number", requiresArg: true, default: 0, describe: "seconds to wait for the database to answer" },
} as const;

function register(y: Argv, finish: Finish): Argv {
  return y.command(
    "migrate",
    "bring the database to this release's schema",
    (m) => m.options(MIGRATE).example("$0 migrate --wait 60", "waits up to a minute until the database answers"),
    async (a) => {
      const waitSeconds = wholeNumber("wait", a.wait, 0, 86_400) ?? 0;
      const [{ migrate }, loaded] = await Promise.all([import("./commands/migrate.ts"), configuration(a.config)]);
      finish(await migrate({ waitMs: waitSeconds * 1000 }, loaded));
    },
  );
}

/** See the file's comment. */
export const serviceCommands: CommandSet = { options: { migrate: MIGRATE }, register };
