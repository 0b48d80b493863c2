/**
 * Runs the terraform program over a copy of the tree: formatting, `init` without a backend, `validate` and `test` of each folder, with the
 * stand-ins for providers instead of real ones, no network and none of the user's settings. Every folder keeps its `.terraform` beside the
 * copy, so that folders may run at the same time.
 */
import { cpSync, existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { runProgram, type ToolResult } from "../process.ts";
import type { Finding } from "./finding.ts";

/** A folder with its own Terraform configuration, and what there is to do. */
export interface TerraformFolder {
  /** Relative to the tree's root. */
  readonly path: string;
  readonly hasTests: boolean;
}

/** How terraform is run. */
export interface TerraformSetting {
  /** The tree's copy, which may be written to. */
  readonly tree: string;
  /** A folder for terraform's own files. */
  readonly scratch: string;
  /** Of `startStubProviders`. */
  readonly reattach: string;
}

/** What running terraform in one folder gave. */
export interface TerraformOutcome {
  readonly findings: readonly Finding[];
  /** Runs of `terraform test` that passed. */
  readonly runsPassed: number;
}

/** A message of terraform's JSON output, as far as we read it. */
interface Diagnostic {
  readonly severity: string;
  readonly summary: string;
  readonly detail?: string;
  readonly range?: { readonly filename: string; readonly start: { readonly line: number } };
}

/** Settings of whoever runs the gate that would change what terraform does. */
const FOREIGN = /^(TF_|AWS_|NOMAD_)/;
const REGISTRY_ONLY_OFFLINE = 'provider_installation {\n  filesystem_mirror {\n    path = "/nonexistent"\n  }\n}\n';

/** The oldest Terraform with write-only arguments, as [major, minor]. */
const OLDEST = [1, 11] as const;

/** Why terraform cannot be run on this machine; undefined if it can. */
export async function terraformAbsence(): Promise<string | undefined> {
  const { code, stdout } = await runProgram("terraform", ["version", "-json"], ".", { CHECKPOINT_DISABLE: "1" });
  if (code !== 0) return "there is no terraform on the path";
  const version = (JSON.parse(stdout) as { terraform_version: string }).terraform_version;
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) return undefined;
  return `terraform ${version} is older than ${OLDEST.join(".")}`;
}

/** Copies what terraform reads, `terraform/` and `nomad/`, from `root` to `tree`; nothing that an earlier run left there. */
export function copyTree(root: string, tree: string): void {
  for (const folder of ["terraform", "nomad"]) {
    const from = join(root, folder);
    if (!existsSync(from)) continue;
    cpSync(from, join(tree, folder), { recursive: true, filter: (path) => !/\.terraform|\.tfstate|\.tfvars/.test(path) });
  }
}

