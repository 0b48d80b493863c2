/** Commands of the engine in one process: run, explain, validate, compile, bench. */
import type { Argv } from "yargs";
import { KEY_GROUPS } from "../data/key-group.ts";
import { milliseconds, parseParameters, single, wholeNumber } from "./arguments.ts";
import { CONFIG, type CommandSet, configuration, type Finish } from "./command-set.ts";

const PARAM = {
  param: {
    type: "string",
    array: true,
    nargs: 1,
    default: [] as string[],
    defaultDescription: "none",
    describe: "name=value: replaces $name in the SQL; may be repeated",
  },
} as const;

const RUN = {
  ...CONFIG,
  ...PARAM,
  parallelism: { type: "number", requiresArg: true, default: 1, describe: "slots: threads, each with a slice of the pipeline" },
  workers: { type: "number", requiresArg: true, default: 1, describe: "processes that share the slots" },
  "state-dir": { type: "string", requiresArg: true, describe: "directory or s3:// URL of checkpoints; the run resumes from the last one" },
  "ignore-state": { type: "boolean", default: false, describe: "start over although there is state" },
  "checkpoint-interval": { type: "string", requiresArg: true, describe: "time between checkpoints, such as 10s" },
  "checkpoint-every-rows": { type: "number", requiresArg: true, describe: "checkpoint after every N rows of each source subtask instead" },
  "stop-after-checkpoint": { type: "number", requiresArg: true, describe: "stop when this checkpoint is complete" },
  late: { choices: ["count", "fail"], default: "count", requiresArg: true, describe: "what a row behind the watermark does" },
  udf: {
    type: "string",
    array: true,
    nargs: 1,
    default: [] as string[],
    defaultDescription: "none",
    describe: "TypeScript file of functions",
  },
} as const;

const EXPLAIN = {
  ...PARAM,
  format: { choices: ["text", "json", "graph"], default: "text", requiresArg: true, describe: "for people, programs, or Graphviz" },
} as const;

const COMPILE = {
  ...CONFIG,
  ...PARAM,
  out: { type: "string", demandOption: true, requiresArg: true, describe: "directory to write to" },
} as const;

const BENCH = {
  rows: { type: "number", requiresArg: true, default: 2_000_000, describe: "rows of the input; records are made with 10000000" },
  pairs: { type: "number", requiresArg: true, default: 3, describe: "interleaved repetitions" },
  record: { type: "boolean", default: false, describe: "write test/bench/records/<benchmark>.json" },
} as const;

/** A SQL file in the place after the command. */
function withQuery<T>(y: Argv<T>) {
  return y.positional("query", { type: "string", demandOption: true, describe: "SQL file, or - for standard input" });
}

function withBench(y: Argv) {
  return y
    .positional("benchmark", { type: "string", array: true, describe: "names such as ingest or nexmark:q5; none: all" })
    .options(BENCH)
    .example("$0 bench nexmark", "all Nexmark queries, their results checked against DuckDB");
}

function withRun(y: Argv) {
  return withQuery(y)
    .options(RUN)
    .example("$0 run query.sql", "rows of a bare SELECT as JSON lines on standard output")
    .example("$0 run --parallelism 4 --state-dir state query.sql", "four slots; started again, it goes on where it was")
    .example("echo 'SELECT …' | $0 run --param day=2024-05-01 -", "SQL from standard input, with $day replaced")
    .epilogue(
      "Ctrl-C takes a checkpoint and stops; a second one stops at once.\n" +
        "Exit codes: 0 done, 1 the pipeline failed, 2 wrong usage or SQL, 130 stopped by a second Ctrl-C.",
    );
}

type RunArgv = Awaited<ReturnType<typeof withRun>["argv"]>;

async function callRun(a: RunArgv): Promise<number> {
  const [{ run }, loaded] = await Promise.all([import("./commands/run.ts"), configuration(a.config)]);
  return run(
    {
      query: a.query,
      parameters: parseParameters(a.param),
      udfs: a.udf,
      parallelism: wholeNumber("parallelism", a.parallelism, 1, KEY_GROUPS) ?? 1,
      workers: wholeNumber("workers", a.workers, 1, KEY_GROUPS) ?? 1,
      stateDir: single("state-dir", a["state-dir"]),
      ignoreState: single("ignore-state", a["ignore-state"]),
      checkpointIntervalMs: milliseconds("checkpoint-interval", a["checkpoint-interval"]),
      checkpointEveryRows: wholeNumber("checkpoint-every-rows", a["checkpoint-every-rows"], 1),
      stopAfterCheckpoint: wholeNumber("stop-after-checkpoint", a["stop-after-checkpoint"], 1),
      late: single("late", a.late),
    },
    loaded,
  );
}

function register(y: Argv, finish: Finish, argv: readonly string[]): Argv {
  return y
    .command("run <query>", "run one pipeline in this process", withRun, async (a) => finish(await callRun(a)))
    .command(
      "explain <query>",
      "show what a query means and how it would run",
      (y) => withQuery(y).options(EXPLAIN).example("$0 explain --format graph query.sql | dot -Tsvg > plan.svg", "a picture of the plan"),
      async (a) => {
        const { explain } = await import("./commands/explain.ts");
        finish(await explain({ query: a.query, format: single("format", a.format), parameters: parseParameters(a.param) }));
      },
    )
    .command(
      "validate <query>",
      "report a query's errors as JSON; exit code 0 or 2",
      (y) => withQuery(y).options(PARAM).example("$0 validate query.sql", '{"diagnostics": […]} with line and column of each finding'),
      async (a) => {
        const { validate } = await import("./commands/validate.ts");
        finish(await validate({ query: a.query, parameters: parseParameters(a.param) }));
      },
    )
    .command(
      "compile <query>",
      "write program, generated source and WebAssembly",
      (y) =>
        withQuery(y)
          .options(COMPILE)
          .example("$0 compile query.sql --out build", "build/program.json, build/generated/, build/module.wasm"),
      async (a) => {
        const [{ compile }, { config }] = await Promise.all([import("./commands/compile.ts"), configuration(a.config)]);
        finish(await compile({ query: a.query, out: single("out", a.out), parameters: parseParameters(a.param) }, config));
      },
    )
    .command("bench [benchmark..]", "measure this build, and DuckDB beside it", withBench, async (a) => {
      const { bench } = await import("./commands/bench.ts");
      const [rows, pairs] = [wholeNumber("rows", a.rows, 1) ?? 1, wholeNumber("pairs", a.pairs, 1) ?? 1];
      finish(await bench({ names: a.benchmark ?? [], rows, pairs, record: a.record, command: `wadi ${argv.join(" ")}` }));
    });
}

/** See the file's comment. */
export const engineCommands: CommandSet = {
  options: { run: RUN, explain: EXPLAIN, validate: PARAM, compile: COMPILE, bench: BENCH },
  register,
};
