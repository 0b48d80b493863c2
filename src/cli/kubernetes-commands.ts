/** Commands about Kubernetes: render. */
import type { Argv } from "yargs";
import { single, wholeNumber } from "./arguments.ts";
import { CONFIG, type CommandSet, configuration, type Finish } from "./command-set.ts";

const RENDER = {
  ...CONFIG,
  parallelism: { alias: "p", type: "number", requiresArg: true, default: 1, describe: "slots of the pipeline" },
} as const;

function register(y: Argv, finish: Finish): Argv {
  return y.command("kubernetes", "print what runs in Kubernetes", (group) =>
    group
      .command(
        "render [query]",
        "print the manifests that run Wadi there, or the Job of a query's workers",
        (c) =>
          c
            .positional("query", { type: "string", describe: "file with the SQL, or - for stdin; Wadi itself if absent" })
            .options(RENDER)
            .example("$0 kubernetes render | kubectl apply -f -", "controllers, API, their rights and network policies")
            .example("$0 kubernetes render -p 8 query.sql", "the Job of a pipeline with eight slots"),
        async (a) => {
          const [{ render }, loaded] = await Promise.all([import("./commands/kubernetes.ts"), configuration(a.config)]);
          const parallelism = wholeNumber("parallelism", a.parallelism, 1, 4_096) ?? 1;
          finish(await render({ query: single("query", a.query), parallelism }, loaded));
        },
      )
      .demandCommand(1, "a command of wadi kubernetes is missing")
      .epilogue("The settings kubernetes.* say what is rendered."),
  );
}

/** See the file's comment. */
export const kubernetesCommands: CommandSet = { options: { kubernetes: RENDER }, register };
