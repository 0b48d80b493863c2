/** Commands that talk to a cluster's API: pipelines, jobs, checkpoints, connections. */
import type { Argv, Options } from "yargs";
import { KEY_GROUPS } from "../data/key-group.ts";
import { milliseconds, parseParameters, single, wholeNumber } from "./arguments.ts";
import { CONFIG, type CommandSet, configuration, type Finish } from "./command-set.ts";
import type { ClientOptions } from "./commands/pipelines.ts";

const CLIENT = {
  ...CONFIG,
  "api-url": { type: "string", requiresArg: true, describe: "URL of the API; the setting api-endpoint by default" },
  json: { type: "boolean", default: false, describe: "the API's JSON instead of text" },
} as const;

const WAIT = { wait: { type: "boolean", default: false, describe: "wait until it is so" } } as const;
const PAIRS = { type: "string", array: true, nargs: 1, default: [] as string[], defaultDescription: "none" } as const;

const CREATE = {
  ...CLIENT,
  ...WAIT,
  name: { type: "string", demandOption: true, requiresArg: true, describe: "name for people" },
  parallelism: { type: "number", requiresArg: true, describe: "subtasks of every operator" },
  "checkpoint-interval": { type: "string", requiresArg: true, describe: "time between checkpoints, such as 10s" },
  "state-url": { type: "string", requiresArg: true, describe: "object store of its checkpoints" },
  tag: { ...PAIRS, describe: "name=value; may be repeated" },
  env: { ...PAIRS, describe: "name=value in the workers' environment; may be repeated" },
  udf: { ...PAIRS, describe: "TypeScript file of a function; may be repeated" },
} as const;

const MODES = ["checkpoint", "graceful", "immediate", "force"] as const;
const STOP = { ...CLIENT, ...WAIT, mode: { choices: MODES, default: "checkpoint", requiresArg: true, describe: "how to stop" } } as const;
const START = { ...CLIENT, ...WAIT } as const;
const RESTART = {
  ...CLIENT,
  force: { type: "boolean", default: false, describe: "without a checkpoint first" },
  "ignore-state": { type: "boolean", default: false, describe: "start from nothing; only for a stopped or failed one" },
} as const;
const DELETE = { ...CLIENT, stop: { type: "boolean", default: false, describe: "stop it first" } } as const;
const TAIL = {
  ...CLIENT,
  node: { type: "number", requiresArg: true, describe: "node of a sink; the preview sinks by default" },
  new: { type: "boolean", default: false, describe: "only rows from now on" },
} as const;
const EVENTS = {
  ...CLIENT,
  limit: { type: "number", requiresArg: true, default: 50, describe: "newest entries, at most 1000" },
  problems: { type: "boolean", default: false, describe: "errors and warnings only" },
} as const;
const LOGS = {
  ...CLIENT,
  worker: { type: "string", requiresArg: true, describe: "id of a worker; the newest by default" },
  bytes: { type: "number", requiresArg: true, default: 65_536, describe: "so much of the end" },
} as const;
const NEW_CONNECTION = { ...CLIENT, profile: { type: "boolean", default: false, describe: "the file describes a profile" } } as const;

/** Arguments that every command of this set has. */
interface CommonArguments {
  readonly config: string | undefined;
  readonly "api-url": string | undefined;
  readonly json: boolean;
}

async function optionsOf(a: CommonArguments): Promise<ClientOptions> {
  const [{ ApiClient, apiAccess }, { config }] = await Promise.all([import("./api-client.ts"), configuration(a.config)]);
  return { client: new ApiClient(await apiAccess(config, single("api-url", a["api-url"]))), json: a.json };
}

function withPipeline<T>(y: Argv<T>) {
  return y.positional("pipeline", { type: "string", demandOption: true, describe: "id or name of a pipeline" });
}

function withFile<T>(y: Argv<T>) {
  return y.positional("file", { type: "string", demandOption: true, describe: "JSON as the API takes it, or - for standard input" });
}

const pipelines = () => import("./commands/pipelines.ts");
const jobs = () => import("./commands/jobs.ts");
const connections = () => import("./commands/connections.ts");
const checkpoints = () => import("./commands/checkpoints.ts");

