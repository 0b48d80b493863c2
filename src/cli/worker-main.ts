#!/usr/bin/env node
/**
 * The process of the worker package: `wadi worker` and nothing else, so that what a client of Nomad downloads for each run has no compiler, no
 * planner and no UI in it.
 */
import { worker } from "./commands/worker.ts";
import { readConfig } from "./config.ts";
import { EXIT, sayError } from "./output.ts";
import { release } from "./release.ts";

const HELP = "usage: wadi worker [-c FILE]\n       wadi --version\nThis package runs workers only; the package wadi has all commands.\n";

async function run(args: readonly string[]): Promise<number> {
  const [command, option, file, ...more] = args;
  if (command === "--version" && args.length === 1) {
    process.stdout.write(`${release()}\n`);
    return EXIT.done;
  }
  const named = option === "-c" || option === "--config";
  if (command !== "worker" || more.length > 0 || (option !== undefined && (!named || file === undefined))) {
    process.stderr.write(HELP);
    return EXIT.usage;
  }
  return worker({}, await readConfig({ file }));
}

process.exitCode = await run(process.argv.slice(2)).catch(sayError);
