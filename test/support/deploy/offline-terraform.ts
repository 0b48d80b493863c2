/**
 * Terraform over a copy of the toolkit, with stand-ins instead of clouds: plans, applies and keeps a state in files, without a network. What it
 * creates exists in that state only.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { loadSchemas } from "../../../scripts/check-deploy/schema.ts";
import { type Facts, type StubProviders, startStubProviders } from "../../../scripts/check-deploy/stub-provider.ts";
import { copyTree, runTerraform, type TerraformSetting } from "../../../scripts/check-deploy/terraform.ts";
import { ROOT, type ToolResult } from "../../../scripts/process.ts";

/** A cluster with nodes that are ready and run every driver. */
const READY = { status: "ready", scheduling_eligibility: "eligible", address: "10.20.0.10" };
const DRIVERS = ["docker", "exec", "raw_exec"].map((name) => ({ name, detected: true, healthy: true }));
const FACTS: Facts = {
  nomad_nodes: { nodes: ["default", "workers"].map((pool) => ({ ...READY, name: pool, node_pool: pool, drivers: DRIVERS })) },
};

/** A copy of the toolkit in which terraform may be run. */
export class OfflineTerraform {
  readonly #setting: TerraformSetting;
  readonly #providers: StubProviders;

  private constructor(setting: TerraformSetting, providers: StubProviders) {
    this.#setting = setting;
    this.#providers = providers;
  }

  static async open(): Promise<OfflineTerraform> {
    const scratch = mkdtempSync(join(tmpdir(), "wadi-offline-"));
    const tree = join(scratch, "tree");
    mkdirSync(tree);
    copyTree(ROOT, tree);
    const providers = await startStubProviders(loadSchemas(), scratch, FACTS);
    return new OfflineTerraform({ tree, scratch, reattach: providers.reattach }, providers);
  }

  close(): void {
    this.#providers.stop();
    rmSync(this.#setting.scratch, { recursive: true, force: true });
  }

  /** A path in the copy. */
  path(...parts: readonly string[]): string {
    return join(this.#setting.tree, ...parts);
  }

  /** Runs terraform in a folder of the copy; its code and output, whatever they are. */
  run(folder: string, args: readonly string[]): Promise<ToolResult> {
    return runTerraform(this.#setting, folder, args);
  }

  /** Initialises a root and applies it with variables; fails the test with terraform's words if that fails. The resources that were added. */
  async apply(root: string, variables: Readonly<Record<string, unknown>>): Promise<number> {
    const initialised = await this.run(root, ["init", "-backend=false", "-no-color"]);
    expect(initialised.code, initialised.output).to.equal(0);
    const applied = await this.run(root, ["apply", "-auto-approve", "-no-color", "-input=false", ...asArguments(variables)]);
    expect(applied.code, applied.output.slice(-4_000)).to.equal(0);
    return Number(/Resources: (\d+) added/.exec(applied.output)?.[1] ?? 0);
  }

  /** What another apply would do: 0 nothing, 2 something, 1 it fails. */
  async planAgain(root: string, variables: Readonly<Record<string, unknown>>): Promise<ToolResult> {
    return await this.run(root, ["plan", "-detailed-exitcode", "-no-color", "-input=false", ...asArguments(variables)]);
  }

  /** The values of a root's outputs. */
  async outputs(root: string): Promise<Readonly<Record<string, unknown>>> {
    const { stdout } = await this.run(root, ["output", "-json"]);
    const outputs = JSON.parse(stdout) as Record<string, { value: unknown }>;
    return Object.fromEntries(Object.entries(outputs).map(([name, { value }]) => [name, value]));
  }

  /** The text of a root's state. */
  state(root: string): string {
    return readFileSync(this.path(root, "terraform.tfstate"), "utf8");
  }
}

function asArguments(variables: Readonly<Record<string, unknown>>): string[] {
  return Object.entries(variables).flatMap(([name, value]) => [
    "-var",
    `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`,
  ]);
}