function pipelineReaders(y: Argv, finish: Finish): Argv {
  return y
    .command(
      "list",
      "list pipelines",
      (c) => c.options(CLIENT),
      async (a) => finish(await (await pipelines()).listPipelines(await optionsOf(a))),
    )
    .command(
      "show <pipeline>",
      "show a pipeline with its operators and its SQL",
      (c) => withPipeline(c).options(CLIENT),
      async (a) => finish(await (await pipelines()).showPipeline(await optionsOf(a), a.pipeline)),
    )
    .command(
      "tail <pipeline>",
      "print rows of its preview sinks as JSON lines until Ctrl-C",
      (c) => withPipeline(c).options(TAIL),
      async (a) => finish(await (await pipelines()).tailPipeline(await optionsOf(a), a.pipeline, wholeNumber("node", a.node, 0), a.new)),
    );
}

function pipelineWriters(y: Argv, finish: Finish): Argv {
  return y
    .command(
      "create <query>",
      "create a pipeline from a SQL file and start it",
      (c) => c.positional("query", { type: "string", demandOption: true, describe: "SQL file, or - for standard input" }).options(CREATE),
      async (a) => {
        const args = {
          name: single("name", a.name),
          query: a.query,
          parallelism: wholeNumber("parallelism", a.parallelism, 1, KEY_GROUPS),
          checkpointIntervalMs: milliseconds("checkpoint-interval", a["checkpoint-interval"]),
          stateUrl: single("state-url", a["state-url"]),
          tags: parseParameters(a.tag),
          env: parseParameters(a.env),
          udfs: a.udf,
          wait: a.wait,
        };
        finish(await (await pipelines()).createPipeline(await optionsOf(a), args));
      },
    )
    .command(
      "stop <pipeline>",
      "stop a pipeline",
      (c) => withPipeline(c).options(STOP),
      async (a) => finish(await (await pipelines()).stopPipeline(await optionsOf(a), a.pipeline, single("mode", a.mode), a.wait)),
    )
    .command(
      "start <pipeline>",
      "start a stopped pipeline",
      (c) => withPipeline(c).options(START),
      async (a) => finish(await (await pipelines()).startPipeline(await optionsOf(a), a.pipeline, a.wait)),
    )
    .command(
      "restart <pipeline>",
      "restart a pipeline",
      (c) => withPipeline(c).options(RESTART),
      async (a) => finish(await (await pipelines()).restartPipeline(await optionsOf(a), a.pipeline, a.force, a["ignore-state"])),
    )
    .command(
      "rescale <pipeline> <parallelism>",
      "change a pipeline's parallelism",
      (c) =>
        withPipeline(c)
          .positional("parallelism", { type: "number", demandOption: true, describe: "subtasks of every operator" })
          .options(CLIENT),
      async (a) => {
        const parallelism = wholeNumber("parallelism", Number(a.parallelism), 1, KEY_GROUPS) ?? 1;
        finish(await (await pipelines()).rescalePipeline(await optionsOf(a), a.pipeline, parallelism));
      },
    )
    .command(
      "delete <pipeline>",
      "delete a stopped pipeline",
      (c) => withPipeline(c).options(DELETE),
      async (a) => finish(await (await pipelines()).deletePipeline(await optionsOf(a), a.pipeline, a.stop)),
    );
}

function jobCommands(y: Argv, finish: Finish): Argv {
  return y
    .command(
      "list",
      "list jobs",
      (c) => c.options(CLIENT),
      async (a) => finish(await (await jobs()).listJobs(await optionsOf(a))),
    )
    .command(
      "events <pipeline>",
      "print the timeline of a pipeline's job",
      (c) => withPipeline(c).options(EVENTS),
      async (a) =>
        finish(await (await jobs()).listEvents(await optionsOf(a), a.pipeline, wholeNumber("limit", a.limit, 1, 1_000) ?? 50, a.problems)),
    )
    .command(
      "workers <pipeline>",
      "list the workers of a pipeline's job",
      (c) => withPipeline(c).options(CLIENT),
      async (a) => finish(await (await jobs()).listWorkers(await optionsOf(a), a.pipeline)),
    )
    .command(
      "logs <pipeline>",
      "print the end of a worker's log",
      (c) => withPipeline(c).options(LOGS),
      async (a) => {
        const bytes = wholeNumber("bytes", a.bytes, 1, 1_048_576) ?? 65_536;
        finish(await (await jobs()).showLog(await optionsOf(a), a.pipeline, single("worker", a.worker), bytes));
      },
    )
    .command(
      "explain <pipeline>",
      "say why there is output, or none",
      (c) => withPipeline(c).options(CLIENT),
      async (a) => finish(await (await jobs()).explainJob(await optionsOf(a), a.pipeline)),
    );
}

