/** Commands that run parts of the system as processes: cluster, api, controller, worker, migrate. */
import { resolve } from "node:path";
import type { Argv } from "yargs";
import type { LoadedConfig } from "../core/config.ts";
import { single, wholeNumber } from "./arguments.ts";
import { CONFIG, type CommandSet, configuration, type Finish } from "./command-set.ts";

const MIGRATE = {
  ...CONFIG,
  wait: { type: "number", requiresArg: true, default: 0, describe: "seconds to wait for the database to answer" },
} as const;

const CLUSTER = {
  ...CONFIG,
  "state-dir": { type: "string", requiresArg: true, describe: "directory of database, logs and checkpoints; .local/state/wadi by default" },
} as const;

/** The setting `state-dir` from the command line wins over all others. */
function withStateDir(loaded: LoadedConfig, stateDir: string | undefined): LoadedConfig {
  const path = single("state-dir", stateDir);
  return path === undefined ? loaded : { ...loaded, config: { ...loaded.config, "state-dir": resolve(path) } };
}

const SERVICE_END =
  "It runs until Ctrl-C or SIGTERM. Exit codes: 0 stopped, 1 failed, 2 wrong usage or settings, 130 stopped by a second Ctrl-C.";

function registerCluster(y: Argv, finish: Finish): Argv {
  return y.command(
    "cluster",
    "run the whole system on this machine",
    (c) =>
      c
        .options(CLUSTER)
        .example("$0 cluster", "API and web interface on http://localhost:5115")
        .example("$0 cluster --state-dir state", "database, logs and checkpoints in ./state")
        .epilogue(
          "Ctrl-C takes a checkpoint of every pipeline and stops; the next start goes on from there. A second one stops at once.\n" +
            "Exit codes: 0 stopped, 1 failed, 2 wrong usage or settings, 130 stopped by a second Ctrl-C.",
        ),
    async (a) => {
      const [{ cluster }, loaded] = await Promise.all([import("./commands/cluster.ts"), configuration(a.config)]);
      finish(await cluster({ configFile: single("config", a.config) }, withStateDir(loaded, a["state-dir"])));
    },
  );
}

function registerServices(y: Argv, finish: Finish): Argv {
  return y
    .command(
      "api",
      "run the API and the web interface",
      (c) => c.options(CONFIG).epilogue(SERVICE_END),
      async (a) => {
        const [{ api }, loaded] = await Promise.all([import("./commands/api.ts"), configuration(a.config)]);
        finish(await api(loaded));
      },
    )
    .command(
      "controller",
      "run a controller: one leads, others stand by",
      (c) => c.options(CONFIG).epilogue(SERVICE_END),
      async (a) => {
        const [{ controller }, loaded] = await Promise.all([import("./commands/controller.ts"), configuration(a.config)]);
        finish(await controller(loaded));
      },
    )
    .command(
      "worker",
      "run a worker: schedulers start it, people do not",
      (c) => c.options(CONFIG).epilogue("Who it is comes from the environment: WADI_JOB_ID, WADI_RUN_ID, WADI_RUN_TOKEN_FILE and others."),
      async (a) => {
        const [{ worker }, loaded] = await Promise.all([import("./commands/worker.ts"), configuration(a.config)]);
        finish(await worker({}, loaded));
      },
    );
}

function register(y: Argv, finish: Finish): Argv {
  return registerServices(registerCluster(y, finish), finish).command(
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
export const serviceCommands: CommandSet = {
  options: { cluster: CLUSTER, api: CONFIG, controller: CONFIG, worker: CONFIG, migrate: MIGRATE },
  register,
};
