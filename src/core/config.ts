/**
 * Reads the configuration: layers of TOML text and the environment, checked against the table in `settings.ts`, into one frozen object that
 * is passed down. Everything is an argument here; files and `process.env` are read in `cli/config.ts` only.
 *
 * Precedence, high to low: `WADI__SECTION__KEY`, legacy variables, the file layers in their order, the fallbacks.
 */
import { parse, TomlError } from "smol-toml";
import { type AppError, userError } from "./errors.ts";
import { nearestName } from "./nearest.ts";
import type { Setting } from "./setting.ts";
import { LEGACY_VARIABLES, RETIRED_SETTINGS, SETTING_ALIASES, SETTINGS } from "./settings.ts";

/** The name of a setting, as in TOML with dots between sections. */
export type SettingName = keyof typeof SETTINGS;

/** Every setting's value. Frozen. Durations are in milliseconds, sizes in bytes. */
export type Config = { readonly [N in SettingName]: (typeof SETTINGS)[N]["fallback"] };

/** One configuration file. */
export interface ConfigFile {
  /** Its path, for errors. */
  readonly path: string;
  /** Its content: TOML 1.0. */
  readonly text: string;
}

/** What configuration is read from. */
export interface ConfigInput {
  /** From highest to lowest precedence. */
  readonly files: readonly ConfigFile[];
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** What came of it. */
export interface LoadedConfig {
  readonly config: Config;
  /** Where each setting that is not at its fallback came from: a file's path or a variable's name. */
  readonly origins: ReadonlyMap<SettingName, string>;
  /** Settings that were accepted and have no effect, as sentences. */
  readonly warnings: readonly string[];
}

/** A value as found, before its check. */
interface RawValue {
  readonly name: SettingName;
  readonly value: unknown;
  /** The name as the user wrote it. */
  readonly written: string;
  readonly origin: string;
}

interface Layer {
  readonly values: RawValue[];
  readonly problems: string[];
  readonly warnings: string[];
  /** The first problem's advice. */
  hint: string | undefined;
}

const ENV_PREFIX = "WADI__";

/**
 * The configuration made of `input`. Throws one `invalid-config` error that names every unknown key (with the nearest valid one), every
 * value that does not fit, and the place each was set.
 */
export function loadConfig(input: ConfigInput): LoadedConfig {
  const layers = [readEnv(input.env), readLegacyEnv(input.env), ...input.files.map(readFile)];
  const problems = layers.flatMap((layer) => layer.problems);
  const values = new Map<SettingName, unknown>();
  const origins = new Map<SettingName, string>();
  for (const layer of layers.toReversed()) {
    for (const raw of layer.values) {
      // Without the annotation the compiler makes the union of all settings' calls, which grows too deep.
      const { schema }: Pick<Setting<unknown>, "schema"> = SETTINGS[raw.name];
      const checked = schema.safeParse(raw.value);
      if (checked.success) {
        values.set(raw.name, checked.data);
        origins.set(raw.name, raw.origin);
      } else {
        problems.push(`${describe(raw)} ${checked.error.issues[0]?.message ?? "is not valid"}${shown(raw)}`);
      }
    }
  }
  if (problems.length > 0)
    throw configError(
      problems,
      layers.map((layer) => layer.hint).find((hint) => hint !== undefined),
    );
  return { config: complete(values), origins, warnings: layers.flatMap((layer) => layer.warnings) };
}

function describe(raw: RawValue): string {
  return raw.written === raw.origin ? raw.origin : `${raw.origin}: ${raw.written}`;
}

/** The offending value, unless it is a secret. */
function shown(raw: RawValue): string {
  return SETTINGS[raw.name].sensitive ? "" : `, not ${JSON.stringify(raw.value, jsonBigint)}`;
}

function jsonBigint(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? value.toString() : value;
}

function configError(problems: readonly string[], hint: string | undefined): AppError {
  const [first = "", ...rest] = problems;
  const detail = rest.length === 0 ? {} : { detail: `${rest.map((problem) => `Also: ${problem}.`).join(" ")}` };
  return userError("invalid-config", first, { ...detail, ...(hint === undefined ? {} : { hint }) });
}

function complete(values: ReadonlyMap<SettingName, unknown>): Config {
  const entries = settingNames().map((name) => [name, values.has(name) ? values.get(name) : SETTINGS[name].fallback]);
  return Object.freeze(Object.fromEntries(entries)) as Config;
}

/** All setting names in the order of the table. */
export function settingNames(): readonly SettingName[] {
  return Object.keys(SETTINGS) as SettingName[];
}

function emptyLayer(): Layer {
  return { values: [], problems: [], warnings: [], hint: undefined };
}

function readFile(file: ConfigFile): Layer {
  const layer = emptyLayer();
  const written = new Map<SettingName, string>();
  for (const [key, value] of flatten(parseToml(file))) {
    const name = resolveName(key, file.path, `"${key}"`, tomlName, layer);
    if (name === undefined) continue;
    const twin = written.get(name);
    if (twin === undefined) layer.values.push({ name, value, written: key, origin: file.path });
    else layer.problems.push(`${file.path}: "${key}" and "${twin}" are the same setting`);
    written.set(name, key);
  }
  return layer;
}

/** The tables of a TOML file. Throws `invalid-config` naming file, line and column. */
export function parseToml(file: ConfigFile): object {
  try {
    return parse(file.text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const reason = error.message.split("\n")[0]?.replace(/^Invalid TOML document: /, "") ?? "";
    throw userError("invalid-config", `${file.path}:${error.line}:${error.column}: ${reason}`, { cause: error });
  }
}

/** Keys with dots and values; a table is entered unless its name is itself a setting. */
function flatten(table: object, prefix = ""): [key: string, value: unknown][] {
  return Object.entries(table).flatMap(([key, value]: [string, unknown]): [string, unknown][] => {
    const path = prefix + key;
    const isTable = typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);
    return isTable && !Object.hasOwn(SETTINGS, path) ? flatten(value, `${path}.`) : [[path, value]];
  });
}

const tomlName = (name: string): string => name;
const envName = (name: string): string => ENV_PREFIX + name.replaceAll(".", "__").replaceAll("-", "_").toUpperCase();

/** The setting that `key` means; otherwise notes the problem or the warning in `layer`. `spell` writes a name as the user would. */
function resolveName(key: string, origin: string, written: string, spell: (name: string) => string, layer: Layer): SettingName | undefined {
  if (Object.hasOwn(SETTINGS, key)) return key as SettingName;
  if (Object.hasOwn(SETTING_ALIASES, key)) return SETTING_ALIASES[key];
  const place = origin === written ? "" : `${origin}: `;
  const retired = Object.hasOwn(RETIRED_SETTINGS, key) ? RETIRED_SETTINGS[key] : undefined;
  if (retired !== undefined) {
    layer.warnings.push(`${place}${written} has no effect. ${retired}`);
    return undefined;
  }
  const nearest = sameEnd(key) ?? nearestName(key, [...settingNames(), ...Object.keys(SETTING_ALIASES)]);
  layer.problems.push(`${place}unknown setting ${written}${nearest === undefined ? "" : `, the nearest is "${spell(nearest)}"`}`);
  layer.hint ??= nearest === undefined ? "The README has a table of all settings." : `Did you mean "${spell(nearest)}"?`;
  return undefined;
}

/** For a setting written in the wrong section: the one that `key` ends with, else the only one that has its last part. */
function sameEnd(key: string): SettingName | undefined {
  const nested = settingNames().find((name) => key.endsWith(`.${name}`));
  const leaf = key.slice(key.lastIndexOf(".") + 1);
  const twins = settingNames().filter((name) => name.endsWith(`.${leaf}`));
  return nested ?? (twins.length === 1 ? twins[0] : undefined);
}

function readEnv(env: ConfigInput["env"]): Layer {
  const layer = emptyLayer();
  for (const [variable, value] of Object.entries(env)) {
    if (!variable.startsWith(ENV_PREFIX) || value === undefined) continue;
    const key = variable.slice(ENV_PREFIX.length).toLowerCase().replaceAll("__", ".").replaceAll("_", "-");
    const name = resolveName(key, variable, variable, envName, layer);
    if (name !== undefined) layer.values.push({ name, value, written: variable, origin: variable });
  }
  return layer;
}

/** Legacy variables; an empty one counts as not set, as in the tools they come from. */
function readLegacyEnv(env: ConfigInput["env"]): Layer {
  const layer = emptyLayer();
  for (const [variable, { setting, implies = {} }] of Object.entries(LEGACY_VARIABLES)) {
    const value = env[variable];
    if (value === undefined || value === "") continue;
    layer.values.push({ name: setting, value, written: variable, origin: variable });
    for (const [name, implied] of Object.entries(implies)) {
      layer.values.push({ name: name as SettingName, value: implied, written: variable, origin: variable });
    }
  }
  return layer;
}

/** The configuration as TOML that reads back, except that secrets which are set appear as `"***"`. */
export function printConfig(config: Config): string {
  return settingNames()
    .map((name) => `${name} = ${printSetting(config, name)}\n`)
    .join("");
}

/** User and password in a URL. */
const URL_CREDENTIALS = /(?<=:\/\/)[^/@\s"]+@/g;

/** One setting's value as TOML; `"***"` for a secret that is set, and in the place of user and password in a URL. */
export function printSetting(config: Config, name: SettingName): string {
  const setting: Setting<never> = SETTINGS[name] as unknown as Setting<never>;
  const value = config[name];
  if (setting.sensitive && value !== undefined) return '"***"';
  return setting.print(value as never).replace(URL_CREDENTIALS, "***@");
}
