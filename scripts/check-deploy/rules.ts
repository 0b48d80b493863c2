/**
 * All rules over parsed files, and how they are run. A rule is a pure function of the parsed project; each family has a file in `rules/`.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import type { Project, Rule } from "./documents.ts";
import type { Finding } from "./finding.ts";
import { AGENT_RULES } from "./rules/agents.ts";
import { BUCKET_RULES } from "./rules/buckets.ts";
import { MACHINE_RULES } from "./rules/machines.ts";
import { NETWORK_RULES } from "./rules/network.ts";
import { NOMAD_JOB_RULES } from "./rules/nomad-jobs.ts";
import { PERMISSION_RULES } from "./rules/permissions.ts";
import { POLICY_RULES } from "./rules/policies.ts";
import { SEAM_RULES } from "./rules/seams.ts";
import { SECRET_RULES } from "./rules/secrets.ts";
import { SERVICE_RULES } from "./rules/services.ts";
import { SETTING_RULES } from "./rules/settings.ts";
import { VARIABLE_RULES } from "./rules/variables.ts";

/** Every rule. */
export const RULES: readonly Rule[] = [
  ...AGENT_RULES,
  ...BUCKET_RULES,
  ...NETWORK_RULES,
  ...MACHINE_RULES,
  ...PERMISSION_RULES,
  ...POLICY_RULES,
  ...NOMAD_JOB_RULES,
  ...SECRET_RULES,
  ...VARIABLE_RULES,
  ...SETTING_RULES,
  ...SERVICE_RULES,
  ...SEAM_RULES,
];

/** What all rules say of a project. */
export function applyRules(project: Project): Finding[] {
  return RULES.flatMap((rule) => [...rule(project)]);
}

/** Folders of sources in which the paths are that Wadi answers. */
const SOURCES = ["src/api", "src/rpc"];

/** The texts that rules look at besides the parsed files: everything else of the toolkit, and the sources that paths of checks are in. */
export function readTexts(root: string): Map<string, string> {
  const below = (folder: string, wanted: RegExp) =>
    existsSync(join(root, folder))
      ? readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
          .filter((entry) => entry.isFile() && wanted.test(entry.name))
          .map((entry) => relative(root, join(entry.parentPath, entry.name)))
      : [];
  const toolkit = ["terraform", "nomad"].flatMap((folder) => below(folder, /\.(tftpl|sh|conf|service|timer|nft|py|md|tpl|toml|ya?ml)$/));
  const files = [...toolkit.filter((file) => !file.includes(".terraform/")), ...SOURCES.flatMap((folder) => below(folder, /\.ts$/))];
  return new Map(files.sort().map((file) => [file, readFileSync(join(root, file), "utf8")]));
}
