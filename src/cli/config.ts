/**
 * The one place where configuration files and the environment are read: finds the files, reads them and hands their text to
 * `core/config.ts`, which knows what is valid.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type ConfigFile, type ConfigInput, type LoadedConfig, loadConfig } from "../core/config.ts";
import { toAppError, userError } from "../core/errors.ts";

/** Where to look; what is absent is taken from the process. */
export interface ConfigSources {
  /** The file given with `-c`; it must exist. */
  readonly file?: string | undefined;
  /** Holds `wadi.toml` if there is one. */
  readonly workingDirectory?: string | undefined;
  readonly env?: ConfigInput["env"] | undefined;
}

/**
 * The configuration of this process: environment over the `-c` file over `./wadi.toml` over `wadi/wadi.toml` in the user's configuration
 * directory (`XDG_CONFIG_HOME`, else `~/.config`). Throws `invalid-config` if the `-c` file cannot be read or a setting is wrong.
 */
export async function readConfig(sources: ConfigSources = {}): Promise<LoadedConfig> {
  const env = sources.env ?? process.env;
  const files: ConfigFile[] = [];
  if (sources.file !== undefined) files.push(await readRequired(sources.file));
  for (const path of [join(sources.workingDirectory ?? process.cwd(), "wadi.toml"), ...userConfigPath(env)]) {
    const text = await readOptional(path);
    if (text !== undefined) files.push({ path, text });
  }
  return loadConfig({ files, env });
}

function userConfigPath(env: ConfigInput["env"]): string[] {
  const { XDG_CONFIG_HOME: directory, HOME: home } = env;
  if (directory !== undefined && directory !== "") return [join(directory, "wadi", "wadi.toml")];
  return home === undefined || home === "" ? [] : [join(home, ".config", "wadi", "wadi.toml")];
}

async function readRequired(path: string): Promise<ConfigFile> {
  const text = await readOptional(path);
  if (text === undefined) throw userError("invalid-config", `configuration file "${path}" does not exist`);
  return { path, text };
}

async function readOptional(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (thrown) {
    const error = toAppError(thrown);
    if (error.code === "not-found") return undefined;
    throw userError("invalid-config", `configuration file "${path}" cannot be read: ${error.message}`, { cause: thrown });
  }
}
