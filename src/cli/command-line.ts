/**
 * The command line: all groups of commands and what they have in common. Each command's code is loaded when it is called, because what one
 * needs (planner, compiler, data plane) costs another tens of milliseconds. Names, defaults and exit codes are a contract: see README.md.
 */
import yargs, { type Argv } from "yargs";
import { clientCommands } from "./client-commands.ts";
import type { CommandSet, Finish } from "./command-set.ts";
import { deployCommands } from "./deploy-commands.ts";
import { engineCommands } from "./engine-commands.ts";
import { kubernetesCommands } from "./kubernetes-commands.ts";
import { nodeCommands } from "./node-commands.ts";
import { nomadCommands } from "./nomad-commands.ts";
import { objectCommandSet } from "./object-commands.ts";
import { operateCommands } from "./operate-commands.ts";
import { EXIT } from "./output.ts";
import { release } from "./release.ts";
import { STDIN } from "./script.ts";
import { serviceCommands } from "./service-commands.ts";
import { type CommandNames, usageError } from "./usage.ts";

const HELP_WIDTH = 110;

/** All commands, in the order of `--help`. */
const SETS: readonly CommandSet[] = [
  engineCommands,
  serviceCommands,
  nodeCommands,
  clientCommands,
  nomadCommands,
  kubernetesCommands,
  deployCommands,
  operateCommands,
  objectCommandSet,
];

const NAMES: CommandNames = {
  commands: SETS.flatMap(({ options }) => Object.keys(options)),
  options: Object.fromEntries(
    SETS.flatMap((set) => Object.entries(set.options)).map(([command, options]) => [command, [...Object.keys(options), "help"]]),
  ),
};

/** The parser with all commands; what a command returns goes to `finish`. */
function commandLine(argv: readonly string[], finish: Finish): Argv {
  const parser = yargs(argv.map((word) => (word === "-" ? STDIN : word)))
    .scriptName("wadi")
    .usage("$0 <command>\n\nStream processing in SQL: compiled to WebAssembly, exactly once.");
  return SETS.reduce((y, set) => set.register(y, finish, argv), parser)
    .demandCommand(1, "a command is missing")
    .strict()
    .parserConfiguration({ "camel-case-expansion": false, "boolean-negation": false, "parse-positional-numbers": false })
    .help()
    .alias("help", "h")
    .version(`wadi ${release()}`)
    .wrap(HELP_WIDTH)
    .epilogue("wadi <command> --help says more. Settings and their names are in README.md.")
    .exitProcess(false);
}

/** Runs the command that `argv` names; its exit code. Throws `invalid-usage` for what it cannot understand. */
export async function runCommandLine(argv: readonly string[]): Promise<number> {
  let exitCode: number = EXIT.done;
  await commandLine(argv, (code) => {
    exitCode = code;
  })
    .fail((message, error) => {
      throw error ?? usageError(message, argv, NAMES);
    })
    .parseAsync();
  return exitCode;
}
