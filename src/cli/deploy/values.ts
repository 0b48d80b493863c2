/**
 * Values for the templates' variables: from a TOML file, from `--set`, from what a single machine needs. One set of values serves all jobs; a job
 * gets those that its template declares. Secrets are never among them.
 */
import { readFile } from "node:fs/promises";
import { parseToml } from "../../core/config.ts";
import { toAppError, userError } from "../../core/errors.ts";
import { nearestName } from "../../core/nearest.ts";
import { SERVICE_NAMES, SERVICES } from "./services.ts";
import type { Template, TemplateVariable, VariableType } from "./templates.ts";

/** A value of a variable. */
export type Value = string | number | boolean | readonly string[] | { readonly [key: string]: string };

/** Values by the names of variables. */
export type Values = Readonly<Record<string, Value>>;

/** Values from one place; later layers win, maps are merged. */
export interface ValueLayer {
  /** For people: where they are from. */
  readonly from: string;
  /** Which jobs there shall be; undefined: it does not say. */
  readonly deploy?: readonly string[] | undefined;
  /** For every job. */
  readonly common: Values;
  /** By the short name of the job. */
  readonly jobs: Readonly<Record<string, Values>>;
}

const EXAMPLE = 'It has deploy = ["postgres", "controller", "api"], [values] for all jobs and [jobs.api] for one.';

/** The layer of a values file. Throws `invalid-config` naming what does not fit. */
export async function readValuesFile(path: string): Promise<ValueLayer> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (thrown) {
    throw userError("invalid-config", `values file "${path}" cannot be read: ${toAppError(thrown).message}`, { cause: thrown });
  }
  return parseValuesFile(path, text);
}

/** See `readValuesFile`. */
export function parseValuesFile(path: string, text: string): ValueLayer {
  const table = parseToml({ path, text }) as Readonly<Record<string, unknown>>;
  const unknown = Object.keys(table).find((key) => !["deploy", "values", "jobs"].includes(key));
  if (unknown !== undefined) throw userError("invalid-config", `values file "${path}" has "${unknown}"`, { hint: EXAMPLE });
  const jobs = Object.entries(tableOf(path, "jobs", table["jobs"]));
  for (const [name] of jobs) checkServiceName(name, `values file "${path}" has [jobs.${name}]`);
  return {
    from: `values file "${path}"`,
    deploy: deployList(path, table["deploy"]),
    common: checkedValues(path, "values", table["values"]),
    jobs: Object.fromEntries(jobs.map(([name, values]) => [name, checkedValues(path, `jobs.${name}`, values)])),
  };
}

function deployList(path: string, value: unknown): readonly string[] | undefined {
  if (value === undefined) return undefined;
  if (!Array.isArray(value) || !value.every((name) => typeof name === "string"))
    throw userError("invalid-config", `values file "${path}": deploy is not a list of names`, { hint: EXAMPLE });
  for (const name of value) checkServiceName(name, `values file "${path}": deploy has "${name}"`);
  return value;
}

/** Throws `invalid-config` for a name that is no job's. */
export function checkServiceName(name: string, where: string): void {
  if (SERVICE_NAMES.includes(name)) return;
  const meant = nearestName(name, SERVICE_NAMES);
  const hint = `${meant === undefined ? "" : `Did you mean "${meant}"? `}Jobs are ${SERVICE_NAMES.join(", ")}.`;
  throw userError("invalid-config", `${where}, which is no job of Wadi`, { hint });
}

function tableOf(path: string, name: string, value: unknown): Readonly<Record<string, unknown>> {
  if (value === undefined) return {};
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw userError("invalid-config", `values file "${path}": ${name} is not a table`, { hint: EXAMPLE });
}

function checkedValues(path: string, name: string, value: unknown): Values {
  const entries = Object.entries(tableOf(path, name, value));
  return Object.fromEntries(entries.map(([key, one]) => [key, plainValue(`values file "${path}": ${name}.${key}`, one)]));
}