function checkpointCommands(y: Argv, finish: Finish): Argv {
  return y
    .command(
      "list <pipeline>",
      "list the checkpoints of a pipeline's job",
      (c) => withPipeline(c).options(CLIENT),
      async (a) => finish(await (await checkpoints()).listCheckpoints(await optionsOf(a), a.pipeline)),
    )
    .command(
      "show <pipeline> <epoch>",
      "show what a checkpoint did at each operator",
      (c) =>
        withPipeline(c).positional("epoch", { type: "number", demandOption: true, describe: "number of the checkpoint" }).options(CLIENT),
      async (a) => {
        const epoch = wholeNumber("epoch", Number(a.epoch), 1) ?? 1;
        finish(await (await checkpoints()).showCheckpoint(await optionsOf(a), a.pipeline, epoch));
      },
    );
}

function connectionCommands(y: Argv, finish: Finish): Argv {
  return y
    .command(
      "list",
      "list connection tables",
      (c) => c.options(CLIENT),
      async (a) => finish(await (await connections()).listTables(await optionsOf(a))),
    )
    .command(
      "profiles",
      "list connection profiles",
      (c) => c.options(CLIENT),
      async (a) => finish(await (await connections()).listProfiles(await optionsOf(a))),
    )
    .command(
      "connectors",
      "list connectors",
      (c) => c.options(CLIENT),
      async (a) => finish(await (await connections()).listConnectors(await optionsOf(a))),
    )
    .command(
      "show <table>",
      "print the CREATE TABLE that a connection table stands for",
      (c) => c.positional("table", { type: "string", demandOption: true, describe: "name or id" }).options(CLIENT),
      async (a) => finish(await (await connections()).showTable(await optionsOf(a), a.table)),
    )
    .command(
      "create <file>",
      "create a connection table or profile",
      (c) => withFile(c).options(NEW_CONNECTION),
      async (a) => finish(await (await connections()).createConnection(await optionsOf(a), a.file, a.profile ? "profile" : "table")),
    )
    .command(
      "test <file>",
      "try a connection table before it is created",
      (c) => withFile(c).options(CLIENT),
      async (a) => finish(await (await connections()).testConnection(await optionsOf(a), a.file)),
    )
    .command(
      "delete <name>",
      "delete a connection table, or a profile by its id",
      (c) => c.positional("name", { type: "string", demandOption: true, describe: "name or id" }).options(CLIENT),
      async (a) => finish(await (await connections()).deleteConnection(await optionsOf(a), a.name)),
    );
}

const EPILOGUE = "Login: WADI_API_TOKEN; for a cluster on this machine its own session token.";

/** The groups: what each is for, and its commands. */
const GROUPS: readonly (readonly [name: string, describe: string, add: (y: Argv, finish: Finish) => Argv])[] = [
  ["pipelines", "manage the pipelines of a cluster", (y, finish) => pipelineWriters(pipelineReaders(y, finish), finish)],
  ["jobs", "look at the jobs of a cluster", jobCommands],
  ["checkpoints", "look at checkpoints", checkpointCommands],
  ["connections", "manage connection tables and profiles", connectionCommands],
];

function register(y: Argv, finish: Finish): Argv {
  return GROUPS.reduce(
    (parser, [name, describe, add]) =>
      parser.command(name, describe, (group) =>
        add(group, finish).demandCommand(1, `a command of wadi ${name} is missing`).epilogue(EPILOGUE),
      ),
    y,
  );
}

const ALL: Readonly<Record<string, Options>> = { ...CREATE, ...STOP, ...RESTART, ...DELETE, ...TAIL };

/** See the file's comment. */
export const clientCommands: CommandSet = {
  options: {
    pipelines: ALL,
    jobs: { ...EVENTS, ...LOGS },
    checkpoints: CLIENT,
    connections: NEW_CONNECTION,
  },
  register,
};
