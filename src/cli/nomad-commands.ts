/** Commands that look at Nomad itself, with or without a controller: watch, logs. */
import type { Argv } from "yargs";
import { milliseconds, single, wholeNumber } from "./arguments.ts";
import { CONFIG, type CommandSet, configuration, type Finish } from "./command-set.ts";

const COMMON = { ...CONFIG, json: { type: "boolean", default: false, describe: "JSON instead of text" } } as const;

const WATCH = {
  ...COMMON,
  wait: { type: "string", requiresArg: true, default: "60s", describe: "time to wait for workers that are not placed or do not start" },
} as const;

const LOGS = {
  ...COMMON,
  follow: { alias: "f", type: "boolean", default: false, describe: "go on with what comes until the workers end" },
  tail: { type: "number", requiresArg: true, default: 65_536, describe: "bytes of the end to begin with; 0: all" },
  stderr: { type: "boolean", default: false, describe: "only the error output" },
  stdout: { type: "boolean", default: false, describe: "only the standard output" },
} as const;

function withTarget<T>(y: Argv<T>) {
  return y.positional("target", { type: "string", demandOption: true, describe: "pipeline, job, run or Nomad job, by id or name" });
}

function observers(y: Argv, finish: Finish): Argv {
  return y
    .command(
      "watch <target>",
      "show what Nomad does with a run until it runs, fails or ends",
      (c) =>
        withTarget(c)
          .options(WATCH)
          .epilogue("With --json one object a line. Exit codes: 0 it runs or has ended well, 1 it failed, 2 not placed in time."),
      async (a) => {
        const [{ watch }, loaded] = await Promise.all([import("./nomad/watch.ts"), configuration(a.config)]);
        finish(await watch({ target: a.target, json: a.json, waitMs: milliseconds("wait", a.wait) ?? 0 }, loaded));
      },
    )
    .command(
      "logs <target>",
      "print what all workers of a run wrote",
      (c) => withTarget(c).options(LOGS),
      async (a) => {
        const [{ logs }, loaded] = await Promise.all([import("./nomad/logs.ts"), configuration(a.config)]);
        const stream = a.stderr === a.stdout ? undefined : a.stderr ? "stderr" : "stdout";
        const tailBytes = wholeNumber("tail", single("tail", a.tail), 0) ?? 0;
        finish(await logs({ target: a.target, json: a.json, follow: a.follow, tailBytes, stream }, loaded));
      },
    );
}

function register(y: Argv, finish: Finish): Argv {
  return y.command("nomad", "look at worker jobs in Nomad", (group) =>
    observers(group, finish)
      .demandCommand(1, "a command of wadi nomad is missing")
      .epilogue("Nomad is reached as the settings nomad.* say (NOMAD_ADDR, NOMAD_TOKEN, …)."),
  );
}

/** See the file's comment. */
export const nomadCommands: CommandSet = { options: { nomad: { ...WATCH, ...LOGS } }, register };