/** A value of TOML as one of a variable: in a table, texts, numbers and truth values all are texts. */
function plainValue(where: string, value: unknown): Value {
  if (typeof value === "string" || typeof value === "boolean") return value;
  if (typeof value === "number" || typeof value === "bigint") return Number(value);
  if (Array.isArray(value)) return value.map((item) => scalarText(where, item));
  if (typeof value === "object" && value !== null)
    return Object.fromEntries(Object.entries(flattened(value)).map(([key, one]) => [key, scalarText(`${where}.${key}`, one)]));
  throw userError("invalid-config", `${where} is neither text, number, true or false, list nor table`);
}

/** `[values.settings] nomad.driver = "exec"` is a table in a table: settings are named by their paths. */
function flattened(table: object): Readonly<Record<string, unknown>> {
  const pairs = Object.entries(table).flatMap(([key, value]): [string, unknown][] => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return [[key, value]];
    return Object.entries(flattened(value)).map(([rest, one]) => [`${key}.${rest}`, one]);
  });
  return Object.fromEntries(pairs);
}

function scalarText(where: string, value: unknown): string {
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "boolean" || typeof value === "bigint") return String(value);
  if (Array.isArray(value)) return value.map((item) => scalarText(where, item)).join(",");
  throw userError("invalid-config", `${where} has an entry that is no text`);
}

/**
 * The layer of `--set` words: `port=80`, `api.port=80`, `settings.checkpoint-url=s3://…`; and of `--jobs`: `postgres,controller,api`. Throws
 * `invalid-usage`.
 */
export function parseSets(words: readonly string[], list?: string): ValueLayer {
  const deploy = list?.split(",").map((name) => name.trim());
  for (const name of deploy ?? []) checkServiceName(name, `--jobs has "${name}"`);
  const common: Record<string, Value> = {};
  const jobs: Record<string, Record<string, Value>> = {};
  for (const word of words) {
    const at = word.indexOf("=");
    if (at <= 0) throw userError("invalid-usage", `--set "${word}" is not of the form name=value or job.name=value`);
    const path = word.slice(0, at).split(".");
    const job = path.length > 1 && SERVICE_NAMES.includes(path[0] ?? "") ? path.shift() : undefined;
    const [name = "", ...key] = path;
    if (job !== undefined) jobs[job] ??= {};
    const target = (job === undefined ? common : jobs[job]) as Record<string, Value>;
    const text = word.slice(at + 1);
    target[name] = key.length === 0 ? text : { ...asMap(target[name]), [key.join(".")]: text };
  }
  return { from: "--set", deploy, common, jobs };
}

function asMap(value: Value | undefined): Readonly<Record<string, string>> {
  return typeof value === "object" && !Array.isArray(value) ? (value as Record<string, string>) : {};
}

/** Throws `invalid-config` for a value of a layer that no template takes: most likely it is misspelt. */
export function checkNames(layers: readonly ValueLayer[], templates: ReadonlyMap<string, Template>): void {
  const all = [...new Set([...templates.values()].flatMap(({ variables }) => [...variables.keys()]))];
  for (const layer of layers) {
    for (const name of Object.keys(layer.common)) if (!all.includes(name)) throw unknownName(layer.from, name, "no job has", all);
    for (const [job, values] of Object.entries(layer.jobs)) {
      const known = [...(templates.get(job)?.variables.keys() ?? [])];
      for (const name of Object.keys(values))
        if (!known.includes(name)) throw unknownName(layer.from, name, `the job "${job}" does not have`, known);
    }
  }
}

function unknownName(from: string, name: string, who: string, known: readonly string[]) {
  const meant = nearestName(name, known);
  const hint = meant === undefined ? `It takes ${known.join(", ")}.` : `Did you mean "${meant}"?`;
  return userError("invalid-config", `${from} sets "${name}", which ${who} as a variable`, { hint });
}

