/** What is wrong with a command line, in Wadi's words: yargs' messages are taken apart and said in our manner, with the nearest valid name. */
import { type AppError, userError } from "../core/errors.ts";
import { nearestName } from "../core/nearest.ts";

/** What a command takes, for finding the name that was meant. */
export interface CommandNames {
  /** All commands. */
  readonly commands: readonly string[];
  /** Long options by command, without dashes. */
  readonly options: Readonly<Record<string, readonly string[]>>;
}

/** The error for yargs' `message` about `argv`. */
export function usageError(message: string, argv: readonly string[], names: CommandNames): AppError {
  const command = argv.find((word) => !word.startsWith("-"));
  if (command === undefined) return invalid(message.startsWith("Unknown") ? unknown(message, [], "wadi") : "a command is missing", "wadi");
  if (!names.commands.includes(command))
    return invalid(`command "${command}" does not exist`, "wadi", nearestName(command, names.commands));
  const options = names.options[command] ?? [];
  return invalid(inOurWords(message, command, options), `wadi ${command}`, nearestOption(message, options));
}

function invalid(message: string, help: string, meant?: string): AppError {
  const suggestion = meant === undefined ? "" : `Did you mean "${meant}"? `;
  return userError("invalid-usage", message, { hint: `${suggestion}See ${help} --help.` });
}

/** The unknown words of yargs' "Unknown arguments: a, b". */
function unknownWords(message: string): string[] {
  return /^Unknown (?:argument|command)s?: (.*)$/.exec(message)?.[1]?.split(", ") ?? [];
}

function nearestOption(message: string, options: readonly string[]): string | undefined {
  const [word = ""] = unknownWords(message).filter((name) => name.length > 1);
  const meant = word === "" ? undefined : nearestName(word, options);
  return meant === undefined ? undefined : `--${meant}`;
}

function unknown(message: string, options: readonly string[], command: string): string {
  const words = unknownWords(message);
  const [word = ""] = words;
  // yargs reports a second file as an unknown argument, too.
  const isFile = options.length > 0 && (word.includes(".") || word.includes("/"));
  if (isFile) return `${command} takes one SQL file, and "${word}" is one more`;
  return `${words.map((name) => `"${name.length === 1 ? "-" : "--"}${name}"`).join(", ")} is no option of ${command}`;
}

/** What is known of yargs' messages: lib/validation.ts and locales/en.json in its repository. */
function inOurWords(message: string, command: string, options: readonly string[]): string {
  if (message.startsWith("Unknown")) return unknown(message, options, `wadi ${command}`);
  if (message.startsWith("Not enough non-option arguments")) return `wadi ${command} needs a SQL file, or - for standard input`;
  const missing = /^Missing required arguments?: (.*)$/.exec(message)?.[1];
  if (missing !== undefined) return `--${missing} is missing`;
  const valueless = /^Not enough arguments following: (.*)$/.exec(message)?.[1];
  if (valueless !== undefined) return `--${valueless} needs a value`;
  const choice = /Argument: (\S+), Given: (.*), Choices: (.*)$/s.exec(message);
  if (choice !== null) return `--${choice[1]} must be one of ${choice[3]}, not ${choice[2]}`;
  return message.charAt(0).toLowerCase() + message.slice(1).replaceAll(/\s+/g, " ");
}
