/** The job files of `nomad/` as the scripts see them: their text, and their variables with type, default and meaning. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "@cdktf/hcl2json";
import { ROOT } from "../process.ts";

/** A `variable` block. */
export interface JobVariable {
  readonly name: string;
  /** As it is written: "string", "map(string)". */
  readonly type: string;
  readonly description: string;
  readonly default: unknown;
}

/** One `nomad/<name>.nomad.hcl`. */
export interface JobFile {
  /** "api", "controller" … */
  readonly name: string;
  readonly text: string;
  /** The comment at its head, without the marks. */
  readonly comment: readonly string[];
  readonly variables: readonly JobVariable[];
}

interface Parsed {
  readonly variable: Readonly<
    Record<string, readonly { readonly type: string; readonly description: string; readonly default: unknown }[]>
  >;
}

const SUFFIX = ".nomad.hcl";
/** Where the files are. */
export const NOMAD_FOLDER = join(ROOT, "nomad");

/** All job files by name, in alphabetical order. Throws if one cannot be parsed, or a variable lacks type, description or default. */
export async function readJobFiles(): Promise<readonly JobFile[]> {
  const names = readdirSync(NOMAD_FOLDER).filter((name) => name.endsWith(SUFFIX));
  return Promise.all(names.sort().map((name) => readJobFile(name.slice(0, -SUFFIX.length))));
}

async function readJobFile(name: string): Promise<JobFile> {
  const text = readFileSync(join(NOMAD_FOLDER, `${name}${SUFFIX}`), "utf8");
  const parsed = (await parse(`${name}${SUFFIX}`, text)) as Parsed;
  // In the order of the text: the parser's is the alphabet's.
  const order = [...text.matchAll(/^variable "([a-z_]+)" \{$/gm)].map(([, variable = ""]) => variable);
  const variables = order.map((variable) => {
    const body = parsed.variable[variable]?.[0];
    if (body?.type === undefined || body.description === undefined || body.default === undefined) {
      throw new Error(`nomad/${name}${SUFFIX}: variable "${variable}" lacks its type, its description or its default`);
    }
    return { name: variable, type: body.type.replace(/^\$\{(.*)\}$/, "$1"), description: body.description, default: body.default };
  });
  const comment = (/^(?:#.*\n)+/.exec(text)?.[0] ?? "").split("\n").map((line) => line.replace(/^# ?/, ""));
  return { name, text, comment: comment.slice(0, -1), variables };
}
