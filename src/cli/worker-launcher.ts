/** How worker processes are started on this machine: this very program with the command `worker`, without what a worker must not know. */
import { createRequire } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { Clock } from "../core/clock.ts";
import { LEGACY_VARIABLES, SETTINGS } from "../core/settings.ts";
import { ProcessLauncher } from "../scheduler/process/launcher.ts";

/** Settings that a worker has no use for: it never talks to the database, the API's users, Prometheus or Nomad. */
const NOT_FOR_WORKERS = /^(?:database|api|prometheus|nomad)\./;
/** Variables of this program that are not settings and not for workers. */
const OWN_SECRETS: ReadonlySet<string> = new Set(["WADI_API_TOKEN"]);

/** A launcher that keeps its records in `folder`. `configFile`: what this process was given with `-c`. */
export function openWorkerLauncher(folder: string, configFile: string | undefined, clock: Clock): ProcessLauncher {
  const fromSource = import.meta.url.endsWith(".ts");
  const main = fileURLToPath(new URL(`./main.${fromSource ? "ts" : "js"}`, import.meta.url));
  const tsx = fromSource ? ["--import", pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href] : [];
  const args = [...tsx, main, "worker", ...(configFile === undefined ? [] : ["--config", configFile])];
  return new ProcessLauncher({ folder, command: { program: process.execPath, args, environment: workerEnvironment(process.env) }, clock });
}

/** `env` without the settings that are not for workers and without secrets of ours. What connectors and the object store need stays. */
export function workerEnvironment(env: Readonly<Record<string, string | undefined>>): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(env).filter(([variable]) => isForWorkers(variable)));
}

function isForWorkers(variable: string): boolean {
  const name = LEGACY_VARIABLES[variable]?.setting ?? settingOf(variable);
  if (name === undefined) return !OWN_SECRETS.has(variable);
  return !NOT_FOR_WORKERS.test(name) && SETTINGS[name as keyof typeof SETTINGS]?.sensitive !== true;
}

function settingOf(variable: string): string | undefined {
  if (!variable.startsWith("WADI__")) return undefined;
  return variable.slice("WADI__".length).toLowerCase().replaceAll("__", ".").replaceAll("_", "-");
}
