#!/usr/bin/env node
/** The command line: parses arguments, reads the configuration, calls a command, turns what it throws into words and an exit code. */
import yargs, { type Argv } from "yargs";
import { hideBin } from "yargs/helpers";
import { parseDuration } from "../core/duration.ts";
import { userError } from "../core/errors.ts";
import { nearestName } from "../core/nearest.ts";
import { compile } from "./commands/compile.ts";
import { explain } from "./commands/explain.ts";
import { run } from "./commands/run.ts";
import { validate } from "./commands/validate.ts";
import { readConfig } from "./config.ts";
import { EXIT, say, sayError } from "./output.ts";
import { parseParameters } from "./script.ts";

/** A query argument and its parameters: what every command on a script takes. */
function scriptArguments<T>(y: Argv<T>) {
  return y
    .option("config", { alias: "c", type: "string", describe: "configuration file (TOML)" })
    .positional("query", { type: "string", demandOption: true, describe: "SQL file, or - for standard input" })
    .option("param", {
      type: "string",
      array: true,
      requiresArg: true,
      nargs: 1,
      default: [] as string[],
      describe: "name=value: replaces $name in the SQL",
    });
}

function runArguments<T>(y: Argv<T>) {
  return scriptArguments(y)
    .option("parallelism", { type: "number", default: 1, describe: "slots: threads, each with a slice of the pipeline" })
    .option("workers", { type: "number", default: 1, describe: "worker processes that share the slots" })
    .option("state-dir", { type: "string", describe: "directory (or s3:// URL) of checkpoints; the run resumes from the last one" })
    .option("ignore-state", { type: "boolean", default: false, describe: "start over although there is state" })
    .option("checkpoint-interval", { type: "string", describe: "time between checkpoints, such as 10s" })
    .option("checkpoint-every-rows", { type: "number", describe: "checkpoint after every N rows of each source subtask instead" })
    .option("stop-after-checkpoint", { type: "number", describe: "stop when this checkpoint is complete" })
    .option("late", { choices: ["count", "fail"] as const, default: "count" as const, describe: "what a row behind the watermark does" });
}

/** A whole number in [min, max], or a usage error that names the option. */
function wholeNumber(name: string, value: number | undefined, min: number, max = Number.MAX_SAFE_INTEGER): number | undefined {
  if (value === undefined) return undefined;
  if (!Number.isInteger(value) || value < min || value > max)
    throw userError("invalid-usage", `--${name} must be a whole number of at least ${min}, not ${value}`);
  return value;
}

/** A duration such as 10s in ms. */
function milliseconds(name: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const ns = parseDuration(value);
  if (ns === undefined)
    throw userError("invalid-usage", `--${name} "${value}" is not a duration`, { hint: "Write it like 500ms, 10s or 5m." });
  return Number(ns / 1_000_000n);
}

const COMMANDS = ["run", "explain", "validate", "compile"];

/** Parses `argv` and runs the command; the exit code. */
async function main(argv: readonly string[]): Promise<number> {
  let exitCode: number = EXIT.usage;
  const parser = yargs([...argv])
    .scriptName("wadi")
    .usage("$0 <command>\n\nStream processing in SQL.")
    .command("run <query>", "run one pipeline in this process", runArguments, async (a) => {
      const { config } = await readConfig({ file: a.config });
      exitCode = await run(
        {
          query: a.query,
          parameters: parseParameters(a.param),
          parallelism: wholeNumber("parallelism", a.parallelism, 1, 4096) ?? 1,
          workers: wholeNumber("workers", a.workers, 1) ?? 1,
          stateDir: a["state-dir"],
          ignoreState: a["ignore-state"],
          checkpointIntervalMs: milliseconds("checkpoint-interval", a["checkpoint-interval"]),
          checkpointEveryRows: wholeNumber("checkpoint-every-rows", a["checkpoint-every-rows"], 1),
          stopAfterCheckpoint: wholeNumber("stop-after-checkpoint", a["stop-after-checkpoint"], 1),
          late: a.late,
        },
        config,
      );
    })
    .command(
      "explain <query>",
      "show the plan of a query",
      (y) => scriptArguments(y).option("format", { choices: ["text", "json", "graph"] as const, default: "text" as const }),
      async (a) => {
        exitCode = await explain({ query: a.query, format: a.format, parameters: parseParameters(a.param) });
      },
    )
    .command("validate <query>", "report a query's errors as JSON", scriptArguments, async (a) => {
      exitCode = await validate({ query: a.query, parameters: parseParameters(a.param) });
    })
    .command(
      "compile <query>",
      "write program, generated source and WebAssembly",
      (y) => scriptArguments(y).option("out", { type: "string", demandOption: true, describe: "directory to write to" }),
      async (a) => {
        const { config } = await readConfig({ file: a.config });
        exitCode = await compile({ query: a.query, out: a.out, parameters: parseParameters(a.param) }, config);
      },
    )
    .demandCommand(1, "a command is needed")
    .strict()
    .help()
    .version(false)
    .exitProcess(false)
    .fail((message, error) => {
      if (error !== undefined && error !== null) throw error;
      throw userError("invalid-usage", usageMessage(message, argv), { hint: "See wadi --help, or wadi <command> --help." });
    });
  const parsed = await parser.parseAsync();
  return parsed["help"] === true ? EXIT.done : exitCode;
}

/** Yargs' message in our manner, with the nearest command for a mistyped one. */
function usageMessage(message: string, argv: readonly string[]): string {
  const command = argv.find((a) => !a.startsWith("-"));
  if (command === undefined || COMMANDS.includes(command)) return message.charAt(0).toLowerCase() + message.slice(1);
  const nearest = nearestName(command, COMMANDS);
  return `command "${command}" does not exist${nearest === undefined ? "" : `; did you mean "${nearest}"?`}`;
}

main(hideBin(process.argv)).then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    process.exitCode = sayError(error);
  },
);
process.on("unhandledRejection", (error) => {
  say("an operation failed behind the scenes:");
  process.exit(sayError(error));
});
