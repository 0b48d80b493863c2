/** Commands of machines that offer slots: wadi node, and what an operator tells its daemon. */
import { resolve } from "node:path";
import type { Argv } from "yargs";
import type { LoadedConfig } from "../core/config.ts";
import { milliseconds, single } from "./arguments.ts";
import { CONFIG, type CommandSet, configuration, type Finish } from "./command-set.ts";

// Not for the commands below it, which have their own.
const DAEMON = {
  config: { ...CONFIG.config, global: false },
  "state-dir": {
    type: "string",
    requiresArg: true,
    global: false,
    describe: "directory of the node's state and workers; .local/state/wadi by default",
  },
} as const;

const TARGET = {
  ...CONFIG,
  address: { type: "string", requiresArg: true, describe: "host:port of the daemon; the one that the settings node.* describe by default" },
  json: { type: "boolean", default: false, describe: "JSON instead of text" },
} as const;

const DRAIN = {
  ...TARGET,
  deadline: {
    type: "string",
    requiresArg: true,
    describe: "workers that are still there after so long are killed; node.drain-timeout by default",
  },
  cancel: { type: "boolean", default: false, describe: "take workers again" },
} as const;

async function withStateDir(file: string | undefined, stateDir: string | undefined): Promise<LoadedConfig> {
  const loaded = await configuration(file);
  const path = single("state-dir", stateDir);
  return path === undefined ? loaded : { ...loaded, config: { ...loaded.config, "state-dir": resolve(path) } };
}

function operatorCommands(y: Argv, finish: Finish): Argv {
  return y
    .command(
      "status",
      "show what is on a node",
      (c) => c.options(TARGET),
      async (a) => {
        const [{ nodeStatus }, loaded] = await Promise.all([import("./commands/node.ts"), configuration(a.config)]);
        finish(await nodeStatus({ address: single("address", a.address), json: a.json }, loaded));
      },
    )
    .command(
      "drain",
      "empty a node: its pipelines go on elsewhere",
      (c) => c.options(DRAIN).epilogue("It returns at once; wadi node status tells how far it is."),
      async (a) => {
        const [{ nodeDrain }, loaded] = await Promise.all([import("./commands/node.ts"), configuration(a.config)]);
        const deadlineMs = milliseconds("deadline", a.deadline);
        finish(await nodeDrain({ address: single("address", a.address), json: a.json, deadlineMs, cancel: a.cancel }, loaded));
      },
    );
}

function register(y: Argv, finish: Finish): Argv {
  return y.command(
    "node",
    "offer this machine's slots to the node scheduler",
    (c) =>
      operatorCommands(c, finish)
        .options(DAEMON)
        .example("$0 node", "registers with the controller that controller-endpoint names")
        .example("$0 node drain --deadline 2m", "moves pipelines away, for maintenance")
        .epilogue(
          "SIGTERM empties the node before the daemon ends; Ctrl-C ends the daemon alone: workers go on, and the next daemon finds them.\n" +
            "Exit codes: 0 stopped, 1 failed, 2 wrong usage or settings, 130 stopped by a second Ctrl-C.",
        ),
    async (a) => {
      const [{ node }, loaded] = await Promise.all([import("./commands/node.ts"), withStateDir(a.config, a["state-dir"])]);
      finish(await node(loaded));
    },
  );
}

/** See the file's comment. */
export const nodeCommands: CommandSet = { options: { node: { ...DAEMON, ...DRAIN } }, register };