/** The values that `template` gets of `layers`, checked against its types. Throws `invalid-config` for one that is missing or of a wrong type. */
export function valuesFor(template: Template, layers: readonly ValueLayer[]): Values {
  const merged: Record<string, Value> = {};
  for (const { from, common, jobs } of layers) {
    for (const [name, value] of Object.entries(pick(meantFor(template, common), jobs[template.name] ?? {}))) {
      const variable = template.variables.get(name);
      if (variable === undefined) continue;
      const typed = typedValue(value, variable, `${from}: ${template.name}.${name}`);
      merged[name] = variable.type === "map(string)" ? { ...asMap(merged[name]), ...asMap(typed) } : typed;
    }
  }
  const missing = [...template.variables.values()].find(({ name, required }) => required && merged[name] === undefined);
  if (missing === undefined) return merged;
  throw userError("invalid-config", `the job "${template.name}" needs a value for "${missing.name}"`, {
    detail: missing.description,
    hint: `Write ${missing.name} = … under [jobs.${template.name}] in the values file, or --set ${template.name}.${missing.name}=….`,
  });
}

/** Names of Wadi's own program: as values of all jobs they are not meant for other servers, whose templates have variables of these names, too. */
const OWN_PROGRAM = new Set(["image", "command", "arguments", "artifact", "artifact_checksum"]);

/** Of the values of all jobs those that a job is meant to get. */
function meantFor({ name: job }: Template, common: Values): Values {
  if (SERVICES.some(({ name, own }) => own && name === job)) return common;
  return Object.fromEntries(Object.entries(common).filter(([name]) => !OWN_PROGRAM.has(name)));
}

/** A job's own values over those of all jobs, maps key by key. */
function pick(common: Values, own: Values): Values {
  const merged: Record<string, Value> = { ...common };
  for (const [name, value] of Object.entries(own)) {
    const before = merged[name];
    merged[name] = isMap(before) && isMap(value) ? { ...before, ...value } : value;
  }
  return merged;
}

function isMap(value: Value | undefined): value is Readonly<Record<string, string>> {
  return typeof value === "object" && !Array.isArray(value);
}

const WORDS: Readonly<Record<VariableType, string>> = {
  string: "a text",
  number: "a number",
  bool: "true or false",
  "list(string)": "a list of texts",
  "map(string)": "a table of texts",
  any: "a value",
};

/** `value` as the variable's type; texts are read as what the type wants. Throws `invalid-config`. */
function typedValue(value: Value, { type, description }: TemplateVariable, where: string): Value {
  const shown = typeof value === "string" ? `"${value}"` : JSON.stringify(value);
  const wrong = () => userError("invalid-config", `${where} is ${shown}, and should be ${WORDS[type]}`, { detail: description });
  if (type === "any") return value;
  if (type === "string") {
    if (typeof value === "object") throw wrong();
    return String(value);
  }
  if (type === "number") {
    const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
    if (typeof number !== "number" || Number.isNaN(number)) throw wrong();
    return number;
  }
  if (type === "bool") {
    if (typeof value === "boolean") return value;
    if (value !== "true" && value !== "false") throw wrong();
    return value === "true";
  }
  if (type === "map(string)") {
    if (!isMap(value)) throw wrong();
    return value;
  }
  if (typeof value === "string") return value === "" ? [] : value.split(",");
  if (!Array.isArray(value)) throw wrong();
  return value;
}

/** The values as HCL assignments, one a line, as `/v1/jobs/parse` takes them. */
export function hclAssignments(values: Values): string {
  return Object.entries(values)
    .map(([name, value]) => `${name} = ${hclText(value)}\n`)
    .join("");
}

/** JSON is HCL but for templates in texts and two escapes. */
function hclText(value: Value): string {
  if (typeof value === "string") {
    return JSON.stringify(value)
      .replaceAll(/[$%]\{/g, (start) => `${start[0]}${start}`)
      .replaceAll(/\\(.)/g, (pair, letter) => CONTROLS[letter as string] ?? pair);
  }
  if (Array.isArray(value)) return `[${value.map(hclText).join(", ")}]`;
  if (typeof value === "object") {
    return `{ ${Object.entries(value)
      .map(([key, text]) => `${hclText(key)} = ${hclText(text as string)}`)
      .join(", ")} }`;
  }
  return String(value);
}

/** Escapes of JSON that HCL does not have. */
const CONTROLS: Readonly<Record<string, string>> = { b: "\\u0008", f: "\\u000c", "/": "/" };
