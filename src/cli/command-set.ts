/**
 * How commands are told to yargs: each group of commands is a `CommandSet` in a file of its own, with the names of its options for the
 * advice in usage errors. Options that several groups share are here.
 */
import type { Argv, Options } from "yargs";
import { single } from "./arguments.ts";

/** Takes the exit code of the command that ran. */
export type Finish = (exitCode: number) => void;

/** A group of commands. */
export interface CommandSet {
  /** Options by command: long names without dashes. */
  readonly options: Readonly<Record<string, Readonly<Record<string, Options>>>>;
  /** Adds the commands to the parser; `argv` are the words of the command line. */
  register(y: Argv, finish: Finish, argv: readonly string[]): Argv;
}

/** The option of a configuration file. */
export const CONFIG = { config: { alias: "c", type: "string", requiresArg: true, describe: "configuration file (TOML)" } } as const;

/** The configuration of a command that has the option `CONFIG`. */
export async function configuration(file: string | undefined) {
  const { readConfig } = await import("./config.ts");
  return readConfig({ file: single("config", file) });
}
