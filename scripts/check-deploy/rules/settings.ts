/** Rules that join the toolkit to Wadi's configuration: names and values of settings are those the loader takes, ports are the settings' own. */
import { loadConfig, settingNames } from "../../../src/core/config.ts";
import { AppError } from "../../../src/core/errors.ts";
import { LEGACY_VARIABLES, SETTING_ALIASES, SETTINGS } from "../../../src/core/settings.ts";
import { allBlocks, type HclDocument, lineIn, type Project, type Rule, topBlocks } from "../documents.ts";
import type { Finding } from "../finding.ts";

const OWN = /(?<![\w$])(WADI__[A-Z0-9_]*[A-Z0-9])(?![A-Z0-9_${])(?:"?\s*=\s*"([^"$]*)")?/g;
/** Names of the loader's that only Wadi has, so that a wrong one is a mistake: NOMAD_ and AWS_ are others' too. */
const LEGACY = /(?<![\w$.])((?:DATABASE|PROM)_[A-Z_]*[A-Z])(?==| =|"? =)/g;
/** Variables that stand for a setting's port: file or folder, variable, setting. */
const PORTS: readonly (readonly [RegExp, RegExp, keyof typeof SETTINGS])[] = [
  [/^nomad\/api\.nomad\.hcl$/, /^port$/, "api.http-port"],
  [/^nomad\/node\.nomad\.hcl$/, /^port$/, "node.rpc-port"],
  [/^nomad\/postgres\.nomad\.hcl$/, /^port$/, "database.postgres.port"],
  [/^nomad\/.*\.nomad\.hcl$/, /^database_port$/, "database.postgres.port"],
  [/^terraform\//, /^ui_port$/, "api.http-port"],
];
/** Ports that others than Wadi have, by the security group's module. */
const OTHER_PORTS: readonly (readonly [RegExp, readonly number[]])[] = [
  [/^terraform\/modules\/postgres\//, [5432]],
  [/^terraform\/modules\/nomad-cluster\//, [443, 4646, 4647, 4648]],
];

/** What the loader says of one variable of the environment; undefined if it is content. */
function complaint(name: string, value: string | undefined): string | undefined {
  try {
    loadConfig({ files: [], env: { [name]: value ?? "" } });
    return undefined;
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    // Without a value only the name counts.
    return value === undefined && !/unknown|no setting|not a setting/i.test(error.message) ? undefined : error.message;
  }
}

function texts(project: Project): [string, string][] {
  const parsed = project.documents.filter(({ kind }) => kind !== "terraform-test").map(({ file, text }): [string, string] => [file, text]);
  return [...parsed, ...[...project.texts].filter(([file]) => /^(terraform|nomad)\//.test(file) && !file.endsWith(".md"))];
}

const environment: Rule = (project) =>
  texts(project).flatMap(([file, text]) =>
    text.split("\n").flatMap((line, at): Finding[] => {
      if (/^\s*(#|\/\/)/.test(line)) return [];
      const own = [...line.matchAll(OWN)].flatMap(([, name = "", value]) => {
        const message = complaint(name, value);
        return message === undefined
          ? []
          : [{ rule: "setting-known", file, line: at + 1, message, fix: "Settings are in src/core/settings.ts; WADI__A__B_C is a.b-c." }];
      });
      const legacy = [...line.matchAll(LEGACY)]
        .filter(([, name = ""]) => !(name in LEGACY_VARIABLES))
        .map(([, name]) => ({
          rule: "setting-known",
          file,
          line: at + 1,
          message: `the configuration loader reads no ${name}`,
          fix: `It reads ${Object.keys(LEGACY_VARIABLES)
            .filter((one) => /^(DATABASE|PROM)_/.test(one))
            .join(", ")}.`,
        }));
      return [...own, ...legacy];
    }),
  );

/** Maps of settings by their own names: arguments and locals called `settings`. */
const settingMaps: Rule = ({ documents }) => {
  const known = new Set<string>([...settingNames(), ...Object.keys(SETTING_ALIASES)]);
  return documents
    .filter(({ kind }) => kind === "terraform")
    .flatMap((document) =>
      allBlocks(document.body).flatMap((block) => {
        const settings = block.attributes.get("settings");
        if (settings === undefined || block.type === "variable") return [];
        const names = [...settings.text.matchAll(/"([a-z][a-z0-9-]*(?:\.[a-z0-9-]+)*)"\s*=(?!=)/g)].map((match) => match[1] ?? "");
        return names
          .filter((name) => !known.has(name))
          .map((name) => ({
            rule: "setting-known",
            file: document.file,
            line: lineIn(settings, new RegExp(`"${name.replaceAll(".", "\\.")}"`)),
            message: `there is no setting "${name}"`,
            fix: "Settings are in src/core/settings.ts.",
          }));
      }),
    );
};

const ports: Rule = (project) =>
  topBlocks(project, "variable").flatMap(({ document, block }) =>
    PORTS.filter(([file, name]) => file.test(document.file) && name.test(block.labels[0] ?? "")).flatMap(([, name, setting]): Finding[] => {
      const preset = block.attributes.get("default");
      const expected = SETTINGS[setting].fallback;
      // 0: Nomad chooses, and the service says which.
      if (preset === undefined || preset.value === expected || preset.value === 0) return [];
      const message = `the ${name.source.replace(/[\^$]/g, "")} is ${preset.text} by default, the setting "${setting}" is ${String(expected)}`;
      return [{ rule: "port-agrees", file: document.file, line: preset.line, message, fix: "Make them equal." }];
    }),
  );

function fixedPorts(document: HclDocument): { line: number; port: number }[] {
  const rules = document.body.blocks.filter((block) => /^aws_vpc_security_group_ingress_rule$/.test(block.labels[0] ?? ""));
  return rules.flatMap((block) =>
    ["from_port", "to_port"].flatMap((name) => {
      const attribute = block.attributes.get(name);
      return typeof attribute?.value === "number" ? [{ line: attribute.line, port: attribute.value }] : [];
    }),
  );
}

const groupPorts: Rule = ({ documents }) =>
  documents.flatMap((document) =>
    OTHER_PORTS.filter(([file]) => file.test(document.file)).flatMap(([, allowed]) =>
      fixedPorts(document)
        .filter(({ port }) => !allowed.includes(port))
        .map(({ line, port }) => ({
          rule: "port-agrees",
          file: document.file,
          line,
          message: `nothing listens on port ${port} here`,
          fix: `Ports are ${allowed.join(", ")}.`,
        })),
    ),
  );

/** The rules of this file. */
export const SETTING_RULES: readonly Rule[] = [environment, settingMaps, ports, groupPorts];
