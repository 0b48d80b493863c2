#!/usr/bin/env node
/**
 * The process of a command: starts what takes long to start before anything else is loaded, runs the command line, turns what it throws
 * into words and an exit code. A reader that closes standard output, such as head(1), has seen enough: that is no error.
 */
import { EXIT, say, sayError } from "./output.ts";
import { closeParser, needsParser, warmUpParser } from "./script.ts";

process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  process.exit(error.code === "EPIPE" ? EXIT.done : sayError(error));
});
// Nobody reads the messages any more: there is nothing left to say them on.
process.stderr.on("error", () => undefined);

function fail(error: unknown): never {
  say("an operation failed behind the scenes:");
  process.exit(sayError(error));
}
process.on("unhandledRejection", fail);
process.on("uncaughtException", fail);

const argv = process.argv.slice(2);
// The parser's thread starts while this thread loads yargs, zod and the planner.
if (needsParser(argv)) warmUpParser();
const { runCommandLine } = await import("./command-line.ts");
process.exitCode = await runCommandLine(argv).catch(sayError);
closeParser();
