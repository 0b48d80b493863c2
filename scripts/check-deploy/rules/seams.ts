/** Rules for the seams between roots and modules: versions, sources, and the one object that goes from `aws` to `platform`. */
import { findingAt, type HclDocument, type Located, type Rule, topBlocks } from "../documents.ts";
import type { Finding } from "../finding.ts";

const REQUIRED_VERSION = ">= 1.11, < 2.0";
const PROVIDERS: Readonly<Record<string, RegExp>> = {
  aws: /^~> 6\.\d+$/,
  nomad: /^~> 2\.[6-9]\d*$/,
  random: /^~> 3\.\d+$/,
  tls: /^~> 4\.\d+$/,
};

/** Names of an object's members, with those of members that are objects; undefined where a value is no object. */
interface Shape {
  readonly [name: string]: Shape | undefined;
}

/** The index behind the bracket that closes the one at `at`; strings are skipped. */
function closing(text: string, at: number): number {
  let depth = 0;
  for (let index = at; index < text.length; index++) {
    const character = text[index] ?? "";
    if (character === '"') index += /^"(?:[^"\\]|\\.)*/.exec(text.slice(index))?.[0].length ?? 0;
    else if ("{[(".includes(character)) depth += 1;
    else if ("}])".includes(character)) {
      depth -= 1;
      if (depth === 0) return index + 1;
    }
  }
  return text.length;
}

