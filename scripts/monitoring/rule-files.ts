/** The rule files of `nomad/monitoring/rules` as data, and the table of alerts in the README beside them. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { loadYaml } from "@kubernetes/client-node";
import { ROOT } from "../process.ts";

/** Where they are, relative to the root. */
export const RULE_FOLDER = "nomad/monitoring/rules";

/** An alert or a recording rule. */
export interface Rule {
  readonly alert?: string;
  readonly record?: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** A rule file. */
export interface RuleFile {
  /** "pipelines.rules.yml". */
  readonly name: string;
  readonly rules: readonly Rule[];
}

interface RuleDocument {
  readonly groups: readonly { readonly name: string; readonly rules: readonly Rule[] }[];
}

/** A unit test of promtool. */
export interface RuleTest {
  readonly name: string;
  readonly promql_expr_test: readonly { readonly expr: string; readonly exp_samples: readonly { readonly value: number }[] }[];
}

/** All rule files, by name. */
export function readRuleFiles(): readonly RuleFile[] {
  return filesOf(".rules.yml").map((name) => {
    const { groups } = loadYaml<RuleDocument>(textOf(name));
    return { name, rules: groups.flatMap(({ rules }) => rules) };
  });
}

/** All tests of rules, of all files. */
export function readRuleTests(): readonly RuleTest[] {
  return filesOf(".test.yml").flatMap((name) => loadYaml<{ readonly tests: readonly RuleTest[] }>(textOf(name)).tests);
}

/** Files' names with `ending`, in order. */
export function filesOf(ending: string): readonly string[] {
  return readdirSync(join(ROOT, RULE_FOLDER))
    .filter((name) => name.endsWith(ending))
    .sort();
}

function textOf(name: string): string {
  return readFileSync(join(ROOT, RULE_FOLDER, name), "utf8");
}

/** The README's table of alerts, with a heading per file. */
export function alertTable(files: readonly RuleFile[]): string {
  return files
    .map(({ name, rules }) => ({ name, alerts: rules.filter(({ alert }) => alert !== undefined) }))
    .filter(({ alerts }) => alerts.length > 0)
    .map(({ name, alerts }) =>
      [`### ${name}`, "", "| alert | what | when | what to do |", "|---|---|---|---|", ...alerts.map(row)].join("\n"),
    )
    .join("\n\n");
}

function row({ alert, expr, for: lasting, labels = {}, annotations = {} }: Rule): string {
  const when = `\`${expr.trim().replace(/\s+/g, " ").replaceAll("|", "\\|")}\`${lasting === undefined ? "" : ` for ${lasting}`}`;
  const runbook = (annotations["runbook"] ?? "").replaceAll("|", "\\|");
  return `| **${alert}** (${labels["severity"]}) | ${annotations["summary"]} | ${when} | ${runbook} |`;
}
