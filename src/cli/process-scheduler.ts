/** Workers as `wadi worker` processes of this build: the process scheduler of a controller, and the launcher that the node daemon uses too. */

import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { systemClock } from "../core/clock.ts";
import type { Config } from "../core/config.ts";
import { externalError } from "../core/errors.ts";
import type { Logger } from "../core/log.ts";
import { systemRandom } from "../core/prng.ts";
import { ProcessLauncher, type WorkerCommand } from "../scheduler/process/launcher.ts";
import { ProcessScheduler } from "../scheduler/process/scheduler.ts";
import type { StateFolder } from "./state-folder.ts";
import { TermScheduler } from "./term-scheduler.ts";
import { configArguments, workerEnvironment } from "./worker-environment.ts";

/** The scheduler of processes in `folder`, which belongs to one machine. */
export function processScheduler(config: Config, folder: StateFolder, logger: Logger): TermScheduler<ProcessScheduler> {
  return new TermScheduler("process", () => {
    const launcher = processLauncher(config, folder);
    const slots = config["process.slots"];
    const records = join(folder.path, "runs");
    const scheduler = new ProcessScheduler({ launcher, folder: records, slots, clock: systemClock, random: systemRandom, logger });
    return { scheduler, close: () => launcher.close() };
  });
}

/** Starts workers of this build as processes, their records in `folder`. */
export function processLauncher(config: Config, folder: StateFolder): ProcessLauncher {
  const niceness = config["process.niceness"];
  const builds = config["process.builds"] ?? join(folder.path, "builds");
  const command = (build: string | undefined): WorkerCommand => {
    return workerCommand(folder, niceness, build === undefined ? undefined : installedBuild(builds, build));
  };
  return new ProcessLauncher({ folder: folder.workers, command, clock: systemClock });
}

/** A build is named by users of the API: it can only be one of those that somebody has put into the folder. */
const BUILD_NAME = /^(?!\.+$)[A-Za-z0-9._-]{1,80}$/;

/** The program of an installed build. Throws `invalid-config` if it is not there. */
function installedBuild(builds: string, name: string): string {
  const main = join(builds, name, "cli", "main.js");
  if (BUILD_NAME.test(name) && existsSync(main)) return main;
  throw externalError("invalid-config", `build "${name}" is not installed in "${builds}"`, {
    retry: "never",
    hint: "A build is a copy of dist/ under its name there; see process.builds.",
  });
}

const NICE_PROGRAMS = ["/usr/bin/nice", "/bin/nice"] as const;

/**
 * How `build`, the path of its program, or else this build, from TypeScript sources or as built, is started as a worker. Where workers want more than the machine has, the controller and
 * the database must still get their turn, or the leader loses its lease; so workers are nice, from their first thread on.
 */
function workerCommand(folder: StateFolder, niceness: number, build: string | undefined): WorkerCommand {
  const fromSource = build === undefined && import.meta.url.endsWith(".ts");
  const main = build ?? fileURLToPath(new URL(`./main.${fromSource ? "ts" : "js"}`, import.meta.url));
  const loader = fromSource ? ["--import", pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href] : [];
  const environment = { ...workerEnvironment(process.env), WADI__STATE_DIR: folder.path };
  const words = [...process.execArgv, ...loader, main, "worker", ...configArguments(process.argv)];
  const nice = NICE_PROGRAMS.find((path) => existsSync(path));
  if (nice === undefined || niceness === 0) return { program: process.execPath, args: words, environment };
  return { program: nice, args: ["-n", String(niceness), process.execPath, ...words], environment };
}
