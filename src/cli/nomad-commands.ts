/** Commands that look at Nomad itself, with or without a controller: render, plan, status, watch, logs, drain-preview. */
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

const JOB = {
  ...COMMON,
  parallelism: { alias: "p", type: "number", requiresArg: true, default: 1, describe: "slots of the pipeline" },
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
    )
    .command(
      "drain-preview <node>",
      "say how pipelines would leave a node if it were drained",
      (c) => c.positional("node", { type: "string", demandOption: true, describe: "id or name of the node" }).options(COMMON),
      async (a) => {
        const [{ drainPreview }, loaded] = await Promise.all([import("./nomad/drain-preview.ts"), configuration(a.config)]);
        finish(await drainPreview({ node: a.node, json: a.json }, loaded));
      },
    );
}

function withQuery<T>(y: Argv<T>) {
  return y.positional("query", { type: "string", demandOption: true, describe: "file with the SQL, or - for stdin" });
}

function planners(y: Argv, finish: Finish): Argv {
  return y
    .command(
      "render <query>",
      "print the job that would be submitted, asking Nomad nothing",
      (c) => withQuery(c).options(JOB).example("$0 nomad render -p 8 query.sql", "eight slots"),
      async (a) => {
        const [{ render }, loaded] = await Promise.all([import("./commands/nomad.ts"), configuration(a.config)]);
        finish(
          await render({ query: a.query, parallelism: wholeNumber("parallelism", a.parallelism, 1, 4_096) ?? 1, json: a.json }, loaded),
        );
      },
    )
    .command(
      "plan <query>",
      "ask Nomad whether a pipeline's workers would be placed now",
      (c) => withQuery(c).options(JOB).epilogue("Nothing is started. Exit codes: 0 all would be placed, 1 some would not, or an error."),
      async (a) => {
        const [{ plan }, loaded] = await Promise.all([import("./commands/nomad.ts"), configuration(a.config)]);
        finish(await plan({ query: a.query, parallelism: wholeNumber("parallelism", a.parallelism, 1, 4_096) ?? 1, json: a.json }, loaded));
      },
    )
    .command(
      "status",
      "show runs, workers, services and nodes",
      (c) => c.options(COMMON),
      async (a) => {
        const [{ status }, loaded] = await Promise.all([import("./commands/nomad.ts"), configuration(a.config)]);
        finish(await status({ json: a.json }, loaded));
      },
    );
}

function register(y: Argv, finish: Finish): Argv {
  return y.command("nomad", "look at worker jobs in Nomad", (group) =>
    observers(planners(group, finish), finish)
      .demandCommand(1, "a command of wadi nomad is missing")
      .epilogue("Nomad is reached as the settings nomad.* say (NOMAD_ADDR, NOMAD_TOKEN, …)."),
  );
}

/** See the file's comment. */
export const nomadCommands: CommandSet = { options: { nomad: { ...JOB, ...WATCH, ...LOGS } }, register };