/** Every folder of `tree` with files of Terraform's, sorted. */
export function terraformFolders(tree: string): TerraformFolder[] {
  const below = join(tree, "terraform");
  if (!existsSync(below)) return [];
  const entries = readdirSync(below, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const withCode = entries.filter((entry) => entry.name.endsWith(".tf")).map((entry) => entry.parentPath);
  const tested = entries.filter((entry) => entry.name.endsWith(".tftest.hcl")).map((entry) => entry.parentPath.replace(/\/tests$/, ""));
  return [...new Set(withCode)].sort().map((folder) => ({ path: relative(tree, folder), hasTests: tested.includes(folder) }));
}

function environment(setting: TerraformSetting, folder: string): NodeJS.ProcessEnv {
  const config = join(setting.scratch, "terraform.rc");
  if (!existsSync(config)) writeFileSync(config, REGISTRY_ONLY_OFFLINE);
  const foreign = Object.keys(process.env).filter((name) => FOREIGN.test(name));
  return {
    ...Object.fromEntries(foreign.map((name) => [name, undefined])),
    CHECKPOINT_DISABLE: "1",
    TF_CLI_CONFIG_FILE: config,
    TF_DATA_DIR: join(setting.scratch, "data", folder.replaceAll("/", "-")),
    TF_IN_AUTOMATION: "1",
    TF_INPUT: "0",
    TF_REATTACH_PROVIDERS: setting.reattach,
  };
}

/** Runs terraform in a folder of the copy; its code and output, whatever they are. */
export function runTerraform(setting: TerraformSetting, folder: string, args: readonly string[]): Promise<ToolResult> {
  return runProgram("terraform", [`-chdir=${join(setting.tree, folder)}`, ...args], setting.tree, environment(setting, folder));
}

/** A file that terraform named relative to the folder it ran in, relative to the tree. */
function place(folder: string, filename: string | undefined): string {
  return filename === undefined ? folder : relative("/", join("/", folder, filename));
}

function toFinding(rule: string, folder: string, { summary, detail = "", range }: Diagnostic): Finding {
  const text = [summary, detail.replace(/\s+/g, " ").trim()].filter((part) => part !== "").join(": ");
  return { rule, file: place(folder, range?.filename), line: range?.start.line ?? 0, message: text };
}

/** Errors and, because nobody reads them otherwise, warnings; what terraform says about the stand-ins themselves is left out. */
function isFinding({ severity, summary }: Diagnostic): boolean {
  return severity === "error" || (severity === "warning" && !/development overrides/i.test(summary));
}

interface JsonLine {
  readonly type?: string;
  readonly diagnostic?: Diagnostic;
  readonly test_run?: { readonly status?: string; readonly progress?: string };
}

/** Lines of `-json` output that are JSON. */
function jsonLines(stdout: string): JsonLine[] {
  return stdout.split("\n").flatMap((line) => (line.startsWith("{") ? [JSON.parse(line) as JsonLine] : []));
}

function findingsOf(rule: string, folder: string, result: ToolResult, diagnostics: readonly Diagnostic[]): Finding[] {
  const findings = diagnostics.filter(isFinding).map((one) => toFinding(rule, folder, one));
  if (findings.length > 0 || result.code === 0) return findings;
  return [{ rule, file: folder, line: 0, message: `terraform exited with ${result.code}: ${result.output.trim().slice(-800)}` }];
}

async function init(setting: TerraformSetting, folder: string): Promise<Finding[]> {
  const result = await runTerraform(setting, folder, ["init", "-backend=false", "-no-color", "-json"]);
  return findingsOf(
    "terraform-init",
    folder,
    result,
    jsonLines(result.stdout).flatMap((line) => line.diagnostic ?? []),
  );
}

async function validate(setting: TerraformSetting, folder: string): Promise<Finding[]> {
  const result = await runTerraform(setting, folder, ["validate", "-no-color", "-json", "-no-tests"]);
  const report = result.stdout.startsWith("{") ? (JSON.parse(result.stdout) as { diagnostics: Diagnostic[] }) : { diagnostics: [] };
  return findingsOf("terraform-validate", folder, result, report.diagnostics);
}

async function test(setting: TerraformSetting, folder: string): Promise<TerraformOutcome> {
  const result = await runTerraform(setting, folder, ["test", "-no-color", "-json"]);
  const lines = jsonLines(result.stdout);
  const findings = findingsOf(
    "terraform-test",
    folder,
    result,
    lines.flatMap((line) => line.diagnostic ?? []),
  );
  const runsPassed = lines.filter(
    (line) => line.type === "test_run" && line.test_run?.status === "pass" && line.test_run.progress === "complete",
  ).length;
  return { findings, runsPassed };
}

/** Initialises, validates and, if it has tests, tests one folder; stops at the first step that finds something. */
export async function checkFolder(setting: TerraformSetting, folder: TerraformFolder, withTests = true): Promise<TerraformOutcome> {
  mkdirSync(join(setting.scratch, "data"), { recursive: true });
  const initial = await init(setting, folder.path);
  if (initial.length > 0) return { findings: initial, runsPassed: 0 };
  const invalid = await validate(setting, folder.path);
  if (invalid.length > 0 || !folder.hasTests || !withTests) return { findings: invalid, runsPassed: 0 };
  return test(setting, folder.path);
}

/**
 * Whether files are formatted as `terraform fmt` does, which reads Nomad's HCL as well. They are copied to one folder as *.tf, so that one
 * process looks at all of them.
 */
export async function checkFormat(setting: TerraformSetting, files: readonly string[]): Promise<Finding[]> {
  const folder = join(setting.scratch, "format");
  mkdirSync(folder, { recursive: true });
  // Named by number: paths contain slashes, and terraform only looks at names that end with .tf or .tftest.hcl.
  for (const [at, file] of files.entries()) cpSync(join(setting.tree, file), join(folder, `${at}.tf`));
  const { code, output } = await runProgram(
    "terraform",
    ["fmt", "-check", "-diff", "-no-color", folder],
    setting.tree,
    environment(setting, "format"),
  );
  if (code === 0) return [];
  const nameOf = (number: string | undefined) => files[Number(number)] ?? "";
  const unformatted = [...output.matchAll(/^--- old\/.*?(\d+)\.tf\n\+\+\+ .*\n@@ -(\d+).*\n((?: .*\n)*)/gm)].map(
    ([, number, line, context = ""]) => ({
      rule: "terraform-fmt",
      file: nameOf(number),
      line: Number(line) + context.split("\n").length - 1,
      message: "not formatted as terraform fmt does",
      fix: "Run terraform fmt on it (for Nomad's files: terraform fmt - < file).",
    }),
  );
  const broken = [
    ...output.matchAll(/^Error: (.*)\n+(?: {2}on .*?(\d+)\.tf line (\d+).*\n)?((?:.*\n)*?)(?=\n?(?:Error:|--- old|$(?![\s\S])))/gm),
  ].map(([, summary = "", number, line = "0"]) => ({
    rule: "terraform-fmt",
    file: nameOf(number),
    line: Number(line),
    message: `cannot be read: ${summary}`,
  }));
  const findings = [...unformatted, ...broken];
  return findings.length > 0 ? findings : [{ rule: "terraform-fmt", file: "terraform", line: 0, message: output.trim() }];
}
