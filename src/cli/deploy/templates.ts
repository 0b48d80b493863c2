/**
 * The job templates: the files `<name>.nomad.hcl` of a folder and the variables that each declares. Nomad itself reads the HCL; what is read here
 * are the `variable` blocks at the beginning of lines, so that wrong values are told before anything is asked of Nomad.
 */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { toAppError, userError } from "../../core/errors.ts";
import { SERVICE_NAMES } from "./services.ts";

/** Types of variables that values are checked against; anything else is `any`. */
export const VARIABLE_TYPES = ["string", "number", "bool", "list(string)", "map(string)", "any"] as const;

/** One of `VARIABLE_TYPES`. */
export type VariableType = (typeof VARIABLE_TYPES)[number];

/** A variable that a template declares. */
export interface TemplateVariable {
  readonly name: string;
  readonly type: VariableType;
  readonly description: string;
  /** Whether it has no default. */
  readonly required: boolean;
  /** The default as it is written in HCL, if it is on one line. */
  readonly fallback: string | undefined;
}

/** A template. */
export interface Template {
  /** Short name of the service. */
  readonly name: string;
  readonly path: string;
  readonly hcl: string;
  /** Id of its job. */
  readonly jobId: string;
  readonly variables: ReadonlyMap<string, TemplateVariable>;
}

/** Templates and what lies beside them. */
export interface TemplateSet {
  readonly folder: string;
  /** By short name; those of known services only. */
  readonly templates: ReadonlyMap<string, Template>;
  /** Rules of ACL policies by short name. */
  readonly policies: ReadonlyMap<string, string>;
  /** Texts by file name that the variables `rules` and `dashboards` are filled with. */
  readonly monitoring: { readonly rules: Readonly<Record<string, string>>; readonly dashboards: Readonly<Record<string, string>> };
}

/** The folder that this release ships: the same path from `src/cli/deploy` and from `dist/cli/deploy`. */
export function shippedFolder(): string {
  return fileURLToPath(new URL("../../../nomad/", import.meta.url));
}

const ENDING = ".nomad.hcl";
const POLICY_ENDING = ".policy.hcl";

/** The templates in `folder`. Throws `invalid-usage` if there are none. */
export async function readTemplates(folder: string): Promise<TemplateSet> {
  const names = await namesIn(folder, true);
  const templates = new Map<string, Template>();
  const policies = new Map<string, string>();
  for (const file of names) {
    const path = join(folder, file);
    const service = SERVICE_NAMES.find((name) => file === `${name}${ENDING}`);
    if (service !== undefined) templates.set(service, parseTemplate(service, path, await readFile(path, "utf8")));
    const owner = SERVICE_NAMES.find((name) => file === `${name}${POLICY_ENDING}`);
    if (owner !== undefined) policies.set(owner, await readFile(path, "utf8"));
  }
  if (templates.size === 0) {
    const hint = "--templates takes the folder that has controller.nomad.hcl, api.nomad.hcl and so on.";
    throw userError("invalid-usage", `"${folder}" has no job templates`, { hint });
  }
  return {
    folder,
    templates,
    policies,
    monitoring: {
      rules: await textsIn(join(folder, "monitoring", "rules"), ".rules.yml"),
      dashboards: await textsIn(join(folder, "monitoring", "dashboards"), ".json"),
    },
  };
}

async function namesIn(folder: string, required: boolean): Promise<readonly string[]> {
  try {
    return (await readdir(folder)).sort();
  } catch (thrown) {
    if (!required) return [];
    throw userError("invalid-usage", `the job templates in "${folder}" cannot be read: ${toAppError(thrown).message}`, { cause: thrown });
  }
}

async function textsIn(folder: string, ending: string): Promise<Readonly<Record<string, string>>> {
  const files = (await namesIn(folder, false)).filter((file) => file.endsWith(ending));
  return Object.fromEntries(await Promise.all(files.map(async (file) => [file, await readFile(join(folder, file), "utf8")] as const)));
}

/** The template that the text `hcl` is. Throws `invalid-config` if it has no job. */
export function parseTemplate(name: string, path: string, hcl: string): Template {
  const jobId = /^job\s+"([^"]+)"/m.exec(hcl)?.[1];
  if (jobId === undefined) throw userError("invalid-config", `the job template "${path}" has no line job "…"`);
  const variables = new Map<string, TemplateVariable>();
  for (const [, variable = "", body = ""] of hcl.matchAll(/^variable\s+"([^"]+)"\s*\{\n([\s\S]*?)^\}/gm)) {
    variables.set(variable, parseVariable(variable, body));
  }
  return { name, path, hcl, jobId, variables };
}

function parseVariable(name: string, body: string): TemplateVariable {
  const type = /^\s*type\s*=\s*(.+?)\s*$/m.exec(body)?.[1]?.replaceAll(/\s+/g, "");
  const fallback = /^\s*default\s*=\s*(.+?)\s*$/m.exec(body)?.[1];
  return {
    name,
    type: VARIABLE_TYPES.find((one) => one === type) ?? "any",
    description: /^\s*description\s*=\s*"((?:[^"\\]|\\.)*)"/m.exec(body)?.[1]?.replaceAll('\\"', '"') ?? "",
    required: fallback === undefined,
    fallback,
  };
}
