/**
 * Plants mistakes in copies of the deployment toolkit and asks the gate. Each is shown only to the part of the gate that it concerns: parsing and
 * rules with the one file exchanged, or terraform in the one folder; what the gate finds without it does not count.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect } from "chai";
import { type HclDocument, type Project, readDocuments } from "../../../scripts/check-deploy/documents.ts";
import { type Finding, printFinding } from "../../../scripts/check-deploy/finding.ts";
import { hclFiles } from "../../../scripts/check-deploy/gate.ts";
import { applyRules, readTexts } from "../../../scripts/check-deploy/rules.ts";
import { loadSchemas } from "../../../scripts/check-deploy/schema.ts";
import { checkScripts } from "../../../scripts/check-deploy/shell.ts";
import { type StubProviders, startStubProviders } from "../../../scripts/check-deploy/stub-provider.ts";
import { checkFolder, checkFormat, copyTree, type TerraformSetting, terraformFolders } from "../../../scripts/check-deploy/terraform.ts";
import { ROOT } from "../../../scripts/process.ts";
import type { DeployFault } from "./deploy-fault.ts";

/** Where faults are planted. */
export class FaultBench {
  readonly #scratch: string;
  readonly #providers: StubProviders | undefined;
  readonly #documents: readonly HclDocument[];
  readonly #texts: ReadonlyMap<string, string>;
  readonly #known: ReadonlySet<string>;
  #planted = 0;

  private constructor(scratch: string, providers: StubProviders | undefined, project: Project) {
    this.#scratch = scratch;
    this.#providers = providers;
    this.#documents = project.documents;
    this.#texts = project.texts;
    this.#known = new Set(applyRules(project).map(printFinding));
  }

  /** A bench; `withTerraform` where terraform is to be asked as well. */
  static async open(withTerraform: boolean): Promise<FaultBench> {
    const scratch = mkdtempSync(join(tmpdir(), "wadi-faults-"));
    const { documents } = await readDocuments(ROOT, hclFiles(ROOT));
    const providers = withTerraform ? await startStubProviders(loadSchemas(), scratch) : undefined;
    return new FaultBench(scratch, providers, { documents, texts: readTexts(ROOT) });
  }

  close(): void {
    this.#providers?.stop();
    rmSync(this.#scratch, { recursive: true, force: true });
  }

  /** The file with the fault; fails if the edit changes nothing. */
  #edited({ file, edit, name }: DeployFault): string {
    const text = readFileSync(join(ROOT, file), "utf8");
    const changed = edit(text);
    expect(changed, `the edit for "${name}" has to change ${file}`).not.to.equal(text);
    return changed;
  }

  /** What the rules find with the fault and not without it. */
  async byRules(fault: DeployFault): Promise<Finding[]> {
    const folder = join(this.#scratch, `rules-${this.#planted++}`);
    mkdirSync(join(folder, dirname(fault.file)), { recursive: true });
    writeFileSync(join(folder, fault.file), this.#edited(fault));
    if (!/\.(tf|hcl)$/.test(fault.file)) return this.#byTexts(fault, folder);
    const { documents, findings } = await readDocuments(folder, [fault.file]);
    const others = this.#documents.filter(({ file }) => file !== fault.file);
    // In its place among the others: rules look at files in order.
    const project = { documents: [...others, ...documents].sort((a, b) => (a.file < b.file ? -1 : 1)), texts: this.#texts };
    const all = findings.length > 0 ? findings : applyRules(project);
    return all.filter((finding) => !this.#known.has(printFinding(finding)));
  }

  async #byTexts(fault: DeployFault, folder: string): Promise<Finding[]> {
    const texts = new Map(this.#texts).set(fault.file, readFileSync(join(folder, fault.file), "utf8"));
    const all = [...applyRules({ documents: this.#documents, texts }), ...(await checkScripts(folder, [fault.file]))];
    return all.filter((finding) => !this.#known.has(printFinding(finding)));
  }

  /** What terraform finds with the fault, in the folder of its file, up to the step that has to find it. */
  async byTerraform(fault: DeployFault): Promise<Finding[]> {
    const scratch = join(this.#scratch, `terraform-${this.#planted++}`);
    const tree = join(scratch, "tree");
    mkdirSync(tree, { recursive: true });
    copyTree(ROOT, tree);
    writeFileSync(join(tree, fault.file), this.#edited(fault));
    const setting: TerraformSetting = { tree, scratch, reattach: this.#providers?.reattach ?? "{}" };
    if (fault.rule === "terraform-fmt") return checkFormat(setting, [fault.file]);
    const folder = terraformFolders(tree).find(({ path }) => path === dirname(fault.file));
    expect(folder, `${fault.file} has to be in a folder of Terraform's`).not.to.equal(undefined);
    if (folder === undefined) return [];
    return [...(await checkFolder(setting, folder, fault.rule === "terraform-test")).findings];
  }
}

/** Asserts that the findings have one of the fault's rule, at its file or folder, that says what it has to. */
export function expectFound(fault: DeployFault, findings: readonly Finding[]): void {
  const found = findings.some(({ rule, file, message }) => rule === fault.rule && isNear(file, fault.file) && fault.says.test(message));
  const seen = findings.map(printFinding).join("\n") || "nothing";
  expect(found, `${fault.name} (${fault.file}) should be found by ${fault.rule} as ${fault.says}; found was\n${seen}`).to.equal(true);
}

/** Whether a finding is in the module, root or folder of the file, or, for what one root gives another, in the other. */
function isNear(found: string, planted: string): boolean {
  const part = (file: string) => /^(terraform\/modules\/[^/]+|terraform\/[^/]+|nomad)/.exec(file)?.[0];
  return part(found) === part(planted) || found.startsWith("terraform/platform/");
}
