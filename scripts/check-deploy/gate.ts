/**
 * Puts the deployment gate together: a copy of the tree, the stand-ins for providers, terraform over each folder, the rules over the parsed
 * files. Says how much it saw, because a gate that read nothing has not passed.
 */
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import { type Project, readDocuments } from "./documents.ts";
import { type Finding, sortFindings } from "./finding.ts";
import { applyRules, RULES, readTexts } from "./rules.ts";
import { loadSchemas } from "./schema.ts";
import { checkScripts } from "./shell.ts";
import { startStubProviders } from "./stub-provider.ts";
import {
  checkFolder,
  checkFormat,
  copyTree,
  type TerraformFolder,
  type TerraformSetting,
  terraformAbsence,
  terraformFolders,
} from "./terraform.ts";

/** What to check. */
export interface GateOrder {
  /** The checkout. */
  readonly root: string;
  /** Folders of `terraform/`, relative to the working directory or the root; all if empty. */
  readonly folders: readonly string[];
  readonly withTerraform: boolean;
}

/** What came of it. */
export interface GateReport {
  readonly findings: readonly Finding[];
  /** How much was looked at, a line per kind. */
  readonly saw: readonly string[];
  /** Steps that were left out, and why. */
  readonly notRun: readonly string[];
  readonly elapsedMs: number;
}

/** Files below `terraform/` and `nomad/` in HCL, relative to the tree. */
export function hclFiles(tree: string): string[] {
  const files = ["terraform", "nomad"]
    .filter((folder) => existsSync(join(tree, folder)))
    .flatMap((folder) =>
      readdirSync(join(tree, folder), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && /\.(tf|hcl)$/.test(entry.name))
        .map((entry) => relative(tree, join(entry.parentPath, entry.name))),
    );
  return files.filter((path) => !path.includes(".terraform")).sort();
}

/** The folders asked for that there are; all if none is. */
function chosen(order: GateOrder, all: readonly TerraformFolder[]): readonly TerraformFolder[] {
  if (order.folders.length === 0) return all;
  const paths = order.folders.map((folder) => {
    const here = relative(order.root, resolve(folder));
    return (existsSync(folder) && statSync(folder).isDirectory() ? here : folder).replace(/\/+$/, "");
  });
  return all.filter(({ path }) => paths.some((wanted) => path === wanted || path.startsWith(`${wanted}/`)));
}

/** Runs `work` over `items`, as many at a time as there are processors; results in the order of `items`. */
export async function inParallel<Item, Result>(items: readonly Item[], work: (item: Item) => Promise<Result>): Promise<Result[]> {
  const results: Result[] = [];
  let next = 0;
  const lane = async () => {
    while (next < items.length) {
      const at = next++;
      results[at] = await work(items[at] as Item);
    }
  };
  await Promise.all(Array.from({ length: Math.min(items.length, availableParallelism()) }, lane));
  return results;
}

async function terraformPart(order: GateOrder, scratch: string): Promise<{ findings: Finding[]; saw: string[] }> {
  const tree = join(scratch, "tree");
  copyTree(order.root, tree);
  const providers = await startStubProviders(loadSchemas(), scratch);
  try {
    const setting: TerraformSetting = { tree, scratch, reattach: providers.reattach };
    const folders = chosen(order, terraformFolders(tree));
    const files = hclFiles(tree).filter((file) => order.folders.length === 0 || folders.some(({ path }) => file.startsWith(`${path}/`)));
    const format = await checkFormat(setting, files);
    const outcomes = await inParallel(folders, (folder) => checkFolder(setting, folder));
    const runs = outcomes.reduce((sum, outcome) => sum + outcome.runsPassed, 0);
    const tested = folders.filter((folder) => folder.hasTests).length;
    return {
      findings: [...format, ...outcomes.flatMap((outcome) => outcome.findings)],
      saw: [`${files.length} files formatted`, `${folders.length} folders validated, ${tested} of them tested: ${runs} runs passed`],
    };
  } finally {
    providers.stop();
  }
}

/** What the rules say, of the folders asked for; they always see everything. */
async function rulesPart(order: GateOrder): Promise<{ findings: Finding[]; saw: string[] }> {
  const files = hclFiles(order.root);
  const { documents, findings } = await readDocuments(order.root, files);
  const project: Project = { documents, texts: readTexts(order.root) };
  const paths = chosen(order, terraformFolders(order.root)).map(({ path }) => path);
  const scripts = [...project.texts.keys()].filter((file) => file.endsWith(".sh"));
  const all = [...findings, ...applyRules(project), ...(await checkScripts(order.root, scripts))];
  const wanted =
    order.folders.length === 0 ? all : all.filter(({ file }) => paths.some((path) => file === path || file.startsWith(`${path}/`)));
  return {
    findings: wanted,
    saw: [
      `${RULES.length} rules over ${documents.length} of ${files.length} files and ${project.texts.size} texts, ${scripts.length} shell scripts`,
    ],
  };
}

/** Checks the deployment toolkit of a checkout. */
export async function checkDeploy(order: GateOrder): Promise<GateReport> {
  const begin = performance.now();
  const scratch = mkdtempSync(join(tmpdir(), "wadi-gate-"));
  try {
    const absence = order.withTerraform ? await terraformAbsence() : "not asked for";
    const none = { findings: [], saw: [] };
    // At the same time: terraform's processes leave this one little to do.
    const [part, rules] = await Promise.all([absence === undefined ? terraformPart(order, scratch) : none, rulesPart(order)]);
    const notRun = absence === undefined ? [] : [`terraform fmt, init, validate and test: ${absence}`];
    const findings = sortFindings([...part.findings, ...rules.findings]);
    return { findings, saw: [...part.saw, ...rules.saw], notRun, elapsedMs: performance.now() - begin };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
