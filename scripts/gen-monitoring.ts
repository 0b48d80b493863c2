/**
 * Generates what of `nomad/monitoring/` follows from something else: `dashboards/*.json`, for Grafana's provisioning, from `scripts/monitoring/`,
 * and the README's table of alerts from the rule files. With `--check` nothing is written: the committed files must be what would be generated.
 */
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { NOMAD_JOBS } from "./monitoring/nomad-jobs.ts";
import { type Dashboard, renderDashboard } from "./monitoring/panel.ts";
import { CHECKPOINTS, FLEET, PIPELINE_DETAIL } from "./monitoring/pipelines.ts";
import { alertTable, readRuleFiles } from "./monitoring/rule-files.ts";
import { ROOT } from "./process.ts";

const HELP =
  "usage: npx tsx scripts/gen-monitoring.ts [--check]\n  --check   changes nothing; exits with 1 if the files are not what the code says\n";
const FOLDER = "nomad/monitoring";
const README = `${FOLDER}/README.md`;
const [BEGIN, END] = ["<!-- alerts: written by scripts/gen-monitoring.ts -->", "<!-- end of alerts -->"];

/** All of them. */
export const DASHBOARDS: readonly Dashboard[] = [FLEET, PIPELINE_DETAIL, CHECKPOINTS, NOMAD_JOBS];

/** Text by path, as it should be. */
export function monitoringFiles(): ReadonlyMap<string, string> {
  const dashboards = DASHBOARDS.map(
    (dashboard) => [`${FOLDER}/dashboards/${dashboard.uid}.json`, `${JSON.stringify(renderDashboard(dashboard), undefined, 1)}\n`] as const,
  );
  return new Map([...dashboards, [README, withTable(readFileSync(join(ROOT, README), "utf8"))]]);
}

function withTable(readme: string): string {
  const [before = ""] = readme.split(BEGIN);
  const after = readme.split(END)[1] ?? "\n";
  return `${before}${BEGIN}\n\n${alertTable(readRuleFiles())}\n\n${END}${after}`;
}

/** Paths of files that are not as they should be, are missing or too many. */
export function monitoringDrift(): readonly string[] {
  const files = monitoringFiles();
  const paths = [...readdirSync(join(ROOT, FOLDER, "dashboards")).map((name) => `${FOLDER}/dashboards/${name}`), README];
  const present = new Map(paths.map((path) => [path, readFileSync(join(ROOT, path), "utf8")]));
  return [...new Set([...files.keys(), ...present.keys()])].filter((path) => files.get(path) !== present.get(path)).sort();
}

function main(args: readonly string[]): number {
  if (args.includes("--help")) {
    process.stdout.write(HELP);
    return 0;
  }
  const changed = monitoringDrift();
  const check = args.includes("--check");
  const files = monitoringFiles();
  for (const path of changed) {
    process.stdout.write(`${path} ${check ? "is not what it should be" : "generated"}\n`);
    const text = files.get(path);
    if (check) continue;
    if (text === undefined) rmSync(join(ROOT, path));
    else writeFileSync(join(ROOT, path), text);
  }
  return check && changed.length > 0 ? 1 : 0;
}

if (process.argv[1] === import.meta.filename) process.exitCode = main(process.argv.slice(2));
