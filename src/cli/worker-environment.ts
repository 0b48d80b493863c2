/** What a worker process inherits of the process that starts it: the configuration, without what is none of a worker's business. */
import { LEGACY_VARIABLES, SETTINGS } from "../core/settings.ts";

/**
 * Settings that a worker has no use for: it never talks to the database, the API's users, Prometheus or Nomad, and the controller tells it where
 * to push metrics.
 */
const NOT_FOR_WORKERS = /^(?:database|api|prometheus|metrics|nomad)\./;
/** Variables that are not settings and not for workers: our own token, and the channel to a parent that is not theirs. */
const NOT_INHERITED = /^(?:WADI_API_TOKEN|NODE_CHANNEL_.*)$/;

/** `env` without the settings that are not for workers and without secrets of ours. What connectors and the object store need stays. */
export function workerEnvironment(env: Readonly<Record<string, string | undefined>>): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(env).filter(([variable]) => isForWorkers(variable)));
}

function isForWorkers(variable: string): boolean {
  const name = LEGACY_VARIABLES[variable]?.setting ?? settingOf(variable);
  if (name === undefined) return !NOT_INHERITED.test(variable);
  return !NOT_FOR_WORKERS.test(name) && SETTINGS[name as keyof typeof SETTINGS]?.sensitive !== true;
}

function settingOf(variable: string): string | undefined {
  if (!variable.startsWith("WADI__")) return undefined;
  return variable.slice("WADI__".length).toLowerCase().replaceAll("__", ".").replaceAll("_", "-");
}

/** The configuration file that the words of a command line name, as words for another command: workers read the same. */
export function configArguments(argv: readonly string[]): string[] {
  for (const [index, word] of argv.entries()) {
    if (word === "--") return [];
    const next = argv[index + 1];
    if ((word === "-c" || word === "--config") && next !== undefined) return ["--config", next];
    const inline = /^(?:--config=|-c=?)(.+)$/.exec(word)?.[1];
    if (inline !== undefined) return ["--config", inline];
  }
  return [];
}