/** The shape of the object that an expression makes, or that a type describes. */
export function shapeOf(expression: string): Shape | undefined {
  const text = expression.replace(/^\s*(#|\/\/).*$/gm, "").trim();
  // `object({…})`, `optional(object({…}))`, `x == null ? null : {…}`, `{…}`; an object made by `for` has no fixed members.
  const start = /^(?:optional\(\s*)?(?:object\(\s*)?(?:[^{}"]*\?\s*null\s*:\s*)?\{/.exec(text)?.[0];
  if (start === undefined || /^\{\s*for\b/.test(text.slice(start.length - 1))) return undefined;
  const body = text.slice(start.length, closing(text, start.length - 1) - 1);
  const members: Record<string, Shape | undefined> = {};
  for (let at = 0; at < body.length; ) {
    const key = /^[\s,]*(?:#[^\n]*\s*)*"?([a-zA-Z_][\w-]*)"?\s*[=:]\s*/.exec(body.slice(at));
    if (key === null) break;
    at += key[0].length;
    const end = endOfValue(body, at);
    members[key[1] ?? ""] = shapeOf(body.slice(at, end));
    at = end;
  }
  return members;
}

/** Where the value at `at` ends: a comma or a line's end outside of brackets. */
function endOfValue(body: string, at: number): number {
  let index = at;
  while (index < body.length && body[index] !== "\n" && body[index] !== ",") {
    const character = body[index] ?? "";
    if (character === '"') index += (/^"(?:[^"\\]|\\.)*/.exec(body.slice(index))?.[0].length ?? 0) + 1;
    else if ("{[(".includes(character)) index = closing(body, index);
    else index += 1;
  }
  return index;
}

/** Names in one shape that the other lacks, with dots. */
function lacking(shape: Shape, other: Shape, path: string): string[] {
  return Object.entries(shape).flatMap(([name, inner]) => {
    if (!(name in other)) return [`${path}${name}`];
    const counterpart = other[name];
    return inner === undefined || counterpart === undefined ? [] : lacking(inner, counterpart, `${path}${name}.`);
  });
}

const cluster: Rule = (project) => {
  const [output] = topBlocks(project, "output", "cluster").filter(({ document }) => document.folder === "terraform/aws");
  const [variable] = topBlocks(project, "variable", "cluster").filter(({ document }) => document.folder === "terraform/platform");
  if (output === undefined || variable === undefined) return [];
  const given = shapeOf(output.block.attributes.get("value")?.text ?? "");
  const taken = shapeOf(variable.block.attributes.get("type")?.text ?? "");
  if (given === undefined || taken === undefined)
    return [findingAt("cluster-agrees", variable, "type", "the type of cluster is no object", "Write object({…}).")];
  return [
    ...lacking(taken, given, "").map((name) =>
      findingAt("cluster-agrees", output, "value", `the output cluster has no "${name}", which terraform/platform takes`, "Add it."),
    ),
    ...lacking(given, taken, "").map((name) =>
      findingAt(
        "cluster-agrees",
        variable,
        "type",
        `the variable cluster has no "${name}", which terraform/aws gives`,
        "Add it, or leave it out there.",
      ),
    ),
  ];
};

/** Documents of Terraform by folder. */
function folders(documents: readonly HclDocument[]): Map<string, HclDocument[]> {
  const grouped = new Map<string, HclDocument[]>();
  for (const document of documents.filter(({ kind }) => kind === "terraform"))
    grouped.set(document.folder, [...(grouped.get(document.folder) ?? []), document]);
  return grouped;
}

const versions: Rule = ({ documents }) =>
  [...folders(documents)].flatMap(([folder, members]): Finding[] => {
    const settings: Located[] = members.flatMap((document) =>
      document.body.blocks.filter(({ type }) => type === "terraform").map((block) => ({ document, block })),
    );
    const required = settings.find(({ block }) => block.attributes.has("required_version"));
    if (required === undefined)
      return [
        {
          rule: "versions-pinned",
          file: folder,
          line: 0,
          message: "no version of Terraform is required",
          fix: `Set required_version = "${REQUIRED_VERSION}".`,
        },
      ];
    const findings: Finding[] = [];
    if (required.block.attributes.get("required_version")?.value !== REQUIRED_VERSION) {
      findings.push(
        findingAt(
          "versions-pinned",
          required,
          "required_version",
          "another version of Terraform is required than elsewhere",
          `Set required_version = "${REQUIRED_VERSION}".`,
        ),
      );
    }
    const pinned = new Set<string>();
    for (const { document, block } of settings) {
      for (const providers of block.blocks.filter(({ type }) => type === "required_providers")) {
        for (const [name, { text, line }] of providers.attributes) {
          pinned.add(name);
          const version = /version\s*=\s*"([^"]*)"/.exec(text)?.[1] ?? "";
          if (PROVIDERS[name]?.test(version) !== true)
            findings.push({
              rule: "versions-pinned",
              file: document.file,
              line,
              message: `the provider ${name} is not pinned as elsewhere`,
              fix: "aws ~> 6.0, nomad ~> 2.6, random ~> 3.7, tls ~> 4.0; others have no schema here.",
            });
        }
      }
    }
    const used = members.flatMap((document) =>
      document.body.blocks.filter(({ type }) => /^(resource|data|ephemeral)$/.test(type)).map((block) => ({ document, block })),
    );
    for (const one of used) {
      const provider = (one.block.labels[0] ?? "").split("_")[0] ?? "";
      if (provider !== "terraform" && !pinned.has(provider))
        findings.push(
          findingAt(
            "versions-pinned",
            one,
            undefined,
            `the provider ${provider} is used and not required`,
            "Add it to required_providers.",
          ),
        );
    }
    return findings;
  });

const sources: Rule = (project) =>
  topBlocks(project, "module").flatMap((one) => {
    const source = String(one.block.attributes.get("source")?.value);
    if (/^\.\.?\//.test(source)) return [];
    return [
      findingAt("module-local", one, "source", `the module comes from "${source}", which may change`, "Use a module of this repository."),
    ];
  });

/** Secrets go by write-only arguments and ephemeral values: what else holds them is in the state. */
const state: Rule = (project) => {
  const read = topBlocks(
    project,
    "data",
    /^aws_(secretsmanager_secret_version|secretsmanager_random_password)$|^nomad_(variable|acl_token)$/,
  );
  const held = topBlocks(
    project,
    "resource",
    /^(aws_secretsmanager_secret_version|nomad_variable|aws_ssm_parameter|random_password|random_uuid|nomad_acl_token)$/,
  ).filter(({ block }) => {
    const type = block.labels[0] ?? "";
    if (type === "aws_ssm_parameter") return block.attributes.get("type")?.value === "SecureString" && block.attributes.has("value");
    return /^(random_|nomad_acl_token)/.test(type) || block.attributes.has("secret_string") || block.attributes.has("items");
  });
  return [...read, ...held].map((one) =>
    findingAt(
      "secret-in-state",
      one,
      undefined,
      `the ${one.block.labels[0]} keeps a secret in the state`,
      "Use an ephemeral resource, or an argument that ends in _wo.",
    ),
  );
};

/** The rules of this file. */
export const SEAM_RULES: readonly Rule[] = [cluster, versions, sources, state];
